/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/settled.h"

void settled_drop(struct settled *st)
{
	snapshot_free(sn_steal(st->s));
}

static bool is_plain(const struct snapshot *s)
{
	if (s->problems.n)
		return false;
	array_foreach(&s->hosts, h) {
		if (h->state == HOST_GONE)
			return false;
	}
	return true;
}

void settled_keep(struct settled *st, const struct snapshot *s)
{
	settled_drop(st);
	if (is_plain(s))
		st->s = snapshot_copy(s);
}

static bool dropped(struct settled *st)
{
	settled_drop(st);
	return false;
}

/* The number of prefixes that begin at or before the address; the last of them may contain it. */
static size_t count_before(const struct host *h, const struct sn_addr *a)
{
	size_t low = 0, high = h->prefixes.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (sn_addr_cmp(&h->prefixes.v[mid].addr, a) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* They are disjoint. */
static const struct sn_prefix *find_around(const struct host *h, const struct sn_addr *a)
{
	size_t n = count_before(h, a);

	return n > 0 && sn_prefix_contains(&h->prefixes.v[n - 1], a) ? &h->prefixes.v[n - 1] : NULL;
}

static bool others_have(const struct settled *st, const struct host *h, const struct sn_addr *a)
{
	array_foreach(&st->s->hosts, other) {
		if (other != h && find_around(other, a))
			return true;
	}
	return false;
}

bool settled_put(struct settled *st, const char *host, const struct sn_addr *a)
{
	struct host *h = (struct host *)snapshot_find(st->s, host);
	size_t at;

	if (!h || find_around(h, a))
		return true;
	if (!sn_prefix_pair_around(&st->s->overlay, a) || others_have(st, h, a))
		return dropped(st);
	at = count_before(h, a);
	array_add(&h->prefixes);
	memmove(&h->prefixes.v[at + 1], &h->prefixes.v[at],
		(h->prefixes.n - 1 - at) * sizeof(*h->prefixes.v));
	h->prefixes.v[at] = sn_prefix_of(a);
	return true;
}

bool settled_remove(struct settled *st, const char *host, const struct sn_addr *a)
{
	struct host *h = (struct host *)snapshot_find(st->s, host);
	const struct sn_prefix *p = h ? find_around(h, a) : NULL;

	/* inside a subnet it was nothing of its own */
	if (p && sn_prefix_is_single(p))
		array_remove(&h->prefixes, (size_t)(p - h->prefixes.v));
	return true;
}
