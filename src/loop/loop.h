/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of every program here: one thread, libevent underneath.
 *
 * All handles are opaque, owned by who made them, and may be freed in any
 * callback, their own included; after the free no callback comes. All
 * handles are freed before their loop.
 *
 * Turns: the loop notes when a turn took longer than LOOP_SLOW_TURN_MS, without
 * what it waited for a CPU that other processes had, and when it came back more
 * than LOOP_STALL_MS late, for whatever reason, to a timer of its own. Such a
 * stall is our fault, not a peer's: health is told of it by the stats.
 * loop_new() is called by the thread that runs the loop.
 */
#pragma once

#include "base/util.h"

#define LOOP_SLOW_TURN_MS 20
#define LOOP_STALL_MS 250

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;
struct loop_deferred;
struct loop_worker;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
SN_DEFINE_CLEANUP(struct loop *, loop_free);
/* Runs until loop_stop(). 0 or a negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* sn_now_ms() as of the start of this turn's callback. */
int64_t loop_now(struct loop *loop);

struct loop_stats {
	uint64_t slow_turns;     /* turns over LOOP_SLOW_TURN_MS */
	int64_t slowest_turn_ms; /* since start */
	uint64_t stalls;         /* times the loop was more than LOOP_STALL_MS late */
	int64_t last_stall_ms;   /* how late the last one was */
	int64_t last_stall_end;  /* loop time when it was noticed, 0: never */
};
const struct loop_stats *loop_get_stats(const struct loop *loop);

/*
 * Readiness of a descriptor, level-triggered. The descriptor stays the
 * caller's: free the handle before closing it.
 */
enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void (*loop_io_fn)(int fd, unsigned events, void *user);
struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *user);
void loop_io_set(struct loop_io *io, unsigned events); /* 0: none for now */
void loop_io_free(struct loop_io *io);

/* A one-shot timer; set again in its callback to repeat. */
typedef void (*loop_timer_fn)(void *user);
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn fn, void *user);
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

typedef void (*loop_signal_fn)(int signo, void *user);
struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn fn, void *user);
void loop_signal_free(struct loop_signal *sig);

/* Runs once, soon, in a turn of its own, however often it was asked for. */
typedef void (*loop_deferred_fn)(void *user);
struct loop_deferred *loop_deferred_new(struct loop *loop, loop_deferred_fn fn, void *user);
void loop_deferred_schedule(struct loop_deferred *deferred);
void loop_deferred_free(struct loop_deferred *deferred);

/*
 * One thread for what blocks in the kernel. Jobs run in order; run() is
 * called there and must touch nothing but its job, done() is called here.
 * loop_worker_free() lets the running job end, drops the others, and calls
 * done() of each job exactly once, with finished = false for the dropped.
 */
typedef void (*loop_job_run_fn)(void *job);
typedef void (*loop_job_done_fn)(void *job, bool finished);
struct loop_worker *loop_worker_new(struct loop *loop);
void loop_worker_submit(struct loop_worker *worker, void *job, loop_job_run_fn run,
			loop_job_done_fn done);
/*
 * Waits until the jobs submitted so far have run and calls their done(). For who has to
 * answer with something done in this very turn; not within done() of the same worker.
 */
void loop_worker_drain(struct loop_worker *worker);
void loop_worker_free(struct loop_worker *worker);
