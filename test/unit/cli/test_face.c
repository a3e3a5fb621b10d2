/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/face.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void durations_have_two_units(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" },         { -1, "0s" },       { 59.9, "59s" },
		{ 60, "1m00s" },     { 3599, "59m59s" }, { 3600, "1h00m" },
		{ 86399, "23h59m" }, { 86400, "1d00h" }, { 1e300, "0s" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

		face_add_duration(&b, cases[i].seconds);
		assert_string_equal(strbuf_str(&b), cases[i].text);
	}
}

static void bytes_have_units(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	(void)state;
	face_add_bytes(&b, 0);
	strbuf_addc(&b, ' ');
	face_add_bytes(&b, 1023);
	strbuf_addc(&b, ' ');
	face_add_bytes(&b, 1536);
	strbuf_addc(&b, ' ');
	face_add_bytes(&b, 123456789);
	assert_string_equal(strbuf_str(&b), "0 B 1023 B 1.5 KiB 118 MiB");
}

static void words_are_wrapped_and_indented(void **state)
{
	const struct face f = { .width = 24 };
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	(void)state;
	face_add_wrapped(&b, &f, PLAIN, 4, "one two three four five six");
	face_add_wrapped(&b, &f, PLAIN, 4, "0123456789012345678901234567890123456789x");
	face_add_wrapped(&b, &f, PLAIN, 4, "");
	assert_string_equal(strbuf_str(&b), "one two three four\n    five six\n"
					    "01234567890123456789\n    01234567890123456789\n"
					    "    x\n\n");
}

static void characters_are_counted_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(face_columns("n\xc3\xb6"
				      "de"),
			 4);
	assert_int_equal(face_columns(""), 0);
}

static void the_widest_column_gives_way(void **state)
{
	static const struct table_column columns[] = { { "A", 4, false },
						       { "B", 0, true },
						       { "C", 4, false } };
	_cleanup_(table_fini) struct table t = { columns, 3 };
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	const struct face f = { .width = 20 };

	(void)state;
	table_add_row(&t);
	table_add_cell(&t, PLAIN, "aaaaaaaaaaaaaa");
	table_add_cell(&t, PLAIN, "7");
	table_add_cell(&t, PLAIN,
		       "c\xc3\xb6"
		       "ccccc");
	table_add_row(&t);
	table_add_cell(&t, PLAIN, "a");
	table_add_cell(&t, PLAIN, "777");
	table_add_cell(&t, PLAIN, "");
	table_render(&t, &f, &b);
	assert_string_equal(strbuf_str(&b), "A         B  C\n"
					    "aaaa..    7  c\xc3\xb6"
					    "ccccc\n"
					    "a       777\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_two_units),
		cmocka_unit_test(bytes_have_units),
		cmocka_unit_test(words_are_wrapped_and_indented),
		cmocka_unit_test(characters_are_counted_not_bytes),
		cmocka_unit_test(the_widest_column_gives_way),
	};

	return cmocka_run_group_tests_name("cli/face", tests, NULL, NULL);
}
