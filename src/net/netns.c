/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The work inside is done by a thread that lives for it alone: setns(2)
 * changes the namespace of the calling thread, and the loop's must never be
 * anywhere but at home. Its netlink socket stays in the container's namespace.
 *
 * The pair is made in one request, its container end right in its namespace
 * with its last name and MAC: there is nothing to move or rename, and nobody
 * sees it half-named. lo of the container is its owner's, and so is IPv6, unless an
 * address is of it: container engines switch it off where their own network has none.
 */
#include "net/netns.h"

#include "base/file.h"
#include "net/address.h"
#include "net/link.h"
#include "net/link_delete.h"
#include "net/route.h"
#include "net/thread.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

SN_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put);

/* --- which namespace ------------------------------------------------------------- */

int netns_check(int fd, struct netns_id *ret, struct sn_error *e)
{
	struct statfs fs;
	struct stat st, own;

	/* the file system first: an ioctl number means something else elsewhere */
	if (fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC ||
	    ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return sn_error_set(e, -EINVAL, "the descriptor is not a network namespace");
	if (fstat(fd, &st) < 0 || stat("/proc/thread-self/ns/net", &own) < 0)
		return sn_error_set(e, -errno, "network namespace: %s", sn_strerror(-errno));
	if (st.st_dev == own.st_dev && st.st_ino == own.st_ino)
		return sn_error_set(e, -EINVAL,
				    "the network namespace is the daemon's own, not a container's");
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return 0;
}

/* --- inside ------------------------------------------------------------------------ */

/* What a thread does in the namespace. nl is a socket there. */
struct visit {
	int fd;
	const struct attachment *a;
	const struct sn_addr_pair *gateways;
	int (*act)(struct netlink *nl, struct visit *v);
	struct link_info found; /* of look() */
	struct sn_error *e;
	int result;
};

static int look(struct netlink *nl, struct visit *v)
{
	return link_get(nl, v->a->ifname, &v->found, v->e);
}

/* Of the interface, in the namespace of this thread. */
static int set_ipv6(const struct visit *v, const char *name, const char *value)
{
	_cleanup_free_ char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/%s", v->a->ifname, name);
	int r = file_write_existing(path, value);

	return r < 0 ? sn_error_set(v->e, r, "%s: %s", path, sn_strerror(r)) : 0;
}

/*
 * The link-local address is the one that the guard knows, from the MAC, and not waited for;
 * who gives advertisements there is no router.
 */
static int prepare_ipv6(const struct visit *v)
{
	int r = set_ipv6(v, "addr_gen_mode", "0");

	if (r == 0)
		r = set_ipv6(v, "accept_ra", "0");
	if (r == 0)
		r = set_ipv6(v, "accept_dad", "0");
	return r < 0 ? r : set_ipv6(v, "disable_ipv6", "0");
}

static int add_address(struct netlink *nl, const struct visit *v, const struct sn_prefix *addr)
{
	int r = addr->addr.family == AF_INET6 ? prepare_ipv6(v) : 0;

	if (r < 0)
		return r;
	r = address_add(nl, v->found.index, addr, v->e);
	return r < 0 ? sn_error_wrap(v->e, "address %s", SN_PREFIX_STR(addr)) : 0;
}

static int add_default(struct netlink *nl, const struct visit *v, const struct sn_prefix *addr)
{
	const struct sn_addr *gateway = sn_addr_pair_get(v->gateways, addr->addr.family);
	const struct sn_addr none = { 0 };
	int r;

	r = route_add_default(nl, v->found.index, gateway ? gateway : &none,
			      sn_prefix_is_single(addr), v->e);
	return r < 0 ? sn_error_wrap(v->e, "default route by %s",
				     SN_ADDR_STR(gateway ? gateway : &none))
		     : 0;
}

static int configure(struct netlink *nl, struct visit *v)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();
	int r = look(nl, v);

	sn_require(link);
	if (r < 0)
		return r;
	sn_prefix_pair_foreach(&v->a->addr, addr) {
		r = add_address(nl, v, addr);
		if (r < 0)
			return r;
	}
	rtnl_link_set_ifindex(link, v->found.index);
	rtnl_link_set_flags(link, IFF_UP);
	r = link_send(nl, link, 0, v->e);
	if (r < 0)
		return sn_error_wrap(v->e, "set up");
	sn_prefix_pair_foreach(&v->a->addr, addr) {
		r = add_default(nl, v, addr);
		if (r < 0)
			return r;
	}
	return 0;
}

static void *visit_thread(void *arg)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct visit *v = arg;

	if (setns(v->fd, CLONE_NEWNET) < 0) {
		v->result = sn_error_set(v->e, -errno, "cannot enter: %s", sn_strerror(-errno));
		return NULL;
	}
	v->result = netlink_new(NETLINK_ROUTE, &nl, v->e);
	if (v->result == 0)
		v->result = v->act(nl, v);
	return NULL;
}

/* Runs v->act there and waits for it: a few netlink round trips. */
static int visit(struct visit *v, int (*act)(struct netlink *nl, struct visit *v))
{
	int r;

	v->act = act;
	r = thread_run(visit_thread, v);
	return r < 0 ? sn_error_set(v->e, r, "thread: %s", sn_strerror(r)) : v->result;
}

/* --- the pair -------------------------------------------------------------------- */

static int create_pair(struct netlink *nl, int fd, const struct attachment *a, int mtu,
		       struct sn_error *e)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *host = rtnl_link_veth_alloc();
	_cleanup_(rtnl_link_putp) struct rtnl_link *inner = NULL;

	sn_require(host);
	inner = rtnl_link_veth_get_peer(host);
	rtnl_link_set_name(host, a->veth);
	rtnl_link_set_group(host, LINK_GROUP_BORN);
	rtnl_link_set_name(inner, a->ifname);
	rtnl_link_set_mtu(inner, (unsigned)mtu);
	rtnl_link_set_ns_fd(inner, fd);
	link_set_mac(inner, a->mac);
	return link_send(nl, host, NLM_F_CREATE | NLM_F_EXCL, e);
}

static bool is_inner_end(const struct link_info *found, const struct attachment *a)
{
	return streq(found->kind, "veth") && memcmp(found->o.mac, a->mac, SN_MAC_SIZE) == 0;
}

/*
 * What is there of the attachment: 0 all of the pair, 1 nothing (half of it,
 * whose other end was moved away, is removed), or a negative errno with e.
 */
static int find_pair(struct netlink *nl, struct visit *v)
{
	struct link_info host;
	int host_r = link_get(nl, v->a->veth, &host, v->e);
	int inner_r;

	if (host_r < 0 && host_r != -ENODEV)
		return host_r;
	if (host_r == 0 && !host.ours)
		return link_refuse_foreign(&host, v->e);
	inner_r = visit(v, look);
	if (inner_r < 0 && inner_r != -ENODEV)
		return inner_r;
	if (host_r == 0 && inner_r == 0 && is_inner_end(&v->found, v->a))
		return 0;
	if (inner_r == 0)
		return sn_error_set(v->e, -EEXIST,
				    "the namespace has an interface %s already; choose another "
				    "name with --ifname",
				    v->a->ifname);
	return host_r == 0 && link_vanish(host.index, v->e) < 0 ? v->e->code : 1;
}

static int set_host_end(struct netlink *nl, const struct attachment *a, const char *alias,
			int master, int mtu, struct sn_error *e)
{
	struct object_link want = { .kind = LINK_VETH, .mtu = mtu, .up = true };
	struct link_info host;
	int r = link_get(nl, a->veth, &host, e);

	snprintf(want.name, sizeof(want.name), "%s", a->veth);
	snprintf(want.alias, sizeof(want.alias), "%s", alias);
	return r < 0 ? r : link_settle(nl, &host, &want, master, e);
}

int netns_detach(const struct attachment *a, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct link_info host;
	int r = netlink_new(NETLINK_ROUTE, &nl, e);

	if (r == 0)
		r = link_get(nl, a->veth, &host, e);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	if (!host.ours)
		return link_refuse_foreign(&host, e);
	return link_vanish(host.index, e);
}

int netns_attach(int fd, const struct attachment *a, const char *alias, const char *bridge, int mtu,
		 const struct sn_addr_pair *gateways, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct visit v = { .fd = fd, .a = a, .gateways = gateways, .e = e };
	struct link_info master;
	struct sn_error ignored;
	struct netns_id id;
	bool made;
	int r = netns_check(fd, &id, e);

	if (r == 0)
		r = netlink_new(NETLINK_ROUTE, &nl, e);
	if (r < 0)
		return r;
	if (link_get(nl, bridge, &master, e) < 0)
		return sn_error_wrap(e, "bridge %s", bridge);
	r = find_pair(nl, &v);
	if (r < 0)
		return r;
	made = r == 1;
	r = made ? create_pair(nl, fd, a, mtu, e) : 0;
	if (r < 0)
		return sn_error_wrap(e, "veth pair %s and %s", a->veth, a->ifname);
	r = set_host_end(nl, a, alias, master.index, mtu, e);
	if (r == 0)
		r = visit(&v, configure);
	if (r < 0 && made)
		netns_detach(a, &ignored);
	return r < 0 ? sn_error_wrap(e, "interface %s", a->ifname) : 0;
}

int netns_attached(const struct attachment *a)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct link_info host;
	struct sn_error e;
	int r = netlink_new(NETLINK_ROUTE, &nl, &e);

	if (r == 0)
		r = link_get(nl, a->veth, &host, &e);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return host.ours;
}
