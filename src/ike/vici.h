/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vici client on the loop: non-blocking, one request in flight, the others
 * wait in order; events at any time. It does not reconnect by itself:
 * disconnected() tells its owner, who decides (ike/ike.c).
 */
#pragma once

#include "base/error.h"
#include "ike/vici_codec.h"
#include "loop/loop.h"

#define VICI_TIMEOUT_MS 10000
#define VICI_MAX_QUEUE 8192

struct vici;
struct vici_call;

struct vici_handlers {
	/* A registered event. message is borrowed for the call. */
	void (*event)(const char *name, const struct vici_node *message, void *user);
	/*
	 * The connection is gone, told once; every call got its done() with -ECONNRESET
	 * before. Close the client here or later; what is called on it until then fails with
	 * -ECONNRESET in a later turn.
	 */
	void (*disconnected)(const char *why, void *user);
	void *user;
};

/*
 * Connects (a Unix socket connects at once or not at all) and registers the
 * NULL-terminated events; an unknown event is no error. 0 or a negative errno
 * with e.
 */
int vici_open(struct loop *loop, const char *path, const char *const *events,
	      const struct vici_handlers *handlers, struct vici **ret, struct sn_error *e);
/* Calls nobody any more. In any callback, too. */
void vici_close(struct vici *v);
SN_DEFINE_CLEANUP(struct vici *, vici_close);
/* SO_PEERCRED of the socket: the process id of charon. */
int vici_peer_pid(const struct vici *v);

/*
 * Sends `command` when its turn comes. The content of message is taken over
 * (the writer is left empty; NULL is an empty message) and wiped when it is sent.
 * stream: name of the event that carries the answers ("list-sa"), NULL for none;
 * on_item is called for each. timeout_ms counts from its turn, <= 0 means
 * VICI_TIMEOUT_MS.
 *
 * done is called exactly once unless cancelled, never inside vici_call(), and ends
 * the handle: result 0 with the reply (borrowed for the call), or negative with NULL:
 * -ETIMEDOUT (then the connection is given up), -ECONNRESET, -EOPNOTSUPP (unknown
 * command or stream), -EBADMSG (the reply or an item was torn), -ENOBUFS (queue
 * full), -EINVAL (message broken or too large). A reply with success=no is result 0:
 * vici_reply_error() reads it.
 */
typedef void (*vici_item_fn)(const struct vici_node *item, void *user);
typedef void (*vici_done_fn)(int result, const struct vici_node *reply, void *user);
struct vici_call *vici_call(struct vici *v, const char *command, struct vici_writer *message,
			    const char *stream, int64_t timeout_ms, vici_item_fn on_item,
			    vici_done_fn done, void *user);
/* No callback comes any more; an answer that was due is thrown away. Nothing to do for NULL. */
void vici_call_cancel(struct vici_call *call);
/* 0 when the reply has no success=no; else -EREMOTEIO with charon's errmsg in e. */
int vici_reply_error(const struct vici_node *reply, struct sn_error *e);
