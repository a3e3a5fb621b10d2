/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A long poll is a request of evhttp that is not answered yet. evhttp reads
 * nothing from a connection whose request is being worked on and has nothing
 * to write to it, so such a request cannot go away under us: a client that
 * left is noticed when its answer is written.
 */
#include "server.h"

#include "answer.h"

#include "base/array.h"
#include "base/strbuf.h"
#include "loop/loop_base.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

/* Request line and headers together. */
#define MAX_HEADERS ((ev_ssize_t)16 * 1024)
#define MAX_BODY ((ev_ssize_t)4 * 1024)
/* For a client that sends or takes nothing; long polls do not count. */
#define IDLE_SECONDS 60

struct waiting {
	struct evhttp_request *req;
	char *value;
	int64_t until;
};

struct server {
	struct loop *loop;
	struct evhttp *http;
	bool believe_xff;
	struct document *document; /* NULL: none yet */
	ARRAY(struct waiting) waiting;
	struct loop_timer *timer; /* the first of their ends */
};

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

static const char *header(struct evhttp_request *req, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(req), name);
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

static struct sn_addr caller_of(const struct server *s, struct evhttp_request *req)
{
	const char *xff = s->believe_xff ? header(req, "X-Forwarded-For") : NULL;
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	const struct sockaddr *peer = conn ? evhttp_connection_get_addr(conn) : NULL;
	struct sn_addr a = { .family = AF_UNSPEC };

	if (xff)
		a = forwarded_for(xff);
	else if (!peer || sn_addr_from_sockaddr(peer, &a, NULL) < 0)
		a.family = AF_UNSPEC;
	unmap(&a);
	return a;
}

static void make_answer(const struct server *s, struct evhttp_request *req, struct answer *ret)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
	struct sn_addr caller = caller_of(s, req);
	_cleanup_json_ json_t *root = s->document ? document_for(s->document, &caller) : NULL;

	answer_make(root, path ? path : "/", answer_form_of(header(req, "Accept")), ret);
}

/* Go's net/http, which the original is written on, looks at the body for the type. */
static void send_answer(struct evhttp_request *req, const struct answer *a)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(headers, "Access-Control-Allow-Origin", "*");
	if (a->body.len > 0)
		evhttp_add_header(headers, "Content-Type", "text/plain; charset=utf-8");
	if (a->status == 404)
		evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	if (a->status == 400)
		evhttp_add_header(headers, "Connection", "close");
	evbuffer_add(body, strbuf_str(&a->body), a->body.len);
	evhttp_send_reply(req, a->status, NULL, body);
	evbuffer_free(body);
}

/* --- long polls -------------------------------------------------------------------------- */

static void set_timer(struct server *s)
{
	int64_t first = INT64_MAX;

	array_foreach(&s->waiting, w)
		first = SN_MIN(first, w->until);
	if (s->waiting.n > 0)
		loop_timer_set(s->timer, first - loop_now(s->loop));
	else
		loop_timer_cancel(s->timer);
}

/* What is not there is waited for. */
static bool differs(const struct answer *a, const char *value)
{
	return a->status == 200 && !streq(strbuf_str(&a->value), value);
}

/* Answers those whose time is over, or whose value is another now. */
static void serve_waiting(struct server *s)
{
	int64_t now = loop_now(s->loop);

	for (size_t i = 0; i < s->waiting.n;) {
		struct waiting *w = &s->waiting.v[i];
		_cleanup_answer_ struct answer a = { 0 };

		make_answer(s, w->req, &a);
		if (now < w->until && !differs(&a, w->value)) {
			i++;
			continue;
		}
		send_answer(w->req, &a);
		free(w->value);
		array_remove(&s->waiting, i);
	}
	set_timer(s);
}

static void on_timer(void *user)
{
	serve_waiting(user);
}

/* Seconds; Go's Atoi: what is no number is none. */
static int64_t max_wait(const char *text)
{
	char *end = NULL;
	long v = text ? strtol(text, &end, 10) : 0;

	if (!text || *end || v <= 0)
		return SERVER_WAIT_DEFAULT;
	return SN_MIN(v, SERVER_WAIT_MAX);
}

/* True when the request now waits. */
static bool wait_if_asked(struct server *s, struct evhttp_request *req, const struct answer *a)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	struct evkeyvalq kv = { 0 };
	const char *wait, *value;
	bool waits;

	if (!query || evhttp_parse_query_str(query, &kv) < 0)
		return false;
	wait = evhttp_find_header(&kv, "wait");
	value = evhttp_find_header(&kv, "value");
	waits = wait && streq(wait, "true") && value && a->status != 400 && !differs(a, value) &&
		s->waiting.n < SERVER_MAX_WAITING;
	if (waits) {
		*array_add(&s->waiting) = (struct waiting){
			.req = req,
			.value = xstrdup(value),
			.until = loop_now(s->loop) +
				 max_wait(evhttp_find_header(&kv, "maxWait")) * 1000,
		};
		set_timer(s);
	}
	evhttp_clear_headers(&kv);
	return waits;
}

static void on_request(struct evhttp_request *req, void *user)
{
	struct server *s = user;
	_cleanup_answer_ struct answer a = { 0 };

	make_answer(s, req, &a);
	if (!wait_if_asked(s, req, &a))
		send_answer(req, &a);
}

/* --- public ---------------------------------------------------------------------------------- */

struct server *server_new(struct loop *loop, bool believe_xff)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->believe_xff = believe_xff;
	s->timer = loop_timer_new(loop, on_timer, s);
	s->http = evhttp_new(loop_base(loop));
	sn_require(s->http);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_default_content_type(s->http, NULL);
	evhttp_set_max_headers_size(s->http, MAX_HEADERS);
	evhttp_set_max_body_size(s->http, MAX_BODY);
	evhttp_set_timeout(s->http, IDLE_SECONDS);
	evhttp_set_gencb(s->http, on_request, s);
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	evhttp_free(s->http); /* with the requests that wait */
	array_foreach(&s->waiting, w)
		free(w->value);
	array_free(&s->waiting);
	loop_timer_free(s->timer);
	document_free(s->document);
	free(s);
}

int server_listen(struct server *s, const struct sn_addr *addr, uint16_t port, struct sn_error *e)
{
	errno = 0;
	if (evhttp_bind_socket_with_handle(s->http, SN_ADDR_STR(addr), port))
		return 0;
	return sn_error_set(e, errno ? -errno : -EADDRNOTAVAIL, "cannot listen on %s port %u: %s",
			    SN_ADDR_STR(addr), port, sn_strerror(errno ? -errno : -EADDRNOTAVAIL));
}

void server_set_document(struct server *s, struct document *d)
{
	document_free(s->document);
	s->document = d;
	serve_waiting(s);
}
