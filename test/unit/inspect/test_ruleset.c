/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as libnftables prints them in JSON; test_doctor.py of the lab does the same with real ones.
 */
#include "base/strbuf.h"
#include "inspect/ruleset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CHAIN(name, hook, policy)                                                                  \
	"{\"chain\":{\"family\":\"ip\",\"table\":\"filter\",\"name\":\"" name                      \
	"\",\"type\":\"filter\",\"hook\":\"" hook "\",\"prio\":0,\"policy\":\"" policy "\"}}"
#define PLAIN(name) "{\"chain\":{\"family\":\"ip\",\"table\":\"filter\",\"name\":\"" name "\"}}"
#define RULE(chain, expr)                                                                          \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"filter\",\"chain\":\"" chain                     \
	"\",\"expr\":[" expr "]}}"
#define IIF(name)                                                                                  \
	"{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"iifname\"}},\"right\":" name "}}"
#define DPORT(value)                                                                               \
	"{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"udp\",\"field\":"         \
	"\"dport\"}},\"right\":" value "}}"
#define ACCEPT "{\"accept\":null}"
#define DROP "{\"drop\":null}"
#define JUMP(name) "{\"jump\":{\"target\":\"" name "\"}}"
#define XT(name) "{\"xt\":{\"type\":\"match\",\"name\":\"" name "\"}}"

/* What is found of it: "forward Docker", "input 4500 ?" (unsure), "port 500"; in order. */
static char *judge(const char *objects)
{
	_cleanup_free_ char *text = xasprintf("{\"nftables\":[%s]}", objects);
	_cleanup_json_ json_t *doc = json_loads(text, 0, NULL);
	static const char *const names[] = { "forward", "input", "output", "port" };
	struct sn_prefix_pair overlay = { 0 };
	const struct ruleset_question q = { "snbr0", &overlay };
	struct ruleset_hits hits;
	struct strbuf b = STRBUF_INIT;

	assert_non_null(doc);
	assert_int_equal(sn_prefix_parse("10.42.0.0/16", &overlay.of[0]), 0);
	ruleset_judge(doc, &q, &hits);
	strbuf_adds(&b, "");
	array_foreach(&hits.h, h) {
		strbuf_addf(&b, "%s%s", b.len ? ", " : "", names[h->harm]);
		if (h->port)
			strbuf_addf(&b, " %u", h->port);
		if (h->owner)
			strbuf_addf(&b, " %s", h->owner);
		if (h->unsure)
			strbuf_adds(&b, " ?");
	}
	ruleset_hits_fini(&hits);
	return strbuf_steal(&b);
}

static void what_is_in_the_way(void **state)
{
	static const struct {
		const char *objects, *found;
	} rows[] = {
		{ CHAIN("FORWARD", "forward", "accept"), "" },
		{ CHAIN("FORWARD", "forward", "drop"), "forward" },
		{ CHAIN("FORWARD", "forward", "drop") "," PLAIN("DOCKER-USER"), "forward Docker" },
		{ CHAIN("FORWARD", "forward", "drop") "," RULE("FORWARD",
							       IIF("\"snbr0\"") "," ACCEPT),
		  "" },
		{ CHAIN("FORWARD", "forward", "drop") "," RULE("FORWARD",
							       IIF("\"sn*\"") "," ACCEPT),
		  "" },
		{ CHAIN("FORWARD", "forward",
			"drop") "," RULE("FORWARD", IIF("{\"set\":[\"a\",\"snbr0\"]}") "," ACCEPT),
		  "" },
		{ CHAIN("FORWARD", "forward", "drop") "," RULE("FORWARD",
							       IIF("\"eth0\"") "," ACCEPT),
		  "forward" },
		{ CHAIN("FORWARD", "forward", "drop") "," RULE("FORWARD", ACCEPT), "" },
		{ CHAIN("FORWARD", "forward", "accept") "," RULE("FORWARD", DROP), "forward" },
		/* what cannot be read may be the one that opens; answers alone do not */
		{ CHAIN("FORWARD", "forward", "drop") "," RULE("FORWARD", XT("mark") "," ACCEPT),
		  "forward ?" },
		{ CHAIN("FORWARD", "forward", "drop") "," RULE("FORWARD",
							       XT("conntrack") "," ACCEPT),
		  "forward" },
		{ CHAIN("INPUT", "input", "drop"), "input 500, input 4500" },
		{ CHAIN("INPUT", "input", "drop") "," RULE("INPUT", DPORT("500") "," ACCEPT),
		  "input 4500" },
		{ CHAIN("INPUT", "input",
			"drop") "," RULE("INPUT", DPORT("{\"range\":[400,5000]}") "," ACCEPT),
		  "" },
		{ CHAIN("INPUT", "input", "drop") "," PLAIN("ike") "," RULE(
			  "INPUT", JUMP("ike")) "," RULE("ike",
							 DPORT("{\"set\":[500,4500]}") "," ACCEPT),
		  "" },
		/* nobody jumps there */
		{ CHAIN("INPUT", "input", "drop") "," PLAIN("ike") "," RULE(
			  "ike", DPORT("{\"set\":[500,4500]}") "," ACCEPT),
		  "input 500, input 4500" },
		{ CHAIN("INPUT", "input", "accept") "," RULE("INPUT", DPORT("4500") "," DROP),
		  "port 4500" },
		{ CHAIN("OUTPUT", "output", "drop"), "output 500, output 4500" },
		{ CHAIN("FORWARD", "prerouting", "drop"), "" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *found = judge(rows[i].objects);

		assert_string_equal(found, rows[i].found);
	}
}

static void owners(void **state)
{
	(void)state;
	assert_string_equal(ruleset_owner("DOCKER-USER"), "Docker");
	assert_string_equal(ruleset_owner("ufw-before-input"), "ufw");
	assert_string_equal(ruleset_owner("CATTLE_FORWARD"), "Rancher");
	assert_null(ruleset_owner("FORWARD"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_the_way),
		cmocka_unit_test(owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
