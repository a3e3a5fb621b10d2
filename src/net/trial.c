/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/trial.h"

#include "net/link.h"
#include "net/net.h"
#include "net/nft.h"
#include "net/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netlink/route/link.h>
#include <netlink/route/link/xfrmi.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>

SN_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put);

/* AES-128 in GCM: 16 bytes of key and 4 of salt (RFC 4106 §8.1), 16 of tag. */
#define TRY_KEY_SIZE 20
#define TRY_ICV_BITS 128
#define TRY_SPI 0x5e44177u
#define TRY_IF_ID 1
#define TRY_NAME "try"

struct trial {
	int (*run)(const char *arg, struct sn_error *e);
	const char *arg;
	struct sn_error *e;
	int result;
};

static void *trial_thread(void *arg)
{
	struct trial *t = arg;

	if (unshare(CLONE_NEWNET) < 0)
		t->result = sn_error_set(t->e, -EPERM, "a network namespace to try it in: %s",
					 sn_strerror(-errno));
	else
		t->result = t->run(t->arg, t->e);
	return NULL;
}

static int trial_run(int (*run)(const char *arg, struct sn_error *e), const char *arg,
		     struct sn_error *e)
{
	struct trial t = { run, arg, e, 0 };
	int r = thread_run(trial_thread, &t);

	return r < 0 ? sn_error_set(e, r, "a thread: %s", sn_strerror(r)) : t.result;
}

/* Documentation addresses (RFC 5737); a key of zeros, which never meets a packet. */
static int try_state(struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union {
		struct xfrm_algo_aead algo; /* the key stands after it */
		char space[sizeof(struct xfrm_algo_aead) + TRY_KEY_SIZE];
	} aead = { .space = { 0 } };
	union netlink_request req;
	struct xfrm_usersa_info *sa =
		netlink_begin(&req, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, sizeof(*sa));

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
	if (netlink_new(NETLINK_XFRM, &nl, e) < 0 || netlink_order(nl, &req.h, e) < 0)
		return sn_error_wrap(e, "an ESP security association with AES-GCM");
	return 0;
}

static int add_link(struct rtnl_link *link, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;

	if (netlink_new(NETLINK_ROUTE, &nl, e) < 0)
		return e->code;
	return link_send(nl, link, NLM_F_CREATE | NLM_F_EXCL, e);
}

static int try_esp(const char *arg, struct sn_error *e)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_xfrmi_alloc();

	(void)arg;
	sn_require(link);
	if (try_state(e) < 0)
		return e->code;
	rtnl_link_set_name(link, TRY_NAME);
	rtnl_link_xfrmi_set_if_id(link, TRY_IF_ID);
	return add_link(link, e) < 0 ? sn_error_wrap(e, "an XFRM interface") : 0;
}

int trial_esp(struct sn_error *e)
{
	return trial_run(try_esp, NULL, e);
}

static int try_tun(const char *arg, struct sn_error *e)
{
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	(void)arg;
	if (fd < 0)
		return sn_error_set(e, -errno, "/dev/net/tun: %s", sn_strerror(-errno));
	strcpy(req.ifr_name, TRY_NAME);
	if (ioctl(fd, TUNSETIFF, &req) < 0)
		return sn_error_set(e, -errno, "a TUN device: %s", sn_strerror(-errno));
	return 0;
}

int trial_tun(struct sn_error *e)
{
	return trial_run(try_tun, NULL, e);
}

static int try_link(const char *kind, struct sn_error *e)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();

	sn_require(link);
	rtnl_link_set_name(link, TRY_NAME);
	if (rtnl_link_set_type(link, kind) < 0)
		return sn_error_set(e, -EOPNOTSUPP, "libnl knows no link of kind %s", kind);
	return add_link(link, e) < 0 ? sn_error_wrap(e, "a link of kind %s", kind) : 0;
}

int trial_link(const char *kind, struct sn_error *e)
{
	return trial_run(try_link, kind, e);
}

int trial_nft(const char *commands, struct sn_error *e)
{
	return trial_run(nft_try, commands, e);
}

int trial_stand_in(struct sn_error *e)
{
	return trial_nft("add table ip t; "
			 "add chain ip t c { type filter hook prerouting priority -150; }; "
			 "add rule ip t c udp dport 4500 @th,64,32 != 0x0 fib daddr type local "
			 "tproxy to 127.0.0.1:4500",
			 e);
}

bool net_has_kernel_esp(struct net *net)
{
	struct sn_error e;

	(void)net;
	return trial_esp(&e) == 0;
}
