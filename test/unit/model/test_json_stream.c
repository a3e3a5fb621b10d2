/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/json_stream.h"

#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct got {
	struct strbuf text; /* elements with a line feed behind each */
	size_t fail_at;
};

static int take(const char *text, size_t len, size_t index, struct sn_error *e, void *user)
{
	struct got *g = user;

	if (index == g->fail_at)
		return sn_error_set(e, -EINVAL, "mine");
	strbuf_add(&g->text, text, len);
	strbuf_addc(&g->text, '\n');
	return 0;
}

/* Fed in pieces of `step`; the result of the end, or of the feed that failed. */
static int split(const char *doc, size_t step, struct got *g, struct sn_error *e)
{
	struct json_stream s;
	size_t len = strlen(doc);
	int r = 0;

	strbuf_clear(&g->text);
	json_stream_init(&s, 40, 5, take, g);
	for (size_t at = 0; at < len && r == 0; at += step)
		r = json_stream_feed(&s, doc + at, SN_MIN(step, len - at), e);
	if (r == 0)
		r = json_stream_end(&s, e);
	json_stream_fini(&s);
	return r;
}

static void arrays_are_split_whatever_the_pieces(void **state)
{
	static const struct {
		const char *doc, *want;
		int r;
	} rows[] = {
		{ "[]", "", 0 },
		{ " [ \n] ", "", 0 },
		{ "null", "", 1 },
		{ " null\n", "", 1 },
		{ "[{}]", "{}\n", 0 },
		{ "[1,2]", "1\n2\n", 0 },
		{ "[{\"a\":[1,{\"b\":\"],}\"}]}, \"x,\\\"]\" ,true]",
		  "{\"a\":[1,{\"b\":\"],}\"}]}\n\"x,\\\"]\" \ntrue\n", 0 },
		{ "[\"\\\\\",\"\\\\\\\"\"]", "\"\\\\\"\n\"\\\\\\\"\"\n", 0 },
	};
	struct got g = { .fail_at = SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		for (size_t step = 1; step < 40; step++) {
			struct sn_error e = { 0 };

			assert_int_equal(split(rows[i].doc, step, &g, &e), rows[i].r);
			assert_string_equal(strbuf_str(&g.text), rows[i].want);
		}
	}
	strbuf_fini(&g.text);
}

static void what_is_no_array_is_refused(void **state)
{
	static const struct {
		const char *doc, *error;
	} rows[] = {
		{ "", "is empty" },
		{ "  ", "is empty" },
		{ "{}", "not an array" },
		{ "<html>", "an HTML page, not JSON" },
		{ "nul", "ends in the middle" },
		{ "nulll", "not an array" },
		{ "nu ll", "not an array" },
		{ "[", "ends in the middle" },
		{ "[1", "ends in the middle" },
		{ "[1,", "ends in the middle" },
		{ "[\"]", "ends in the middle" },
		{ "[]]", "something comes after the array" },
		{ "[1] 2", "something comes after the array" },
		{ "[0,\"12345678901234567890123456789012345678901\"]", "element 1: over 40 bytes" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "element 0: nested deeper than 32" },
		{ "[1,2,3,4,5,6]", "more than 5 elements" },
	};
	struct got g = { .fail_at = SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		for (size_t step = 1; step < 50; step += 6) {
			struct sn_error e = { 0 };

			assert_true(split(rows[i].doc, step, &g, &e) < 0);
			assert_string_equal(e.text, rows[i].error);
		}
	}
	strbuf_fini(&g.text);
}

static void its_user_can_end_it(void **state)
{
	struct got g = { .fail_at = 1 };
	struct sn_error e = { 0 };

	(void)state;
	assert_int_equal(split("[1,2,3]", 100, &g, &e), -EINVAL);
	assert_string_equal(e.text, "mine");
	assert_string_equal(strbuf_str(&g.text), "1\n");
	strbuf_fini(&g.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_are_split_whatever_the_pieces),
		cmocka_unit_test(what_is_no_array_is_refused),
		cmocka_unit_test(its_user_can_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
