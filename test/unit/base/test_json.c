/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
	struct sn_error e;
	json_t *v = NULL;

	assert_int_equal(json_parse(text, strlen(text), &v, &e), 0);
	return v;
}

static void names_the_place(void **state)
{
	_cleanup_json_ json_t *doc = parse("{\"hosts\": [{}, {\"a/b\": 3, \"ip\": \"10.0.0\"}]}");
	struct json_place hosts = json_key(NULL, "hosts"), second = json_index(&hosts, 1);
	const json_t *h = json_array_get(json_object_get(doc, "hosts"), 1);
	struct sn_addr addr;
	struct sn_error e;
	const char *s;
	int64_t n;

	(void)state;
	assert_int_equal(json_read_string(h, &second, "a/b", JSON_REQUIRED, &s, &e), -EINVAL);
	assert_string_equal(e.text, "/hosts/1/a~1b: not a string");
	assert_int_equal(json_read_addr(h, &second, "ip", JSON_REQUIRED, &addr, &e), -EINVAL);
	assert_string_equal(e.text, "/hosts/1/ip: '10.0.0' is not an IP address");
	assert_int_equal(json_read_int(h, &second, "a/b", JSON_REQUIRED, 4, 9, &n, &e), -EINVAL);
	assert_string_equal(e.text, "/hosts/1/a~1b: not between 4 and 9");
	assert_int_equal(json_read_string(h, &second, "x", JSON_REQUIRED, &s, &e), -EINVAL);
	assert_string_equal(e.text, "/hosts/1/x: is missing");
}

static void null_is_absent(void **state)
{
	_cleanup_json_ json_t *doc = parse("{\"a\": null}");
	const char *s = "kept";
	struct sn_error e;

	(void)state;
	assert_int_equal(json_read_string(doc, NULL, "a", JSON_OPTIONAL, &s, &e), 0);
	assert_string_equal(s, "kept");
	assert_int_equal(json_read_string(doc, NULL, "a", JSON_REQUIRED, &s, &e), -EINVAL);
}

static void refuses_what_is_no_json(void **state)
{
	static const char *const bad[] = { "",     "{",           "{\"a\":1,\"a\":2}",
					   "[1,]", "\"\\u0000\"", "{} x" };
	struct sn_error e;
	json_t *v;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++) {
		assert_int_equal(json_parse(bad[i], strlen(bad[i]), &v, &e), -EINVAL);
		assert_non_null(strstr(e.text, "line 1"));
	}
}

static void refuses_unknown_keys(void **state)
{
	_cleanup_json_ json_t *doc = parse("{\"a\": 1, \"b\": 2}");
	static const char *const only_a[] = { "a", NULL };
	struct sn_error e;

	(void)state;
	assert_int_equal(json_check_keys(doc, NULL, only_a, &e), -EINVAL);
	assert_string_equal(e.text, "/b: unknown key");
}

static void writes_what_is_no_utf8(void **state)
{
	static const struct sn_addr unset = { 0 };
	_cleanup_json_ json_t *odd = json_from_text("a\xff\n"), *plain = json_from_text("\u00e9");
	_cleanup_json_ json_t *none = json_from_text(NULL), *addr = json_from_addr(&unset);

	(void)state;
	assert_string_equal(json_string_value(odd), "a\\xff\\n");
	assert_string_equal(json_string_value(plain), "\u00e9");
	assert_true(json_is_null(none));
	assert_true(json_is_null(addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_place),         cmocka_unit_test(null_is_absent),
		cmocka_unit_test(refuses_what_is_no_json), cmocka_unit_test(refuses_unknown_keys),
		cmocka_unit_test(writes_what_is_no_utf8),
	};

	return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
