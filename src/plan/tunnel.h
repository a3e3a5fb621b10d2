/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every data plane wants per peer: keys, the connection, the routes.
 * Private to the module.
 */
#pragma once

#include "plan/dataplane.h"

/* True for every host this one has a tunnel with: not itself, not the gone. */
bool tunnel_is_peer(const struct snapshot *s, const struct host *h);
/* The peer's entry in w->peers; device and if_id as in struct wanted_peer. */
void tunnel_add_peer(const struct intent *intent, const struct host *peer, const char *device,
		     uint32_t if_id, struct wanted *w);
/* A shared key for each accepted secret. */
void tunnel_add_keys(const struct intent *intent, const struct host *peer, struct object_set *set);
/*
 * A connection with all but selectors, if_id, ESN and replay window, which are
 * the data plane's, as is object_conn_seal(). NULL, with a remark, when the
 * two hosts have no underlay addresses of one family. Valid until the next add.
 */
struct object_ike_conn *tunnel_add_conn(const struct intent *intent, const struct host *peer,
					struct wanted *w);
/* A route to one of the peer's prefixes; none of a family in which we have nothing ourselves. */
void tunnel_add_route(const struct intent *intent, const struct sn_prefix *dst, const char *device,
		      struct object_set *set);
/* Adds to w->remarks. */
void tunnel_remark(struct wanted *w, const char *fmt, ...) SN_PRINTF(2, 3);
