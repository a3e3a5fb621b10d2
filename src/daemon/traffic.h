/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much each tunnel carried since sennitd was started. charon counts by CHILD_SA
 * and forgets with it, at each rekeying; here the counts of all CHILD_SAs of a
 * peer are summed, from looks about a second apart. What the last moment of a CHILD_SA
 * carried after the last look is missed, and nothing is counted twice. Pure.
 */
#pragma once

#include "ike/ike.h"

struct traffic_totals {
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
};

struct traffic;
/* A CHILD_SA that is older than this counts from the first look on. */
struct traffic *traffic_new(int64_t now);
void traffic_free(struct traffic *t);
SN_DEFINE_CLEANUP(struct traffic *, traffic_free);
/* All SAs, sorted by peer (ike_sas()). Not while charon is away: it knows them all again later. */
void traffic_look(struct traffic *t, const struct ike_sa *sas, size_t n, int64_t now);
/* All 0 for a peer that never had a tunnel. */
struct traffic_totals traffic_get(const struct traffic *t, const char *peer);
void traffic_forget(struct traffic *t, const char *peer);
