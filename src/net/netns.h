/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work inside a container's network namespace, given as a descriptor. */
#pragma once

#include "base/addr.h"
#include "base/error.h"
#include "model/intent.h"

/* Who a namespace is: equal values, same namespace (nsfs, fstat(2)). */
struct netns_id {
	uint64_t dev, ino;
};

/*
 * 0 when fd is a network namespace (NS_GET_NSTYPE, ioctl_ns(2)) and not the
 * one this thread is in; -EINVAL with e when it is none or is ours.
 */
int netns_check(int fd, struct netns_id *ret, struct sn_error *e);

/*
 * Makes the veth pair of an attachment: host end a->veth with alias, mtu,
 * master bridge, up; container end a->ifname in the namespace with a->mac,
 * addresses a->addr, up, for each a default route by the gateway of its family, which
 * a single address need not have in its subnet. All or nothing: what was
 * made is deleted again on error. -EEXIST with e when the namespace has an
 * interface a->ifname that is not this attachment's; 0 when all of it is
 * there already. -ENODEV when there is no such bridge yet. lo of the namespace is
 * its owner's, and a default route it has is not taken over. Where a->addr has one of
 * IPv6 that is switched on for the interface, without advertisements.
 *
 * Both are short (a few netlink round trips, 1 to 2 ms): the loop may call them.
 */
int netns_attach(int fd, const struct attachment *a, const char *alias, const char *bridge, int mtu,
		 const struct sn_addr_pair *gateways, struct sn_error *e);
/* Deletes the host end (and so the pair); both names are free then. 0 also when it is gone already.
 */
int netns_detach(const struct attachment *a, struct sn_error *e);
/*
 * 1 when the host end exists and is ours, 0 when not, a negative errno when that cannot be
 * known.
 */
int netns_attached(const struct attachment *a);
