/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of peers' XFRM interfaces and SAs: no peer has two, no number
 * has two peers, a new peer gets the lowest that is free.
 */
#pragma once

#include "base/array.h"
#include "base/error.h"
#include "model/snapshot.h"

#include <jansson.h>

/* Numbers are below: more than a mesh has hosts, with those that left of late. */
#define IF_IDS_MAX 65536

struct if_id {
	char peer[SN_ID_SIZE];
	uint32_t number; /* 0 < number < IF_IDS_MAX */
};

struct if_ids {
	ARRAY(struct if_id) v; /* by peer */
	uint64_t taken[IF_IDS_MAX / 64];
};
void if_ids_fini(struct if_ids *ids);
#define _cleanup_if_ids_ _cleanup_(if_ids_fini)
void if_ids_copy(const struct if_ids *ids, struct if_ids *ret);

bool if_ids_equal(const struct if_ids *a, const struct if_ids *b);

/* 0: it has none. */
uint32_t if_ids_find(const struct if_ids *ids, const char *peer);
/* False when the peer has another number, the number another peer, or it is out of range. */
bool if_ids_add(struct if_ids *ids, const char *peer, uint32_t number);
/* The peer's, after giving it one if it had none; 0 when all are taken. */
uint32_t if_ids_give(struct if_ids *ids, const char *peer);
/* Takes out the entry v[i]; its number is free. */
void if_ids_remove(struct if_ids *ids, size_t i);

/*
 * The stored form: {"sennit_if_ids": 1, "mesh": …, "peers": {"h2": 1, …}}. A
 * new reference.
 */
json_t *if_ids_to_json(const struct if_ids *ids, const char *mesh_id);
/*
 * Adds what doc says to *ids; what is there already stands against it. Nothing when
 * it is of another mesh. 0, or -EINVAL with e and *ids as it was.
 */
int if_ids_from_json(const json_t *doc, const char *mesh_id, struct if_ids *ids,
		     struct sn_error *e);
