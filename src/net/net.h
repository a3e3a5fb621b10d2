/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's side of objects: observe, apply, watch. One per process, in
 * the network namespace the process runs in. Knows kinds of objects, never
 * data planes. libnl encodes links and addresses, libmnl carries them and
 * does routes and events, libnftables tables, procfs sysctls.
 *
 * One pair of files per kind does the work: net/link.h, net/address.h,
 * net/route.h, net/nft.h, net/sysctl.h; this is their facade.
 *
 * What observes, reads or applies waits in the kernel for whoever holds its lock (RTNL), which
 * all namespaces share: 20 ms for each container that ends, seconds for a namespace with many
 * devices. So the daemon calls it in a thread. Calls come one at a time, from whichever thread;
 * net_new(), net_free(), net_watch(), net_watch_underlay(), net_apply_end(), net_write_esp_table(),
 * net_xfrm_*() and net_device_index() belong to the thread of the loop, and may be called beside
 * the others.
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"
#include "plan/object.h"
#include "plan/plan.h"

struct net;

/*
 * mesh_prefix is what the alias of our links begins with ("sennit:<mesh>:").
 * state_dir keeps the record of changed sysctls (sysctls.json, 0600): path,
 * old value, our value.
 */
int net_new(struct loop *loop, const char *state_dir, struct net **ret, struct sn_error *e);
/* Waits for deletions of links that are on their way. */
void net_free(struct net *net);
SN_DEFINE_CLEANUP(struct net *, net_free);

/*
 * All objects of ours in the kernel, sorted: links with our name prefix and
 * an alias that begins with "sennit:" (or without one, when it had it at the last look), their
 * addresses, routes with SENNIT_RTPROT in any table, the nftables tables named "sennit" (any
 * family), our rules in DOCKER-USER (net/docker_user.h), recorded sysctls, and the sysctls named in
 * `also` (those wanted now), as also the links of kind LINK_TUN. *ret_known has the bits of the
 * kinds whose dump was complete and whole; an interrupted dump (NLM_F_DUMP_INTR) is read again, at
 * most 5 times. Links on their way out (the worker has them) are not shown. A recorded sysctl whose
 * interface is gone has the value
 * "". *ret is written, not added to.
 */
void net_observe(struct net *net, const struct object_set *also, struct object_set *ret,
		 unsigned *ret_known);
/* The links among them alone, those on their way out too. 0 or a negative errno. *ret is written.
 */
int net_observe_links(struct net *net, struct object_set *ret);
/* Why the last net_observe() did not know all kinds; "" when it did. */
const char *net_last_failure(const struct net *net);

enum net_outcome {
	NET_DONE = 0,
	/* What it stands on is not there yet: the route's device, the address' link. */
	NET_NOT_READY = 1,
};
/*
 * One step. NET_DONE, NET_NOT_READY, or a negative errno with e (the kernel's
 * own words by extended ack where it gives them). An add that finds the object
 * there and a delete that finds it gone are done. Deletes of links go to the
 * worker: set down, freed of their master, deleted there; NET_DONE says that
 * it is asked for, and why it failed is told when the step comes again. A link
 * that others have by that name is -EEXIST, and so is a route.
 */
int net_apply(struct net *net, const struct plan_step *step, struct sn_error *e);
/*
 * For the thread of the loop, and at once: the table of this family that plan/stand_in.h wants
 * (net/esp_table.h). 0 or a negative errno with e.
 */
int net_write_esp_table(struct net *net, uint8_t family, uint16_t port, struct sn_error *e);
/* After some steps: the links among them that are to go begin to. */
void net_apply_end(struct net *net);

/*
 * Calls fn soon after something that could be an object (ours or not yet) has
 * changed, with the bits of the kinds; a lost event (ENOBUFS) counts as a
 * change of all. The caller observes to learn what. Also tells when a device
 * came, went, went up or down, or got another MTU as part of the underlay
 * (net_watch_underlay()), and is no object: `device` is then its name,
 * else NULL. One turn's events are one call, and one for each such device; fn
 * must not free net. Of sysctls the kernel tells forwarding and rp_filter only:
 * the others need a pass now and then.
 */
typedef void (*net_changed_fn)(unsigned kinds, const char *device, void *user);
int net_watch(struct net *net, net_changed_fn fn, void *user, struct sn_error *e);

/*
 * The kernel's ESP SAs that have keys and its policies, of those that have a number
 * (if_id). Whose they are the number says; policies[].index is the kernel's own name for one.
 */
struct net_xfrm_sa {
	uint32_t if_id;
	uint32_t spi; /* host byte order */
	struct sn_addr dst;
};
struct net_xfrm_policy {
	uint32_t if_id;
	uint32_t index;
	uint8_t dir;    /* XFRM_POLICY_IN, … of linux/xfrm.h */
	uint8_t family; /* of the packets that it is for */
	bool hold;      /* made by net_xfrm_hold() */
};
struct net_xfrm {
	ARRAY(struct net_xfrm_sa) sas; /* by SPI */
	ARRAY(struct net_xfrm_policy) policies;
};
void net_xfrm_fini(struct net_xfrm *x);
#define _cleanup_net_xfrm_ _cleanup_(net_xfrm_fini)
/* 0 or a negative errno with e, -EPROTONOSUPPORT where the kernel has no XFRM. *ret is written. */
int net_xfrm_read(struct net *net, struct net_xfrm *ret, struct sn_error *e);
/* 0, also when it is gone already, or a negative errno with e. */
int net_xfrm_delete_sa(struct net *net, const struct net_xfrm_sa *sa, struct sn_error *e);
int net_xfrm_delete_policy(struct net *net, const struct net_xfrm_policy *policy,
			   struct sn_error *e);

/*
 * Packets to the peer of this number go by the SA with this SPI, which is the one that charon's
 * policies name, whatever those name later; for so many seconds, then the kernel forgets
 * it. Again: for so many more. 0, or a negative errno with e, -ESTALE when they name
 * another one.
 */
int net_xfrm_hold(struct net *net, uint32_t if_id, uint32_t spi, unsigned seconds,
		  struct sn_error *e);
/* 0, also when it was not held, or a negative errno with e. */
int net_xfrm_release(struct net *net, uint32_t if_id, struct sn_error *e);

/* The device of the main table's default route (lowest metric); "" when there is none. */
int net_default_device(struct net *net, char ret[static IFNAMSIZ]);
#define NET_UNDERLAY_MAX 16
struct net_underlay {
	int mtu; /* bytes of IP; 0: not known */
	struct net_mtu {
		int index;
		int mtu;
	} devices[NET_UNDERLAY_MAX];
	size_t n;
};
/*
 * The smallest MTU of the devices that have these addresses (the first NET_UNDERLAY_MAX of
 * them); when none of them is this host's (it is behind a NAT), that of the device `otherwise`.
 */
void net_underlay_read(struct net *net, const struct sn_addr *addrs, size_t n,
		       const char *otherwise, struct net_underlay *ret);
/* 1 when some device has this address, 0 when none has, or a negative errno. */
int net_has_address(struct net *net, const struct sn_addr *addr);
/*
 * Which address of this host packets to dst would leave from; unset when none would leave. 0 or
 * a negative errno.
 */
int net_source_towards(struct net *net, const struct sn_addr *dst, struct sn_addr *ret);
/* From now on net_watch() tells when one of these devices gets another MTU, with its name. */
void net_watch_underlay(struct net *net, const struct net_underlay *underlay);
/*
 * 1 when Docker's chain for the rules of others is there (struct intent wants to know), 0
 * when it is not, or a negative errno: that is not known.
 */
int net_has_docker_user(struct net *net);
/*
 * For struct intent: how many devices of others hear router advertisements (net/advertised.h),
 * 0 where the host forwards IPv6 without us, which is *ret_forwards. A negative errno: neither
 * is known, nothing is written.
 */
int net_advertised(struct net *net, struct intent_device ret[static INTENT_ADVERTISED_MAX],
		   bool *ret_forwards);
/* For struct intent: 0, or a negative errno: nothing is written. */
int net_foreign(struct net *net, struct intent_foreign *ret);
/*
 * 1 when netfilter has rules of others for IP packets (net/nft.h), 0 when it has not, or a
 * negative errno: that is not known.
 */
int net_has_others_rules(struct net *net);
/* 0 with the value as text, or a negative errno. path as in object_sysctl. */
int net_sysctl_read(const char *path, char *ret, size_t size);
/* What it was before sennit first wrote it, as recorded; else what it is. As net_sysctl_read(). */
int net_sysctl_original(struct net *net, const char *path, char *ret, size_t size);
/* Whether a recorded one has the value that sennit gave it: then cleanup puts the old one back. */
bool net_sysctl_is_ours(struct net *net, const char *path);
/* False on a kernel without IPv6 (ipv6.disable=1, or built so): it has no setting of it. */
bool net_has_ipv6(void);
/* True when the kernel can make an XFRM interface and has ESP: tried, not guessed. */
bool net_has_kernel_esp(struct net *net);
/* 0 and its index, or -ENODEV. */
int net_device_index(struct net *net, const char *name);
