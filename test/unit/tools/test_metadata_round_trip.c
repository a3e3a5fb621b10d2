/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sennit-metadata makes of a mesh.json, and the HTTP source of that, is
 * what the file source makes of the mesh.json.
 */
#include "document.h"
#include "server.h"

#include "metadata/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include "http_fixture.h"

#define LIMIT_MS 10000

#define SUBNETS                                                                                    \
	"{\"mesh\":\"m1\",\"overlay\":\"10.42.0.0/16\",\"hosts\":["                                \
	"{\"id\":\"h1\",\"name\":\"one\",\"addresses\":[\"192.0.2.11\"],"                          \
	"\"prefixes\":[\"10.42.1.0/24\"],\"containers\":[{\"name\":\"w\",\"ip\":\"10.42.1.9\"}]}," \
	"{\"id\":\"h2\",\"addresses\":[\"192.0.2.12\"],\"prefixes\":[\"10.42.2.0/24\"],"           \
	"\"state\":\"disconnected\",\"containers\":[{\"ip\":\"10.42.77.1\"}]},"                    \
	"{\"id\":\"h3\",\"addresses\":[\"2001:db8::13\"],\"prefixes\":[\"10.42.3.0/24\"]}]}"

#define FLAT                                                                                       \
	"{\"mesh\":\"m1\",\"overlay\":\"10.42.0.0/16\",\"hosts\":["                                \
	"{\"id\":\"h1\",\"addresses\":[\"192.0.2.11\"],\"overlay_ip\":\"10.42.0.1\","              \
	"\"prefixes\":[\"10.42.0.1/32\"],\"containers\":[{\"ip\":\"10.42.0.9\"}]},"                \
	"{\"id\":\"h2\",\"addresses\":[\"192.0.2.12\"],\"overlay_ip\":\"10.42.0.2\","              \
	"\"containers\":[{\"name\":\"r\",\"ip\":\"10.42.0.2\"},{\"ip\":\"10.42.9.9\"}]}]}"

/* Subnets of both, of one only, and flat in one with a subnet in the other. */
#define DUAL                                                                                       \
	"{\"mesh\":\"m1\",\"overlay\":[\"fd42::/32\",\"10.42.0.0/16\"],\"hosts\":["                \
	"{\"id\":\"h1\",\"addresses\":[\"192.0.2.11\"],"                                           \
	"\"prefixes\":[\"10.42.1.0/24\",\"fd42:0:0:1::/64\"],"                                     \
	"\"containers\":[{\"ip\":\"10.42.1.9\"},{\"ip\":\"fd42:0:0:1::9\"}]},"                     \
	"{\"id\":\"h2\",\"addresses\":[\"192.0.2.12\"],\"prefixes\":[\"fd42:0:0:2::/64\"]},"       \
	"{\"id\":\"h3\",\"addresses\":[\"192.0.2.13\"],\"prefixes\":[\"fd42:0:0:3::/64\"],"        \
	"\"overlay_ip\":\"10.42.0.3\","                                                            \
	"\"containers\":[{\"ip\":\"10.42.0.3\"},{\"ip\":\"10.42.9.9\"}]}]}"

struct world {
	struct loop *loop;
	struct snapshot *got;
	bool done;
	char failure[256];
};

static bool on_snapshot(struct snapshot *s, void *user)
{
	struct world *w = user;

	w->got = s;
	w->done = true;
	return true;
}

static void on_failed(const char *text, void *user)
{
	struct world *w = user;

	snprintf(w->failure, sizeof(w->failure), "%s", text);
	w->done = true;
}

static void on_ok(void *user)
{
	(void)user;
}

static uint16_t free_port(void)
{
	uint16_t port;

	close(listen_local(-1, &port));
	return port;
}

/* By server and HTTP source. */
static struct snapshot *by_http(const struct mesh_file *mesh, struct config *config)
{
	struct world w = { .loop = loop_new() };
	const struct metadata_handlers handlers = {
		.snapshot = on_snapshot, .failed = on_failed, .ok = on_ok, .user = &w
	};
	const struct server_options none = { 0 };
	struct server *server = server_new(w.loop, &none);
	struct sn_addr local;
	struct metadata *m;
	struct sn_error e;
	uint16_t port = free_port();

	assert_int_equal(sn_addr_parse("127.0.0.1", &local), 0);
	assert_int_equal(server_listen(server, &local, port, false, &e), 0);
	server_set_document(server, document_new(mesh));
	free(config->metadata_url);
	config->metadata_url = xasprintf("http://127.0.0.1:%u/latest", port);
	assert_int_equal(metadata_new(w.loop, config, NULL, &handlers, &m, &e), 0);
	metadata_start(m);
	assert_true(loop_run_until(w.loop, &w.done, LIMIT_MS));
	assert_string_equal(w.failure, "");
	metadata_free(m);
	server_free(server);
	loop_free(w.loop);
	return w.got;
}

static void check(const char *text)
{
	_cleanup_(mesh_file_freep) struct mesh_file *mesh = NULL;
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(snapshot_freep) struct snapshot *direct = NULL;
	_cleanup_(snapshot_freep) struct snapshot *served = NULL;
	struct sn_error e;

	snprintf(config->host_id, sizeof(config->host_id), "h1");
	assert_int_equal(mesh_file_parse("mesh", text, strlen(text), &mesh, &e), 0);
	assert_int_equal(mesh_file_snapshot(mesh, config, NULL, 0, NULL, "file", &direct, &e), 0);
	served = by_http(mesh, config);
	assert_int_equal(direct->problems.n + served->problems.n, 0);
	assert_int_equal(snapshot_is_flat(served), snapshot_is_flat(direct));
	assert_int_equal(direct->hosts.n, served->hosts.n);
	for (size_t i = 0; i < direct->hosts.n; i++) {
		const struct host *a = &direct->hosts.v[i], *b = &served->hosts.v[i];

		assert_string_equal(a->id, b->id);
		assert_int_equal(a->state, b->state);
		assert_int_equal(sn_addr_pair_cmp(&a->overlay_ip, &b->overlay_ip), 0);
		assert_int_equal(a->prefixes.n, b->prefixes.n);
		for (size_t k = 0; k < a->prefixes.n; k++)
			assert_int_equal(sn_prefix_cmp(&a->prefixes.v[k], &b->prefixes.v[k]), 0);
	}
	/* the API has no place for it */
	free(served->mesh_name);
	served->mesh_name = xstrdup_null(direct->mesh_name);
	assert_true(snapshot_equal(direct, served));
}

static void subnets_survive_the_way_by_http(void **state)
{
	(void)state;
	check(SUBNETS);
}

static void flat_mesh_survives_the_way_by_http(void **state)
{
	(void)state;
	check(FLAT);
}

static void dual_stack_survives_the_way_by_http(void **state)
{
	(void)state;
	check(DUAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subnets_survive_the_way_by_http),
		cmocka_unit_test(flat_mesh_survives_the_way_by_http),
		cmocka_unit_test(dual_stack_survives_the_way_by_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
