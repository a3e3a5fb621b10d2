/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP client against a server in the same process and loop. Name
 * look-ups are answered by a getaddrinfo() of this program's own, which
 * libcurl's resolver thread finds before libc's.
 */
#include "http_fixture.h"
#include "loop/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define LIMIT_MS 20000
#define BODY_LIMIT 1000

struct world {
	struct loop *loop;
	struct http_client *client;
	struct http_fixture *server;
	struct http_get *get;
	struct loop_timer *trickle;
	struct evhttp_request *held;
	int requests;
	bool done, free_all_in_callback;
	int calls;
	enum http_step step;
	int status;
	char body[256];
	struct sn_error error;
	char accept[64];
};

/* --- names -------------------------------------------------------------------- */

static sem_t look_up_may_end;
static atomic_int look_ups_waiting;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	__typeof__(getaddrinfo) *real;

	if (!name || !strstr(name, ".test")) {
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
		return real(name, service, hints, ret);
	}
	if (streq(name, "silent.test")) {
		atomic_fetch_add(&look_ups_waiting, 1);
		sem_wait(&look_up_may_end);
		atomic_fetch_sub(&look_ups_waiting, 1);
	}
	return EAI_NONAME;
}

/* --- the server's side ---------------------------------------------------------- */

static void trickle(void *user)
{
	struct world *w = user;
	struct evbuffer *buf = evbuffer_new();

	evbuffer_add(buf, "x", 1);
	evhttp_send_reply_chunk(w->held, buf);
	evbuffer_free(buf);
	loop_timer_set(w->trickle, 20);
}

static void reply_headers(struct evhttp_request *req)
{
	char value[1001];

	memset(value, 'h', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < 80; i++)
		evhttp_add_header(evhttp_request_get_output_headers(req), "X-Much", value);
	http_fixture_reply(req, 200, "x");
}

static void serve(struct evhttp_request *req, void *user)
{
	struct world *w = user;
	const char *path = evhttp_request_get_uri(req);
	const char *accept = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept");
	char large[BODY_LIMIT + 2];

	w->requests++;
	snprintf(w->accept, sizeof(w->accept), "%s", accept ? accept : "");
	memset(large, 'l', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	if (streq(path, "/ok")) {
		http_fixture_reply(req, 200, "hello");
	} else if (streq(path, "/large")) {
		http_fixture_reply(req, 200, large);
	} else if (streq(path, "/full")) {
		http_fixture_reply(req, 200, large + 1);
	} else if (streq(path, "/headers")) {
		reply_headers(req);
	} else if (streq(path, "/trickle")) {
		w->held = req;
		evhttp_send_reply_start(req, 200, NULL);
		loop_timer_set(w->trickle, 0);
	} else if (streq(path, "/hold")) {
		w->held = req;
	} else if (streq(path, "/moved")) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Location", "/ok");
		http_fixture_reply(req, 302, "");
	} else {
		http_fixture_reply(req, atoi(path + 1), "sorry");
	}
}

/* --- the client's side ------------------------------------------------------------ */

static void on_done(const struct http_answer *a, void *user)
{
	struct world *w = user;

	w->done = true;
	w->calls++;
	w->step = a->step;
	w->status = a->status;
	w->error = a->error;
	snprintf(w->body, sizeof(w->body), "%s", a->body);
	if (!w->free_all_in_callback)
		return;
	http_get_free(sn_steal(w->get));
	http_client_free(sn_steal(w->client));
}

static struct http_get *start(struct world *w, const char *url, int64_t connect_ms,
			      int64_t total_ms)
{
	static const char *const headers[] = { "Accept: application/json", NULL };
	struct http_request req = { .url = url,
				    .headers = headers,
				    .body_limit = BODY_LIMIT,
				    .connect_ms = connect_ms,
				    .total_ms = total_ms };

	return http_get_new(w->client, &req, on_done, w);
}

static void get_url(struct world *w, const char *url, int64_t connect_ms, int64_t total_ms)
{
	w->done = false;
	w->get = start(w, url, connect_ms, total_ms);
	assert_false(w->done);
	assert_true(loop_run_until(w->loop, &w->done, LIMIT_MS));
	http_get_free(sn_steal(w->get));
}

static void get_path(struct world *w, const char *path)
{
	_cleanup_free_ char *url =
		xasprintf("http://127.0.0.1:%u%s", http_fixture_port(w->server), path);

	get_url(w, url, 1000, 2000);
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->loop = loop_new();
	w->client = http_client_new(w->loop);
	w->server = http_fixture_new(w->loop, 0, serve, w);
	w->trickle = loop_timer_new(w->loop, trickle, w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	http_get_free(w->get);
	http_client_free(w->client);
	loop_timer_free(w->trickle);
	http_fixture_free(w->server);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* --- tests --------------------------------------------------------------------------- */

static void body_and_headers_arrive(void **state)
{
	struct world *w = *state;

	get_path(w, "/ok");
	assert_int_equal(w->step, HTTP_STEP_DONE);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->error.code, 0);
	assert_string_equal(w->body, "hello");
	assert_string_equal(w->accept, "application/json");
}

static void other_status_is_an_error(void **state)
{
	struct world *w = *state;

	get_path(w, "/404");
	assert_int_equal(w->step, HTTP_STEP_STATUS);
	assert_int_equal(w->status, 404);
	assert_string_equal(w->error.text, "status 404");
	assert_string_equal(w->body, "");
	get_path(w, "/500");
	assert_string_equal(w->error.text, "status 500");
}

static void redirects_are_not_followed(void **state)
{
	struct world *w = *state;

	get_path(w, "/moved");
	assert_string_equal(w->error.text, "status 302");
	assert_int_equal(w->requests, 1);
}

static void refused_connection_is_named(void **state)
{
	struct world *w = *state;
	uint16_t port;
	_cleanup_close_ int fd = listen_local(-1, &port);
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%u/", port);
	_cleanup_free_ char *want =
		xasprintf("connect to 127.0.0.1:%u: %s", port, sn_strerror(-ECONNREFUSED));

	assert_true(fd >= 0);
	get_url(w, url, 1000, 2000);
	assert_int_equal(w->step, HTTP_STEP_CONNECT);
	assert_int_equal(w->error.code, -ECONNREFUSED);
	assert_string_equal(w->error.text, want);
}

struct resetter {
	struct loop *loop;
	struct loop_io *listener, *peer;
};

static void reset_peer(int fd, unsigned events, void *user)
{
	struct resetter *r = user;
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	(void)events;
	loop_io_free(sn_steal(r->peer));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void accept_peer(int fd, unsigned events, void *user)
{
	struct resetter *r = user;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	assert_true(peer >= 0);
	r->peer = loop_io_new(r->loop, peer, LOOP_READ, reset_peer, r);
}

static void reset_connection_is_named(void **state)
{
	struct world *w = *state;
	struct resetter r = { .loop = w->loop };
	uint16_t port;
	_cleanup_close_ int fd = listen_local(1, &port);
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%u/", port);

	r.listener = loop_io_new(w->loop, fd, LOOP_READ, accept_peer, &r);
	get_url(w, url, 1000, 2000);
	loop_io_free(r.listener);
	assert_null(r.peer);
	assert_int_equal(w->step, HTTP_STEP_ANSWER);
	assert_non_null(strstr(w->error.text, "reset"));
}

static void slow_trickle_is_cut(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *url =
		xasprintf("http://127.0.0.1:%u/trickle", http_fixture_port(w->server));
	int64_t start_ms = sn_now_ms();

	get_url(w, url, 100, 250);
	loop_timer_cancel(w->trickle);
	evhttp_send_reply_end(w->held);
	assert_in_range(sn_now_ms() - start_ms, 240, 1500);
	assert_int_equal(w->step, HTTP_STEP_ANSWER);
	assert_string_equal(w->error.text, "time-out after 0.25 s");
}

/* A full backlog leaves the next SYN without an answer. */
static void silent_connect_is_cut_and_named(void **state)
{
	struct world *w = *state;
	uint16_t port;
	_cleanup_close_ int fd = listen_local(0, &port);
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%u/", port);
	_cleanup_free_ char *want =
		xasprintf("connect to 127.0.0.1:%u: time-out after 0.2 s", port);
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fill[4];

	assert_true(fd >= 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fill[i], (struct sockaddr *)&sin, sizeof(sin));
	}
	get_url(w, url, 200, 2000);
	for (size_t i = 0; i < SN_ARRAY_SIZE(fill); i++)
		close(fill[i]);
	assert_int_equal(w->step, HTTP_STEP_CONNECT);
	assert_string_equal(w->error.text, want);
}

static void too_large_body_is_refused(void **state)
{
	struct world *w = *state;

	get_path(w, "/large");
	assert_int_equal(w->error.code, -EFBIG);
	assert_string_equal(w->error.text, "body over 1000 bytes");
	get_path(w, "/full");
	assert_int_equal(w->step, HTTP_STEP_DONE);
}

static void too_many_headers_are_refused(void **state)
{
	struct world *w = *state;

	get_path(w, "/headers");
	assert_int_equal(w->error.code, -EFBIG);
	assert_string_equal(w->error.text, "headers over 65536 bytes");
}

static void plain_server_is_no_tls_server(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *url =
		xasprintf("https://127.0.0.1:%u/ok", http_fixture_port(w->server));

	get_url(w, url, LIMIT_MS, LIMIT_MS);
	assert_int_equal(w->step, HTTP_STEP_TLS);
	assert_memory_equal(w->error.text, "TLS with 127.0.0.1:", 19);
}

static void wrong_urls_are_refused_later(void **state)
{
	struct world *w = *state;

	get_url(w, "http://[nonsense", 1000, 2000);
	assert_int_equal(w->step, HTTP_STEP_URL);
	get_url(w, "ftp://127.0.0.1/", 1000, 2000);
	assert_int_equal(w->step, HTTP_STEP_URL);
	get_url(w, "file:///etc/hostname", 1000, 2000);
	assert_int_equal(w->step, HTTP_STEP_URL);
	assert_true(w->error.code < 0);
}

static void proxy_of_the_environment_is_not_used(void **state)
{
	struct world *w = *state;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	get_path(w, "/ok");
	unsetenv("http_proxy");
	assert_int_equal(w->step, HTTP_STEP_DONE);
}

static void unknown_name_is_named(void **state)
{
	struct world *w = *state;

	get_url(w, "http://nowhere.test/", 1000, 2000);
	assert_int_equal(w->step, HTTP_STEP_LOOK_UP);
	assert_memory_equal(w->error.text, "look-up of nowhere.test: ", 25);
}

static void wait_for_look_up_threads(int n)
{
	int64_t end = sn_now_ms() + LIMIT_MS;

	while (atomic_load(&look_ups_waiting) != n && sn_now_ms() < end)
		sched_yield();
	assert_int_equal(atomic_load(&look_ups_waiting), n);
}

static void silent_name_server_is_cut_and_named(void **state)
{
	struct world *w = *state;
	int64_t start_ms = sn_now_ms();

	get_url(w, "http://silent.test/", 200, 2000);
	assert_in_range(sn_now_ms() - start_ms, 190, 1500);
	assert_int_equal(w->step, HTTP_STEP_LOOK_UP);
	assert_string_equal(w->error.text, "look-up of silent.test: time-out after 0.2 s");
	sem_post(&look_up_may_end);
	wait_for_look_up_threads(0);
}

static void look_up_can_be_cancelled_without_waiting(void **state)
{
	struct world *w = *state;
	int64_t start_ms;

	w->get = start(w, "http://silent.test/", LIMIT_MS, LIMIT_MS);
	loop_run_for(w->loop, 20);
	wait_for_look_up_threads(1);
	start_ms = sn_now_ms();
	http_get_free(sn_steal(w->get));
	assert_in_range(sn_now_ms() - start_ms, 0, 100);
	sem_post(&look_up_may_end);
	wait_for_look_up_threads(0);
	assert_int_equal(w->calls, 0);
}

static void freed_request_calls_nobody(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *url =
		xasprintf("http://127.0.0.1:%u/hold", http_fixture_port(w->server));

	w->get = start(w, url, 1000, 2000);
	loop_run_for(w->loop, 50);
	assert_non_null(w->held);
	http_get_free(sn_steal(w->get));
	http_fixture_reply(w->held, 200, "late");
	loop_run_for(w->loop, 50);
	assert_int_equal(w->calls, 0);
}

static void all_can_be_freed_in_the_callback(void **state)
{
	struct world *w = *state;

	w->free_all_in_callback = true;
	get_path(w, "/ok");
	assert_null(w->client);
	assert_int_equal(w->calls, 1);
}

static void sockets_are_closed_on_exec(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *url =
		xasprintf("http://127.0.0.1:%u/hold", http_fixture_port(w->server));
	int inherited = 0;

	w->get = start(w, url, 1000, 2000);
	loop_run_for(w->loop, 50);
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC) &&
		    getpeername(fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family == AF_INET)
			inherited++;
	}
	assert_int_equal(inherited, 0);
	http_fixture_reply(w->held, 200, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(body_and_headers_arrive),
		TEST(other_status_is_an_error),
		TEST(redirects_are_not_followed),
		TEST(refused_connection_is_named),
		TEST(reset_connection_is_named),
		TEST(slow_trickle_is_cut),
		TEST(silent_connect_is_cut_and_named),
		TEST(too_large_body_is_refused),
		TEST(too_many_headers_are_refused),
		TEST(plain_server_is_no_tls_server),
		TEST(wrong_urls_are_refused_later),
		TEST(proxy_of_the_environment_is_not_used),
		TEST(unknown_name_is_named),
		TEST(silent_name_server_is_cut_and_named),
		TEST(look_up_can_be_cancelled_without_waiting),
		TEST(freed_request_calls_nobody),
		TEST(all_can_be_freed_in_the_callback),
		TEST(sockets_are_closed_on_exec),
	};

	sem_init(&look_up_may_end, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
