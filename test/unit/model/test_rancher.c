/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/rancher.h"

#include "base/strbuf.h"
#include "model_test.h"

#define H1 "8839d356-f787-5a0b-8010-d454645c55f8"
#define H2 "8a986375-22d2-5c2e-aa55-1f07567f4524"
#define H3 "f977a2c9-9d70-5032-8206-02c204050c82"

/* A mesh to change at will: host "a" is self, "b" and "c" are others, each with a subnet. */
#define SELF "{'uuid': 'a'}"
#define HOST_A                                                                                     \
	"{'uuid': 'a', 'name': 'na', 'state': 'active', 'agent_ip': '192.0.2.1', 'labels': "       \
	"{'io.rancher.network.per_host_subnet.subnet': '10.42.1.0/24'}}"
#define HOST_B                                                                                     \
	"{'uuid': 'b', 'name': 'nb', 'state': 'active', 'agent_ip': '192.0.2.2', 'labels': "       \
	"{'io.rancher.network.per_host_subnet.subnet': '10.42.2.0/24'}}"
#define HOST_C                                                                                     \
	"{'uuid': 'c', 'name': 'nc', 'state': 'active', 'agent_ip': '192.0.2.3', 'labels': "       \
	"{'io.rancher.network.per_host_subnet.subnet': '10.42.3.0/24'}}"
/* b behind a NAT, with two further addresses */
#define NAT_B                                                                                      \
	"{'uuid': 'b', 'name': 'nb', 'state': 'active', 'agent_ip': '192.0.2.2', 'labels': "       \
	"{'io.rancher.network.per_host_subnet.subnet': '10.42.2.0/24', 'io.sennit.nat': 'true', "  \
	"'io.sennit.addresses': '192.0.2.22, 2001:db8::2'}}"
#define NAT_HOSTS "[" HOST_A "," NAT_B "," HOST_C "]"
#define HOSTS "[" HOST_A "," HOST_B "," HOST_C "]"
/* The same without subnets: the flat plan. */
#define FLAT(id, n) "{'uuid': '" id "', 'state': 'active', 'agent_ip': '192.0.2." n "'}"
#define FLAT_HOSTS "[" FLAT("a", "1") "," FLAT("b", "2") "," FLAT("c", "3") "]"
#define NET(name, uuid, subnet)                                                                    \
	"{'name': '" name "', 'uuid': '" uuid "', 'metadata': {'cniConfig': {'10-rancher.conf': "  \
	"{'type': 'rancher-bridge', 'bridgeSubnet': '" subnet "'}}}}"
#define NETWORKS "[" NET("ipsec", "net1", "10.42.0.0/16") "]"
#define CONTAINER(host, ip)                                                                        \
	"{'uuid': 'c-" ip "', 'name': 'x', 'state': 'running', 'network_uuid': 'net1', "           \
	"'host_uuid': '" host "', 'primary_ip': '" ip "', 'network_from_container_uuid': null}"

static int read_json(const json_t *self, const json_t *hosts, const json_t *containers,
		     const json_t *networks, const struct config *c, const struct snapshot *before,
		     struct snapshot **ret, struct sn_error *e)
{
	const struct rancher_documents docs = {
		.version = "v1",
		.source = "http://user:geheim@192.0.2.250/2016-07-29",
		.self_host = self,
		.hosts = hosts,
		.containers = containers,
		.networks = networks,
	};

	memset(e, 0, sizeof(*e));
	return rancher_snapshot(&docs, c, before, ret, e);
}

static int read_with(const char *self, const char *hosts, const char *containers,
		     const char *networks, const struct config *config,
		     const struct snapshot *before, struct snapshot **ret, struct sn_error *e)
{
	_cleanup_json_ json_t *s = json_of(self), *h = json_of(hosts), *c = json_of(containers);
	_cleanup_json_ json_t *n = json_of(networks);

	return read_json(s, h, c, n, config, before, ret, e);
}

static struct snapshot *good_after(const char *hosts, const char *containers,
				   const struct snapshot *before)
{
	_cleanup_(config_freep) struct config *config = config_new();
	struct snapshot *s = NULL;
	struct sn_error e;

	if (read_with(SELF, hosts, containers, NETWORKS, config, before, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static struct snapshot *good(const char *hosts, const char *containers)
{
	return good_after(hosts, containers, NULL);
}

/* Refused whole; the sentence. */
static const char *refused(const char *self, const char *hosts, const char *containers,
			   const char *networks, const struct config *given)
{
	_cleanup_(config_freep) struct config *config = config_new();
	static struct sn_error e;
	struct snapshot *s = NULL;

	assert_int_equal(
		read_with(self, hosts, containers, networks, given ? given : config, NULL, &s, &e),
		-EINVAL);
	assert_null(s);
	return e.text;
}

static struct snapshot *recorded(const json_t *hosts, const json_t *containers)
{
	_cleanup_json_ json_t *self = json_of_file("rancher/self_host.json");
	_cleanup_json_ json_t *networks = json_of_file("rancher/networks.json");
	_cleanup_(config_freep) struct config *config = config_new();
	struct snapshot *s = NULL;
	struct sn_error e;

	if (read_json(self, hosts, containers, networks, config, NULL, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void reads_what_the_original_server_answered(void **state)
{
	_cleanup_json_ json_t *hosts = json_of_file("rancher/hosts.json");
	_cleanup_json_ json_t *containers = json_of_file("rancher/containers.json");
	_cleanup_(snapshot_freep) struct snapshot *s = recorded(hosts, containers);

	(void)state;
	assert_int_equal(s->hosts.n, 3);
	assert_int_equal(s->problems.n, 0);
	assert_string_equal(s->mesh_id, "22d7ffe1-4a45-5628-b940-41655bfe030e");
	assert_string_equal(s->mesh_name, "ipsec");
	assert_string_equal(SN_PREFIX_PAIR_STR(&s->overlay), "10.42.0.0/16");
	assert_string_equal(s->self_id, H1);
	assert_string_equal(s->revision, "v1");
	assert_string_equal(s->source, "http://192.0.2.250/2016-07-29");
	assert_string_equal(snapshot_find(s, H2)->name, "h2");
	assert_string_equal(underlay_of(s, H3), "192.0.2.13");
	assert_string_equal(prefixes_of(s, H1), "10.42.1.0/24");
	assert_string_equal(prefixes_of(s, H2), "10.42.2.0/24");
	assert_string_equal(overlay_ip_of(s, H3), "10.42.3.1");
	assert_false(snapshot_is_flat(s));
}

static json_t *reversed(const json_t *list)
{
	json_t *r = json_array();

	for (size_t i = json_array_size(list); i-- > 0;)
		json_array_append(r, json_array_get(list, i));
	return r;
}

static void the_order_of_arrays_does_not_matter(void **state)
{
	_cleanup_json_ json_t *hosts = json_of_file("rancher/hosts.json");
	_cleanup_json_ json_t *containers = json_of_file("rancher/containers.json");
	_cleanup_json_ json_t *hosts2 = reversed(hosts), *containers2 = reversed(containers);
	_cleanup_(snapshot_freep) struct snapshot *a = recorded(hosts, containers);
	_cleanup_(snapshot_freep) struct snapshot *b = recorded(hosts2, containers2);

	(void)state;
	assert_true(snapshot_equal(a, b));
}

static void order_does_not_decide_conflicts_either(void **state)
{
	static const char *const hosts[] = {
		"[" HOST_A "," FLAT("b", "2") "," FLAT("c", "3") "," FLAT("d", "3") "]",
		"[" FLAT("d", "3") "," FLAT("c", "3") "," FLAT("b", "2") "," HOST_A "]",
	};
	static const char *const containers[] = {
		"[" CONTAINER("b", "10.42.9.1") "," CONTAINER("c", "10.42.9.1") "]",
		"[" CONTAINER("c", "10.42.9.1") "," CONTAINER("b", "10.42.9.1") "]",
	};
	_cleanup_(snapshot_freep) struct snapshot *a = good(hosts[0], containers[0]);
	_cleanup_(snapshot_freep) struct snapshot *b = good(hosts[1], containers[1]);

	(void)state;
	assert_true(snapshot_equal(a, b));
	assert_string_equal(prefixes_of(a, "b"), "10.42.9.1/32");
	assert_string_equal(state_of(a, "c"), "gone by d");
}

static void only_four_states_are_peers(void **state)
{
	static const struct {
		const char *state;
		bool peer;
	} rows[] = {
		{ "active", true },
		{ "inactive", true },
		{ "reconnecting", true },
		{ "disconnected", true },
		{ "removed", false },
		{ "purged", false },
		{ "error", false },
		{ "registering", false },
		{ "gone", false },
		{ "ACTIVE", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *hosts = xasprintf(
			"[" HOST_A ", {'uuid': 'b', 'state': '%s', 'agent_ip': '192.0.2.2'}]",
			rows[i].state);
		_cleanup_(snapshot_freep) struct snapshot *s = good(hosts, "[]");

		assert_int_equal(!!snapshot_find(s, "b"), rows[i].peer);
		assert_int_equal(s->problems.n, 0);
	}
}

static void a_wrong_host_is_refused_alone_with_its_place(void **state)
{
	static const struct {
		const char *host, *place, *text;
	} rows[] = {
		{ "null", "/hosts/1", "not an object" },
		{ "7", "/hosts/1", "not an object" },
		{ "[]", "/hosts/1", "not an object" },
		{ "{}", "/hosts/1/state", "is missing" },
		{ "{'state': 4}", "/hosts/1/state", "not a string" },
		{ "{'state': 'active'}", "/hosts/1/uuid", "is missing" },
		{ "{'state': 'active', 'uuid': null}", "/hosts/1/uuid", "is missing" },
		{ "{'state': 'active', 'uuid': 7}", "/hosts/1/uuid", "not a string" },
		{ "{'state': 'active', 'uuid': '%any'}", "/hosts/1/uuid",
		  "'%any' is not a host id" },
		{ "{'state': 'active', 'uuid': '*'}", "/hosts/1/uuid", "'*' is not a host id" },
		{ "{'state': 'active', 'uuid': ''}", "/hosts/1/uuid", "'' is not a host id" },
		{ "{'state': 'active', 'uuid': 'a\\nb'}", "/hosts/1/uuid", "is not a host id" },
		{ "{'state': 'active', 'uuid': '0.0.0.0/0'}", "/hosts/1/uuid", "is not a host id" },
		{ "{'state': 'active', 'uuid': '-x'}", "/hosts/1/uuid", "is not a host id" },
		{ "{'state': 'active', 'uuid': "
		  "'x123456789012345678901234567890123456789012345678901234567890123'}",
		  "/hosts/1/uuid", "is not a host id" },
		{ "{'state': 'active', 'uuid': 'b'}", "/hosts/1/agent_ip", "is missing" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': null}", "/hosts/1/agent_ip",
		  "is missing" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': ''}", "/hosts/1/agent_ip",
		  "is not an IP address" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': '192.0.2'}", "/hosts/1/agent_ip",
		  "is not an IP address" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': '127.0.0.1'}", "/hosts/1/agent_ip",
		  "127.0.0.1 is a loopback address" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': '0.0.0.0'}", "/hosts/1/agent_ip",
		  "0.0.0.0" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': '224.0.0.1'}", "/hosts/1/agent_ip",
		  "not a unicast address" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': 'fe80::1'}", "/hosts/1/agent_ip",
		  "a link-local address" },
		{ "{'state': 'active', 'uuid': 'b', 'agent_ip': '10.42.2.2'}", "/hosts/1/agent_ip",
		  "lies inside the overlay 10.42.0.0/16" },
		{ HOST_A, "/hosts/1/uuid", "is the id of /hosts/0 (192.0.2.1) already" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *hosts =
			xasprintf("[" HOST_A ", %s, " HOST_C "]", rows[i].host);
		_cleanup_(snapshot_freep) struct snapshot *s = good(hosts, "[]");

		assert_int_equal(s->hosts.n, 2);
		assert_int_equal(s->problems.n, 1);
		assert_contains(problem_at(s, rows[i].place), rows[i].text);
		assert_string_equal(prefixes_of(s, "c"), "10.42.3.0/24");
	}
}

static void a_wrong_label_costs_the_host_its_subnet_only(void **state)
{
	static const struct {
		const char *labels, *place, *text;
	} rows[] = {
		{ "7", "/hosts/1/labels", "not an object" },
		{ "'x'", "/hosts/1/labels", "not an object" },
		{ "{'io.sennit.addresses': 7}", "/hosts/1/labels/io.sennit.addresses",
		  "not a string" },
		{ "{'io.sennit.addresses': '192.0.2.22, x'}", "/hosts/1/labels/io.sennit.addresses",
		  "'x' is not an IP address" },
		{ "{'io.sennit.addresses': '1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
		  "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
		  "1.1.1.1'}",
		  "/hosts/1/labels/io.sennit.addresses", "more than 15 addresses" },
		{ "{'io.sennit.nat': true}", "/hosts/1/labels/io.sennit.nat", "not a string" },
		{ "{'io.sennit.nat': 'yes'}", "/hosts/1/labels/io.sennit.nat",
		  "'yes' is neither true nor false" },
		{ "{'io.rancher.network.per_host_subnet.subnet': 7}", "", "not a string" },
		{ "{'io.rancher.network.per_host_subnet.subnet': ''}", "", "is not an IP prefix" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.42.2.0/33'}", "",
		  "is not an IP prefix" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '0.0.0.0/0'}", "",
		  "0.0.0.0/0 lies outside the overlay 10.42.0.0/16" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.43.0.0/24'}", "",
		  "10.43.0.0/24 lies outside the overlay 10.42.0.0/16" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.0.0.0/8'}", "",
		  "lies outside the overlay" },
		{ "{'io.rancher.network.per_host_subnet.subnet': 'fd00::/64'}", "",
		  "lies outside the overlay" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.42.2.1/24'}", "",
		  "10.42.2.1/24 has bits set behind its length" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.42.1.0/24'}", "",
		  "10.42.1.0/24 of host b overlaps with 10.42.1.0/24 of host a, which is our own" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.42.1.128/25'}", "",
		  "overlaps with 10.42.1.0/24 of host a" },
		{ "{'io.rancher.network.per_host_subnet.subnet': '10.42.0.0/16'}", "",
		  "overlaps with 10.42." },
	};
	const char *label = "/hosts/1/labels/io.rancher.network.per_host_subnet.subnet";
	_cleanup_(snapshot_freep) struct snapshot *before = good(HOSTS, "[]");

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *hosts = xasprintf(
			"[" HOST_A ", {'uuid': 'b', 'state': 'active', 'agent_ip': '192.0.2.2', "
			"'labels': %s}, " HOST_C "]",
			rows[i].labels);
		_cleanup_(snapshot_freep) struct snapshot *s = good(hosts, "[]");
		_cleanup_(snapshot_freep) struct snapshot *after = good_after(hosts, "[]", before);

		assert_contains(problem_at(s, rows[i].place[0] ? rows[i].place : label),
				rows[i].text);
		assert_int_equal(s->hosts.n, 3);
		assert_string_equal(prefixes_of(s, "a"), "10.42.1.0/24");
		assert_string_equal(prefixes_of(s, "b"), "");
		/* with a last good form it keeps what it had */
		assert_string_equal(prefixes_of(after, "a"), "10.42.1.0/24");
		assert_string_equal(prefixes_of(after, "b"), "10.42.2.0/24");
		assert_string_equal(prefixes_of(after, "c"), "10.42.3.0/24");
		assert_string_equal(overlay_ip_of(after, "b"), "10.42.2.1");
		assert_int_equal(after->problems.n, 1);
	}
}

static void a_wrong_label_leaves_the_nat_and_further_addresses(void **state)
{
	static const char *const labels[] = {
		"7",
		"{'io.sennit.nat': 'yes'}",
		"{'io.sennit.addresses': 'x', 'io.sennit.nat': 'false'}",
		"{'io.rancher.network.per_host_subnet.subnet': 7}",
	};
	_cleanup_(snapshot_freep) struct snapshot *before = good(NAT_HOSTS, "[]");

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(labels); i++) {
		_cleanup_free_ char *hosts =
			xasprintf("[" HOST_A ", {'uuid': 'b', 'name': 'nb', 'state': 'active', "
				  "'agent_ip': '192.0.2.2', 'labels': %s}, " HOST_C "]",
				  labels[i]);
		_cleanup_(snapshot_freep) struct snapshot *first = good(hosts, "[]");
		_cleanup_(snapshot_freep) struct snapshot *s = good_after(hosts, "[]", before);
		_cleanup_(snapshot_freep) struct snapshot *again = good_after(hosts, "[]", s);

		assert_int_equal(s->problems.n, 1);
		assert_true(snapshot_equal(s, before));
		assert_true(snapshot_equal(again, before));
		assert_false(snapshot_find(first, "b")->behind_nat);
		assert_int_equal(snapshot_find(first, "b")->underlay.n, 1);
	}
}

/* It is another's now: kept here as well it would make this host the loser of it. */
static void a_further_address_that_moved_is_not_kept(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = good(NAT_HOSTS, "[]");
	_cleanup_(snapshot_freep) struct snapshot *s = good_after(
		"[" HOST_A "," HOST_C ", {'uuid': 'b', 'state': 'active', 'agent_ip': "
		"'192.0.2.5', 'labels': 7}, {'uuid': 'd', 'state': 'active', 'agent_ip': "
		"'192.0.2.22'}]",
		"[]", before);
	const struct host *b = snapshot_find(s, "b");

	(void)state;
	assert_string_equal(state_of(s, "b"), "active");
	assert_string_equal(state_of(s, "d"), "active");
	assert_true(b->behind_nat);
	assert_int_equal(b->underlay.n, 2);
	assert_string_equal(SN_ADDR_STR(&b->underlay.v[0]), "192.0.2.5");
	assert_string_equal(SN_ADDR_STR(&b->underlay.v[1]), "2001:db8::2");
}

static void more_addresses_stand_in_a_label(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good("[" HOST_A ", {'uuid': 'b', 'state': 'active', 'agent_ip': '192.0.2.2', "
		     "'labels': {'io.sennit.addresses': '192.0.2.22, 2001:db8::2'}}]",
		     "[]");
	const struct host *b = snapshot_find(s, "b");

	(void)state;
	assert_int_equal(s->problems.n, 0);
	assert_int_equal(b->underlay.n, 3);
	assert_string_equal(SN_ADDR_STR(&b->underlay.v[0]), "192.0.2.2");
	assert_string_equal(SN_ADDR_STR(&b->underlay.v[1]), "192.0.2.22");
	assert_string_equal(SN_ADDR_STR(&b->underlay.v[2]), "2001:db8::2");
}

static void nat_stands_in_a_label(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good("[" HOST_A ", {'uuid': 'b', 'state': 'active', 'agent_ip': '192.0.2.2', "
		     "'labels': {'io.sennit.nat': 'true'}}, "
		     "{'uuid': 'c', 'state': 'active', 'agent_ip': '192.0.2.3', "
		     "'labels': {'io.sennit.nat': 'false'}}]",
		     "[]");
	_cleanup_(snapshot_freep) struct snapshot *copy = snapshot_copy(s);
	_cleanup_json_ json_t *stored = snapshot_to_json(s);
	_cleanup_(snapshot_freep) struct snapshot *again = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(s->problems.n, 0);
	assert_false(snapshot_find(s, "a")->behind_nat);
	assert_true(snapshot_find(s, "b")->behind_nat);
	assert_false(snapshot_find(s, "c")->behind_nat);
	assert_int_equal(snapshot_from_json(stored, &again, &e), 0);
	assert_true(snapshot_equal(s, again));
	copy->hosts.v[1].behind_nat = false;
	assert_false(snapshot_equal(s, copy));
}

static void what_is_wrong_as_a_whole_is_refused_as_a_whole(void **state)
{
	static const struct {
		const char *self, *hosts, *containers, *networks, *text;
	} rows[] = {
		{ "null", HOSTS, "[]", NETWORKS, "/self/host: not an object" },
		{ "{}", HOSTS, "[]", NETWORKS, "/self/host/uuid: is missing" },
		{ "{'uuid': 3}", HOSTS, "[]", NETWORKS, "/self/host/uuid: not a string" },
		{ "{'uuid': '%any'}", HOSTS, "[]", NETWORKS,
		  "/self/host/uuid: '%any' is not a host id" },
		{ "{'uuid': 'z'}", HOSTS, "[]", NETWORKS,
		  "/hosts: our own host, z, is not among the 3 hosts" },
		{ SELF, "null", "[]", NETWORKS, "/hosts: not an array" },
		{ SELF, "{}", "[]", NETWORKS, "/hosts: not an array" },
		{ SELF, "[]", "[]", NETWORKS, "/hosts: there is no host" },
		{ SELF, "[{'uuid': 'a', 'state': 'active', 'agent_ip': 'x'}," HOST_B "]", "[]",
		  NETWORKS, "/hosts/0/agent_ip: 'x' is not an IP address (this is our own host)" },
		{ SELF, "[{'uuid': 'a', 'state': 'removed', 'agent_ip': '192.0.2.1'}," HOST_B "]",
		  "[]", NETWORKS, "our own host, a, is not among" },
		{ SELF, HOSTS, "{}", NETWORKS, "/containers: not an array" },
		{ SELF, HOSTS, "[]", "null", "/networks: not an array" },
		{ SELF, HOSTS, "[]", "[]", "/networks: none has a cniConfig of type" },
		{ SELF, HOSTS, "[]", "[null, 4, {'name': 'other', 'uuid': 'u', 'metadata': null}]",
		  "there are: ? (?), ? (?), other (u)" },
		{ SELF, HOSTS, "[]",
		  "[" NET("ipsec", "net1", "10.42.0.0/16") "," NET("vxlan", "net2",
								   "10.43.0.0/16") "]",
		  "ipsec (net1), vxlan (net2); set network (SENNIT_NETWORK)" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "0.0.0.0/0") "]",
		  "/networks/0/metadata/cniConfig/10-rancher.conf/bridgeSubnet: 0.0.0.0/0 is too "
		  "wide" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "10.0.0.0/7") "]", "too wide" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "fd00::/31") "]", "too wide" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "127.0.0.0/8") "]", "loopback" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "239.0.0.0/8") "]", "unicast" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "192.0.2.0/25") "]",
		  "192.0.2.0/25 contains 192.0.2.1, the underlay address of host a" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "169.254.0.0/16") "]",
		  "contains 169.254.169.250, the address of the metadata service" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "net1", "what") "]",
		  "bridgeSubnet: 'what' is not an IP prefix" },
		{ SELF, HOSTS, "[]", "[" NET("ipsec", "%any", "10.42.0.0/16") "]",
		  "/networks/0/uuid: '%any' cannot be the id of a mesh" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++)
		assert_contains(refused(rows[i].self, rows[i].hosts, rows[i].containers,
					rows[i].networks, NULL),
				rows[i].text);
}

static void the_configuration_names_network_host_and_mesh(void **state)
{
	static const char networks[] =
		"[" NET("x", "net1", "10.42.0.0/16") "," NET("x", "net2", "10.43.0.0/16") "," NET(
			"y", "net3", "10.44.0.0/16") ", {'name': 'z', 'uuid': 'net4'}]";
	static const struct {
		const char *network, *text;
	} rows[] = {
		{ "x", "2 fit x: x (net1), x (net2)" },
		{ "q", "none has the configured name or uuid q; there are: x (net1)" },
		{ "z", "/networks/3/metadata/cniConfig: no entry of type rancher-bridge" },
	};
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		free(config->network);
		config->network = xstrdup(rows[i].network);
		assert_contains(refused(SELF, HOSTS, "[]", networks, config), rows[i].text);
	}
	free(config->network);
	config->network = xstrdup("net1");
	strcpy(config->host_id, "b");
	strcpy(config->mesh_id, "m7");
	assert_int_equal(read_with("null", HOSTS, "[]", networks, config, NULL, &s, &e), 0);
	assert_string_equal(s->self_id, "b");
	assert_string_equal(s->mesh_id, "m7");
	assert_string_equal(s->mesh_name, "x");
}

static void only_endpoints_of_the_own_network_count(void **state)
{
	static const struct {
		const char *container;
		const char *expected;
	} rows[] = {
		{ CONTAINER("b", "10.42.7.7"), "10.42.7.7/32" },
		{ "{'state': 'starting', 'network_uuid': 'net1', 'host_uuid': 'b', "
		  "'primary_ip': '10.42.7.7'}",
		  "10.42.7.7/32" },
		{ "{'state': 'stopping', 'network_uuid': 'net1', 'host_uuid': 'b', "
		  "'primary_ip': '10.42.7.7'}",
		  "10.42.7.7/32" },
		{ "{'state': 'stopped', 'network_uuid': 'net1', 'host_uuid': 'b', "
		  "'primary_ip': '10.42.7.7'}",
		  "" },
		{ "{'state': 'running', 'network_uuid': 'net2', 'host_uuid': 'b', "
		  "'primary_ip': '10.42.7.7'}",
		  "" },
		{ "{'state': 'running', 'network_uuid': null, 'host_uuid': 'b', "
		  "'primary_ip': '192.0.2.2'}",
		  "" },
		{ "{'state': 'running', 'network_uuid': 'net1', 'host_uuid': 'b', "
		  "'primary_ip': null}",
		  "" },
		{ "{'state': 'running', 'network_uuid': 'net1', 'host_uuid': 'b', "
		  "'primary_ip': ''}",
		  "" },
		{ "{'state': 'running', 'network_uuid': 'net1', 'host_uuid': 'b', "
		  "'primary_ip': '10.42.7.7', 'network_from_container_uuid': 'x'}",
		  "" },
		{ "{'state': 'running', 'network_uuid': 'net1', 'host_uuid': 'z', "
		  "'primary_ip': '10.42.7.7'}",
		  "" },
		{ "{'state': 'running', 'network_uuid': 'net1', 'host_uuid': '%any', "
		  "'primary_ip': '10.42.7.7'}",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *containers = xasprintf("[%s]", rows[i].container);
		_cleanup_(snapshot_freep) struct snapshot *s = good(FLAT_HOSTS, containers);

		assert_string_equal(prefixes_of(s, "b"), rows[i].expected);
		assert_int_equal(s->problems.n, 0);
	}
}

static void a_single_address_in_the_own_subnet_adds_nothing(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(HOSTS, "[" CONTAINER("b", "10.42.2.7") "," CONTAINER("b", "10.42.9.7") "]");

	(void)state;
	assert_string_equal(prefixes_of(s, "b"), "10.42.2.0/24 10.42.9.7/32");
	assert_string_equal(overlay_ip_of(s, "b"), "10.42.2.1");
	assert_true(snapshot_is_flat(s));
}

static void a_wrong_container_is_refused_alone_with_its_place(void **state)
{
	static const struct {
		const char *container, *place, *text;
	} rows[] = {
		{ "null", "/containers/1", "not an object" },
		{ "{'network_uuid': 3}", "/containers/1/network_uuid", "not a string" },
		{ "{'network_uuid': 'net1', 'host_uuid': 'b'}", "/containers/1/state",
		  "is missing" },
		{ "{'network_uuid': 'net1', 'state': [], 'host_uuid': 'b'}", "/containers/1/state",
		  "not a string" },
		{ "{'network_uuid': 'net1', 'state': 'running', 'primary_ip': 7, 'host_uuid': 'b'}",
		  "/containers/1/primary_ip", "not a string" },
		{ "{'network_uuid': 'net1', 'state': 'running', 'primary_ip': '10.42.1', "
		  "'host_uuid': 'b'}",
		  "/containers/1/primary_ip", "'10.42.1' is not an IP address" },
		{ "{'network_uuid': 'net1', 'state': 'running', 'primary_ip': '10.42.1.1/24', "
		  "'host_uuid': 'b'}",
		  "/containers/1/primary_ip", "is not an IP address" },
		{ "{'network_uuid': 'net1', 'state': 'running', 'primary_ip': '10.42.7.7'}",
		  "/containers/1/host_uuid", "is missing" },
		{ "{'network_uuid': 'net1', 'state': 'running', 'primary_ip': '10.43.7.7', "
		  "'host_uuid': 'b'}",
		  "/containers/1/primary_ip", "10.43.7.7/32 lies outside the overlay" },
		{ "{'network_uuid': 'net1', 'state': 'running', 'primary_ip': '10.42.8.1', "
		  "'host_uuid': 'b'}",
		  "/containers/1/primary_ip",
		  "10.42.8.1/32 of host b overlaps with 10.42.8.1/32 of host a" },
	};
	_cleanup_(snapshot_freep) struct snapshot *before = good(
		FLAT_HOSTS, "[" CONTAINER("a", "10.42.8.1") "," CONTAINER("b", "10.42.8.2") "]");

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *containers = xasprintf(
			"[" CONTAINER("a", "10.42.8.1") ", %s, " CONTAINER("c", "10.42.8.3") "]",
			rows[i].container);
		_cleanup_(snapshot_freep) struct snapshot *s = good(FLAT_HOSTS, containers);
		_cleanup_(snapshot_freep) struct snapshot *after =
			good_after(FLAT_HOSTS, containers, before);

		assert_int_equal(s->problems.n, 1);
		assert_contains(problem_at(s, rows[i].place), rows[i].text);
		assert_string_equal(prefixes_of(s, "a"), "10.42.8.1/32");
		assert_string_equal(prefixes_of(s, "b"), "");
		assert_string_equal(prefixes_of(s, "c"), "10.42.8.3/32");
		/* what b had before may be this very container's */
		assert_string_equal(prefixes_of(after, "b"), "10.42.8.2/32");
		assert_int_equal(after->problems.n, 1);
	}
}

static void an_address_that_moved_is_not_kept_for_a_wrong_container(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before =
		good(FLAT_HOSTS, "[" CONTAINER("b", "10.42.8.2") "]");
	_cleanup_(snapshot_freep) struct snapshot *s =
		good_after(FLAT_HOSTS, "[null, " CONTAINER("c", "10.42.8.2") "]", before);

	(void)state;
	assert_string_equal(prefixes_of(s, "b"), "");
	assert_string_equal(prefixes_of(s, "c"), "10.42.8.2/32");
}

static void the_holder_keeps_an_address_until_it_lets_go(void **state)
{
	static const char both[] =
		"[" CONTAINER("b", "10.42.8.2") "," CONTAINER("c", "10.42.8.2") "]";
	_cleanup_(snapshot_freep) struct snapshot *first =
		good(FLAT_HOSTS, "[" CONTAINER("c", "10.42.8.2") "]");
	_cleanup_(snapshot_freep) struct snapshot *second = good_after(FLAT_HOSTS, both, first);
	_cleanup_(snapshot_freep) struct snapshot *third =
		good_after(FLAT_HOSTS, "[" CONTAINER("b", "10.42.8.2") "]", second);

	(void)state;
	assert_string_equal(prefixes_of(second, "b"), "");
	assert_string_equal(prefixes_of(second, "c"), "10.42.8.2/32");
	assert_contains(problem_at(second, "/containers/0/primary_ip"), "which had it first");
	assert_string_equal(prefixes_of(third, "b"), "10.42.8.2/32");
	assert_string_equal(prefixes_of(third, "c"), "");
}

static void null_containers_are_none_unless_there_were_some(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = good(HOSTS, "null");
	_cleanup_(snapshot_freep) struct snapshot *flat =
		good(FLAT_HOSTS, "[" CONTAINER("b", "10.42.8.2") "]");
	_cleanup_(config_freep) struct config *config = config_new();
	struct snapshot *none = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(s->hosts.n, 3);
	assert_int_equal(read_with(SELF, FLAT_HOSTS, "null", NETWORKS, config, flat, &none, &e),
			 -EINVAL);
	assert_contains(e.text, "/containers: is null");
}

static void a_wrong_host_stays_as_it_was(void **state)
{
	static const struct {
		const char *host;
		bool stays;
	} rows[] = {
		{ "{'uuid': 'b', 'state': 'active', 'agent_ip': null}", true },
		{ "{'uuid': 'b', 'state': 'active', 'agent_ip': 4}", true },
		{ "{'uuid': 'b', 'state': 'active', 'agent_ip': '10.42.2.1'}", true },
		{ "{'uuid': 'b', 'state': null, 'agent_ip': '192.0.2.2'}", true },
		{ "{'uuid': null, 'state': 'active', 'agent_ip': '192.0.2.2'}", true },
		{ "{'uuid': 5, 'state': 'active', 'agent_ip': '192.0.2.2'}", true },
		/* says neither id nor address: may be any host that is not named */
		{ "null", true },
		{ "{}", true },
		/* another's address: not b */
		{ "{'uuid': null, 'state': 'active', 'agent_ip': '192.0.2.77'}", false },
		/* never an id of ours */
		{ "{'uuid': '%any', 'state': 'active', 'agent_ip': '192.0.2.2'}", false },
		/* said clearly */
		{ "{'uuid': 'b', 'state': 'removed', 'agent_ip': null}", false },
		{ HOST_C, false },
	};
	_cleanup_(snapshot_freep) struct snapshot *before = good(NAT_HOSTS, "[]");

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *hosts =
			xasprintf("[" HOST_A ", %s, " HOST_C "]", rows[i].host);
		_cleanup_(snapshot_freep) struct snapshot *s = good_after(hosts, "[]", before);

		assert_int_equal(!!snapshot_find(s, "b"), rows[i].stays);
		assert_int_equal(snapshot_equal(s, before), rows[i].stays);
		if (rows[i].stays)
			assert_contains(s->problems.v[0].text, "; host b stays as it was");
	}
}

static void our_own_wrong_entry_stays_as_it_was_too(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = good(HOSTS, "[]");
	_cleanup_(snapshot_freep) struct snapshot *s = good_after(
		"[{'uuid': 'a', 'state': 'active', 'agent_ip': null}," HOST_B "," HOST_C "]", "[]",
		before);

	(void)state;
	assert_true(snapshot_equal(s, before));
}

static void the_flat_plan_takes_the_routers_address(void **state)
{
#define ENDPOINT(uuid, host, ip, more)                                                             \
	"{'uuid': '" uuid "', 'state': 'running', 'network_uuid': 'net1', 'host_uuid': '" host     \
	"', 'primary_ip': '" ip "'" more "}"
	_cleanup_(snapshot_freep) struct snapshot *s =
		good(FLAT_HOSTS,
		     "[" ENDPOINT("1", "a", "10.42.5.5", "") "," ENDPOINT(
			     "2", "a", "10.42.200.1",
			     "") "," ENDPOINT("3", "a", "10.42.200.1",
					      ", 'network_from_container_uuid': '2', 'labels': "
					      "{'io.rancher.container.agent_service.ipsec': "
					      "'true'}") "," ENDPOINT("4", "b", "10.42.200.2",
								      ", 'labels': "
								      "{'io.rancher.sidekicks': "
								      "'router,connectivity-check'"
								      "}") "," ENDPOINT("5", "c",
											"10.42.200."
											"3",
											", "
											"'labels': "
											"{'io."
											"rancher."
											"sidekicks'"
											": "
											"'routers'"
											"}") "]");

	(void)state;
	assert_string_equal(overlay_ip_of(s, "a"), "10.42.200.1");
	assert_string_equal(overlay_ip_of(s, "b"), "10.42.200.2");
	assert_string_equal(overlay_ip_of(s, "c"), "-");
}

static void names_are_for_people_and_never_refused(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s =
		good("[" HOST_A
		     ", {'uuid': 'b', 'state': 'active', 'agent_ip': '192.0.2.2', 'name': null, "
		     "'hostname': 'hb'}"
		     ", {'uuid': 'c', 'state': 'active', 'agent_ip': '192.0.2.3', 'name': 3}"
		     ", {'uuid': 'd', 'state': 'active', 'agent_ip': '192.0.2.4', "
		     "'name': 'a\\u001b[2Jb'}]",
		     "[]");

	(void)state;
	assert_string_equal(snapshot_find(s, "b")->name, "hb");
	assert_string_equal(snapshot_find(s, "c")->name, "c");
	assert_string_equal(snapshot_find(s, "d")->name, "a\x1b[2Jb");
	assert_int_equal(s->problems.n, 0);
}

static void too_many_hosts_are_refused_whole(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	(void)state;
	strbuf_adds(&b, "[" HOST_A);
	for (int i = 0; i < SNAPSHOT_MAX_HOSTS; i++)
		strbuf_adds(&b, ",null");
	strbuf_addc(&b, ']');
	assert_contains(refused(SELF, strbuf_str(&b), "[]", NETWORKS, NULL),
			"/hosts: 4097 hosts; at most 4096 are allowed");
}

static void problems_are_bounded(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;

	(void)state;
	strbuf_adds(&b, "[null");
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&b, ",null");
	strbuf_addc(&b, ']');
	s = good(HOSTS, strbuf_str(&b));
	assert_int_equal(s->problems.n, SNAPSHOT_MAX_PROBLEMS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_original_server_answered),
		cmocka_unit_test(the_order_of_arrays_does_not_matter),
		cmocka_unit_test(order_does_not_decide_conflicts_either),
		cmocka_unit_test(only_four_states_are_peers),
		cmocka_unit_test(a_wrong_host_is_refused_alone_with_its_place),
		cmocka_unit_test(a_wrong_label_costs_the_host_its_subnet_only),
		cmocka_unit_test(a_wrong_label_leaves_the_nat_and_further_addresses),
		cmocka_unit_test(a_further_address_that_moved_is_not_kept),
		cmocka_unit_test(more_addresses_stand_in_a_label),
		cmocka_unit_test(nat_stands_in_a_label),
		cmocka_unit_test(what_is_wrong_as_a_whole_is_refused_as_a_whole),
		cmocka_unit_test(the_configuration_names_network_host_and_mesh),
		cmocka_unit_test(only_endpoints_of_the_own_network_count),
		cmocka_unit_test(a_single_address_in_the_own_subnet_adds_nothing),
		cmocka_unit_test(a_wrong_container_is_refused_alone_with_its_place),
		cmocka_unit_test(an_address_that_moved_is_not_kept_for_a_wrong_container),
		cmocka_unit_test(the_holder_keeps_an_address_until_it_lets_go),
		cmocka_unit_test(null_containers_are_none_unless_there_were_some),
		cmocka_unit_test(a_wrong_host_stays_as_it_was),
		cmocka_unit_test(our_own_wrong_entry_stays_as_it_was_too),
		cmocka_unit_test(the_flat_plan_takes_the_routers_address),
		cmocka_unit_test(names_are_for_people_and_never_refused),
		cmocka_unit_test(too_many_hosts_are_refused_whole),
		cmocka_unit_test(problems_are_bounded),
	};

	return cmocka_run_group_tests_name("model/rancher", tests, NULL, NULL);
}
