/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links: what is there, which are ours, and making them so.
 *
 * Ours is a link with our name prefix and an alias that begins with
 * "sennit:". No kernel so far sets an alias in the message that creates a
 * link (measured: 6.1, 6.18), so there is a moment without one. A link is
 * therefore born, down, in the group LINK_GROUP_BORN, which its creation does
 * set, and the second message gives it alias, state and its own group at once: a
 * crash in between leaves a link that the next start knows as ours. By that group of their own
 * our bridge and XFRM interfaces are known, too, when somebody took the alias away while
 * nobody looked (net/link_memory.h is for all others).
 */
#pragma once

#include "net/netlink.h"
#include "plan/object.h"
#include "plan/plan.h"

#define LINK_GROUP_BORN 0x736e6e01
#define LINK_ALIAS_PREFIX "sennit:"

/* One link of the kernel's, ours or not. */
struct link_info {
	int index;
	int master;      /* index, 0 = none */
	char kind[16];   /* as the kernel calls it, "" for hardware */
	bool kind_known; /* o.kind is it */
	bool ours;
	struct object_link o; /* without master's name */
};

struct link_table {
	ARRAY(struct link_info) l; /* by index */
};
#define _cleanup_link_table_ _cleanup_(link_table_fini)

/* All links. 0, NETLINK_INTERRUPTED, or a negative errno with e. */
int link_table_read(struct netlink *nl, struct link_table *ret, struct sn_error *e);
void link_table_fini(struct link_table *t);
/* NULL when there is none. */
const struct link_info *link_table_find(const struct link_table *t, int index);

/* One link by its name. 0, or -ENODEV or another negative errno with e. */
int link_get(struct netlink *nl, const char *name, struct link_info *ret, struct sn_error *e);

/* The same by its index. */
int link_get_index(struct netlink *nl, int index, struct link_info *ret, struct sn_error *e);

/* Adds those of ours but what the deleter (may be NULL) has. */
struct link_deleter;
void link_observe(const struct link_table *t, struct link_deleter *deleter, struct object_set *ret);
/* Adds those that others make and we keep up (LINK_TUN), of which `also` has the names. */
void link_observe_lent(const struct link_table *t, const struct object_set *also,
		       struct object_set *ret);
/* As net_apply(). */
struct link_memory;
int link_apply(struct netlink *nl, struct link_deleter *deleter, const struct link_memory *memory,
	       const struct plan_step *step, struct sn_error *e);

struct nl_msg;
struct rtnl_link;
/*
 * Sends what libnl has of a link as RTM_NEWLINK with these flags
 * (NLM_F_CREATE | NLM_F_EXCL, or 0 to change one). 0 or a negative errno with e.
 */
int link_send(struct netlink *nl, struct rtnl_link *link, int flags, struct sn_error *e);
void link_set_mac(struct rtnl_link *link, const uint8_t mac[SN_MAC_SIZE]);
/*
 * Gives the link its alias, group, MTU, MAC, master (an index, 0 = none) and
 * state in one message. 0 or a negative errno with e.
 */
int link_settle(struct netlink *nl, const struct link_info *there, const struct object_link *want,
		int master, struct sn_error *e);
/* Fills e with whose the name is ("… is a dummy of others, alias …"); returns -EEXIST. */
int link_refuse_foreign(const struct link_info *info, struct sn_error *e);
