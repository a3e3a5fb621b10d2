/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers of the daemon's faces: the control socket and read-only HTTP.
 * Handlers are tables given by the daemon; nothing here knows what they do.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "loop/loop.h"
#include "model/config.h"

/*
 * A control verb. result is new (left alone: null); return 0 or a negative
 * errno with e. args is an object. fd is -1 or borrowed for the call. The
 * server must not be freed in it.
 */
struct ctl_verb {
	const char *name;
	bool changes; /* root only; others: root and group sennit */
	int (*run)(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user);
};
struct ctl_server;
/*
 * Socket 0660 root:sennit (root:root when there is no such group); at most 64
 * clients, 10 s each. A stale file at path is replaced; -EADDRINUSE when
 * somebody answers there. path is copied, verbs are borrowed.
 */
int ctl_server_new(struct loop *loop, const char *path, const struct ctl_verb *verbs, size_t n,
		   void *user, struct ctl_server **ret, struct sn_error *e);
void ctl_server_free(struct ctl_server *s);
SN_DEFINE_CLEANUP(struct ctl_server *, ctl_server_free);

/* An HTTP path, exact. Fills body and returns the status (200, 503). */
struct http_route {
	const char *path;
	const char *content_type;
	int (*get)(struct strbuf *body, void *user);
};
struct http_server;
/*
 * GET and HEAD only, one request a connection; at most 256 connections, 10 s
 * each. A listener that cannot be bound is an error with e. routes are
 * borrowed; the server must not be freed in get().
 */
int http_server_new(struct loop *loop, const struct config_listener *listeners, size_t n_listeners,
		    const struct http_route *routes, size_t n_routes, void *user,
		    struct http_server **ret, struct sn_error *e);
void http_server_free(struct http_server *s);
SN_DEFINE_CLEANUP(struct http_server *, http_server_free);
/* The port of the i-th listener; what the kernel chose when 0 was asked for. */
uint16_t http_server_port(const struct http_server *s, size_t i);
