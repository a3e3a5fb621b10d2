/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metadata/backoff.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The chance that gives the longest wait: it is taken modulo the half, plus one. */
static int64_t longest(struct backoff *b, int64_t full)
{
	return backoff_next(b, (uint32_t)(full / 2));
}

static void waits_double_up_to_the_most(void **state)
{
	static const int64_t full[] = { 250, 500, 1000, 2000, 4000, 5000, 5000 };
	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(full); i++)
		assert_int_equal(longest(&b, full[i]), full[i]);
	for (int i = 0; i < 1000; i++)
		backoff_next(&b, 0);
	assert_int_equal(longest(&b, 5000), 5000);
	backoff_reset(&b);
	assert_int_equal(longest(&b, 250), 250);
}

static void chance_takes_at_most_half(void **state)
{
	(void)state;
	for (uint32_t chance = 0; chance < 1000; chance++) {
		struct backoff b = { .failures = 2 };

		assert_in_range(backoff_next(&b, chance * 7919), 500, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_up_to_the_most),
		cmocka_unit_test(chance_takes_at_most_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
