/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells, and how soon. */
#include "net/watch.h"

#include "netns_fixture.h"

/* From the change to the call, on a machine that others use too. */
#define SOON_MS 200

static void start(struct fixture *f)
{
	struct sn_error e;

	if (net_watch(f->net, fixture_on_change, f, &e) < 0)
		fail_msg("%s", e.text);
	f->wait_for = ~0u;
}

/* Lets everything that is on its way be told. */
static void quiet(struct fixture *f)
{
	do {
		f->kinds = 0;
		f->calls = 0;
		f->device[0] = '\0';
		fixture_spin(f, 20);
	} while (f->calls > 0);
}

static void tells_of_each_kind_soon(void **state)
{
	static const struct {
		const char *command;
		enum object_kind kind;
	} hands[] = {
		{ "ip route del 10.42.2.0/24", OBJECT_ROUTE },
		{ "ip route replace 10.42.3.0/24 dev lo proto static", OBJECT_ROUTE },
		{ "ip addr del 10.42.1.1/24 dev snbr0", OBJECT_ADDRESS },
		{ "nft delete table inet sennit", OBJECT_NFT },
		{ "nft flush ruleset", OBJECT_NFT },
		{ "nft add table inet foreign", OBJECT_NFT },
		{ "nft delete table inet foreign", OBJECT_NFT },
		{ "sysctl -qw net.ipv4.conf.lo.forwarding=0", OBJECT_SYSCTL },
		{ "iptables -N DOCKER-USER", OBJECT_RULE },
		{ "iptables -A DOCKER-USER -j RETURN", OBJECT_RULE },
		{ "iptables -F DOCKER-USER", OBJECT_RULE },
		{ "ip link set snbr0 mtu 1300", OBJECT_LINK },
		{ "ip link set snbr0 down", OBJECT_ROUTE },
		{ "ip link del snbr0", OBJECT_LINK },
	};
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };

	want_bridge(&wanted, "snbr0");
	want_address(&wanted, "snbr0", "10.42.1.1/24");
	want_route(&wanted, "10.42.2.0/24", "snbr0", NULL);
	want_route(&wanted, "10.42.3.0/24", "snbr0", NULL);
	want_sysctl(&wanted, "net/ipv4/conf/lo/forwarding", "1");
	want_table(&wanted, "inet", GUARD_BODY);
	want_table(&wanted, "ip", GUARD_BODY);
	object_set_sort(&wanted);
	fixture_converge(f, &wanted);
	start(f);
	for (size_t i = 0; i < SN_ARRAY_SIZE(hands); i++) {
		int64_t ms;

		quiet(f);
		sh("%s", hands[i].command);
		ms = fixture_wait_told(f, OBJECT_BIT(hands[i].kind));
		if (ms > SOON_MS)
			fail_msg("'%s' was told after %d ms", hands[i].command, (int)ms);
	}
}

static void does_not_tell_of_what_cannot_be_ours(void **state)
{
	static const char *const hands[] = {
		"nft add chain inet foreign c",
		"iptables -N DOCKER-USER-2",
		"iptables -A FORWARD -j ACCEPT",
		"nft add chain ip sennitx DOCKER-USER",
		"ip route add 10.7.0.0/16 dev lo proto static",
		"ip route del 10.7.0.0/16",
		"ip link set lo mtu 60000",
		"ip neigh add 10.1.1.1 dev lo lladdr 02:00:00:00:00:01",
	};
	struct fixture *f = fixture_get(state);

	sh("nft add table inet foreign; nft add table ip sennitx; iptables -N BEFORE");
	start(f);
	for (size_t i = 0; i < SN_ARRAY_SIZE(hands); i++) {
		quiet(f);
		sh("%s", hands[i]);
		fixture_spin(f, 20);
		if (f->calls)
			fail_msg("'%s' was told, kinds %x", hands[i], f->kinds);
	}
}

static void names_a_device_that_came_or_went(void **state)
{
	struct fixture *f = fixture_get(state);

	start(f);
	sh("ip tuntap add ipsec0 mode tun");
	fixture_wait_told(f, OBJECT_BIT(OBJECT_LINK) | OBJECT_BIT(OBJECT_ROUTE));
	assert_string_equal(f->device, "ipsec0");
	quiet(f);
	sh("ip link set ipsec0 up");
	fixture_wait_told(f, OBJECT_BIT(OBJECT_LINK));
	assert_string_equal(f->device, "ipsec0");
	quiet(f);
	sh("ip tuntap del ipsec0 mode tun");
	fixture_wait_told(f, OBJECT_BIT(OBJECT_LINK));
	assert_string_equal(f->device, "ipsec0");
}

static int watch_underlay(struct fixture *f, const struct sn_addr *addrs, size_t n,
			  const char *otherwise)
{
	struct net_underlay underlay;

	net_underlay_read(f->net, addrs, n, otherwise, &underlay);
	net_watch_underlay(f->net, &underlay);
	return underlay.mtu;
}

static void names_the_underlay_when_its_mtu_changes(void **state)
{
	struct sn_addr addrs[2];
	struct fixture *f = fixture_get(state);

	sn_addr_parse("192.0.2.1", &addrs[0]);
	sn_addr_parse("192.0.2.2", &addrs[1]);
	sh("ip tuntap add eth0 mode tap && ip tuntap add eth1 mode tap");
	sh("ip tuntap add other mode tap && ip addr add 192.0.2.1/24 dev eth0");
	sh("ip link set eth1 mtu 1450");
	start(f);
	assert_int_equal(watch_underlay(f, addrs, 2, "eth1"), 1500);
	sh("ip addr add 192.0.2.2/24 dev eth1");
	assert_int_equal(watch_underlay(f, NULL, 0, "eth1"), 1450);
	assert_int_equal(watch_underlay(f, NULL, 0, "eth9"), 0);
	assert_int_equal(watch_underlay(f, addrs, 2, ""), 1450);
	quiet(f);
	sh("ip link set eth0 mtu 1400");
	fixture_wait_told(f, OBJECT_BIT(OBJECT_LINK));
	assert_string_equal(f->device, "eth0");
	assert_int_equal(watch_underlay(f, addrs, 2, ""), 1400);
	quiet(f);
	sh("ip link set other mtu 1400");
	fixture_spin(f, 50);
	assert_int_equal(f->calls, 0);
}

static void own_changes_end_in_silence(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_pass_ struct pass p;

	want_bridge(&wanted, "snbr0");
	want_address(&wanted, "snbr0", "10.42.1.1/24");
	want_table(&wanted, "inet", GUARD_BODY);
	object_set_sort(&wanted);
	start(f);
	fixture_converge(f, &wanted);
	quiet(f);
	/* observing and an empty plan cause nothing to tell */
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.steps, 0);
	fixture_spin(f, 20);
	assert_int_equal(f->calls, 0);
}

static void burst_is_told_in_few_calls(void **state)
{
	struct fixture *f = fixture_get(state);

	start(f);
	quiet(f);
	sh("for i in $(seq 1 50); do echo route add 10.42.$i.0/24 dev lo proto 83; done | ip -b -");
	fixture_wait_told(f, OBJECT_BIT(OBJECT_ROUTE));
	fixture_spin(f, 20);
	assert_in_range(f->calls, 1, 3);
}

static void lost_events_count_as_a_change_of_all(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_(watch_freep) struct watch *w = NULL;
	struct sn_error e;

	/* the kernel makes it its minimum, some 2 KiB */
	assert_int_equal(watch_new(f->loop, 1, fixture_on_change, f, &w, &e), 0);
	sh("for i in $(seq 1 200); do echo route add 10.42.$i.0/24 dev lo proto 83; done | ip -b "
	   "-");
	fixture_wait_told(f, OBJECT_ALL_NET);
	/* and it goes on hearing */
	quiet(f);
	sh("ip route del 10.42.7.0/24");
	fixture_wait_told(f, OBJECT_BIT(OBJECT_ROUTE));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(tells_of_each_kind_soon),
		T(does_not_tell_of_what_cannot_be_ours),
		T(names_a_device_that_came_or_went),
		T(names_the_underlay_when_its_mtu_changes),
		T(own_changes_end_in_silence),
		T(burst_is_told_in_few_calls),
		T(lost_events_count_as_a_change_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
