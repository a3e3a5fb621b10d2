/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's wire format and its client. SOCK_STREAM, Unix domain,
 * run_dir/control.sock. A message is a 4-byte length (network byte order)
 * and that many bytes of JSON, at most CTL_MAX_REQUEST one way and
 * CTL_MAX_MESSAGE the other. One request, one reply, then the caller closes.
 *
 *	request	{"verb": "attach", "args": {…}}	with at most one descriptor
 *						(SCM_RIGHTS) on its first byte
 *	reply	{"ok": true, "result": …}
 *		{"ok": false, "error": {"code": "EADDRINUSE", "text": "…"}}
 *
 * "args" may be left out. An error's code is the name of an errno, its text a
 * sentence for people (raw: who shows it escapes it).
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#define CTL_MAX_MESSAGE (8u << 20)
/* Requests are small; the server holds up to 64 of them, half-read, at once. */
#define CTL_MAX_REQUEST (64u << 10)
#define CTL_HEADER_SIZE 4

/*
 * Asks the daemon, waiting at most timeout_ms in all. pass_fd < 0: none.
 * args may be NULL; it is borrowed. 0 with *ret a new reference to "result"
 * (JSON null when there is none); else a negative errno (the daemon's own, by
 * name, when it refused) with e. -ENOENT/-ECONNREFUSED: the daemon does not
 * run there; e says so and which socket.
 */
int ctl_call(const char *socket_path, const char *verb, json_t *args, int pass_fd, int timeout_ms,
	     json_t **ret, struct sn_error *e);
/* The same; *ret_reached (always written) tells a daemon's own -ENOENT from that of its socket. */
int ctl_call_reached(const char *socket_path, const char *verb, json_t *args, int pass_fd,
		     int timeout_ms, json_t **ret, bool *ret_reached, struct sn_error *e);

/* --- the pure parts, which both sides use ----------------------------------- */

enum ctl_frame_outcome { CTL_FRAME_DONE = 0, CTL_FRAME_MORE = 1 };
/*
 * buf holds n bytes: CTL_FRAME_DONE with the payload's place, CTL_FRAME_MORE,
 * or -EMSGSIZE as soon as the header promises more than max. What follows the
 * frame is not looked at.
 */
int ctl_frame(const uint8_t *buf, size_t n, size_t max, const char **ret_payload, size_t *ret_len);
/* Header and payload as one buffer to send; the caller frees. NULL past CTL_MAX_MESSAGE. */
uint8_t *ctl_frame_new(const json_t *message, size_t *ret_len);

/* A request's parts; verb and args are borrowed from root. */
struct ctl_request {
	json_t *root; /* the owner of the rest */
	const char *verb;
	json_t *args; /* an object, never NULL */
};
/* 0, or -EINVAL with e. */
int ctl_request_parse(const char *payload, size_t len, struct ctl_request *ret, struct sn_error *e);
void ctl_request_fini(struct ctl_request *req);
/* New references. result is stolen (NULL: null). */
json_t *ctl_reply_ok(json_t *result);
json_t *ctl_reply_error(const struct sn_error *e);
/* 0 with a new reference to the result, or the reply's own error; -EPROTO when it is no reply. */
int ctl_reply_parse(const char *payload, size_t len, json_t **ret, struct sn_error *e);

/* "EADDRINUSE" for -EADDRINUSE and back; what has no name is "EIO", unknown names are -EIO. */
const char *ctl_errno_name(int negative_errno);
int ctl_errno_from_name(const char *name);
