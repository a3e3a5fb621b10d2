/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of a pair, one static function a rule, in the order in which
 * pair_look() asks them. A rule that ends an SA first marks it (extra_since)
 * and acts when the mark is old enough; whatever ends the reason takes the
 * mark away. So a rekeying, which shows two SAs for a moment, costs nothing.
 */
#include "ike/pair.h"

#include <stdio.h>

#define NEVER INT64_MAX

static void set_child(struct pair *p, const char *child)
{
	snprintf(p->child, sizeof(p->child), "%s", child);
}

void pair_init(struct pair *p, bool owner, const char *child)
{
	*p = (struct pair){
		.owner = owner,
		.alone_since = -1,
		.bare_since = -1,
		.whole_since = -1,
		.fresh_since = -1,
	};
	set_child(p, child);
}

void pair_fini(struct pair *p)
{
	array_free(&p->memory);
}

void pair_set(struct pair *p, bool owner, const char *child)
{
	if (p->owner == owner && streq(p->child, child))
		return;
	p->owner = owner;
	set_child(p, child);
	array_foreach(&p->memory, m)
		m->stale = true;
	pair_forgive(p);
	p->bare_since = -1;
	p->whole_since = -1;
	p->fresh_since = -1;
}

void pair_set_remote(struct pair *p, const struct sn_addr *remote)
{
	p->remote = *remote;
}

void pair_forgive(struct pair *p)
{
	p->tries = 0;
	p->retry_at = 0;
}

void pair_booted(struct pair *p, int64_t old_seen, int64_t now)
{
	p->booted_at = now;
	p->old_seen = old_seen;
}

/* The end that does not own the pair is as quick as an owner. */
static bool is_eager(const struct pair *p)
{
	return p->owner || p->orphaned;
}

void pair_orphaned(struct pair *p)
{
	p->orphaned = true;
	p->patience_ms = 0;
}

void pair_broken(struct pair *p, uint32_t id)
{
	p->broken = id;
}

void pair_kick(struct pair *p)
{
	p->kicked = true;
}

static bool was_up(const struct ike_sa *sa)
{
	return sa->state == IKE_SA_ESTABLISHED || sa->state == IKE_SA_REKEYING;
}

bool pair_stands(const struct ike_sa *sa)
{
	return was_up(sa) && !sa->stranded;
}

bool pair_strands(const struct pair *p, const struct ike_sa *sa)
{
	if (!sa->stranded || !was_up(sa))
		return false;
	array_foreach(&p->memory, m)
		if (m->id == sa->unique_id && !m->child)
			return m->asked_at == 0;
	return true;
}

const struct ike_child *pair_child(const struct ike_sa *sa, const char *name)
{
	const struct ike_child *best = NULL;

	array_foreach(&sa->children, c)
		if (c->installed && (!name || streq(c->name, name)) &&
		    (!best || c->unique_id > best->unique_id))
			best = c;
	return best;
}

static bool is_void(const struct pair *p, const struct ike_sa *sa)
{
	array_foreach(&p->memory, m)
		if (m->id == sa->unique_id && !m->child)
			return m->void_since != 0;
	return false;
}

/* Negative: a stays rather than b. */
static int compare_claims(const struct pair *p, const struct ike_sa *a, const struct ike_sa *b)
{
	bool whole_a = pair_child(a, p->child), whole_b = pair_child(b, p->child);
	bool owners_a = a->initiator == p->owner, owners_b = b->initiator == p->owner;
	bool void_a = is_void(p, a), void_b = is_void(p, b);

	if (whole_a != whole_b)
		return whole_a ? -1 : 1;
	if (void_a != void_b)
		return void_a ? 1 : -1;
	if (owners_a != owners_b)
		return owners_a ? -1 : 1;
	return sn_cmp_num(a->spi_i, b->spi_i);
}

const struct ike_sa *pair_best(const struct pair *p, const struct ike_sa *sas, size_t n)
{
	const struct ike_sa *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (pair_stands(&sas[i]) && (!best || compare_claims(p, &sas[i], best) < 0))
			best = &sas[i];
	return best;
}

static void add_step(struct pair_steps *steps, enum pair_verb verb, uint32_t id)
{
	if (steps->n < PAIR_MAX_STEPS)
		steps->v[steps->n++] = (struct pair_step){ .verb = verb, .id = id };
}

static struct pair_memory *recall(struct pair *p, uint32_t id, bool child, int64_t now)
{
	struct pair_memory *m;

	array_foreach(&p->memory, known)
		if (known->id == id && known->child == child)
			return known;
	m = array_add(&p->memory);
	*m = (struct pair_memory){ .id = id, .child = child, .first_seen = now, .heard_at = now };
	return m;
}

static void remember_ike(struct pair *p, const struct ike_sa *sa, int64_t now)
{
	struct pair_memory *m = recall(p, sa->unique_id, false, now);
	uint64_t packets = 0;

	array_foreach(&sa->children, c)
		packets += c->packets_in;
	if (m->packets_in != packets)
		m->heard_at = now;
	m->packets_in = packets;
	m->here = true;
}

/* Takes up what is new and forgets what is gone. */
static void remember(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now)
{
	array_foreach(&p->memory, m)
		m->here = false;
	for (size_t i = 0; i < n; i++) {
		remember_ike(p, &sas[i], now);
		array_foreach(&sas[i].children, c)
			recall(p, c->unique_id, true, now)->here = true;
	}
	for (size_t i = p->memory.n; i > 0; i--)
		if (!p->memory.v[i - 1].here)
			array_remove(&p->memory, i - 1);
}

/*
 * The newest by charon's clock, and by its counter within a second. A
 * rekeying one has no age: it was established before any that has one.
 */
static bool is_newer(const struct ike_sa *a, const struct ike_sa *b)
{
	int64_t age_a = a->age_s < 0 ? INT64_MAX : a->age_s;
	int64_t age_b = b->age_s < 0 ? INT64_MAX : b->age_s;

	return age_a != age_b ? age_a < age_b : a->unique_id > b->unique_id;
}

static const struct ike_sa *find_newest(const struct ike_sa *sas, size_t n)
{
	const struct ike_sa *newest = NULL;

	for (size_t i = 0; i < n; i++)
		if (pair_stands(&sas[i]) && (!newest || is_newer(&sas[i], newest)))
			newest = &sas[i];
	return newest;
}

/*
 * Who begins one from another address than it had, or by another port of a NAT, has moved.
 */
static bool is_left_behind(const struct ike_sa *sa, const struct ike_sa *newest)
{
	return !newest->initiator && (sn_addr_cmp(&sa->remote, &newest->remote) != 0 ||
				      sa->remote_port != newest->remote_port);
}

/* Those that the peer's last charon made, or this one elsewhere, as far as it can be known. */
static void mark_void(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now)
{
	const struct ike_sa *newest = find_newest(sas, n);
	bool lately = p->booted_at && now <= p->booted_at + PAIR_BOOTED_MS;

	for (size_t i = 0; i < n; i++) {
		struct pair_memory *m = recall(p, sas[i].unique_id, false, now);

		if (!pair_stands(&sas[i]) || m->surely_void)
			continue;
		m->surely_void = m->first_seen + PAIR_BOOTED_MARGIN_MS < p->old_seen;
		if (!m->surely_void && &sas[i] == newest)
			m->void_since = 0;
		else if (!m->void_since &&
			 (m->surely_void || lately || is_left_behind(&sas[i], newest)))
			m->void_since = now;
	}
}

/* Ends m's SA with verb once the reason is old enough, harder once it was asked in vain. */
static int64_t end_extra(struct pair_memory *m, int64_t patience, enum pair_verb verb,
			 enum pair_verb harder, int64_t now, struct pair_steps *steps)
{
	if (m->extra_since == 0)
		m->extra_since = now;
	if (now < m->extra_since + patience)
		return m->extra_since + patience;
	if (m->asked_at == 0)
		add_step(steps, verb, m->id);
	else if (now >= m->asked_at + PAIR_FORCE_MS)
		add_step(steps, harder, m->id);
	else
		return m->asked_at + PAIR_FORCE_MS;
	m->asked_at = now;
	return now + PAIR_FORCE_MS;
}

static int64_t end_void(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now,
			struct pair_steps *steps)
{
	int64_t next = NEVER;

	for (size_t i = 0; i < n; i++) {
		struct pair_memory *m = recall(p, sas[i].unique_id, false, now);
		int64_t due = p->fresh_since >= 0
				      ? SN_MAX(p->fresh_since, m->void_since) + PAIR_VOID_MS
				      : m->void_since + PAIR_VOID_ALONE_MS;

		if (!m->void_since)
			continue;
		if (m->asked_at)
			due = m->asked_at + PAIR_FORCE_MS;
		if (now >= due) {
			add_step(steps, PAIR_END_IKE_FORCE, m->id);
			m->asked_at = now;
			due = now + PAIR_FORCE_MS;
		}
		next = SN_MIN(next, due);
	}
	return next;
}

/* While they stood together, something came by other for PAIR_STRAY_MS, and nothing by sa. */
static bool is_silent_beside(struct pair *p, const struct ike_sa *sa, const struct ike_sa *other,
			     int64_t now)
{
	int64_t heard = recall(p, sa->unique_id, false, now)->heard_at;
	const struct pair_memory *m = recall(p, other->unique_id, false, now);

	return m->heard_at >= SN_MAX(heard, m->first_seen) + PAIR_STRAY_MS;
}

/* One that carries what is wanted yields only to another such. */
static bool is_stray(struct pair *p, const struct ike_sa *sas, size_t n, const struct ike_sa *sa,
		     int64_t now)
{
	bool whole = pair_child(sa, p->child);

	for (size_t i = 0; i < n; i++)
		if (&sas[i] != sa && sas[i].state == IKE_SA_ESTABLISHED &&
		    (!whole || pair_child(&sas[i], p->child)) &&
		    is_silent_beside(p, sa, &sas[i], now))
			return true;
	return false;
}

static bool is_superfluous(struct pair *p, const struct ike_sa *sas, size_t n,
			   const struct ike_sa *sa, const struct ike_sa *best, int64_t now)
{
	if (!best || sa->state != IKE_SA_ESTABLISHED)
		return false;
	return p->owner ? sa != best && best->state == IKE_SA_ESTABLISHED
			: is_stray(p, sas, n, sa, now);
}

/* How long a duplicate may stay. */
static int64_t bear(const struct pair *p, const struct ike_sa *sa, const struct ike_sa *best)
{
	if (!p->owner)
		return 0; /* a stray */
	return sa->initiator != best->initiator && is_newer(sa, best) ? PAIR_NEWER_MS
								      : PAIR_SETTLE_MS;
}

static void end_broken(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now,
		       struct pair_steps *steps)
{
	for (size_t i = 0; p->broken && i < n; i++) {
		if (sas[i].unique_id != p->broken || !pair_stands(&sas[i]))
			continue;
		add_step(steps, PAIR_END_IKE, p->broken);
		recall(p, p->broken, false, now)->asked_at = now;
	}
	p->broken = 0;
}

static int64_t end_stranded(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now,
			    struct pair_steps *steps)
{
	int64_t next = NEVER;

	for (size_t i = 0; i < n; i++) {
		struct pair_memory *m;

		/* one that connects is_connecting() ends */
		if (!sas[i].stranded || sas[i].state == IKE_SA_CONNECTING)
			continue;
		m = recall(p, sas[i].unique_id, false, now);
		if (m->asked_at == 0 || now >= m->asked_at + PAIR_FORCE_MS) {
			add_step(steps, PAIR_END_IKE_FORCE, m->id);
			m->asked_at = now;
		}
		next = SN_MIN(next, m->asked_at + PAIR_FORCE_MS);
	}
	return next;
}

static int64_t end_duplicates(struct pair *p, const struct ike_sa *sas, size_t n,
			      const struct ike_sa *best, int64_t now, struct pair_steps *steps)
{
	int64_t next = NEVER, due;

	for (size_t i = 0; i < n; i++) {
		struct pair_memory *m = recall(p, sas[i].unique_id, false, now);
		bool asked = m->asked_at != 0 && sas[i].state == IKE_SA_DELETING;
		bool extra = is_superfluous(p, sas, n, &sas[i], best, now);

		if (m->void_since)
			continue;
		if (!asked && !extra) {
			m->extra_since = 0;
			continue;
		}
		due = end_extra(m, extra ? bear(p, &sas[i], best) : PAIR_SETTLE_MS, PAIR_END_IKE,
				PAIR_END_IKE_FORCE, now, steps);
		next = SN_MIN(next, due);
	}
	return next;
}

/*
 * Children that the wanted one has replaced. Those of other IKE_SAs go with
 * theirs.
 */
static int64_t end_children(struct pair *p, const struct ike_sa *best, int64_t now,
			    struct pair_steps *steps)
{
	const struct ike_child *wanted = best ? pair_child(best, p->child) : NULL;
	int64_t patience = p->owner ? PAIR_SETTLE_MS : PAIR_HELP_MS, next = NEVER, due;

	if (!best)
		return NEVER;
	array_foreach(&best->children, c) {
		struct pair_memory *m = recall(p, c->unique_id, true, now);

		if (!wanted || wanted->rekeying || c == wanted || !c->installed || c->rekeying) {
			m->extra_since = 0;
			continue;
		}
		due = end_extra(m, patience, PAIR_END_CHILD, PAIR_END_CHILD, now, steps);
		next = SN_MIN(next, due);
	}
	return next;
}

/* This end began it, but not with the connection as it is now. */
static bool leads_elsewhere(const struct pair *p, const struct pair_memory *m,
			    const struct ike_sa *sa)
{
	return sa->initiator &&
	       (m->stale || (sn_addr_is_set(&p->remote) && sn_addr_is_set(&sa->remote) &&
			     sn_addr_cmp(&sa->remote, &p->remote) != 0));
}

/*
 * True while a CONNECTING one is worth waiting for. Beside a tunnel that stands none is:
 * charon tries for ever with one that DPD restarted, even from an address that is gone.
 */
static bool is_connecting(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now,
			  struct pair_steps *steps, int64_t *next)
{
	int64_t patience = p->kicked             ? PAIR_KICK_MS
			   : p->fresh_since >= 0 ? PAIR_NEEDLESS_MS
						 : PAIR_HANG_MS;
	bool waiting = false;

	for (size_t i = 0; i < n; i++) {
		struct pair_memory *m;

		if (sas[i].state != IKE_SA_CONNECTING)
			continue;
		m = recall(p, sas[i].unique_id, false, now);
		if (now >= m->first_seen + patience || leads_elsewhere(p, m, &sas[i]) ||
		    sas[i].stranded) {
			add_step(steps, PAIR_END_IKE_FORCE, sas[i].unique_id);
			continue;
		}
		waiting = true;
		*next = SN_MIN(*next, m->first_seen + patience);
	}
	return waiting;
}

static void draw_patience(struct pair *p, int64_t wait, int64_t spread, uint32_t dice)
{
	p->patience_ms = p->owner ? wait : p->orphaned ? 0 : wait + dice % (spread + 1);
}

/* Which of the three the pair is: whole, bare (an IKE_SA without the child), alone; and since when.
 */
static void note_condition(struct pair *p, const struct ike_sa *best, size_t n, int64_t now,
			   uint32_t dice)
{
	bool whole = best && pair_child(best, p->child);
	bool bare = best && !whole;
	/* the owner does not wait for a dying one to be gone */
	bool alone = is_eager(p) ? !best : n == 0;

	if (whole && p->whole_since < 0)
		p->whole_since = now;
	if (!whole || is_void(p, best))
		p->fresh_since = -1;
	else if (p->fresh_since < 0)
		p->fresh_since = now;
	if (p->fresh_since >= 0)
		p->orphaned = false;
	if (!whole)
		p->whole_since = -1;
	if (alone && p->alone_since < 0) {
		p->alone_since = now;
		draw_patience(p, p->owner ? 0 : PAIR_OTHER_WAIT_MS, PAIR_OTHER_SPREAD_MS, dice);
	}
	if (!alone)
		p->alone_since = -1;
	if (bare && p->bare_since < 0) {
		p->bare_since = now;
		draw_patience(p, p->owner ? PAIR_CHILD_WAIT_MS : PAIR_OTHER_CHILD_WAIT_MS,
			      PAIR_OTHER_CHILD_SPREAD_MS, dice);
	}
	if (!bare)
		p->bare_since = -1;
	/* beside another one it may be about to be ended, PAIR_NEWER_MS after it was begun */
	if (whole && n == 1 && now >= p->whole_since + PAIR_STABLE_MS)
		pair_forgive(p);
}

/* 0.25 s, 0.5 s, … 5 s, each up to a quarter shorter or longer. */
static int64_t backoff(unsigned tries, uint32_t dice)
{
	int64_t ms = PAIR_BACKOFF_MIN_MS;

	while (tries-- > 0 && ms < PAIR_BACKOFF_MAX_MS)
		ms *= 2;
	ms = SN_MIN(ms, PAIR_BACKOFF_MAX_MS);
	return ms * 3 / 4 + dice % (ms / 2 + 1);
}

/*
 * The other end is bare although it initiated twice: the owner keeps its own
 * IKE_SA, made with our old connection, and ends the one made with the new.
 * Only an end to the old one lets it begin again.
 */
static bool owner_insists(const struct pair *p)
{
	return !p->owner && p->bare_since >= 0 && p->tries >= PAIR_OTHER_TRIES;
}

static int64_t initiate(struct pair *p, const struct ike_sa *best, int64_t now, uint32_t dice,
			struct pair_steps *steps)
{
	int64_t since = p->bare_since >= 0 ? p->bare_since : p->alone_since;
	int64_t due;

	if (since < 0)
		return NEVER;
	due = p->kicked ? now : SN_MAX(since + p->patience_ms, p->retry_at);
	if (now < due)
		return due;
	p->retry_at = now + backoff(p->tries, dice);
	if (owner_insists(p)) {
		add_step(steps, PAIR_END_IKE, best->unique_id);
		p->tries = 0;
	} else {
		add_step(steps, PAIR_INITIATE, 0);
		p->tries++;
	}
	/* the other end waits its whole time again */
	if (!is_eager(p))
		p->alone_since = p->bare_since = -1;
	return p->retry_at;
}

int64_t pair_look(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now, uint32_t dice,
		  struct pair_steps *ret)
{
	const struct ike_sa *best;
	int64_t next = NEVER, due;

	*ret = (struct pair_steps){ .n = 0 };
	for (size_t i = 0; i < n; i++)
		if (pair_strands(p, &sas[i]))
			pair_orphaned(p);
	remember(p, sas, n, now);
	mark_void(p, sas, n, now);
	best = pair_best(p, sas, n);
	note_condition(p, best, n, now, dice);
	if (p->whole_since >= 0)
		p->kicked = false;
	if (p->kicked)
		p->tries = 0;
	due = end_void(p, sas, n, now, ret);
	next = SN_MIN(next, due);
	due = end_stranded(p, sas, n, now, ret);
	next = SN_MIN(next, due);
	end_broken(p, sas, n, now, ret);
	due = end_duplicates(p, sas, n, best, now, ret);
	next = SN_MIN(next, due);
	due = end_children(p, best, now, ret);
	next = SN_MIN(next, due);
	if (!is_connecting(p, sas, n, now, ret, &next)) {
		due = initiate(p, best, now, dice, ret);
		next = SN_MIN(next, due);
		p->kicked = false;
	}
	return next;
}
