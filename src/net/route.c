/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's key of a route is destination, table and metric, whoever made
 * it; the protocol is no part of it. So an add never replaces (NLM_F_EXCL),
 * and only what we have seen as ours is replaced. What NLM_F_REPLACE cannot
 * tell apart is a foreign route that somebody *prepended* to ours with the same
 * metric; nobody known does that.
 */
#include "net/route.h"

#include "net/address.h"
#include "net/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* The last attribute that is looked at. */
#define ROUTE_ATTRS RTA_NH_ID

/* --- reading --------------------------------------------------------------- */

struct reader {
	const struct link_table *links;
	struct object_set *set;
	uint8_t family;
};

static bool read_addr(const struct nlattr *attr, uint8_t family, struct sn_addr *ret)
{
	struct sn_addr a = { .family = family };
	size_t size = sn_addr_size(&a);

	if (!attr || mnl_attr_get_payload_len(attr) != size)
		return false;
	memcpy(a.bytes, mnl_attr_get_payload(attr), size);
	*ret = a;
	return true;
}

static const struct rtmsg *read_header(const struct nlmsghdr *nlh, uint8_t family)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    rtm->rtm_family != family || (rtm->rtm_flags & RTM_F_CLONED))
		return NULL;
	return rtm;
}

/*
 * A shape we never make (a gateway, several hops, a blackhole), put there in
 * our name by somebody else, is shown without a device: so it never equals a
 * wanted one and is repaired.
 */
static void read_way(const struct reader *reader, const struct rtmsg *rtm,
		     const struct nlattr *const *a, struct object_route *o)
{
	const struct link_info *link;

	o->unreachable = rtm->rtm_type == RTN_UNREACHABLE;
	if (rtm->rtm_type != RTN_UNICAST || a[RTA_GATEWAY] || a[RTA_MULTIPATH] || a[RTA_VIA] ||
	    a[RTA_NH_ID])
		return;
	link = link_table_find(reader->links, (int)netlink_attr_u32(a[RTA_OIF]));
	if (link)
		snprintf(o->oif, sizeof(o->oif), "%s", link->o.name);
}

/*
 * Somebody may have appended a route of the same key in our name. They come one
 * after the other; the first is the one in effect, and the one that
 * NLM_F_REPLACE replaces. When it is gone the next is seen.
 */
static void drop_shadowed(struct object_set *set)
{
	size_t n = set->o.n;

	if (n >= 2 && object_cmp(&set->o.v[n - 2], &set->o.v[n - 1]) == 0)
		object_fini(&set->o.v[--set->o.n]);
}

static int on_route(const struct nlmsghdr *nlh, void *user)
{
	struct reader *reader = user;
	const struct rtmsg *rtm = read_header(nlh, reader->family);
	const struct nlattr *a[ROUTE_ATTRS + 1] = { 0 };
	struct object_route *o;

	/* kernels before 4.20 do not filter; a route for one TOS is none we make */
	if (!rtm || rtm->rtm_protocol != SENNIT_RTPROT || rtm->rtm_tos)
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), ROUTE_ATTRS, a);
	o = &object_set_add(reader->set, OBJECT_ROUTE)->route;
	o->dst.addr.family = rtm->rtm_family;
	read_addr(a[RTA_DST], rtm->rtm_family, &o->dst.addr);
	o->dst.len = rtm->rtm_dst_len;
	o->table = a[RTA_TABLE] ? netlink_attr_u32(a[RTA_TABLE]) : rtm->rtm_table;
	o->metric = netlink_attr_u32(a[RTA_PRIORITY]);
	read_addr(a[RTA_PREFSRC], rtm->rtm_family, &o->src);
	read_way(reader, rtm, a, o);
	drop_shadowed(reader->set);
	return 0;
}

static int observe_family(struct netlink *nl, struct reader *reader, uint8_t family,
			  struct sn_error *e)
{
	union netlink_request req;
	struct rtmsg *rtm = netlink_begin(&req, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));

	reader->family = family;
	rtm->rtm_family = family;
	rtm->rtm_protocol = SENNIT_RTPROT;
	return netlink_ask(nl, &req.h, on_route, reader, e);
}

int route_observe(struct netlink *nl, const struct link_table *links, struct object_set *ret,
		  struct sn_error *e)
{
	struct reader reader = { .links = links, .set = ret };
	int r = observe_family(nl, &reader, AF_INET, e);

	if (r == 0)
		r = observe_family(nl, &reader, AF_INET6, e);
	/* a kernel without IPv6 */
	if (reader.family == AF_INET6 && (r == -EOPNOTSUPP || r == -EAFNOSUPPORT))
		return 0;
	return r;
}

/* --- making ---------------------------------------------------------------- */

static struct rtmsg *encode_key(union netlink_request *req, uint16_t type, uint16_t flags,
				const struct object_route *o)
{
	struct sn_prefix dst = sn_prefix_network(&o->dst);
	struct rtmsg *rtm = netlink_begin(req, type, flags, sizeof(*rtm));

	rtm->rtm_family = dst.addr.family;
	rtm->rtm_dst_len = dst.len;
	rtm->rtm_protocol = SENNIT_RTPROT;
	mnl_attr_put(&req->h, RTA_DST, sn_addr_size(&dst.addr), dst.addr.bytes);
	mnl_attr_put_u32(&req->h, RTA_TABLE, o->table);
	mnl_attr_put_u32(&req->h, RTA_PRIORITY, o->metric);
	return rtm;
}

static int send_route(struct netlink *nl, const struct object_route *o, int index, uint16_t flags,
		      struct sn_error *e)
{
	union netlink_request req;
	struct rtmsg *rtm = encode_key(&req, RTM_NEWROUTE, NLM_F_CREATE | flags, o);

	rtm->rtm_type = o->unreachable ? RTN_UNREACHABLE : RTN_UNICAST;
	rtm->rtm_scope = o->unreachable || o->dst.addr.family == AF_INET6 ? RT_SCOPE_UNIVERSE
									  : RT_SCOPE_LINK;
	if (index > 0)
		mnl_attr_put_u32(&req.h, RTA_OIF, (uint32_t)index);
	if (sn_addr_is_set(&o->src))
		mnl_attr_put(&req.h, RTA_PREFSRC, sn_addr_size(&o->src), o->src.bytes);
	return netlink_order(nl, &req.h, e);
}

/*
 * The kernel says EINVAL to a preferred source it does not have, and to much
 * else; whether it is the source is asked for.
 */
static int judge(struct netlink *nl, const struct object_route *o, int r)
{
	if (r == -ENODEV || r == -ENETDOWN || r == -ENETUNREACH)
		return NET_NOT_READY;
	if (r == -EINVAL && sn_addr_is_set(&o->src) && !address_is_local(nl, &o->src))
		return NET_NOT_READY;
	return r;
}

struct search {
	const struct object_route *key;
	bool found;
};

static int on_candidate(const struct nlmsghdr *nlh, void *user)
{
	struct search *s = user;
	const struct rtmsg *rtm = read_header(nlh, s->key->dst.addr.family);
	struct sn_prefix dst = sn_prefix_network(&s->key->dst);
	const struct nlattr *a[ROUTE_ATTRS + 1] = { 0 };
	struct sn_prefix p = { .addr.family = dst.addr.family };

	if (!rtm || rtm->rtm_protocol != SENNIT_RTPROT || rtm->rtm_dst_len != dst.len)
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), ROUTE_ATTRS, a);
	read_addr(a[RTA_DST], rtm->rtm_family, &p.addr);
	p.len = rtm->rtm_dst_len;
	if (sn_prefix_cmp(&p, &dst) == 0 && netlink_attr_u32(a[RTA_TABLE]) == s->key->table &&
	    netlink_attr_u32(a[RTA_PRIORITY]) == s->key->metric)
		s->found = true;
	return 0;
}

/* Whether the route that stands where we want one is ours. */
static int find_own(struct netlink *nl, const struct object_route *o, bool *ret, struct sn_error *e)
{
	struct search s = { .key = o };
	union netlink_request req;
	struct rtmsg *rtm = netlink_begin(&req, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	int r;

	rtm->rtm_family = o->dst.addr.family;
	rtm->rtm_protocol = SENNIT_RTPROT;
	r = netlink_ask(nl, &req.h, on_candidate, &s, e);
	if (r < 0)
		return r;
	*ret = s.found;
	return 0;
}

static int add(struct netlink *nl, const struct object_route *o, int index, struct sn_error *e)
{
	bool own = false;
	int r = send_route(nl, o, index, NLM_F_EXCL, e);

	if (r != -EEXIST)
		return r;
	r = find_own(nl, o, &own, e);
	if (r < 0)
		return r;
	if (!own)
		return sn_error_set(e, -EEXIST,
				    "others have a route to %s with metric %u in table %u; it "
				    "stays theirs until they remove it",
				    SN_PREFIX_STR(&o->dst), o->metric, o->table);
	return send_route(nl, o, index, NLM_F_REPLACE, e);
}

static int make(struct netlink *nl, const struct plan_step *step, struct sn_error *e)
{
	const struct object_route *o = &step->wanted->route;
	struct link_info link = { 0 };
	int r = o->unreachable ? 0 : link_get(nl, o->oif, &link, e);

	if (r == 0)
		r = step->verb == PLAN_ADD ? add(nl, o, link.index, e)
					   : send_route(nl, o, link.index, NLM_F_REPLACE, e);
	return judge(nl, o, r);
}

/*
 * The protocol in the request keeps it from foreign routes. A metric of 0 does
 * not bind the kernel to that metric: the type keeps the deletion of a way that
 * is already gone from the unreachable route to the same destination.
 */
static int drop(struct netlink *nl, const struct object_route *o, struct sn_error *e)
{
	union netlink_request req;
	struct rtmsg *rtm = encode_key(&req, RTM_DELROUTE, 0, o);
	int r;

	rtm->rtm_scope = RT_SCOPE_NOWHERE;
	if (o->unreachable || o->oif[0])
		rtm->rtm_type = o->unreachable ? RTN_UNREACHABLE : RTN_UNICAST;
	r = netlink_order(nl, &req.h, e);
	return r == -ESRCH || r == -ENOENT ? 0 : r;
}

int route_apply(struct netlink *nl, const struct plan_step *step, struct sn_error *e)
{
	return step->verb == PLAN_DELETE ? drop(nl, &step->found->route, e) : make(nl, step, e);
}

/* --- default routes ---------------------------------------------------------- */

struct default_search {
	int index;
	uint32_t metric;
	const struct sn_addr *gateway; /* NULL: any */
};

static int default_oif(const struct nlattr *const *a)
{
	const struct rtnexthop *hop;

	if (a[RTA_OIF] || !a[RTA_MULTIPATH])
		return (int)netlink_attr_u32(a[RTA_OIF]);
	/* the first hop stands for all */
	hop = mnl_attr_get_payload(a[RTA_MULTIPATH]);
	return mnl_attr_get_payload_len(a[RTA_MULTIPATH]) >= sizeof(*hop) ? hop->rtnh_ifindex : 0;
}

/* The IPv4 table is a trie that is walked in the order of destinations, 0.0.0.0 first. */
static bool is_behind_defaults(const struct rtmsg *rtm, const struct nlattr *const *a)
{
	struct sn_addr dst, any = { .family = AF_INET };

	return rtm->rtm_table == RT_TABLE_MAIN && read_addr(a[RTA_DST], AF_INET, &dst) &&
	       sn_addr_cmp(&dst, &any) > 0;
}

static void consider_default(const struct rtmsg *rtm, const struct nlattr *const *a,
			     struct default_search *s)
{
	struct sn_addr gateway = { 0 };
	uint32_t metric = netlink_attr_u32(a[RTA_PRIORITY]);
	int index = default_oif(a);

	if (rtm->rtm_dst_len != 0 || rtm->rtm_table != RT_TABLE_MAIN ||
	    rtm->rtm_type != RTN_UNICAST)
		return;
	read_addr(a[RTA_GATEWAY], rtm->rtm_family, &gateway);
	if (s->gateway && sn_addr_cmp(&gateway, s->gateway) != 0)
		return;
	if (index > 0 && (s->index == 0 || metric < s->metric)) {
		s->index = index;
		s->metric = metric;
	}
}

static int on_default(const struct nlmsghdr *nlh, void *user)
{
	struct default_search *s = user;
	uint8_t family = s->gateway ? s->gateway->family : AF_INET;
	const struct rtmsg *rtm = read_header(nlh, family);
	const struct nlattr *a[ROUTE_ATTRS + 1];

	if (!rtm)
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), ROUTE_ATTRS, a);
	if (family == AF_INET && is_behind_defaults(rtm, a))
		return NETLINK_ENOUGH;
	consider_default(rtm, a, s);
	return 0;
}

/* The main table may hold a route to each container of the mesh: not all is read. */
static int find_default(struct default_search *s, struct sn_error *e)
{
	union netlink_request req;
	struct rtmsg *rtm = netlink_begin(&req, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	int r;

	rtm->rtm_family = s->gateway ? s->gateway->family : AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	r = netlink_ask_once(NETLINK_ROUTE, &req.h, on_default, s, e);
	/* a namespace that never had a route has no table either */
	return r == -ENOENT ? 0 : r;
}

int route_default_index(int *ret, struct sn_error *e)
{
	struct default_search s = { 0 };
	int r = find_default(&s, e);

	if (r != 0)
		return r;
	*ret = s.index;
	return 0;
}

int route_add_default(struct netlink *nl, int index, const struct sn_addr *gateway, bool onlink,
		      struct sn_error *e)
{
	struct default_search s = { .gateway = gateway };
	union netlink_request req;
	struct rtmsg *rtm =
		netlink_begin(&req, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*rtm));
	struct sn_error ignored;
	int r;

	rtm->rtm_family = gateway->family;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = SENNIT_RTPROT;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_flags = onlink ? RTNH_F_ONLINK : 0;
	mnl_attr_put(&req.h, RTA_GATEWAY, sn_addr_size(gateway), gateway->bytes);
	mnl_attr_put_u32(&req.h, RTA_OIF, (uint32_t)index);
	r = netlink_order(nl, &req.h, e);
	if (r == -EEXIST && find_default(&s, &ignored) >= 0 && s.index == index)
		return 0;
	return r;
}
