/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses on links of ours. The kernel's own (link-local, announced) are no objects. */
#pragma once

#include "net/link.h"

/* 0, NETLINK_INTERRUPTED, or a negative errno with e. */
int address_observe(struct netlink *nl, const struct link_table *links,
		    struct link_deleter *deleter, struct object_set *ret, struct sn_error *e);
/* As net_apply(); NET_NOT_READY while there is no such link. */
int address_apply(struct netlink *nl, const struct plan_step *step, struct sn_error *e);

/* Puts addr on the link with this index; 0 also when it is there. For netns.c too. */
int address_add(struct netlink *nl, int index, const struct sn_prefix *addr, struct sn_error *e);
/*
 * The index of the device that has this address; 0: none has. Returns 0,
 * NETLINK_INTERRUPTED, or a negative errno with e.
 */
int address_device(struct netlink *nl, const struct sn_addr *addr, int *ret, struct sn_error *e);
/*
 * The address that packets to dst would leave from; unset when they would not, or leave this host
 * not at all. Returns 0 or a negative errno with e.
 */
int address_towards(struct netlink *nl, const struct sn_addr *dst, struct sn_addr *ret,
		    struct sn_error *e);
/* True when one of this host's links has it. */
bool address_is_local(struct netlink *nl, const struct sn_addr *addr);
