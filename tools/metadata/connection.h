/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client: reads requests, one at a time, and sends their answers piece by
 * piece as the client takes them. What a client costs while it waits is its
 * request and this.
 *
 * It may be freed at any time, also by connection_ops.request.
 */
#pragma once

#include "answer.h"
#include "request.h"

#include "base/addr.h"
#include "loop/loop.h"

/* For a request to come whole, and for the next on a kept connection. */
#define CONNECTION_HEAD_MS 10000
#define CONNECTION_IDLE_MS 60000
/* A client that takes less than this of its answer in this time is cut. */
#define CONNECTION_SLOW_BYTES ((size_t)16 * 1024)
#define CONNECTION_SLOW_MS 10000

struct connection;

struct connection_ops {
	/*
	 * A well-formed request is here: call connection_reply() now or later.
	 * Nothing else comes before that.
	 */
	void (*request)(struct connection *c, void *user);
	/* The client is gone, or was refused, or has all it wanted: free it. */
	void (*ended)(struct connection *c, void *user);
};

/* Owns the descriptor. */
struct connection *connection_new(struct loop *loop, int fd, const struct sn_addr *peer,
				  const struct connection_ops *ops, void *user);
void connection_free(struct connection *c);
const struct request *connection_request(const struct connection *c);
const struct sn_addr *connection_peer(const struct connection *c);
/*
 * Takes what the answer has and leaves it empty. extra: header lines, each
 * with its end; "" for none.
 */
void connection_reply(struct connection *c, struct answer *a, const char *extra);
/* The document it is sending from, NULL: none. */
const struct document *connection_document(const struct connection *c);
/* True when it has sat too long over a request, or takes its answer too slowly. */
bool connection_is_late(struct connection *c, int64_t now);
