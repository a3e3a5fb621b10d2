/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of a vici connection, on the loop of the test: takes packets,
 * has the test answer them, sends as many bytes a turn as the test likes.
 */
#pragma once

#include "base/strbuf.h"
#include "ike/vici_codec.h"
#include "loop/loop.h"

enum {
	FAKE_REQUEST,
	FAKE_RESPONSE,
	FAKE_CMD_UNKNOWN,
	FAKE_REGISTER,
	FAKE_UNREGISTER,
	FAKE_CONFIRM,
	FAKE_EVENT_UNKNOWN,
	FAKE_EVENT
};

struct fake_charon {
	/* Called for each packet; NULL: registrations are confirmed, nothing else is answered. */
	void (*on_packet)(struct fake_charon *s, unsigned type, const char *name,
			  const struct vici_node *message);
	void *user;
	size_t step;       /* bytes a turn that are read and written; 0: no limit */
	struct strbuf log; /* "name " of each request and "+name " of each registration */
	size_t received;   /* bytes */

	struct loop *loop;
	char *dir, *path;
	int listen_fd, fd;
	struct loop_io *listen_io, *io;
	struct strbuf in, out;
	size_t sent;
	bool hang_up;
};

void fake_charon_init(struct fake_charon *s, struct loop *loop);
void fake_charon_fini(struct fake_charon *s);
/* Puts a packet in line; name NULL for the types that have none. */
void fake_charon_send(struct fake_charon *s, unsigned type, const char *name, const void *message,
		      size_t len);
/* The same with one key=value as the message. */
void fake_charon_say(struct fake_charon *s, unsigned type, const char *name, const char *key,
		     const char *value);
/* Bytes as they are, no packet. */
void fake_charon_send_raw(struct fake_charon *s, const void *data, size_t len);
/* Closes the connection once all is sent. */
void fake_charon_hang_up(struct fake_charon *s);
