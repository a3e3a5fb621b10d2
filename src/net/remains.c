/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each dump's message becomes, if it is ours, the order that deletes it; the caller
 * keeps that and sends it or not.
 */
#include "net/remains.h"

#include "net/nft.h"
#include "plan/object.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdio.h>

#define TRIES 5

struct reader {
	struct remains *found;
	const struct link_table *links;
};

static const int bus_of[] = {
	[REMAIN_RULE] = NETLINK_ROUTE,  [REMAIN_SA] = NETLINK_XFRM,
	[REMAIN_POLICY] = NETLINK_XFRM, [REMAIN_ADDRESS] = NETLINK_ROUTE,
	[REMAIN_LINK] = NETLINK_ROUTE,  [REMAIN_TABLE] = NETLINK_NETFILTER,
};

static void add(struct reader *reader, enum remain_kind kind, char *text,
		const union netlink_request *order, const char *why)
{
	struct remain r = { .kind = kind, .ours = order != NULL, .text = text, .why = why };

	if (reader->found->r.n >= REMAINS_MAX) {
		free(text);
		return;
	}
	if (order) {
		r.delete_order = xcalloc(1, sizeof(*order));
		memcpy(r.delete_order, order, sizeof(*order));
	}
	*array_add(&reader->found->r) = r;
}

static const char *ip_of(const void *addr, int family, char ret[static INET6_ADDRSTRLEN])
{
	return inet_ntop(family == AF_INET6 ? AF_INET6 : AF_INET, addr, ret, INET6_ADDRSTRLEN);
}

/* --- rules --------------------------------------------------------------------- */

/*
 * As charon's kernel-netlink makes it of "fwmark" in our strongswan.conf. The kernel deletes
 * the first rule that has all that is asked for, whatever else it has: one of the same mark,
 * table and priority with a source or device would be taken for it when it stands before.
 */
static bool is_our_rule(const struct fib_rule_hdr *h, const struct nlattr *const *a)
{
	return h->action == FR_ACT_TO_TBL && !h->src_len && !h->dst_len && !a[FRA_IIFNAME] &&
	       !a[FRA_OIFNAME] && netlink_attr_u32(a[FRA_PRIORITY]) == SENNIT_CHARON_TABLE &&
	       netlink_attr_u32(a[FRA_FWMARK]) == SENNIT_CHARON_MARK;
}

static int on_rule(const struct nlmsghdr *nlh, void *user)
{
	const struct fib_rule_hdr *h = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[FRA_OIFNAME + 1];
	struct fib_rule_hdr *mine;
	union netlink_request order;
	char *text;

	if (nlh->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*h))
		return 0;
	netlink_attrs(nlh, sizeof(*h), FRA_OIFNAME, a);
	if (netlink_attr_u32(a[FRA_TABLE]) != SENNIT_CHARON_TABLE)
		return 0;
	text = xasprintf("rule %u: lookup %u fwmark 0x%x (%s)", netlink_attr_u32(a[FRA_PRIORITY]),
			 SENNIT_CHARON_TABLE, netlink_attr_u32(a[FRA_FWMARK]),
			 h->family == AF_INET6 ? "ip6" : "ip");
	if (!is_our_rule(h, a)) {
		add(user, REMAIN_RULE, text, NULL,
		    "it has not the mark of sennit's charon: another strongSwan's");
		return 0;
	}
	mine = netlink_begin(&order, RTM_DELRULE, 0, sizeof(*mine));
	mine->family = h->family;
	mine->action = h->action;
	mnl_attr_put_u32(&order.h, FRA_TABLE, SENNIT_CHARON_TABLE);
	mnl_attr_put_u32(&order.h, FRA_PRIORITY, SENNIT_CHARON_TABLE);
	mnl_attr_put_u32(&order.h, FRA_FWMARK, SENNIT_CHARON_MARK);
	add(user, REMAIN_RULE, text, &order, NULL);
	return 0;
}

static int read_rules(struct netlink *nl, uint8_t family, struct reader *reader, struct sn_error *e)
{
	union netlink_request req;
	struct fib_rule_hdr *h = netlink_begin(&req, RTM_GETRULE, NLM_F_DUMP, sizeof(*h));
	int r;

	h->family = family;
	r = netlink_ask(nl, &req.h, on_rule, reader, e);
	return r == -EOPNOTSUPP || r == -EAFNOSUPPORT ? 0 : r;
}

/* --- SAs and policies ------------------------------------------------------------ */

static bool is_our_if_id(const struct reader *reader, uint32_t if_id)
{
	array_foreach(&reader->links->l, link) {
		if (link->ours && link->o.kind == LINK_XFRM && link->o.if_id == if_id)
			return true;
	}
	return false;
}

static const char why_not_ours[] = "no interface of sennit has its if_id: another IKE daemon's, or "
				   "left by one that is gone ('ip xfrm' removes it)";

static int on_sa(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[XFRMA_IF_ID + 1];
	struct reader *reader = user;
	char addr[INET6_ADDRSTRLEN];
	struct xfrm_usersa_info sa;
	struct xfrm_usersa_id *id;
	union netlink_request order;
	uint32_t if_id;
	char *text;

	if (!netlink_header(nlh, XFRM_MSG_NEWSA, &sa, sizeof(sa)))
		return 0;
	netlink_attrs(nlh, sizeof(sa), XFRMA_IF_ID, a);
	if_id = netlink_attr_u32(a[XFRMA_IF_ID]);
	if (if_id == 0)
		return 0;
	text = xasprintf("SA to %s spi 0x%08x if_id %u", ip_of(&sa.id.daddr, sa.family, addr),
			 ntohl(sa.id.spi), if_id);
	if (!is_our_if_id(reader, if_id)) {
		add(reader, REMAIN_SA, text, NULL, why_not_ours);
		return 0;
	}
	id = netlink_begin(&order, XFRM_MSG_DELSA, 0, sizeof(*id));
	id->daddr = sa.id.daddr;
	id->spi = sa.id.spi;
	id->proto = sa.id.proto;
	id->family = sa.family;
	add(reader, REMAIN_SA, text, &order, NULL);
	return 0;
}

static int on_policy(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[XFRMA_IF_ID + 1];
	static const char *const dirs[] = { "in", "out", "fwd" };
	struct xfrm_userpolicy_info p;
	struct xfrm_userpolicy_id *id;
	struct reader *reader = user;
	char addr[INET6_ADDRSTRLEN];
	union netlink_request order;
	uint32_t if_id;
	char *text;

	if (!netlink_header(nlh, XFRM_MSG_NEWPOLICY, &p, sizeof(p)) || p.dir >= SN_ARRAY_SIZE(dirs))
		return 0;
	netlink_attrs(nlh, sizeof(p), XFRMA_IF_ID, a);
	if_id = netlink_attr_u32(a[XFRMA_IF_ID]);
	if (if_id == 0)
		return 0;
	text = xasprintf("policy %s to %s/%u if_id %u", dirs[p.dir],
			 ip_of(&p.sel.daddr, p.sel.family, addr), p.sel.prefixlen_d, if_id);
	if (!is_our_if_id(reader, if_id)) {
		add(reader, REMAIN_POLICY, text, NULL, why_not_ours);
		return 0;
	}
	id = netlink_begin(&order, XFRM_MSG_DELPOLICY, 0, sizeof(*id));
	id->sel = p.sel;
	id->index = p.index;
	id->dir = p.dir;
	mnl_attr_put_u32(&order.h, XFRMA_IF_ID, if_id);
	add(reader, REMAIN_POLICY, text, &order, NULL);
	return 0;
}

static int read_xfrm(struct reader *reader, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union netlink_request req;
	int r = netlink_new(NETLINK_XFRM, &nl, e);

	/* a kernel without XFRM */
	if (r < 0)
		return r == -EPROTONOSUPPORT ? 0 : r;
	netlink_begin(&req, XFRM_MSG_GETSA, NLM_F_DUMP, sizeof(struct xfrm_usersa_id));
	r = netlink_ask(nl, &req.h, on_sa, reader, e);
	if (r != 0)
		return r;
	netlink_begin(&req, XFRM_MSG_GETPOLICY, NLM_F_DUMP, sizeof(struct xfrm_userpolicy_id));
	return netlink_ask(nl, &req.h, on_policy, reader, e);
}

/* --- the address of sennit-metadata ----------------------------------------------- */

static int on_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFA_LABEL + 1];
	char label[IFNAMSIZ], addr[INET6_ADDRSTRLEN];
	union netlink_request order;
	struct ifaddrmsg *mine;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) ||
	    ifa->ifa_family != AF_INET)
		return 0;
	netlink_attrs(nlh, sizeof(*ifa), IFA_LABEL, a);
	netlink_attr_string(a[IFA_LABEL], label, sizeof(label));
	if (!streq(label, REMAINS_METADATA_LABEL) || !a[IFA_LOCAL] ||
	    mnl_attr_get_payload_len(a[IFA_LOCAL]) != 4)
		return 0;
	mine = netlink_begin(&order, RTM_DELADDR, 0, sizeof(*mine));
	*mine = *ifa;
	mnl_attr_put(&order.h, IFA_LOCAL, 4, mnl_attr_get_payload(a[IFA_LOCAL]));
	add(user, REMAIN_ADDRESS,
	    xasprintf("address %s/%u label %s",
		      ip_of(mnl_attr_get_payload(a[IFA_LOCAL]), AF_INET, addr), ifa->ifa_prefixlen,
		      label),
	    &order, NULL);
	return 0;
}

static int read_addresses(struct netlink *nl, struct reader *reader, struct sn_error *e)
{
	union netlink_request req;
	struct ifaddrmsg *ifa = netlink_begin(&req, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	return netlink_ask(nl, &req.h, on_address, reader, e);
}

/* --- what only looks like ours ------------------------------------------------------ */

static void read_foreign_links(struct reader *reader)
{
	array_foreach(&reader->links->l, link) {
		bool named = sn_startswith(link->o.name, SENNIT_LINK_PREFIX);
		bool marked = sn_startswith(link->o.alias, LINK_ALIAS_PREFIX);
		const char *why = !named ? "its name does not begin with '" SENNIT_LINK_PREFIX "'"
				  : !marked ? "it has no alias of sennit"
					    : "sennit makes no links of its kind";

		if (!link->ours && (named || marked))
			add(reader, REMAIN_LINK,
			    xasprintf("link %s (%s)", link->o.name,
				      link->kind[0] ? link->kind : "hardware"),
			    NULL, why);
	}
}

static int on_table(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[NFTA_TABLE_NAME + 1];
	char name[64];

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return 0;
	netlink_attrs(nlh, sizeof(struct nfgenmsg), NFTA_TABLE_NAME, a);
	netlink_attr_string(a[NFTA_TABLE_NAME], name, sizeof(name));
	if (sn_startswith(name, NFT_TABLE_NAME) && !streq(name, NFT_TABLE_NAME))
		add(user, REMAIN_TABLE, xasprintf("table %s", name), NULL,
		    "sennit's are named '" NFT_TABLE_NAME "' and no more");
	return 0;
}

static int read_foreign_tables(struct reader *reader, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union netlink_request req;
	int r = netlink_new(NETLINK_NETFILTER, &nl, e);

	if (r < 0)
		return r;
	netlink_begin(&req, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_DUMP,
		      sizeof(struct nfgenmsg));
	return netlink_ask(nl, &req.h, on_table, reader, e);
}

/* --- all of it ----------------------------------------------------------------------- */

static int read_once(struct remains *ret, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	_cleanup_link_table_ struct link_table links = { 0 };
	struct reader reader = { .found = ret, .links = &links };
	int r = netlink_new(NETLINK_ROUTE, &nl, e);

	if (r == 0)
		r = link_table_read(nl, &links, e);
	if (r == 0)
		r = read_rules(nl, AF_INET, &reader, e);
	if (r == 0)
		r = read_rules(nl, AF_INET6, &reader, e);
	if (r == 0)
		r = read_addresses(nl, &reader, e);
	if (r == 0)
		r = read_xfrm(&reader, e);
	if (r == 0)
		r = read_foreign_tables(&reader, e);
	if (r == 0)
		read_foreign_links(&reader);
	return r;
}

int remains_read(struct remains *ret, struct sn_error *e)
{
	struct remains found = { 0 };
	int r = NETLINK_INTERRUPTED;

	for (int i = 0; i < TRIES && r == NETLINK_INTERRUPTED; i++) {
		remains_fini(&found);
		r = read_once(&found, e);
	}
	if (r == 0) {
		*ret = found;
		return 0;
	}
	remains_fini(&found);
	return r < 0 ? r
		     : sn_error_set(e, -EAGAIN,
				    "the kernel's state changed at each try while "
				    "it was read; run it again");
}

void remains_fini(struct remains *r)
{
	array_foreach(&r->r, one) {
		free(one->text);
		free(one->delete_order);
	}
	array_free(&r->r);
}

int remain_delete(const struct remain *r, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union netlink_request order;
	int err;

	sn_require(r->ours);
	err = netlink_new(bus_of[r->kind], &nl, e);
	if (err < 0)
		return err;
	memcpy(&order, r->delete_order, sizeof(order));
	err = netlink_order(nl, &order.h, e);
	return err == -ENOENT || err == -ESRCH || err == -EADDRNOTAVAIL ? 0 : err;
}
