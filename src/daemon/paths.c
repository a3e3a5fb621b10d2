/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pair of addresses a tunnel goes by, where there are several
 * (plan/path.h). The first one, until the peer is not reached by it: then the
 * next, and round again, with longer and longer stays. What works is kept, also
 * over a restart of sennitd: the tunnel that stands would else be built anew.
 *
 * Both ends change by themselves. That is no race: charon answers on every pair,
 * and the owner alone initiates at once (design §7). When the other end's choice won, it is
 * taken over: what is shown, and what is tried next, is the pair that works.
 *
 * The file is a convenience: without it the search begins at the first pair.
 */
#include "daemon/kept.h"

#include "base/json.h"
#include "base/log.h"
#include "plan/path.h"

#include <stdio.h>

#define LOOK_MS 1000
#define STAY_MS 5000 /* by one pair, before the next is tried; doubled each round */
#define STAY_DOUBLED_MAX 4

static int read_path(const json_t *entry, const struct json_place *at, struct intent_path *ret,
		     struct sn_error *e)
{
	const char *peer;

	if (json_require_object(entry, at, e) < 0 ||
	    json_read_string(entry, at, "peer", JSON_REQUIRED, &peer, e) < 0 ||
	    json_read_addr(entry, at, "local", JSON_REQUIRED, &ret->local, e) < 0 ||
	    json_read_addr(entry, at, "remote", JSON_REQUIRED, &ret->remote, e) < 0)
		return e->code;
	if (!host_id_valid(peer))
		return json_fail(at, e, "no host id");
	snprintf(ret->peer, sizeof(ret->peer), "%s", peer);
	return 0;
}

static int take(struct daemon *d, const json_t *doc, struct sn_error *e)
{
	struct json_place at = json_key(NULL, "paths");
	const json_t *list, *entry;
	size_t i;

	if (json_read_array(doc, NULL, "paths", JSON_REQUIRED, &list, e) < 0)
		return e->code;
	json_array_foreach(list, i, entry) {
		struct json_place place = json_index(&at, i);
		struct intent_path path;

		if (read_path(entry, &place, &path, e) < 0)
			return e->code;
		*array_add(&d->paths) = path;
	}
	return 0;
}

static int cmp_path(const void *a, const void *b)
{
	return strcmp(((const struct intent_path *)a)->peer, ((const struct intent_path *)b)->peer);
}

static void load(struct daemon *d)
{
	if (kept_load(d, "paths", take, "each peer is tried by its first address") < 0)
		d->paths.n = 0;
	array_sort(&d->paths, cmp_path);
}

static void save(struct daemon *d)
{
	json_t *list = json_array();

	array_foreach(&d->paths, p)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "peer", p->peer, "local",
						      SN_ADDR_STR(&p->local), "remote",
						      SN_ADDR_STR(&p->remote)));
	kept_save(d, "paths", list, "a restart would try each peer by its first address");
}

/* --- choosing ------------------------------------------------------------------ */

/* Silence may be the address's fault, or that of our way to it; a refusal to be the peer is not. */
static bool may_be_the_path(enum peer_cause cause)
{
	return cause != CAUSE_AUTH_FAILED && cause != CAUSE_PROPOSAL_MISMATCH &&
	       cause != CAUSE_TS_MISMATCH && cause != CAUSE_DUPLICATE_ID &&
	       cause != CAUSE_IKE_RESTARTING;
}

static void choose(struct daemon *d, const struct intent_path *path)
{
	struct intent_path *known =
		d->paths.n ? bsearch(path, d->paths.v, d->paths.n, sizeof(*path), cmp_path) : NULL;

	if (known) {
		*known = *path;
		return;
	}
	*array_add(&d->paths) = *path;
	array_sort(&d->paths, cmp_path);
}

/* The child was made with the connection as we want it now, not with an earlier one. */
static bool is_wanted_child(const struct daemon *d, const char *peer, const struct ike_child *child)
{
	const struct object_ike_conn *conn = wanted_find_conn(&d->wanted, peer);

	return conn && streq(conn->child, child->name);
}

/*
 * Which of these the tunnel that stands goes by; -1: none does, or a NAT hides which, or it
 * is about to be replaced by one with our choice.
 */
static int path_in_use(const struct daemon *d, const char *peer, const struct intent_path *paths,
		       size_t n)
{
	const struct ike_child *child;
	const struct ike_sa *sa = ike_peer_sa(d->ike, peer, &child);

	if (!sa || !is_wanted_child(d, peer, child))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (sn_addr_cmp(&paths[i].local, &sa->local) == 0 &&
		    sn_addr_cmp(&paths[i].remote, &sa->remote) == 0)
			return (int)i;
	}
	return -1;
}

/* True when it goes by another pair than the one that was chosen here. */
static bool take_over(struct daemon *d, const struct wanted_peer *w)
{
	const struct host *peer = snapshot_find(d->snapshot, w->id);
	struct intent_path paths[PATHS_MAX];
	struct intent intent;
	size_t n;
	int used;

	daemon_get_intent(d, &intent);
	n = peer ? path_list(&intent, peer, paths) : 0;
	used = path_in_use(d, w->id, paths, n);
	if (used < 0 || (size_t)used == path_chosen(&intent, paths, n))
		return false;
	log_write_fields(LOG_LEVEL_NOTICE, LOG_FIELDS({ "peer", w->id }),
			 "peer %s: its tunnel goes from %s to %s, which is kept", w->id,
			 SN_ADDR_STR(&paths[used].local), SN_ADDR_STR(&paths[used].remote));
	choose(d, &paths[used]);
	daemon_intent_changed(d);
	return true;
}

static void try_next(struct daemon *d, const struct wanted_peer *w, struct peer_boot *s,
		     const struct verdict *v)
{
	const struct host *peer = snapshot_find(d->snapshot, w->id);
	struct intent_path paths[PATHS_MAX];
	struct intent intent;
	size_t n, next;

	daemon_get_intent(d, &intent);
	n = peer ? path_list(&intent, peer, paths) : 0;
	if (n < 2)
		return;
	next = (path_chosen(&intent, paths, n) + 1) % n;
	/* the first round is news, the next ones are not */
	log_write_fields(s->paths_tried < n ? LOG_LEVEL_NOTICE : LOG_LEVEL_DEBUG,
			 LOG_FIELDS({ "peer", w->id }),
			 "peer %s: %s by %s; tried from %s to %s now", w->id,
			 peer_state_to_string(v->state), SN_ADDR_STR(&w->remote),
			 SN_ADDR_STR(&paths[next].local), SN_ADDR_STR(&paths[next].remote));
	s->paths_tried++;
	s->path_since_ms = loop_now(d->loop);
	choose(d, &paths[next]);
	daemon_intent_changed(d);
}

static int64_t stay_of(const struct peer_boot *s, const struct wanted_peer *w)
{
	return (int64_t)STAY_MS << SN_MIN(s->paths_tried / w->n_paths, (unsigned)STAY_DOUBLED_MAX);
}

static void forget_removed(struct daemon *d)
{
	size_t n = 0;

	array_foreach(&d->paths, p)
		if (wanted_find_peer(&d->wanted, p->peer))
			d->paths.v[n++] = *p;
	d->paths.n = n;
}

/* True when the search has ended there: it is what the next sennitd begins with. */
static bool look_at(struct daemon *d, const struct wanted_peer *w, int64_t now)
{
	struct peer_boot *s = peers_find(d, w->id);
	struct verdict v;

	if (!s || !health_get(d->health, w->id, now, &v))
		return false;
	if (v.state == PEER_UP || v.state == PEER_DEGRADED) {
		bool found = s->paths_tried > 0;

		s->paths_tried = 0;
		found |= take_over(d, w);
		return found;
	}
	if ((v.state == PEER_DOWN || v.state == PEER_CONNECTING) && may_be_the_path(v.cause) &&
	    now - SN_MAX(s->path_since_ms, v.since_ms) >= stay_of(s, w))
		try_next(d, w, s, &v);
	return false;
}

static void on_look(void *user)
{
	struct daemon *d = user;
	bool able = d->ike && ike_silent_since(d->ike) == 0 && !d->down && d->snapshot;
	bool found = false;

	array_foreach(&d->wanted.peers, w) {
		if (able && w->n_paths > 1)
			found |= look_at(d, w, loop_now(d->loop));
	}
	/* once for all: after an outage of ours every peer is found in one look */
	if (found) {
		forget_removed(d);
		save(d);
	}
	loop_timer_set(d->paths_timer, LOOK_MS);
}

void paths_start(struct daemon *d)
{
	load(d);
	d->paths_timer = loop_timer_new(d->loop, on_look, d);
	loop_timer_set(d->paths_timer, LOOK_MS);
}

void paths_stop(struct daemon *d)
{
	loop_timer_free(d->paths_timer);
	array_free(&d->paths);
}
