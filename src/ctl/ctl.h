/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's wire format and its client. SOCK_STREAM, Unix domain,
 * run_dir/control.sock. A message is a 4-byte length (network byte order,
 * at most CTL_MAX_MESSAGE) and that many bytes of JSON. One request, one
 * reply, then the caller closes.
 *
 *	request	{"verb": "attach", "args": {…}}	with at most one descriptor
 *						(SCM_RIGHTS) on its first byte
 *	reply	{"ok": true, "result": …}
 *		{"ok": false, "error": {"code": "EADDRINUSE", "text": "…"}}
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#define CTL_MAX_MESSAGE (8u << 20)

/*
 * Asks the daemon, waiting at most timeout_ms in all. pass_fd < 0: none.
 * 0 with *ret a new reference to "result"; else a negative errno (the
 * daemon's own, by name, when it refused) with e. -ENOENT/-ECONNREFUSED: the
 * daemon does not run there; e says so and which socket.
 */
int ctl_call(const char *socket_path, const char *verb, json_t *args, int pass_fd, int timeout_ms,
	     json_t **ret, struct sn_error *e);

/* The pure frame parser that both sides use. */
enum ctl_frame_outcome { CTL_FRAME_DONE = 0, CTL_FRAME_MORE = 1 };
/* buf holds n bytes: CTL_FRAME_DONE with the payload's place, CTL_FRAME_MORE, or -EMSGSIZE. */
int ctl_frame(const uint8_t *buf, size_t n, const char **ret_payload, size_t *ret_len);
/* Header and payload as one buffer to send; the caller frees. */
uint8_t *ctl_frame_new(const json_t *message, size_t *ret_len);
/* "EADDRINUSE" for -EADDRINUSE and back; unknown names are -EIO. */
const char *ctl_errno_name(int negative_errno);
int ctl_errno_from_name(const char *name);
