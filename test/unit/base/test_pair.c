/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "base/pair.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sn_prefix prefix(const char *s)
{
	struct sn_prefix p;

	assert_int_equal(sn_prefix_parse(s, &p), 0);
	return p;
}

static struct sn_prefix_pair pair(const char *a, const char *b)
{
	struct sn_prefix_pair ret = { 0 };
	struct sn_prefix p = prefix(a);

	sn_prefix_pair_put(&ret, &p);
	if (b) {
		p = prefix(b);
		sn_prefix_pair_put(&ret, &p);
	}
	return ret;
}

/* Whatever was put in first, IPv4's is the first. */
static void has_one_of_each(void **state)
{
	struct sn_prefix_pair none = { 0 }, v6 = pair("fd00:42::/48", NULL),
			      both = pair("fd00:42::/48", "10.42.0.0/16");

	(void)state;
	assert_string_equal(SN_PREFIX_PAIR_STR(&none), "-");
	assert_string_equal(SN_PREFIX_PAIR_STR(&v6), "fd00:42::/48");
	assert_string_equal(SN_PREFIX_PAIR_STR(&both), "10.42.0.0/16, fd00:42::/48");
	assert_null(sn_prefix_pair_next(&none, NULL));
	assert_false(sn_addr_is_set(&sn_prefix_pair_first(&none)->addr));
	assert_int_equal(sn_prefix_pair_first(&v6)->addr.family, AF_INET6);
	assert_int_equal(sn_prefix_pair_first(&both)->addr.family, AF_INET);
	assert_null(sn_prefix_pair_get(&v6, AF_INET));
	assert_int_equal(sn_prefix_pair_get(&both, AF_INET6)->len, 48);
	assert_int_equal(sn_prefix_pair_cmp(&both, &both), 0);
	assert_int_not_equal(sn_prefix_pair_cmp(&both, &v6), 0);
}

static void finds_what_it_covers(void **state)
{
	struct sn_prefix_pair v4 = pair("10.42.0.0/16", NULL),
			      both = pair("10.42.0.0/16", "fd00:42::/48");
	struct sn_prefix in6 = prefix("fd00:42:0:7::/64"), out6 = prefix("fd00:43::/64"),
			 wide4 = prefix("10.0.0.0/8");

	(void)state;
	assert_ptr_equal(sn_prefix_pair_around(&both, &in6.addr), &both.of[1]);
	assert_null(sn_prefix_pair_around(&v4, &in6.addr));
	assert_null(sn_prefix_pair_around(&both, &out6.addr));
	assert_true(sn_prefix_pair_covers(&both, &in6));
	assert_false(sn_prefix_pair_covers(&both, &wide4));
	assert_true(sn_prefix_pair_overlaps(&both, &wide4));
	assert_false(sn_prefix_pair_overlaps(&v4, &in6));
}

static void reads_one_or_a_list(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "{\"o\": \"10.42.0.0/16\"}", "10.42.0.0/16" },
		{ "{\"o\": [\"fd00:42::/48\"]}", "fd00:42::/48" },
		{ "{\"o\": [\"fd00:42::/48\", \"10.42.0.0/16\"]}", "10.42.0.0/16, fd00:42::/48" },
		{ "{\"o\": 7}", "/o: not a string" },
		{ "{\"o\": null}", "/o: is missing" },
		{ "{\"o\": []}", "/o: an empty list" },
		{ "{\"o\": \"all\"}", "/o: 'all' is not an IP prefix" },
		{ "{\"o\": [\"10.42.0.0/16\", 7]}", "/o/1: not a string" },
		{ "{\"o\": [\"10.42.0.0/16\", \"x\"]}", "/o/1: 'x' is not an IP prefix" },
		{ "{\"o\": [\"fd00:42::/48\", \"fd00:43::/48\"]}",
		  "/o/1: 'fd00:43::/48' is a second one of IPv6; expected at most one of each "
		  "family" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *v = json_loads(rows[i].text, 0, NULL);
		struct sn_prefix_pair p = { 0 };
		struct sn_error e;
		int r = json_read_prefix_pair(v, NULL, "o", JSON_REQUIRED, &p, &e);

		assert_string_equal(r < 0 ? e.text : SN_PREFIX_PAIR_STR(&p), rows[i].expected);
	}
}

static void writes_what_it_reads(void **state)
{
	static const char *const texts[] = { "{\"o\":null}", "{\"o\":\"fd00::1\"}",
					     "{\"o\":[\"10.42.1.1\",\"fd00::1\"]}" };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_t *v = json_loads(texts[i], 0, NULL), *list = NULL;
		_cleanup_json_ json_t *again = json_object();
		_cleanup_free_ char *text = NULL;
		struct sn_addr_pair p = { 0 };
		struct sn_error e;

		assert_int_equal(json_read_addr_pair(v, NULL, "o", JSON_OPTIONAL, &p, &e), 0);
		json_object_set_new(again, "o", json_from_addr_pair(&p));
		text = json_dumps(again, JSON_COMPACT);
		assert_string_equal(text, texts[i]);
		list = json_list_addr_pair(&p);
		assert_int_equal(json_array_size(list), i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_one_of_each),
		cmocka_unit_test(finds_what_it_covers),
		cmocka_unit_test(reads_one_or_a_list),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
