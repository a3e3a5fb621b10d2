/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes of ours: those with protocol SENNIT_RTPROT, in any table. Encoded
 * here with libmnl, not libnl: there may be thousands.
 *
 * IPv6 knows no metric 0: the kernel makes 1024 of it, so want that.
 */
#pragma once

#include "net/link.h"

/* Adds them. 0, NETLINK_INTERRUPTED, or a negative errno with e. */
int route_observe(struct netlink *nl, const struct link_table *links, struct object_set *ret,
		  struct sn_error *e);
/*
 * As net_apply(). NET_NOT_READY while the device is not there or down, or no
 * link has the preferred source yet. -EEXIST when others have a route to this
 * very destination with this metric: it stays theirs.
 */
int route_apply(struct netlink *nl, const struct plan_step *step, struct sn_error *e);

/*
 * The device index of the main table's IPv4 default route with the lowest metric; 0: none.
 * In the network namespace of the calling thread. Reads no more of the table than its begin.
 * Returns 0, NETLINK_INTERRUPTED, or a negative errno with e.
 */
int route_default_index(int *ret, struct sn_error *e);
/*
 * Adds the IPv4 or IPv6 default route by gateway through this device, for
 * containers; onlink: no subnet of the device leads to the gateway. 0, also when this very route is
 * there, or a negative errno with e.
 */
int route_add_default(struct netlink *nl, int index, const struct sn_addr *gateway, bool onlink,
		      struct sn_error *e);
