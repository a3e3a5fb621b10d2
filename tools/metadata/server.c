/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients are a list; what waits is marked on its client. Everything that
 * has to look at all of them (who is late, whose time is over, who waited for
 * this change) is a walk over a few thousand small structures.
 */
#include "server.h"

#include "answer.h"
#include "connection.h"
#include "history.h"

#include "base/array.h"
#include "base/strbuf.h"

#include <errno.h>
#include <stdio.h>

/* How often clients are looked at; the precision of time-outs. */
#define TICK_MS 250
#define BACKLOG 1024
/* A client still sent a document that was current this many documents ago is cut: it is torn. */
#define MAX_OLD_DOCUMENTS 2

struct listener {
	struct server *server;
	int fd;
	struct loop_io *io;
	bool reload;
};

struct client {
	struct server *server;
	struct connection *connection;
	struct client *prev, *next;
	bool reload;  /* came by that listener */
	bool waiting; /* long poll, or for the reload to be done */
	char *value;  /* of the long poll */
	int64_t until;
};

struct server {
	struct loop *loop;
	struct server_options options;
	struct document *document; /* NULL: none yet */
	struct history *history;
	ARRAY(struct listener *) listeners;
	struct client *clients;
	unsigned n_clients, n_waiting;
	struct loop_timer *tick;
};

/* --- clients ---------------------------------------------------------------------------- */

static void stop_waiting(struct client *c)
{
	c->server->n_waiting -= c->waiting && !c->reload;
	c->waiting = false;
	free(sn_steal(c->value));
}

static void client_free(struct client *c)
{
	struct server *s = c->server;

	stop_waiting(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_clients--;
	connection_free(c->connection);
	free(c);
}

static void on_ended(struct connection *connection, void *user)
{
	(void)connection;
	client_free(user);
}

/* --- one request ---------------------------------------------------------------------- */

/* ::ffff:192.0.2.1 is 192.0.2.1. */
static void unmap(struct sn_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family != AF_INET6 || memcmp(a->bytes, mapped, sizeof(mapped)) != 0)
		return;
	a->family = AF_INET;
	memmove(a->bytes, a->bytes + 12, 4);
	memset(a->bytes + 4, 0, 12);
}

/* The first of X-Forwarded-For's list, which is the client. */
static struct sn_addr forwarded_for(const char *list)
{
	struct sn_addr a = { .family = AF_UNSPEC };
	_cleanup_free_ char *first = NULL;

	list += strspn(list, " \t");
	first = xstrndup(list, strcspn(list, ", \t"));
	if (sn_addr_parse(first, &a) < 0)
		a.family = AF_UNSPEC;
	return a;
}

static struct sn_addr caller_of(const struct client *c)
{
	const char *xff = connection_request(c->connection)->forwarded_for;
	struct sn_addr a = xff && c->server->options.believe_xff ? forwarded_for(xff)
								 : *connection_peer(c->connection);

	unmap(&a);
	return a;
}

static void make_answer(const struct client *c, struct answer *ret)
{
	const struct request *r = connection_request(c->connection);
	_cleanup_free_ char *since = request_query(r, "since");
	struct question q = {
		.path = r->path,
		.form = answer_form_of(r->accept),
		.caller = caller_of(c),
		.since = since,
	};

	answer_make(c->server->document, c->server->history, &q, ret);
}

/* "*" matches nothing: who has no copy has nothing to keep. */
static void send_answer(struct client *c, struct answer *a)
{
	const char *has = connection_request(c->connection)->if_none_match;

	if (a->status == 200 && has && strstr(has, a->etag)) {
		struct answer same = { .status = 304, .api = true };

		memcpy(same.etag, a->etag, sizeof(same.etag));
		answer_fini(a);
		*a = same;
	}
	connection_reply(c->connection, a, "");
}

static void send_text(struct client *c, int status, const char *text, const char *extra)
{
	struct answer a = { .status = status, .n = 1 };

	a.part[0].text = piece_new(text, strlen(text));
	connection_reply(c->connection, &a, extra);
}

/* --- long polls -------------------------------------------------------------------------- */

/* Seconds; Go's Atoi: what is no number is none. */
static int64_t max_wait(const char *text)
{
	char *end = NULL;
	long v = text ? strtol(text, &end, 10) : 0;

	if (!text || *end || v <= 0)
		return SERVER_WAIT_DEFAULT;
	return SN_MIN(v, SERVER_WAIT_MAX);
}

/* A poll for changes is over when there is another version than `since`. */
static bool is_over(const struct client *c, const struct answer *a)
{
	const struct document *d = c->server->document;

	if (!answer_is_changes(connection_request(c->connection)->path))
		return answer_differs(a, c->value);
	return a->status == 400 || (a->status == 200 && !streq(d->version, c->value));
}

/* True when the request now waits. */
static bool wait_if_asked(struct client *c, const struct answer *a)
{
	const struct request *r = connection_request(c->connection);
	_cleanup_free_ char *wait = request_query(r, "wait");
	_cleanup_free_ char *max = request_query(r, "maxWait");

	if (!wait || !streq(wait, "true") || a->status == 400 ||
	    c->server->n_waiting >= SERVER_MAX_WAITING)
		return false;
	c->value = request_query(r, answer_is_changes(r->path) ? "since" : "value");
	if (!c->value || is_over(c, a)) {
		free(sn_steal(c->value));
		return false;
	}
	c->waiting = true;
	c->until = loop_now(c->server->loop) + max_wait(max) * 1000;
	c->server->n_waiting++;
	return true;
}

/* Answers a poll whose time is over, or whose value is another now. */
static void look_at_poll(struct client *c, int64_t now)
{
	_cleanup_answer_ struct answer a = { 0 };

	make_answer(c, &a);
	if (now < c->until && !is_over(c, &a))
		return;
	stop_waiting(c);
	send_answer(c, &a);
}

static void on_tick(void *user)
{
	struct server *s = user;
	int64_t now = loop_now(s->loop);

	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (connection_is_late(c->connection, now))
			client_free(c);
		else if (c->waiting && !c->reload && now >= c->until)
			look_at_poll(c, now);
	}
	if (s->clients)
		loop_timer_set(s->tick, TICK_MS);
}

static void on_reload_request(struct client *c)
{
	const struct request *r = connection_request(c->connection);

	if (!streq(r->path, "/v1/reload")) {
		send_text(c, 404, "404 page not found\n", "");
	} else if (r->method != REQUEST_POST) {
		send_text(c, 405, "POST it\n", "Allow: POST\r\n");
	} else {
		c->waiting = true;
		c->server->options.reload(c->server->options.user);
	}
}

static void on_request(struct connection *connection, void *user)
{
	struct client *c = user;
	const struct request *r = connection_request(connection);
	_cleanup_answer_ struct answer a = { 0 };

	if (c->reload) {
		on_reload_request(c);
	} else if (r->method != REQUEST_GET && r->method != REQUEST_HEAD) {
		send_text(c, 405, "405 Method Not Allowed\n", "Allow: GET, HEAD\r\n");
	} else {
		make_answer(c, &a);
		if (!wait_if_asked(c, &a))
			send_answer(c, &a);
	}
}

/* --- new clients --------------------------------------------------------------------------- */

static bool is_one_too_many(const struct server *s, const struct sn_addr *peer)
{
	unsigned n = 0;

	if (s->n_clients >= s->options.max_connections)
		return true;
	for (const struct client *c = s->clients; c && !s->options.believe_xff; c = c->next)
		n += sn_addr_cmp(connection_peer(c->connection), peer) == 0;
	return n >= s->options.max_per_client;
}

/* As far as it can be said without waiting for the client. */
static void turn_away(int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				   "Retry-After: 5\r\nContent-Length: 0\r\n\r\n";

	send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void add_client(struct listener *l, int fd, const struct sn_addr *peer)
{
	static const struct connection_ops ops = { .request = on_request, .ended = on_ended };
	struct server *s = l->server;
	struct client *c = xcalloc(1, sizeof(*c));

	c->server = s;
	c->reload = l->reload;
	c->next = s->clients;
	if (c->next)
		c->next->prev = c;
	s->clients = c;
	s->n_clients++;
	c->connection = connection_new(s->loop, fd, peer, &ops, c);
	if (!loop_timer_is_set(s->tick))
		loop_timer_set(s->tick, TICK_MS);
}

static void on_accept(int fd, unsigned events, void *user)
{
	struct listener *l = user;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct sn_addr peer;
	int client = accept4(fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (client < 0)
		return;
	if (sn_addr_from_sockaddr((struct sockaddr *)&ss, &peer, NULL) < 0)
		peer = (struct sn_addr){ .family = AF_UNSPEC };
	if (is_one_too_many(l->server, &peer))
		turn_away(client);
	else
		add_client(l, client, &peer);
}

/* --- public ---------------------------------------------------------------------------------- */

struct server *server_new(struct loop *loop, const struct server_options *options)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->options = *options;
	if (!s->options.max_connections)
		s->options.max_connections = SERVER_MAX_CONNECTIONS;
	if (!s->options.max_per_client)
		s->options.max_per_client = SERVER_MAX_PER_CLIENT;
	s->history = history_new();
	s->tick = loop_timer_new(loop, on_tick, s);
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	array_foreach(&s->listeners, l) {
		loop_io_free((*l)->io);
		close((*l)->fd);
		free(*l);
	}
	array_free(&s->listeners);
	while (s->clients)
		client_free(s->clients);
	loop_timer_free(s->tick);
	history_free(s->history);
	document_unref(s->document);
	free(s);
}

/* A listening socket, or a negative errno. */
static int open_socket(const struct sn_addr *addr, uint16_t port)
{
	_cleanup_close_ int fd =
		socket(addr->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1;

	if (fd < 0)
		return -errno;
	len = sn_addr_to_sockaddr(addr, port, &ss);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return sn_steal_fd(&fd);
}

int server_listen(struct server *s, const struct sn_addr *addr, uint16_t port, bool reload,
		  struct sn_error *e)
{
	struct listener *l;
	int fd = open_socket(addr, port);

	if (fd < 0)
		return sn_error_set(e, fd,
				    "cannot listen on %s port %u: %s; see who has it (ss -lntp), "
				    "or change --listen",
				    SN_ADDR_STR(addr), port, sn_strerror(fd));
	l = xcalloc(1, sizeof(*l));
	*l = (struct listener){ .server = s, .fd = fd, .reload = reload };
	l->io = loop_io_new(s->loop, fd, LOOP_READ, on_accept, l);
	*array_add(&s->listeners) = l;
	return 0;
}

/* Those that are sent what will be torn when they have it make room. */
static void cut_the_oldest(struct server *s)
{
	for (struct client *c = s->clients, *next; c; c = next) {
		const struct document *d = connection_document(c->connection);

		next = c->next;
		if (d && d->serial + MAX_OLD_DOCUMENTS < s->document->serial)
			client_free(c);
	}
}

void server_set_document(struct server *s, struct document *d)
{
	int64_t now = loop_now(s->loop);

	history_add(s->history, s->document, d);
	d->serial = s->document ? s->document->serial + 1 : 0;
	document_unref(s->document);
	s->document = d;
	cut_the_oldest(s);
	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (c->waiting && !c->reload)
			look_at_poll(c, now);
	}
}

void server_reloaded(struct server *s, const char *error)
{
	_cleanup_free_ char *text = error ? xasprintf("%s\n", error) : xstrdup("OK\n");

	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (!c->waiting || !c->reload)
			continue;
		stop_waiting(c);
		send_text(c, error ? 500 : 200, text, "");
	}
}
