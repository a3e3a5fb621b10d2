/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Built with HTTP_CONN_MS=600. */
#include "api/api.h"
#include "serve.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static struct served served;

static int get_ok(struct strbuf *body, void *user)
{
	(void)user;
	strbuf_adds(body, "{\"a\": 1}\n");
	return 200;
}

static int get_sick(struct strbuf *body, void *user)
{
	(void)user;
	strbuf_adds(body, "sick\n");
	return 503;
}

static int get_long(struct strbuf *body, void *user)
{
	(void)user;
	for (int i = 0; i < 1 << 16; i++)
		strbuf_adds(body, "0123456789abcdef");
	return 200;
}

static const struct http_route routes[] = {
	{ "/v1/status", "application/json", get_ok },
	{ "/healthz", "text/plain; charset=utf-8", get_sick },
	{ "/long", "text/plain; charset=utf-8", get_long },
};

static const struct config_listener anywhere = { .addr = { AF_INET, { 127, 0, 0, 1 } } };

static void *start(struct loop *loop, const char *arg, uint16_t *ret_port)
{
	struct http_server *s = NULL;
	struct sn_error e = { 0 };

	(void)arg;
	if (http_server_new(loop, &anywhere, 1, routes, SN_ARRAY_SIZE(routes), NULL, &s, &e) < 0)
		return NULL;
	*ret_port = http_server_port(s, 0);
	return s;
}

static void stop(void *server)
{
	http_server_free(server);
}

static int begin(void **state)
{
	(void)state;
	served = serve_start(NULL, start, stop);
	return 0;
}

static int end(void **state)
{
	(void)state;
	serve_stop(&served);
	return 0;
}

static int dial(void)
{
	struct sockaddr_storage sa;
	socklen_t len = sn_addr_to_sockaddr(&anywhere.addr, served.port, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Sends the request and gives the whole answer. */
static char *fetch(const char *request)
{
	_cleanup_close_ int fd = dial();
	char *answer = xcalloc(1, 4096);

	say(fd, request);
	assert_true(read_until_end(fd, answer, 4095) >= 0);
	return answer;
}

static void expect(const char *request, const char *status_line, const char *body)
{
	_cleanup_free_ char *answer = fetch(request);
	char *end_of_head = strstr(answer, "\r\n\r\n");

	assert_non_null(end_of_head);
	if (!sn_startswith(answer, status_line))
		fail_msg("%s: %s", request, answer);
	assert_string_equal(end_of_head + 4, body);
	assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(answer, "\r\nContent-Type: "));
	assert_non_null(strstr(answer, "\r\nDate: "));
}

static void gets_are_answered_from_the_table(void **state)
{
	_cleanup_free_ char *answer = fetch("GET /v1/status HTTP/1.1\r\nHost: any\r\n\r\n");

	(void)state;
	assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(answer, "\r\nContent-Length: 9\r\n"));
	expect("GET /v1/status HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "{\"a\": 1}\n");
	expect("GET /healthz?verbose HTTP/1.0\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n",
	       "sick\n");
}

static void head_has_the_length_and_no_body(void **state)
{
	_cleanup_free_ char *answer = fetch("HEAD /v1/status HTTP/1.1\r\n\r\n");

	(void)state;
	assert_non_null(strstr(answer, "\r\nContent-Length: 9\r\n"));
	expect("HEAD /v1/status HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "");
	expect("HEAD /nothing HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "");
}

static void other_paths_are_not_found(void **state)
{
	static const char *const paths[] = { "/",         "/healthz/",  "/healthzz",
					     "//healthz", "/%68ealthz", "/v1/../healthz",
					     "/v1/STATUS" };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *request = xasprintf("GET %s HTTP/1.1\r\n\r\n", paths[i]);

		expect(request, "HTTP/1.1 404 Not Found\r\n", "404 Not Found\n");
	}
}

static void other_methods_are_not_allowed(void **state)
{
	_cleanup_free_ char *answer = fetch("DELETE /healthz HTTP/1.1\r\n\r\n");

	(void)state;
	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
	expect("POST /healthz HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
	       "HTTP/1.1 405 Method Not Allowed\r\n", "405 Method Not Allowed\n");
	expect("FOO /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", "405 Method Not Allowed\n");
}

static void nonsense_is_refused(void **state)
{
	char head[9000];

	(void)state;
	expect("hello\r\n\r\n", "HTTP/1.1 400 ", "400 Bad Request\n");
	expect("GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 ", "505 HTTP Version Not Supported\n");
	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nX: %08500d\r\n\r\n", 0);
	expect(head, "HTTP/1.1 431 ", "431 Request Header Fields Too Large\n");
}

/*
 * Closing with bytes unread resets the connection, and the reset throws away
 * what was not sent yet: here most of 1 MiB.
 */
static void an_answer_survives_a_body_nobody_reads(void **state)
{
	_cleanup_free_ char *answer = xcalloc(1, 2u << 20), *chunk = xcalloc(1, 60000);
	int fd = dial();
	ssize_t n;

	(void)state;
	say(fd, "GET /long HTTP/1.1\r\nContent-Length: 60000\r\n\r\n");
	assert_int_equal(send(fd, chunk, 60000, MSG_NOSIGNAL), 60000);
	n = read_until_end(fd, answer, 2u << 20);
	assert_true(n > 1 << 20);
	close(fd);
}

static void a_long_answer_arrives_whole(void **state)
{
	_cleanup_free_ char *answer = xcalloc(1, 2u << 20);
	int fd = dial();
	ssize_t n;
	char *body;

	(void)state;
	say(fd, "GET /long HTTP/1.1\r\n\r\n");
	n = read_until_end(fd, answer, 2u << 20);
	body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(answer + n - body, 1 << 20);
	close(fd);
}

static void who_sends_a_byte_now_and_then_is_cut(void **state)
{
	int64_t begun = sn_now_ms();
	int fd = dial();
	bool cut = false;

	(void)state;
	while (!cut && sn_now_ms() - begun < WAIT_MS) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		cut = send(fd, "x", 1, MSG_NOSIGNAL) < 0 || poll(&p, 1, 50) > 0;
	}
	assert_true(cut);
	assert_in_range(sn_now_ms() - begun, 500, 3000);
	close(fd);
}

static bool is_cut(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Those who only hold a place give way, the oldest first, to one who asks. */
static void many_idle_connections_lock_nobody_out(void **state)
{
	int64_t begun = sn_now_ms();
	int fds[300];

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(fds); i++)
		fds[i] = dial();
	expect("GET /v1/status HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "{\"a\": 1}\n");
	/* 256 of 301 may stay; on a slow machine time has cut some of them meanwhile */
	assert_true(is_cut(fds[0]));
	assert_true(is_cut(fds[44]));
	if (sn_now_ms() - begun < 300)
		assert_false(is_cut(fds[45]));
	for (size_t i = 0; i < SN_ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void a_taken_port_is_an_error(void **state)
{
	_cleanup_(loop_freep) struct loop *loop = loop_new();
	struct config_listener both[2] = { anywhere, anywhere };
	struct http_server *s = NULL;
	struct sn_error e;

	(void)state;
	both[1].port = served.port;
	assert_int_equal(http_server_new(loop, both, 2, routes, 1, NULL, &s, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "127.0.0.1 port"));
	assert_null(s);
}

#define served_test(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		served_test(gets_are_answered_from_the_table),
		served_test(head_has_the_length_and_no_body),
		served_test(other_paths_are_not_found),
		served_test(other_methods_are_not_allowed),
		served_test(nonsense_is_refused),
		served_test(an_answer_survives_a_body_nobody_reads),
		served_test(a_long_answer_arrives_whole),
		served_test(who_sends_a_byte_now_and_then_is_cut),
		served_test(many_idle_connections_lock_nobody_out),
		served_test(a_taken_port_is_an_error),
	};

	return cmocka_run_group_tests_name("api/http_server", tests, NULL, NULL);
}
