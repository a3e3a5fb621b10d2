/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/http_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
	const char *head;
	int outcome;
	enum http_method method;
	const char *path;
} cases[] = {
	{ "GET / HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_GET, "/" },
	{ "GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n", HTTP_DONE, HTTP_GET, "/healthz" },
	{ "HEAD /a?b=c HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_HEAD, "/a" },
	{ "GET http://evil/a HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_GET, "/a" },
	{ "GET HTTP://evil HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_GET, "/" },
	{ "GET /%2e HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_GET, "/%2e" },
	{ "POST /a HTTP/1.1\r\n\r\nbody", HTTP_DONE, HTTP_OTHER, "/a" },
	{ "get /a HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_OTHER, "/a" },
	{ "OPTIONS * HTTP/1.1\r\n\r\n", HTTP_DONE, HTTP_OTHER, "*" },
	{ "\r\n\r\nGET /a HTTP/1.1\n\n", HTTP_DONE, HTTP_GET, "/a" },
	{ "GET /a HTTP/2.0\r\n\r\n", 505, 0, NULL },
	{ "GET /a HTTP/1.1x\r\n\r\n", 400, 0, NULL },
	{ "GET /a HTTQ/1.1\r\n\r\n", 400, 0, NULL },
	{ "GET /a\r\n\r\n", 400, 0, NULL },
	{ "GET  /a HTTP/1.1\r\n\r\n", 400, 0, NULL },
	{ "GET /a b HTTP/1.1\r\n\r\n", 400, 0, NULL },
	{ " GET /a HTTP/1.1\r\n\r\n", 400, 0, NULL },
	{ "GET /\x01 HTTP/1.1\r\n\r\n", 400, 0, NULL },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400, 0, NULL },
	{ "\x16\x03\x01 tls\r\n\r\n", 400, 0, NULL },
};

static void heads_are_read_as_the_rfc_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		struct http_request req;
		int r = http_request_parse(cases[i].head, strlen(cases[i].head), &req);

		if (r != cases[i].outcome)
			fail_msg("case %zu: %d", i, r);
		if (r != HTTP_DONE)
			continue;
		assert_int_equal(req.method, cases[i].method);
		assert_string_equal(req.path, cases[i].path);
	}
}

static void every_truncation_wants_more(void **state)
{
	const char head[] = "GET /v1/status HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
	struct http_request req;

	(void)state;
	for (size_t n = 0; n < sizeof(head) - 1; n++) {
		char *cut = xmalloc(n + 1);

		memcpy(cut, head, n);
		assert_int_equal(http_request_parse(cut, n, &req), HTTP_MORE);
		free(cut);
	}
	assert_int_equal(http_request_parse(head, sizeof(head) - 1, &req), HTTP_DONE);
}

static void a_head_that_never_ends_is_refused(void **state)
{
	char head[HTTP_MAX_HEAD];
	struct http_request req;

	(void)state;
	memset(head, 'a', sizeof(head));
	assert_int_equal(http_request_parse(head, sizeof(head) - 1, &req), HTTP_MORE);
	assert_int_equal(http_request_parse(head, sizeof(head), &req), 431);
	memset(head, '\n', sizeof(head));
	assert_int_equal(http_request_parse(head, sizeof(head), &req), 431);
}

static void a_long_path_is_refused(void **state)
{
	char head[HTTP_MAX_PATH + 64];
	struct http_request req;
	int n;

	(void)state;
	n = snprintf(head, sizeof(head), "GET /%0*d HTTP/1.1\r\n\r\n", HTTP_MAX_PATH - 2, 0);
	assert_int_equal(http_request_parse(head, (size_t)n, &req), HTTP_DONE);
	n = snprintf(head, sizeof(head), "GET /%0*d HTTP/1.1\r\n\r\n", HTTP_MAX_PATH - 1, 0);
	assert_int_equal(http_request_parse(head, (size_t)n, &req), 414);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_read_as_the_rfc_says),
		cmocka_unit_test(every_truncation_wants_more),
		cmocka_unit_test(a_head_that_never_ends_is_refused),
		cmocka_unit_test(a_long_path_is_refused),
	};

	return cmocka_run_group_tests_name("api/http_request", tests, NULL, NULL);
}
