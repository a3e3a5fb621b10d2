/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the golden cases do not show: refusals, bounds, odd input. */
#include "plan/dataplane.h"

#include "mesh.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define _cleanup_wanted_ _cleanup_(wanted_fini)

static const struct dataplane *const planes[] = { &dataplane_xfrm, &dataplane_libipsec };

static void expect_want(const struct dataplane *plane, const struct mesh *m, struct wanted *ret)
{
	struct sn_error e = { 0 };

	if (plane->want(&m->intent, ret, &e) < 0)
		fail_msg("%s", e.text);
}

static void expect_refusal(const struct dataplane *plane, const struct mesh *m, int code,
			   const char *text)
{
	struct sn_error e = { 0 };
	struct wanted w;

	assert_int_equal(plane->want(&m->intent, &w, &e), code);
	if (!strstr(e.text, text))
		fail_msg("'%s' is not in '%s'", text, e.text);
}

static bool has_remark(const struct wanted *w, const char *text)
{
	array_foreach(&w->remarks, r) {
		if (strstr(*r, text))
			return true;
	}
	return false;
}

static const struct object_ike_conn *find_conn(const struct wanted *w, const char *name)
{
	struct object_ike_conn key = { .encap = false };
	struct object like = { .kind = OBJECT_IKE_CONN, .conn = &key };
	const struct object *o;

	snprintf(key.name, sizeof(key.name), "%s", name);
	o = object_set_find(&w->objects, &like);
	return o ? o->conn : NULL;
}

static size_t count_kind(const struct wanted *w, enum object_kind kind)
{
	size_t n = 0;

	array_foreach(&w->objects.o, o)
		n += o->kind == kind;
	return n;
}

static const char *table_text(const struct wanted *w)
{
	struct object like = { .kind = OBJECT_NFT, .nft = { "inet", "sennit", NULL } };
	const struct object *o = object_set_find(&w->objects, &like);

	assert_non_null(o);
	return o->nft.text;
}

static struct host *host_of(struct mesh *m, const char *id)
{
	return (struct host *)snapshot_find(m->snapshot, id);
}

/* Instead of its subnet. */
static void make_flat(struct mesh *m, unsigned n, const char *id, const char *addr)
{
	host_of(m, id)->prefixes.n = 0;
	mesh_add_prefix(m, n, addr);
}

static void libipsec_refuses_a_flat_host_of_our_own_and_names_it(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, NULL);
	make_flat(&m, 1, "h1", "10.42.200.7/32");
	mesh_finish(&m);
	expect_refusal(&dataplane_libipsec, &m, -EOPNOTSUPP, "host h1 has 10.42.200.7/32");
	expect_want(&dataplane_xfrm, &m, &w);
}

static void libipsec_loses_only_the_tunnel_of_a_host_without_subnet(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, NULL);
	make_flat(&m, 2, "h2", "10.42.200.7/32");
	mesh_finish(&m);
	expect_want(&dataplane_libipsec, &m, &w);
	assert_null(find_conn(&w, "sennit-h2"));
	assert_non_null(find_conn(&w, "sennit-h3"));
	assert_true(has_remark(&w, "host h2 has 10.42.200.7/32"));
}

static void libipsec_leaves_out_single_addresses_beside_a_subnet(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, NULL);
	mesh_add_prefix(&m, 1, "10.42.0.7/32");
	mesh_add_prefix(&m, 2, "10.42.200.7/32");
	mesh_finish(&m);
	expect_want(&dataplane_libipsec, &m, &w);
	assert_int_equal(find_conn(&w, "sennit-h2")->local_ts.n, 1);
	assert_int_equal(find_conn(&w, "sennit-h2")->remote_ts.n, 1);
	assert_true(has_remark(&w, "host h2 has 10.42.200.7/32"));
}

static void libipsec_takes_single_addresses_inside_the_hosts_subnet(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 2, NULL);
	mesh_finish(&m);
	mesh_add_prefix(&m, 2, "10.42.2.7/32");
	expect_want(&dataplane_libipsec, &m, &w);
	assert_int_equal(find_conn(&w, "sennit-h2")->remote_ts.n, 1);
}

static void ipv6_mesh(struct mesh *m)
{
	mesh_init(m, 2, "fd42:1::/32");
	mesh_add_prefix(m, 1, "fd42:1:1::/64");
	mesh_add_prefix(m, 2, "fd42:1:2::/64");
	mesh_finish(m);
}

static void both_carry_an_ipv6_overlay(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(planes); i++) {
		_cleanup_wanted_ struct wanted w = { 0 };
		_cleanup_mesh_ struct mesh m;
		const struct object_ike_conn *c;

		ipv6_mesh(&m);
		expect_want(planes[i], &m, &w);
		c = find_conn(&w, "sennit-h2");
		assert_non_null(c);
		assert_int_equal(c->local_ts.n, 1);
		assert_int_equal(c->local_ts.v[0].addr.family, AF_INET6);
		assert_int_equal(c->remote_ts.v[0].addr.family, AF_INET6);
	}
}

static void both_refuse_an_ipv6_overlay_on_a_kernel_without(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	ipv6_mesh(&m);
	m.intent.no_ipv6 = true;
	for (size_t i = 0; i < SN_ARRAY_SIZE(planes); i++)
		expect_refusal(planes[i], &m, -EOPNOTSUPP, "which this kernel has not");
}

static void bridge_names_that_the_guard_would_mistake_are_refused(void **state)
{
	static const char *const bad[] = { "snv0", "snx", "br0", "sn*", "sn\"", "sn a", "" };
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 2, NULL);
	mesh_finish(&m);
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++) {
		snprintf(m.config->bridge, sizeof(m.config->bridge), "%s", bad[i]);
		expect_refusal(&dataplane_libipsec, &m, -EINVAL, "bridge.name");
		expect_refusal(&dataplane_xfrm, &m, -EINVAL, "bridge.name");
	}
}

/* Nothing is written into a rule that could be more than a name. */
static void an_uplink_of_an_odd_name_is_left_alone(void **state)
{
	static const char *const odd[] = { "", "eth*", "e\"th", "e}th", "snbr0", "ipsec0", "lo" };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(odd); i++) {
		_cleanup_mesh_ struct mesh m;
		_cleanup_wanted_ struct wanted w = { 0 };

		mesh_init(&m, 2, NULL);
		mesh_finish(&m);
		snprintf(m.intent.uplink, IFNAMSIZ, "%s", odd[i]);
		expect_want(&dataplane_libipsec, &m, &w);
		if (i < 4)
			assert_int_equal(count_kind(&w, OBJECT_SYSCTL), 3);
		if (i > 0 && i < 4)
			assert_null(strstr(table_text(&w), odd[i]));
	}
}

/* A router of IPv6 that did not forward IPv4 goes on with the one, and not with the other. */
static void what_is_dropped_at_the_uplink_is_of_a_family_we_forward(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 4; bits++) {
		_cleanup_mesh_ struct mesh m;
		_cleanup_wanted_ struct wanted w = { 0 };

		mesh_init(&m, 2, NULL);
		if (bits & 1)
			mesh_add_overlay(&m, "fd42::/32");
		mesh_finish(&m);
		m.intent.ipv6_forwarding = bits & 2;
		expect_want(&dataplane_libipsec, &m, &w);
		assert_non_null(
			strstr(table_text(&w), "\t\tmeta nfproto ipv4 iifname \"eth0\" drop\n"));
		assert_null(strstr(table_text(&w), "\t\tiifname \"eth0\" drop\n"));
		assert_int_equal(!!strstr(table_text(&w), "meta nfproto ipv6 drop"), bits == 1);
	}
}

static void a_secret_listed_twice_is_one_key(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, NULL);
	mesh_finish(&m);
	m.secrets[1] = m.secrets[0];
	m.intent.n_secrets = 2;
	expect_want(&dataplane_libipsec, &m, &w);
	assert_int_equal(count_kind(&w, OBJECT_IKE_KEY), 2);
}

/* charon's TUN keeps its own. */
static bool has_mtu(const struct object *o)
{
	return o->kind == OBJECT_LINK && o->link->kind != LINK_TUN;
}

static void libipsec_caps_the_mtu_and_says_so(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted capped = { 0 }, small = { 0 };

	(void)state;
	mesh_init(&m, 2, NULL);
	mesh_finish(&m);
	m.config->mtu = 1500;
	expect_want(&dataplane_libipsec, &m, &capped);
	assert_true(has_remark(&capped, "mtu 1500 is more than libipsec carries: 1400 is used"));
	m.config->mtu = 1300;
	expect_want(&dataplane_libipsec, &m, &small);
	assert_false(has_remark(&small, "mtu 1300"));
	array_foreach(&capped.objects.o, o)
		assert_true(!has_mtu(o) || o->link->mtu == 1400);
	array_foreach(&small.objects.o, o)
		assert_true(!has_mtu(o) || o->link->mtu == 1300);
}

static void libipsec_carries_no_more_selectors_than_ike_can_count(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };
	const struct object_ike_conn *c;

	(void)state;
	mesh_init(&m, 2, NULL);
	for (int i = 0; i < 300; i++) {
		_cleanup_free_ char *p = xasprintf("10.42.%d.%d/28", 100 + i / 16, 16 * (i % 16));

		mesh_add_prefix(&m, 2, p);
	}
	mesh_finish(&m);
	expect_want(&dataplane_libipsec, &m, &w);
	c = find_conn(&w, "sennit-h2");
	assert_int_equal(c->local_ts.n, 1);
	assert_int_equal(c->remote_ts.n, 255);
	assert_int_equal(count_kind(&w, OBJECT_ROUTE), 1 + 255);
	assert_true(has_remark(&w, "host h2 has 301 subnets"));
}

/* A connection without selectors would be one for the hosts' underlay addresses. */
static void libipsec_has_no_tunnel_where_a_side_has_no_subnet(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, "10.42.0.0/16");
	mesh_add_prefix(&m, 1, "10.42.1.0/24");
	mesh_add_prefix(&m, 3, "10.42.3.0/24");
	mesh_finish(&m);
	expect_want(&dataplane_libipsec, &m, &w);
	assert_null(find_conn(&w, "sennit-h2"));
	assert_non_null(find_conn(&w, "sennit-h3"));
	assert_int_equal(w.peers.n, 2);
	assert_false(sn_addr_is_set(&w.peers.v[0].overlay_ip));
}

/* A kernel without IPv6 has its part of the overlay of IPv4, whatever else it is to have. */
static void a_kernel_without_ipv6_does_without_the_second_overlay(void **state)
{
	(void)state;
	for (size_t n = 0; n < 2 * SN_ARRAY_SIZE(planes); n++) {
		size_t i = n / 2;
		_cleanup_mesh_ struct mesh m;
		_cleanup_wanted_ struct wanted w = { 0 };

		mesh_init(&m, 2, NULL);
		mesh_add_overlay(&m, "fd42::/32");
		mesh_add_prefix(&m, 2, "fd42:0:0:2::/64");
		if (n % 2)
			mesh_add_prefix(&m, 1, "fd42:0:0:1::/64");
		mesh_finish(&m);
		m.intent.no_ipv6 = true;
		expect_want(planes[i], &m, &w);
		array_foreach(&w.objects.o, o) {
			_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

			object_add_text(o, &text);
			if (o->kind == OBJECT_NFT)
				strbuf_adds(&text, o->nft.text);
			assert_null(strstr(strbuf_str(&text), "ip6"));
			assert_null(strstr(strbuf_str(&text), "ipv6"));
			/* libipsec names the peer's subnets, and makes no policy for them */
			if (o->kind != OBJECT_IKE_CONN || i == 0)
				assert_null(strstr(strbuf_str(&text), "::/"));
		}
		assert_non_null(find_conn(&w, "sennit-h2"));
		assert_int_equal(w.peers.v[0].overlay_ip.family, AF_INET);
		assert_int_equal(has_remark(&w, "this host has nothing of the overlay fd42::/32"),
				 n % 2);
	}
}

/* Heartbeats go by the first family that both hosts have. */
static void peers_are_met_in_a_family_that_both_have(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(planes); i++) {
		_cleanup_mesh_ struct mesh m;
		_cleanup_wanted_ struct wanted w = { 0 };

		mesh_init(&m, 4, "10.42.0.0/16");
		mesh_add_overlay(&m, "fd42::/32");
		mesh_add_prefix(&m, 1, "fd42:0:0:1::/64");
		mesh_add_prefix(&m, 2, "10.42.2.0/24");
		mesh_add_prefix(&m, 2, "fd42:0:0:2::/64");
		mesh_add_prefix(&m, 3, "10.42.3.0/24");
		mesh_add_prefix(&m, 4, "fd42:0:0:4::/64");
		mesh_finish(&m);
		expect_want(planes[i], &m, &w);
		assert_string_equal(SN_ADDR_STR(&w.peers.v[0].overlay_ip), "fd42:0:0:2::1");
		assert_string_equal(SN_ADDR_STR(&w.peers.v[0].own_overlay_ip), "fd42:0:0:1::1");
		assert_string_equal(SN_ADDR_STR(&w.peers.v[1].overlay_ip), "-");
		assert_string_equal(SN_ADDR_STR(&w.peers.v[2].overlay_ip), "fd42:0:0:4::1");
		assert_non_null(find_conn(&w, "sennit-h2"));
		assert_int_equal(find_conn(&w, "sennit-h3") != NULL, i == 0);
		/* both unreachable ones, and to what is of our family */
		assert_int_equal(count_kind(&w, OBJECT_ROUTE), 2 + 2);
		if (i == 1)
			assert_true(has_remark(&w, "no tunnel with host h3: its subnets are of"));
	}
}

static void no_local_address_of_the_peers_family_is_that_peers_trouble_only(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 3, NULL);
	m.snapshot->hosts.v[1].underlay.v[0] = mesh_addr("2001:db8::2");
	mesh_finish(&m);
	expect_want(&dataplane_libipsec, &m, &w);
	assert_null(find_conn(&w, "sennit-h2"));
	assert_non_null(find_conn(&w, "sennit-h3"));
	assert_true(has_remark(&w, "no tunnel with host h2"));
}

static void a_path_is_the_first_pair_or_the_one_that_the_intent_names(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted first = { 0 }, named = { 0 }, stale = { 0 };
	struct intent_path path = { .peer = "h2",
				    .local = mesh_addr("2001:db8::1"),
				    .remote = mesh_addr("2001:db8::2") };
	const struct object_ike_conn *c;

	(void)state;
	mesh_init(&m, 3, NULL);
	*array_add(&m.snapshot->hosts.v[0].underlay) = mesh_addr("2001:db8::1");
	*array_add(&m.snapshot->hosts.v[1].underlay) = mesh_addr("2001:db8::2");
	mesh_finish(&m);
	expect_want(&dataplane_libipsec, &m, &first);
	c = find_conn(&first, "sennit-h2");
	assert_string_equal(SN_ADDR_STR(&c->remote_addr), "192.0.2.2");
	assert_string_equal(SN_ADDR_STR(&c->remote_others.a.v[0]), "2001:db8::2");
	assert_int_equal(first.peers.v[0].n_paths, 2);
	assert_int_equal(first.peers.v[1].n_paths, 1);
	/* any other: known by its key, from where the metadata do not know it yet */
	c = find_conn(&first, "sennit-h3");
	assert_ptr_equal(c, wanted_find_conn(&first, "h3"));
	assert_null(wanted_find_conn(&first, "h9"));
	assert_int_equal(c->remote_others.a.n, 1);
	assert_string_equal(SN_ADDR_STR(&c->remote_others.a.v[0]), "0.0.0.0");

	m.intent.paths = &path;
	m.intent.n_paths = 1;
	expect_want(&dataplane_libipsec, &m, &named);
	c = find_conn(&named, "sennit-h2");
	assert_string_equal(SN_ADDR_STR(&c->local_addr), "2001:db8::1");
	assert_string_equal(SN_ADDR_STR(&c->local_others.a.v[0]), "192.0.2.1");
	assert_string_equal(SN_ADDR_STR(&c->remote_addr), "2001:db8::2");
	assert_string_equal(SN_ADDR_STR(&named.peers.v[0].remote), "2001:db8::2");
	/* other attributes, another tunnel */
	assert_string_not_equal(c->child, find_conn(&first, "sennit-h2")->child);

	path.remote = mesh_addr("2001:db8::9");
	expect_want(&dataplane_libipsec, &m, &stale);
	c = find_conn(&stale, "sennit-h2");
	assert_string_equal(SN_ADDR_STR(&c->remote_addr), "192.0.2.2");
}

static void the_configured_underlay_address_is_used(void **state)
{
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };
	struct sn_addr a = mesh_addr("198.51.100.1");

	(void)state;
	mesh_init(&m, 2, NULL);
	mesh_finish(&m);
	m.config->underlay_address = a;
	expect_want(&dataplane_libipsec, &m, &w);
	assert_int_equal(sn_addr_cmp(&find_conn(&w, "sennit-h2")->local_addr, &a), 0);
}

static uint32_t number_of(const struct wanted *w, const char *peer)
{
	array_foreach(&w->peers, p) {
		if (streq(p->id, peer))
			return p->if_id;
	}
	return 0;
}

static void xfrm_numbers_stay_and_new_ones_are_the_lowest_free(void **state)
{
	_cleanup_if_ids_ struct if_ids given = { 0 };
	_cleanup_mesh_ struct mesh m;
	_cleanup_wanted_ struct wanted w = { 0 };

	(void)state;
	mesh_init(&m, 6, NULL);
	mesh_finish(&m);
	assert_true(if_ids_add(&given, "h5", 2) && if_ids_add(&given, "h3", 1));
	/* has left */
	assert_true(if_ids_add(&given, "h9", 4));
	m.intent.if_ids = &given;
	expect_want(&dataplane_xfrm, &m, &w);
	assert_int_equal(number_of(&w, "h3"), 1);
	assert_int_equal(number_of(&w, "h5"), 2);
	assert_int_equal(number_of(&w, "h2"), 3);
	assert_int_equal(number_of(&w, "h4"), 5);
	assert_int_equal(number_of(&w, "h6"), 6);
	assert_int_equal(find_conn(&w, "sennit-h6")->if_id, 6);
}

/* Promise 1 at start and down: the same tables, so none is loaded twice. */
static void the_guard_alone_is_part_of_the_whole(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	mesh_init(&m, 3, NULL);
	mesh_finish(&m);
	mesh_attach(&m, "10.42.1.7/24", 1);
	for (size_t i = 0; i < SN_ARRAY_SIZE(planes); i++) {
		_cleanup_wanted_ struct wanted all = { 0 }, guard = { 0 };

		expect_want(planes[i], &m, &all);
		planes[i]->want_guard(&m.intent, &guard);
		assert_int_equal(guard.objects.o.n, 3);
		array_foreach(&guard.objects.o, o) {
			const struct object *same = object_set_find(&all.objects, o);

			assert_true(same && object_equal(same, o));
		}
	}
}

static void the_two_ends_of_a_pair_agree_who_owns_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(planes); i++) {
		_cleanup_mesh_ struct mesh m;
		_cleanup_wanted_ struct wanted w1 = { 0 }, w2 = { 0 };

		mesh_init(&m, 10, NULL);
		mesh_finish(&m);
		expect_want(planes[i], &m, &w1);
		strcpy(m.snapshot->self_id, "h2");
		expect_want(planes[i], &m, &w2);
		/* h1 < h10 < h2 by bytes */
		assert_true(find_conn(&w1, "sennit-h2")->owner);
		assert_true(find_conn(&w1, "sennit-h10")->owner);
		assert_false(find_conn(&w2, "sennit-h1")->owner);
		assert_false(find_conn(&w2, "sennit-h10")->owner);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libipsec_refuses_a_flat_host_of_our_own_and_names_it),
		cmocka_unit_test(libipsec_loses_only_the_tunnel_of_a_host_without_subnet),
		cmocka_unit_test(libipsec_leaves_out_single_addresses_beside_a_subnet),
		cmocka_unit_test(libipsec_takes_single_addresses_inside_the_hosts_subnet),
		cmocka_unit_test(both_carry_an_ipv6_overlay),
		cmocka_unit_test(both_refuse_an_ipv6_overlay_on_a_kernel_without),
		cmocka_unit_test(bridge_names_that_the_guard_would_mistake_are_refused),
		cmocka_unit_test(an_uplink_of_an_odd_name_is_left_alone),
		cmocka_unit_test(what_is_dropped_at_the_uplink_is_of_a_family_we_forward),
		cmocka_unit_test(a_secret_listed_twice_is_one_key),
		cmocka_unit_test(libipsec_caps_the_mtu_and_says_so),
		cmocka_unit_test(libipsec_carries_no_more_selectors_than_ike_can_count),
		cmocka_unit_test(libipsec_has_no_tunnel_where_a_side_has_no_subnet),
		cmocka_unit_test(a_kernel_without_ipv6_does_without_the_second_overlay),
		cmocka_unit_test(peers_are_met_in_a_family_that_both_have),
		cmocka_unit_test(no_local_address_of_the_peers_family_is_that_peers_trouble_only),
		cmocka_unit_test(a_path_is_the_first_pair_or_the_one_that_the_intent_names),
		cmocka_unit_test(the_configured_underlay_address_is_used),
		cmocka_unit_test(xfrm_numbers_stay_and_new_ones_are_the_lowest_free),
		cmocka_unit_test(the_guard_alone_is_part_of_the_whole),
		cmocka_unit_test(the_two_ends_of_a_pair_agree_who_owns_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
