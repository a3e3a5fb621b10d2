/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loop knows of its own turns (promise 11). */
#include "loop/loop.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

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
	const struct timespec still = { 0, STOOD_MS * 1000000L };

	loop_timer_set(w->deadline, 1);
	nanosleep(&still, NULL);
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
	/* the waits for a CPU are taken off in whole milliseconds */
	assert_true(stats->slowest_turn_ms >= STOOD_MS - 2);
	loop_deferred_free(still);
	loop_timer_free(w.deadline);
	loop_free(w.loop);
}

/* --- a busy machine ----------------------------------------------------------- */

#define RIVALS 8
#define OWN_MS 10

/* Busy processes on the only CPU that this one may have. */
static void start_rivals(pid_t ret[static RIVALS])
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	for (int i = 0; i < RIVALS; i++) {
		ret[i] = fork();
		if (ret[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				;
		}
		assert_true(ret[i] > 0);
	}
}

static void end_rivals(const pid_t rivals[static RIVALS])
{
	for (int i = 0; i < RIVALS; i++) {
		kill(rivals[i], SIGKILL);
		waitpid(rivals[i], NULL, 0);
	}
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct crowded {
	struct loop *loop;
	struct loop_deferred *next;
	int64_t slowest_ms; /* by the clock */
};

/* Turns of OWN_MS each, until one of them took long by the clock. */
static void compute(void *user)
{
	struct crowded *c = user;
	int64_t begin = sn_now_ms(), own = cpu_ms();

	while (cpu_ms() < own + OWN_MS)
		;
	c->slowest_ms = SN_MAX(c->slowest_ms, sn_now_ms() - begin);
	if (c->slowest_ms > 2 * LOOP_SLOW_TURN_MS)
		loop_stop(c->loop);
	else
		loop_deferred_schedule(c->next);
}

static void waiting_for_a_cpu_makes_no_turn_slow(void **state)
{
	struct crowded c = { .loop = loop_new() };
	const struct loop_stats *stats = loop_get_stats(c.loop);
	pid_t rivals[RIVALS];

	(void)state;
	if (access("/proc/thread-self/schedstat", R_OK) != 0)
		skip();
	start_rivals(rivals);
	c.next = loop_deferred_new(c.loop, compute, &c);
	loop_deferred_schedule(c.next);
	loop_run(c.loop);
	end_rivals(rivals);
	assert_true(c.slowest_ms > 2 * LOOP_SLOW_TURN_MS);
	assert_int_equal(stats->slow_turns, 0);
	assert_true(stats->slowest_turn_ms <= LOOP_SLOW_TURN_MS);
	loop_deferred_free(c.next);
	loop_free(c.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stall_is_known_before_any_deadline_it_reached),
		cmocka_unit_test(waiting_for_a_cpu_makes_no_turn_slow),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
