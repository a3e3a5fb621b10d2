/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rancher's metadata service over HTTP.
 *
 *	version -> self/host -> hosts -> containers -> networks -> version
 *	   ^                                                          |
 *	   +------ back-off: failed, or torn (versions differ) -------+
 *	   |                                                          v
 *	   +------ back-off: failed ------- long poll on version <- build
 *	                                     |              ^
 *	                                     |    the same, wait again
 *	          self/host ... <------------+ another: read at once
 *
 * One request at a time over one kept connection. The documents are parsed
 * on a worker thread, for those of a large mesh take longer than a turn of
 * the loop may; the parsers are pure and the job owns or shares unchanged all
 * they read: config, and the facade's last snapshot, which changes only when
 * a job is over.
 *
 * The service draws `version` anew whenever anything changes and when it
 * starts, so equal is unchanged, and greater or smaller mean nothing. After a
 * failure an unchanged version needs no reading of the documents.
 *
 * An answer lives as long as its http_get, which lives until the next one.
 */
#include "metadata/source.h"

#include "metadata/backoff.h"

#include "base/strbuf.h"
#include "loop/http.h"
#include "model/rancher.h"

#include <ctype.h>
#include <errno.h>

#define CONNECT_MS 5000
#define VERSION_MS 10000
#define DOCUMENT_MS 30000
/* The original comes back up to 5 s after maxWait, measured. */
#define POLL_GRACE_S 15
/* A poll that is answered "the same" sooner than this was none; do not spin. */
#define POLL_LEAST_MS 1000
/* Torn reads in a row after which it is a failure that people should know of. */
#define TORN_TOO_OFTEN 5
#define VERSION_LIMIT 1024

enum document { DOC_SELF_HOST, DOC_HOSTS, DOC_CONTAINERS, DOC_NETWORKS, DOCUMENTS };

static const struct {
	const char *path;
	size_t limit;
} documents[DOCUMENTS] = {
	[DOC_SELF_HOST] = { "/self/host", (size_t)1 << 20 },
	[DOC_HOSTS] = { "/hosts", (size_t)16 << 20 },
	[DOC_CONTAINERS] = { "/containers", (size_t)128 << 20 },
	[DOC_NETWORKS] = { "/networks", (size_t)4 << 20 },
};

struct body {
	char *text;
	size_t len;
};

/* What the worker turns into a snapshot. */
struct build {
	struct source *source;
	const struct config *config;
	const struct snapshot *before;
	const char *base, *version;
	struct body body[DOCUMENTS];
	struct snapshot *snapshot; /* NULL: failed, see error */
	struct sn_error error;
};

struct source {
	struct metadata *m;
	struct loop *loop;
	const struct config *config;
	char *url;  /* without a slash at the end */
	char *base; /* the same without user and password, for people */
	struct http_client *client;
	struct http_get *get;
	struct loop_timer *retry;
	struct loop_worker *worker;
	struct backoff backoff;
	char *version; /* of the documents being read, and then of the snapshot */
	bool holds;    /* version is that of a snapshot handed to the facade */
	/* The service answers, but not the last long poll: all is well when one is answered. */
	bool poll_refused;
	bool closing;
	unsigned torn_in_row;
	enum document next;
	struct body body[DOCUMENTS];
	int64_t poll_started;
};

static void bodies_clear(struct body body[static DOCUMENTS])
{
	for (size_t i = 0; i < DOCUMENTS; i++) {
		free(sn_steal(body[i].text));
		body[i].len = 0;
	}
}

/* --- requests ----------------------------------------------------------------------------- */

static void get_path(struct source *s, const char *path, const char *query, size_t limit,
		     int64_t total_ms, http_done_fn fn)
{
	static const char *const headers[] = { "Accept: application/json", NULL };
	_cleanup_free_ char *url = xasprintf("%s%s%s", s->url, path, query);
	struct http_request req = { .url = url,
				    .headers = headers,
				    .body_limit = limit,
				    .connect_ms = CONNECT_MS,
				    .total_ms = total_ms };

	http_get_free(s->get);
	s->get = http_get_new(s->client, &req, fn, s);
}

/* Schedules the next try and tells; the last thing in a turn. */
static void fail(struct source *s, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);

	bodies_clear(s->body);
	loop_timer_set(s->retry, backoff_next(&s->backoff, sn_random_below(UINT32_MAX)));
	metadata_failed(s->m, copy);
}

/* Up to the connection the text names its step; from there on the document is what matters. */
static void fail_get(struct source *s, const char *path, const struct http_answer *a)
{
	_cleanup_free_ char *text = NULL;

	if (a->step == HTTP_STEP_LOOK_UP || a->step == HTTP_STEP_CONNECT ||
	    a->step == HTTP_STEP_TLS)
		text = xstrdup(a->error.text);
	else
		text = xasprintf("GET %s%s: %s", s->base, path, a->error.text);
	fail(s, text);
}

/* True when it is here whole; else the failure is told of. */
static bool took(struct source *s, const char *path, const struct http_answer *a)
{
	if (a->step == HTTP_STEP_DONE)
		return true;
	fail_get(s, path, a);
	return false;
}

/* "\"…\"" to a new string; NULL with e. */
static char *parse_version(const char *text, size_t len, struct sn_error *e)
{
	_cleanup_json_ json_t *v = NULL;

	if (json_parse(text, len, &v, e) < 0)
		return NULL;
	if (!json_is_string(v) || json_string_length(v) == 0) {
		sn_error_set(e, -EINVAL, "not a string, or an empty one");
		return NULL;
	}
	return xstrdup(json_string_value(v));
}

/* The version in an answer, a new string; NULL when it failed, which is told of. */
static char *took_version(struct source *s, const struct http_answer *a)
{
	struct sn_error e;
	char *version;

	if (!took(s, "/version", a))
		return NULL;
	version = parse_version(a->body, a->len, &e);
	if (!version) {
		_cleanup_free_ char *text = xasprintf("GET %s/version: %s", s->base, e.text);

		fail(s, text);
	}
	return version;
}

/* --- long poll -------------------------------------------------------------------------------- */

static void read_document(struct source *s);

static void begin_documents(struct source *s, char *version)
{
	free(s->version);
	s->version = version;
	s->holds = false;
	/* who has a configured id need not be known to the service by its address */
	s->next = s->config->host_id[0] ? DOC_HOSTS : DOC_SELF_HOST;
	read_document(s);
}

static void add_escaped(struct strbuf *b, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || *s == '-' || *s == '.' || *s == '_')
			strbuf_addc(b, *s);
		else
			strbuf_addf(b, "%%%02X", (unsigned char)*s);
	}
}

static void on_poll(const struct http_answer *a, void *user);

static void poll_version(struct source *s)
{
	_cleanup_strbuf_ struct strbuf query = STRBUF_INIT;
	int max_wait = s->config->metadata_poll_s;

	strbuf_adds(&query, "?wait=true&value=");
	add_escaped(&query, s->version);
	strbuf_addf(&query, "&maxWait=%d", max_wait);
	s->poll_started = loop_now(s->loop);
	get_path(s, "/version", strbuf_str(&query), VERSION_LIMIT,
		 (int64_t)(max_wait + POLL_GRACE_S) * 1000, on_poll);
}

static void on_poll(const struct http_answer *a, void *user)
{
	struct source *s = user;
	int64_t took_ms = loop_now(s->loop) - s->poll_started;
	_cleanup_free_ char *version = NULL;

	s->poll_refused = a->step == HTTP_STEP_STATUS;
	version = took_version(s, a);
	if (!version)
		return;
	if (!streq(version, s->version)) {
		begin_documents(s, sn_steal(version));
		return;
	}
	backoff_reset(&s->backoff);
	if (took_ms < POLL_LEAST_MS)
		loop_timer_set(s->retry, POLL_LEAST_MS - took_ms);
	else
		poll_version(s);
	metadata_still_holds(s->m);
}

/* --- from documents to a snapshot ----------------------------------------------------------------
 */

static int parse_documents(struct build *b, json_t *doc[static DOCUMENTS])
{
	for (size_t i = 0; i < DOCUMENTS; i++) {
		if (b->body[i].text &&
		    json_parse(b->body[i].text, b->body[i].len, &doc[i], &b->error) < 0)
			return sn_error_wrap(&b->error, "GET %s%s", b->base, documents[i].path);
	}
	return 0;
}

/* In the worker. */
static void run_build(void *job)
{
	struct build *b = job;
	json_t *doc[DOCUMENTS] = { NULL };

	if (parse_documents(b, doc) == 0) {
		struct rancher_documents docs = {
			.version = b->version,
			.source = b->base,
			.self_host = doc[DOC_SELF_HOST],
			.hosts = doc[DOC_HOSTS],
			.containers = doc[DOC_CONTAINERS],
			.networks = doc[DOC_NETWORKS],
		};

		if (rancher_snapshot(&docs, b->config, b->before, &b->snapshot, &b->error) < 0)
			sn_error_wrap(&b->error, "GET %s", b->base);
	}
	for (size_t i = 0; i < DOCUMENTS; i++)
		json_decref(doc[i]);
	bodies_clear(b->body);
}

static void build_done(void *job, bool finished)
{
	_cleanup_free_ struct build *b = job;
	struct source *s = b->source;

	(void)finished;
	bodies_clear(b->body);
	if (s->closing) {
		snapshot_free(b->snapshot);
	} else if (!b->snapshot) {
		fail(s, b->error.text);
	} else {
		backoff_reset(&s->backoff);
		s->holds = true;
		poll_version(s);
		metadata_got(s->m, b->snapshot);
	}
}

static void begin_build(struct source *s)
{
	struct build *b = xcalloc(1, sizeof(*b));

	*b = (struct build){
		.source = s,
		.config = s->config,
		.before = metadata_last(s->m),
		.base = s->base,
		.version = s->version,
	};
	memcpy(b->body, s->body, sizeof(b->body));
	memset(s->body, 0, sizeof(s->body));
	loop_worker_submit(s->worker, b, run_build, build_done);
}

/* --- one read
 * ---------------------------------------------------------------------------------------- */

static void tear(struct source *s)
{
	metadata_torn(s->m);
	if (++s->torn_in_row >= TORN_TOO_OFTEN) {
		_cleanup_free_ char *text = xasprintf(
			"GET %s: the metadata change faster than they can be read", s->base);

		fail(s, text);
		return;
	}
	bodies_clear(s->body);
	loop_timer_set(s->retry, backoff_next(&s->backoff, sn_random_below(UINT32_MAX)));
}

static void on_version_after(const struct http_answer *a, void *user)
{
	struct source *s = user;
	_cleanup_free_ char *version = took_version(s, a);

	if (!version)
		return;
	if (!streq(version, s->version)) {
		tear(s);
		return;
	}
	s->torn_in_row = 0;
	begin_build(s);
}

static void on_document(const struct http_answer *a, void *user)
{
	struct source *s = user;
	struct body *body = &s->body[s->next];

	if (!took(s, documents[s->next].path, a))
		return;
	body->text = xmalloc(a->len + 1);
	memcpy(body->text, a->body, a->len + 1);
	body->len = a->len;
	s->next++;
	read_document(s);
}

static void read_document(struct source *s)
{
	if (s->next < DOCUMENTS)
		get_path(s, documents[s->next].path, "", documents[s->next].limit, DOCUMENT_MS,
			 on_document);
	else
		get_path(s, "/version", "", VERSION_LIMIT, VERSION_MS, on_version_after);
}

static void on_version(const struct http_answer *a, void *user)
{
	struct source *s = user;
	_cleanup_free_ char *version = took_version(s, a);

	if (!version)
		return;
	if (!s->holds || !streq(version, s->version)) {
		begin_documents(s, sn_steal(version));
		return;
	}
	poll_version(s);
	if (s->poll_refused)
		return;
	backoff_reset(&s->backoff);
	metadata_still_holds(s->m);
}

static void read_version(void *user)
{
	get_path(user, "/version", "", VERSION_LIMIT, VERSION_MS, on_version);
}

/* --- life
 * ------------------------------------------------------------------------------------------------
 */

static void source_start(struct source *s)
{
	read_version(s);
}

static void source_free(struct source *s)
{
	s->closing = true;
	loop_worker_free(s->worker);
	http_get_free(s->get);
	http_client_free(s->client);
	loop_timer_free(s->retry);
	bodies_clear(s->body);
	free(s->url);
	free(s->base);
	free(s->version);
	free(s);
}

/* "http://user:password@host/…" without the part that is a secret. */
static char *without_user(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;

	host = host ? host + 3 : url;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}

struct source *rancher_source_new(struct metadata *m, struct loop *loop,
				  const struct config *config)
{
	struct source *s = xcalloc(1, sizeof(*s));
	size_t len = strlen(config->metadata_url);

	while (len > 0 && config->metadata_url[len - 1] == '/')
		len--;
	s->m = m;
	s->loop = loop;
	s->config = config;
	s->url = xstrndup(config->metadata_url, len);
	s->base = without_user(s->url);
	s->client = http_client_new(loop);
	s->retry = loop_timer_new(loop, read_version, s);
	s->worker = loop_worker_new(loop);
	return s;
}

const struct source_ops rancher_source_ops = { .start = source_start, .free = source_free };
