/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mesh with an overlay of IPv4 and one of IPv6: each rule holds in each of them. */
#include "base/strbuf.h"
#include "model/mesh_file.h"
#include "model/rancher.h"
#include "model/settled.h"
#include "model/surroundings.h"
#include "model_test.h"

#define MESH(overlay, hosts) "{'mesh': 'm1', 'overlay': " overlay ", 'hosts': [" hosts "]}"
#define BOTH "['10.42.0.0/16', 'fd42::/32']"
#define HOST(id, address, ...) "{'id': '" id "', 'addresses': ['" address "'], " __VA_ARGS__ "}"
#define A HOST("a", "192.0.2.1", "'prefixes': ['10.42.1.0/24', 'fd42:0:0:1::/64']")
#define B HOST("b", "192.0.2.2", "'prefixes': ['fd42:0:0:2::/64', '10.42.2.0/24']")
#define A4 HOST("a", "192.0.2.1", "'prefixes': ['10.42.1.0/24']")
#define B4 HOST("b", "192.0.2.2", "'prefixes': ['10.42.2.0/24']")
#define B6 HOST("b", "192.0.2.2", "'prefixes': ['fd42:0:0:2::/64']")

static int read_mesh(const char *text, const struct snapshot *before, struct snapshot **ret,
		     struct sn_error *e)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(mesh_file_freep) struct mesh_file *m = NULL;
	_cleanup_json_ json_t *v = json_of(text);
	_cleanup_free_ char *json = json_dumps(v, 0);

	strcpy(config->host_id, "a");
	free(config->metadata_url);
	config->metadata_url = xstrdup("http://192.0.2.99/2016-07-29");
	if (mesh_file_parse("FILE", json, strlen(json), &m, e) < 0)
		return e->code;
	return mesh_file_snapshot(m, config, NULL, 0, before, "file:///mesh.json", ret, e);
}

static struct snapshot *good(const char *text, const struct snapshot *before)
{
	struct snapshot *s = NULL;
	struct sn_error e;

	if (read_mesh(text, before, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* "10.42.1.1 fd42:0:0:1::1" */
static const char *own_of(const struct snapshot *s, const char *id)
{
	static char text[SN_FAMILIES * (SN_ADDR_STRLEN + 1)];
	const struct host *h = snapshot_find(s, id);

	text[0] = '\0';
	sn_addr_pair_foreach(&h->overlay_ip, a)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			 text[0] ? " " : "", SN_ADDR_STR(a));
	return text;
}

static void a_host_has_an_address_in_each(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = good(MESH(BOTH, A "," B), NULL);

	(void)state;
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(SN_PREFIX_PAIR_STR(&s->overlay), "10.42.0.0/16, fd42::/32");
	assert_string_equal(prefixes_of(s, "b"), "10.42.2.0/24 fd42:0:0:2::/64");
	assert_string_equal(own_of(s, "a"), "10.42.1.1 fd42:0:0:1::1");
	assert_string_equal(own_of(s, "b"), "10.42.2.1 fd42:0:0:2::1");
}

static void a_host_may_have_one_family_only(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = good(MESH(BOTH, A4 "," B6), NULL);

	(void)state;
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(own_of(s, "a"), "10.42.1.1");
	assert_string_equal(own_of(s, "b"), "fd42:0:0:2::1");
}

static void overlay_ips_are_given_for_one_or_both(void **state)
{
	static const struct {
		const char *given, *expected, *problem;
	} rows[] = {
		{ "'10.42.2.9'", "10.42.2.9 fd42:0:0:2::1", "" },
		{ "'fd42:0:0:2::9'", "10.42.2.1 fd42:0:0:2::9", "" },
		{ "['fd42:0:0:2::9', '10.42.2.9']", "10.42.2.9 fd42:0:0:2::9", "" },
		{ "['10.42.2.9', 'fd42:0:0:1::9']", "10.42.2.9 fd42:0:0:2::1",
		  "fd42:0:0:1::9 is no usable address in the prefixes of host b" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = xasprintf(
			"{'mesh': 'm1', 'overlay': " BOTH ", 'hosts': [" A ", {'id': 'b', "
			"'addresses': ['192.0.2.2'], 'overlay_ip': %s, 'prefixes': "
			"['10.42.2.0/24', 'fd42:0:0:2::/64']}]}",
			rows[i].given);
		_cleanup_(snapshot_freep) struct snapshot *s = good(text, NULL);

		assert_string_equal(own_of(s, "b"), rows[i].expected);
		assert_string_equal(problem_at(s, "/hosts/1/overlay_ip"), rows[i].problem);
	}
}

/* With two flat addresses of each, as Rancher's default plan has of one. */
static void the_flat_plan_may_be_of_both(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(MESH(BOTH, HOST("a", "192.0.2.1",
				     "'overlay_ip': ['10.42.9.1', 'fd42::9:1'], "
				     "'containers': [{'ip': '10.42.9.1'}, {'ip': 'fd42::9:1'}, "
				     "{'ip': '10.42.7.7'}, {'ip': 'fd42::7:7'}]") "," B),
		     NULL);

	(void)state;
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(prefixes_of(s, "a"),
			    "10.42.7.7/32 10.42.9.1/32 fd42::7:7/128 fd42::9:1/128");
	assert_string_equal(own_of(s, "a"), "10.42.9.1 fd42::9:1");
}

static void what_is_wrong_is_told_at_its_place(void **state)
{
	static const struct {
		const char *mesh, *error;
	} rows[] = {
		{ MESH("['10.42.0.0/16', 'fd42::/16']", A), "/overlay/1: fd42::/16 is too wide" },
		{ MESH("['fd42::/32', '10.0.0.0/7']", A), "/overlay/1: 10.0.0.0/7 is too wide" },
		{ MESH("['10.42.0.0/16', '10.43.0.0/16']", A),
		  "/overlay/1: '10.43.0.0/16' is a second one of IPv4" },
		{ MESH("['10.42.0.0/16', 'ff02::/32']", A),
		  "/overlay/1: ff02::/32 is a multicast" },
		{ MESH("['fd42::/32', '192.0.2.0/24']", A),
		  "/overlay/1: 192.0.2.0/24 contains 192.0.2.99, the address of the metadata" },
		{ MESH("['10.42.0.0/16', '2001:db8::/32']",
		       HOST("a", "2001:db8::1", "'prefixes': ['10.42.1.0/24']")),
		  "/overlay/1: 2001:db8::/32 contains 2001:db8::1, the underlay address of host "
		  "a" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		struct snapshot *s = NULL;
		struct sn_error e;

		assert_int_equal(read_mesh(rows[i].mesh, NULL, &s, &e), -EINVAL);
		assert_contains(e.text, rows[i].error);
	}
}

static void a_prefix_lies_in_the_overlay_of_its_family(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = good(
		MESH(BOTH, A "," HOST("b", "fd42::2",
				      "'prefixes': ['10.42.2.0/24', 'fd43::/64', '10.9.0.0/24', "
				      "'fd42:0:0:1::/80']")),
		NULL);

	(void)state;
	/* an underlay address in either of them */
	assert_null(snapshot_find(s, "b"));
	assert_contains(problem_at(s, "/hosts/1/addresses/0"),
			"fd42::2 lies inside the overlay fd42::/32");
	snapshot_free(s);
	s = good(MESH(BOTH, A "," HOST("b", "192.0.2.2",
				       "'prefixes': ['10.42.2.0/24', 'fd43::/64', '10.9.0.0/24', "
				       "'fd42:0:0:1::/80']")),
		 NULL);
	assert_string_equal(prefixes_of(s, "b"), "10.42.2.0/24");
	assert_contains(problem_at(s, "/hosts/1/prefixes/1"), "lies outside the overlay fd42::/32");
	assert_contains(problem_at(s, "/hosts/1/prefixes/2"),
			"lies outside the overlay 10.42.0.0/16");
	assert_contains(problem_at(s, "/hosts/1/prefixes/3"),
			"overlaps with fd42:0:0:1::/64 of host a, which is our own");
}

/* The bits of fd2a:… and of 10.42.… can be alike at the length of an overlay. */
static void the_families_do_not_collide(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = good(
		MESH("['10.42.0.0/16', '0a2a::/32']",
		     HOST("a", "192.0.2.1", "'prefixes': ['10.42.1.0/24']") "," HOST(
			     "b", "192.0.2.2", "'prefixes': ['a2a:0:1::/48', '10.42.2.0/24']")),
		NULL);

	(void)state;
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(prefixes_of(s, "b"), "10.42.2.0/24 a2a:0:1::/48");
}

static void the_holder_keeps_its_prefix_of_either(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = good(MESH(BOTH, A "," B), NULL);
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(MESH(BOTH, HOST("a", "192.0.2.1",
				     "'prefixes': ['10.42.1.0/24', 'fd42:0:0:2::/64']") "," B),
		     before);

	(void)state;
	assert_string_equal(prefixes_of(s, "a"), "10.42.1.0/24 fd42:0:0:1::/64");
	assert_contains(problem_at(s, "/hosts/0/prefixes/1"),
			"overlaps with fd42:0:0:2::/64 of host b, which had it first");
}

static void an_overlay_comes_and_goes(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *one =
		good(MESH("'10.42.0.0/16'", A4 "," B4), NULL);
	_cleanup_(snapshot_freep) struct snapshot *two = good(MESH(BOTH, A "," B), one);
	_cleanup_(snapshot_freep) struct snapshot *again =
		good(MESH("['10.42.0.0/16']", A4 "," B4), two);

	(void)state;
	assert_string_equal(own_of(two, "b"), "10.42.2.1 fd42:0:0:2::1");
	assert_false(snapshot_equal(one, two));
	assert_true(snapshot_equal(one, again));
}

static void an_overlay_that_leaves_out_what_hosts_have_is_refused(void **state)
{
	static const struct {
		const char *mesh, *error;
	} rows[] = {
		{ MESH("'10.42.0.0/16'", A "," B),
		  "/overlay: 10.42.0.0/16 leaves out fd42:0:0:1::/64, which host a has" },
		{ MESH("['10.42.0.0/16', 'fd43::/32']", A "," B),
		  "/overlay/1: fd43::/32 leaves out fd42:0:0:1::/64, which host a has" },
		{ MESH(BOTH, A4 "," B4), "/hosts: no host has a prefix of IPv6 any more" },
	};
	_cleanup_(snapshot_freep) struct snapshot *before = good(MESH(BOTH, A "," B), NULL);

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		struct snapshot *s = NULL;
		struct sn_error e;

		assert_int_equal(read_mesh(rows[i].mesh, before, &s, &e), -EINVAL);
		assert_contains(e.text, rows[i].error);
	}
}

/* Who leaves takes its prefixes along: the others are not to be held for that. */
static void the_only_host_of_a_family_may_leave(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = good(MESH(BOTH, A4 "," B), NULL);
	_cleanup_(snapshot_freep) struct snapshot *left = good(MESH(BOTH, A4), before);
	_cleanup_(snapshot_freep) struct snapshot *renamed = good(
		MESH(BOTH, A4 "," HOST("c", "192.0.2.2", "'prefixes': ['10.42.2.0/24']")), before);

	(void)state;
	assert_null(snapshot_find(left, "b"));
	assert_string_equal(prefixes_of(renamed, "c"), "10.42.2.0/24");
}

/* An overlay that was there first does not speak for a new one. */
static void surroundings_are_asked_for_each(void **state)
{
	static const char *const places[] = { "/overlay/0", "/overlay/1" };
	_cleanup_(snapshot_freep) struct snapshot *one =
		good(MESH("'10.42.0.0/16'", A4 "," B4), NULL);
	_cleanup_(snapshot_freep) struct snapshot *two = good(MESH(BOTH, A "," B), one);
	struct surroundings around = { 0 };
	struct sn_addr a;
	struct sn_error e;

	(void)state;
	assert_int_equal(sn_addr_parse("10.42.0.53", &a), 0);
	surroundings_add(&around, &a, "a resolver");
	assert_int_equal(surroundings_check(&around, two, one, places, &e), 0);
	assert_int_equal(surroundings_check(&around, two, NULL, places, &e), -EINVAL);
	assert_contains(e.text, "/overlay/0: 10.42.0.0/16 contains 10.42.0.53, a resolver");
	assert_int_equal(sn_addr_parse("fd42::53", &a), 0);
	surroundings_add(&around, &a, "another");
	assert_int_equal(surroundings_check(&around, two, one, places, &e), -EINVAL);
	assert_contains(e.text, "/overlay/1: fd42::/32 contains fd42::53, another");
}

/* One address more is put in where it belongs, of both. */
static void a_settled_mesh_is_followed_in_both(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = good(MESH(BOTH, A "," B4), NULL);
	struct settled settled = { 0 };
	struct sn_addr v4, v6, outside;

	(void)state;
	assert_int_equal(sn_addr_parse("10.42.77.7", &v4), 0);
	assert_int_equal(sn_addr_parse("fd42::77", &v6), 0);
	assert_int_equal(sn_addr_parse("fd43::77", &outside), 0);
	settled_keep(&settled, s);
	assert_true(settled_put(&settled, "b", &v6));
	assert_true(settled_put(&settled, "b", &v4));
	assert_string_equal(prefixes_of(settled.s, "b"), "10.42.2.0/24 10.42.77.7/32 fd42::77/128");
	assert_false(settled_put(&settled, "b", &outside));
	settled_drop(&settled);
}

static void the_stored_form_comes_back(void **state)
{
	static const char *const meshes[] = { MESH(BOTH, A "," B), MESH(BOTH, A4 "," B6),
					      MESH("'fd42::/32'",
						   B6 "," HOST("a", "192.0.2.1", "'nat': false")) };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(meshes); i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = good(meshes[i], NULL), *t = NULL;
		_cleanup_json_ json_t *v = snapshot_to_json(s);
		struct sn_error e;

		if (snapshot_from_json(v, &t, &e) < 0)
			fail_msg("%s", e.text);
		assert_true(snapshot_equal(s, t));
		/* an earlier sennit reads what it could have written */
		assert_int_equal(json_is_string(json_object_get(v, "overlay")), i == 2);
	}
}

/* Written by a sennit that knew one overlay: an upgrade must not lose it, nor write it anew. */
static void the_stored_form_of_old_is_read(void **state)
{
	static const char text[] =
		"{'sennit_snapshot': 1, 'mesh': 'm1', 'name': 'm1', 'overlay': '10.42.0.0/16', "
		"'self': 'a', 'revision': 'r1', 'source': 'file:///mesh.json', 'hosts': ["
		"{'id': 'a', 'name': 'a', 'state': 'active', 'created_ms': 0, 'addresses': "
		"['192.0.2.1'], 'prefixes': ['10.42.1.0/24'], 'overlay_ip': '10.42.1.1'}, "
		"{'id': 'b', 'name': 'b', 'state': 'active', 'created_ms': 0, 'addresses': "
		"['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], 'overlay_ip': '10.42.2.9'}], "
		"'problems': [], 'sum': '826481139eb128a9'}";
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_json_ json_t *v = json_of(text), *again = NULL;
	struct sn_error e;

	(void)state;
	if (snapshot_from_json(v, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(own_of(s, "b"), "10.42.2.9");
	again = snapshot_to_json(s);
	assert_true(json_equal(v, again));
}

/* --- Rancher's documents ----------------------------------------------------- */

#define NETWORK(keys)                                                                              \
	"[{'name': 'ipsec', 'uuid': 'net1', 'metadata': {'cniConfig': {'10-rancher.conf': "        \
	"{'type': 'rancher-bridge', " keys "}}}}]"
#define NETWORK2 NETWORK("'bridgeSubnet': '10.42.0.0/16', 'io.sennit.subnet': 'fd42::/32'")
#define RHOST(id, address, labels)                                                                 \
	"{'uuid': '" id "', 'state': 'active', 'agent_ip': '" address "', 'labels': {" labels "}}"
#define LABEL4(p) "'io.rancher.network.per_host_subnet.subnet': '" p "'"
#define LABEL6(p) "'io.sennit.subnet': '" p "'"
#define CONTAINER(host, ip, labels)                                                                \
	"{'uuid': 'c-" ip "', 'name': 'x', 'state': 'running', 'network_uuid': 'net1', "           \
	"'host_uuid': '" host "', 'primary_ip': '" ip "', 'labels': {" labels "}}"
#define ROUTER "'io.rancher.container.agent_service.ipsec': 'true'"

static int read_rancher(const char *hosts, const char *containers, const char *networks,
			struct snapshot **ret, struct sn_error *e)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_json_ json_t *self = json_of("{'uuid': 'a'}"), *h = json_of(hosts);
	_cleanup_json_ json_t *c = json_of(containers), *n = json_of(networks);
	const struct rancher_documents docs = { "v1", "http://192.0.2.99", self, h, c, n };

	return rancher_snapshot(&docs, config, NULL, ret, e);
}

static void rancher_says_the_other_family_by_a_key_of_ours(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	struct sn_error e;

	(void)state;
	if (read_rancher(
		    "[" RHOST("a", "192.0.2.1",
			      LABEL4("10.42.1.0/24") "," LABEL6(
				      "fd42:0:0:1::/64")) "," RHOST("b", "192.0.2.2",
								    LABEL6("fd42:0:0:2::/64")) "]",
		    "[" CONTAINER("a", "fd42:0:0:1::7", "") "," CONTAINER(
			    "b", "10.42.77.1", ROUTER) "," CONTAINER("b", "10.42.77.2", "") "]",
		    NETWORK2, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(SN_PREFIX_PAIR_STR(&s->overlay), "10.42.0.0/16, fd42::/32");
	assert_string_equal(prefixes_of(s, "a"), "10.42.1.0/24 fd42:0:0:1::/64");
	assert_string_equal(own_of(s, "a"), "10.42.1.1 fd42:0:0:1::1");
	/* a subnet of one family, Rancher's flat plan in the other */
	assert_string_equal(prefixes_of(s, "b"), "10.42.77.1/32 10.42.77.2/32 fd42:0:0:2::/64");
	assert_string_equal(own_of(s, "b"), "10.42.77.1 fd42:0:0:2::1");
}

static void a_wrong_key_of_ours_is_told_at_its_place(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(read_rancher("[" RHOST("a", "192.0.2.1", "") "]", "[]",
				      NETWORK("'bridgeSubnet': '10.42.0.0/16', "
					      "'io.sennit.subnet': '10.43.0.0/16'"),
				      &s, &e),
			 -EINVAL);
	assert_contains(e.text, "/io.sennit.subnet: 10.43.0.0/16 is of IPv4, as 10.42.0.0/16 is");
	assert_int_equal(read_rancher("[" RHOST("a", "192.0.2.1", "") "]", "[]",
				      NETWORK("'bridgeSubnet': '10.42.0.0/16', "
					      "'io.sennit.subnet': 'fd42::/8'"),
				      &s, &e),
			 -EINVAL);
	assert_contains(e.text, "/10-rancher.conf/io.sennit.subnet: fd00::/8 is too wide");
	if (read_rancher(
		    "[" RHOST("a", "192.0.2.1", LABEL4("10.42.1.0/24") "," LABEL6("fd43::/64")) "]",
		    "[]", NETWORK2, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_contains(problem_at(s, "/hosts/0/labels/io.sennit.subnet"),
			"fd43::/64 lies outside the overlay fd42::/32");
	assert_string_equal(prefixes_of(s, "a"), "10.42.1.0/24");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_has_an_address_in_each),
		cmocka_unit_test(a_host_may_have_one_family_only),
		cmocka_unit_test(overlay_ips_are_given_for_one_or_both),
		cmocka_unit_test(the_flat_plan_may_be_of_both),
		cmocka_unit_test(what_is_wrong_is_told_at_its_place),
		cmocka_unit_test(a_prefix_lies_in_the_overlay_of_its_family),
		cmocka_unit_test(the_families_do_not_collide),
		cmocka_unit_test(the_holder_keeps_its_prefix_of_either),
		cmocka_unit_test(an_overlay_comes_and_goes),
		cmocka_unit_test(an_overlay_that_leaves_out_what_hosts_have_is_refused),
		cmocka_unit_test(the_only_host_of_a_family_may_leave),
		cmocka_unit_test(surroundings_are_asked_for_each),
		cmocka_unit_test(a_settled_mesh_is_followed_in_both),
		cmocka_unit_test(the_stored_form_comes_back),
		cmocka_unit_test(the_stored_form_of_old_is_read),
		cmocka_unit_test(rancher_says_the_other_family_by_a_key_of_ours),
		cmocka_unit_test(a_wrong_key_of_ours_is_told_at_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
