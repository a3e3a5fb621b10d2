/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SAs and policies of the kernel that have a number (if_id): read, and taken
 * away. Who makes them is charon; what one left behind that died, nobody but
 * us takes away before it expires.
 *
 * The kernel shows an SA with its keys: what was read is wiped at once
 * (net/netlink.h), and none of it is kept.
 */
#pragma once

#include "net/net.h"
#include "net/netlink.h"

/*
 * All with an if_id, SAs by SPI. 0, NETLINK_INTERRUPTED, or a negative errno with e:
 * -EPROTONOSUPPORT where the kernel has no XFRM. *ret is written on success only.
 */
int xfrm_read(struct netlink *nl, struct net_xfrm *ret, struct sn_error *e);
/* 0, also when it is gone, or a negative errno with e. */
int xfrm_delete_sa(struct netlink *nl, const struct net_xfrm_sa *sa, struct sn_error *e);
int xfrm_delete_policy(struct netlink *nl, const struct net_xfrm_policy *policy,
		       struct sn_error *e);
/* As net_xfrm_hold() and net_xfrm_release(). */
int xfrm_hold(struct netlink *nl, uint32_t if_id, uint32_t spi, unsigned seconds,
	      struct sn_error *e);
int xfrm_release(struct netlink *nl, uint32_t if_id, struct sn_error *e);
