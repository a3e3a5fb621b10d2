/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One timer drives it: attempt() opens the socket, and starts charon when
 * nobody listens there and none of ours runs. A connection counts only when
 * charon answered on it: a stopped process accepts connections, too.
 */
#include "ike/session.h"

#include <errno.h>
#include <stdio.h>

struct session {
	struct loop *loop;
	struct session_handlers handlers;
	char *socket;
	struct charon *charon;
	bool external; /* started by others: it is waited for, not started */
	struct vici *vici;
	bool up;
	bool stopping;
	struct loop_timer *timer;
	int64_t started_at; /* the charon that runs, or our wish for it */
	int64_t backoff_ms;
	int64_t cut_off_since; /* charon runs and its socket file leads nowhere; 0: it does not */
	char why[256];         /* the last reason told; "" while up */
};

static const char *const events[] = { "ike-updown", "child-updown", "ike-rekey", "child-rekey",
				      "ike-update", "log",          NULL };

static void say_down(struct session *s, const char *why)
{
	bool news = s->up || !streq(s->why, why);

	s->up = false;
	snprintf(s->why, sizeof(s->why), "%s", why);
	if (news)
		s->handlers.down(s->why, s->handlers.user);
}

static void hang_up(struct session *s)
{
	vici_close(sn_steal(s->vici));
}

/* Quick while charon may be starting, then patient. */
static void try_again(struct session *s, const char *why)
{
	bool young = sn_now_ms() < s->started_at + SESSION_PATIENCE_MS;

	hang_up(s);
	loop_timer_set(s->timer, young ? SESSION_CONNECT_MS : SESSION_SLOW_CONNECT_MS);
	if (!young || s->up)
		say_down(s, why);
}

static void on_disconnected(const char *why, void *user)
{
	struct session *s = user;

	if (!s->stopping)
		try_again(s, why);
}

static void on_event(const char *name, const struct vici_node *message, void *user)
{
	struct session *s = user;

	s->handlers.event(name, message, s->handlers.user);
}

static void on_first_answer(int result, const struct vici_node *reply, void *user)
{
	struct session *s = user;

	(void)reply;
	if (result == -ECONNRESET || result == -ETIMEDOUT)
		return; /* on_disconnected() comes */
	s->up = true;
	s->why[0] = '\0';
	s->handlers.up(s->handlers.user);
}

static void await_socket(struct session *s)
{
	s->started_at = sn_now_ms();
	loop_timer_set(s->timer, SESSION_CONNECT_MS);
}

static void restart_later(struct session *s, const char *why)
{
	s->backoff_ms =
		SN_MIN(SN_MAX(2 * s->backoff_ms, SESSION_BACKOFF_MIN_MS), SESSION_BACKOFF_MAX_MS);
	loop_timer_set(s->timer, s->backoff_ms);
	say_down(s, why);
}

/* on_started() tells the rest. */
static void start_charon(struct session *s)
{
	struct sn_error e = { 0 };
	int r = charon_start(s->charon, &e);

	if (r == CHARON_ADOPTED)
		await_socket(s);
	else if (r < 0)
		s->external ? try_again(s, e.text) : restart_later(s, e.text);
}

static void end(struct session *s)
{
	say_down(s, "stopped");
	s->handlers.ended(s->handlers.user);
}

/* Somebody listens: is it ours? */
static void greet(struct session *s)
{
	int pid = vici_peer_pid(s->vici);
	struct sn_error e = { 0 };

	if (charon_adopt(s->charon, pid, &e) != CHARON_ADOPTED) {
		/* ended while we asked (no e), or none of ours: that may last */
		if (e.code < 0)
			s->started_at = 0;
		try_again(s, e.code < 0 ? e.text : "charon ended");
		return;
	}
	vici_call(s->vici, "version", NULL, NULL, SESSION_ANSWER_MS, NULL, on_first_answer, s);
}

/*
 * A charon whose socket file somebody removed or replaced lives, and nobody can
 * ever reach it again: a socket has no second name. It gets SESSION_PATIENCE_MS, for
 * it may be about to end by itself, and one that is young may be about to make its
 * socket on a slow machine; then it is ended and, at its end, another one started.
 */
static void bear_cut_off(struct session *s, const struct sn_error *e)
{
	char why[sizeof(s->why)];

	if (!s->cut_off_since)
		s->cut_off_since = sn_now_ms();
	if (sn_now_ms() < s->cut_off_since + SESSION_PATIENCE_MS ||
	    charon_age_ms(s->charon) < SESSION_BIRTH_MS) {
		try_again(s, e->text);
		return;
	}
	snprintf(why, sizeof(why), "%.180s; process %d cannot be reached again and is ended",
		 e->text, charon_pid(s->charon));
	charon_stop(s->charon);
	say_down(s, why);
}

/* Nobody listens, and none of ours is known to run. */
static void begin_life(struct session *s)
{
	s->handlers.absent(s->handlers.user);
	start_charon(s);
}

static void attempt(void *user)
{
	const struct vici_handlers handlers = { .event = on_event,
						.disconnected = on_disconnected,
						.user = user };
	struct session *s = user;
	struct sn_error e = { 0 };
	int r;

	if (s->stopping || s->vici)
		return;
	r = vici_open(s->loop, s->socket, events, &handlers, &s->vici, &e);
	if (r != -ENOENT && r != -ECONNREFUSED)
		s->cut_off_since = 0;
	if (r == 0)
		greet(s);
	else if (charon_pid(s->charon) > 0 && (r == -ENOENT || r == -ECONNREFUSED))
		bear_cut_off(s, &e);
	else if (charon_pid(s->charon) > 0)
		try_again(s, e.text);
	else
		begin_life(s);
}

static void on_started(const struct sn_error *e, void *user)
{
	struct session *s = user;

	if (s->stopping && e)
		end(s);
	else if (s->stopping)
		charon_stop(s->charon);
	else if (e)
		restart_later(s, e->text);
	else
		await_socket(s);
}

static void on_exited(const char *how, void *user)
{
	struct session *s = user;

	if (!s->stopping)
		s->handlers.absent(s->handlers.user);
	hang_up(s);
	loop_timer_cancel(s->timer);
	s->cut_off_since = 0;
	if (s->stopping) {
		end(s);
		return;
	}
	if (sn_now_ms() >= s->started_at + SESSION_STABLE_MS)
		s->backoff_ms = 0;
	if (s->external)
		s->started_at = sn_now_ms(); /* the next one may be on its way */
	restart_later(s, how);
}

int session_new(struct loop *loop, const struct charon_settings *settings,
		const struct session_handlers *handlers, struct session **ret, struct sn_error *e)
{
	_cleanup_(session_freep) struct session *s = xcalloc(1, sizeof(*s));
	struct charon_handlers from_charon = { .exited = on_exited,
					       .started = on_started,
					       .user = s };
	int r;

	s->loop = loop;
	s->handlers = *handlers;
	s->external = settings->external;
	s->socket = xasprintf("%s/charon.vici", settings->run_dir);
	s->timer = loop_timer_new(loop, attempt, s);
	r = charon_new(loop, settings, &from_charon, &s->charon, e);
	if (r < 0)
		return r;
	*ret = sn_steal(s);
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	hang_up(s);
	charon_free(s->charon);
	loop_timer_free(s->timer);
	free(s->socket);
	free(s);
}

void session_start(struct session *s)
{
	s->started_at = sn_now_ms();
	attempt(s);
}

/* For who ends a charon without having started it: adopts the one that answers, if it is ours. */
static void find_running(struct session *s)
{
	const struct vici_handlers nobody = { 0 };
	const char *const no_events[] = { NULL };
	struct sn_error e;

	if (vici_open(s->loop, s->socket, no_events, &nobody, &s->vici, &e) < 0)
		return;
	(void)charon_adopt(s->charon, vici_peer_pid(s->vici), &e);
	hang_up(s);
}

void session_shutdown(struct session *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	loop_timer_cancel(s->timer);
	hang_up(s);
	if (charon_is_starting(s->charon))
		return; /* on_started() goes on */
	if (charon_pid(s->charon) == 0)
		find_running(s);
	if (charon_pid(s->charon) > 0)
		charon_stop(s->charon);
	else
		s->handlers.ended(s->handlers.user);
}

struct vici *session_vici(const struct session *s)
{
	return s->up ? s->vici : NULL;
}

int session_pid(const struct session *s)
{
	return charon_pid(s->charon);
}

uint64_t session_boot_id(const struct session *s)
{
	return charon_pid(s->charon) > 0 ? charon_boot_id(s->charon) : 0;
}
