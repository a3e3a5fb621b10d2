/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP source against a service that does what a test tells it to. */
#include "http_fixture.h"
#include "recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/keyvalq_struct.h>

#define ROOT "/2016-07-29"
#define MAX_HELD 4

#define HOST(id, ip, subnet, labels_more)                                                          \
	"{\"uuid\":\"" id "\",\"name\":\"" id "\",\"state\":\"active\",\"agent_ip\":\"" ip         \
	"\",\"hostname\":null,\"memory\":null,"                                                    \
	"\"labels\":{" labels_more "\"io.rancher.network.per_host_subnet.subnet\":\"" subnet       \
	"\"}}"
#define H1 HOST("h1", "192.0.2.11", "10.42.1.0/24", "")
#define H2 HOST("h2", "192.0.2.12", "10.42.2.0/24", "\"a\":\"b\",")
#define H3 HOST("h3", "192.0.2.13", "10.42.3.0/24", "")
#define C1                                                                                         \
	"{\"uuid\":\"c1\",\"name\":\"c1\",\"primary_ip\":\"10.42.2.7\",\"host_uuid\":\"h2\","      \
	"\"network_uuid\":\"n1\",\"state\":\"running\",\"labels\":null,\"ports\":null,"            \
	"\"network_from_container_uuid\":null,\"create_index\":null}"
#define C2                                                                                         \
	"{\"uuid\":\"c2\",\"name\":null,\"primary_ip\":null,\"host_uuid\":null,"                   \
	"\"network_uuid\":null,\"state\":null}"
#define N1                                                                                         \
	"{\"uuid\":\"n1\",\"name\":\"ipsec\",\"is_default\":null,\"metadata\":{\"cniConfig\":{"    \
	"\"10-rancher.conf\":{\"type\":\"rancher-bridge\",\"bridgeSubnet\":\"10.42.0.0/16\"}}}}"

struct held {
	struct evhttp_request *req;
	char value[64];
};

struct service {
	struct recorder r;
	struct http_fixture *http;
	uint16_t port;
	const char *version;
	const char *hosts, *containers, *networks, *self;
	/* Taken as the version from the second asking for it on, within one read: tears it. */
	const char *tear_to;
	bool polls_answer_at_once;
	int poll_status;      /* of long polls alone, 0: 200 */
	int status;           /* of everything, 0: 200 */
	const char *bad_path; /* this one has bad_status, or bad_body */
	int bad_status;
	const char *bad_body;
	int requests, polls, hosts_read;
	bool polled, asked;
	char poll_query[128], accept[64];
	struct held held[MAX_HELD];
	size_t n_held;
};

/* --- the service -------------------------------------------------------------------------- */

static void answer_version(struct service *s, struct evhttp_request *req)
{
	_cleanup_free_ char *body = xasprintf("\"%s\"", s->version);

	http_fixture_reply(req, 200, body);
}

static void poll_version(struct service *s, struct evhttp_request *req, const char *query)
{
	struct evkeyvalq kv;

	s->polls++;
	s->polled = true;
	snprintf(s->poll_query, sizeof(s->poll_query), "%s", query);
	if (s->poll_status) {
		http_fixture_reply(req, s->poll_status, "");
		return;
	}
	evhttp_parse_query_str(query, &kv);
	if (s->polls_answer_at_once || !streq(evhttp_find_header(&kv, "value"), s->version)) {
		answer_version(s, req);
	} else {
		sn_require(s->n_held < MAX_HELD);
		s->held[s->n_held++].req = req;
	}
	evhttp_clear_headers(&kv);
}

static const char *document(struct service *s, const char *path)
{
	if (streq(path, ROOT "/self/host"))
		return s->self;
	if (streq(path, ROOT "/hosts")) {
		s->hosts_read++;
		return s->hosts;
	}
	if (streq(path, ROOT "/containers")) {
		if (s->tear_to)
			s->version = sn_steal(s->tear_to);
		return s->containers;
	}
	return streq(path, ROOT "/networks") ? s->networks : NULL;
}

static void serve(struct evhttp_request *req, void *user)
{
	struct service *s = user;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
	const char *body;

	s->requests++;
	s->asked = true;
	snprintf(s->accept, sizeof(s->accept), "%s",
		 evhttp_find_header(evhttp_request_get_input_headers(req), "Accept"));
	if (s->status) {
		http_fixture_reply(req, s->status, "Not found");
	} else if (s->bad_path && streq(path, s->bad_path)) {
		http_fixture_reply(req, s->bad_status ? s->bad_status : 200,
				   s->bad_body ? s->bad_body : "");
	} else if (streq(path, ROOT "/version") && query) {
		poll_version(s, req, query);
	} else if (streq(path, ROOT "/version")) {
		answer_version(s, req);
	} else {
		body = document(s, path);
		http_fixture_reply(req, body ? 200 : 404, body ? body : "Not found");
	}
}

static void answer_held(struct service *s)
{
	for (size_t i = 0; i < s->n_held; i++)
		answer_version(s, s->held[i].req);
	s->n_held = 0;
}

static void set_version(struct service *s, const char *version)
{
	s->version = version;
	answer_held(s);
}

static void service_up(struct service *s)
{
	s->http = http_fixture_new(s->r.loop, s->port, serve, s);
	sn_require(s->http);
	s->port = http_fixture_port(s->http);
}

static void service_down(struct service *s)
{
	s->n_held = 0;
	http_fixture_free(sn_steal(s->http));
}

static void use_url(struct service *s, const char *user)
{
	free(s->r.config->metadata_url);
	s->r.config->metadata_url = xasprintf("http://%s127.0.0.1:%u" ROOT "/", user, s->port);
}

static int set_up(void **state)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->version = "v1";
	s->self = H1;
	s->hosts = "[" H1 "," H2 "," H3 "]";
	s->containers = "[" C1 "," C2 "]";
	s->networks = "[" N1 "]";
	recorder_init(&s->r, "");
	service_up(s);
	use_url(s, "");
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct service *s = *state;

	service_down(s);
	recorder_fini(&s->r);
	free(s);
	return 0;
}

static void start(struct service *s)
{
	recorder_start(&s->r, NULL);
}

/* Started, read, and waiting in its long poll. */
static void start_and_settle(struct service *s)
{
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_true(recorder_wait(&s->r, &s->polled));
	recorder_expect(&s->r);
	s->polled = false;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void first_snapshot_is_handed_on(void **state)
{
	struct service *s = *state;

	start(s);
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_int_equal(s->r.last->hosts.n, 3);
	assert_string_equal(s->r.last->self_id, "h1");
	assert_string_equal(s->r.last->mesh_id, "n1");
	assert_string_equal(s->accept, "application/json");
	assert_int_equal(s->r.failures, 0);
	assert_int_equal(s->r.oks, 0);
	assert_int_equal(recorder_status(&s->r).reads, 1);
	assert_true(recorder_status(&s->r).last_ok_ms > 0);
}

static void configured_id_needs_no_self_host(void **state)
{
	struct service *s = *state;

	snprintf(s->r.config->host_id, sizeof(s->r.config->host_id), "h2");
	s->self = NULL;
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_string_equal(s->r.last->self_id, "h2");
	assert_int_equal(s->r.failures, 0);
}

static void poll_says_value_and_time(void **state)
{
	struct service *s = *state;

	s->version = "v 1&x=%";
	s->r.config->metadata_poll_s = 7;
	start_and_settle(s);
	assert_string_equal(s->poll_query, "wait=true&value=v%201%26x%3D%25&maxWait=7");
}

static void change_is_read_at_once(void **state)
{
	struct service *s = *state;
	int64_t start_ms;

	start_and_settle(s);
	s->hosts = "[" H1 "," H3 "]";
	start_ms = sn_now_ms();
	set_version(s, "v0");
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_in_range(s->r.snapshot_ms - start_ms, 0, 99);
	assert_int_equal(s->r.last->hosts.n, 2);
	assert_true(recorder_wait(&s->r, &s->polled));
	assert_int_equal(s->polls, 2);
}

static void equal_content_in_other_order_is_no_news(void **state)
{
	struct service *s = *state;
	struct metadata_status before;

	start_and_settle(s);
	before = recorder_status(&s->r);
	s->hosts = "[" H3 "," H2 "," H1 "]";
	s->containers = "[" C2 "," C1 "]";
	set_version(s, "v2");
	assert_true(recorder_wait(&s->r, &s->polled));
	assert_int_equal(s->r.snapshots, 1);
	assert_int_equal(recorder_status(&s->r).reads, 2);
	assert_int_equal(recorder_status(&s->r).last_change_ms, before.last_change_ms);
	assert_true(recorder_status(&s->r).last_ok_ms >= before.last_ok_ms);
}

static void stored_snapshot_does_not_hide_the_first(void **state)
{
	struct service *s = *state;
	struct snapshot *stored;

	start_and_settle(s);
	stored = sn_steal(s->r.last);
	metadata_free(sn_steal(s->r.metadata));
	s->n_held = 0;
	recorder_start(&s->r, stored);
	assert_true(recorder_wait(&s->r, &s->r.got));
	snapshot_free(stored);
}

static void torn_read_is_counted_and_read_again(void **state)
{
	struct service *s = *state;

	s->tear_to = "v2";
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_int_equal(recorder_status(&s->r).torn, 1);
	assert_int_equal(recorder_status(&s->r).reads, 1);
	assert_int_equal(s->hosts_read, 2);
	assert_int_equal(s->r.snapshots, 1);
	assert_int_equal(s->r.failures, 0);
}

static void not_found_at_start_is_retried(void **state)
{
	struct service *s = *state;
	_cleanup_free_ char *want =
		xasprintf("GET http://127.0.0.1:%u" ROOT
			  "/version: status 404; look at the path in metadata.url",
			  s->port);

	s->status = 404;
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	assert_string_equal(s->r.text, want);
	assert_string_equal(recorder_status(&s->r).error, want);
	s->asked = false;
	assert_true(recorder_wait(&s->r, &s->asked));
	s->status = 0;
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_int_equal(s->r.failures, 1);
	assert_int_equal(s->r.oks, 1);
	assert_null(recorder_status(&s->r).error);
	assert_true(recorder_status(&s->r).failures >= 2);
}

static void service_that_comes_late_is_found(void **state)
{
	struct service *s = *state;
	_cleanup_free_ char *want =
		xasprintf("connect to 127.0.0.1:%u: %s", s->port, sn_strerror(-ECONNREFUSED));

	service_down(s);
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	assert_string_equal(s->r.text, want);
	service_up(s);
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_int_equal(s->r.oks, 1);
}

static void restart_of_the_service_is_survived(void **state)
{
	struct service *s = *state;

	start_and_settle(s);
	service_down(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	s->version = "after";
	s->hosts = "[" H1 "," H2 "]";
	service_up(s);
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_true(s->r.ok);
	assert_int_equal(s->r.last->hosts.n, 2);
	assert_int_equal(s->r.snapshots, 2);
}

static void unchanged_version_after_an_outage_is_not_read_again(void **state)
{
	struct service *s = *state;

	start_and_settle(s);
	service_down(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	service_up(s);
	assert_true(recorder_wait(&s->r, &s->r.ok));
	assert_true(recorder_wait(&s->r, &s->polled));
	assert_int_equal(s->hosts_read, 1);
	assert_int_equal(s->r.snapshots, 1);
}

static void nulls_do_no_harm(void **state)
{
	struct service *s = *state;

	s->hosts = "[" H1 "," H2 ",{\"uuid\":\"h4\",\"name\":null,\"state\":null,\"agent_ip\":null,"
		   "\"labels\":null}]";
	s->containers = "null";
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.got) || s->r.failed);
	assert_true(s->r.got);
	assert_non_null(snapshot_find(s->r.last, "h2"));
	assert_null(snapshot_find(s->r.last, "h4"));
}

static void check_refused(struct service *s, const char *path, const char *body,
			  const char *want_in_text)
{
	s->bad_path = path;
	s->bad_body = body;
	s->bad_status = 0;
	recorder_expect(&s->r);
	set_version(s, "next");
	assert_true(recorder_wait(&s->r, &s->r.failed));
	assert_non_null(strstr(s->r.text, want_in_text));
	assert_int_equal(s->r.snapshots, 1);
	s->bad_path = NULL;
	assert_true(recorder_wait(&s->r, &s->r.ok));
	s->polled = false;
	set_version(s, "v1");
	assert_true(recorder_wait(&s->r, &s->polled));
	assert_int_equal(s->r.snapshots, 1);
}

static void broken_documents_are_never_handed_on(void **state)
{
	struct service *s = *state;

	start_and_settle(s);
	check_refused(s, ROOT "/hosts", "[{\"uuid\":", ROOT "/hosts: ");
	check_refused(s, ROOT "/hosts", "[]", ROOT ": /hosts");
	check_refused(s, ROOT "/hosts", "", ROOT "/hosts: ");
	check_refused(s, ROOT "/hosts", "null", ROOT ": /hosts");
	check_refused(s, ROOT "/networks", "[]", ROOT ": ");
	check_refused(s, ROOT "/containers", "<html>", ROOT "/containers: ");
}

static void wrong_version_is_named(void **state)
{
	struct service *s = *state;

	s->bad_path = ROOT "/version";
	s->bad_body = "17";
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	assert_non_null(strstr(s->r.text, ROOT "/version: not a string"));
}

/* Server errors that alternate are told once each, and again in the next outage. */
static void each_text_is_told_once(void **state)
{
	struct service *s = *state;

	s->bad_path = ROOT "/version";
	s->bad_status = 500;
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	for (int i = 0; i < 3; i++) {
		s->bad_status = i % 2 ? 500 : 503;
		s->asked = false;
		assert_true(recorder_wait(&s->r, &s->asked));
	}
	assert_int_equal(s->r.failures, 2);
	s->bad_path = NULL;
	assert_true(recorder_wait(&s->r, &s->r.ok));
	assert_true(recorder_wait(&s->r, &s->polled));
	recorder_expect(&s->r);
	s->bad_path = ROOT "/hosts";
	set_version(s, "v2");
	assert_true(recorder_wait(&s->r, &s->r.failed));
}

static void refused_poll_is_not_taken_for_well(void **state)
{
	struct service *s = *state;

	start_and_settle(s);
	s->poll_status = 502;
	answer_held(s); /* the same again: it polls anew, after a while */
	assert_true(recorder_wait(&s->r, &s->r.failed));
	assert_non_null(strstr(s->r.text, "status 502"));
	for (int i = 0; i < 3; i++) {
		s->polled = false;
		assert_true(recorder_wait(&s->r, &s->polled));
	}
	assert_int_equal(s->r.oks, 0);
	assert_int_equal(s->r.failures, 1);
	s->poll_status = 0;
	s->polls_answer_at_once = true;
	assert_true(recorder_wait(&s->r, &s->r.ok));
}

static void poll_that_does_not_wait_does_not_spin(void **state)
{
	struct service *s = *state;

	s->polls_answer_at_once = true;
	start_and_settle(s);
	loop_run_for(s->r.loop, 500);
	assert_in_range(s->requests, 1, 10);
}

static void password_in_the_url_is_not_shown(void **state)
{
	struct service *s = *state;

	use_url(s, "me:geheim@");
	s->bad_path = ROOT "/hosts";
	s->bad_status = 500;
	start(s);
	assert_true(recorder_wait(&s->r, &s->r.failed));
	assert_null(strstr(s->r.text, "geheim"));
	s->bad_path = NULL;
	assert_true(recorder_wait(&s->r, &s->r.got));
	assert_null(strstr(s->r.last->source, "geheim"));
	assert_null(strstr(s->r.last->source, "me:"));
}

static void it_can_be_freed_at_any_time(void **state)
{
	struct service *s = *state;

	for (int requests = 0; requests < 8; requests++) {
		s->requests = 0;
		start(s);
		while (s->requests < requests) {
			s->asked = false;
			assert_true(recorder_wait(&s->r, &s->asked));
		}
		metadata_free(sn_steal(s->r.metadata));
		answer_held(s);
		loop_run_for(s->r.loop, 10);
	}
}

static void other_urls_are_refused(void **state)
{
	struct service *s = *state;
	const struct metadata_handlers none = { 0 };
	struct metadata *m;
	struct sn_error e;

	free(s->r.config->metadata_url);
	s->r.config->metadata_url = xstrdup("gopher://x/");
	assert_int_equal(metadata_new(s->r.loop, s->r.config, NULL, &none, &m, &e), -EINVAL);
	assert_non_null(strstr(e.text, "gopher://x/"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(first_snapshot_is_handed_on),
		TEST(configured_id_needs_no_self_host),
		TEST(poll_says_value_and_time),
		TEST(change_is_read_at_once),
		TEST(equal_content_in_other_order_is_no_news),
		TEST(stored_snapshot_does_not_hide_the_first),
		TEST(torn_read_is_counted_and_read_again),
		TEST(not_found_at_start_is_retried),
		TEST(service_that_comes_late_is_found),
		TEST(restart_of_the_service_is_survived),
		TEST(unchanged_version_after_an_outage_is_not_read_again),
		TEST(nulls_do_no_harm),
		TEST(broken_documents_are_never_handed_on),
		TEST(wrong_version_is_named),
		TEST(each_text_is_told_once),
		TEST(refused_poll_is_not_taken_for_well),
		TEST(poll_that_does_not_wait_does_not_spin),
		TEST(password_in_the_url_is_not_shown),
		TEST(it_can_be_freed_at_any_time),
		TEST(other_urls_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
