/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/exposition.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_value(double value, const char *expected)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_free_ char *line = xasprintf("x %s\n", expected);

	exposition_sample(&b, "x", NULL, 0, value);
	assert_string_equal(strbuf_str(&b), line);
}

static void values_read_back_as_what_they_are(void **state)
{
	(void)state;
	assert_value(0, "0");
	assert_value(-0.0, "0");
	assert_value(7, "7");
	assert_value(-120, "-120");
	assert_value(1234567890123.0, "1234567890123");
	assert_value(9007199254740992.0, "9007199254740992");
	assert_value(0.1, "0.1");
	assert_value(1.0 / 3, "0.33333333333333331");
	assert_value(-2.5, "-2.5");
	assert_value(0.000001, "0.000001");
	assert_value(0.015625, "0.015625");
	assert_value(10.05, "10.05");
	assert_value(0.0000001, "1e-07");
	assert_value(1795000000.123, "1795000000.123");
	assert_value(9007199254.740992, "9007199254.740992");
	assert_value(9007199255.5, "9007199255.5");
	assert_value(100, "100");
	assert_value(1e300, "1e+300");
	assert_value(NAN, "NaN");
	assert_value(INFINITY, "+Inf");
	assert_value(-INFINITY, "-Inf");
}

/* Whatever is written, a reader gets the same number. */
static void any_value_reads_back_equal(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		double value = (double)sn_random_below(UINT32_MAX) / (1u << sn_random_below(31)) *
			       (i % 2 ? 1 : -1);
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

		exposition_sample(&b, "x", NULL, 0, i % 3 ? value : (double)(int64_t)value / 1000);
		assert_true(strtod(b.data + 2, NULL) ==
			    (i % 3 ? value : (double)(int64_t)value / 1000));
	}
}

static void a_family_has_one_head(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	(void)state;
	exposition_head(&b, "x_total", EXPOSITION_COUNTER, "a \"help\"\nwith \\ in it");
	exposition_sample(&b, "x_total", NULL, 0, 1);
	exposition_head(&b, "y", EXPOSITION_GAUGE, "other");
	assert_string_equal(strbuf_str(&b), "# HELP x_total a \"help\"\\nwith \\\\ in it\n"
					    "# TYPE x_total counter\n"
					    "x_total 1\n"
					    "# HELP y other\n"
					    "# TYPE y gauge\n");
}

static void labels_from_outside_do_no_harm(void **state)
{
	static const struct {
		const char *value, *written;
	} rows[] = {
		{ "", "" },
		{ "plain-1.2_x", "plain-1.2_x" },
		{ "a\"} 1\nforged 2", "a\\\"} 1\\nforged 2" },
		{ "\\n", "\\\\n" },
		{ "ends in \\", "ends in \\\\" },
		{ "h\303\266st \360\237\220\242", "h\303\266st \360\237\220\242" },
		{ "\033[2J\r\t\177", "\357\277\275[2J\357\277\275\357\277\275\357\277\275" },
		/* a bare continuation, an overlong one, a C1 control, a cut sequence */
		{ "\200", "\357\277\275" },
		{ "\300\257", "\357\277\275\357\277\275" },
		{ "\302\233x", "\357\277\275\357\277\275x" },
		{ "x\342\202", "x\357\277\275\357\277\275" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
		const struct exposition_label labels[] = { { "a", rows[i].value }, { "b", "c" } };
		_cleanup_free_ char *line = xasprintf("x{a=\"%s\",b=\"c\"} 1\n", rows[i].written);

		exposition_sample(&b, "x", labels, 2, 1);
		assert_string_equal(strbuf_str(&b), line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_read_back_as_what_they_are),
		cmocka_unit_test(any_value_reads_back_equal),
		cmocka_unit_test(a_family_has_one_head),
		cmocka_unit_test(labels_from_outside_do_no_harm),
	};

	return cmocka_run_group_tests_name("api/exposition", tests, NULL, NULL);
}
