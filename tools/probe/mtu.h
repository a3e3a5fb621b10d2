/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path MTU to a port where an IKE daemon answers: probes of growing length
 * that nobody may fragment. It is that of the way there; answers are short.
 */
#pragma once

#include "probe/ike_prober.h"

struct mtu_result {
	unsigned mtu;      /* IP bytes; 0: not even the shortest was answered any more */
	bool silent;       /* longer ones vanish: who drops them does not say so */
	struct sn_addr by; /* the router that said so; unset: none, it is this host's link */
};

struct mtu_search;
typedef void (*mtu_fn)(const struct mtu_result *r, void *user);
/* rtt_us: of a short probe, says how long to wait. fn as with ike_ask_new(). */
struct mtu_search *mtu_search_new(struct ike_prober *prober, const struct sockaddr_storage *to,
				  int64_t rtt_us, mtu_fn fn, void *user);
void mtu_search_free(struct mtu_search *s);
