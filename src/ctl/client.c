/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocking client. One deadline holds for connect, send and receive
 * together. A daemon that refuses early may close before it has read all of
 * the request: so a failed send is not the end, its answer is looked for first.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

struct call {
	const char *path;
	int fd;
	int64_t deadline; /* sn_now_ms() */
};

static int away(const struct call *c, int code, struct sn_error *e)
{
	if (code == -ENOENT || code == -ECONNREFUSED)
		return sn_error_set(e, code,
				    "sennitd does not run here: nobody answers at %s; start it "
				    "(systemctl start sennitd), or name its socket with --socket",
				    c->path);
	if (code == -EACCES || code == -EPERM)
		return sn_error_set(e, code,
				    "no permission to talk to sennitd at %s: become root, or a "
				    "member of the group sennit to read",
				    c->path);
	if (code == -EAGAIN)
		return sn_error_set(e, -ETIMEDOUT,
				    "sennitd at %s takes no connection: it hangs or is overrun; "
				    "its log says more (journalctl -u sennitd)",
				    c->path);
	return sn_error_set(e, code, "%s: %s", c->path, sn_strerror(code));
}

/* SO_SNDTIMEO bounds the wait for a place in the listener's queue, see unix(7). */
static int do_connect(struct call *c, int timeout_ms, struct sn_error *e)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(c->path) >= sizeof(sa.sun_path))
		return sn_error_set(e, -ENAMETOOLONG, "%s: longer than a socket's name may be",
				    c->path);
	strcpy(sa.sun_path, c->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return sn_error_set(e, -errno, "cannot make a socket: %s", sn_strerror(-errno));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	while (connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		if (errno != EINTR)
			return away(c, -errno, e);
	return 0;
}

/* 0 when the socket is ready for it, -ETIMEDOUT at the deadline. */
static int wait_for(const struct call *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	for (;;) {
		int64_t left = c->deadline - sn_now_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)SN_MIN(left, INT32_MAX));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* One sendmsg; the descriptor goes with the first byte of this piece. */
static ssize_t send_piece(const struct call *c, const uint8_t *data, size_t len, int pass_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (pass_fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &pass_fd, sizeof(int));
	}
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int send_all(const struct call *c, const uint8_t *data, size_t len, int pass_fd)
{
	while (len > 0) {
		ssize_t n;
		int r = wait_for(c, POLLOUT);

		if (r < 0)
			return r;
		n = send_piece(c, data, len, pass_fd);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			pass_fd = -1;
		}
	}
	return 0;
}

struct inbox {
	uint8_t *data;
	size_t n, size;
};

static void inbox_fini(struct inbox *in)
{
	free(in->data);
}

/* Bytes read, 0 at the end, or a negative errno. */
static ssize_t receive_some(const struct call *c, struct inbox *in)
{
	ssize_t n;
	int r = wait_for(c, POLLIN);

	if (r < 0)
		return r;
	if (in->n == in->size) {
		in->size = in->size ? in->size * 2 : 4096;
		in->data = xreallocarray(in->data, in->size, 1);
	}
	do {
		n = recv(c->fd, in->data + in->n, in->size - in->n, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	in->n += (size_t)n;
	return n;
}

static int receive(const struct call *c, json_t **ret, struct sn_error *e)
{
	_cleanup_(inbox_fini) struct inbox in = { 0 };
	const char *payload;
	size_t len;
	int r;

	while ((r = ctl_frame(in.data, in.n, CTL_MAX_MESSAGE, &payload, &len)) == CTL_FRAME_MORE) {
		ssize_t n = receive_some(c, &in);

		if (n == -ETIMEDOUT)
			return sn_error_set(e, -ETIMEDOUT,
					    "sennitd at %s did not answer in time; its log says "
					    "more (journalctl -u sennitd)",
					    c->path);
		if (n == 0 || n == -ECONNRESET)
			return sn_error_set(e, -ECONNRESET,
					    "sennitd at %s closed without an answer; its log says "
					    "why (journalctl -u sennitd)",
					    c->path);
		if (n < 0)
			return sn_error_set(e, (int)n, "%s: %s", c->path, sn_strerror((int)n));
	}
	if (r < 0)
		return sn_error_set(e, r, "sennitd at %s promises an answer of over %u MiB",
				    c->path, CTL_MAX_MESSAGE >> 20);
	return ctl_reply_parse(payload, len, ret, e);
}

static int exchange(struct call *c, const uint8_t *data, size_t len, int pass_fd, json_t **ret,
		    struct sn_error *e)
{
	int sent = send_all(c, data, len, pass_fd);

	if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET)
		return sn_error_set(e, sent, "sending to sennitd at %s: %s", c->path,
				    sn_strerror(sent));
	return receive(c, ret, e);
}

int ctl_call_reached(const char *socket_path, const char *verb, json_t *args, int pass_fd,
		     int timeout_ms, json_t **ret, bool *ret_reached, struct sn_error *e)
{
	struct call c = { .path = socket_path, .fd = -1, .deadline = sn_now_ms() + timeout_ms };
	_cleanup_json_ json_t *request = json_pack("{s:s, s:O*}", "verb", verb, "args", args);
	_cleanup_free_ uint8_t *data = NULL;
	size_t len = 0;
	int r;

	*ret_reached = false;
	if (request)
		data = ctl_frame_new(request, &len);
	if (!data || len - CTL_HEADER_SIZE > CTL_MAX_REQUEST)
		return sn_error_set(e, data ? -EMSGSIZE : -EINVAL, "the request %s",
				    data ? "is too long" : "is not UTF-8 text");
	r = do_connect(&c, timeout_ms, e);
	if (r == 0) {
		*ret_reached = true;
		r = exchange(&c, data, len, pass_fd, ret, e);
	}
	sn_closep(&c.fd);
	return r;
}

int ctl_call(const char *socket_path, const char *verb, json_t *args, int pass_fd, int timeout_ms,
	     json_t **ret, struct sn_error *e)
{
	bool reached;

	return ctl_call_reached(socket_path, verb, args, pass_fd, timeout_ms, ret, &reached, e);
}
