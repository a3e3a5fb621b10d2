/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the intent has to know of the host beside the metadata: the device of the default
 * route, whether others had it forward, the underlay's MTU, whether Docker is there,
 * or rules of anybody else, which of others' links the guard has to know, which of its own
 * addresses it really has.
 */
#pragma once

#include "model/config.h"
#include "model/snapshot.h"
#include "net/net.h"

#define SURROUNDINGS_LOST_MAX 16
#define SURROUNDINGS_ASKED_MAX 4

struct surroundings {
	char uplink[IFNAMSIZ]; /* "": no default route */
	bool uplink_forwarding;
	bool docker_user; /* Docker's chain is there */
	bool alone;       /* netfilter has no rules of others */
	struct net_underlay underlay;
	struct surroundings_own {
		struct sn_addr addr;
		bool away; /* no device has it, and what packets leave from is another one */
	} own[HOST_MAX_ADDRESSES]; /* that the metadata say are ours */
	size_t n_own;
	/* from which tunnels go, and which no device has while packets leave from another one */
	struct sn_addr lost[SURROUNDINGS_LOST_MAX];
	size_t n_lost;
	/* of IPv6, as struct intent has them */
	bool ipv6_forwarding;
	struct intent_device advertised[INTENT_ADVERTISED_MAX];
	size_t n_advertised;
	struct intent_foreign foreign;
};

/* All of it into an intent, which borrows s; self: NULL while there is no snapshot. */
void surroundings_tell(const struct surroundings *s, const struct host *self, struct intent *ret);

/* The host has other addresses: one was lost, or one of the metadata came or went. */
bool surroundings_moved(const struct surroundings *before, const struct surroundings *now);

/* Where a tunnel that stands goes from and to. */
struct surroundings_way {
	struct sn_addr local, remote;
};

/* A look at them; the addresses are those that this host's tunnels begin at. */
struct surroundings_look {
	struct sn_addr addrs[NET_UNDERLAY_MAX];
	size_t n;
	bool first;
	bool ipv6;                                           /* the overlay has it */
	struct surroundings_way ways[SURROUNDINGS_LOST_MAX]; /* one for each local address */
	size_t n_ways;
	/* of some other hosts: one alone may be wrong */
	struct sn_addr remotes[SN_FAMILIES][SURROUNDINGS_ASKED_MAX];
	struct sn_prefix overlays[2];
	struct surroundings seen;
};

/* before: what was seen last. */
void surroundings_look_init(struct surroundings_look *look, const struct config *config,
			    const struct snapshot *s, const struct surroundings *before);
/* A tunnel that stands goes this way. */
void surroundings_look_add_way(struct surroundings_look *look, const struct sn_addr *local,
			       const struct sn_addr *remote);
/* Waits in the kernel, as net/net.h says. What cannot be read stays as it was before. */
void surroundings_look_run(struct surroundings_look *look, struct net *net);
