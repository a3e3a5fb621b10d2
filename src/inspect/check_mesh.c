/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host against what the mesh wants of it: objects of ours, others in their place, MTU. */
#include "inspect/look.h"

#include "net/foreign.h"
#include "net/net.h"
#include "plan/plan.h"
#include "probe/ike_verdict.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

/* Told one by one; more are told as a number. */
#define SHOWN_MAX 4
/* --- what should be there ------------------------------------------------------------------ */

struct missing {
	size_t guard, others;
	struct strbuf names;
};

static void compare(const struct exam *x, const struct object_set *observed, unsigned known,
		    bool down, struct missing *ret)
{
	array_foreach(&x->wanted.objects.o, o) {
		bool guard = object_is_guard(o);

		if (!(known & OBJECT_BIT(o->kind)) || o->kind == OBJECT_SYSCTL ||
		    object_set_find(observed, o))
			continue;
		/* the number of an XFRM interface is sennitd's to know; its route is looked for */
		if (o->kind == OBJECT_LINK && o->link->kind != LINK_BRIDGE)
			continue;
		if (down && !guard && o->kind == OBJECT_ROUTE)
			continue;
		if (ret->guard + ret->others < SHOWN_MAX) {
			strbuf_adds(&ret->names, ret->names.len ? ", " : "");
			object_add_name(o, &ret->names);
		}
		ret->guard += guard;
		ret->others += !guard;
	}
}

/* Sysctls stand there whoever made them. */
static bool nothing_is_there(const struct object_set *observed)
{
	array_foreach(&observed->o, o)
		if (o->kind != OBJECT_SYSCTL)
			return false;
	return true;
}

static void judge_missing(struct exam *x, const struct missing *m, bool nothing_here)
{
	size_t n = m->guard + m->others;

	if (n == 0)
		exam_ok(x, "what sennit wants on this host is there");
	else if (!x->daemon_runs && nothing_here)
		exam_ok(x, "nothing of sennit is set up, and sennitd does not run");
	else
		exam_find(
			x, m->guard || x->daemon_runs ? SEVERITY_FAULT : SEVERITY_WARNING,
			m->guard ? "The guard is not whole: packets of the overlay may leave this "
				   "host in clear."
				 : "Containers, or the hosts behind those routes, are cut off.",
			x->daemon_runs
				? "sennitd makes them again within a second: if they stay away its "
				  "log says what fails ('sennit status', 'sennit plan')."
				: "Start sennitd: it makes them again.",
			"%zu of sennit's objects are missing: %s%s", n, strbuf_str(&m->names),
			n > SHOWN_MAX ? ", …" : "");
}

void check_objects(struct exam *x)
{
	_cleanup_free_ char *down = xasprintf("%s/down", x->config->state_dir);
	_cleanup_object_set_ struct object_set observed = { 0 };
	_cleanup_(net_freep) struct net *net = NULL;
	struct missing missing = { 0 };
	struct sn_error e;
	unsigned known = 0;

	if (x->want_error.code < 0) {
		exam_find(x, SEVERITY_FAULT, "No tunnel can be built.", "Do what the text says.",
			  "the data plane %s cannot carry this mesh: %s", x->dataplane->name,
			  x->want_error.text);
		return;
	}
	if (net_new(x->loop, x->config->state_dir, &net, &e) < 0) {
		exam_unseen(x, "%s", e.text);
		return;
	}
	net_observe(net, &x->wanted.objects, &observed, &known);
	if ((known & OBJECT_ALL_NET) != OBJECT_ALL_NET)
		exam_unseen(x, "%s", net_last_failure(net));
	compare(x, &observed, known, access(down, F_OK) == 0, &missing);
	judge_missing(x, &missing, nothing_is_there(&observed));
	strbuf_fini(&missing.names);
}

/* --- others in the overlay -------------------------------------------------------------------- */

static bool is_ours(const struct exam *x, int index)
{
	const struct link_info *link = link_table_find(&x->links, index);

	return link && (link->ours || streq(link->o.name, x->config->bridge));
}

static bool carries_tunnels(const struct exam *x, const char *device)
{
	array_foreach(&x->wanted.peers, p)
		if (streq(p->device, device))
			return true;
	return false;
}

static const char *device_of(const struct exam *x, int index)
{
	const struct link_info *link = link_table_find(&x->links, index);

	return link ? link->o.name : "?";
}

static int on_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFA_LOCAL + 1];
	struct exam *x = user;
	struct sn_prefix found;
	struct finding *f;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	netlink_attrs(nlh, sizeof(*ifa), IFA_LOCAL, a);
	found.addr =
		netlink_attr_addr(a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], ifa->ifa_family);
	found.len = ifa->ifa_prefixlen;
	if (!sn_addr_is_set(&found.addr) || is_ours(x, (int)ifa->ifa_index) ||
	    carries_tunnels(x, device_of(x, (int)ifa->ifa_index)) ||
	    !sn_prefix_pair_around(&x->snapshot->overlay, &found.addr))
		return 0;
	f = exam_find(x, SEVERITY_FAULT,
		      "The overlay's addresses are then on two networks: packets for containers "
		      "of other hosts stay on this host.",
		      NULL, "%s has the address %s, inside the overlay %s",
		      device_of(x, (int)ifa->ifa_index), SN_PREFIX_STR(&found),
		      SN_PREFIX_STR(snapshot_overlay(x->snapshot, found.addr.family)));
	finding_set_next(
		f,
		"Take it off ('ip addr del %s dev %s'), or give the mesh another overlay; "
		"docker0, cni0 and flannel.1 have such addresses after Rancher and flannel.",
		SN_PREFIX_STR(&found), device_of(x, (int)ifa->ifa_index));
	return 0;
}

static int on_route(const struct nlmsghdr *nlh, void *user)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[RTA_TABLE + 1];
	struct exam *x = user;
	struct sn_prefix dst;
	int oif;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    rtm->rtm_protocol == SENNIT_RTPROT || rtm->rtm_protocol == RTPROT_KERNEL ||
	    rtm->rtm_flags & RTM_F_CLONED)
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), RTA_TABLE, a);
	dst.addr = netlink_attr_addr(a[RTA_DST], rtm->rtm_family);
	dst.len = rtm->rtm_dst_len;
	oif = (int)netlink_attr_u32(a[RTA_OIF]);
	/* a wider one (10.0.0.0/8) goes after ours, charon's own in table 220 are inert */
	if (!sn_addr_is_set(&dst.addr) || is_ours(x, oif) ||
	    netlink_attr_u32(a[RTA_TABLE]) == 220 ||
	    !sn_prefix_pair_covers(&x->snapshot->overlay, &dst))
		return 0;
	finding_set_next(
		exam_find(x, SEVERITY_FAULT,
			  "It is as specific as sennit's routes or more: packets for containers "
			  "behind it go there, not into a tunnel (the guard drops them).",
			  NULL, "a route of others leads to %s in the overlay: dev %s, table %u",
			  SN_PREFIX_STR(&dst), oif ? device_of(x, oif) : "(none)",
			  netlink_attr_u32(a[RTA_TABLE])),
		"ip route del %s table %u, and look for who makes it.", SN_PREFIX_STR(&dst),
		netlink_attr_u32(a[RTA_TABLE]));
	return 0;
}

void check_overlap(struct exam *x)
{
	size_t before = x->findings->f.n;
	union netlink_request req;
	struct sn_error e;

	if (!x->route)
		return;
	netlink_begin(&req, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	if (netlink_ask(x->route, &req.h, on_address, x, &e) < 0)
		exam_unseen(x, "addresses: %s", e.text);
	netlink_begin(&req, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
	if (netlink_ask(x->route, &req.h, on_route, x, &e) < 0)
		exam_unseen(x, "routes: %s", e.text);
	if (x->findings->f.n == before)
		exam_ok(x, "no address or route of others lies in the overlay");
}

void check_groups(struct exam *x)
{
	struct intent_foreign foreign;
	struct sn_error e;

	if (!x->route)
		return;
	if (foreign_links(x->route, &foreign, &e) < 0) {
		exam_unseen(x, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < foreign.n_in_our_groups; i++) {
		const char *name = foreign.in_our_groups[i].name;

		finding_set_next(
			exam_find(
				x, SEVERITY_FAULT,
				"The guard knows sennit's bridge and tunnels by their groups: what "
				"goes through this interface it takes for a container's or a "
				"peer's.",
				NULL, "%s is not sennit's, but in a link group of its", name),
			"ip link set %s group default, and look for who put it there.", name);
	}
	if (foreign.n_in_our_groups == 0)
		exam_ok(x, "no interface of others is in a link group of sennit's");
}

/* --- MTU -----------------------------------------------------------------------------------------
 */

int exam_overlay_mtu(const struct exam *x)
{
	array_foreach(&x->wanted.objects.o, o)
		if (o->kind == OBJECT_LINK && o->link->kind == LINK_BRIDGE)
			return o->link->mtu;
	return 0;
}

/* The narrowest way to a peer, and how many are too narrow. */
struct narrow {
	size_t n;
	int mtu, needs;
	const struct host *host;
};

static void measure(const struct exam *x, int mtu, struct narrow *ret)
{
	array_foreach(&x->snapshot->hosts, h) {
		int needs;
		struct way way;

		if (h->state == HOST_GONE || streq(h->id, x->snapshot->self_id))
			continue;
		needs = (int)look_packet_for((unsigned)mtu, h->underlay.v[0].family);
		if (look_way(&h->underlay.v[0], &way) < 0 || way.mtu >= needs)
			continue;
		if (ret->n++ == 0 || way.mtu < ret->mtu) {
			ret->mtu = way.mtu;
			ret->needs = needs;
			ret->host = h;
		}
	}
}

void check_mtu(struct exam *x)
{
	struct narrow narrow = { 0 };
	int mtu = exam_overlay_mtu(x);

	if (mtu == 0)
		return;
	measure(x, mtu, &narrow);
	if (narrow.n == 0) {
		exam_ok(x, "the underlay carries the overlay's MTU of %d", mtu);
		return;
	}
	finding_set_next(
		exam_find(
			x, SEVERITY_WARNING,
			"Large packets are cut into two or vanish: connections open and then hang "
			"when data flow.",
			NULL,
			"the way to %s (%s) carries packets of %d bytes, the overlay's MTU of %d "
			"needs %d; %zu peer%s in all",
			narrow.host->id, SN_ADDR_STR(&narrow.host->underlay.v[0]), narrow.mtu, mtu,
			narrow.needs, narrow.n, narrow.n == 1 ? "" : "s"),
		"Set \"mtu\" to %d on every host of the mesh (containers get it when they are "
		"attached anew), or raise the MTU of the network between the hosts.",
		(int)ike_overlay_mtu((unsigned)narrow.mtu, narrow.host->underlay.v[0].family));
}
