/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata service, step by step: URL, name, route, TCP, TLS, HTTP, documents,
 * own entry. Each URL is asked for its first steps alone; through the first one
 * that answers the mesh is read as sennitd reads it (metadata/metadata.h), which
 * tells what is wrong with the documents. The answer's Date tells of the clock.
 */
#include "inspect/look.h"
#include "inspect/redact.h"

#include "loop/http.h"
#include "metadata/metadata.h"
#include "metadata/token.h"

#include <errno.h>
#include <stdio.h>

#define CONNECT_MS 2500
#define TOTAL_MS 3500
#define DOCUMENTS_MS 3500
#define BODY_LIMIT ((size_t)64 * 1024)
/* Certificates and tokens take minutes of difference, people who compare logs do not. */
#define CLOCK_WARN_S 30
/* Certificates of a day: TLS fails. */
#define CLOCK_FAULT_S (24 * 3600)
/* 2020-01-01: a clock that stands before was never set. */
#define CLOCK_UNSET_S 1577836800

static const char *const why_away = "sennitd learns of new hosts and containers from there. With a "
				    "stored copy of the mesh it goes on with that; without one it "
				    "can do nothing.";

struct one_url {
	struct asking *all;
	char *shown; /* without user and password */
	char *asked;
	struct http_get *get;
};

struct asking {
	struct exam *x;
	struct exam_wait *wait;
	struct http_client *client;
	ARRAY(struct one_url *) urls;
	size_t open; /* URLs whose answer is out */
	char *token;
	struct metadata *metadata;
	struct loop_timer *limit; /* of reading, and to end it in a turn of its own */
	bool reading;
	char *failure; /* the last one of reading the documents */
	struct snapshot *read;
	int64_t clock_difference; /* the last one told of, so that it is told once */
};

/* --- the clock -------------------------------------------------------------------------- */

static void judge_clock(struct asking *a, int64_t date_s)
{
	int64_t here = sn_wall_ms() / 1000, difference = here - date_s;
	int64_t size = difference < 0 ? -difference : difference;

	if (date_s <= 0 || a->clock_difference == difference)
		return;
	a->clock_difference = difference;
	if (size < CLOCK_WARN_S && here >= CLOCK_UNSET_S)
		exam_ok(a->x, "the clock agrees with the metadata service's to %lld s",
			(long long)size);
	else
		exam_find(a->x,
			  size >= CLOCK_FAULT_S || here < CLOCK_UNSET_S ? SEVERITY_FAULT
									: SEVERITY_WARNING,
			  "TLS refuses certificates that are not valid yet or any more, and times "
			  "in the logs of several hosts cannot be compared.",
			  "Set the clock, and keep it with systemd-timesyncd or chrony. (If this "
			  "host is right, the metadata service's is wrong.)",
			  "this host's clock is %lld s %s the metadata service's", (long long)size,
			  difference < 0 ? "behind" : "ahead of");
}

/* --- reading the mesh -------------------------------------------------------------------- */

static void settle(struct asking *a, struct snapshot *s)
{
	loop_timer_cancel(a->limit);
	metadata_free(sn_steal(a->metadata));
	exam_mesh_settled(a->x, s);
	exam_done(a->wait);
}

static bool on_snapshot(struct snapshot *s, void *user)
{
	struct asking *a = user;

	exam_resume(a->wait);
	exam_ok(a->x, "the metadata service knows mesh %s with %zu hosts; this host is %s",
		s->mesh_id, s->hosts.n, s->self_id);
	array_foreach(&s->problems, p)
		exam_find(a->x, SEVERITY_WARNING,
			  "That entry is left out; its last good form, if there was one, stays.",
			  "Correct it in the metadata.", "the metadata are wrong at %s: %s",
			  p->place, p->text);
	/* in a turn of its own: metadata may not be freed in its own call */
	snapshot_free(a->read);
	a->read = s;
	loop_timer_set(a->limit, 0);
	return true;
}

static void say_failure(struct asking *a)
{
	bool self = strstr(a->failure, "self") || strstr(a->failure, "host.id");

	exam_find(
		a->x, SEVERITY_FAULT,
		self ? "The metadata service does not know this host, so it has no place in the "
		       "mesh."
		     : "The service answers, but not with the description of a mesh.",
		self ? "Register the host there (in mesh.json: an entry with one of this host's "
		       "addresses), or set host.id in the configuration."
		     : "Correct what the text names; check that the URL is that of Rancher's API, "
		       "with its version (…/2016-07-29).",
		"metadata, step %s: %s", self ? "own entry" : "documents", a->failure);
}

/* Of several URLs the next one is asked then, and may do. */
static void on_failed(const char *text, void *user)
{
	struct asking *a = user;

	free(a->failure);
	a->failure = xstrdup(text);
	if (a->urls.n <= 1)
		loop_timer_set(a->limit, 0);
}

static void on_ok(void *user)
{
	(void)user;
}

static void read_mesh(struct asking *a)
{
	a->reading = true;
	metadata_start(a->metadata);
	loop_timer_set(a->limit, DOCUMENTS_MS);
}

/* What was waited for is over: with a snapshot, a failure, or neither in time. */
static void on_limit(void *user)
{
	struct asking *a = user;

	exam_resume(a->wait);
	if (!a->read && a->failure)
		say_failure(a);
	else if (!a->read)
		exam_find(a->x, SEVERITY_FAULT, why_away, "Look at the service's load and log.",
			  "metadata, step documents: not read whole in %g s",
			  DOCUMENTS_MS / 1000.0);
	settle(a, sn_steal(a->read));
}

/* --- the first steps ------------------------------------------------------------------------ */

/* An address that no packet can be sent to is a matter of routes, not of the service. */
static bool is_no_route(int code)
{
	return code == -ENETUNREACH || code == -EHOSTUNREACH || code == -EACCES ||
	       code == -EINVAL || code == -ENETDOWN;
}

static const char *step_word(const struct http_answer *answer)
{
	switch (answer->step) {
	case HTTP_STEP_URL:
		return "URL";
	case HTTP_STEP_LOOK_UP:
		return "name";
	case HTTP_STEP_CONNECT:
		return is_no_route(answer->error.code) ? "route" : "TCP";
	case HTTP_STEP_TLS:
		return "TLS";
	case HTTP_STEP_ANSWER:
	case HTTP_STEP_STATUS:
	case HTTP_STEP_DONE:
		break;
	}
	return "HTTP";
}

static const char *step_advice(const struct http_answer *answer)
{
	switch (answer->step) {
	case HTTP_STEP_URL:
		return "Correct metadata.url in the configuration.";
	case HTTP_STEP_LOOK_UP:
		return "Look at what the check 'resolver' says, and whether the name is right.";
	case HTTP_STEP_CONNECT:
		if (is_no_route(answer->error.code))
			return "No route leads there, or a neighbour does not answer: 'ip route "
			       "get' the address. (169.254.169.250 is Rancher's own address: it "
			       "needs its service on this host, or a route.)";
		return answer->error.code == -ECONNREFUSED
			       ? "The host is there, but nobody listens on the port: start the "
				 "service, or correct the port."
			       : "Packets vanish on the way: a firewall, or the host is off.";
	case HTTP_STEP_TLS:
		return answer->error.code == -ETIMEDOUT
			       ? "Who listens there does not speak TLS: correct the URL or the "
				 "port."
			       : "Who signed its certificate has to be in the system's list or in "
				 "metadata.ca_file; the clock must be right.";
	case HTTP_STEP_STATUS:
		return answer->status == 401 || answer->status == 403
			       ? "It wants a token, or another one: metadata.token_file."
		       : answer->status == 404 ? "The URL's path is wrong, it ends with the "
						 "version (…/2016-07-29); or the service does not "
						 "know this host."
					       : "See the log of the service.";
	case HTTP_STEP_ANSWER:
	case HTTP_STEP_DONE:
		break;
	}
	return "See the log of the service, and whether that is a metadata service at all.";
}

static void find_failed(const struct one_url *u, const struct http_answer *answer)
{
	bool another_may_work = u->all->reading || u->all->open > 0;

	exam_find(u->all->x, another_may_work ? SEVERITY_WARNING : SEVERITY_FAULT, why_away,
		  step_advice(answer), "metadata, step %s: %s: %s", step_word(answer), u->shown,
		  answer->error.text);
}

static void on_answer(const struct http_answer *answer, void *user)
{
	struct one_url *u = user;
	struct asking *a = u->all;

	exam_resume(a->wait);
	a->open--;
	judge_clock(a, answer->date_s);
	if (answer->step == HTTP_STEP_DONE)
		exam_ok(a->x, "%s answers (%s)", u->shown, answer->peer);
	else
		find_failed(u, answer);
	if (answer->step == HTTP_STEP_DONE && !a->reading)
		read_mesh(a);
	else if (a->open == 0 && !a->reading)
		settle(a, NULL);
}

static void ask_url(struct asking *a, const char *url)
{
	static const char *const headers[] = { "Accept: application/json", NULL };
	struct one_url *u = xcalloc(1, sizeof(*u));
	struct http_request req = {
		.headers = headers,
		.body_limit = BODY_LIMIT,
		.connect_ms = CONNECT_MS,
		.total_ms = TOTAL_MS,
		.bearer = a->token,
	};

	u->all = a;
	u->shown = redact_url(url);
	req.url = u->asked = xasprintf("%s/version", url);
	*array_add(&a->urls) = u;
	a->open++;
	u->get = http_get_new(a->client, &req, on_answer, u);
}

static void ask_urls(struct asking *a)
{
	const struct config *c = a->x->config;
	const struct http_client_options options = { .ca_file = c->metadata_ca_file,
						     .proxy = c->metadata_proxy,
						     .max_redirects = c->metadata_redirects };

	a->client = http_client_new(a->x->loop);
	http_client_set(a->client, &options);
	if (c->metadata_urls.n == 0)
		ask_url(a, c->metadata_url);
	array_foreach(&c->metadata_urls, url)
		ask_url(a, *url);
}

static void on_late(void *user)
{
	struct asking *a = user;

	exam_find(a->x, SEVERITY_FAULT, why_away, "Look at the service's load and log.",
		  "the metadata service did not answer in time");
}

static void end_asking(void *user)
{
	struct asking *a = user;

	metadata_free(a->metadata);
	array_foreach(&a->urls, u) {
		http_get_free((*u)->get);
		free((*u)->shown);
		free((*u)->asked);
		free(*u);
	}
	array_free(&a->urls);
	http_client_free(a->client);
	loop_timer_free(a->limit);
	snapshot_free(a->read);
	free(a->failure);
	token_free(a->token);
	free(a);
}

/* Read as the daemon reads it: also that no token goes over the network in clear. */
static int prepare(struct asking *a, struct sn_error *e)
{
	const struct config *c = a->x->config;
	const struct metadata_handlers handlers = { on_snapshot, on_failed, on_ok, NULL, a };

	if (c->metadata_token_file && token_read(c->metadata_token_file, &a->token, e) < 0)
		return e->code;
	return metadata_new(a->x->loop, c, NULL, &handlers, &a->metadata, e);
}

void check_metadata(struct exam *x)
{
	struct asking *a = xcalloc(1, sizeof(*a));
	struct sn_error e;
	int r;

	a->x = x;
	a->clock_difference = INT64_MAX;
	a->limit = loop_timer_new(x->loop, on_limit, a);
	a->wait = exam_wait(x, on_late, end_asking, a);
	r = prepare(a, &e);
	if (r == -EACCES && !x->root) {
		exam_unseen(x, "%s", e.text);
		settle(a, NULL);
	} else if (r < 0) {
		exam_find(x, SEVERITY_FAULT, why_away, "Correct metadata.* in the configuration.",
			  "metadata, step URL: %s", e.text);
		settle(a, NULL);
	} else if (sn_startswith(x->config->metadata_url, "file:")) {
		read_mesh(a);
	} else {
		ask_urls(a);
	}
}
