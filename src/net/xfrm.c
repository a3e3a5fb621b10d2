/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/xfrm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>

/* Before any that charon makes, of which the kernel takes the one with the smallest. */
#define HOLD_PRIORITY 0x736e

void net_xfrm_fini(struct net_xfrm *x)
{
	array_free(&x->sas);
	array_free(&x->policies);
}

static struct sn_addr read_address(const xfrm_address_t *a, uint16_t family)
{
	struct sn_addr addr = { .family = (uint8_t)family };

	if (family == AF_INET)
		memcpy(addr.bytes, &a->a4, sizeof(a->a4));
	else
		memcpy(addr.bytes, a->a6, sizeof(a->a6));
	return addr;
}

static void write_address(const struct sn_addr *addr, xfrm_address_t *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, addr->bytes, addr->family == AF_INET ? sizeof(ret->a4) : sizeof(ret->a6));
}

/*
 * Not what the kernel puts in the place of an SA that it misses, with the very SPI
 * of the policy, and keeps for half a minute.
 */
static bool has_keys(const struct nlattr **a)
{
	return a[XFRMA_ALG_AEAD] || a[XFRMA_ALG_CRYPT];
}

static int on_sa(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[XFRMA_IF_ID + 1];
	struct xfrm_usersa_info info;
	struct net_xfrm *x = user;
	struct net_xfrm_sa *sa;
	uint32_t if_id;

	if (!netlink_header(nlh, XFRM_MSG_NEWSA, &info, sizeof(info)))
		return 0;
	netlink_attrs(nlh, sizeof(info), XFRMA_IF_ID, a);
	if_id = netlink_attr_u32(a[XFRMA_IF_ID]);
	if (!if_id || info.id.proto != IPPROTO_ESP || !has_keys(a))
		return 0;
	sa = array_add(&x->sas);
	*sa = (struct net_xfrm_sa){ .if_id = if_id,
				    .spi = ntohl(info.id.spi),
				    .dst = read_address(&info.id.daddr, info.family) };
	return 0;
}

static int on_policy(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[XFRMA_IF_ID + 1];
	struct xfrm_userpolicy_info info;
	struct net_xfrm *x = user;
	uint32_t if_id;

	if (!netlink_header(nlh, XFRM_MSG_NEWPOLICY, &info, sizeof(info)))
		return 0;
	netlink_attrs(nlh, sizeof(info), XFRMA_IF_ID, a);
	if_id = netlink_attr_u32(a[XFRMA_IF_ID]);
	if (if_id)
		*array_add(&x->policies) =
			(struct net_xfrm_policy){ .if_id = if_id,
						  .index = info.index,
						  .dir = info.dir,
						  .hold = info.priority == HOLD_PRIORITY,
						  .family = (uint8_t)info.sel.family };
	return 0;
}

static int dump(struct netlink *nl, uint16_t type, netlink_fn fn, struct net_xfrm *x,
		struct sn_error *e)
{
	union netlink_request req;

	/* what follows the header of a dump are filters, and we have none */
	netlink_begin(&req, type, NLM_F_DUMP, 0);
	return netlink_ask(nl, &req.h, fn, x, e);
}

static int cmp_sa(const void *a, const void *b)
{
	const struct net_xfrm_sa *x = a, *y = b;

	return sn_cmp_num(x->spi, y->spi);
}

int xfrm_read(struct netlink *nl, struct net_xfrm *ret, struct sn_error *e)
{
	_cleanup_net_xfrm_ struct net_xfrm x = { 0 };
	int r = dump(nl, XFRM_MSG_GETSA, on_sa, &x, e);

	if (r == 0)
		r = dump(nl, XFRM_MSG_GETPOLICY, on_policy, &x, e);
	if (r != 0)
		return r;
	array_sort(&x.sas, cmp_sa);
	*ret = x;
	x = (struct net_xfrm){ 0 };
	return 0;
}

static int delete_it(struct netlink *nl, union netlink_request *req, struct sn_error *e)
{
	int r = netlink_order(nl, &req->h, e);

	return r == -ESRCH || r == -ENOENT ? 0 : r;
}

int xfrm_delete_sa(struct netlink *nl, const struct net_xfrm_sa *sa, struct sn_error *e)
{
	union netlink_request req;
	struct xfrm_usersa_id *id = netlink_begin(&req, XFRM_MSG_DELSA, 0, sizeof(*id));

	write_address(&sa->dst, &id->daddr);
	id->spi = htonl(sa->spi);
	id->family = sa->dst.family;
	id->proto = IPPROTO_ESP;
	return delete_it(nl, &req, e);
}

int xfrm_delete_policy(struct netlink *nl, const struct net_xfrm_policy *policy, struct sn_error *e)
{
	union netlink_request req;
	struct xfrm_userpolicy_id *id = netlink_begin(&req, XFRM_MSG_DELPOLICY, 0, sizeof(*id));

	id->index = policy->index;
	id->dir = policy->dir;
	mnl_attr_put_u32(&req.h, XFRMA_IF_ID, policy->if_id);
	return delete_it(nl, &req, e);
}

/* --- holding -------------------------------------------------------------------- */

/*
 * A policy of charon's and one of ours differ in what they are for, as two cannot be for the same:
 * charon's for all addresses, ours for half of them each.
 */
static void select_half(struct xfrm_selector *sel, uint8_t family, unsigned half)
{
	sel->family = family;
	sel->prefixlen_d = 1;
	sel->daddr.a4 = htonl(half << 31);
}

struct policy_template {
	bool found;
	struct xfrm_user_tmpl t;
};

static int on_template(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[XFRMA_TMPL + 1];
	struct xfrm_userpolicy_info info;
	struct policy_template *ret = user;

	if (!netlink_header(nlh, XFRM_MSG_NEWPOLICY, &info, sizeof(info)))
		return 0;
	netlink_attrs(nlh, sizeof(info), XFRMA_TMPL, a);
	if (!a[XFRMA_TMPL] || mnl_attr_get_payload_len(a[XFRMA_TMPL]) != sizeof(ret->t))
		return 0;
	memcpy(&ret->t, mnl_attr_get_payload(a[XFRMA_TMPL]), sizeof(ret->t));
	ret->found = true;
	return 0;
}

/* Of charon's policy for packets to the peer. */
static int read_template(struct netlink *nl, uint32_t if_id, uint8_t family,
			 struct policy_template *ret, struct sn_error *e)
{
	union netlink_request req;
	struct xfrm_userpolicy_id *id = netlink_begin(&req, XFRM_MSG_GETPOLICY, 0, sizeof(*id));
	int r;

	ret->found = false;
	id->sel.family = family;
	id->dir = XFRM_POLICY_OUT;
	mnl_attr_put_u32(&req.h, XFRMA_IF_ID, if_id);
	r = netlink_ask(nl, &req.h, on_template, ret, e);
	return r == -ENOENT ? 0 : r;
}

static int hold_half(struct netlink *nl, uint32_t if_id, uint8_t family, unsigned half,
		     const struct xfrm_user_tmpl *t, unsigned seconds, struct sn_error *e)
{
	union netlink_request req;
	struct xfrm_userpolicy_info *info =
		netlink_begin(&req, XFRM_MSG_UPDPOLICY, 0, sizeof(*info));

	select_half(&info->sel, family, half);
	info->dir = XFRM_POLICY_OUT;
	info->action = XFRM_POLICY_ALLOW;
	info->priority = HOLD_PRIORITY;
	info->lft.soft_byte_limit = info->lft.hard_byte_limit = XFRM_INF;
	info->lft.soft_packet_limit = info->lft.hard_packet_limit = XFRM_INF;
	info->lft.hard_add_expires_seconds = seconds;
	mnl_attr_put(&req.h, XFRMA_TMPL, sizeof(*t), t);
	mnl_attr_put_u32(&req.h, XFRMA_IF_ID, if_id);
	return netlink_order(nl, &req.h, e);
}

static const uint8_t families[] = { AF_INET, AF_INET6 };

int xfrm_hold(struct netlink *nl, uint32_t if_id, uint32_t spi, unsigned seconds,
	      struct sn_error *e)
{
	bool held = false;

	for (size_t i = 0; i < SN_ARRAY_SIZE(families); i++) {
		struct policy_template t;

		if (read_template(nl, if_id, families[i], &t, e) < 0)
			return e->code;
		if (!t.found || t.t.id.spi != htonl(spi))
			continue;
		for (unsigned half = 0; half < 2; half++)
			if (hold_half(nl, if_id, families[i], half, &t.t, seconds, e) < 0)
				return e->code;
		held = true;
	}
	return held ? 0 : sn_error_set(e, -ESTALE, "no policy names SA %08x", spi);
}

int xfrm_release(struct netlink *nl, uint32_t if_id, struct sn_error *e)
{
	int result = 0;

	for (unsigned i = 0; i < 2 * SN_ARRAY_SIZE(families); i++) {
		union netlink_request req;
		struct xfrm_userpolicy_id *id =
			netlink_begin(&req, XFRM_MSG_DELPOLICY, 0, sizeof(*id));
		int r;

		select_half(&id->sel, families[i / 2], i % 2);
		id->dir = XFRM_POLICY_OUT;
		mnl_attr_put_u32(&req.h, XFRMA_IF_ID, if_id);
		r = delete_it(nl, &req, e);
		result = r < 0 ? r : result;
	}
	return result;
}
