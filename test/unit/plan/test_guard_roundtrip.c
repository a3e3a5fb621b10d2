/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of each table of ours is what nft prints of it: loaded into a fresh
 * network namespace by libnftables, listed, compared byte for byte.
 */
#include "plan/guard.h"
#include "plan/stand_in.h"

#include "mesh.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <nftables/libnftables.h>

static const struct guard_tunnel tunnels[] = {
	{ .device = "ipsec0" },
	{ .group = SENNIT_GROUP_TUNNEL, .kernel_esp = true },
};

static struct nft_ctx *nft;

static const char *run(const char *command)
{
	if (nft_run_cmd_from_buffer(nft, command) != 0) {
		print_error("%s\n%s", command, nft_ctx_get_error_buffer(nft));
		fail();
	}
	return nft_ctx_get_output_buffer(nft);
}

static void expect_same_listing(const struct object_nft *t)
{
	_cleanup_free_ char *list = xasprintf("list table %s %s", t->family, t->name);

	run("flush ruleset");
	run(t->text);
	assert_string_equal(run(list), t->text);
}

static void expect_roundtrip(const struct mesh *m)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(tunnels); i++) {
		_cleanup_object_set_ struct object_set set = { 0 };

		guard_add_tables(&m->intent, &tunnels[i], &set);
		assert_int_equal(set.o.n, 2);
		array_foreach(&set.o, o)
			expect_same_listing(&o->nft);
	}
}

static void default_mesh_lists_as_written(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 3, NULL);
	mesh_finish(&m);
	expect_roundtrip(&m);
}

static void switches_list_as_written(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		_cleanup_mesh_ struct mesh m;

		mesh_init(&m, 1, NULL);
		mesh_finish(&m);
		m.config->masquerade = bits & 1;
		m.intent.uplink_forwarding = bits & 2;
		m.intent.alone = bits & 8;
		if (bits & 4)
			m.intent.uplink[0] = '\0';
		expect_roundtrip(&m);
	}
}

static void any_number_of_own_prefixes_lists_as_written(void **state)
{
	static const char *const prefixes[] = { "10.42.0.0/24",   "10.42.1.0/24",  "10.42.2.0/25",
						"10.42.2.128/25", "10.42.9.7/32",  "10.42.9.8/32",
						"10.42.9.10/32",  "10.42.10.0/31", "10.42.16.0/20",
						"10.42.64.0/18",  "10.42.255.0/24" };

	(void)state;
	for (size_t n = 0; n <= SN_ARRAY_SIZE(prefixes); n++) {
		_cleanup_mesh_ struct mesh m;

		mesh_init(&m, 1, "10.42.0.0/16");
		for (size_t i = n; i-- > 0;)
			mesh_add_prefix(&m, 1, prefixes[i]);
		mesh_finish(&m);
		expect_roundtrip(&m);
	}
}

/* 0x2545F491 steps through all of 0..65535 in a scattered order. */
static void attach_scattered(struct mesh *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		_cleanup_free_ char *addr = xasprintf("10.42.1.%u/16", 2 + i * 37 % 251);

		if (i >= 100) {
			free(addr);
			addr = xasprintf("10.42.%u.%u/16", 2 + i * 91 % 253, i * 37 % 251);
		}
		mesh_attach(m, addr, i * 0x2545F491u);
	}
}

static void any_number_of_containers_lists_as_written(void **state)
{
	static const unsigned counts[] = { 0, 1, 2, 3, 50, 250 };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(counts); i++) {
		_cleanup_mesh_ struct mesh m;

		mesh_init(&m, 1, NULL);
		mesh_finish(&m);
		attach_scattered(&m, counts[i]);
		expect_roundtrip(&m);
	}
}

/* Never so in a real table, but the order must not hang on that. */
static void containers_of_one_address_list_as_written(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 1, NULL);
	mesh_finish(&m);
	for (uint32_t i = 0; i < 20; i++)
		mesh_attach(&m, "10.42.1.7/24", i);
	for (uint32_t i = 0; i < 20; i++) {
		mesh_attach(&m, "10.42.1.8/24", i);
		memset(m.attachments[20 + i].mac, 2, SN_MAC_SIZE);
	}
	expect_roundtrip(&m);
}

static void ipv6_overlay_lists_as_written(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 1, "fd42:1::/32");
	mesh_add_prefix(&m, 1, "fd42:1:1::/64");
	mesh_add_prefix(&m, 1, "fd42:1:2::/64");
	mesh_add_prefix(&m, 1, "fd42:1:3::7/128");
	mesh_finish(&m);
	expect_roundtrip(&m);
	m.intent.ipv6_forwarding = true;
	expect_roundtrip(&m);
}

/* Also MACs with zeros in front, and addresses that end alike. */
static void ipv6_containers_list_as_written(void **state)
{
	static const char *const subnets[] = { "fd42:1:1::", "fd42:1:2::", "fd42:1:1:0:ff00::" };
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 1, "fd42:1::/32");
	mesh_add_prefix(&m, 1, "fd42:1:1::/64");
	mesh_add_prefix(&m, 1, "fd42:1:2::/64");
	mesh_finish(&m);
	for (uint32_t i = 0; i < 60; i++) {
		_cleanup_free_ char *addr = xasprintf("%s%x/64", subnets[i % 3], 2 + i * 37 % 512);

		mesh_attach(&m, addr, i);
		if (i % 7 == 0)
			memset(m.attachments[i].mac, 0, 1 + i % 5);
	}
	expect_roundtrip(&m);
}

static void init_dual(struct mesh *m, const char *more4, const char *own6, const char *more6)
{
	mesh_init(m, 2, NULL);
	mesh_add_overlay(m, "fd42:1::/32");
	if (more4)
		mesh_add_prefix(m, 1, more4);
	if (own6)
		mesh_add_prefix(m, 1, own6);
	if (more6)
		mesh_add_prefix(m, 1, more6);
	mesh_finish(m);
}

/* Sets of own prefixes for one family, the other, both, none; a host with none of IPv6. */
static void dual_stack_lists_as_written(void **state)
{
	static const char *const rows[][3] = {
		{ NULL, "fd42:1:1::/64", NULL },
		{ "10.42.9.7/32", "fd42:1:1::/64", NULL },
		{ NULL, "fd42:1:1::/64", "fd42:1:3::7/128" },
		{ "10.42.9.7/32", "fd42:1:1::/64", "fd42:1:3::7/128" },
		{ NULL, NULL, NULL },
		{ "10.42.9.7/32", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_mesh_ struct mesh m;

		init_dual(&m, rows[i][0], rows[i][1], rows[i][2]);
		expect_roundtrip(&m);
		m.config->masquerade = true;
		m.intent.alone = true;
		m.intent.ipv6_forwarding = true;
		expect_roundtrip(&m);
	}
}

/* With addresses of both, or of one only. */
static void dual_stack_containers_list_as_written(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	init_dual(&m, NULL, "fd42:1:1::/64", NULL);
	for (uint32_t i = 0; i < 60; i++) {
		_cleanup_free_ char *v4 = xasprintf("10.42.1.%u/24", 2 + i * 37 % 251);
		_cleanup_free_ char *v6 = xasprintf("fd42:1:1::%x/64", 2 + i * 37 % 512);

		mesh_attach(&m, i % 5 ? v4 : v6, i);
		if (i % 3)
			mesh_add_address(&m.attachments[i], i % 5 ? v6 : v4);
	}
	expect_roundtrip(&m);
}

/* Only for the families in which this host has an underlay; the guard is neither of them. */
static void stand_in_lists_as_written(void **state)
{
	_cleanup_object_set_ struct object_set none = { 0 }, v4 = { 0 }, both = { 0 };
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 3, NULL);
	mesh_finish(&m);
	stand_in_add_tables(&m.intent, &none);
	assert_int_equal(none.o.n, 0);
	m.intent.stand_in = (struct intent_stand_in){ 41234, 45678 };
	stand_in_add_tables(&m.intent, &v4);
	assert_int_equal(v4.o.n, 1);
	assert_int_equal(sn_addr_parse("2001:db8::1", &m.config->underlay_address), 0);
	stand_in_add_tables(&m.intent, &both);
	assert_int_equal(both.o.n, 2);
	array_foreach(&both.o, o) {
		expect_same_listing(&o->nft);
		assert_false(object_is_guard(o));
	}
}

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft || nft_ctx_buffer_output(nft) || nft_ctx_buffer_error(nft))
		return -1;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_STATELESS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nft_ctx_free(nft);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_mesh_lists_as_written),
		cmocka_unit_test(switches_list_as_written),
		cmocka_unit_test(any_number_of_own_prefixes_lists_as_written),
		cmocka_unit_test(any_number_of_containers_lists_as_written),
		cmocka_unit_test(containers_of_one_address_list_as_written),
		cmocka_unit_test(ipv6_overlay_lists_as_written),
		cmocka_unit_test(stand_in_lists_as_written),
		cmocka_unit_test(ipv6_containers_list_as_written),
		cmocka_unit_test(dual_stack_lists_as_written),
		cmocka_unit_test(dual_stack_containers_list_as_written),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
