/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every data plane wants on this host whatever carries ESP: the bridge
 * with its addresses, the containers' veths, sysctls, the unreachable route.
 * Private to the module.
 */
#pragma once

#include "base/error.h"
#include "plan/object.h"

/* Host ends of attachments, and XFRM interfaces, begin so; a bridge must not. */
#define WIRE_VETH_PREFIX "snv"
#define WIRE_XFRM_PREFIX "snx"

/* True unless another prefix of the same host covers p, which is one of h's. */
bool wire_is_outer(const struct host *h, const struct sn_prefix *p);
/*
 * The device through which containers reach the outside and get answers;
 * NULL without masquerade, without a default route, and when its name is not
 * fit to be written into a rule.
 */
const char *wire_uplink(const struct intent *intent);
/* 0, or -EOPNOTSUPP/-EINVAL with e: what no data plane here can do. */
int wire_check(const struct intent *intent, struct sn_error *e);

/* The route that holds the overlay when no specific one does. */
void wire_add_unreachable(const struct intent *intent, struct object_set *set);
/* Bridge, addresses, veths and their sysctls; mtu is the containers'. */
void wire_add_bridge(const struct intent *intent, int mtu, struct object_set *set);
/* net/ipv4/conf/<device>/forwarding = 1. */
void wire_add_forwarding(const char *device, struct object_set *set);
