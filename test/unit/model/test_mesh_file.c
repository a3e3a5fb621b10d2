/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/mesh_file.h"

#include "base/strbuf.h"
#include "model_test.h"

#define HEAD "{'mesh': 'm1', 'overlay': '10.42.0.0/16', 'hosts': ["
#define HOST_A "{'id': 'a', 'addresses': ['192.0.2.1'], 'prefixes': ['10.42.1.0/24']}"
#define HOST_B "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24']}"
#define HOST_C "{'id': 'c', 'addresses': ['192.0.2.3'], 'prefixes': ['10.42.3.0/24']}"
#define TAIL "]}"

static int parse(const char *text, struct mesh_file **ret, struct sn_error *e)
{
	_cleanup_free_ char *copy = xstrdup(text);

	for (char *p = copy; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	return mesh_file_parse("FILE", copy, strlen(copy), ret, e);
}

static struct snapshot *good_after(const char *text, const char *self,
				   const struct snapshot *before)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(mesh_file_freep) struct mesh_file *m = NULL;
	struct snapshot *s = NULL;
	struct sn_error e;

	strcpy(config->host_id, self);
	free(config->metadata_url);
	config->metadata_url = xstrdup("file:///mesh.json");
	if (parse(text, &m, &e) < 0 ||
	    mesh_file_snapshot(m, config, NULL, 0, before, "file:///mesh.json", &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static struct snapshot *good(const char *text)
{
	return good_after(text, "a", NULL);
}

static void reads_the_example(void **state)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(mesh_file_freep) struct mesh_file *m = NULL;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_free_ char *text = NULL;
	struct sn_error e;
	size_t len;

	(void)state;
	assert_int_equal(file_read(CONF "/mesh.example.json", 1 << 20, &text, &len), 0);
	if (mesh_file_parse("example", text, len, &m, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(m->problems.n, 0);
	assert_int_equal(m->containers.n, 2);
	assert_string_equal(m->containers.v[1].name, "moved-from-node1");
	assert_string_equal(m->containers.v[1].host_id, "node2");
	strcpy(config->host_id, "node2");
	if (mesh_file_snapshot(m, config, NULL, 0, NULL, "file:///x", &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(s->mesh_id, "production");
	assert_string_equal(s->mesh_name, "Production");
	assert_string_equal(s->self_id, "node2");
	assert_string_equal(snapshot_find(s, "node1")->name, "node1.example.org");
	assert_string_equal(snapshot_find(s, "node3")->name, "node3");
	assert_string_equal(prefixes_of(s, "node2"), "10.42.2.0/24 10.42.200.9/32");
	assert_string_equal(prefixes_of(s, "node3"), "10.42.3.0/24 10.42.4.0/24");
	assert_string_equal(overlay_ip_of(s, "node3"), "10.42.3.1");
	assert_int_equal(snapshot_find(s, "node2")->underlay.n, 2);
	assert_true(snapshot_find(s, "node2")->created_ms == 1795417200000);
}

static void nat_stands_in_the_file(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(HEAD HOST_A ", {'id': 'b', 'addresses': ['192.0.2.2'], 'nat': true}" TAIL);

	(void)state;
	assert_false(snapshot_find(s, "a")->behind_nat);
	assert_true(snapshot_find(s, "b")->behind_nat);
}

static void wrong_files_are_refused_whole_with_the_place(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "FILE: line 1" },
		{ "[]", "FILE: /: not an object" },
		{ "{}", "FILE: /mesh: is missing" },
		{ HEAD HOST_A "], 'x': 1}", "FILE: /x: unknown key" },
		{ "{'mesh': '%any', 'overlay': '10.42.0.0/16', 'hosts': []}",
		  "FILE: /mesh: '%any' is not an id" },
		{ "{'mesh': 'm', 'name': 4, 'overlay': '10.42.0.0/16', 'hosts': []}",
		  "FILE: /name: not a string" },
		{ "{'mesh': 'm', 'overlay': 1, 'hosts': []}", "FILE: /overlay: not a string" },
		{ "{'mesh': 'm', 'overlay': 'all', 'hosts': []}", "FILE: /overlay: 'all' is not" },
		{ "{'mesh': 'm', 'overlay': '10.42.0.0/16'}", "FILE: /hosts: is missing" },
		{ "{'mesh': 'm', 'overlay': '10.42.0.0/16', 'hosts': {}}",
		  "FILE: /hosts: not an array" },
		{ HEAD TAIL, "FILE: /hosts: 0 hosts; expected 1 to 4096" },
	};
	struct mesh_file *m = NULL;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		if (parse(rows[i].text, &m, &e) != -EINVAL)
			fail_msg("accepted: %s", rows[i].text);
		assert_contains(e.text, rows[i].error);
		assert_null(m);
	}
}

static const struct {
	const char *host, *place, *text;
} wrong_hosts[] = {
	{ "null", "/hosts/1", "not an object" },
	{ "{}", "/hosts/1/id", "is missing" },
	{ "{'id': 7}", "/hosts/1/id", "not a string" },
	{ "{'id': '%any'}", "/hosts/1/id", "'%any' is not an id" },
	{ "{'id': '*'}", "/hosts/1/id", "'*' is not an id" },
	{ "{'id': 'a\\u0007'}", "/hosts/1/id", "is not an id" },
	{ "{'id': 'b'}", "/hosts/1/addresses", "is missing" },
	{ "{'id': 'b', 'addresses': '192.0.2.2'}", "/hosts/1/addresses", "not an array" },
	{ "{'id': 'b', 'addresses': []}", "/hosts/1/addresses", "0 addresses; expected 1 to 16" },
	{ "{'id': 'b', 'addresses': [1]}", "/hosts/1/addresses/0", "not a string" },
	{ "{'id': 'b', 'addresses': [null]}", "/hosts/1/addresses/0", "not a string" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2', 'x']}", "/hosts/1/addresses/1",
	  "'x' is not an IP address" },
	{ "{'id': 'b', 'addresses': [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]}", "/hosts/1/addresses",
	  "17 addresses" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'address': 'x'}", "/hosts/1/address",
	  "unknown key" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'name': 7}", "/hosts/1/name", "not a string" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'state': 'up'}", "/hosts/1/state",
	  "'up' is not active, inactive, reconnecting or disconnected" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'state': 'gone'}", "/hosts/1/state", "'gone'" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': {}}", "/hosts/1/prefixes",
	  "not an array" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': [3]}", "/hosts/1/prefixes/0",
	  "not a string" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24', '10.42.2.0/99']}",
	  "/hosts/1/prefixes/1", "'10.42.2.0/99' is not an IP prefix" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'overlay_ip': 'x'}", "/hosts/1/overlay_ip",
	  "'x' is not an IP address" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'nat': 'yes'}", "/hosts/1/nat",
	  "not true or false" },
	{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'created': 'yesterday'}", "/hosts/1/created",
	  "'yesterday' is not a time" },
	{ "{'id': 'b', 'addresses': ['127.0.0.1']}", "/hosts/1/addresses/0", "a loopback address" },
	{ "{'id': 'b', 'addresses': ['10.42.9.9']}", "/hosts/1/addresses/0",
	  "lies inside the overlay" },
};

static void a_wrong_host_is_refused_alone_and_stays_as_it_was(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before =
		good(HEAD HOST_A "," HOST_B "," HOST_C TAIL);

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(wrong_hosts); i++) {
		_cleanup_free_ char *text =
			xasprintf(HEAD HOST_A ", %s, " HOST_C TAIL, wrong_hosts[i].host);
		_cleanup_(snapshot_freep) struct snapshot *s = good(text);
		_cleanup_(snapshot_freep) struct snapshot *after = good_after(text, "a", before);
		bool no_id = strstr(wrong_hosts[i].text, "is not an id");

		assert_int_equal(s->hosts.n, 2);
		assert_int_equal(s->problems.n, 1);
		assert_contains(problem_at(s, wrong_hosts[i].place), wrong_hosts[i].text);
		assert_int_equal(snapshot_equal(after, before), !no_id);
	}
}

static void claims_are_settled_one_by_one(void **state)
{
	static const struct {
		const char *host, *place, *text, *prefixes;
	} rows[] = {
		{ "{'id': 'b', 'addresses': ['192.0.2.2', '0.0.0.0', '192.0.2.9'], "
		  "'prefixes': ['10.42.2.0/24']}",
		  "/hosts/1/addresses/1", "0.0.0.0 is in 0.0.0.0/8", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], "
		  "'prefixes': ['10.42.2.0/24', '10.43.0.0/24']}",
		  "/hosts/1/prefixes/1", "lies outside the overlay", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], "
		  "'prefixes': ['10.42.1.0/25', '10.42.2.0/24']}",
		  "/hosts/1/prefixes/0", "overlaps with 10.42.1.0/24 of host a, which is our own",
		  "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'overlay_ip': '10.42.3.1'}",
		  "/hosts/1/overlay_ip", "10.42.3.1 is no usable address", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'overlay_ip': '10.42.2.255'}",
		  "/hosts/1/overlay_ip", "10.42.2.255 is no usable address", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'containers': 7}",
		  "/hosts/1/containers", "not an array", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'containers': [7]}",
		  "/hosts/1/containers/0", "not an object", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'containers': [{'ip': '10.42.9.9'}, {'name': 'x'}]}",
		  "/hosts/1/containers/1/ip", "is missing", "10.42.2.0/24 10.42.9.9/32" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'containers': [{'ip': '10.42.9.9', 'mac': 'x'}]}",
		  "/hosts/1/containers/0/mac", "unknown key", "10.42.2.0/24" },
		{ "{'id': 'b', 'addresses': ['192.0.2.2'], 'prefixes': ['10.42.2.0/24'], "
		  "'containers': [{'ip': '10.42.3.9'}]}",
		  "/hosts/1/containers/0/ip", "overlaps with 10.42.3.0/24 of host c",
		  "10.42.2.0/24" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text =
			xasprintf(HEAD HOST_A ", %s, " HOST_C TAIL, rows[i].host);
		_cleanup_(snapshot_freep) struct snapshot *s = good(text);

		assert_int_equal(s->hosts.n, 3);
		assert_int_equal(s->problems.n, 1);
		assert_contains(problem_at(s, rows[i].place), rows[i].text);
		assert_string_equal(prefixes_of(s, "b"), rows[i].prefixes);
		assert_string_equal(overlay_ip_of(s, "b"), "10.42.2.1");
		assert_string_equal(prefixes_of(s, "c"), "10.42.3.0/24");
	}
}

static void containers_alone_make_the_flat_plan(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(HEAD "{'id': 'a', 'addresses': ['192.0.2.1'], 'overlay_ip': '10.42.0.5', "
			  "'containers': [{'ip': '10.42.0.5'}, {'ip': '10.42.7.1'}]}," HOST_B TAIL);

	(void)state;
	assert_true(snapshot_is_flat(s));
	assert_string_equal(prefixes_of(s, "a"), "10.42.0.5/32 10.42.7.1/32");
	assert_string_equal(overlay_ip_of(s, "a"), "10.42.0.5");
}

static void times_are_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-23T07:00:00Z", 1795417200000 },
		{ "2026-11-23T07:00:00.25Z", 1795417200250 },
		{ "2026-11-23T07:00:00.123456789Z", 1795417200123 },
		{ "2026-11-23T08:00:00+01:00", 1795417200000 },
		{ "2026-11-23T05:30:00-01:30", 1795417200000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2023-02-29T00:00:00Z", -1 },
		{ "2026-13-01T00:00:00Z", -1 },
		{ "2026-11-23T24:00:00Z", -1 },
		{ "2026-11-23T07:00:00", -1 },
		{ "2026-11-23 07:00:00Z", -1 },
		{ "2026-11-23T07:00:00Zx", -1 },
		{ "2026-11-23T07:00:00.Z", -1 },
		{ "1969-01-01T00:00:00Z", -1 },
		{ "1970-01-01T00:00:00+01:00", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text =
			xasprintf(HEAD HOST_A
				  ", {'id': 'b', 'addresses': ['192.0.2.2'], 'created': '%s'}" TAIL,
				  rows[i].text);
		_cleanup_(snapshot_freep) struct snapshot *s = good(text);
		const struct host *b = snapshot_find(s, "b");

		assert_int_equal(b != NULL, rows[i].ms >= 0);
		if (b && b->created_ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)b->created_ms);
	}
}

static void self_is_found_by_its_address(void **state)
{
	static const char text[] = HEAD HOST_A
		"," HOST_B ", {'id': 'd', 'addresses': ['192.0.2.2', '192.0.2.4']}" TAIL;
	static const struct {
		const char *own, *self, *error;
	} rows[] = {
		{ "192.0.2.1", "a", NULL },
		{ "192.0.2.4", "d", NULL },
		{ "192.0.2.2", NULL, "/hosts: b and d both have an address of this host" },
		{ "192.0.2.9", NULL,
		  "none of the 3 hosts has an address of this host (192.0.2.9)" },
	};
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(mesh_file_freep) struct mesh_file *m = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(parse(text, &m, &e), 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = NULL;
		struct sn_addr own;

		sn_addr_parse(rows[i].own, &own);
		assert_int_equal(mesh_file_snapshot(m, config, &own, 1, NULL, "x", &s, &e),
				 rows[i].self ? 0 : -EINVAL);
		if (rows[i].self)
			assert_string_equal(s->self_id, rows[i].self);
		else
			assert_contains(e.text, rows[i].error);
	}
}

static void our_own_wrong_entry_is_found_by_what_it_was(void **state)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(mesh_file_freep) struct mesh_file *m = NULL;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL,
						  *before = good(HEAD HOST_A "," HOST_B TAIL);
	struct sn_addr own;
	struct sn_error e;

	(void)state;
	sn_addr_parse("192.0.2.1", &own);
	assert_int_equal(parse(HEAD "{'id': 'a', 'addresses': [7]}," HOST_B TAIL, &m, &e), 0);
	assert_int_equal(mesh_file_snapshot(m, config, &own, 1, NULL, "x", &s, &e), -EINVAL);
	assert_int_equal(mesh_file_snapshot(m, config, &own, 1, before, "x", &s, &e), 0);
	assert_true(snapshot_equal(s, before));
}

static void a_changed_text_is_a_new_revision(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *a = good(HEAD HOST_A "," HOST_B TAIL);
	_cleanup_(snapshot_freep) struct snapshot *b = good(HEAD HOST_A "," HOST_B TAIL);
	_cleanup_(snapshot_freep) struct snapshot *c = good(HEAD HOST_A "," HOST_C TAIL);

	(void)state;
	assert_string_equal(a->revision, b->revision);
	assert_true(!streq(a->revision, c->revision));
}

static void containers_of_a_second_entry_of_one_id_do_not_count(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(HEAD HOST_A ", {'id': 'b', 'addresses': ['192.0.2.9'], 'containers': [{'ip': "
				 "'10.42.9.9'}]}, " HOST_B TAIL);

	(void)state;
	assert_contains(problem_at(s, "/hosts/1/id"),
			"b is the id of /hosts/2 (192.0.2.2) already");
	assert_string_equal(prefixes_of(s, "b"), "10.42.2.0/24");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_example),
		cmocka_unit_test(nat_stands_in_the_file),
		cmocka_unit_test(wrong_files_are_refused_whole_with_the_place),
		cmocka_unit_test(a_wrong_host_is_refused_alone_and_stays_as_it_was),
		cmocka_unit_test(claims_are_settled_one_by_one),
		cmocka_unit_test(containers_alone_make_the_flat_plan),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(self_is_found_by_its_address),
		cmocka_unit_test(our_own_wrong_entry_is_found_by_what_it_was),
		cmocka_unit_test(a_changed_text_is_a_new_revision),
		cmocka_unit_test(containers_of_a_second_entry_of_one_id_do_not_count),
	};

	return cmocka_run_group_tests_name("model/mesh_file", tests, NULL, NULL);
}
