/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever way the facts came to what they are, they say what the whole documents say. */
#include "model/rancher.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOSTS 4
#define CONTAINERS 12
#define ROUNDS 400
#define WALKS 20

#define ROUTER_LABEL "io.rancher.container.agent_service.ipsec"
#define NETWORKS                                                                                   \
	"[{\"uuid\":\"n1\",\"name\":\"ipsec\",\"metadata\":{\"cniConfig\":{\"a\":{"                \
	"\"type\":\"rancher-bridge\",\"bridgeSubnet\":\"10.42.0.0/16\"}}}}]"

/* What the service has now; state 0: not there. */
struct world {
	unsigned host[HOSTS], container[CONTAINERS];
	unsigned at[CONTAINERS]; /* the host */
	bool flat;               /* no subnets, containers that move, rarely anything wrong */
	unsigned seed;
};

static unsigned draw(struct world *w, unsigned n)
{
	w->seed = w->seed * 1103515245u + 12345u;
	return (w->seed >> 16) % n;
}

/* Some states are wrong entries, some claim what is another's. */
static char *host_text(unsigned i, unsigned state)
{
	static const char *const subnets[] = { "10.42.%u.0/24", "10.42.1%u.0/24", "10.42.1.0/24",
					       "nonsense" };
	_cleanup_free_ char *subnet = NULL;

	if (state == 5)
		return xasprintf("{\"uuid\":\"h%u\",\"state\":\"active\",\"agent_ip\":\"x\"}", i);
	if (state == 7)
		return xasprintf("{\"uuid\":\"h%u\",\"state\":\"active\",\"agent_ip\":"
				 "\"192.0.2.%u\"}",
				 i, i + 1);
	if (state == 6)
		return xasprintf("{\"uuid\":\"h%u\",\"state\":\"active\",\"agent_ip\":"
				 "\"192.0.2.%u\",\"labels\":null}",
				 i, i + 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	subnet = xasprintf(subnets[state - 1], i);
#pragma GCC diagnostic pop
	return xasprintf("{\"uuid\":\"h%u\",\"state\":\"active\",\"agent_ip\":\"192.0.2.%u\","
			 "\"labels\":{\"io.rancher.network.per_host_subnet.subnet\":\"%s\"%s}}",
			 i, i + 1, subnet,
			 state == 2 ? ",\"io.sennit.nat\":\"true\","
				      "\"io.sennit.addresses\":\"2001:db8::1\""
				    : "");
}

static char *container_text(unsigned i, unsigned state)
{
	unsigned host = i % HOSTS;

	if (state == 4)
		return xasprintf("{\"uuid\":\"c%u\",\"network_uuid\":\"n1\",\"state\":\"running\","
				 "\"primary_ip\":\"x\",\"host_uuid\":\"h%u\"}",
				 i, host);
	return xasprintf("{\"uuid\":\"c%u\",\"network_uuid\":\"n1\",\"state\":\"running\","
			 "\"primary_ip\":\"10.42.%u.%u\",\"host_uuid\":\"h%u\"}",
			 i, state == 3 ? 77 : host, state == 2 ? 200 + i : i + 10, host);
}

/* Some share an address: of one host that is no matter, of two it is. */
static char *flat_container_text(unsigned i, unsigned state, unsigned at)
{
	if (state == 5)
		return xasprintf("{\"uuid\":\"c%u\",\"network_uuid\":\"n1\",\"state\":\"running\","
				 "\"network_from_container_uuid\":\"c%u\",\"host_uuid\":\"h%u\","
				 "\"labels\":{\"" ROUTER_LABEL "\":\"true\"}}",
				 i, (i + HOSTS) % CONTAINERS, at);
	return xasprintf("{\"uuid\":\"c%u\",\"network_uuid\":\"n1\",\"state\":\"%s\","
			 "\"primary_ip\":\"%s.%u\",\"host_uuid\":\"h%u\"%s}",
			 i, state == 4 ? "stopped" : "running",
			 state == 3 && i == 1 ? "10.43.0" : "10.42.0",
			 state == 2 ? 100 + i / 2 : i + 10, i == 2 ? HOSTS + 3 : at,
			 i < 2 ? ",\"labels\":{\"" ROUTER_LABEL "\":\"true\"}" : "");
}

static char *text_of(const struct world *w, enum rancher_list list, unsigned i, unsigned state)
{
	if (list == RANCHER_HOSTS)
		return host_text(i, state);
	return w->flat ? flat_container_text(i, state, w->at[i]) : container_text(i, state);
}

static unsigned *states_of(struct world *w, enum rancher_list list, unsigned *ret_n)
{
	*ret_n = list == RANCHER_HOSTS ? HOSTS : CONTAINERS;
	return list == RANCHER_HOSTS ? w->host : w->container;
}

/* From a start that changes, so that the order of the array does too. */
static json_t *document(struct world *w, enum rancher_list list)
{
	json_t *array = json_array();
	unsigned n, *states = states_of(w, list, &n), from = draw(w, n);
	struct sn_error e;

	for (unsigned k = 0; k < n; k++) {
		unsigned i = (from + k) % n;
		_cleanup_free_ char *text = states[i] ? text_of(w, list, i, states[i]) : NULL;
		json_t *v;

		if (!text)
			continue;
		assert_int_equal(json_parse(text, strlen(text), &v, &e), 0);
		json_array_append_new(array, v);
	}
	return array;
}

static void read_whole(struct rancher_facts *f, enum rancher_list list, const json_t *array)
{
	struct sn_error e;
	json_t *v;
	size_t i;

	rancher_facts_begin(f, list);
	json_array_foreach((json_t *)array, i, v) {
		_cleanup_free_ char *text = json_dumps(v, JSON_COMPACT);

		assert_int_equal(rancher_facts_take(f, list, text, strlen(text), &e), 0);
	}
	rancher_facts_end(f, list, false);
}

static unsigned draw_host(struct world *w, unsigned i)
{
	unsigned usual = w->flat ? 7 : 1;

	/* the first are ourselves */
	return i == 0 || (w->flat && draw(w, 10)) ? usual : draw(w, 7);
}

static unsigned draw_container(struct world *w)
{
	if (!w->flat)
		return draw(w, 5);
	return draw(w, 8) ? draw(w, 2) : draw(w, 6);
}

/* One entry becomes another, comes or goes; told as a change. */
static void change_one(struct world *w, struct rancher_facts *f)
{
	enum rancher_list list = draw(w, w->flat ? 20 : 3) ? RANCHER_CONTAINERS : RANCHER_HOSTS;
	unsigned n, *states = states_of(w, list, &n), i = draw(w, n);
	_cleanup_free_ char *text = NULL, *uuid = NULL;
	_cleanup_json_ json_t *v = NULL;
	struct sn_error e;

	states[i] = list == RANCHER_HOSTS ? draw_host(w, i) : draw_container(w);
	if (list == RANCHER_CONTAINERS)
		w->at[i] = draw(w, HOSTS);
	if (states[i] == 0) {
		uuid = xasprintf("%c%u", list == RANCHER_HOSTS ? 'h' : 'c', i);
		rancher_facts_remove(f, list, uuid);
		return;
	}
	text = text_of(w, list, i, states[i]);
	assert_int_equal(json_parse(text, strlen(text), &v, &e), 0);
	rancher_facts_put(f, list, v);
}

static struct snapshot *by_facts(struct rancher_facts *f, const struct snapshot *before)
{
	struct snapshot *s = NULL;
	struct sn_error e;

	if (rancher_facts_snapshot(f, "v", "http://x/", before, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static struct snapshot *by_documents(struct world *w, const struct config *config,
				     const json_t *networks, const json_t *self,
				     const struct snapshot *before)
{
	_cleanup_json_ json_t *hosts = document(w, RANCHER_HOSTS);
	_cleanup_json_ json_t *containers = document(w, RANCHER_CONTAINERS);
	const struct rancher_documents docs = {
		"v", "http://x/", self, hosts, containers, networks
	};
	struct snapshot *s = NULL;
	struct sn_error e;

	if (rancher_snapshot(&docs, config, before, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static struct rancher_facts *make_facts(const struct config *config, const json_t *networks,
					const json_t *self)
{
	static const uint8_t key[16] = { 7 };
	struct rancher_facts *f = rancher_facts_new(config, key);
	struct sn_error e;

	assert_int_equal(rancher_facts_self(f, self, &e), 0);
	assert_int_equal(rancher_facts_networks(f, networks, &e), 1);
	assert_int_equal(rancher_facts_networks(f, networks, &e), 0);
	return f;
}

/* A walk of chance; after each step both ways of reading say the same, to the word. */
static struct rancher_work walk(struct world *w)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_json_ json_t *networks = NULL, *self = json_pack("{ss}", "uuid", "h0");
	_cleanup_json_ json_t *hosts = document(w, RANCHER_HOSTS);
	struct snapshot *before = NULL;
	struct rancher_facts *f;
	struct rancher_work work;
	struct sn_error e;

	assert_int_equal(json_parse(NETWORKS, strlen(NETWORKS), &networks, &e), 0);
	f = make_facts(config, networks, self);
	read_whole(f, RANCHER_HOSTS, hosts);
	for (int round = 0; round < ROUNDS; round++) {
		struct snapshot *a, *b;

		for (unsigned n = draw(w, 4); n > 0; n--)
			change_one(w, f);
		if (draw(w, 10) == 0) {
			_cleanup_json_ json_t *all = document(w, RANCHER_CONTAINERS);

			read_whole(f, RANCHER_CONTAINERS, all);
		}
		a = by_facts(f, before);
		b = by_documents(w, config, networks, self, before);
		assert_true(snapshot_equal(a, b));
		assert_int_equal(a->problems.n, b->problems.n);
		snapshot_free(before);
		snapshot_free(b);
		before = a;
	}
	work = rancher_facts_work(f);
	snapshot_free(before);
	rancher_facts_free(f);
	return work;
}

static void changes_and_whole_readings_say_the_same(void **state)
{
	struct world w = { .host = { 1, 1, 1, 1 }, .seed = 1 };

	(void)state;
	walk(&w);
}

static void what_follows_containers_is_what_is_settled_anew(void **state)
{
	struct rancher_work sum = { 0 };

	(void)state;
	for (unsigned seed = 1; seed <= WALKS; seed++) {
		struct world w = { .host = { 7, 7, 7, 7 }, .flat = true, .seed = seed };
		struct rancher_work work = walk(&w);

		sum.settled += work.settled;
		sum.followed += work.followed;
	}
	/* there was enough of both */
	assert_in_range(sum.followed, WALKS * ROUNDS / 4, WALKS * ROUNDS);
	assert_in_range(sum.settled, WALKS * ROUNDS / 10, WALKS * ROUNDS);
}

static void known_entries_are_not_parsed_again(void **state)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_json_ json_t *networks = NULL, *all = NULL;
	static const uint8_t key[16] = { 7 };
	_cleanup_(rancher_facts_freep) struct rancher_facts *f = rancher_facts_new(config, key);
	struct world w = { .seed = 3 };
	struct sn_error e;

	(void)state;
	for (unsigned i = 0; i < CONTAINERS; i++)
		w.container[i] = 1;
	assert_int_equal(json_parse(NETWORKS, strlen(NETWORKS), &networks, &e), 0);
	assert_int_equal(rancher_facts_networks(f, networks, &e), 1);
	for (int i = 0; i < 5; i++) {
		json_decref(all);
		all = document(&w, RANCHER_CONTAINERS);
		read_whole(f, RANCHER_CONTAINERS, all);
	}
	assert_int_equal(rancher_facts_parsed(f), CONTAINERS);
	w.container[3] = 2;
	json_decref(all);
	all = document(&w, RANCHER_CONTAINERS);
	read_whole(f, RANCHER_CONTAINERS, all);
	assert_int_equal(rancher_facts_parsed(f), CONTAINERS + 1);
}

static void what_is_no_json_is_named(void **state)
{
	_cleanup_(config_freep) struct config *config = config_new();
	static const uint8_t key[16] = { 7 };
	_cleanup_(rancher_facts_freep) struct rancher_facts *f = rancher_facts_new(config, key);
	struct sn_error e;

	(void)state;
	rancher_facts_begin(f, RANCHER_HOSTS);
	assert_int_equal(rancher_facts_take(f, RANCHER_HOSTS, "{}", 2, &e), 0);
	assert_true(rancher_facts_take(f, RANCHER_HOSTS, "{]", 2, &e) < 0);
	assert_non_null(strstr(e.text, "/hosts/1: line 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_and_whole_readings_say_the_same),
		cmocka_unit_test(what_follows_containers_is_what_is_settled_anew),
		cmocka_unit_test(known_entries_are_not_parsed_again),
		cmocka_unit_test(what_is_no_json_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
