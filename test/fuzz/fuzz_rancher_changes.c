/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: an answer of /changes to who holds version "1" of a mesh of two hosts. One
 * that is refused changes nothing; one that is taken, taken again, is what it was.
 */
#include "model/rancher.h"

#include "check.h"

#define NETWORKS                                                                                   \
	"[{\"name\":\"ipsec\",\"uuid\":\"net1\",\"metadata\":{\"cniConfig\":{\"10-rancher.conf\":" \
	"{\"type\":\"rancher-bridge\",\"bridgeSubnet\":\"10.42.0.0/16\"}}}}]"
#define LABEL "io.rancher.network.per_host_subnet.subnet"

static const char *const hosts[] = {
	"{\"uuid\":\"h1\",\"name\":\"one\",\"state\":\"active\",\"agent_ip\":\"192.0.2.1\","
	"\"labels\":{\"" LABEL "\":\"10.42.1.0/24\"}}",
	"{\"uuid\":\"h2\",\"name\":\"two\",\"state\":\"active\",\"agent_ip\":\"192.0.2.2\"}",
};
static const char *const containers[] = {
	"{\"uuid\":\"c1\",\"host_uuid\":\"h2\",\"network_uuid\":\"net1\",\"state\":\"running\","
	"\"primary_ip\":\"10.42.2.9\"}",
};

static void take(struct rancher_facts *f, enum rancher_list list, const char *const *entries,
		 size_t n)
{
	struct sn_error e;

	rancher_facts_begin(f, list);
	for (size_t i = 0; i < n; i++)
		sn_require(rancher_facts_take(f, list, entries[i], strlen(entries[i]), &e) == 0);
	rancher_facts_end(f, list, false);
}

static struct rancher_facts *new_facts(const struct config *config)
{
	static const uint8_t key[16] = "0123456789abcdef";
	struct rancher_facts *f = rancher_facts_new(config, key);
	_cleanup_json_ json_t *networks = NULL;
	struct sn_error e;

	sn_require(json_parse(NETWORKS, strlen(NETWORKS), &networks, &e) == 0);
	sn_require(rancher_facts_self_id(f, "h1", &e) == 0);
	sn_require(rancher_facts_networks(f, networks, &e) == 1);
	take(f, RANCHER_HOSTS, hosts, SN_ARRAY_SIZE(hosts));
	take(f, RANCHER_CONTAINERS, containers, SN_ARRAY_SIZE(containers));
	return f;
}

static struct snapshot *snapshot_of(struct rancher_facts *f, const struct snapshot *before)
{
	struct snapshot *s = NULL;
	struct sn_error e = { 0 };

	if (rancher_facts_snapshot(f, "v", "http://metadata/", before, &s, &e) < 0)
		sn_require(!s && e.code < 0 && e.text[0] == '/');
	else
		check_snapshot(s);
	return s;
}

/* What follows from the last snapshot is what follows from nothing but the entries. */
static void check_followed(const struct config *config, const uint8_t *data, size_t size,
			   const struct snapshot *before, const struct snapshot *followed)
{
	_cleanup_(rancher_facts_freep) struct rancher_facts *f = new_facts(config);
	_cleanup_(snapshot_freep) struct snapshot *anew = NULL;
	struct rancher_change c;
	struct sn_error e;

	sn_require(rancher_facts_change(f, (const char *)data, size, "1", &c, &e) == 0);
	free(c.version);
	anew = snapshot_of(f, before);
	sn_require(!anew == !followed && (!anew || snapshot_equal(anew, followed)));
}

static void check_taken(const struct config *config, struct rancher_facts *f, const uint8_t *data,
			size_t size, const struct rancher_change *c, const struct snapshot *before)
{
	_cleanup_(snapshot_freep) struct snapshot *s = snapshot_of(f, before), *again = NULL;
	struct rancher_change second = { .version = NULL };
	struct sn_error e;

	sn_require(c->version);
	check_followed(config, data, size, before, s);
	if (c->kind != RANCHER_CHANGE_SOME)
		return;
	sn_require(rancher_facts_change(f, (const char *)data, size, "1", &second, &e) == 0);
	sn_require(second.kind == RANCHER_CHANGE_SOME && streq(second.version, c->version));
	free(second.version);
	/* an entry that was taken out and put in again has another place in the array only */
	again = snapshot_of(f, before);
	sn_require(!s == !again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(rancher_facts_freep) struct rancher_facts *f = new_facts(config);
	_cleanup_(snapshot_freep) struct snapshot *before = snapshot_of(f, NULL), *after = NULL;
	struct rancher_change c = { .version = NULL };
	struct sn_error e = { 0 };

	if (rancher_facts_change(f, (const char *)data, size, "1", &c, &e) == 0) {
		check_taken(config, f, data, size, &c, before);
		free(c.version);
		return 0;
	}
	sn_require(!c.version && e.code < 0);
	sn_require(e.text[0] == '/' || strstr(e.text, "not JSON"));
	after = snapshot_of(f, NULL);
	sn_require(after && snapshot_equal(before, after));
	return 0;
}
