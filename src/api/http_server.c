/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read-only HTTP: one GET or HEAD a connection, answered from a table.
 *
 * Not libevent's evhttp: it can neither limit the number of connections nor
 * cut one that sends a byte now and then, and its callbacks would not be
 * measured as turns of the loop. What is left to do without it is little,
 * since there is no body to read and no second request: a connection is
 * read until the head is whole, answered, and closed.
 *
 * A connection has HTTP_CONN_MS to send its head and take the answer. When
 * there is no place for a new one, the one that has been at it longest
 * without having asked gives way: who means it sends the head at once. After
 * the answer our side is shut and what still comes (a body we do not read)
 * is thrown away for HTTP_LINGER_MS: closing at once would reset the
 * connection and could take the answer back (RFC 9112 9.6).
 */
#include "api/api.h"

#include "api/http_request.h"
#include "api/listener.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define HTTP_MAX_CONNS 256
#ifndef HTTP_CONN_MS /* the tests cannot wait so long */
#define HTTP_CONN_MS 10000
#endif
#define HTTP_LINGER_MS 1000
#define HTTP_LINGER_BYTES (256u << 10)
#define HTTP_BACKLOG 128

enum conn_state {
	CONN_READ,   /* the head is not whole */
	CONN_WRITE,  /* the answer goes out */
	CONN_LINGER, /* the answer is out, the other side has not closed */
};

struct http_conn {
	struct http_server *server;
	struct http_conn *next; /* younger first */
	enum conn_state state;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	char in[HTTP_MAX_HEAD];
	size_t n_in;
	struct strbuf out;
	size_t sent;
	size_t discarded;
};

struct http_server {
	struct loop *loop;
	ARRAY(struct listener *) listeners;
	ARRAY(uint16_t) ports;
	const struct http_route *routes;
	size_t n_routes;
	void *user;
	struct http_conn *conns;
	size_t n_conns;
};

static void conn_free(struct http_conn *c)
{
	struct http_conn **at = &c->server->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->server->n_conns--;
	loop_io_free(c->io);
	loop_timer_free(c->timer);
	close(c->fd);
	strbuf_fini(&c->out);
	free(c);
}

static void on_conn_late(void *user)
{
	conn_free(user);
}

/* --- the answer -------------------------------------------------------------- */

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 414, "URI Too Long" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < SN_ARRAY_SIZE(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Unknown";
}

static void add_date(struct strbuf *out)
{
	time_t now = (time_t)(sn_wall_ms() / 1000);
	char text[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm))
		strbuf_addf(out, "Date: %s\r\n", text);
}

static void add_answer(struct strbuf *out, int status, const char *type, const struct strbuf *body,
		       bool with_body)
{
	strbuf_addf(out, "HTTP/1.1 %d %s\r\n", status, status_text(status));
	add_date(out);
	strbuf_addf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body->len);
	if (status == 405)
		strbuf_adds(out, "Allow: GET, HEAD\r\n");
	strbuf_adds(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
			 "Connection: close\r\n\r\n");
	if (with_body)
		strbuf_add(out, body->data, body->len);
}

static void conn_refuse(struct http_conn *c, int status, bool with_body)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	strbuf_addf(&body, "%d %s\n", status, status_text(status));
	add_answer(&c->out, status, "text/plain; charset=utf-8", &body, with_body);
}

static const struct http_route *find_route(const struct http_server *s, const char *path)
{
	for (size_t i = 0; i < s->n_routes; i++)
		if (streq(s->routes[i].path, path))
			return &s->routes[i];
	return NULL;
}

static void conn_serve(struct http_conn *c, const struct http_request *req)
{
	const struct http_route *route = find_route(c->server, req->path);
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	bool with_body = req->method != HTTP_HEAD;
	int status;

	if (!route) {
		conn_refuse(c, 404, with_body);
	} else if (req->method == HTTP_OTHER) {
		conn_refuse(c, 405, true);
	} else {
		status = route->get(&body, c->server->user);
		add_answer(&c->out, status, route->content_type, &body, with_body);
	}
}

/* --- the connection ---------------------------------------------------------- */

static void conn_linger(struct http_conn *c)
{
	c->state = CONN_LINGER;
	shutdown(c->fd, SHUT_WR);
	loop_timer_set(c->timer, HTTP_LINGER_MS);
	loop_io_set(c->io, LOOP_READ);
}

static void conn_send(struct http_conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_io_set(c->io, LOOP_WRITE);
			return;
		}
		if (n < 0) {
			conn_free(c);
			return;
		}
		c->sent += (size_t)n;
	}
	conn_linger(c);
}

/* Bytes, 0 for "later"; frees the connection and is -1 when it ended. */
static ssize_t conn_receive(struct http_conn *c, char *buf, size_t size)
{
	ssize_t n = recv(c->fd, buf, size, 0);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	conn_free(c);
	return -1;
}

static void conn_read(struct http_conn *c)
{
	ssize_t n = conn_receive(c, c->in + c->n_in, sizeof(c->in) - c->n_in);
	struct http_request req;
	int r;

	if (n <= 0)
		return;
	c->n_in += (size_t)n;
	r = http_request_parse(c->in, c->n_in, &req);
	if (r == HTTP_MORE)
		return;
	c->state = CONN_WRITE;
	if (r == HTTP_DONE)
		conn_serve(c, &req);
	else
		conn_refuse(c, r, true);
	conn_send(c);
}

static void conn_discard(struct http_conn *c)
{
	char sink[4096];
	ssize_t n = conn_receive(c, sink, sizeof(sink));

	if (n <= 0)
		return;
	c->discarded += (size_t)n;
	if (c->discarded > HTTP_LINGER_BYTES)
		conn_free(c);
}

static void on_conn(int fd, unsigned events, void *user)
{
	struct http_conn *c = user;

	(void)fd;
	(void)events;
	switch (c->state) {
	case CONN_READ:
		conn_read(c);
		break;
	case CONN_WRITE:
		conn_send(c);
		break;
	case CONN_LINGER:
		conn_discard(c);
		break;
	}
}

/* The oldest one that is not being answered, or NULL. */
static struct http_conn *whoever_gives_way(const struct http_server *s)
{
	struct http_conn *oldest = NULL;

	for (struct http_conn *c = s->conns; c; c = c->next)
		if (c->state != CONN_WRITE)
			oldest = c;
	return oldest;
}

static void on_connection(int fd, void *user)
{
	struct http_server *s = user;
	struct http_conn *c;

	if (s->n_conns >= HTTP_MAX_CONNS) {
		c = whoever_gives_way(s);
		if (!c) {
			close(fd);
			return;
		}
		conn_free(c);
	}
	c = xcalloc(1, sizeof(*c));
	c->server = s;
	c->fd = fd;
	c->io = loop_io_new(s->loop, fd, LOOP_READ, on_conn, c);
	c->timer = loop_timer_new(s->loop, on_conn_late, c);
	loop_timer_set(c->timer, HTTP_CONN_MS);
	c->next = s->conns;
	s->conns = c;
	s->n_conns++;
}

/* --- listeners --------------------------------------------------------------- */

/* A descriptor that listens, or a negative errno; the port is known now even if 0 was asked. */
static int open_listener(const struct config_listener *at, uint16_t *ret_port)
{
	const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len = sn_addr_to_sockaddr(&at->addr, at->port, &sa);
	_cleanup_close_ int fd =
		socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sn_addr bound;

	if (fd < 0)
		return -errno;
	/* a restart must not wait for the old connections' TIME_WAIT */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&sa, len) < 0 || listen(fd, HTTP_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	sn_addr_from_sockaddr((const struct sockaddr *)&sa, &bound, ret_port);
	return sn_steal_fd(&fd);
}

static int add_listener(struct http_server *s, const struct config_listener *at, struct sn_error *e)
{
	uint16_t port = 0;
	int fd = open_listener(at, &port);

	if (fd < 0)
		return sn_error_set(e, fd,
				    "cannot listen for HTTP at %s port %u: %s; see who has it (ss "
				    "-lntp), or change http.listen",
				    SN_ADDR_STR(&at->addr), at->port, sn_strerror(fd));
	*array_add(&s->listeners) = listener_new(s->loop, fd, on_connection, s);
	*array_add(&s->ports) = port;
	return 0;
}

int http_server_new(struct loop *loop, const struct config_listener *listeners, size_t n_listeners,
		    const struct http_route *routes, size_t n_routes, void *user,
		    struct http_server **ret, struct sn_error *e)
{
	_cleanup_(http_server_freep) struct http_server *s = xcalloc(1, sizeof(*s));

	*s = (struct http_server){
		.loop = loop, .routes = routes, .n_routes = n_routes, .user = user
	};
	for (size_t i = 0; i < n_listeners; i++) {
		int r = add_listener(s, &listeners[i], e);

		if (r < 0)
			return r;
	}
	*ret = sn_steal(s);
	return 0;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	while (s->conns)
		conn_free(s->conns);
	array_foreach(&s->listeners, l)
		listener_free(*l);
	array_free(&s->listeners);
	array_free(&s->ports);
	free(s);
}

uint16_t http_server_port(const struct http_server *s, size_t i)
{
	sn_require(i < s->ports.n);
	return s->ports.v[i];
}
