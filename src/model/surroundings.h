/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that this host needs to reach outside of the overlay, whatever the
 * metadata say (design §5.10): gateways, resolvers, the metadata service. Pure; who reads them
 * from the host is metadata/look_around.h.
 */
#pragma once

#include "model/snapshot.h"

#define SURROUNDINGS_MAX 64

struct surrounding {
	struct sn_addr addr;
	const char *what; /* "the gateway of this host"; static storage */
};

/* Zero-initialised is empty. */
struct surroundings {
	size_t n;
	struct surrounding v[SURROUNDINGS_MAX];
};

/* One that is there already, or finds no place, is left out. */
void surroundings_add(struct surroundings *s, const struct sn_addr *addr, const char *what);

/*
 * 0, or -EINVAL with e ("PLACE: …", by family) when an overlay of s contains one of
 * them. An overlay that `before` has was there first: a resolver may have moved into it.
 */
int surroundings_check(const struct surroundings *around, const struct snapshot *s,
		       const struct snapshot *before, const char *const place[static SN_FAMILIES],
		       struct sn_error *e);
