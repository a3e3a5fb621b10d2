/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an HTTP request. Pure. */
#pragma once

#include "base/util.h"

/* Request line and headers together. */
#define REQUEST_MAX_BYTES ((size_t)16 * 1024)

enum request_method { REQUEST_GET, REQUEST_HEAD, REQUEST_POST, REQUEST_OTHER };

struct request {
	int bad; /* a status to refuse it with, and nothing below; 0: well */
	enum request_method method;
	bool http10;
	bool keep_alive; /* false too when a body follows: it is not read */
	char *path;      /* raw, begins with a slash */
	char *query;     /* raw; NULL: none */
	char *accept, *forwarded_for, *if_none_match; /* NULL: not there */
};

/*
 * Bytes used of text, 0 when the head is not complete yet. Over
 * REQUEST_MAX_BYTES without an end, or with nonsense in it, it is bad and all is used.
 */
size_t request_parse(const char *text, size_t len, struct request *ret);
void request_fini(struct request *r);
/* The first of this name in the query, without its escapes; NULL: none. The caller frees it. */
char *request_query(const struct request *r, const char *name);
