/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two snapshots are walked side by side, hosts by id and the prefixes of those
 * that differ by address. What was found is put into the sorted set in one
 * sweep each, gaps first: so the cost is that of looking at the hosts, and of
 * moving memory.
 */
#include "plan/follow.h"

#include "plan/wire.h"

void wanted_change_fini(struct wanted_change *c)
{
	object_set_fini(&c->gone);
	object_set_fini(&c->come);
}

/* --- what differs ------------------------------------------------------------ */

static bool same_addresses(const struct host *a, const struct host *b)
{
	if (a->behind_nat != b->behind_nat || a->underlay.n != b->underlay.n)
		return false;
	for (size_t i = 0; i < a->underlay.n; i++) {
		if (sn_addr_cmp(&a->underlay.v[i], &b->underlay.v[i]) != 0)
			return false;
	}
	return true;
}

static bool same_prefixes(const struct host *a, const struct host *b)
{
	if (a->prefixes.n != b->prefixes.n)
		return false;
	for (size_t i = 0; i < a->prefixes.n; i++) {
		if (sn_prefix_cmp(&a->prefixes.v[i], &b->prefixes.v[i]) != 0)
			return false;
	}
	return true;
}

/* But for the prefixes, and the name, which is for people. */
static bool same_host(const struct host *a, const struct host *b)
{
	return streq(a->id, b->id) && a->state == b->state && same_addresses(a, b) &&
	       sn_addr_pair_cmp(&a->overlay_ip, &b->overlay_ip) == 0;
}

/* But for the prefixes of others. */
static bool same_mesh(const struct snapshot *a, const struct snapshot *b)
{
	if (!streq(a->mesh_id, b->mesh_id) || !streq(a->self_id, b->self_id) ||
	    sn_prefix_pair_cmp(&a->overlay, &b->overlay) != 0 || a->hosts.n != b->hosts.n)
		return false;
	for (size_t i = 0; i < a->hosts.n; i++) {
		if (!same_host(&a->hosts.v[i], &b->hosts.v[i]))
			return false;
	}
	return same_prefixes(snapshot_self(a), snapshot_self(b));
}

static void find_routes(const struct dataplane *plane, const struct intent *intent,
			const struct host *before, const struct host *now, const char *device,
			struct wanted_change *ret)
{
	const struct sn_prefix *a = wire_next_prefix(before, NULL);
	const struct sn_prefix *b = wire_next_prefix(now, NULL);

	while (a || b) {
		int c = !a ? 1 : !b ? -1 : sn_prefix_cmp(a, b);

		if (c < 0)
			plane->want_route(intent, a, device, &ret->gone);
		if (c > 0)
			plane->want_route(intent, b, device, &ret->come);
		if (c <= 0)
			a = wire_next_prefix(before, a);
		if (c >= 0)
			b = wire_next_prefix(now, b);
	}
}

/* Who is no peer, gone or ourselves, has no prefixes that differ. */
static void find_changes(const struct dataplane *plane, const struct intent *intent,
			 const struct snapshot *before, const struct wanted *w,
			 struct wanted_change *ret)
{
	for (size_t i = 0; i < before->hosts.n; i++) {
		const struct host *a = &before->hosts.v[i], *b = &intent->snapshot->hosts.v[i];
		const struct wanted_peer *peer;

		if (same_prefixes(a, b))
			continue;
		peer = wanted_find_peer(w, a->id);
		if (peer)
			find_routes(plane, intent, a, b, peer->device, ret);
	}
	object_set_sort(&ret->gone);
	object_set_sort(&ret->come);
}

/* --- putting it in ------------------------------------------------------------- */

struct places {
	ARRAY(size_t) at;
};

/* Where each of these is in the set, or would have to be; ascending, as they are. */
static struct places find_places(const struct object_set *set, const struct object_set *these)
{
	struct places p = { 0 };
	size_t low = 0;

	array_foreach(&these->o, o) {
		size_t high = set->o.n;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (object_cmp(&set->o.v[middle], o) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		*array_add(&p.at) = low;
	}
	return p;
}

static void move(struct object_set *set, size_t to, size_t from, size_t end)
{
	memmove(&set->o.v[to], &set->o.v[from], (end - from) * sizeof(*set->o.v));
}

static void take_out(struct object_set *set, const struct object_set *gone)
{
	struct places p = find_places(set, gone);

	for (size_t i = 0; i < p.at.n; i++) {
		size_t at = p.at.v[i], next = i + 1 < p.at.n ? p.at.v[i + 1] : set->o.n;

		sn_require(at < set->o.n && object_equal(&set->o.v[at], &gone->o.v[i]));
		object_fini(&set->o.v[at]);
		move(set, at - i, at + 1, next);
	}
	set->o.n -= p.at.n;
	array_free(&p.at);
}

static void put_in(struct object_set *set, const struct object_set *come)
{
	struct places p = find_places(set, come);
	size_t end = set->o.n;

	for (size_t i = 0; i < p.at.n; i++)
		array_add(&set->o);
	for (size_t i = p.at.n; i-- > 0;) {
		size_t at = p.at.v[i];

		move(set, at + i + 1, at, end);
		object_copy(&come->o.v[i], &set->o.v[at + i]);
		end = at;
	}
	array_free(&p.at);
}

bool wanted_follow(const struct dataplane *plane, const struct intent *intent,
		   const struct snapshot *before, struct wanted *w, struct wanted_change *ret)
{
	*ret = (struct wanted_change){ 0 };
	if (!plane->want_route || w->guard_only || !same_mesh(before, intent->snapshot))
		return false;
	find_changes(plane, intent, before, w, ret);
	take_out(&w->objects, &ret->gone);
	put_in(&w->objects, &ret->come);
	return true;
}
