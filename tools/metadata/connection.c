/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States: reading (no request yet) -> asked (the request is with the owner,
 * who may let it wait) -> sending -> reading. While it is asked nothing more is
 * read than REQUEST_MAX_BYTES of what the client sends ahead; its end is seen,
 * so that a client that went away is none that waits.
 */
#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define READ_BYTES 4096
/* In one turn of the loop, so that one fast client does not keep the others waiting. */
#define PIECES_A_TURN 8

enum state { STATE_READING, STATE_ASKED, STATE_SENDING, STATE_ENDED };

struct connection {
	struct loop *loop;
	int fd;
	struct loop_io *io;
	struct loop_deferred *next; /* goes on with what was read before */
	struct sn_addr peer;
	const struct connection_ops *ops;
	void *user;
	enum state state;
	struct strbuf in; /* what is not used yet */
	struct request request;
	bool answered_bad; /* nothing more is read */
	/* sending */
	struct answer answer;
	struct answer_cursor at;
	struct strbuf head;
	struct piece *piece;
	size_t sent; /* of head, then of piece */
	bool head_sent, chunked, no_body, last_chunk;
	/* for connection_is_late() */
	int64_t since;
	size_t taken; /* bytes since then */
};

static void set_state(struct connection *c, enum state state)
{
	c->state = state;
	c->since = sn_now_ms();
	c->taken = 0;
}

static void end(struct connection *c)
{
	if (c->state == STATE_ENDED)
		return;
	set_state(c, STATE_ENDED);
	c->ops->ended(c, c->user);
}

/* --- sending -------------------------------------------------------------------------------- */

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	default:
		return "Error";
	}
}

static void add_date(struct strbuf *b)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	strbuf_adds(b, text);
}

/* Go's net/http, which the original is written on, looks at the body for the type. */
static void make_head(struct connection *c, const char *extra)
{
	const struct answer *a = &c->answer;
	long len = answer_length(a);
	bool empty = len == 0 || a->status == 304;
	struct strbuf *b = &c->head;

	strbuf_addf(b, "HTTP/1.1 %d %s\r\n", a->status, reason(a->status));
	add_date(b);
	if (a->api)
		strbuf_adds(b, "Access-Control-Allow-Origin: *\r\n");
	if (!empty)
		strbuf_adds(b, "Content-Type: text/plain; charset=utf-8\r\n");
	if (a->status == 404)
		strbuf_adds(b, "X-Content-Type-Options: nosniff\r\n");
	if (a->etag[0])
		strbuf_addf(b, "ETag: %s\r\n", a->etag);
	if (!c->request.keep_alive)
		strbuf_adds(b, "Connection: close\r\n");
	strbuf_adds(b, extra);
	c->chunked = len < 0 && !c->request.http10;
	if (len >= 0 && a->status != 304)
		strbuf_addf(b, "Content-Length: %ld\r\n", len);
	else if (c->chunked)
		strbuf_adds(b, "Transfer-Encoding: chunked\r\n");
	else if (len < 0)
		c->request.keep_alive = false;
	strbuf_adds(b, "\r\n");
}

/* The next bytes to send; false when there are none. */
static bool more(struct connection *c, struct iovec *ret)
{
	if (!c->head_sent) {
		*ret = (struct iovec){ c->head.data + c->sent, c->head.len - c->sent };
		return true;
	}
	while (!c->piece) {
		c->sent = 0;
		if (!c->no_body)
			c->piece = answer_next(&c->answer, &c->at);
		if (!c->piece && c->chunked && !c->no_body && !c->last_chunk) {
			/* the end of the chunks is sent as if it were a head */
			strbuf_clear(&c->head);
			strbuf_adds(&c->head, "0\r\n\r\n");
			c->head_sent = false;
			c->last_chunk = true;
			return more(c, ret);
		}
		if (!c->piece)
			return false;
		if (c->piece->len == 0)
			piece_unref(sn_steal(c->piece));
	}
	if (c->chunked)
		*ret = (struct iovec){ c->piece->framed + c->sent, c->piece->framed_len - c->sent };
	else
		*ret = (struct iovec){ c->piece->framed + c->piece->at + c->sent,
				       c->piece->len - c->sent };
	return true;
}

static void took(struct connection *c, size_t n, size_t of)
{
	c->taken += n;
	c->sent += n;
	if (n < of)
		return;
	c->sent = 0;
	if (!c->head_sent)
		c->head_sent = true;
	else
		piece_unref(sn_steal(c->piece));
}

/* What the client sent and nobody read would turn our answer into a reset. */
static void discard_input(struct connection *c)
{
	char buf[READ_BYTES];

	shutdown(c->fd, SHUT_WR);
	for (int i = 0; i < 16 && recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT) > 0; i++)
		;
}

static void sent_all(struct connection *c)
{
	answer_fini(&c->answer);
	strbuf_fini(&c->head);
	c->at = (struct answer_cursor){ 0 };
	c->head_sent = c->last_chunk = false;
	if (!c->request.keep_alive) {
		discard_input(c);
		end(c);
		return;
	}
	request_fini(&c->request);
	set_state(c, STATE_READING);
	loop_io_set(c->io, LOOP_READ);
	if (c->in.len)
		loop_deferred_schedule(c->next);
	else
		strbuf_fini(&c->in);
}

static void send_more(struct connection *c)
{
	for (int i = 0; i < PIECES_A_TURN; i++) {
		struct iovec v;
		ssize_t n;

		if (!more(c, &v)) {
			sent_all(c);
			return;
		}
		n = send(c->fd, v.iov_base, v.iov_len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			end(c);
			return;
		}
		if (n < 0)
			break;
		took(c, (size_t)n, v.iov_len);
	}
	loop_io_set(c->io, LOOP_WRITE);
}

void connection_reply(struct connection *c, struct answer *a, const char *extra)
{
	c->answer = *a;
	*a = (struct answer){ 0 };
	c->no_body = c->request.method == REQUEST_HEAD || c->answer.status == 304;
	c->sent = 0;
	make_head(c, extra);
	set_state(c, STATE_SENDING);
	send_more(c);
}

/* --- reading -------------------------------------------------------------------------------- */

static void refuse(struct connection *c, int status)
{
	struct answer a = { .status = status, .n = 1 };
	_cleanup_free_ char *text = xasprintf("%d %s", status, reason(status));

	a.part[0].text = piece_new(text, strlen(text));
	c->answered_bad = true;
	c->request.keep_alive = false;
	connection_reply(c, &a, "");
}

/* Begins the next request if it is here whole. */
static void begin(struct connection *c)
{
	size_t used;

	if (c->state != STATE_READING || c->answered_bad)
		return;
	used = request_parse(strbuf_str(&c->in), c->in.len, &c->request);
	if (used == 0)
		return;
	memmove(c->in.data, c->in.data + used, c->in.len - used);
	c->in.len -= used;
	c->in.data[c->in.len] = '\0';
	if (c->request.bad) {
		refuse(c, c->request.bad);
		return;
	}
	if (c->in.len == 0)
		strbuf_fini(&c->in);
	set_state(c, STATE_ASKED);
	c->ops->request(c, c->user);
}

static void on_next(void *user)
{
	begin(user);
}

static void read_more(struct connection *c)
{
	char buf[READ_BYTES];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	/* idle until now: the time for the head runs from its first byte */
	if (c->state == STATE_READING && c->in.len == 0)
		set_state(c, STATE_READING);
	strbuf_add(&c->in, buf, (size_t)n);
	if (c->state == STATE_ASKED && c->in.len >= REQUEST_MAX_BYTES)
		loop_io_set(c->io, 0);
	begin(c);
}

static void on_io(int fd, unsigned events, void *user)
{
	struct connection *c = user;

	(void)fd;
	if (c->state == STATE_SENDING && (events & LOOP_WRITE))
		send_more(c);
	else if (c->state != STATE_SENDING && (events & LOOP_READ))
		read_more(c);
}

/* --- public ---------------------------------------------------------------------------------- */

struct connection *connection_new(struct loop *loop, int fd, const struct sn_addr *peer,
				  const struct connection_ops *ops, void *user)
{
	struct connection *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->fd = fd;
	c->peer = *peer;
	c->ops = ops;
	c->user = user;
	c->next = loop_deferred_new(loop, on_next, c);
	c->io = loop_io_new(loop, fd, LOOP_READ, on_io, c);
	set_state(c, STATE_READING);
	return c;
}

void connection_free(struct connection *c)
{
	if (!c)
		return;
	c->state = STATE_ENDED;
	loop_io_free(c->io);
	loop_deferred_free(c->next);
	close(c->fd);
	answer_fini(&c->answer);
	piece_unref(c->piece);
	request_fini(&c->request);
	strbuf_fini(&c->head);
	strbuf_fini(&c->in);
	free(c);
}

const struct request *connection_request(const struct connection *c)
{
	return &c->request;
}

const struct sn_addr *connection_peer(const struct connection *c)
{
	return &c->peer;
}

const struct document *connection_document(const struct connection *c)
{
	return c->state == STATE_SENDING ? c->answer.document : NULL;
}

bool connection_is_late(struct connection *c, int64_t now)
{
	int64_t age = now - c->since;

	switch (c->state) {
	case STATE_READING:
		return age > (c->in.len ? CONNECTION_HEAD_MS : CONNECTION_IDLE_MS);
	case STATE_SENDING:
		if (age <= CONNECTION_SLOW_MS)
			return false;
		if (c->taken < CONNECTION_SLOW_BYTES)
			return true;
		c->since = now;
		c->taken = 0;
		return false;
	case STATE_ASKED:
	case STATE_ENDED:
		return false;
	}
	return false;
}
