/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random sets of objects, one after the other in one namespace: whatever was
 * there before, after some passes the kernel has what is wanted and nothing
 * else of ours, and a foreign object beside it is as it was.
 */
#include "net/nft.h"

#include "netns_fixture.h"

#define ROUNDS 25

static uint32_t seed;

/* Numerical Recipes' generator: the same sets for the same seed everywhere. */
static unsigned below(unsigned bound)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % bound;
}

static void random_links(struct object_set *set)
{
	for (unsigned i = 0; i < 3; i++) {
		char name[IFNAMSIZ], address[32];

		if (below(3) == 0)
			continue;
		snprintf(name, sizeof(name), "snbr%u", i);
		want_bridge(set, name);
		set->o.v[set->o.n - 1].link->mtu = 1300 + (int)below(3) * 100;
		set->o.v[set->o.n - 1].link->mac[4] = (uint8_t)below(2);
		for (unsigned k = 0; k < below(3); k++) {
			snprintf(address, sizeof(address), "10.42.%u.%u/24", i, k + 1);
			want_address(set, name, address);
		}
	}
}

static void random_routes(struct object_set *set)
{
	unsigned n = below(30);

	for (unsigned i = 0; i < n; i++) {
		char dst[32];
		struct object_route *o;

		snprintf(dst, sizeof(dst), "10.42.%u.0/24", i + 10);
		if (below(4) == 0)
			continue;
		want_route(set, dst, "lo", below(2) ? "127.0.0.1" : NULL);
		o = &set->o.v[set->o.n - 1].route;
		o->table = below(5) ? 254 : 1000;
		o->metric = below(3);
		if (below(6) == 0) {
			o->unreachable = true;
			o->oif[0] = '\0';
			o->src = (struct sn_addr){ 0 };
		}
	}
	if (below(2))
		want_unreachable(set, "10.42.0.0/16");
}

static void random_tables(struct object_set *set)
{
	static const char *const families[] = { "ip", "inet", "bridge", "netdev", "ip6" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(families); i++) {
		_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
		unsigned chains = below(3);

		if (below(2))
			continue;
		for (unsigned k = 0; k < chains; k++)
			strbuf_addf(&body, "%s\tchain c%u {\n\t\tmeta mark 0x%08x drop\n\t}\n",
				    k ? "\n" : "", k, 1 + below(9));
		want_table(set, families[i], strbuf_str(&body));
	}
}

static void random_sysctls(struct object_set *set)
{
	static const char *const paths[] = { "net/ipv4/conf/lo/forwarding",
					     "net/ipv4/conf/lo/rp_filter",
					     "net/ipv6/conf/lo/forwarding" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(paths); i++) {
		if (below(2))
			want_sysctl(set, paths[i], below(2) ? "1" : "0");
	}
}

static void random_set(struct object_set *set)
{
	random_links(set);
	random_routes(set);
	random_tables(set);
	random_sysctls(set);
	object_set_sort(set);
}

/* Each wanted object is observed as wanted; nothing else is, but the sysctls named. */
static void expect_observed(struct fixture *f, const struct object_set *wanted)
{
	_cleanup_object_set_ struct object_set observed = { 0 };
	unsigned known;

	net_observe(f->net, wanted, &observed, &known);
	assert_int_equal(known, OBJECT_ALL_NET);
	assert_int_equal(observed.o.n, wanted->o.n);
	for (size_t i = 0; i < wanted->o.n; i++) {
		_cleanup_strbuf_ struct strbuf difference = STRBUF_INIT;

		assert_int_equal(object_cmp(&observed.o.v[i], &wanted->o.v[i]), 0);
		if (object_equal(&observed.o.v[i], &wanted->o.v[i]))
			continue;
		object_add_name(&wanted->o.v[i], &difference);
		object_add_difference(&observed.o.v[i], &wanted->o.v[i], &difference);
		fail_msg("%s", strbuf_str(&difference));
	}
}

static void random_sets_are_reached_from_each_other(void **state)
{
	struct fixture *f = fixture_get(state);

	seed = (uint32_t)sn_wall_ms();
	print_message("seed %u\n", seed);
	sh("ip route add 10.42.12.0/24 dev lo proto static metric 77");
	sh("nft add table inet foreign && ip link add snx0 type bridge");
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_object_set_ struct object_set wanted = { 0 };

		random_set(&wanted);
		fixture_converge(f, &wanted);
		expect_observed(f, &wanted);
		if (below(5) == 0)
			fixture_restart(f);
	}
	sh("ip route show 10.42.12.0/24 proto static | grep -q 'metric 77'");
	sh("nft list table inet foreign >/dev/null && ip link show snx0 >/dev/null");
}

/* The time of one observation of an average guard beside a container engine's 3,000 rules. */
static void table_is_listed_fast_whatever_others_have(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct nft *nft;
	struct sn_error e;
	int64_t best = 1000;

	strbuf_adds(&body, "\tset own {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
			   "\t\telements = { 10.42.1.0/24 }\n\t}\n\n\tchain c {\n");
	for (int i = 0; i < 60; i++)
		strbuf_addf(&body, "\t\tiifname \"eth%d\" ip saddr 10.42.0.0/16 drop\n", i);
	strbuf_adds(&body, "\t}\n");
	want_table(&wanted, "inet", strbuf_str(&body));
	fixture_converge(f, &wanted);
	sh("{ echo 'table ip big { chain c {'; for i in $(seq 1 3000); do "
	   "echo ip saddr 10.1.$((i / 250)).$((i %% 250)) tcp dport $i drop; done; echo '}'; echo "
	   "'}'; } | "
	   "nft -f -");
	assert_int_equal(nft_new(&nft, &e), 0);
	for (int i = 0; i < 20; i++) {
		_cleanup_object_set_ struct object_set observed = { 0 };
		int64_t begin = sn_now_ms();

		assert_int_equal(nft_observe(nft, &observed, &e), 0);
		assert_int_equal(observed.o.n, 1);
		best = SN_MIN(best, sn_now_ms() - begin);
	}
	nft_free(nft);
	print_message("listed in %d ms\n", (int)best);
	assert_true(best < LOOP_SLOW_TURN_MS / 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(random_sets_are_reached_from_each_other),
		T(table_is_listed_fast_whatever_others_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
