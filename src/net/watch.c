/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readers only collect bits and device names; one deferred call tells them,
 * so a burst is told once a turn. Nothing here says what changed: who is told
 * observes. Therefore events may be read carelessly, but never missed: a full
 * receive buffer (ENOBUFS) counts as a change of everything.
 *
 * The kernel takes IPv4 routes with a link or a preferred source away in
 * silence; so a link or address event is also one of routes.
 */
#include "net/watch.h"

#include "base/array.h"
#include "net/docker_user.h"
#include "net/netlink.h"
#include "net/nft.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* More devices coming and going in one turn are told as a change of all, without names. */
#define DEVICES_AT_ONCE 64

#define LINK_KINDS                                                                                 \
	(OBJECT_BIT(OBJECT_LINK) | OBJECT_BIT(OBJECT_ADDRESS) | OBJECT_BIT(OBJECT_ROUTE) |         \
	 OBJECT_BIT(OBJECT_SYSCTL))
#define ADDRESS_KINDS (OBJECT_BIT(OBJECT_ADDRESS) | OBJECT_BIT(OBJECT_ROUTE))

struct device {
	char name[IFNAMSIZ];
};

struct channel {
	struct watch *watch;
	struct mnl_socket *socket;
	struct loop_io *io;
	void (*read)(struct watch *w, const struct nlmsghdr *nlh);
};

struct watch {
	struct channel route, netfilter;
	struct loop_deferred *deferred;
	net_changed_fn fn;
	void *user;
	uint32_t own_port;
	struct net_mtu mtus[NET_UNDERLAY_MAX];
	size_t n_mtus;
	/* not told yet */
	unsigned kinds;
	ARRAY(struct device) devices;
};

/* --- telling ------------------------------------------------------------------- */

void watch_set_own(struct watch *w, uint32_t port)
{
	w->own_port = port;
}

void watch_touch(struct watch *w, unsigned kinds)
{
	if (kinds == 0)
		return;
	w->kinds |= kinds;
	loop_deferred_schedule(w->deferred);
}

static void touch_device(struct watch *w, const char *name)
{
	struct device *device;

	array_foreach(&w->devices, known) {
		if (streq(known->name, name))
			return;
	}
	if (w->devices.n == DEVICES_AT_ONCE) {
		watch_touch(w, OBJECT_ALL_NET);
		return;
	}
	device = array_add(&w->devices);
	snprintf(device->name, sizeof(device->name), "%s", name);
	loop_deferred_schedule(w->deferred);
}

/* All of it is taken first: fn may cause the next events. */
static void tell(void *user)
{
	struct watch *w = user;
	unsigned kinds = w->kinds;
	__typeof__(w->devices) devices = w->devices;

	w->kinds = 0;
	memset(&w->devices, 0, sizeof(w->devices));
	array_foreach(&devices, device)
		w->fn(LINK_KINDS, device->name, w->user);
	if (kinds)
		w->fn(kinds, NULL, w->user);
	array_free(&devices);
}

/* --- reading ------------------------------------------------------------------- */

/* Told once: until the next watch_set_mtus() it is what it is now. */
static bool has_other_mtu(struct watch *w, int index, const struct nlattr *mtu)
{
	for (size_t i = 0; i < w->n_mtus; i++) {
		struct net_mtu *m = &w->mtus[i];

		if (m->index != index || !mtu || m->mtu == (int)netlink_attr_u32(mtu))
			continue;
		m->mtu = (int)netlink_attr_u32(mtu);
		return true;
	}
	return false;
}

/* ifi_change is all ones for a new link, and has IFF_UP when one went up or down. */
static void read_link(struct watch *w, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFLA_MTU + 1];
	char name[IFNAMSIZ];

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return;
	netlink_attrs(nlh, sizeof(*ifi), IFLA_MTU, a);
	netlink_attr_string(a[IFLA_IFNAME], name, sizeof(name));
	if (sn_startswith(name, SENNIT_LINK_PREFIX))
		watch_touch(w, LINK_KINDS);
	else if (has_other_mtu(w, ifi->ifi_index, a[IFLA_MTU]) || nlh->nlmsg_type == RTM_DELLINK ||
		 (ifi->ifi_change & IFF_UP))
		touch_device(w, name);
}

/*
 * Foreign routes concern us when they may have replaced one of ours, which the
 * kernel tells in no other way, and when they are a default route (our uplink).
 */
static void read_route(struct watch *w, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    (w->own_port && nlh->nlmsg_pid == w->own_port))
		return;
	if (rtm->rtm_protocol == SENNIT_RTPROT || rtm->rtm_dst_len == 0 ||
	    (nlh->nlmsg_flags & NLM_F_REPLACE))
		watch_touch(w, OBJECT_BIT(OBJECT_ROUTE));
}

static void read_rtnetlink(struct watch *w, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		read_link(w, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		watch_touch(w, ADDRESS_KINDS);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		read_route(w, nlh);
		break;
	case RTM_NEWNETCONF:
		watch_touch(w, OBJECT_BIT(OBJECT_SYSCTL));
		break;
	default:
		break;
	}
}

/* A rule or the whole of Docker's chain; its table going takes both along, one by one. */
static bool is_docker_user(const struct nlmsghdr *nlh, const char *table)
{
	const struct nlattr *a[NFTA_CHAIN_NAME + 1];
	unsigned message = nlh->nlmsg_type & 0xff;
	char chain[sizeof(DOCKER_USER_CHAIN) + 1] = "";
	bool of_rule = message == NFT_MSG_NEWRULE || message == NFT_MSG_DELRULE;

	if (!of_rule && message != NFT_MSG_NEWCHAIN && message != NFT_MSG_DELCHAIN)
		return false;
	netlink_attrs(nlh, sizeof(struct nfgenmsg), NFTA_CHAIN_NAME, a);
	netlink_attr_string(a[of_rule ? NFTA_RULE_CHAIN : NFTA_CHAIN_NAME], chain, sizeof(chain));
	return streq(table, DOCKER_USER_TABLE) && streq(chain, DOCKER_USER_CHAIN);
}

static bool is_table(const struct nlmsghdr *nlh)
{
	unsigned message = nlh->nlmsg_type & 0xff;

	return message == NFT_MSG_NEWTABLE || message == NFT_MSG_DELTABLE;
}

/* Attribute 1 of every nftables object is the name of its table. */
static void read_nftables(struct watch *w, const struct nlmsghdr *nlh)
{
	const struct nlattr *a[NFTA_TABLE_NAME + 1];
	char table[sizeof(NFT_TABLE_NAME) + 1];

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    (nlh->nlmsg_type & 0xff) == NFT_MSG_NEWGEN)
		return;
	netlink_attrs(nlh, sizeof(struct nfgenmsg), NFTA_TABLE_NAME, a);
	netlink_attr_string(a[NFTA_TABLE_NAME], table, sizeof(table));
	if (streq(table, NFT_TABLE_NAME))
		watch_touch(w, OBJECT_BIT(OBJECT_NFT));
	else if (is_table(nlh)) /* whether there are rules of others, our rules depend on */
		watch_touch(w, OBJECT_BIT(OBJECT_NFT));
	else if (is_docker_user(nlh, table))
		watch_touch(w, OBJECT_BIT(OBJECT_RULE));
}

static void on_readable(int fd, unsigned events, void *user)
{
	struct channel *c = user;
	char buffer[32768] __attribute__((aligned(8)));

	(void)fd;
	(void)events;
	for (int i = 0; i < WATCH_AT_ONCE; i++) {
		ssize_t n = mnl_socket_recvfrom(c->socket, buffer, sizeof(buffer));
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buffer;
		int left = (int)n;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			watch_touch(c->watch, OBJECT_ALL_NET);
		for (; n > 0 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			c->read(c->watch, nlh);
	}
}

/* --- life ---------------------------------------------------------------------- */

static int join(struct mnl_socket *socket, const int *groups, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int group = groups[i];

		/* a kernel without IPv6 or nftables has not all of them */
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
			    0 &&
		    errno != ENOENT && errno != EINVAL)
			return -errno;
	}
	return 0;
}

static int channel_open(struct loop *loop, struct channel *c, int bus, int receive_buffer,
			const int *groups, size_t n)
{
	int r;

	c->socket = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!c->socket || mnl_socket_bind(c->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	setsockopt(mnl_socket_get_fd(c->socket), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer,
		   sizeof(receive_buffer));
	r = join(c->socket, groups, n);
	if (r < 0)
		return r;
	c->io = loop_io_new(loop, mnl_socket_get_fd(c->socket), LOOP_READ, on_readable, c);
	return 0;
}

static void channel_close(struct channel *c)
{
	loop_io_free(c->io);
	if (c->socket)
		mnl_socket_close(c->socket);
}

int watch_new(struct loop *loop, int receive_buffer, net_changed_fn fn, void *user,
	      struct watch **ret, struct sn_error *e)
{
	static const int route_groups[] = { RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR,
					    RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
					    RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF,
					    RTNLGRP_IPV6_NETCONF };
	static const int netfilter_groups[] = { NFNLGRP_NFTABLES };
	_cleanup_(watch_freep) struct watch *w = xcalloc(1, sizeof(*w));
	int r;

	w->fn = fn;
	w->user = user;
	w->deferred = loop_deferred_new(loop, tell, w);
	w->route = (struct channel){ .watch = w, .read = read_rtnetlink };
	w->netfilter = (struct channel){ .watch = w, .read = read_nftables };
	r = channel_open(loop, &w->route, NETLINK_ROUTE, receive_buffer, route_groups,
			 SN_ARRAY_SIZE(route_groups));
	if (r == 0)
		r = channel_open(loop, &w->netfilter, NETLINK_NETFILTER, receive_buffer,
				 netfilter_groups, SN_ARRAY_SIZE(netfilter_groups));
	if (r < 0)
		return sn_error_set(e, r, "netlink events: %s", sn_strerror(r));
	*ret = sn_steal(w);
	return 0;
}

void watch_set_mtus(struct watch *w, const struct net_mtu *mtus, size_t n)
{
	w->n_mtus = SN_MIN(n, (size_t)NET_UNDERLAY_MAX);
	memcpy(w->mtus, mtus, w->n_mtus * sizeof(*mtus));
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	channel_close(&w->route);
	channel_close(&w->netfilter);
	loop_deferred_free(w->deferred);
	array_free(&w->devices);
	free(w);
}
