/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/options.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX_WORDS 8

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "max-clients", required_argument, NULL, 'm' },
	{ "max-size", required_argument, NULL, 's' },
	{ 0 },
};

/* Reads all options; the vals it saw, then "?" and in e why. */
static const char *read_all(const char *const *words, struct sn_error *e)
{
	static char seen[MAX_WORDS + 1];
	char *argv[MAX_WORDS + 2] = { (char *)"program" };
	size_t n = 0;
	int argc = 1, c;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	optind = 0;
	while ((c = options_next(argc, argv, ":hc:", longs, e)) != -1 && n < MAX_WORDS) {
		seen[n++] = (char)c;
		if (c == '?')
			break;
	}
	seen[n] = '\0';
	return seen;
}
#define READ(...) read_all((const char *const[]){ __VA_ARGS__, NULL }, &e)

static void what_is_right(void **state)
{
	struct sn_error e;

	(void)state;
	assert_string_equal(READ("--json", "--config", "x", "-h"), "jch");
	assert_string_equal(READ("word", "--json", "--conf=x", "-cfile"), "jcc");
	assert_string_equal(READ("--json", "--", "--nope"), "j");
}

static void what_is_wrong_and_what_was_meant(void **state)
{
	static const struct {
		const char *words[4], *seen, *text;
	} cases[] = {
		{ { "--jsn" }, "?", "there is no option '--jsn'; did you mean '--json'?" },
		{ { "--jsno=3" }, "?", "there is no option '--jsno'; did you mean '--json'?" },
		{ { "word", "--dryrun" },
		  "?",
		  "there is no option '--dryrun'; did you mean '--dry-run'?" },
		{ { "--json", "--nonsense" }, "j?", "there is no option '--nonsense'" },
		{ { "--max" }, "?", "'--max' could be '--max-clients' or '--max-size'" },
		{ { "--config" }, "?", "'--config' needs a value" },
		{ { "--json", "--conf" }, "j?", "'--conf' needs a value" },
		{ { "-c" }, "?", "'-c' needs a value" },
		{ { "--json=1" }, "?", "'--json' takes no value" },
		{ { "-x" }, "?", "there is no option '-x'" },
		{ { "-hx" }, "h?", "there is no option '-x'" },
		{ { "-xh", "--json" }, "?", "there is no option '-x'" },
	};
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		assert_string_equal(read_all(cases[i].words, &e), cases[i].seen);
		assert_string_equal(e.text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right),
		cmocka_unit_test(what_is_wrong_and_what_was_meant),
	};

	return cmocka_run_group_tests_name("base/options", tests, NULL, NULL);
}
