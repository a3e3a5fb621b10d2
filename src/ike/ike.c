/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The facade. What it holds: the session with charon, the operations of the
 * planner, the list of SAs, and a tunnel per wanted peer with the state of its
 * pair.
 *
 * One cycle drives all tunnels: list-sas, then pair_look() for each, whose
 * steps go out as calls in order; the next list is asked for behind them and so
 * shows what they did. The cycle comes each second, POLL_EVENT_MS after an event, when a
 * pair asked for it, and never more often than that it takes a tenth of the time.
 *
 * Handlers are called from one deferred call, one note a turn, so that any of
 * them may call anything here, ike_free() included.
 */
#include "ike/ike.h"

#include "ike/conn.h"
#include "ike/pair.h"
#include "ike/sa.h"
#include "ike/session.h"
#include "ike/steps.h"

#include <errno.h>
#include <stdio.h>

#define POLL_MS 1000
#define POLL_EVENT_MS 50
#define POLL_PAUSE_MS 20
#define POLL_SHARE 10          /* a poll that took t is followed by a pause of POLL_SHARE * t */
#define POLL_PAUSE_MAX_MS 2000 /* one that waited for a stopped charon costs nobody anything */
#define MAX_SAS 16384

struct tunnel {
	char peer[SN_ID_SIZE];
	struct pair pair;
	char error[256]; /* charon's last words; "" while the tunnel stands */
};

enum note_kind {
	NOTE_ABSENT,
	NOTE_ONLINE,
	NOTE_OFFLINE,
	NOTE_SAS,
	NOTE_ERROR,
	NOTE_MOVED,
	NOTE_ENDED
};
struct note {
	enum note_kind kind;
	char peer[SN_ID_SIZE]; /* "" = any */
	char text[256];
	struct sn_addr lost; /* of NOTE_MOVED */
};

struct ike {
	struct loop *loop;
	struct ike_handlers handlers;
	char *mesh_id, *self, *charon, *run_dir, *plugins;
	struct session *session;
	struct steps *steps;
	int64_t offline_since; /* 0: online */
	uint64_t boot_id;      /* of the charon that sas and tunnels are about */

	ARRAY(struct ike_sa) sas;   /* by peer */
	ARRAY(struct ike_sa) heard; /* of the list that is coming in */
	struct vici_call *poll;
	struct loop_timer *poll_timer;
	int64_t poll_due; /* INT64_MAX: none */
	int64_t poll_began, poll_free_at;
	int64_t listed_at; /* when the poll began that told of sas; 0: none did */
	struct sn_addr lost_addrs[IKE_LOST_ADDRS_MAX];
	size_t n_lost_addrs;

	ARRAY(struct tunnel) tunnels; /* by peer */
	bool tunnels_known;           /* ike_set_tunnels() was called: others may be ended */

	struct ike_stats stats;
	struct arrivals arrivals;
	ARRAY(struct note) notes;
	struct loop_deferred *teller;
	void (*ended)(void *user);
	void *ended_user;
};

/* --- notes to the handlers ----------------------------------------------------- */

static struct note *note(struct ike *ike, enum note_kind kind, const char *peer, const char *text)
{
	struct note *found = NULL;

	array_foreach(&ike->notes, n)
		if (n->kind == kind && streq(n->peer, peer))
			found = n;
	if (!found) {
		found = array_add(&ike->notes);
		found->kind = kind;
		snprintf(found->peer, sizeof(found->peer), "%s", peer);
	}
	snprintf(found->text, sizeof(found->text), "%s", text);
	loop_deferred_schedule(ike->teller);
	return found;
}

static void tell_one(void *user)
{
	struct ike *ike = user;
	const struct ike_handlers *h = &ike->handlers;
	struct note n;

	if (ike->notes.n == 0)
		return;
	n = ike->notes.v[0];
	array_remove(&ike->notes, 0);
	if (ike->notes.n > 0)
		loop_deferred_schedule(ike->teller);
	switch (n.kind) {
	case NOTE_ABSENT:
		h->absent(h->user);
		break;
	case NOTE_ONLINE:
		h->online(h->user);
		break;
	case NOTE_OFFLINE:
		h->offline(n.text, h->user);
		break;
	case NOTE_SAS:
		h->sas_changed(n.peer[0] ? n.peer : NULL, h->user);
		break;
	case NOTE_ERROR:
		h->peer_error(n.peer, n.text, h->user);
		break;
	case NOTE_MOVED:
		h->moved(n.peer, &n.lost, h->user);
		break;
	case NOTE_ENDED:
		ike->ended(ike->ended_user);
		break;
	}
}

/* --- tunnels ------------------------------------------------------------------- */

static int tunnel_cmp(const void *a, const void *b)
{
	const struct tunnel *x = a, *y = b;

	return sn_cmp_str(x->peer, y->peer);
}

static struct tunnel *find_tunnel(const struct ike *ike, const char *peer)
{
	size_t low = 0, high = ike->tunnels.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = sn_cmp_str(peer, ike->tunnels.v[middle].peer);

		if (c == 0)
			return &ike->tunnels.v[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void tunnel_failed(struct ike *ike, const char *peer, const char *text)
{
	struct tunnel *t = find_tunnel(ike, peer);

	if (!t)
		return;
	ike->stats.failures++;
	snprintf(t->error, sizeof(t->error), "%s", text);
	note(ike, NOTE_ERROR, peer, text);
}

/* The SAs of a peer are neighbours in the list. */
const struct ike_sa *ike_peer_sas(const struct ike *ike, const char *peer, size_t *ret_n)
{
	size_t low = 0, high = ike->sas.n, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sn_cmp_str(ike->sas.v[middle].peer, peer) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < ike->sas.n && streq(ike->sas.v[end].peer, peer);)
		end++;
	*ret_n = end - low;
	return low < end ? &ike->sas.v[low] : NULL;
}

/* --- commands ------------------------------------------------------------------ */

/*
 * Answers to commands say no more than that the command was understood; what came
 * of it is seen in the next list and in charon's log events.
 */
static void on_command_done(int result, const struct vici_node *reply, void *user)
{
	(void)result;
	(void)reply;
	(void)user;
}

static void send_terminate(struct ike *ike, const char *field, uint32_t id, bool force)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	vici_add(&w, field, "%u", id);
	vici_add(&w, "force", "%s", force ? "yes" : "no");
	vici_add(&w, "timeout", "-1");
	vici_call(session_vici(ike->session), "terminate", &w, NULL, 0, NULL, on_command_done, ike);
}

static void send_initiate(struct ike *ike, const struct tunnel *t)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	vici_add(&w, "ike", SENNIT_IKE_PREFIX "%s", t->peer);
	vici_add(&w, "child", "%s", t->pair.child);
	vici_add(&w, "timeout", "-1");
	ike->stats.initiations++;
	vici_call(session_vici(ike->session), "initiate", &w, NULL, 0, NULL, on_command_done, ike);
}

static void carry_out(struct ike *ike, const struct tunnel *t, const struct pair_steps *steps)
{
	for (size_t i = 0; i < steps->n; i++)
		switch (steps->v[i].verb) {
		case PAIR_INITIATE:
			send_initiate(ike, t);
			break;
		case PAIR_END_IKE:
			send_terminate(ike, "ike-id", steps->v[i].id, false);
			break;
		case PAIR_END_IKE_FORCE:
			send_terminate(ike, "ike-id", steps->v[i].id, true);
			break;
		case PAIR_END_CHILD:
			send_terminate(ike, "child-id", steps->v[i].id, false);
			break;
		}
}

/* --- the cycle ----------------------------------------------------------------- */

static void free_sas(struct ike_sa *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sa_fini(&v[i]);
}

#define clear_sas(list)                                                                            \
	do {                                                                                       \
		free_sas((list)->v, (list)->n);                                                    \
		(list)->n = 0;                                                                     \
	} while (0)

/* Asks for a list at this time, if not sooner. */
static void poll_at(struct ike *ike, int64_t when)
{
	int64_t now = sn_now_ms();

	if (when >= ike->poll_due)
		return;
	ike->poll_due = when;
	if (!ike->poll && session_vici(ike->session))
		loop_timer_set(ike->poll_timer, SN_MAX(when, ike->poll_free_at) - now);
}

static void poll_soon(struct ike *ike)
{
	poll_at(ike, sn_now_ms() + POLL_EVENT_MS);
}

static void end_unwanted(struct ike *ike)
{
	if (!ike->tunnels_known)
		return;
	array_foreach(&ike->sas, sa)
		if (!find_tunnel(ike, sa->peer) && sa->state != IKE_SA_DELETING) {
			send_terminate(ike, "ike-id", sa->unique_id, true);
			poll_soon(ike);
		}
}

static bool is_lost_addr(const struct ike *ike, const struct sn_addr *local)
{
	for (size_t i = 0; i < ike->n_lost_addrs; i++)
		if (sn_addr_cmp(&ike->lost_addrs[i], local) == 0)
			return true;
	return false;
}

/* The lost address that a tunnel stood at, of which that was not told yet. */
static void note_move(struct ike *ike, const struct tunnel *t, const struct ike_sa *sas, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pair_strands(&t->pair, &sas[i]))
			note(ike, NOTE_MOVED, t->peer, "")->lost = sas[i].local;
}

static void look_at(struct ike *ike, struct tunnel *t, int64_t now)
{
	struct pair_steps steps;
	uint32_t dice;
	size_t n;
	const struct ike_sa *sas = ike_peer_sas(ike, t->peer, &n);

	note_move(ike, t, sas, n);
	sn_random(&dice, sizeof(dice));
	poll_at(ike, pair_look(&t->pair, sas, n, now, dice, &steps));
	carry_out(ike, t, &steps);
	if (t->pair.whole_since >= 0)
		t->error[0] = '\0';
	if (steps.n > 0)
		poll_soon(ike);
}

/* Tells which peers' SAs differ between two sorted lists. */
static void note_changes(struct ike *ike, const struct ike_sa *a, size_t na, const struct ike_sa *b,
			 size_t nb)
{
	size_t i = 0, j = 0;

	while (i < na || j < nb) {
		int c = i == na ? 1 : j == nb ? -1 : sa_cmp(&a[i], &b[j]);

		if (c < 0)
			note(ike, NOTE_SAS, a[i++].peer, "");
		else if (c > 0)
			note(ike, NOTE_SAS, b[j++].peer, "");
		else if (!sa_same(&a[i++], &b[j++]))
			note(ike, NOTE_SAS, a[i - 1].peer, "");
	}
}

static void take_over(struct ike *ike)
{
	__typeof__(ike->sas) old = ike->sas;

	array_sort(&ike->heard, sa_cmp);
	array_foreach(&ike->heard, sa)
		sa->stranded = is_lost_addr(ike, &sa->local);
	note_changes(ike, old.v, old.n, ike->heard.v, ike->heard.n);
	memcpy(&ike->sas, &ike->heard, sizeof(ike->sas));
	memset(&ike->heard, 0, sizeof(ike->heard));
	clear_sas(&old);
	array_free(&old);
}

static void on_sa(const struct vici_node *item, void *user)
{
	struct ike *ike = user;
	struct ike_sa sa;

	if (ike->heard.n < MAX_SAS && sa_parse(item, &sa) == 0)
		*array_add(&ike->heard) = sa;
}

static void on_polled(int result, const struct vici_node *reply, void *user)
{
	struct ike *ike = user;
	int64_t now = sn_now_ms(), due = ike->poll_due;

	(void)reply;
	ike->poll = NULL;
	if (result == -ECONNRESET || result == -ETIMEDOUT)
		return; /* on_down() comes */
	ike->poll_free_at =
		now + SN_MIN(SN_MAX((now - ike->poll_began) * POLL_SHARE, POLL_PAUSE_MS),
			     POLL_PAUSE_MAX_MS);
	/* an event that came while the list did asks for another one */
	ike->poll_due = INT64_MAX;
	poll_at(ike, SN_MIN(due, now + POLL_MS));
	if (result < 0) {
		clear_sas(&ike->heard);
		return;
	}
	take_over(ike);
	ike->listed_at = ike->poll_began;
	array_foreach(&ike->tunnels, t)
		look_at(ike, t, now);
	end_unwanted(ike);
}

static void start_poll(void *user)
{
	struct ike *ike = user;

	if (ike->poll || !session_vici(ike->session))
		return;
	clear_sas(&ike->heard);
	ike->poll_due = INT64_MAX;
	ike->poll_began = sn_now_ms();
	ike->poll = vici_call(session_vici(ike->session), "list-sas", NULL, "list-sa", 0, on_sa,
			      on_polled, ike);
}

/* --- the session --------------------------------------------------------------- */

/* A new charon knows nothing of what its predecessor did and failed to do. */
static void begin_anew(struct ike *ike)
{
	if (ike->sas.n > 0)
		note(ike, NOTE_SAS, "", "");
	clear_sas(&ike->sas);
	ike->listed_at = 0;
	array_foreach(&ike->tunnels, t) {
		char child[sizeof(t->pair.child)];
		struct sn_addr remote = t->pair.remote;
		bool owner = t->pair.owner;
		bool orphaned = t->pair.whole_since >= 0 || t->pair.orphaned;

		memcpy(child, t->pair.child, sizeof(child));
		pair_fini(&t->pair);
		pair_init(&t->pair, owner, child);
		pair_set_remote(&t->pair, &remote);
		if (orphaned)
			pair_orphaned(&t->pair);
	}
}

static void on_absent(void *user)
{
	note(user, NOTE_ABSENT, "", "");
}

static void on_up(void *user)
{
	struct ike *ike = user;

	if (ike->boot_id != session_boot_id(ike->session)) {
		ike->stats.restarts += ike->boot_id != 0;
		begin_anew(ike);
	}
	ike->boot_id = session_boot_id(ike->session);
	ike->offline_since = 0;
	ike->poll_due = INT64_MAX;
	ike->poll_free_at = 0;
	poll_at(ike, sn_now_ms());
	note(ike, NOTE_ONLINE, "", "");
}

static void on_down(const char *why, void *user)
{
	struct ike *ike = user;

	ike->poll = NULL;
	ike->poll_due = INT64_MAX;
	loop_timer_cancel(ike->poll_timer);
	if (ike->offline_since == 0) {
		ike->offline_since = sn_now_ms();
		ike->stats.outages++;
	}
	if (session_pid(ike->session) == 0)
		begin_anew(ike);
	steps_fail(ike->steps, why);
	note(ike, NOTE_OFFLINE, "", why);
}

static void on_event(const char *name, const struct vici_node *message, void *user)
{
	struct ike *ike = user;
	const char *peer = NULL, *words;
	struct sn_addr from;

	if (streq(name, "log")) {
		if (sa_probe(message, &from))
			arrivals_note(&ike->arrivals, &from, sn_now_ms());
		words = sa_failure(message, &peer);
		if (!words)
			return;
		tunnel_failed(ike, peer, words);
	} else if (!sa_event_peer(message)) {
		return;
	}
	poll_soon(ike);
}

static void on_ended(void *user)
{
	struct ike *ike = user;

	if (ike->ended)
		note(ike, NOTE_ENDED, "", "");
}

/* --- public -------------------------------------------------------------------- */

int ike_new(struct loop *loop, const struct ike_settings *settings, const struct secrets *secrets,
	    const struct ike_handlers *handlers, struct ike **ret, struct sn_error *e)
{
	_cleanup_(ike_freep) struct ike *ike = xcalloc(1, sizeof(*ike));
	const struct session_handlers from_session = { .up = on_up,
						       .down = on_down,
						       .absent = on_absent,
						       .event = on_event,
						       .ended = on_ended,
						       .user = ike };
	struct steps_settings steps;
	struct charon_settings charon;
	int r;

	ike->loop = loop;
	ike->handlers = *handlers;
	ike->mesh_id = xstrdup(settings->mesh_id);
	ike->self = xstrdup(settings->self);
	ike->charon = xstrdup(settings->charon);
	ike->run_dir = xstrdup(settings->run_dir);
	ike->plugins = xstrdup(settings->plugins);
	ike->offline_since = sn_now_ms();
	ike->poll_due = INT64_MAX;
	ike->teller = loop_deferred_new(loop, tell_one, ike);
	ike->poll_timer = loop_timer_new(loop, start_poll, ike);
	steps = (struct steps_settings){ secrets, ike->mesh_id, ike->self };
	ike->steps = steps_new(loop, &steps);
	charon = (struct charon_settings){ ike->charon, ike->run_dir, ike->plugins,
					   settings->external };
	r = session_new(loop, &charon, &from_session, &ike->session, e);
	if (r < 0)
		return r;
	*ret = sn_steal(ike);
	return 0;
}

void ike_free(struct ike *ike)
{
	if (!ike)
		return;
	session_free(ike->session);
	steps_free(ike->steps);
	loop_timer_free(ike->poll_timer);
	loop_deferred_free(ike->teller);
	clear_sas(&ike->sas);
	clear_sas(&ike->heard);
	array_free(&ike->sas);
	array_free(&ike->heard);
	array_foreach(&ike->tunnels, t)
		pair_fini(&t->pair);
	array_free(&ike->tunnels);
	array_free(&ike->notes);
	free(ike->mesh_id);
	free(ike->self);
	free(ike->charon);
	free(ike->run_dir);
	free(ike->plugins);
	free(ike);
}

void ike_set_secrets(struct ike *ike, const struct secrets *secrets)
{
	steps_set_secrets(ike->steps, secrets);
}

void ike_start(struct ike *ike)
{
	session_start(ike->session);
}

void ike_shutdown(struct ike *ike, void (*done)(void *user), void *user)
{
	ike->ended = done;
	ike->ended_user = user;
	session_shutdown(ike->session);
}

bool ike_is_online(const struct ike *ike)
{
	return ike->offline_since == 0;
}

int64_t ike_offline_since(const struct ike *ike)
{
	return ike->offline_since;
}

int64_t ike_listed_at(const struct ike *ike)
{
	return ike->listed_at;
}

int64_t ike_silent_since(const struct ike *ike)
{
	if (ike->offline_since)
		return ike->offline_since;
	return ike->poll && sn_now_ms() - ike->poll_began > IKE_SILENT_MS ? ike->poll_began : 0;
}

uint64_t ike_boot_id(const struct ike *ike)
{
	return session_boot_id(ike->session);
}

int ike_charon_pid(const struct ike *ike)
{
	return session_pid(ike->session);
}

void ike_observe(struct ike *ike, ike_observed_fn fn, void *user)
{
	steps_observe(ike->steps, session_vici(ike->session), fn, user);
}

void ike_apply(struct ike *ike, const struct plan_step *step, ike_done_fn fn, void *user)
{
	struct tunnel *t = NULL;

	steps_apply(ike->steps, session_vici(ike->session), step, fn, user);
	/* the list behind it is looked at with the connection loaded */
	if (step->wanted && step->wanted->kind == OBJECT_IKE_CONN)
		t = find_tunnel(ike, step->wanted->conn->peer);
	if (t)
		pair_forgive(&t->pair);
	poll_soon(ike);
}

/* The tunnel as it was, or a new one. What is left in the old list goes. */
static struct tunnel take_tunnel(struct ike *ike, const struct ike_tunnel *want)
{
	struct tunnel *old = find_tunnel(ike, want->peer), t = { 0 };

	if (old) {
		t = *old;
		memset(&old->pair, 0, sizeof(old->pair));
		pair_set(&t.pair, want->owner, want->child);
	} else {
		snprintf(t.peer, sizeof(t.peer), "%s", want->peer);
		pair_init(&t.pair, want->owner, want->child);
	}
	pair_set_remote(&t.pair, &want->remote);
	return t;
}

void ike_set_tunnels(struct ike *ike, const struct ike_tunnel *tunnels, size_t n)
{
	__typeof__(ike->tunnels) fresh = { 0 };

	for (size_t i = 0; i < n; i++)
		*array_add(&fresh) = take_tunnel(ike, &tunnels[i]);
	array_sort(&fresh, tunnel_cmp);
	array_foreach(&ike->tunnels, t)
		pair_fini(&t->pair);
	array_free(&ike->tunnels);
	memcpy(&ike->tunnels, &fresh, sizeof(fresh));
	ike->tunnels_known = true;
	poll_at(ike, sn_now_ms());
}

void ike_peer_booted(struct ike *ike, const char *peer, int64_t old_seen)
{
	struct tunnel *t = find_tunnel(ike, peer);

	if (!t)
		return;
	pair_booted(&t->pair, old_seen, sn_now_ms());
	poll_at(ike, sn_now_ms());
}

void ike_peer_orphaned(struct ike *ike, const char *peer)
{
	struct tunnel *t = find_tunnel(ike, peer);

	if (!t || t->pair.orphaned)
		return;
	pair_orphaned(&t->pair);
	poll_at(ike, sn_now_ms());
}

void ike_set_lost_addrs(struct ike *ike, const struct sn_addr *addrs, size_t n)
{
	n = SN_MIN(n, (size_t)IKE_LOST_ADDRS_MAX);
	if (n == ike->n_lost_addrs && memcmp(addrs, ike->lost_addrs, n * sizeof(*addrs)) == 0)
		return;
	memcpy(ike->lost_addrs, addrs, n * sizeof(*addrs));
	ike->n_lost_addrs = n;
	/* nothing passes until then: the pause after a long poll does not count */
	ike->poll_free_at = 0;
	ike->poll_due = INT64_MAX;
	poll_at(ike, sn_now_ms());
}

void ike_peer_broken(struct ike *ike, const char *peer, const struct ike_sa *sa)
{
	struct tunnel *t = find_tunnel(ike, peer);

	if (!t)
		return;
	pair_broken(&t->pair, sa->unique_id);
	poll_at(ike, sn_now_ms());
}

void ike_kick(struct ike *ike, const char *peer)
{
	struct tunnel *t = find_tunnel(ike, peer);

	if (!t)
		return;
	pair_kick(&t->pair);
	poll_at(ike, sn_now_ms());
}

const struct ike_sa *ike_sas(const struct ike *ike, size_t *ret_n)
{
	*ret_n = ike->sas.n;
	return ike->sas.v;
}

const struct ike_sa *ike_peer_sa(const struct ike *ike, const char *peer,
				 const struct ike_child **ret_child)
{
	const struct tunnel *t = find_tunnel(ike, peer);
	const struct ike_sa *best, *sas;
	const struct ike_child *child;
	size_t n;

	sas = ike_peer_sas(ike, peer, &n);
	best = t ? pair_best(&t->pair, sas, n) : NULL;
	child = best ? pair_child(best, t->pair.child) : NULL;
	/* while its child is being replaced an older one carries */
	for (size_t i = 0; !child && i < n; i++)
		if (pair_stands(&sas[i]) && (child = pair_child(&sas[i], NULL)))
			best = &sas[i];
	if (ret_child)
		*ret_child = child;
	return child ? best : NULL;
}

const struct arrivals *ike_arrivals(const struct ike *ike)
{
	return &ike->arrivals;
}

const struct ike_stats *ike_get_stats(const struct ike *ike)
{
	return &ike->stats;
}

const char *ike_peer_last_error(const struct ike *ike, const char *peer)
{
	const struct tunnel *t = find_tunnel(ike, peer);

	return t ? t->error : "";
}
