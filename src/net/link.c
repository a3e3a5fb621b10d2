/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnl encodes (it knows each kind's attributes), net/netlink.h carries.
 * Indexes are looked up by name right before they are used: between an
 * observation and its plan a name may have got another link.
 */
#include "net/link.h"

#include "net/link_delete.h"
#include "net/link_memory.h"
#include "net/net.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/xfrmi.h>
#include <stdio.h>

SN_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put);
SN_DEFINE_CLEANUP(struct nl_msg *, nlmsg_free);
SN_DEFINE_CLEANUP(struct nl_addr *, nl_addr_put);

static const char *const kind_names[] = {
	[LINK_BRIDGE] = "bridge",
	[LINK_VETH] = "veth",
	[LINK_XFRM] = "xfrm",
	[LINK_TUN] = "tun",
};

/* --- reading --------------------------------------------------------------- */

static void read_kind(const struct nlattr *linkinfo, struct link_info *info)
{
	const struct nlattr *in[IFLA_INFO_DATA + 1], *data[IFLA_XFRM_IF_ID + 1];

	netlink_attrs_nested(linkinfo, IFLA_INFO_DATA, in);
	netlink_attr_string(in[IFLA_INFO_KIND], info->kind, sizeof(info->kind));
	for (size_t i = 0; i < SN_ARRAY_SIZE(kind_names); i++) {
		if (streq(info->kind, kind_names[i])) {
			info->kind_known = true;
			info->o.kind = (enum link_kind)i;
		}
	}
	if (!info->kind_known || info->o.kind != LINK_XFRM)
		return;
	netlink_attrs_nested(in[IFLA_INFO_DATA], IFLA_XFRM_IF_ID, data);
	info->o.if_id = netlink_attr_u32(data[IFLA_XFRM_IF_ID]);
}

/* In groups that only we use: as it was born, or with an alias that somebody took away. */
static bool is_in_our_group(const struct link_info *info)
{
	return info->o.group == LINK_GROUP_BORN ||
	       (info->o.group == SENNIT_GROUP_BRIDGE && info->o.kind == LINK_BRIDGE) ||
	       (info->o.group == SENNIT_GROUP_TUNNEL && info->o.kind == LINK_XFRM);
}

static bool is_ours(const struct link_info *info)
{
	/* charon makes the TUN, we make none */
	if (!info->kind_known || info->o.kind == LINK_TUN ||
	    !sn_startswith(info->o.name, SENNIT_LINK_PREFIX))
		return false;
	return sn_startswith(info->o.alias, LINK_ALIAS_PREFIX) ||
	       (info->o.alias[0] == '\0' && is_in_our_group(info));
}

static void read_link(const struct nlmsghdr *nlh, struct link_info *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFLA_GROUP + 1];

	netlink_attrs(nlh, sizeof(*ifi), IFLA_GROUP, a);
	ret->index = ifi->ifi_index;
	ret->master = (int)netlink_attr_u32(a[IFLA_MASTER]);
	ret->o.group = netlink_attr_u32(a[IFLA_GROUP]);
	netlink_attr_string(a[IFLA_IFNAME], ret->o.name, sizeof(ret->o.name));
	netlink_attr_string(a[IFLA_IFALIAS], ret->o.alias, sizeof(ret->o.alias));
	ret->o.mtu = (int)netlink_attr_u32(a[IFLA_MTU]);
	ret->o.up = ifi->ifi_flags & IFF_UP;
	ret->o.has_mac =
		a[IFLA_ADDRESS] && mnl_attr_get_payload_len(a[IFLA_ADDRESS]) == SN_MAC_SIZE;
	if (ret->o.has_mac)
		memcpy(ret->o.mac, mnl_attr_get_payload(a[IFLA_ADDRESS]), SN_MAC_SIZE);
	read_kind(a[IFLA_LINKINFO], ret);
	ret->ours = is_ours(ret);
}

static bool is_link(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == RTM_NEWLINK &&
	       mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifinfomsg);
}

static int on_link(const struct nlmsghdr *nlh, void *user)
{
	struct link_table *t = user;

	if (is_link(nlh))
		read_link(nlh, array_add(&t->l));
	return 0;
}

static int cmp_index(const void *a, const void *b)
{
	const struct link_info *x = a, *y = b;

	return sn_cmp_num(x->index, y->index);
}

int link_table_read(struct netlink *nl, struct link_table *ret, struct sn_error *e)
{
	_cleanup_link_table_ struct link_table t = { 0 };
	union netlink_request req;
	int r;

	netlink_begin(&req, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(&req.h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_ask(nl, &req.h, on_link, &t, e);
	if (r != 0)
		return r;
	array_sort(&t.l, cmp_index);
	*ret = t;
	t = (struct link_table){ 0 };
	return 0;
}

void link_table_fini(struct link_table *t)
{
	array_free(&t->l);
}

const struct link_info *link_table_find(const struct link_table *t, int index)
{
	struct link_info key = { .index = index };

	return t->l.n ? bsearch(&key, t->l.v, t->l.n, sizeof(key), cmp_index) : NULL;
}

static int on_one_link(const struct nlmsghdr *nlh, void *user)
{
	if (is_link(nlh))
		read_link(nlh, user);
	return 0;
}

/* name NULL: by its index. */
static int get_one(struct netlink *nl, const char *name, int index, struct link_info *ret,
		   struct sn_error *e)
{
	struct link_info info = { 0 };
	union netlink_request req;
	struct ifinfomsg *ifi = netlink_begin(&req, RTM_GETLINK, 0, sizeof(*ifi));
	int r;

	ifi->ifi_index = index;
	if (name)
		mnl_attr_put_strz(&req.h, IFLA_IFNAME, name);
	mnl_attr_put_u32(&req.h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_ask(nl, &req.h, on_one_link, &info, e);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int link_get(struct netlink *nl, const char *name, struct link_info *ret, struct sn_error *e)
{
	return get_one(nl, name, 0, ret, e);
}

int link_get_index(struct netlink *nl, int index, struct link_info *ret, struct sn_error *e)
{
	return get_one(nl, NULL, index, ret, e);
}

void link_observe(const struct link_table *t, struct link_deleter *deleter, struct object_set *ret)
{
	array_foreach(&t->l, info) {
		const struct link_info *master = link_table_find(t, info->master);
		struct object_link *o;

		if (!info->ours || (deleter && link_deleter_has(deleter, info->index)))
			continue;
		o = object_set_add(ret, OBJECT_LINK)->link;
		*o = info->o;
		if (master)
			snprintf(o->master, sizeof(o->master), "%s", master->o.name);
	}
}

static const struct link_info *find_lent(const struct link_table *t, const char *name)
{
	array_foreach(&t->l, info) {
		if (info->kind_known && info->o.kind == LINK_TUN && streq(info->o.name, name))
			return info;
	}
	return NULL;
}

/* What it has besides is its maker's. */
void link_observe_lent(const struct link_table *t, const struct object_set *also,
		       struct object_set *ret)
{
	array_foreach(&also->o, o) {
		const struct link_info *info;
		struct object_link *l;

		if (o->kind != OBJECT_LINK || o->link->kind != LINK_TUN)
			continue;
		info = find_lent(t, o->link->name);
		if (!info)
			continue;
		l = object_set_add(ret, OBJECT_LINK)->link;
		memcpy(l->name, info->o.name, sizeof(l->name));
		l->kind = LINK_TUN;
		l->up = info->o.up;
	}
}

/* --- making ---------------------------------------------------------------- */

int link_send(struct netlink *nl, struct rtnl_link *link, int flags, struct sn_error *e)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;

	if (rtnl_link_build_add_request(link, flags, &msg) < 0)
		return sn_error_set(e, -ENOMEM, "libnl cannot encode the link");
	return netlink_order(nl, nlmsg_hdr(msg), e);
}

int link_refuse_foreign(const struct link_info *info, struct sn_error *e)
{
	const char *kind = info->kind[0] ? info->kind : "device";

	if (info->o.alias[0])
		return sn_error_set(e, -EEXIST,
				    "%s is a %s of others (alias %s); remove or rename it",
				    info->o.name, kind, info->o.alias);
	return sn_error_set(e, -EEXIST, "%s is a %s of others (no alias); remove or rename it",
			    info->o.name, kind);
}

/* 0 and the index (0 for no master), or NET_NOT_READY. */
static int find_master(struct netlink *nl, const struct object_link *want, int *ret,
		       struct sn_error *e)
{
	struct link_info master = { 0 };
	int r = want->master[0] ? link_get(nl, want->master, &master, e) : 0;

	if (r == -ENODEV)
		return NET_NOT_READY;
	if (r == 0)
		*ret = master.index;
	return r;
}

void link_set_mac(struct rtnl_link *link, const uint8_t mac[SN_MAC_SIZE])
{
	_cleanup_(nl_addr_putp) struct nl_addr *addr = nl_addr_build(AF_LLC, mac, SN_MAC_SIZE);

	sn_require(addr);
	rtnl_link_set_addr(link, addr);
}

/*
 * The second message of an add and the only one of a change. The MTU stands
 * here also for a new bridge: one set in its creation is not pinned, and the
 * bridge follows its ports' (br_mtu_auto_adjust() in the kernel).
 */
int link_settle(struct netlink *nl, const struct link_info *there, const struct object_link *want,
		int master, struct sn_error *e)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();

	sn_require(link);
	rtnl_link_set_ifindex(link, there->index);
	rtnl_link_set_ifalias(link, want->alias);
	rtnl_link_set_group(link, want->group);
	rtnl_link_set_mtu(link, (unsigned)want->mtu);
	if (there->master != master)
		rtnl_link_set_master(link, master);
	if (want->has_mac && memcmp(there->o.mac, want->mac, SN_MAC_SIZE) != 0)
		link_set_mac(link, want->mac);
	if (want->up)
		rtnl_link_set_flags(link, IFF_UP);
	else
		rtnl_link_unset_flags(link, IFF_UP);
	return link_send(nl, link, 0, e);
}

static int create(struct netlink *nl, const struct object_link *want, struct sn_error *e)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link =
		want->kind == LINK_XFRM ? rtnl_link_xfrmi_alloc() : rtnl_link_alloc();

	sn_require(link);
	if (want->kind == LINK_XFRM)
		rtnl_link_xfrmi_set_if_id(link, want->if_id);
	else
		rtnl_link_set_type(link, kind_names[want->kind]);
	rtnl_link_set_name(link, want->name);
	rtnl_link_set_group(link, LINK_GROUP_BORN);
	if (want->has_mac)
		link_set_mac(link, want->mac);
	return link_send(nl, link, NLM_F_CREATE | NLM_F_EXCL, e);
}

static int add(struct netlink *nl, const struct object_link *want, struct sn_error *e)
{
	struct link_info born;
	int master = 0;
	int r;

	if (want->kind == LINK_VETH)
		return sn_error_set(e, -ENODEV,
				    "its container interface is gone and must be attached again "
				    "('sennit attach')");
	r = find_master(nl, want, &master, e);
	if (r == 0)
		r = create(nl, want, e);
	if (r == 0)
		r = link_get(nl, want->name, &born, e);
	if (r == 0)
		r = link_settle(nl, &born, want, master, e);
	return r;
}

/* The link is there and ours. What cannot be changed goes first and is made again. */
static int change(struct netlink *nl, struct link_deleter *deleter, const struct link_info *there,
		  const struct object_link *want, struct sn_error *e)
{
	int master = 0;
	int r;

	if (there->o.kind != want->kind || there->o.if_id != want->if_id) {
		r = link_deleter_take_failure(deleter, there->index, e);
		link_deleter_add(deleter, there->index);
		return r < 0 ? r : NET_NOT_READY;
	}
	r = find_master(nl, want, &master, e);
	return r == 0 ? link_settle(nl, there, want, master, e) : r;
}

/* Of a link that others make nothing but its state is ours to set. */
static int keep_up(struct netlink *nl, const struct object_link *want, struct sn_error *e)
{
	union netlink_request req;
	struct link_info there;
	struct ifinfomsg *ifi;
	int r = link_get(nl, want->name, &there, e);

	if (r == -ENODEV)
		return NET_NOT_READY;
	if (r < 0)
		return r;
	if (!there.kind_known || there.o.kind != LINK_TUN)
		return link_refuse_foreign(&there, e);
	ifi = netlink_begin(&req, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = there.index;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return netlink_order(nl, &req.h, e);
}

static int make(struct netlink *nl, struct link_deleter *deleter, const struct link_memory *memory,
		const struct object_link *want, struct sn_error *e)
{
	struct link_info there;
	int r = link_get(nl, want->name, &there, e);

	if (r == -ENODEV)
		return add(nl, want, e);
	if (r < 0)
		return r;
	/* its name is free when the worker has done */
	if (link_deleter_has(deleter, there.index))
		return NET_NOT_READY;
	if (!there.ours && !link_memory_has(memory, &there))
		return link_refuse_foreign(&there, e);
	return change(nl, deleter, &there, want, e);
}

static int drop(struct netlink *nl, struct link_deleter *deleter, const struct link_memory *memory,
		const struct object_link *found, struct sn_error *e)
{
	struct link_info there;
	int r = link_get(nl, found->name, &there, e);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	if (!there.ours && !link_memory_has(memory, &there))
		return 0;
	r = link_deleter_take_failure(deleter, there.index, e);
	link_deleter_add(deleter, there.index);
	return r;
}

int link_apply(struct netlink *nl, struct link_deleter *deleter, const struct link_memory *memory,
	       const struct plan_step *step, struct sn_error *e)
{
	if (step->verb == PLAN_DELETE)
		return drop(nl, deleter, memory, step->found->link, e);
	if (step->wanted->link->kind == LINK_TUN)
		return keep_up(nl, step->wanted->link, e);
	return make(nl, deleter, memory, step->wanted->link, e);
}
