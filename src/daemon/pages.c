/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The read-only HTTP pages (design §9). */
#include "daemon/daemon.h"

#include "api/exposition.h"

static int page_ping(struct strbuf *body, void *user)
{
	(void)user;
	strbuf_adds(body, "OK\n");
	return 200;
}

/* 503 when something is wrong with this host; never because of a peer. */
static int page_healthz(struct strbuf *body, void *user)
{
	struct host_problem problems[HOST_PROBLEMS_MAX];
	size_t n = problems_collect(user, problems);

	if (n == 0)
		strbuf_adds(body, "ok\n");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(body, "%s: %s; %s\n", problems[i].what, problems[i].text,
			    problems[i].next);
	return n ? 503 : 200;
}

/*
 * Rancher's checker asked this path and took a host out for any peer it
 * missed. Here it speaks of the host itself.
 */
static int page_connectivity(struct strbuf *body, void *user)
{
	struct host_problem problems[HOST_PROBLEMS_MAX];
	bool ok = problems_collect(user, problems) == 0;

	strbuf_adds(body, ok ? "OK" : "NOT OK");
	return ok ? 200 : 503;
}

static int page_readyz(struct strbuf *body, void *user)
{
	bool ready = daemon_is_ready(user);

	strbuf_adds(body, ready ? "ok\n"
				: "not ready: no snapshot yet, or peers not settled, or "
				  "fewer up than ready.min_up\n");
	return ready ? 200 : 503;
}

static int page_status(struct strbuf *body, void *user)
{
	_cleanup_json_ json_t *status = status_to_json(user);
	_cleanup_free_ char *text = json_dumps(status, JSON_COMPACT | JSON_ENSURE_ASCII);

	strbuf_adds(body, text ? text : "{}");
	strbuf_addc(body, '\n');
	return text ? 200 : 500;
}

const struct http_route daemon_pages[] = {
	{ "/ping", "text/plain; charset=utf-8", page_ping },
	{ "/healthz", "text/plain; charset=utf-8", page_healthz },
	{ "/readyz", "text/plain; charset=utf-8", page_readyz },
	{ "/connectivity", "text/plain; charset=utf-8", page_connectivity },
	{ "/metrics", EXPOSITION_CONTENT_TYPE, metrics_page },
	{ "/v1/status", "application/json", page_status },
};
const size_t daemon_n_pages = SN_ARRAY_SIZE(daemon_pages);
