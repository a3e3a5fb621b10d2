/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that need the other side of HTTP: an evhttp server on the loop
 * under test, and waiting for a condition with a limit.
 */
#pragma once

#include "loop/loop.h"

#include <event2/buffer.h>
#include <event2/http.h>

struct http_fixture;

typedef void (*http_fixture_fn)(struct evhttp_request *req, void *user);
/* On 127.0.0.1; port 0: any. NULL when the port is taken. */
struct http_fixture *http_fixture_new(struct loop *loop, uint16_t port, http_fixture_fn fn,
				      void *user);
uint16_t http_fixture_port(const struct http_fixture *f);
void http_fixture_free(struct http_fixture *f);
/* Answers with a NUL-terminated body. */
void http_fixture_reply(struct evhttp_request *req, int status, const char *body);

/* Runs the loop until *flag or the limit; returns *flag. */
bool loop_run_until(struct loop *loop, const bool *flag, int64_t limit_ms);
/* Runs it for this long: for showing that something does not come. */
void loop_run_for(struct loop *loop, int64_t ms);
/* A TCP socket on 127.0.0.1 that listens or (backlog < 0) is only bound: connecting is refused. */
int listen_local(int backlog, uint16_t *ret_port);
