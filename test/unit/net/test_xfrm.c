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

static size_t count(const char *what)
{
	char command[160];
	size_t n = 0;
	FILE *p;

	snprintf(command, sizeof(command), "ip xfrm policy | grep -c '%s'", what);
	p = popen(command, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%zu", &n), 1);
	pclose(p);
	return n;
}

/* As charon's. */
static void make_policy(const char *all, const char *from, const char *to, uint32_t spi)
{
	sh("ip xfrm policy update src %s dst %s dir out priority 399999 "
	   "tmpl src %s dst %s proto esp spi %u reqid 5 mode tunnel if_id 5",
	   all, all, from, to, spi);
}

static size_t count_holds(struct netlink *nl)
{
	_cleanup_net_xfrm_ struct net_xfrm x = { 0 };
	struct sn_error e;
	size_t n = 0;

	assert_int_equal(xfrm_read(nl, &x, &e), 0);
	array_foreach(&x.policies, policy)
		n += policy->hold;
	return n;
}

/* charon's goes on to the next SA, ours stay with the one that is asked for. */
static void packets_are_held_to_an_sa(void **state)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct sn_error e;

	fixture_get(state);
	assert_int_equal(netlink_new(NETLINK_XFRM, &nl, &e), 0);
	assert_int_equal(xfrm_hold(nl, IF_ID, SPI, 60, &e), -ESTALE);
	make_policy("0.0.0.0/0", "192.0.2.1", "192.0.2.2", SPI);
	assert_int_equal(xfrm_hold(nl, IF_ID, SPI + 1, 60, &e), -ESTALE);
	assert_int_equal(xfrm_hold(nl, IF_ID + 1, SPI, 60, &e), -ESTALE);
	assert_int_equal(count_holds(nl), 0);
	if (xfrm_hold(nl, IF_ID, SPI, 60, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(xfrm_hold(nl, IF_ID, SPI, 60, &e), 0);
	make_policy("0.0.0.0/0", "192.0.2.1", "192.0.2.2", SPI + 1);
	assert_int_equal(count_holds(nl), 2);
	assert_int_equal(count("dst 0.0.0.0/1 "), 1);
	assert_int_equal(count("dst 128.0.0.0/1 "), 1);
	assert_int_equal(count("spi 0x00000100 "), 2);
	assert_int_equal(count("spi 0x00000101 "), 1);
	assert_int_equal(xfrm_hold(nl, IF_ID, SPI, 60, &e), -ESTALE);
	make_policy("::/0", "192.0.2.1", "192.0.2.2", SPI + 1);
	assert_int_equal(xfrm_hold(nl, IF_ID, SPI + 1, 60, &e), 0);
	assert_int_equal(count_holds(nl), 4);
	assert_int_equal(xfrm_release(nl, IF_ID, &e), 0);
	assert_int_equal(xfrm_release(nl, IF_ID, &e), 0);
	assert_int_equal(count_holds(nl), 0);
	assert_int_equal(count("dir out"), 2);
}

static bool is_held(struct netlink *nl)
{
	return count_holds(nl) > 0;
}

/* Whoever held may have died. */
static void the_kernel_lets_go_by_itself(void **state)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct fixture *f = fixture_get(state);
	int64_t limit = sn_now_ms() + FIXTURE_LIMIT_MS;
	struct sn_error e;

	assert_int_equal(netlink_new(NETLINK_XFRM, &nl, &e), 0);
	make_policy("0.0.0.0/0", "192.0.2.1", "192.0.2.2", SPI);
	assert_int_equal(xfrm_hold(nl, IF_ID, SPI, 1, &e), 0);
	assert_true(is_held(nl));
	while (is_held(nl) && sn_now_ms() < limit)
		fixture_spin(f, 20);
	assert_false(is_held(nl));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_sa_without_keys_is_none, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(packets_are_held_to_an_sa, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(the_kernel_lets_go_by_itself, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
