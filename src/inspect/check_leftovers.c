/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What earlier overlays left on this host: they do not go by themselves. */
#include "inspect/look.h"

#include "inspect/ruleset.h"
#include "net/nft.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <sys/socket.h>

/* Of every policy and SA that Rancher's router made. */
#define RANCHER_REQID 1234

/* --- Rancher, flannel, Weave ------------------------------------------------------------------ */

enum trace { TRACE_LINK, TRACE_FILE, TRACE_CHAIN };

static const struct {
	const char *who;
	enum trace trace;
	const char *name; /* of a link as a glob, a path, the begin of a chain's name */
	const char *next;
} traces[] = {
	{ "Rancher's network-manager", TRACE_CHAIN, "CATTLE_",
	  "Stop the container, then flush and delete the chains (a restart of the host without it "
	  "does)." },
	{ "Rancher's VXLAN overlay", TRACE_LINK, "vtep1042", "ip link del vtep1042" },
	{ "flannel", TRACE_LINK, "flannel*", "Stop flanneld, then: ip link del the interface." },
	{ "flannel", TRACE_FILE, "/run/flannel/subnet.env", "Delete it when flanneld is gone." },
	{ "flannel", TRACE_CHAIN, "FLANNEL", "Stop flanneld; flush and delete the chains." },
	{ "Weave", TRACE_LINK, "weave", "'weave reset', or: ip link del weave" },
	{ "Weave", TRACE_LINK, "vethwe-*", "'weave reset', or: ip link del the interface." },
	{ "Weave", TRACE_LINK, "vxlan-6784", "'weave reset', or: ip link del vxlan-6784" },
	{ "Weave", TRACE_CHAIN, "WEAVE", "'weave reset'; flush and delete the chains." },
};

static void find_trace(struct exam *x, size_t i, const char *what, const char *name)
{
	exam_find(x, SEVERITY_WARNING,
		  "Two overlays on one host take each other's packets: its routes and rules do "
		  "not go by themselves.",
		  traces[i].next, "%s left something: %s %s", traces[i].who, what, name);
}

static void look_for_link(struct exam *x, size_t i)
{
	array_foreach(&x->links.l, link)
		if (!link->ours && fnmatch(traces[i].name, link->o.name, 0) == 0)
			find_trace(x, i, "interface", link->o.name);
}

/* Rancher leads 169.254.169.250 to docker0 (reference: network-manager's routesync). */
struct metadata_route {
	struct exam *x;
	bool found;
	char device[IFNAMSIZ];
};

static int on_metadata_route(const struct nlmsghdr *nlh, void *user)
{
	static const uint8_t address[4] = { 169, 254, 169, 250 };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[RTA_TABLE + 1];
	struct metadata_route *found = user;
	const struct link_info *link;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    rtm->rtm_family != AF_INET || rtm->rtm_dst_len != 32)
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), RTA_TABLE, a);
	link = link_table_find(&found->x->links, (int)netlink_attr_u32(a[RTA_OIF]));
	if (!a[RTA_DST] || mnl_attr_get_payload_len(a[RTA_DST]) < 4 || !link ||
	    memcmp(mnl_attr_get_payload(a[RTA_DST]), address, 4) != 0 ||
	    !streq(link->o.name, "docker0"))
		return 0;
	found->found = true;
	memcpy(found->device, link->o.name, sizeof(found->device));
	return 0;
}

static void look_for_metadata_route(struct exam *x)
{
	struct metadata_route found = { .x = x };
	union netlink_request req;
	struct rtmsg *rtm = netlink_begin(&req, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	struct sn_error e;

	rtm->rtm_family = AF_INET;
	if (x->route && netlink_ask(x->route, &req.h, on_metadata_route, &found, &e) == 0 &&
	    found.found)
		exam_find(
			x, SEVERITY_WARNING,
			"Questions to the metadata service at that address go to the bridge, "
			"where nobody answers when Rancher's container is gone.",
			"ip route del 169.254.169.250/32 dev docker0",
			"Rancher's network-manager left something: route 169.254.169.250/32 dev %s",
			found.device);
}

static json_t *read_ruleset(struct exam *x)
{
	json_t *doc = NULL;
	struct sn_error e;

	if (nft_read_ruleset(&doc, &e) < 0)
		exam_unseen(x, "chains of others: %s", e.text);
	return doc;
}

void check_leftovers_others(struct exam *x)
{
	_cleanup_json_ json_t *ruleset = read_ruleset(x);
	size_t before = x->findings->f.n;
	const char *name;

	for (size_t i = 0; i < SN_ARRAY_SIZE(traces); i++) {
		switch (traces[i].trace) {
		case TRACE_LINK:
			look_for_link(x, i);
			break;
		case TRACE_FILE:
			if (access(traces[i].name, F_OK) == 0)
				find_trace(x, i, "file", traces[i].name);
			break;
		case TRACE_CHAIN:
			if (ruleset && ruleset_has_prefix(ruleset, traces[i].name, &name))
				find_trace(x, i, "chain", name);
			break;
		}
	}
	look_for_metadata_route(x);
	if (x->findings->f.n == before)
		exam_ok(x, "no trace of Rancher, flannel or Weave");
}

/* --- an older sennit -------------------------------------------------------------------------- */

/* "sennit:<mesh>:<object>": whether the mesh is another. */
static bool is_of_another_mesh(const struct exam *x, const char *alias)
{
	size_t n = strlen(x->snapshot->mesh_id);

	if (!sn_startswith(alias, LINK_ALIAS_PREFIX))
		return false;
	alias += strlen(LINK_ALIAS_PREFIX);
	return strncmp(alias, x->snapshot->mesh_id, n) != 0 || alias[n] != ':';
}

struct strays {
	struct exam *x;
	size_t n;
	struct sn_prefix first;
};

static int on_own_route(const struct nlmsghdr *nlh, void *user)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[RTA_TABLE + 1];
	struct sn_prefix dst = { 0 };
	struct strays *s = user;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    rtm->rtm_protocol != SENNIT_RTPROT)
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), RTA_TABLE, a);
	dst.addr = netlink_attr_addr(a[RTA_DST], rtm->rtm_family);
	dst.len = rtm->rtm_dst_len;
	if (sn_addr_is_set(&dst.addr) && !sn_prefix_pair_covers(&s->x->snapshot->overlay, &dst) &&
	    s->n++ == 0)
		s->first = dst;
	return 0;
}

static void look_for_own_routes(struct exam *x)
{
	struct strays strays = { .x = x };
	union netlink_request req;
	struct sn_error e;

	netlink_begin(&req, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
	if (x->route && netlink_ask(x->route, &req.h, on_own_route, &strays, &e) == 0 &&
	    strays.n > 0)
		exam_find(
			x, SEVERITY_WARNING,
			"Hosts there are not reached, or not as they should be.",
			"A running sennitd removes them; else: sennit cleanup, and start it again.",
			"%zu route%s of a sennit with another overlay: %s", strays.n,
			strays.n == 1 ? "" : "s", SN_PREFIX_STR(&strays.first));
}

void check_leftovers_own(struct exam *x)
{
	size_t before = x->findings->f.n;

	array_foreach(&x->links.l, link)
		if (is_of_another_mesh(x, link->o.alias))
			exam_find(x, SEVERITY_WARNING,
				  "It was made by a sennit of another mesh, or by this host "
				  "before it was moved to this one; its addresses may still be "
				  "answered for.",
				  "A running sennitd removes what it takes for its own; else: ip "
				  "link del it, or 'sennit cleanup' and start it again.",
				  "interface %s is of another mesh (%s)", link->o.name,
				  link->o.alias);
	look_for_own_routes(x);
	if (x->findings->f.n == before)
		exam_ok(x, "no trace of another sennit");
}

/* --- IPsec policies ------------------------------------------------------------------------------
 */

struct policies {
	struct exam *x;
	size_t n;
	char first[128];
	bool rancher; /* reqid 1234 */
};

static struct sn_prefix selector_prefix(const xfrm_address_t *a, uint8_t len, int family)
{
	struct sn_prefix p = { .addr = { .family = (uint8_t)family }, .len = len };

	memcpy(p.addr.bytes, a, family == AF_INET6 ? 16 : 4);
	return p;
}

/* Of a policy without an interface id, which would take our packets on any way. */
static int on_policy(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[XFRMA_IF_ID + 1];
	struct xfrm_userpolicy_info info;
	struct xfrm_user_tmpl tmpl;
	struct policies *p = user;
	struct sn_prefix src, dst;

	if (nlh->nlmsg_type != XFRM_MSG_NEWPOLICY || mnl_nlmsg_get_payload_len(nlh) < sizeof(info))
		return 0;
	/* messages are aligned to 4 bytes, these have members of 8 */
	memcpy(&info, mnl_nlmsg_get_payload(nlh), sizeof(info));
	if (info.dir >= XFRM_POLICY_MAX ||
	    (info.sel.family != AF_INET && info.sel.family != AF_INET6))
		return 0;
	netlink_attrs(nlh, sizeof(info), XFRMA_IF_ID, a);
	src = selector_prefix(&info.sel.saddr, info.sel.prefixlen_s, info.sel.family);
	dst = selector_prefix(&info.sel.daddr, info.sel.prefixlen_d, info.sel.family);
	if (netlink_attr_u32(a[XFRMA_IF_ID]) ||
	    (!sn_prefix_pair_overlaps(&p->x->snapshot->overlay, &src) &&
	     !sn_prefix_pair_overlaps(&p->x->snapshot->overlay, &dst)))
		return 0;
	if (a[XFRMA_TMPL] && mnl_attr_get_payload_len(a[XFRMA_TMPL]) >= sizeof(tmpl)) {
		memcpy(&tmpl, mnl_attr_get_payload(a[XFRMA_TMPL]), sizeof(tmpl));
		p->rancher |= tmpl.reqid == RANCHER_REQID;
	}
	if (p->n++ == 0)
		snprintf(p->first, sizeof(p->first), "%s to %s", SN_PREFIX_STR(&src),
			 SN_PREFIX_STR(&dst));
	return 0;
}

void check_leftovers_xfrm(struct exam *x)
{
	struct policies found = { .x = x };
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union netlink_request req;
	struct sn_error e;
	int r = netlink_new(NETLINK_XFRM, &nl, &e);

	netlink_begin(&req, XFRM_MSG_GETPOLICY, NLM_F_DUMP, sizeof(struct xfrm_userpolicy_id));
	if (r == 0)
		r = netlink_ask(nl, &req.h, on_policy, &found, &e);
	if (r == -EPERM)
		exam_unseen(x, "IPsec policies: only root may see them");
	else if (r < 0 || found.n == 0)
		exam_ok(x, "no IPsec policy of others touches the overlay");
	else
		exam_find(x, SEVERITY_FAULT,
			  "The kernel encrypts, or drops, what they match before sennit's routes "
			  "count.",
			  found.rancher ? "Rancher's router made them (reqid 1234): remove its "
					  "container, then 'ip xfrm policy flush' while sennitd "
					  "is stopped."
					: "Find the IKE daemon that made them ('ip xfrm policy'), "
					  "and end it.",
			  "%zu IPsec polic%s of others touch%s the overlay: %s", found.n,
			  found.n == 1 ? "y" : "ies", found.n == 1 ? "es" : "", found.first);
}
