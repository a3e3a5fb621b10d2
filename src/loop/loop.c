/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thin coat over libevent: what it adds is the measure of turns and the
 * promise that a handle may be freed inside any callback (event_free() takes
 * the event out of the active queue, so nothing is called after it).
 *
 * A turn is measured from its begin to its end, without what the thread stood
 * in the queue for a CPU that others had: the kernel counts that in schedstat
 * (Documentation/scheduler/sched-stats.rst). So a turn is long by what it
 * computed and by what it waited for in the kernel, however busy the machine.
 */
#include "loop/loop.h"

#include "base/array.h"
#include "base/log.h"
#include "loop/loop_base.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#define STALL_TICK_MS 100

struct loop {
	struct event_base *base;
	struct event *tick;
	int64_t tick_due;
	int schedstat; /* of this thread; -1: the kernel does not tell */
	struct loop_stats stats;
};

/* The begin of a turn. */
struct turn {
	int64_t at, queued_ms, cpu_ms;
};

struct loop_io {
	struct loop *loop;
	struct event *ev;
	int fd;
	loop_io_fn fn;
	void *user;
};

struct loop_timer {
	struct loop *loop;
	struct event *ev;
	loop_timer_fn fn;
	void *user;
};

struct loop_signal {
	struct loop *loop;
	struct event *ev;
	loop_signal_fn fn;
	void *user;
};

struct loop_deferred {
	struct loop *loop;
	struct event *ev;
	loop_deferred_fn fn;
	void *user;
};

static struct timeval timeval_of(int64_t ms)
{
	ms = SN_MAX(ms, 0);
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };
}

/* How long this thread was ready to run and did not, since its begin. */
static int64_t queued_ms(const struct loop *loop)
{
	char text[96];
	ssize_t n = loop->schedstat < 0 ? -1 : pread(loop->schedstat, text, sizeof(text) - 1, 0);
	unsigned long long queued_ns = 0;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* "ran queued slices" */
	return sscanf(text, "%*u %llu", &queued_ns) == 1 ? (int64_t)(queued_ns / 1000000) : 0;
}

/* What this thread computed since its begin. */
static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct turn turn_begin(const struct loop *loop)
{
	return (struct turn){ sn_now_ms(), queued_ms(loop), cpu_ms() };
}

static void turn_end(struct loop *loop, const struct turn *turn)
{
	int64_t took = sn_now_ms() - turn->at;

	if (took > SN_MIN(loop->stats.slowest_turn_ms, (int64_t)LOOP_SLOW_TURN_MS))
		took = SN_MAX(took - (queued_ms(loop) - turn->queued_ms), 0);
	if (took > LOOP_SLOW_TURN_MS) {
		loop->stats.slow_turns++;
		log_debug("a turn took %d ms, %d of them to compute", (int)took,
			  (int)(cpu_ms() - turn->cpu_ms));
	}
	loop->stats.slowest_turn_ms = SN_MAX(loop->stats.slowest_turn_ms, took);
}

/* Comes every STALL_TICK_MS; how late it is tells how long the loop stood. */
static void on_tick(int fd, short what, void *user)
{
	struct loop *loop = user;
	int64_t now = sn_now_ms();
	int64_t late = now - loop->tick_due;
	struct timeval tv = timeval_of(STALL_TICK_MS);

	(void)fd;
	(void)what;
	if (late > LOOP_STALL_MS) {
		loop->stats.stalls++;
		loop->stats.last_stall_ms = late;
		loop->stats.last_stall_end = now;
	}
	loop->tick_due = now + STALL_TICK_MS;
	event_add(loop->tick, &tv);
}

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	struct event_config *cfg = event_config_new();
	struct timeval tv = timeval_of(STALL_TICK_MS);

	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
	loop->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	sn_require(loop->base);
	loop->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	/* the tick and stalls come before what they judge */
	event_base_priority_init(loop->base, 2);
	loop->tick = evtimer_new(loop->base, on_tick, loop);
	event_priority_set(loop->tick, 0);
	loop->tick_due = sn_now_ms() + STALL_TICK_MS;
	event_add(loop->tick, &tv);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	event_free(loop->tick);
	event_base_free(loop->base);
	if (loop->schedstat >= 0)
		close(loop->schedstat);
	free(loop);
}

int loop_run(struct loop *loop)
{
	return event_base_dispatch(loop->base) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

int64_t loop_now(struct loop *loop)
{
	(void)loop;
	return sn_now_ms();
}

const struct loop_stats *loop_get_stats(const struct loop *loop)
{
	return &loop->stats;
}

static void on_io(int fd, short what, void *user)
{
	struct loop_io *io = user;
	struct loop *loop = io->loop;
	struct turn turn = turn_begin(loop);
	unsigned events = (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u);

	io->fn(fd, events, io->user);
	turn_end(loop, &turn);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *user)
{
	struct loop_io *io = xcalloc(1, sizeof(*io));

	*io = (struct loop_io){ .loop = loop, .fd = fd, .fn = fn, .user = user };
	loop_io_set(io, events);
	return io;
}

void loop_io_set(struct loop_io *io, unsigned events)
{
	short what = (short)(EV_PERSIST | (events & LOOP_READ ? EV_READ : 0) |
			     (events & LOOP_WRITE ? EV_WRITE : 0));

	if (io->ev && event_get_events(io->ev) == what)
		return;
	if (io->ev)
		event_free(io->ev);
	io->ev = NULL;
	if (!events)
		return;
	io->ev = event_new(io->loop->base, io->fd, what, on_io, io);
	sn_require(io->ev);
	event_add(io->ev, NULL);
}

void loop_io_free(struct loop_io *io)
{
	if (!io)
		return;
	if (io->ev)
		event_free(io->ev);
	free(io);
}

static void on_timer(int fd, short what, void *user)
{
	struct loop_timer *timer = user;
	struct loop *loop = timer->loop;
	struct turn turn = turn_begin(loop);

	(void)fd;
	(void)what;
	timer->fn(timer->user);
	turn_end(loop, &turn);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn fn, void *user)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	*timer = (struct loop_timer){ .loop = loop, .fn = fn, .user = user };
	timer->ev = evtimer_new(loop->base, on_timer, timer);
	sn_require(timer->ev);
	return timer;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
	struct timeval tv = timeval_of(delay_ms);

	event_add(timer->ev, &tv);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	event_del(timer->ev);
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
	return event_pending(timer->ev, EV_TIMEOUT, NULL) != 0;
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	event_free(timer->ev);
	free(timer);
}

static void on_signal(int signo, short what, void *user)
{
	struct loop_signal *sig = user;

	(void)what;
	sig->fn(signo, sig->user);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn fn, void *user)
{
	struct loop_signal *sig = xcalloc(1, sizeof(*sig));

	*sig = (struct loop_signal){ .loop = loop, .fn = fn, .user = user };
	sig->ev = evsignal_new(loop->base, signo, on_signal, sig);
	sn_require(sig->ev);
	event_add(sig->ev, NULL);
	return sig;
}

void loop_signal_free(struct loop_signal *sig)
{
	if (!sig)
		return;
	event_free(sig->ev);
	free(sig);
}

static void on_deferred(int fd, short what, void *user)
{
	struct loop_deferred *deferred = user;
	struct loop *loop = deferred->loop;
	struct turn turn = turn_begin(loop);

	(void)fd;
	(void)what;
	deferred->fn(deferred->user);
	turn_end(loop, &turn);
}

struct loop_deferred *loop_deferred_new(struct loop *loop, loop_deferred_fn fn, void *user)
{
	struct loop_deferred *deferred = xcalloc(1, sizeof(*deferred));

	*deferred = (struct loop_deferred){ .loop = loop, .fn = fn, .user = user };
	deferred->ev = evtimer_new(loop->base, on_deferred, deferred);
	sn_require(deferred->ev);
	return deferred;
}

void loop_deferred_schedule(struct loop_deferred *deferred)
{
	struct timeval now = { 0 };

	if (!event_pending(deferred->ev, EV_TIMEOUT, NULL))
		event_add(deferred->ev, &now);
}

void loop_deferred_free(struct loop_deferred *deferred)
{
	if (!deferred)
		return;
	event_free(deferred->ev);
	free(deferred);
}
