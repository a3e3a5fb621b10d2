/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of an HTTP/1.x request as far as a read-only server needs it: its
 * method and path (RFC 9112). Pure. Fields are skipped: nothing here depends on
 * Host or any other of them.
 */
#pragma once

#include "base/util.h"

#define HTTP_MAX_HEAD 8192
#define HTTP_MAX_PATH 256

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

struct http_request {
	enum http_method method;
	char path[HTTP_MAX_PATH]; /* as sent, without the query; never decoded */
};

enum http_outcome { HTTP_DONE = 0, HTTP_MORE = 1 };
/*
 * buf holds n bytes: HTTP_DONE, HTTP_MORE, or the status to refuse it with: 400
 * (not HTTP), 414 (path too long), 431 (head over HTTP_MAX_HEAD), 505
 * (another major version). *ret is written with HTTP_DONE only.
 */
int http_request_parse(const char *buf, size_t n, struct http_request *ret);
