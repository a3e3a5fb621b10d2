/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http_fixture.h"

#include "base/addr.h"
#include "loop/loop_base.h"

#include <event2/event.h>

#define POLL_MS 2

struct http_fixture {
	struct evhttp *http;
	uint16_t port;
};

static uint16_t port_of(int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	sn_require(getsockname(fd, (struct sockaddr *)&sin, &len) == 0);
	return ntohs(sin.sin_port);
}

struct http_fixture *http_fixture_new(struct loop *loop, uint16_t port, http_fixture_fn fn,
				      void *user)
{
	struct http_fixture *f = xcalloc(1, sizeof(*f));
	struct evhttp_bound_socket *bound;

	f->http = evhttp_new(loop_base(loop));
	sn_require(f->http);
	evhttp_set_gencb(f->http, fn, user);
	bound = evhttp_bind_socket_with_handle(f->http, "127.0.0.1", port);
	if (!bound) {
		http_fixture_free(f);
		return NULL;
	}
	f->port = port_of(evhttp_bound_socket_get_fd(bound));
	return f;
}

uint16_t http_fixture_port(const struct http_fixture *f)
{
	return f->port;
}

void http_fixture_free(struct http_fixture *f)
{
	if (!f)
		return;
	evhttp_free(f->http);
	free(f);
}

void http_fixture_reply(struct evhttp_request *req, int status, const char *body)
{
	struct evbuffer *buf = evbuffer_new();

	evbuffer_add(buf, body, strlen(body));
	evhttp_send_reply(req, status, NULL, buf);
	evbuffer_free(buf);
}

struct until {
	struct loop *loop;
	const bool *flag;
	int64_t end;
	struct loop_timer *timer;
};

static void look(void *user)
{
	struct until *u = user;

	if ((u->flag && *u->flag) || sn_now_ms() >= u->end)
		loop_stop(u->loop);
	else
		loop_timer_set(u->timer, POLL_MS);
}

bool loop_run_until(struct loop *loop, const bool *flag, int64_t limit_ms)
{
	struct until u = { .loop = loop, .flag = flag, .end = sn_now_ms() + limit_ms };

	u.timer = loop_timer_new(loop, look, &u);
	loop_timer_set(u.timer, 0);
	sn_require(loop_run(loop) == 0);
	loop_timer_free(u.timer);
	return flag && *flag;
}

void loop_run_for(struct loop *loop, int64_t ms)
{
	loop_run_until(loop, NULL, ms);
}

int listen_local(int backlog, uint16_t *ret_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sn_require(fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	sn_require(backlog < 0 || listen(fd, backlog) == 0);
	*ret_port = port_of(fd);
	return fd;
}
