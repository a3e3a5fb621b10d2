/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log_repeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* How many of `times` equal lines, a millisecond apart, are told. */
static unsigned note(struct log_repeat *r, const char *body, unsigned times, int64_t now)
{
	unsigned told = 0;

	for (unsigned i = 0; i < times; i++)
		told += log_repeat_note(r, LOG_LEVEL_INFO, body, now + i);
	return told;
}

static void what_repeats_is_told_some_times_then_counted(void **state)
{
	struct log_repeat r = { 0 };
	struct log_repeat_sum sum;

	(void)state;
	assert_int_equal(note(&r, "a", 41, 1000), LOG_REPEAT_BURST);
	assert_true(log_repeat_note(&r, LOG_LEVEL_INFO, "b", 1000));
	assert_true(log_repeat_note(&r, LOG_LEVEL_ERROR, "a", 1000));
	assert_false(log_repeat_next(&r, 60999, false, &sum));
	assert_true(log_repeat_next(&r, 61000, false, &sum));
	assert_string_equal(sum.body, "a");
	assert_int_equal(sum.level, LOG_LEVEL_INFO);
	assert_int_equal(sum.times, 41);
	assert_int_equal(sum.seconds, 60);
	assert_false(log_repeat_next(&r, 61000, false, &sum));
	log_repeat_fini(&r);
}

static void it_goes_on_being_counted_until_it_stops(void **state)
{
	struct log_repeat r = { 0 };
	struct log_repeat_sum sum;

	(void)state;
	note(&r, "a", 10, 0);
	assert_true(log_repeat_next(&r, 60000, false, &sum));
	assert_int_equal(note(&r, "a", 2, 70000), 0);
	assert_true(log_repeat_next(&r, 120000, false, &sum));
	assert_int_equal(sum.times, 2);
	/* a window without it, and it is news again */
	assert_false(log_repeat_next(&r, 180000, false, &sum));
	assert_int_equal(note(&r, "a", 1, 180001), 1);
	log_repeat_fini(&r);
}

static void at_the_end_all_that_was_counted_is_told(void **state)
{
	struct log_repeat r = { 0 };
	struct log_repeat_sum sum;

	(void)state;
	note(&r, "a", 9, 0);
	note(&r, "b", 1, 0);
	assert_true(log_repeat_next(&r, 7000, true, &sum));
	assert_int_equal(sum.times, 9);
	assert_int_equal(sum.seconds, 7);
	assert_false(log_repeat_next(&r, 7000, true, &sum));
	log_repeat_fini(&r);
}

static void a_flood_of_different_lines_is_told_and_takes_no_memory(void **state)
{
	static char longer[LOG_REPEAT_BYTES + 2];
	struct log_repeat r = { 0 };
	struct log_repeat_sum sum;
	char body[32];
	unsigned n = 0;

	(void)state;
	/* what was counted keeps its place */
	note(&r, "a", 10, 0);
	for (int i = 0; i < 10 * LOG_REPEAT_LINES; i++) {
		snprintf(body, sizeof(body), "line %d", i);
		assert_int_equal(note(&r, body, 1, 1), 1);
	}
	memset(longer, 'x', sizeof(longer) - 1);
	assert_int_equal(note(&r, longer, 100, 1), 100);
	assert_true(log_repeat_next(&r, 60000, false, &sum));
	assert_string_equal(sum.body, "a");
	/* when all places are of counted ones, others are told */
	for (int i = 0; i < LOG_REPEAT_LINES; i++) {
		snprintf(body, sizeof(body), "other %d", i);
		note(&r, body, 10, 60001);
	}
	assert_int_equal(note(&r, "one more", 10, 60001), 10);
	while (log_repeat_next(&r, 60002, true, &sum) && n < 1000)
		n += sum.times == 10;
	assert_int_equal(n, LOG_REPEAT_LINES);
	log_repeat_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_repeats_is_told_some_times_then_counted),
		cmocka_unit_test(it_goes_on_being_counted_until_it_stops),
		cmocka_unit_test(at_the_end_all_that_was_counted_is_told),
		cmocka_unit_test(a_flood_of_different_lines_is_told_and_takes_no_memory),
	};

	return cmocka_run_group_tests_name("base/log_repeat", tests, NULL, NULL);
}
