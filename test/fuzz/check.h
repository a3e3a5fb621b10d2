/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold for every snapshot, whatever it was made of: the rules of model/snapshot.h. */
#pragma once

#include "model/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline bool check_is_own(const struct host *h, const struct sn_addr *a)
{
	array_foreach(&h->prefixes, p) {
		if (sn_prefix_contains(p, a))
			return true;
	}
	return false;
}

static inline void check_host(const struct snapshot *s, const struct host *h)
{
	sn_require(host_id_valid(h->id) && h->name && h->underlay.n > 0);
	if (h->state == HOST_GONE)
		sn_require(h->prefixes.n == 0 && !sn_addr_pair_next(&h->overlay_ip, NULL));
	else
		sn_require(!h->replaced_by[0]);
	for (size_t i = 0; i < h->prefixes.n; i++) {
		struct sn_prefix network = sn_prefix_network(&h->prefixes.v[i]);

		sn_require(sn_prefix_cmp(&network, &h->prefixes.v[i]) == 0);
		sn_require(sn_prefix_pair_covers(&s->overlay, &network));
		if (i > 0)
			sn_require(sn_prefix_cmp(&h->prefixes.v[i - 1], &network) < 0);
	}
	sn_addr_pair_foreach(&h->overlay_ip, a)
		sn_require(check_is_own(h, a));
	array_foreach(&h->underlay, a) {
		sn_require(sn_addr_is_set(a));
		sn_require(h->state == HOST_GONE || !sn_prefix_pair_around(&s->overlay, a));
	}
}

static inline void check_pair(const struct host *a, const struct host *b)
{
	sn_require(strcmp(a->id, b->id) < 0);
	if (a->state == HOST_GONE || b->state == HOST_GONE)
		return;
	array_foreach(&a->prefixes, p) {
		array_foreach(&b->prefixes, q) {
			sn_require(!sn_prefix_overlaps(p, q));
		}
	}
	array_foreach(&a->underlay, x) {
		array_foreach(&b->underlay, y) {
			sn_require(sn_addr_cmp(x, y) != 0);
		}
	}
}

static inline void check_round_trip(const struct snapshot *s)
{
	_cleanup_json_ json_t *v = snapshot_to_json(s);
	_cleanup_(snapshot_freep) struct snapshot *t = NULL;
	struct sn_error e;

	sn_require(snapshot_from_json(v, &t, &e) == 0);
	sn_require(snapshot_equal(s, t) && s->problems.n == t->problems.n);
}

static inline void check_snapshot(const struct snapshot *s)
{
	const struct host *self = snapshot_self(s);

	sn_require(self && self->state != HOST_GONE && s->mesh_name && s->revision && s->source);
	sn_require(sn_prefix_pair_next(&s->overlay, NULL));
	sn_prefix_pair_foreach(&s->overlay, o)
		sn_require(o->len >=
			   (o->addr.family == AF_INET ? OVERLAY_MIN_LEN_V4 : OVERLAY_MIN_LEN_V6));
	sn_require(s->problems.n <= SNAPSHOT_MAX_PROBLEMS);
	array_foreach(&s->problems, p) {
		sn_require(p->place[0] == '/' && p->text[0]);
	}
	for (size_t i = 0; i < s->hosts.n; i++) {
		check_host(s, &s->hosts.v[i]);
		for (size_t j = i + 1; j < s->hosts.n; j++)
			check_pair(&s->hosts.v[i], &s->hosts.v[j]);
	}
	check_round_trip(s);
}
