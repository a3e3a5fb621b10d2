/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/xfrm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>

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
