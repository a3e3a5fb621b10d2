/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const verbs[] = { "status", "peers",   "attach",    "detach", "attachments",
				     "plan",   "cleanup", "log-level", "up",     NULL };

static const char *nearest_of(const char *word)
{
	struct nearest n = { .word = word };

	for (const char *const *v = verbs; *v; v++)
		nearest_offer(&n, *v);
	return n.best ? n.best : "";
}

static void slips_of_a_finger(void **state)
{
	static const struct {
		const char *word, *meant;
	} cases[] = {
		{ "stauts", "status" },       /* two exchanged */
		{ "statu", "status" },        /* one missing */
		{ "statuss", "status" },      /* one too many */
		{ "stxtus", "status" },       /* one wrong */
		{ "clean", "cleanup" },       /* the beginning */
		{ "Log_Level", "log-level" }, /* another manner of writing */
		{ "attachment", "attachments" },
		{ "atach", "attach" },
		{ "datach", "detach" },
		{ "att", "attach" },
		{ "pu", "up" },
		{ "plane", "plan" },
		/* nothing is near these */
		{ "dance", "" },
		{ "x", "" },
		{ "", "" },
		{ "p", "" },
		{ "qq", "" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++)
		assert_string_equal(nearest_of(cases[i].word), cases[i].meant);
}

static void long_words_are_nobodys(void **state)
{
	char word[200], known[200];
	struct nearest n = { .word = word };

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	memset(known, 'a', sizeof(known) - 1);
	word[sizeof(word) - 1] = known[sizeof(known) - 1] = '\0';
	nearest_offer(&n, known);
	assert_null(n.best);
	word[NEAREST_MAX] = '\0';
	nearest_offer(&n, known);
	assert_null(n.best);
	known[NEAREST_MAX] = '\0';
	known[3] = 'b';
	nearest_offer(&n, known);
	assert_ptr_equal(n.best, known);
	/* it fits whole */
	assert_int_equal(strlen(NEAREST_HINT(&n)), strlen("; did you mean ''?") + NEAREST_MAX);
}

static void the_hint(void **state)
{
	struct nearest n = { .word = "stauts" };

	(void)state;
	assert_string_equal(NEAREST_HINT(&n), "");
	nearest_offer(&n, "status");
	assert_string_equal(NEAREST_HINT(&n), "; did you mean 'status'?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slips_of_a_finger),
		cmocka_unit_test(long_words_are_nobodys),
		cmocka_unit_test(the_hint),
	};

	return cmocka_run_group_tests_name("base/nearest", tests, NULL, NULL);
}
