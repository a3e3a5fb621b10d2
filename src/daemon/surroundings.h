/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the intent has to know of the host beside the metadata: the device of the default
 * route, whether others had it forward, the underlay's MTU, whether Docker is there.
 */
#pragma once

#include "model/config.h"
#include "model/snapshot.h"
#include "net/net.h"

struct surroundings {
	char uplink[IFNAMSIZ]; /* "": no default route */
	bool uplink_forwarding;
	bool docker_user; /* Docker's chain is there */
	struct net_underlay underlay;
};

/* A look at them; the addresses are those that this host's tunnels begin at. */
struct surroundings_look {
	struct sn_addr addrs[NET_UNDERLAY_MAX];
	size_t n;
	struct surroundings seen;
};

/* before: what was seen last. */
void surroundings_look_init(struct surroundings_look *look, const struct config *config,
			    const struct snapshot *s, const struct surroundings *before);
/* Waits in the kernel, as net/net.h says. What cannot be read stays as it was before. */
void surroundings_look_run(struct surroundings_look *look, struct net *net);
