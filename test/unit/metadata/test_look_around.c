/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metadata/look_around.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>

/* Valid until the next call. */
static const char *at(const struct surroundings *s, size_t i)
{
	static char text[SN_ADDR_STRLEN];

	assert_true(i < s->n);
	return sn_addr_format(&s->v[i].addr, text);
}

static void name_servers_are_found(void **state)
{
	struct surroundings s = { 0 };

	(void)state;
	look_around_resolv_conf("# nameserver 192.0.2.1\nsearch example\n"
				"nameserver 192.0.2.2\n  nameserver\t2001:db8::53\n"
				"nameserver fe80::1%3\nnameserver x\nnameserver 192.0.2.2",
				&s);
	assert_int_equal(s.n, 3);
	assert_string_equal(at(&s, 0), "192.0.2.2");
	assert_string_equal(at(&s, 1), "2001:db8::53");
	assert_string_equal(at(&s, 2), "fe80::1");
	assert_string_equal(s.v[0].what, "a name server of this host");
}

static void gateways_are_found(void **state)
{
	struct surroundings s = { 0 };

	(void)state;
	look_around_route("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n"
			  "eth0\t00000000\tFE0200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
			  "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
			  "eth0\t000364C6\tFD0200C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
			  "ppp0\t00000000\t00000000\t0001\t0\t0\t9\t00000000\t0\t0\t0\n"
			  "nonsense\n",
			  &s);
	assert_int_equal(s.n, 1);
	assert_string_equal(at(&s, 0), "192.0.2.254");
	look_around_ipv6_route(
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n"
		"20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n"
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n",
		&s);
	assert_int_equal(s.n, 2);
	assert_string_equal(at(&s, 1), "2001:db8::1");
}

static void the_service_is_one(void **state)
{
	_cleanup_(config_freep) struct config *config = config_new();
	struct surroundings s = { 0 };

	(void)state;
	free(config->metadata_url);
	config->metadata_url = xstrdup("http://192.0.2.77/latest");
	look_around(config, &s);
	assert_string_equal(at(&s, 0), "192.0.2.77");
}

static const char *const places[SN_FAMILIES] = { "/overlay", "/overlay" };

static struct snapshot *mesh(const char *overlay)
{
	struct snapshot *s = snapshot_new();
	struct sn_prefix overlay_of;

	strcpy(s->mesh_id, "m");
	assert_int_equal(sn_prefix_parse(overlay, &overlay_of), 0);
	sn_prefix_pair_put(&s->overlay, &overlay_of);
	return s;
}

static void an_overlay_over_one_of_them_is_refused(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *wide = mesh("10.0.0.0/8"),
						  *narrow = mesh("10.42.0.0/16");
	struct surroundings s = { 0 };
	struct sn_error e;

	(void)state;
	look_around_resolv_conf("nameserver 10.1.2.3\n", &s);
	assert_int_equal(surroundings_check(&s, narrow, NULL, places, &e), 0);
	assert_int_equal(surroundings_check(&s, wide, narrow, places, &e), -EINVAL);
	assert_string_equal(e.text, "/overlay: 10.0.0.0/8 contains 10.1.2.3, a name server of "
				    "this host");
	/* an overlay that is there already was there first */
	assert_int_equal(surroundings_check(&s, wide, wide, places, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_servers_are_found),
		cmocka_unit_test(gateways_are_found),
		cmocka_unit_test(the_service_is_one),
		cmocka_unit_test(an_overlay_over_one_of_them_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
