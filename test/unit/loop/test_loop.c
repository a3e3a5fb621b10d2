/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loop knows of its own turns (promise 11). */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STOOD_MS (2 * LOOP_STALL_MS)

struct world {
	struct loop *loop;
	struct loop_timer *deadline;
	uint64_t stalls; /* that were known when the deadline was judged */
};

static void judge(void *user)
{
	struct world *w = user;

	w->stalls = loop_get_stats(w->loop)->stalls;
	loop_stop(w->loop);
}

/* A turn that holds up all others, past the deadline. */
static void stand_still(void *user)
{
	struct world *w = user;
	int64_t end = sn_now_ms() + STOOD_MS;

	loop_timer_set(w->deadline, 1);
	while (sn_now_ms() < end)
		;
}

static void a_stall_is_known_before_any_deadline_it_reached(void **state)
{
	struct world w = { .loop = loop_new() };
	struct loop_deferred *still = loop_deferred_new(w.loop, stand_still, &w);
	const struct loop_stats *stats = loop_get_stats(w.loop);

	(void)state;
	w.deadline = loop_timer_new(w.loop, judge, &w);
	loop_deferred_schedule(still);
	loop_run(w.loop);
	assert_int_equal(w.stalls, 1);
	assert_true(stats->last_stall_ms > LOOP_STALL_MS);
	assert_int_equal(stats->slow_turns, 1);
	assert_true(stats->slowest_turn_ms >= STOOD_MS);
	loop_deferred_free(still);
	loop_timer_free(w.deadline);
	loop_free(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stall_is_known_before_any_deadline_it_reached),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
