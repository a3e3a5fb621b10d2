/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attach/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD "{\"sennit_attachments\": 1, \"last\": \"10.42.1.7\", \"attachments\": ["
#define ITEM(id, ifname, address, mac, rest)                                                       \
	"{\"id\": \"" id "\", \"ifname\": \"" ifname "\", \"address\": \"" address                 \
	"\", \"mac\": \"" mac "\", \"netns\": [4, 4026532281], \"created_ms\": 5" rest "}"
#define GOOD                                                                                       \
	ITEM("0123456789abcdef", "eth0", "10.42.1.7/24", "02:5a:0a:2a:01:07",                      \
	     ", \"label\": \"web\", \"ready\": true")
#define OTHER                                                                                      \
	ITEM("1123456789abcdef", "eth0", "10.42.1.8/24", "02:5a:0a:2a:01:08",                      \
	     ", \"label\": null, \"ready\": false")

static int parse(const char *text, struct attach_table **ret, struct sn_error *e)
{
	return attach_table_parse(text, strlen(text), ret, e);
}

static void what_is_written_is_read_again(void **state)
{
	_cleanup_(attach_table_freep) struct attach_table *t = NULL;
	_cleanup_json_ json_t *out = NULL, *in = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(parse(HEAD GOOD "," OTHER "]}", &t, &e), 0);
	assert_int_equal(t->items.n, 2);
	assert_string_equal(t->items.v[0].veth, "snv01234567");
	assert_string_equal(t->items.v[0].label, "web");
	assert_int_equal(t->items.v[0].netns_ino, 4026532281);
	assert_int_equal(t->items.v[0].mac[5], 7);
	assert_true(t->items.v[0].ready);
	assert_null(t->items.v[1].label);
	assert_false(t->items.v[1].ready);
	out = attach_table_to_json(t);
	assert_int_equal(
		json_parse(HEAD GOOD "," OTHER "]}", strlen(HEAD GOOD "," OTHER "]}"), &in, &e), 0);
	assert_true(json_equal(in, out));
}

static void a_wrong_file_is_an_error_with_its_place(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "not JSON" },
		{ "[]", "not an object" },
		{ "{}", "/sennit_attachments: is missing" },
		{ "{\"sennit_attachments\": 2, \"attachments\": []}", "/sennit_attachments: " },
		{ "{\"sennit_attachments\": 1}", "/attachments: is missing" },
		{ "{\"sennit_attachments\": 1, \"attachments\": [], \"x\": 1}", "/x: unknown key" },
		{ HEAD "7]}", "/attachments/0: not an object" },
		{ HEAD GOOD "," GOOD "]}", "/attachments/1: a second one of the name" },
		{ HEAD GOOD "," ITEM("2123456789abcdef", "eth0", "10.42.1.7/16",
				     "02:5a:0a:2a:01:07", ", \"ready\": true") "]}",
		  "/attachments/1: a second one with 10.42.1.7" },
		{ HEAD ITEM("0123456789ABCDEF", "eth0", "10.42.1.7/24", "02:5a:0a:2a:01:07",
			    ", \"ready\": true") "]}",
		  "/attachments/0/id: " },
		{ HEAD ITEM("0123456789abcdef", "a/b", "10.42.1.7/24", "02:5a:0a:2a:01:07",
			    ", \"ready\": true") "]}",
		  "/attachments/0/ifname: " },
		{ HEAD ITEM("0123456789abcdef", "eth0", "10.42.1/24", "02:5a:0a:2a:01:07",
			    ", \"ready\": true") "]}",
		  "/attachments/0/address: " },
		{ HEAD ITEM("0123456789abcdef", "eth0", "10.42.1.7/24", "03:5a:0a:2a:01:07",
			    ", \"ready\": true") "]}",
		  "/attachments/0/mac: " },
		{ HEAD ITEM("0123456789abcdef", "eth0", "10.42.1.7/24", "02:5a:0a:2a:01:7",
			    ", \"ready\": true") "]}",
		  "/attachments/0/mac: " },
		{ HEAD ITEM("0123456789abcdef", "eth0", "10.42.1.7/24", "02:5a:0a:2a:01:07",
			    "") "]}",
		  "/attachments/0/ready: is missing" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++) {
		struct attach_table *t = NULL;
		struct sn_error e;

		assert_int_equal(parse(bad[i].text, &t, &e), -EINVAL);
		if (!strstr(e.text, bad[i].why))
			fail_msg("case %zu: %s", i, e.text);
	}
}

#define LAST2                                                                                      \
	"{\"sennit_attachments\": 1, \"last\": [\"10.42.1.9\", \"fd42::9\"], \"attachments\": ["
#define ITEM2(id, addresses)                                                                       \
	"{\"id\": \"" id "\", \"ifname\": \"eth0\", \"address\": " addresses                       \
	", \"mac\": \"02:5a:0a:2a:01:07\", \"netns\": [4, 4026532281], \"created_ms\": 0, "        \
	"\"label\": null, \"ready\": true}"

static void both_families_are_written_and_read(void **state)
{
	static const char text[] =
		LAST2 ITEM2("0123456789abcdef", "[\"10.42.1.7/24\", \"fd42::7/64\"]") "," ITEM2(
			"1123456789abcdef", "\"10.42.1.8/24\"") "," ITEM2("2123456789abcdef",
									  "\"fd42::8/64\"") "]}";
	static const char twice[] = LAST2 ITEM2("0123456789abcdef", "\"fd42::7/64\"") "," ITEM2(
		"1123456789abcdef", "[\"10.42.1.7/24\", \"fd42::7/64\"]") "]}";
	static const char same[] =
		LAST2 ITEM2("0123456789abcdef", "[\"10.42.1.7/24\", \"10.42.1.8/24\"]") "]}";
	_cleanup_(attach_table_freep) struct attach_table *t = NULL;
	_cleanup_json_ json_t *out = NULL, *in = json_loads(text, 0, NULL);
	struct attach_table *none = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(parse(text, &t, &e), 0);
	assert_string_equal(SN_PREFIX_PAIR_STR(&t->items.v[0].addr), "10.42.1.7/24, fd42::7/64");
	assert_string_equal(SN_PREFIX_PAIR_STR(&t->items.v[2].addr), "fd42::8/64");
	out = attach_table_to_json(t);
	assert_true(json_equal(in, out));
	assert_int_equal(parse(twice, &none, &e), -EINVAL);
	assert_string_equal(e.text, "/attachments/1: a second one with fd42::7");
	assert_int_equal(parse(same, &none, &e), -EINVAL);
	assert_non_null(strstr(e.text, "/attachments/0/address/1: '10.42.1.8/24' is a second one"));
}

static void every_truncation_is_an_error(void **state)
{
	const char text[] = HEAD GOOD "]}";

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		struct attach_table *t = NULL;
		struct sn_error e;

		assert_int_equal(attach_table_parse(text, n, &t, &e), -EINVAL);
	}
}

static void names_of_interfaces_are_checked(void **state)
{
	(void)state;
	assert_true(attach_ifname_valid("eth0"));
	assert_true(attach_ifname_valid("a23456789012345"));
	assert_false(attach_ifname_valid("a234567890123456"));
	assert_false(attach_ifname_valid(""));
	assert_false(attach_ifname_valid("."));
	assert_false(attach_ifname_valid(".."));
	assert_false(attach_ifname_valid("lo"));
	assert_false(attach_ifname_valid("a b"));
	assert_false(attach_ifname_valid("a/b"));
	assert_false(attach_ifname_valid("eth%d"));
}

static void no_file_is_an_empty_table(void **state)
{
	_cleanup_(attach_table_freep) struct attach_table *t = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(attach_store_read("/nonexistent/attachments.json", &t, &e), 0);
	assert_int_equal(t->items.n, 0);
	assert_false(sn_addr_pair_next(&t->last, NULL));
}

/* What a power cut may leave of a write that did not wait for the disk. */
static void an_empty_file_is_an_empty_table(void **state)
{
	_cleanup_(attach_table_freep) struct attach_table *t = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(attach_store_read("/dev/null", &t, &e), 0);
	assert_int_equal(t->items.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(a_wrong_file_is_an_error_with_its_place),
		cmocka_unit_test(both_families_are_written_and_read),
		cmocka_unit_test(every_truncation_is_an_error),
		cmocka_unit_test(names_of_interfaces_are_checked),
		cmocka_unit_test(no_file_is_an_empty_table),
		cmocka_unit_test(an_empty_file_is_an_empty_table),
	};

	return cmocka_run_group_tests_name("attach/store", tests, NULL, NULL);
}
