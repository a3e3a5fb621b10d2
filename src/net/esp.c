/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel can carry ESP: a security association and an XFRM
 * interface are made, in a network namespace that lives as long as the thread
 * that tries. The host's own state is never touched, and nothing is left.
 */
#include "net/link.h"
#include "net/net.h"
#include "net/thread.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netlink/route/link.h>
#include <netlink/route/link/xfrmi.h>
#include <sched.h>
#include <stdio.h>

SN_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put);

/* AES-128 in GCM: 16 bytes of key and 4 of salt (RFC 4106 §8.1), 16 of tag. */
#define TRY_KEY_SIZE 20
#define TRY_ICV_BITS 128
#define TRY_SPI 0x5e44177u
#define TRY_IF_ID 1

/* Documentation addresses (RFC 5737); a key of zeros, which never meets a packet. */
static bool try_state(void)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union {
		struct xfrm_algo_aead algo; /* the key stands after it */
		char space[sizeof(struct xfrm_algo_aead) + TRY_KEY_SIZE];
	} aead = { .space = { 0 } };
	union netlink_request req;
	struct xfrm_usersa_info *sa =
		netlink_begin(&req, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, sizeof(*sa));
	struct sn_error e;

	sa->family = AF_INET;
	sa->mode = XFRM_MODE_TUNNEL;
	sa->saddr.a4 = htonl(0xc0000201);    /* 192.0.2.1 */
	sa->id.daddr.a4 = htonl(0xc0000202); /* 192.0.2.2 */
	sa->id.spi = htonl(TRY_SPI);
	sa->id.proto = IPPROTO_ESP;
	sa->lft.soft_byte_limit = sa->lft.hard_byte_limit = XFRM_INF;
	sa->lft.soft_packet_limit = sa->lft.hard_packet_limit = XFRM_INF;
	aead.algo.alg_key_len = 8 * TRY_KEY_SIZE;
	aead.algo.alg_icv_len = TRY_ICV_BITS;
	snprintf(aead.algo.alg_name, sizeof(aead.algo.alg_name), "rfc4106(gcm(aes))");
	mnl_attr_put(&req.h, XFRMA_ALG_AEAD, sizeof(aead.space), aead.space);
	return netlink_new(NETLINK_XFRM, &nl, &e) == 0 && netlink_order(nl, &req.h, &e) == 0;
}

static bool try_interface(void)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_xfrmi_alloc();
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct sn_error e;

	sn_require(link);
	rtnl_link_set_name(link, "try");
	rtnl_link_xfrmi_set_if_id(link, TRY_IF_ID);
	return netlink_new(NETLINK_ROUTE, &nl, &e) == 0 &&
	       link_send(nl, link, NLM_F_CREATE | NLM_F_EXCL, &e) == 0;
}

static void *try_thread(void *arg)
{
	bool *ret = arg;

	*ret = unshare(CLONE_NEWNET) == 0 && try_state() && try_interface();
	return NULL;
}

bool net_has_kernel_esp(struct net *net)
{
	bool has = false;

	(void)net;
	return thread_run(try_thread, &has) == 0 && has;
}
