/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every data plane wants on this host whatever carries ESP: the bridge
 * with its addresses, the containers' veths, sysctls, the unreachable route.
 * Private to the module.
 */
#pragma once

#include "base/error.h"
#include "plan/dataplane.h"
#include "plan/object.h"

/* Host ends of attachments, and XFRM interfaces, begin so; a bridge must not. */
#define WIRE_VETH_PREFIX "snv"
#define WIRE_XFRM_PREFIX "snx"

/*
 * A host's prefixes in their order, without those that another of them covers.
 * after: the last one returned, NULL at first. NULL at the end.
 */
const struct sn_prefix *wire_next_prefix(const struct host *h, const struct sn_prefix *after);
#define wire_foreach_prefix(h, p)                                                                  \
	for (const struct sn_prefix *p = wire_next_prefix(h, NULL); p; p = wire_next_prefix(h, p))
/* This host's, likewise, of the families that it carries. */
const struct sn_prefix *wire_next_own(const struct intent *intent, const struct sn_prefix *after);
#define wire_foreach_own(intent, p)                                                                \
	for (const struct sn_prefix *p = wire_next_own(intent, NULL); p;                           \
	     p = wire_next_own(intent, p))

/* Fit to be written into a rule. */
bool wire_name_is_plain(const char *name);
/*
 * The device through which containers reach the outside and get answers;
 * NULL without masquerade, without a default route, and when its name is not
 * fit to be written into a rule.
 */
const char *wire_uplink(const struct intent *intent);
/* 0, or -EOPNOTSUPP/-EINVAL with e: what no data plane here can do. */
int wire_check(const struct intent *intent, struct sn_error *e);

/* What this host leaves out of what the mesh gives it. */
void wire_add_remarks(const struct intent *intent, struct wanted *w);

/* The route that holds the overlay when no specific one does. */
void wire_add_unreachable(const struct intent *intent, struct object_set *set);
/* Bridge, addresses, veths, their sysctls, and a way through Docker's rules; mtu is the
 * containers'. */
void wire_add_bridge(const struct intent *intent, int mtu, struct object_set *set);
/* A link of ours of this name, up, otherwise empty; valid until the next add. */
struct object_link *wire_add_link(const char *name, enum link_kind kind, int mtu,
				  struct object_set *set);
/*
 * There is an overlay of this family, and this host has to do with it: beside one of IPv4 a
 * kernel without IPv6 does without the other, whatever the host has of it.
 */
bool wire_carries(const struct intent *intent, uint8_t family);
/* net/ipv4/conf/<device>/forwarding = 1, where the overlay has IPv4. */
void wire_add_forwarding(const struct intent *intent, const char *device, struct object_set *set);
/* net/ipv6/conf/<device>/disable_ipv6: a link of ours carries IPv6 if the overlay does. */
void wire_set_ipv6(const struct intent *intent, const char *device, struct object_set *set);
/* By this device, with our own overlay address as source; valid until the next add. */
struct object_route *wire_add_route(const struct intent *intent, const struct sn_prefix *dst,
				    const char *device, struct object_set *set);
