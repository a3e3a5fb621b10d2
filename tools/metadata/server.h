/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves a document over HTTP: GET and HEAD, ETag and If-None-Match, and long
 * polls (`?wait=true&value=V[&maxWait=SECONDS]`, for changes
 * `?since=V&wait=true[&maxWait=SECONDS]`), which are answered in the same turn
 * in which the document changes.
 */
#pragma once

#include "document.h"

#include "base/error.h"
#include "loop/loop.h"

/* Of a long poll, in seconds. */
#define SERVER_WAIT_DEFAULT 60
#define SERVER_WAIT_MAX 120
/* More long polls than these are answered at once, as if their time were over. */
#define SERVER_MAX_WAITING 8192
/* Connections: more are told 503 and closed. */
#define SERVER_MAX_CONNECTIONS 8192
#define SERVER_MAX_PER_CLIENT 256

struct server;

struct server_options {
	/*
	 * The caller is who X-Forwarded-For says. Then all come from the proxy,
	 * and max_per_client does not count.
	 */
	bool believe_xff;
	unsigned max_connections, max_per_client; /* 0: those above */
	/* Somebody posted /v1/reload, on the listener for that; server_reloaded() is to follow. */
	void (*reload)(void *user);
	void *user;
};

/* Nothing is served before a document is set. The options are copied. */
struct server *server_new(struct loop *loop, const struct server_options *options);
void server_free(struct server *s);
SN_DEFINE_CLEANUP(struct server *, server_free);
/* 0, or a negative errno with e. reload: for POST /v1/reload, and for that only. */
int server_listen(struct server *s, const struct sn_addr *addr, uint16_t port, bool reload,
		  struct sn_error *e);
/* Takes the caller's reference, and wakes who waited for another. */
void server_set_document(struct server *s, struct document *d);
/* Answers who asked for a reload; error is NULL when it went well. */
void server_reloaded(struct server *s, const char *error);
