/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/traffic.h"

#include "base/array.h"

#include <stdio.h>

/* A CHILD_SA and what it had at the last look. */
struct seen {
	uint32_t unique_id, spi_in;
	struct traffic_totals at;
	bool here; /* in this look */
};

struct entry {
	char peer[SN_ID_SIZE];
	struct traffic_totals totals;
	ARRAY(struct seen) children;
};

struct traffic {
	int64_t begin_ms;
	ARRAY(struct entry) entries; /* by peer */
};

struct traffic *traffic_new(int64_t now)
{
	struct traffic *t = xcalloc(1, sizeof(*t));

	t->begin_ms = now;
	return t;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	array_foreach(&t->entries, e)
		array_free(&e->children);
	array_free(&t->entries);
	free(t);
}

/* Where the peer's entry is, or would have to be. */
static size_t place_of(const struct traffic *t, const char *peer)
{
	size_t low = 0, high = t->entries.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sn_cmp_str(t->entries.v[middle].peer, peer) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(const struct traffic *t, const char *peer)
{
	size_t at = place_of(t, peer);

	return at < t->entries.n && streq(t->entries.v[at].peer, peer) ? &t->entries.v[at] : NULL;
}

static struct entry *get(struct traffic *t, const char *peer)
{
	size_t at = place_of(t, peer);
	struct entry *e = find(t, peer);

	if (e)
		return e;
	array_add(&t->entries);
	e = &t->entries.v[at];
	memmove(e + 1, e, (t->entries.n - 1 - at) * sizeof(*e));
	*e = (struct entry){ 0 };
	snprintf(e->peer, sizeof(e->peer), "%s", peer);
	return e;
}

/* What was added since; a counter that went back began anew. */
static void add_since(uint64_t *total, uint64_t *last, uint64_t now)
{
	*total += now >= *last ? now - *last : now;
	*last = now;
}

static void count_child(struct traffic *t, struct entry *e, const struct ike_child *c, int64_t now)
{
	struct seen *seen = NULL;

	array_foreach(&e->children, each)
		if (each->unique_id == c->unique_id && each->spi_in == c->spi_in)
			seen = each;
	if (!seen) {
		seen = array_add(&e->children);
		seen->unique_id = c->unique_id;
		seen->spi_in = c->spi_in;
		/* what it carried before us was counted by who was before us */
		if (c->age_s * 1000 > now - t->begin_ms)
			seen->at = (struct traffic_totals){ c->bytes_in, c->bytes_out,
							    c->packets_in, c->packets_out };
	}
	seen->here = true;
	add_since(&e->totals.bytes_in, &seen->at.bytes_in, c->bytes_in);
	add_since(&e->totals.bytes_out, &seen->at.bytes_out, c->bytes_out);
	add_since(&e->totals.packets_in, &seen->at.packets_in, c->packets_in);
	add_since(&e->totals.packets_out, &seen->at.packets_out, c->packets_out);
}

static void drop_ended(struct entry *e)
{
	for (size_t i = e->children.n; i-- > 0;) {
		if (!e->children.v[i].here)
			array_remove(&e->children, i);
		else
			e->children.v[i].here = false;
	}
}

void traffic_look(struct traffic *t, const struct ike_sa *sas, size_t n, int64_t now)
{
	for (size_t i = 0; i < n; i++) {
		struct entry *e = get(t, sas[i].peer);

		array_foreach(&sas[i].children, c)
			if (c->installed)
				count_child(t, e, c, now);
	}
	array_foreach(&t->entries, e)
		drop_ended(e);
}

struct traffic_totals traffic_get(const struct traffic *t, const char *peer)
{
	const struct entry *e = find(t, peer);

	return e ? e->totals : (struct traffic_totals){ 0 };
}

void traffic_forget(struct traffic *t, const char *peer)
{
	struct entry *e = find(t, peer);

	if (!e)
		return;
	array_free(&e->children);
	array_remove(&t->entries, (size_t)(e - t->entries.v));
}
