/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves a document over HTTP with libevent: GET and HEAD, and long polls
 * (`?wait=true&value=V[&maxWait=SECONDS]`), which are answered in the same
 * turn in which the document changes.
 */
#pragma once

#include "document.h"

#include "base/error.h"
#include "loop/loop.h"

/* Of a long poll, in seconds. */
#define SERVER_WAIT_DEFAULT 60
#define SERVER_WAIT_MAX 120
/* More long polls than these are answered at once, as if their time were over. */
#define SERVER_MAX_WAITING 4096

struct server;

/* believe_xff: the caller is who X-Forwarded-For says. Nothing is served before a document is set.
 */
struct server *server_new(struct loop *loop, bool believe_xff);
void server_free(struct server *s);
SN_DEFINE_CLEANUP(struct server *, server_free);
/* 0, or a negative errno with e. */
int server_listen(struct server *s, const struct sn_addr *addr, uint16_t port, struct sn_error *e);
/* Takes the document over, and wakes who waited for another. */
void server_set_document(struct server *s, struct document *d);
