/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vici client. A packet on the wire is a 4-byte length (network order), a
 * type byte, for some types a name behind its 1-byte length, and a message.
 *
 * Calls wait in `queue`, the one in flight is `current`, and those that have
 * failed without an answer wait in `failed` until a turn of their own tells them:
 * vici_call() never calls back by itself. A cancelled call in flight stays
 * `current` without callbacks until its answer has come, as answers bear no
 * number.
 *
 * Events that stream answers are registered once, before their first use, and stay
 * so: charon sends them only to the connection that asks, and whatever
 * comes outside of a call is thrown away.
 *
 * Any callback may close the client. Its handles go at once, the struct itself when
 * the outermost function of ours returns (`busy` counts them).
 */
#include "ike/vici.h"

#include "base/array.h"

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define RECEIVE_CHUNK 32768u
#define NAME_MAX_LEN 255
#define LENGTH_SIZE 4

enum packet {
	CMD_REQUEST = 0,
	CMD_RESPONSE = 1,
	CMD_UNKNOWN = 2,
	EVENT_REGISTER = 3,
	EVENT_UNREGISTER = 4,
	EVENT_CONFIRM = 5,
	EVENT_UNKNOWN = 6,
	EVENT = 7,
};

struct vici_call {
	TAILQ_ENTRY(vici_call) link;
	struct vici *v;
	enum packet type; /* CMD_REQUEST or EVENT_REGISTER */
	char *name;
	char *stream;
	struct vici_writer message; /* wiped as soon as it is sent */
	int64_t timeout_ms;
	vici_item_fn on_item;
	vici_done_fn done; /* NULL when cancelled */
	void *user;
	int result;     /* what a failed one is told */
	uint64_t round; /* of drain_failed(), when it failed */
	bool torn;      /* an item of its stream could not be read */
	bool ended;     /* done is being called */
};
TAILQ_HEAD(call_queue, vici_call);

struct registration {
	char *event;
	bool wanted;  /* for handlers.event, not only as a stream */
	bool unknown; /* charon does not have it */
};

struct vici {
	struct loop *loop;
	struct vici_handlers handlers;
	int fd; /* -1: the connection is gone */
	int peer_pid;
	struct loop_io *io;
	struct loop_timer *timer;
	struct loop_deferred *pump;
	ARRAY(struct registration) registrations;

	struct call_queue queue, failed;
	size_t n_queued;
	uint64_t round;
	struct vici_call *current;
	int64_t due; /* of current */
	uint8_t head[LENGTH_SIZE + 2 + NAME_MAX_LEN];
	size_t head_len, sent, total; /* of current */

	uint8_t *in;
	size_t in_len, in_size;

	unsigned busy;
	bool closed;
};

static struct registration *find_registration(struct vici *v, const char *event)
{
	array_foreach(&v->registrations, reg)
		if (streq(reg->event, event))
			return reg;
	return NULL;
}

static void call_free(struct vici_call *call)
{
	if (!call)
		return;
	vici_writer_fini(&call->message);
	free(call->name);
	free(call->stream);
	free(call);
}

static void free_calls(struct call_queue *q)
{
	struct vici_call *call;

	while ((call = TAILQ_FIRST(q))) {
		TAILQ_REMOVE(q, call, link);
		call_free(call);
	}
}

/* The call is in no list any more. The client may be closed afterwards. */
static void finish(struct vici_call *call, int result, const struct vici_node *reply)
{
	call->ended = true;
	if (call->done)
		call->done(result, reply, call->user);
	call_free(call);
}

/* Sets the call, in no list now, down among the failed. */
static void fail(struct vici *v, struct vici_call *call, int result)
{
	call->result = result;
	call->round = v->round;
	vici_writer_fini(&call->message);
	TAILQ_INSERT_TAIL(&v->failed, call, link);
	loop_deferred_schedule(v->pump);
}

/* Tells those that failed before this call of ours: what they ask anew waits for the next turn. */
static void drain_failed(struct vici *v)
{
	uint64_t round = ++v->round;
	struct vici_call *call;

	while ((call = TAILQ_FIRST(&v->failed)) && call->round < round) {
		TAILQ_REMOVE(&v->failed, call, link);
		finish(call, call->result, NULL);
	}
}

static void drop_connection(struct vici *v)
{
	loop_io_free(sn_steal(v->io));
	loop_timer_cancel(v->timer);
	if (v->fd >= 0)
		close(sn_steal_fd(&v->fd));
	v->in_len = 0;
}

/* The connection is of no use any more: the call in flight is told result, the others -ECONNRESET.
 */
static void give_up(struct vici *v, int result, const char *why)
{
	struct vici_call *call;

	drop_connection(v);
	if (v->current)
		fail(v, sn_steal(v->current), result);
	while ((call = TAILQ_FIRST(&v->queue))) {
		TAILQ_REMOVE(&v->queue, call, link);
		fail(v, call, -ECONNRESET);
	}
	v->n_queued = 0;
	drain_failed(v);
	if (!v->closed && v->handlers.disconnected)
		v->handlers.disconnected(why, v->handlers.user);
}

/* One write of what is left of current; like send(2), with -errno for its errors. */
static ssize_t send_some(const struct vici *v)
{
	const struct strbuf *body = &v->current->message.b;
	size_t head_sent = SN_MIN(v->sent, v->head_len);
	size_t body_sent = v->sent - head_sent;
	struct iovec iov[2] = { { (void *)(v->head + head_sent), v->head_len - head_sent } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	ssize_t n;

	if (body->len) {
		iov[1] = (struct iovec){ body->data + body_sent, body->len - body_sent };
		msg.msg_iovlen = 2;
	}
	n = sendmsg(v->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static void send_more(struct vici *v)
{
	while (v->sent < v->total) {
		ssize_t n = send_some(v);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			give_up(v, -ECONNRESET, sn_strerror((int)n));
			return;
		}
		v->sent += (size_t)n;
	}
	if (v->sent == v->total)
		vici_writer_fini(&v->current->message);
	loop_io_set(v->io, LOOP_READ | (v->sent < v->total ? LOOP_WRITE : 0u));
}

static void launch(struct vici *v, struct vici_call *call)
{
	size_t name_len = strlen(call->name);
	size_t payload = 2 + name_len + call->message.b.len;

	v->head[0] = (uint8_t)(payload >> 24);
	v->head[1] = (uint8_t)(payload >> 16);
	v->head[2] = (uint8_t)(payload >> 8);
	v->head[3] = (uint8_t)payload;
	v->head[LENGTH_SIZE] = (uint8_t)call->type;
	v->head[LENGTH_SIZE + 1] = (uint8_t)name_len;
	memcpy(v->head + LENGTH_SIZE + 2, call->name, name_len);
	v->head_len = LENGTH_SIZE + 2 + name_len;
	v->sent = 0;
	v->total = LENGTH_SIZE + payload;
	v->current = call;
	v->due = loop_now(v->loop) + call->timeout_ms;
	loop_timer_set(v->timer, call->timeout_ms);
	send_more(v);
}

static void start_next(struct vici *v)
{
	struct vici_call *call;

	while (v->fd >= 0 && !v->current && (call = TAILQ_FIRST(&v->queue))) {
		struct registration *reg = call->stream ? find_registration(v, call->stream) : NULL;

		TAILQ_REMOVE(&v->queue, call, link);
		v->n_queued--;
		/* without its stream the answer would look like an empty list */
		if (reg && reg->unknown)
			fail(v, call, -EOPNOTSUPP);
		else
			launch(v, call);
	}
}

/* The answer to current is complete. */
static void settle(struct vici *v, int result, const struct vici_node *reply)
{
	struct vici_call *call = sn_steal(v->current);

	loop_timer_cancel(v->timer);
	if (call->torn && result == 0)
		result = -EBADMSG;
	finish(call, result, result < 0 ? NULL : reply);
	if (!v->closed)
		start_next(v);
}

static void take_response(struct vici *v, const uint8_t *data, size_t len)
{
	_cleanup_(vici_tree_freep) struct vici_node *reply = NULL;
	struct sn_error e;
	int r = vici_parse(data, len, &reply, &e);

	settle(v, r < 0 ? -EBADMSG : 0, reply);
}

static void take_confirmation(struct vici *v, bool known)
{
	struct registration *reg = find_registration(v, v->current->name);

	sn_require(reg);
	reg->unknown = !known;
	settle(v, 0, NULL);
}

static void take_event(struct vici *v, const uint8_t *data, size_t len)
{
	_cleanup_(vici_tree_freep) struct vici_node *message = NULL;
	size_t name_len = len ? data[0] : 0;
	char name[NAME_MAX_LEN + 1];
	struct registration *reg;
	struct sn_error e;
	bool item;
	int r;

	if (len < 1 + name_len) {
		give_up(v, -ECONNRESET, "an event's name reaches past its packet");
		return;
	}
	memcpy(name, data + 1, name_len);
	name[name_len] = '\0';
	item = v->current && v->current->stream && streq(v->current->stream, name);
	reg = find_registration(v, name);
	if (!item && !(reg && reg->wanted))
		return;
	r = vici_parse(data + 1 + name_len, len - 1 - name_len, &message, &e);
	if (r < 0 && item)
		v->current->torn = true;
	else if (r < 0) /* what it said is lost; the owner looks anew after connecting again */
		give_up(v, -ECONNRESET, e.text);
	else if (item && v->current->on_item)
		v->current->on_item(message, v->current->user);
	else if (!item && v->handlers.event)
		v->handlers.event(name, message, v->handlers.user);
}

static void take_packet(struct vici *v, const uint8_t *data, size_t len)
{
	bool asked = v->current && v->sent == v->total;
	bool command = asked && v->current->type == CMD_REQUEST;
	bool registering = asked && v->current->type == EVENT_REGISTER;
	uint8_t type = data[0];

	if (type == EVENT)
		take_event(v, data + 1, len - 1);
	else if (type == CMD_RESPONSE && command)
		take_response(v, data + 1, len - 1);
	else if (type == CMD_UNKNOWN && command)
		settle(v, -EOPNOTSUPP, NULL);
	else if ((type == EVENT_CONFIRM || type == EVENT_UNKNOWN) && registering)
		take_confirmation(v, type == EVENT_CONFIRM);
	else
		give_up(v, -ECONNRESET, "a packet that answers nothing");
}

static uint32_t packet_length(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Takes every whole packet out of the buffer. */
static void take_packets(struct vici *v)
{
	size_t at = 0;

	while (!v->closed && v->fd >= 0 && v->in_len - at >= LENGTH_SIZE) {
		size_t len = packet_length(v->in + at);

		if (len == 0 || len > VICI_MAX_MESSAGE) {
			give_up(v, -ECONNRESET, "a packet of a size that cannot be");
			return;
		}
		if (v->in_len - at < LENGTH_SIZE + len)
			break;
		take_packet(v, v->in + at + LENGTH_SIZE, len);
		at += LENGTH_SIZE + len;
	}
	if (v->closed || v->fd < 0)
		return;
	v->in_len -= at;
	memmove(v->in, v->in + at, v->in_len);
}

/* Room for the rest of the packet that has begun; its length is checked already. */
static void make_room(struct vici *v)
{
	size_t want = RECEIVE_CHUNK;

	if (v->in_len >= LENGTH_SIZE)
		want = SN_MAX(want, LENGTH_SIZE + packet_length(v->in));
	if (v->in_size == want || (v->in_size > want && v->in_len > 0))
		return;
	v->in = xreallocarray(v->in, want, 1);
	v->in_size = want;
}

/* One read a turn, so that a long stream lets others have their turns. */
static void receive(struct vici *v)
{
	ssize_t n;

	make_room(v);
	n = recv(v->fd, v->in + v->in_len, v->in_size - v->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		give_up(v, -ECONNRESET, n < 0 ? sn_strerror(-errno) : "closed by charon");
		return;
	}
	v->in_len += (size_t)n;
	take_packets(v);
}

static void leave(struct vici *v)
{
	if (--v->busy > 0 || !v->closed)
		return;
	array_foreach(&v->registrations, reg)
		free(reg->event);
	array_free(&v->registrations);
	free(v->in);
	free(v);
}

static void on_io(int fd, unsigned events, void *user)
{
	struct vici *v = user;

	(void)fd;
	v->busy++;
	if ((events & LOOP_WRITE) && v->current)
		send_more(v);
	if ((events & LOOP_READ) && !v->closed && v->fd >= 0)
		receive(v);
	leave(v);
}

static void on_pump(void *user)
{
	struct vici *v = user;

	v->busy++;
	drain_failed(v);
	if (!v->closed)
		start_next(v);
	if (!v->closed && !TAILQ_EMPTY(&v->failed))
		loop_deferred_schedule(v->pump);
	leave(v);
}

static void on_timeout(void *user)
{
	struct vici *v = user;
	char why[NAME_MAX_LEN + 64];

	/* a loop that stood still has not looked whether the answer is there */
	if (loop_now(v->loop) - v->due > LOOP_STALL_MS) {
		v->due = loop_now(v->loop) + v->current->timeout_ms;
		loop_timer_set(v->timer, v->current->timeout_ms);
		return;
	}
	snprintf(why, sizeof(why), "no answer to %s in %lld ms", v->current->name,
		 (long long)v->current->timeout_ms);
	v->busy++;
	give_up(v, -ETIMEDOUT, why);
	leave(v);
}

static void enqueue(struct vici *v, struct vici_call *call)
{
	TAILQ_INSERT_TAIL(&v->queue, call, link);
	v->n_queued++;
	loop_deferred_schedule(v->pump);
}

static struct vici_call *call_new(struct vici *v, enum packet type, const char *name)
{
	struct vici_call *call = xcalloc(1, sizeof(*call));

	call->v = v;
	call->type = type;
	call->name = xstrdup(name);
	call->timeout_ms = VICI_TIMEOUT_MS;
	return call;
}

/* Has charon send this event, once. */
static void register_event(struct vici *v, const char *event, bool wanted)
{
	struct registration *reg = find_registration(v, event);

	if (!reg) {
		reg = array_add(&v->registrations);
		reg->event = xstrdup(event);
		enqueue(v, call_new(v, EVENT_REGISTER, event));
	}
	reg->wanted |= wanted;
}

static int connect_to(const char *path, int *ret_fd, int *ret_pid, struct sn_error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (strlen(path) >= sizeof(sa.sun_path))
		return sn_error_set(e, -ENAMETOOLONG, "%s: too long for a Unix socket", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sn_error_set(e, -errno, "socket: %s", sn_strerror(-errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return sn_error_set(e, -errno, "%s: %s", path, sn_strerror(-errno));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return sn_error_set(e, -errno, "%s: SO_PEERCRED: %s", path, sn_strerror(-errno));
	*ret_pid = peer.pid;
	*ret_fd = sn_steal_fd(&fd);
	return 0;
}

int vici_open(struct loop *loop, const char *path, const char *const *events,
	      const struct vici_handlers *handlers, struct vici **ret, struct sn_error *e)
{
	struct vici *v;
	int fd, pid;
	int r = connect_to(path, &fd, &pid, e);

	if (r < 0)
		return r;
	v = xcalloc(1, sizeof(*v));
	*v = (struct vici){ .loop = loop, .handlers = *handlers, .fd = fd, .peer_pid = pid };
	TAILQ_INIT(&v->queue);
	TAILQ_INIT(&v->failed);
	v->io = loop_io_new(loop, fd, LOOP_READ, on_io, v);
	v->timer = loop_timer_new(loop, on_timeout, v);
	v->pump = loop_deferred_new(loop, on_pump, v);
	for (; events && *events; events++)
		register_event(v, *events, true);
	*ret = v;
	return 0;
}

void vici_close(struct vici *v)
{
	if (!v || v->closed)
		return;
	v->busy++;
	v->closed = true;
	drop_connection(v);
	loop_timer_free(sn_steal(v->timer));
	loop_deferred_free(sn_steal(v->pump));
	call_free(sn_steal(v->current));
	free_calls(&v->queue);
	free_calls(&v->failed);
	leave(v);
}

int vici_peer_pid(const struct vici *v)
{
	return v->peer_pid;
}

/* What stands against sending it, 0 for nothing. */
static int check_call(const struct vici *v, const struct vici_call *call)
{
	size_t name_len = strlen(call->name);

	if (v->fd < 0)
		return -ECONNRESET;
	if (vici_writer_check(&call->message) < 0 || name_len > NAME_MAX_LEN ||
	    2 + name_len + call->message.b.len > VICI_MAX_MESSAGE)
		return -EINVAL;
	return v->n_queued >= VICI_MAX_QUEUE ? -ENOBUFS : 0;
}

struct vici_call *vici_call(struct vici *v, const char *command, struct vici_writer *message,
			    const char *stream, int64_t timeout_ms, vici_item_fn on_item,
			    vici_done_fn done, void *user)
{
	struct vici_call *call = call_new(v, CMD_REQUEST, command);
	int r;

	sn_require(!v->closed);
	if (message) {
		call->message = *message;
		*message = (struct vici_writer){ 0 };
	}
	call->stream = xstrdup_null(stream);
	if (timeout_ms > 0)
		call->timeout_ms = timeout_ms;
	call->on_item = on_item;
	call->done = done;
	call->user = user;
	r = check_call(v, call);
	if (r < 0) {
		fail(v, call, r);
		return call;
	}
	if (stream)
		register_event(v, stream, false);
	enqueue(v, call);
	return call;
}

void vici_call_cancel(struct vici_call *call)
{
	struct vici *v;

	if (!call || call->ended)
		return;
	v = call->v;
	if (call == v->current) {
		call->done = NULL;
		call->on_item = NULL;
		return;
	}
	if (call->result < 0) {
		TAILQ_REMOVE(&v->failed, call, link);
	} else {
		TAILQ_REMOVE(&v->queue, call, link);
		v->n_queued--;
	}
	call_free(call);
}

int vici_reply_error(const struct vici_node *reply, struct sn_error *e)
{
	const char *success = vici_text(reply, "success");
	const char *text = vici_text(reply, "errmsg");

	if (!success || !streq(success, "no"))
		return 0;
	return sn_error_set(e, -EREMOTEIO, "%s",
			    text && *text ? text : "charon refused and did not say why");
}
