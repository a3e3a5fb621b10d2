/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has of SAs; on one without ESP there are only those that have no keys. */
#include "net/xfrm.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>

#include "netns_fixture.h"

#define IF_ID 5
#define SPI 0x100

/* As the kernel does by itself for a packet whose SA it misses. */
static void make_without_keys(struct netlink *nl)
{
	union netlink_request req;
	struct xfrm_userspi_info *order = netlink_begin(&req, XFRM_MSG_ALLOCSPI, 0, sizeof(*order));
	struct sn_error e;

	order->info.id.daddr.a4 = htonl(0xc0000202);
	order->info.id.proto = IPPROTO_ESP;
	order->info.family = AF_INET;
	order->info.mode = XFRM_MODE_TUNNEL;
	order->min = order->max = SPI;
	mnl_attr_put_u32(&req.h, XFRMA_IF_ID, IF_ID);
	if (netlink_order(nl, &req.h, &e) < 0)
		fail_msg("%s", e.text);
}

static void an_sa_without_keys_is_none(void **state)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	_cleanup_net_xfrm_ struct net_xfrm x = { 0 };
	struct sn_error e;

	fixture_get(state);
	assert_int_equal(netlink_new(NETLINK_XFRM, &nl, &e), 0);
	make_without_keys(nl);
	assert_true(sh_ok("ip xfrm state | grep -q 'spi 0x00000100'"));
	assert_int_equal(xfrm_read(nl, &x, &e), 0);
	assert_int_equal(x.sas.n, 0);
	/* one with keys, where the kernel makes it */
	if (!sh_ok("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 9 mode tunnel "
		   "if_id 5 aead 'rfc4106(gcm(aes))' "
		   "0x0000000000000000000000000000000000000000 128"))
		return;
	net_xfrm_fini(&x);
	assert_int_equal(xfrm_read(nl, &x, &e), 0);
	assert_int_equal(x.sas.n, 1);
	assert_int_equal(x.sas.v[0].spi, 9);
	assert_int_equal(x.sas.v[0].if_id, IF_ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_sa_without_keys_is_none, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
