/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a draft to a snapshot: which hosts there are.
 *
 * Two rules pull against each other. What is wrong is refused, in the
 * smallest unit; but nothing that worked may vanish because a source
 * stammers. So a refused entry is replaced by its last good form, found in
 * `before` by its id, else by its address; and when an entry says neither, it
 * may be any host that before has and the source does not name, and all of
 * those stay.
 *
 * The overlay and an underlay address inside it are two claims as well. An
 * overlay that covers our own address, the metadata service, or an address
 * that a host had before the overlay came, is refused, and with it the
 * document; otherwise it is the host that is wrong, alone. The same holds for
 * one that leaves out prefixes which hosts have and still say they have.
 *
 * Until the end hosts keep their index, beside draft.hosts; only then the
 * refused are taken out and the rest is sorted.
 */
#include "model/draft.h"

#include <errno.h>
#include <stdio.h>

/* A host by its id, and what decides between two of one id. */
struct by_id {
	const char *id;
	size_t host;
	bool holder; /* has an address that the id had before */
	bool wrong;  /* some of what it says was refused */
	const struct snapshot *s;
};

struct settle {
	struct draft *d;
	struct snapshot *s;
	const struct snapshot *before; /* of this mesh, or NULL */
	ARRAY(struct by_id) ids;       /* of the hosts of the source that are not out; sorted */
};

static int cmp_host(const void *a, const void *b)
{
	return strcmp(((const struct host *)a)->id, ((const struct host *)b)->id);
}

/* In a finished snapshot or NULL, living or gone. */
static const struct host *find_sorted(const struct snapshot *s, const char *id)
{
	struct host key = { 0 };

	snprintf(key.id, sizeof(key.id), "%s", id);
	if (!s || s->hosts.n == 0)
		return NULL;
	return bsearch(&key, s->hosts.v, s->hosts.n, sizeof(key), cmp_host);
}

const struct host *snapshot_find_living(const struct snapshot *s, const char *id)
{
	const struct host *h = find_sorted(s, id);

	return h && h->state != HOST_GONE ? h : NULL;
}

static bool has_address(const struct host *h, const struct sn_addr *a)
{
	array_foreach(&h->underlay, own) {
		if (sn_addr_cmp(own, a) == 0)
			return true;
	}
	return false;
}

/* --- the overlay --------------------------------------------------------- */

static const char *place_of_overlay(const struct draft *d, uint8_t family)
{
	return d->overlay_place[sn_family_index(family)];
}

static int check_overlay(const struct draft *d, struct sn_prefix *o, struct sn_error *e)
{
	unsigned min = o->addr.family == AF_INET6 ? OVERLAY_MIN_LEN_V6 : OVERLAY_MIN_LEN_V4;
	const char *place = place_of_overlay(d, o->addr.family), *why;

	*o = sn_prefix_network(o);
	if (o->len < min)
		return sn_error_set(e, -EINVAL,
				    "%s: %s is too wide for an overlay; /%u is the widest allowed",
				    place, SN_PREFIX_STR(o), min);
	why = underlay_unusable(&o->addr);
	if (why)
		return sn_error_set(e, -EINVAL, "%s: %s is %s; expected unicast addresses", place,
				    SN_PREFIX_STR(o), why);
	if (sn_prefix_contains(o, &d->metadata))
		return sn_error_set(e, -EINVAL,
				    "%s: %s contains %s, the address of the metadata service",
				    place, SN_PREFIX_STR(o), SN_ADDR_STR(&d->metadata));
	return 0;
}

static int check_overlays(struct draft *d, struct sn_error *e)
{
	int r = 0;

	if (!sn_prefix_pair_next(&d->snapshot->overlay, NULL))
		return sn_error_set(e, -EINVAL, "%s: there is no overlay", d->overlay_place[0]);
	for (size_t i = 0; i < SN_FAMILIES && r == 0; i++) {
		struct sn_prefix *o = &d->snapshot->overlay.of[i];

		if (sn_addr_is_set(&o->addr))
			r = check_overlay(d, o, e);
	}
	return r;
}

/* The overlay, not the host, is wrong: see the head of this file. */
static bool overlay_is_newcomer(const struct settle *st, const struct host *h,
				const struct sn_addr *a)
{
	const struct host *old = snapshot_find_living(st->before, h->id);

	const size_t i = sn_family_index(a->family);

	if (st->before && sn_prefix_cmp(&st->before->overlay.of[i], &st->s->overlay.of[i]) == 0)
		return false;
	return streq(h->id, st->s->self_id) || (old && has_address(old, a));
}

/* --- each host alone ----------------------------------------------------- */

static void refuse_address(struct settle *st, size_t i, size_t sub, const struct sn_addr *a)
{
	const struct draft_words *w = st->d->words;
	const char *why = underlay_unusable(a);
	_cleanup_free_ char *place = draft_host_place(st->d, i, w->address, w->address_list, sub);

	if (why)
		snapshot_add_problem(st->s, place,
				     "%s is %s; expected an address that other hosts reach",
				     SN_ADDR_STR(a), why);
	else
		snapshot_add_problem(st->s, place,
				     "%s lies inside the overlay %s; expected an address of the "
				     "network between the hosts",
				     SN_ADDR_STR(a),
				     SN_PREFIX_STR(snapshot_overlay(st->s, a->family)));
}

/* Takes out the addresses nobody can use; -EINVAL if the overlay is at fault. */
static int check_addresses(struct settle *st, size_t i, struct sn_error *e)
{
	struct host *h = &st->s->hosts.v[i];

	for (size_t j = 0, sub = 0; j < h->underlay.n; sub++) {
		const struct sn_addr *a = &h->underlay.v[j];
		const struct sn_prefix *inside = sn_prefix_pair_around(&st->s->overlay, a);

		if (!inside && !underlay_unusable(a)) {
			j++;
			continue;
		}
		if (inside && overlay_is_newcomer(st, h, a))
			return sn_error_set(e, -EINVAL,
					    "%s: %s contains %s, the underlay address of host %s",
					    place_of_overlay(st->d, a->family),
					    SN_PREFIX_STR(inside), SN_ADDR_STR(a), h->id);
		refuse_address(st, i, sub, a);
		array_remove(&h->underlay, j);
	}
	return 0;
}

static int check_host(struct settle *st, size_t i, struct sn_error *e)
{
	struct draft_host *dh = &st->d->hosts.v[i];
	struct host *h = &st->s->hosts.v[i];
	_cleanup_free_ char *place = NULL;

	if (!host_id_valid(h->id)) {
		dh->out = true;
		place = draft_host_place(st->d, i, st->d->words->id, false, 0);
		snapshot_add_problem(st->s, place, "'%s' is not a host id", h->id);
		return 0;
	}
	if (h->state == HOST_GONE)
		return 0;
	if (h->underlay.n == 0) {
		place = draft_host_place(st->d, i, st->d->words->address, false, 0);
		snapshot_add_problem(st->s, place, "the host has no address");
	}
	if (check_addresses(st, i, e) < 0)
		return e->code;
	if (h->underlay.n == 0) {
		dh->out = true;
		if (!dh->kept)
			draft_refuse_host(st->d, h->id, NULL, dh->index);
	}
	return 0;
}

/* --- one host an id ------------------------------------------------------ */

/* Any total order of what they say, so that their order in the source does not count. */
static int cmp_content(const struct host *a, const struct host *b)
{
	int c = sn_cmp_num(a->underlay.n, b->underlay.n);

	for (size_t i = 0; c == 0 && i < a->underlay.n; i++)
		c = sn_addr_cmp(&a->underlay.v[i], &b->underlay.v[i]);
	if (c == 0)
		c = sn_cmp_num(a->state, b->state);
	if (c == 0)
		c = sn_cmp_num(b->created_ms, a->created_ms);
	if (c == 0)
		c = strcmp(a->name, b->name);
	if (c == 0)
		c = sn_addr_pair_cmp(&a->overlay_ip, &b->overlay_ip);
	if (c == 0)
		c = sn_cmp_num(a->prefixes.n, b->prefixes.n);
	for (size_t i = 0; c == 0 && i < a->prefixes.n; i++)
		c = sn_prefix_cmp(&a->prefixes.v[i], &b->prefixes.v[i]);
	return c;
}

/* By id; of one id the one that keeps it first. */
static int cmp_by_id(const void *pa, const void *pb)
{
	const struct by_id *a = pa, *b = pb;
	int c = strcmp(a->id, b->id);

	if (c == 0)
		c = sn_cmp_num(b->holder, a->holder);
	if (c == 0)
		c = sn_cmp_num(a->wrong, b->wrong);
	if (c == 0)
		c = cmp_content(&a->s->hosts.v[a->host], &b->s->hosts.v[b->host]);
	return c ? c : sn_cmp_num(a->host, b->host);
}

static bool is_holder(const struct settle *st, const struct host *h)
{
	/* gone or not: the loser of an address must not change with the next reading */
	const struct host *old = find_sorted(st->before, h->id);

	if (!old)
		return false;
	array_foreach(&h->underlay, a) {
		if (has_address(old, a))
			return true;
	}
	return false;
}

static void refuse_second(struct settle *st, size_t first, size_t second)
{
	const struct host *h = &st->s->hosts.v[first];
	_cleanup_free_ char *place = draft_host_place(st->d, second, st->d->words->id, false, 0);

	snapshot_add_problem(st->s, place, "%s is the id of /hosts/%zu (%s) already", h->id,
			     st->d->hosts.v[first].index,
			     h->underlay.n ? SN_ADDR_STR(&h->underlay.v[0]) : "gone");
	st->d->hosts.v[second].out = true;
}

static void settle_ids(struct settle *st)
{
	for (size_t i = 0; i < st->s->hosts.n; i++) {
		const struct host *h = &st->s->hosts.v[i];
		struct by_id *b;

		if (st->d->hosts.v[i].out)
			continue;
		b = array_add(&st->ids);
		b->id = h->id;
		b->host = i;
		b->holder = is_holder(st, h);
		b->wrong = st->d->hosts.v[i].subnets_stay;
		b->s = st->s;
	}
	array_sort(&st->ids, cmp_by_id);
	for (size_t i = 1; i < st->ids.n;) {
		if (streq(st->ids.v[i - 1].id, st->ids.v[i].id)) {
			refuse_second(st, st->ids.v[i - 1].host, st->ids.v[i].host);
			array_remove(&st->ids, i);
		} else {
			i++;
		}
	}
}

/* --- last good forms ----------------------------------------------------- */

static int cmp_refused(const void *a, const void *b)
{
	return strcmp(((const struct draft_refused *)a)->id, ((const struct draft_refused *)b)->id);
}

/* The refused entry that may be this host, or NULL. The refused are sorted. */
static const struct draft_refused *find_refused(const struct settle *st, const struct host *old)
{
	struct draft_refused key = { 0 };
	const struct draft_refused *r = NULL;

	snprintf(key.id, sizeof(key.id), "%s", old->id);
	if (st->d->refused.n)
		r = bsearch(&key, st->d->refused.v, st->d->refused.n, sizeof(key), cmp_refused);
	if (r)
		return r;
	/* those without an id come first */
	array_foreach(&st->d->refused, unknown) {
		if (unknown->id[0])
			return NULL;
		if (!sn_addr_is_set(&unknown->addr) || has_address(old, &unknown->addr))
			return unknown;
	}
	return NULL;
}

/* Says so behind the problem that was noted for the entry. */
static void note_kept(struct snapshot *s, const struct host *h, size_t index)
{
	_cleanup_free_ char *place = xasprintf("/hosts/%zu", index);
	size_t n = strlen(place);

	array_foreach(&s->problems, p) {
		if (sn_startswith(p->place, place) && (p->place[n] == '/' || !p->place[n])) {
			char *text = xasprintf("%s; host %s stays as it was", p->text, h->id);

			free(p->text);
			p->text = text;
			return;
		}
	}
}

static bool is_named(const struct settle *st, const char *id)
{
	size_t low = 0, high = st->ids.n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		/* not ids.v[mid].id: the hosts may have moved since */
		int c = strcmp(st->s->hosts.v[st->ids.v[mid].host].id, id);

		if (c == 0)
			return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static int keep_last_good(struct settle *st, struct sn_error *e)
{
	array_sort(&st->d->refused, cmp_refused);
	for (size_t i = 0; st->before && i < st->before->hosts.n; i++) {
		const struct host *old = &st->before->hosts.v[i];
		const struct draft_refused *r = find_refused(st, old);
		struct draft_host *dh;

		if (!r || old->state == HOST_GONE || is_named(st, old->id))
			continue;
		note_kept(st->s, old, r->index);
		draft_copy_host(draft_add_host(st->d, old->id, r->index), old);
		dh = &st->d->hosts.v[st->d->hosts.n - 1];
		dh->kept = true;
		dh->subnets_stay = true;
		dh->singles_stay = st->d->words->containers_in_hosts;
		if (check_host(st, st->s->hosts.n - 1, e) < 0)
			return e->code;
	}
	return 0;
}

static int cmp_addr(const void *a, const void *b)
{
	return sn_addr_cmp(a, b);
}

/* What the host had behind its first address, but for what a host of the source says it has. */
static void keep_further(struct host *h, const struct host *old, const struct sn_addr *said,
			 size_t n)
{
	h->behind_nat = old->behind_nat;
	for (size_t i = 1; i < old->underlay.n; i++) {
		const struct sn_addr *a = &old->underlay.v[i];

		if (!bsearch(a, said, n, sizeof(*said), cmp_addr))
			*array_add(&h->underlay) = *a;
	}
}

/*
 * For hosts that the source names, and whose further addresses and NAT it says
 * wrongly. Before keep_last_good(): who is refused says nothing. An address that
 * another host says it has now has moved there: to keep it as well could cost
 * this one its life (see contend()).
 */
static int keep_all_further(struct settle *st, struct sn_error *e)
{
	ARRAY(struct sn_addr) said = { 0 };
	int r = 0;

	array_foreach(&st->ids, b) {
		array_foreach(&st->s->hosts.v[b->host].underlay, a) {
			*array_add(&said) = *a;
		}
	}
	array_sort(&said, cmp_addr);
	for (size_t i = 0; i < st->ids.n && r == 0; i++) {
		size_t host = st->ids.v[i].host;
		const struct host *old = snapshot_find_living(st->before, st->ids.v[i].id);

		if (!old || !st->d->hosts.v[host].further_stay)
			continue;
		keep_further(&st->s->hosts.v[host], old, said.v, said.n);
		/* the overlay may be new, and cover one of them */
		r = check_addresses(st, host, e);
	}
	array_free(&said);
	return r;
}

/* --- one host an address ------------------------------------------------- */

/* What decides between two hosts of one address; sorts the stronger first. */
struct contender {
	size_t host;
	const char *id;
	bool self;
	bool active;
	int64_t created_ms;
	int newness; /* 2 = before does not have it, 1 = it does, 0 = and it had lost already */
};

static int cmp_contender(const void *pa, const void *pb)
{
	const struct contender *a = pa, *b = pb;
	int c = sn_cmp_num(b->self, a->self);

	if (c == 0)
		c = sn_cmp_num(b->active, a->active);
	if (c == 0)
		c = sn_cmp_num(b->created_ms, a->created_ms);
	if (c == 0)
		c = sn_cmp_num(b->newness, a->newness);
	return c ? c : strcmp(b->id, a->id);
}

struct address_owner {
	struct sn_addr addr;
	const struct host *owner;
};

static int cmp_address_owner(const void *a, const void *b)
{
	return sn_addr_cmp(&((const struct address_owner *)a)->addr,
			   &((const struct address_owner *)b)->addr);
}

static struct address_owner *find_owner(struct address_owner *v, size_t n, const struct sn_addr *a)
{
	struct address_owner key = { .addr = *a };

	/* equal ones stand side by side; bsearch finds the same one each time */
	return bsearch(&key, v, n, sizeof(*v), cmp_address_owner);
}

static int newness(const struct settle *st, const char *id)
{
	const struct host *old = find_sorted(st->before, id);

	if (!old)
		return 2;
	return old->state != HOST_GONE;
}

static bool host_has_address(const struct settle *st, const char *id, const struct sn_addr *a)
{
	const struct host *old = snapshot_find_living(st->before, id);

	return old && has_address(old, a);
}

/*
 * The active host that says it has the address, and had it before (or is our
 * own): NULL when there is none but h. owners: all addresses with their hosts.
 */
static const struct host *find_holder(const struct settle *st, const struct address_owner *owners,
				      size_t n, const struct host *h, const struct sn_addr *a)
{
	const struct address_owner *o = find_owner((struct address_owner *)owners, n, a);

	while (o > owners && sn_addr_cmp(&o[-1].addr, a) == 0)
		o--;
	for (; o < owners + n && sn_addr_cmp(&o->addr, a) == 0; o++) {
		if (o->owner != h && o->owner->state == HOST_ACTIVE &&
		    (streq(o->owner->id, st->s->self_id) || host_has_address(st, o->owner->id, a)))
			return o->owner;
	}
	return NULL;
}

static void keep_addresses(struct settle *st, size_t i, size_t sub, const struct host *holder)
{
	struct host *h = &st->s->hosts.v[i];
	const struct host *old = snapshot_find_living(st->before, h->id);
	const struct draft_words *w = st->d->words;
	_cleanup_free_ char *place = draft_host_place(st->d, i, w->address, w->address_list, sub);

	snapshot_add_problem(st->s, place,
			     "%s is the address of host %s already; host %s keeps the one it had",
			     SN_ADDR_STR(&h->underlay.v[sub]), holder->id, h->id);
	array_free(&h->underlay);
	array_foreach(&old->underlay, a) {
		*array_add(&h->underlay) = *a;
	}
}

/*
 * A known host that comes to the address of another known one, which is still
 * there, was not replaced by it: its entry is wrong. (The holder is another
 * matter: who is added again with a new id comes to the address of the old one.)
 */
static void settle_movers(struct settle *st)
{
	ARRAY(struct address_owner) all = { 0 };

	for (size_t i = 0; st->before && i < st->s->hosts.n; i++) {
		const struct host *h = &st->s->hosts.v[i];

		if (st->d->hosts.v[i].out || h->state == HOST_GONE)
			continue;
		array_foreach(&h->underlay, a) {
			*array_add(&all) = (struct address_owner){ .addr = *a, .owner = h };
		}
	}
	array_sort(&all, cmp_address_owner);
	for (size_t i = 0; all.n && i < st->s->hosts.n; i++) {
		const struct host *h = &st->s->hosts.v[i];
		const struct host *old = snapshot_find_living(st->before, h->id);

		if (st->d->hosts.v[i].out || h->state == HOST_GONE || !old)
			continue;
		for (size_t sub = 0; sub < h->underlay.n; sub++) {
			const struct sn_addr *a = &h->underlay.v[sub];
			const struct host *holder =
				has_address(old, a) ? NULL : find_holder(st, all.v, all.n, h, a);

			if (holder) {
				keep_addresses(st, i, sub, holder);
				break;
			}
		}
	}
	array_free(&all);
}

/* The host becomes gone if one of its addresses is taken, else it takes them. */
static void contend(struct host *h, struct address_owner *v, size_t n)
{
	array_foreach(&h->underlay, a) {
		const struct address_owner *o = find_owner(v, n, a);

		if (o->owner && o->owner != h) {
			h->state = HOST_GONE;
			snprintf(h->replaced_by, sizeof(h->replaced_by), "%s", o->owner->id);
			return;
		}
	}
	array_foreach(&h->underlay, a) {
		find_owner(v, n, a)->owner = h;
	}
}

static void settle_addresses(struct settle *st)
{
	ARRAY(struct contender) contenders = { 0 };
	ARRAY(struct address_owner) owners = { 0 };

	for (size_t i = 0; i < st->s->hosts.n; i++) {
		const struct host *h = &st->s->hosts.v[i];

		if (st->d->hosts.v[i].out || h->state == HOST_GONE)
			continue;
		*array_add(&contenders) = (struct contender){
			.host = i,
			.id = h->id,
			.self = streq(h->id, st->s->self_id),
			.active = h->state == HOST_ACTIVE,
			.created_ms = h->created_ms,
			.newness = newness(st, h->id),
		};
		array_foreach(&h->underlay, a) {
			array_add(&owners)->addr = *a;
		}
	}
	array_sort(&contenders, cmp_contender);
	array_sort(&owners, cmp_address_owner);
	array_foreach(&contenders, c) {
		contend(&st->s->hosts.v[c->host], owners.v, owners.n);
	}
	array_free(&contenders);
	array_free(&owners);
}

/* --- all together -------------------------------------------------------- */

static int check_self(const struct settle *st, struct sn_error *e)
{
	const struct snapshot *s = st->s;

	for (size_t i = 0; i < s->hosts.n; i++) {
		if (!st->d->hosts.v[i].out && s->hosts.v[i].state != HOST_GONE &&
		    streq(s->hosts.v[i].id, s->self_id))
			return 0;
	}
	array_foreach(&st->d->refused, r) {
		_cleanup_free_ char *place = xasprintf("/hosts/%zu", r->index);
		size_t n = strlen(place);

		if (!streq(r->id, s->self_id))
			continue;
		array_foreach(&s->problems, p) {
			if (sn_startswith(p->place, place) && (p->place[n] == '/' || !p->place[n]))
				return sn_error_set(e, -EINVAL, "%s: %s (this is our own host)",
						    p->place, p->text);
		}
	}
	return sn_error_set(e, -EINVAL, "/hosts: our own host, %s, is not among the %zu hosts",
			    s->self_id[0] ? s->self_id : "(unknown)", s->hosts.n);
}

static void fill_texts(struct snapshot *s)
{
	if (!s->mesh_name)
		s->mesh_name = xstrdup(s->mesh_id);
	if (!s->revision)
		s->revision = xstrdup("");
	if (!s->source)
		s->source = xstrdup("");
	array_foreach(&s->hosts, h) {
		if (!h->name)
			h->name = xstrdup(h->id);
	}
}

/* Ends the pairing of draft.hosts and snapshot->hosts. */
static void drop_and_sort(struct draft *d)
{
	struct snapshot *s = d->snapshot;
	size_t n = 0;

	for (size_t i = 0; i < s->hosts.n; i++) {
		if (d->hosts.v[i].out)
			host_fini(&s->hosts.v[i]);
		else
			s->hosts.v[n++] = s->hosts.v[i];
	}
	s->hosts.n = n;
	array_sort(&s->hosts, cmp_host);
	array_free(&d->hosts);
}

static int settle_hosts(struct settle *st, struct sn_error *e)
{
	int r = 0;

	for (size_t i = 0; i < st->s->hosts.n && r == 0; i++)
		r = check_host(st, i, e);
	if (r < 0)
		return r;
	settle_ids(st);
	r = keep_all_further(st, e);
	if (r == 0)
		r = keep_last_good(st, e);
	array_free(&st->ids);
	if (r < 0)
		return r;
	settle_movers(st);
	settle_addresses(st);
	return check_self(st, e);
}

/* Of a family; AF_UNSPEC: of any. */
static bool has_prefixes(const struct host *h, uint8_t family, bool subnets_only)
{
	array_foreach(&h->prefixes, p) {
		if ((family == AF_UNSPEC || p->addr.family == family) &&
		    !(subnets_only && sn_prefix_is_single(p)))
			return true;
	}
	return false;
}

/*
 * Single addresses come and go with containers; who has a subnet has it as long as it is
 * there. Those of hosts that went are not missed.
 */
static bool lost_all(const struct settle *st, uint8_t family)
{
	bool had = false;

	array_foreach(&st->s->hosts, h) {
		const struct host *old = snapshot_find_living(st->before, h->id);

		if (has_prefixes(h, family, false))
			return false;
		had |= old && h->state != HOST_GONE && has_prefixes(old, family, true);
	}
	return had;
}

static int check_lost(const struct settle *st, struct sn_error *e)
{
	if (lost_all(st, AF_UNSPEC))
		return sn_error_set(e, -EINVAL,
				    "/hosts: no host has a prefix any more, of %zu hosts",
				    st->s->hosts.n);
	sn_prefix_pair_foreach(&st->s->overlay, overlay) {
		if (lost_all(st, overlay->addr.family))
			return sn_error_set(e, -EINVAL,
					    "/hosts: no host has a prefix of %s any more, of %zu "
					    "hosts; expected that the overlay goes as well",
					    sn_family_to_string(overlay->addr.family),
					    st->s->hosts.n);
	}
	return 0;
}

int draft_settle(struct draft *d, const struct snapshot *before, struct sn_error *e)
{
	struct settle st = { .d = d, .s = d->snapshot, .before = before };

	if (before && !streq(before->mesh_id, d->snapshot->mesh_id))
		st.before = NULL;
	if (d->snapshot->hosts.n == 0 && d->refused.n == 0)
		return sn_error_set(e, -EINVAL, "/hosts: there is no host");
	if (d->snapshot->hosts.n + d->refused.n > SNAPSHOT_MAX_HOSTS)
		return sn_error_set(e, -EINVAL, "/hosts: %zu hosts; at most %d are allowed",
				    d->snapshot->hosts.n + d->refused.n, SNAPSHOT_MAX_HOSTS);
	fill_texts(d->snapshot);
	if (check_overlays(d, e) < 0 || settle_hosts(&st, e) < 0)
		return e->code;
	if (draft_settle_claims(d, st.before, e) < 0)
		return e->code;
	if (check_lost(&st, e) < 0)
		return e->code;
	drop_and_sort(d);
	return 0;
}

/* The form of snapshots built by hand and of the stored ones. */
static const struct draft_words own_words = {
	.id = "id",
	.address = "addresses",
	.address_list = true,
	.prefix = "prefixes",
	.prefix_list = true,
	.containers_in_hosts = true,
};

int snapshot_finish(struct snapshot *s, const struct snapshot *before, struct sn_error *e)
{
	struct draft d = {
		.snapshot = s,
		.words = &own_words,
		.overlay_place = { "/overlay", "/overlay" },
	};
	int r;

	for (size_t i = 0; i < s->hosts.n; i++)
		array_add(&d.hosts)->index = i;
	r = draft_settle(&d, before, e);
	d.snapshot = NULL;
	draft_fini(&d);
	return r;
}
