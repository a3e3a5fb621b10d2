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

/* A control verb. result is new; return 0 or a negative errno with e. fd is -1 or borrowed. */
struct ctl_verb {
	const char *name;
	bool changes; /* root only; others: root and group sennit */
	int (*run)(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user);
};
struct ctl_server;
/* Socket 0660 root:sennit (root:root when there is no such group); bounded clients, 10 s idle. */
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
/* GET and HEAD only, HTTP/1.1, libevent; a listener that cannot be bound is an error with e. */
int http_server_new(struct loop *loop, const struct config_listener *listeners, size_t n_listeners,
		    const struct http_route *routes, size_t n_routes, void *user,
		    struct http_server **ret, struct sn_error *e);
void http_server_free(struct http_server *s);
SN_DEFINE_CLEANUP(struct http_server *, http_server_free);
