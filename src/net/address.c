/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address.h"

#include "net/link_delete.h"
#include "net/net.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <stdio.h>

SN_DEFINE_CLEANUP(struct rtnl_addr *, rtnl_addr_put);
SN_DEFINE_CLEANUP(struct nl_addr *, nl_addr_put);
SN_DEFINE_CLEANUP(struct nl_msg *, nlmsg_free);

struct reader {
	const struct link_table *links;
	struct link_deleter *deleter;
	struct object_set *set;
};

/* Set by somebody, not by the kernel itself and not by a router's word. */
static bool is_configured(const struct ifaddrmsg *ifa, uint32_t flags)
{
	return (flags & IFA_F_PERMANENT) &&
	       !(ifa->ifa_family == AF_INET6 && ifa->ifa_scope == RT_SCOPE_LINK);
}

/* A v4 address has its own in IFA_LOCAL and its peer's in IFA_ADDRESS, v6 the other way round. */
static bool read_addr(const struct ifaddrmsg *ifa, const struct nlattr *const *a,
		      struct sn_prefix *ret)
{
	const struct nlattr *attr = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	struct sn_prefix p = { .addr.family = ifa->ifa_family, .len = ifa->ifa_prefixlen };
	size_t size = sn_addr_size(&p.addr);

	if (!attr || size == 0 || mnl_attr_get_payload_len(attr) != size)
		return false;
	memcpy(p.addr.bytes, mnl_attr_get_payload(attr), size);
	*ret = p;
	return true;
}

static int on_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFA_FLAGS + 1];
	struct reader *reader = user;
	const struct link_info *link;
	struct object_address *o;
	struct sn_prefix addr;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	link = link_table_find(reader->links, (int)ifa->ifa_index);
	if (!link || !link->ours || link_deleter_has(reader->deleter, link->index))
		return 0;
	netlink_attrs(nlh, sizeof(*ifa), IFA_FLAGS, a);
	if (!is_configured(ifa, a[IFA_FLAGS] ? netlink_attr_u32(a[IFA_FLAGS]) : ifa->ifa_flags) ||
	    !read_addr(ifa, a, &addr))
		return 0;
	o = &object_set_add(reader->set, OBJECT_ADDRESS)->address;
	snprintf(o->ifname, sizeof(o->ifname), "%s", link->o.name);
	o->addr = addr;
	return 0;
}

int address_observe(struct netlink *nl, const struct link_table *links,
		    struct link_deleter *deleter, struct object_set *ret, struct sn_error *e)
{
	struct reader reader = { .links = links, .deleter = deleter, .set = ret };
	union netlink_request req;

	netlink_begin(&req, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	return netlink_ask(nl, &req.h, on_address, &reader, e);
}

static struct rtnl_addr *encode(int index, const struct sn_prefix *p)
{
	_cleanup_(nl_addr_putp) struct nl_addr *local =
		nl_addr_build(p->addr.family, p->addr.bytes, sn_addr_size(&p->addr));
	struct rtnl_addr *addr = rtnl_addr_alloc();

	sn_require(local && addr);
	nl_addr_set_prefixlen(local, p->len);
	rtnl_addr_set_ifindex(addr, index);
	rtnl_addr_set_local(addr, local);
	/* an address of the overlay is unique by allocation: nothing to detect */
	if (p->addr.family == AF_INET6)
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
	return addr;
}

int address_add(struct netlink *nl, int index, const struct sn_prefix *p, struct sn_error *e)
{
	_cleanup_(rtnl_addr_putp) struct rtnl_addr *addr = encode(index, p);
	_cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
	int r;

	if (rtnl_addr_build_add_request(addr, NLM_F_CREATE | NLM_F_EXCL, &msg) < 0)
		return sn_error_set(e, -ENOMEM, "libnl cannot encode the address");
	r = netlink_order(nl, nlmsg_hdr(msg), e);
	return r == -EEXIST ? 0 : r;
}

static int drop(struct netlink *nl, int index, const struct sn_prefix *p, struct sn_error *e)
{
	_cleanup_(rtnl_addr_putp) struct rtnl_addr *addr = encode(index, p);
	_cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
	int r;

	if (rtnl_addr_build_delete_request(addr, 0, &msg) < 0)
		return sn_error_set(e, -ENOMEM, "libnl cannot encode the address");
	r = netlink_order(nl, nlmsg_hdr(msg), e);
	return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}

struct search {
	const struct sn_addr *addr;
	int index;
};

static int compare_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFA_LOCAL + 1];
	struct search *search = user;
	struct sn_prefix addr;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	netlink_attrs(nlh, sizeof(*ifa), IFA_LOCAL, a);
	if (read_addr(ifa, a, &addr) && sn_addr_cmp(&addr.addr, search->addr) == 0)
		search->index = (int)ifa->ifa_index;
	return 0;
}

int address_device(struct netlink *nl, const struct sn_addr *addr, int *ret, struct sn_error *e)
{
	struct search search = { .addr = addr };
	union netlink_request req;
	struct ifaddrmsg *ifa = netlink_begin(&req, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	int r;

	ifa->ifa_family = addr->family;
	r = netlink_ask(nl, &req.h, compare_address, &search, e);
	*ret = search.index;
	return r;
}

/* The route that the kernel would choose. */
struct towards {
	uint8_t type; /* RTN_UNSPEC: none */
	struct sn_addr source;
};

static int on_route(const struct nlmsghdr *nlh, void *user)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[RTA_PREFSRC + 1];
	struct towards *t = user;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return 0;
	t->type = rtm->rtm_type;
	netlink_attrs(nlh, sizeof(*rtm), RTA_PREFSRC, a);
	t->source = netlink_attr_addr(a[RTA_PREFSRC], rtm->rtm_family);
	return 0;
}

static int ask_route(struct netlink *nl, const struct sn_addr *dst, struct towards *ret,
		     struct sn_error *e)
{
	union netlink_request req;
	struct rtmsg *rtm = netlink_begin(&req, RTM_GETROUTE, 0, sizeof(*rtm));

	*ret = (struct towards){ .type = RTN_UNSPEC };
	rtm->rtm_family = dst->family;
	rtm->rtm_dst_len = (uint8_t)(8 * sn_addr_size(dst));
	mnl_attr_put(&req.h, RTA_DST, sn_addr_size(dst), dst->bytes);
	return netlink_ask(nl, &req.h, on_route, ret, e);
}

int address_towards(struct netlink *nl, const struct sn_addr *dst, struct sn_addr *ret,
		    struct sn_error *e)
{
	struct towards t;
	int r = ask_route(nl, dst, &t, e);

	*ret = t.type == RTN_UNICAST ? t.source : (struct sn_addr){ 0 };
	return r == -ENETUNREACH || r == -EHOSTUNREACH ? 0 : r;
}

/* Its own addresses it reaches by a local route. */
bool address_is_local(struct netlink *nl, const struct sn_addr *addr)
{
	struct towards t;
	struct sn_error e;

	return ask_route(nl, addr, &t, &e) == 0 && t.type == RTN_LOCAL;
}

int address_apply(struct netlink *nl, const struct plan_step *step, struct sn_error *e)
{
	bool delete = step->verb == PLAN_DELETE;
	const struct object *o = delete ? step->found : step->wanted;
	struct link_info link;
	int r = link_get(nl, o->address.ifname, &link, e);

	if (r == -ENODEV)
		return delete ? NET_DONE : NET_NOT_READY;
	if (r < 0)
		return r;
	if (!link.ours)
		return delete ? NET_DONE : link_refuse_foreign(&link, e);
	return delete ? drop(nl, link.index, &o->address.addr, e)
		      : address_add(nl, link.index, &o->address.addr, e);
}
