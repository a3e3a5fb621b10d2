/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of an underlay packet, against a packet built up field by field. */
#include "plan/mtu.h"

#include "mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Of ESP in UDP around n bytes of IP: RFC 3948 §2.1 over RFC 4303 §2, AES-GCM-16. */
static int packet_size(int n, uint8_t family)
{
	int padded = n + 2; /* pad length, next header */

	while (padded % 4)
		padded++;
	return (family == AF_INET6 ? 40 : 20) + 8 + 4 + 4 + 8 + padded + 16;
}

static void as_much_as_fits_and_no_more(void **state)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(families); i++) {
		for (int underlay = 1280; underlay <= 65535; underlay++) {
			int mtu = mtu_inside(underlay, families[i]);

			assert_true(packet_size(mtu, families[i]) <= underlay);
			assert_true(packet_size(mtu + 1, families[i]) > underlay);
		}
	}
}

static void figures_that_were_measured_on_a_kernel(void **state)
{
	(void)state;
	assert_int_equal(mtu_inside(1500, AF_INET), 1438);
	assert_int_equal(mtu_inside(1500, AF_INET6), 1418);
}

static void never_less_than_ipv4_needs(void **state)
{
	(void)state;
	assert_int_equal(mtu_inside(100, AF_INET), 576);
}

static void one_peer_by_ipv6_is_enough_for_the_larger_header(void **state)
{
	_cleanup_mesh_ struct mesh m;
	struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, NULL);
	*array_add(&m.snapshot->hosts.v[0].underlay) = mesh_addr("2001:db8::1");
	mesh_finish(&m);
	m.intent.underlay_mtu = 1500;
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1438);
	m.snapshot->hosts.v[2].underlay.v[0] = mesh_addr("2001:db8::3");
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1418);
	wanted_fini(&w);
}

static void a_further_path_by_ipv6_counts_where_both_ends_have_it(void **state)
{
	_cleanup_mesh_ struct mesh m;
	struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 2, NULL);
	*array_add(&m.snapshot->hosts.v[1].underlay) = mesh_addr("2001:db8::2");
	mesh_finish(&m);
	m.intent.underlay_mtu = 1500;
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1438);
	*array_add(&m.snapshot->hosts.v[0].underlay) = mesh_addr("2001:db8::1");
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1418);
	wanted_fini(&w);
}

static void an_ipv6_overlay_has_what_ipv6_needs(void **state)
{
	_cleanup_mesh_ struct mesh m;
	struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 1, "fd42:1::/32");
	mesh_add_prefix(&m, 1, "fd42:1:1::/64");
	mesh_finish(&m);
	m.intent.underlay_mtu = 1500;
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1438);
	assert_int_equal(w.remarks.n, 0);
	m.intent.underlay_mtu = 1300;
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1280);
	assert_int_equal(w.remarks.n, 1);
	assert_non_null(strstr(w.remarks.v[0], "less than IPv6 needs"));
	wanted_fini(&w);
}

static void what_is_configured_is_taken_with_a_warning(void **state)
{
	_cleanup_mesh_ struct mesh m;
	struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 2, NULL);
	mesh_finish(&m);
	m.intent.underlay_mtu = 1450;
	m.config->mtu = 1386;
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1386);
	assert_int_equal(w.remarks.n, 0);
	m.config->mtu = 1389;
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), 1389);
	assert_int_equal(w.remarks.n, 1);
	assert_string_equal(w.remarks.v[0], "mtu 1389 is more than the 1386 that an underlay of "
					    "1450 leaves: large packets go in fragments, or get "
					    "lost");
	wanted_fini(&w);
}

static void an_underlay_that_is_not_known_is_an_ordinary_one(void **state)
{
	_cleanup_mesh_ struct mesh m;
	struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 2, NULL);
	mesh_finish(&m);
	assert_int_equal(mtu_of_containers(&m.intent, 65535, &w), MTU_UNKNOWN);
	assert_true(MTU_UNKNOWN <= mtu_inside(1500, AF_INET6));
	m.intent.underlay_mtu = 9000;
	assert_int_equal(mtu_of_containers(&m.intent, 1400, &w), 1400);
	wanted_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_much_as_fits_and_no_more),
		cmocka_unit_test(figures_that_were_measured_on_a_kernel),
		cmocka_unit_test(never_less_than_ipv4_needs),
		cmocka_unit_test(one_peer_by_ipv6_is_enough_for_the_larger_header),
		cmocka_unit_test(a_further_path_by_ipv6_counts_where_both_ends_have_it),
		cmocka_unit_test(an_ipv6_overlay_has_what_ipv6_needs),
		cmocka_unit_test(what_is_configured_is_taken_with_a_warning),
		cmocka_unit_test(an_underlay_that_is_not_known_is_an_ordinary_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
