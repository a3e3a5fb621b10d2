/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void grows_and_hands_over(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_free_ char *s = NULL;

	(void)state;
	assert_string_equal(strbuf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%d,", i % 10);
	assert_int_equal(b.len, 2000);
	s = strbuf_steal(&b);
	assert_int_equal(strlen(s), 2000);
	assert_string_equal(strbuf_str(&b), "");
}

static void escapes_what_moves_a_terminal(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "two\nlines\t", "two\\nlines\\x09" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, /* C1 CSI */
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc0\xaf", "\\xc0\\xaf" },          /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
		{ "\xe2\x82", "\\xe2\\x82" },          /* cut off */
		{ "back\\slash", "back\\x5cslash" },
		{ "h1\xe2\x80\xae"
		  "pu",
		  "h1\\xe2\\x80\\xaepu" }, /* right to left */
		{ "\xe2\x81\xa6\xd8\x9c", "\\xe2\\x81\\xa6\\xd8\\x9c" },
		{ "\xe2\x80\xa6\xd8\x9b", "\xe2\x80\xa6\xd8\x9b" }, /* an ellipsis is none */
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

		strbuf_add_escaped(&b, cases[i].in);
		assert_string_equal(strbuf_str(&b), cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_hands_over),
		cmocka_unit_test(escapes_what_moves_a_terminal),
	};

	return cmocka_run_group_tests_name("base/strbuf", tests, NULL, NULL);
}
