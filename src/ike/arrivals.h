/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which probes (probe/ike_probe.h) reached this host's charon, by address: what
 * `sennit-probe --from` asks for, to tell a closed way there from a closed way
 * back. Pure: time is an argument.
 *
 * Anybody can send them from any address: the table is small, and who was
 * silent for longest makes room.
 */
#pragma once

#include "base/addr.h"

#define ARRIVALS_MAX 64

struct arrival {
	struct sn_addr from;
	uint64_t count; /* since it has its place here */
	int64_t last_ms;
};

/* Zero-initialised is empty. */
struct arrivals {
	struct arrival v[ARRIVALS_MAX];
	size_t n;
};

void arrivals_note(struct arrivals *a, const struct sn_addr *from, int64_t now);
