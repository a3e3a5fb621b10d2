/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rancher's metadata service over HTTP.
 *
 *	version -> networks -> self/host -> hosts -> containers -> version
 *	   ^                                                          |
 *	   +------ back-off: failed, or torn (versions differ) -------+
 *	   |                                                          v
 *	   +------ back-off: failed ------ long poll <---- build (worker)
 *	                                     |   ^                ^
 *	                the same, wait again |   |                |
 *	      networks ... <-----------------+---+--- changes ----+
 *	                    another version, "all"
 *
 * The long poll is on /changes where the service has that (sennit-metadata),
 * else on /version. One answer of /changes leads from the version that is held to
 * another: it cannot be torn, and needs no further request.
 *
 * One request at a time over one kept connection. The arrays are taken entry by
 * entry as they arrive, a piece a turn; what they say is kept in the facts
 * (model/rancher.h), where an entry that is known costs a hash and no parsing,
 * and a document that the service says is the same (304) nothing at all. The
 * snapshot is made, and changes are put in, by the worker, which has the facts
 * to itself meanwhile: no request is under way.
 *
 * The service draws `version` anew whenever anything changes and when it
 * starts, so equal is unchanged, and greater or smaller mean nothing. After a
 * failure an unchanged version needs no reading of the documents. Of several
 * URLs the one that works is used until it fails; another one's versions and
 * ETags are not compared with its.
 *
 * An answer lives as long as its http_get, which lives until the next one.
 */
#include "metadata/source.h"

#include "metadata/advice.h"
#include "metadata/backoff.h"
#include "metadata/look_around.h"
#include "metadata/token.h"

#include "base/strbuf.h"
#include "loop/http.h"
#include "model/json_stream.h"
#include "model/rancher.h"

#include <ctype.h>
#include <errno.h>

#define CONNECT_MS 5000
#define VERSION_MS 10000
#define DOCUMENT_MS 300000
/* Slower than this is no service to wait for. */
#define SLOW_BYTES 1024
#define SLOW_S 10
/* The original comes back up to 5 s after maxWait, measured. */
#define POLL_GRACE_S 15
/* A poll that is answered "the same" sooner than this was none; do not spin. */
#define POLL_LEAST_MS 1000
/*
 * Answers that are all news at once come this often in the long run, some more at
 * first; and reading everything takes no more than half of our time.
 */
#define PACE_MS 200
#define PACE_BURST_MS 2000
/* Then it is a failure that people should know of. */
#define TORN_TOO_OFTEN 5
#define VERSION_LIMIT 1024
/* More than the service puts into one answer before it says "all". */
#define CHANGES_LIMIT ((size_t)16 << 20)

enum document { DOC_NETWORKS, DOC_SELF_HOST, DOC_HOSTS, DOC_CONTAINERS, DOCUMENTS };

static const struct {
	const char *path;
	size_t limit;
	bool list; /* an array of entries, taken as it arrives */
	enum rancher_list which;
} documents[DOCUMENTS] = {
	[DOC_NETWORKS] = { "/networks", RANCHER_MAX_ENTRY, false, RANCHER_LISTS },
	[DOC_SELF_HOST] = { "/self/host", RANCHER_MAX_ENTRY, false, RANCHER_LISTS },
	[DOC_HOSTS] = { "/hosts", (size_t)16 << 20, true, RANCHER_HOSTS },
	[DOC_CONTAINERS] = { "/containers", (size_t)128 << 20, true, RANCHER_CONTAINERS },
};

/* What the worker turns into a snapshot. */
struct build {
	struct source *source;
	struct rancher_facts *facts;
	const struct snapshot *before;
	const char *base;
	char *version;
	char *changes; /* an answer of /changes to be put in first; NULL: none */
	size_t changes_len;
	bool all;                  /* it says: read all, or it is none */
	bool unknown;              /* it could not be understood, see error */
	bool same;                 /* it says that nothing changed */
	struct snapshot *snapshot; /* NULL: failed, see error */
	struct sn_error error;
};

struct source {
	struct metadata *m;
	struct loop *loop;
	const struct config *config;
	ARRAY(char *) urls;  /* without a slash at the end */
	size_t url;          /* the one in use */
	size_t url_failures; /* one after the other */
	char *base;          /* the same without user and password, for people */
	char *token;         /* NULL: none */
	struct http_client *client;
	struct http_get *get;
	struct loop_timer *retry;
	struct loop_worker *worker;
	struct backoff backoff;
	struct rancher_facts *facts;
	char *version; /* of the documents being read, and then of the snapshot */
	bool holds;    /* version is that of a snapshot handed to the facade */
	/* The service answers, but not the last long poll: all is well when one is answered. */
	bool poll_refused;
	bool no_changes; /* it has no /changes that we understand */
	bool warned;     /* of plain HTTP */
	bool closing;
	unsigned torn_in_row;
	enum document next;
	char *etag[DOCUMENTS]; /* of what the facts hold of it; NULL: unknown */
	struct json_stream stream;
	bool begun; /* to take the array */
	int64_t poll_started;
	int64_t reading_started; /* of the documents */
	int64_t paced_until;     /* that much was used up by polls and readings, see PACE_MS */
};

static void forget_etags(struct source *s)
{
	for (size_t i = 0; i < DOCUMENTS; i++)
		free(sn_steal(s->etag[i]));
}

/* "http://user:password@host/…" without the part that is a secret. */
static char *url_for_people(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;

	host = host ? host + 3 : url;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}

/* --- requests ----------------------------------------------------------------------------- */

static void start_get(struct source *s, const char *path, const char *query, const char *etag,
		      struct http_request *req, http_done_fn fn)
{
	_cleanup_free_ char *url = xasprintf("%s%s%s", s->urls.v[s->url], path, query);
	_cleanup_free_ char *known = etag ? xasprintf("If-None-Match: %s", etag) : NULL;
	const char *headers[] = { "Accept: application/json", known, NULL };

	req->url = url;
	req->headers = headers;
	req->connect_ms = CONNECT_MS;
	req->bearer = s->token;
	http_get_free(s->get);
	s->get = http_get_new(s->client, req, fn, s);
}

static void get_path(struct source *s, const char *path, const char *query, size_t limit,
		     int64_t total_ms, http_done_fn fn)
{
	struct http_request req = { .body_limit = limit, .total_ms = total_ms };

	start_get(s, path, query, NULL, &req, fn);
}

static void use_url(struct source *s, size_t i)
{
	s->url = i;
	free(s->base);
	s->base = url_for_people(s->urls.v[i]);
	s->holds = false;
	s->no_changes = false;
	forget_etags(s);
}

/* Schedules the next try and tells; the last thing in a turn. */
static void fail(struct source *s, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	int64_t wait = 0;

	/* the others at once, each in its turn; then all of them after a while */
	if (++s->url_failures % s->urls.n == 0)
		wait = backoff_next(&s->backoff, sn_random_below(UINT32_MAX));
	if (s->urls.n > 1)
		use_url(s, (s->url + 1) % s->urls.n);
	loop_timer_set(s->retry, wait);
	metadata_failed(s->m, copy);
}

static void went_well(struct source *s)
{
	backoff_reset(&s->backoff);
	s->url_failures = 0;
}

/* Up to the connection the text names its step; from there on the document is what matters. */
static void fail_get(struct source *s, const char *path, const struct http_answer *a)
{
	_cleanup_free_ char *text = NULL;

	if (a->step == HTTP_STEP_LOOK_UP || a->step == HTTP_STEP_CONNECT ||
	    a->step == HTTP_STEP_TLS)
		text = xasprintf("%s%s", a->error.text, advice_on(a, a->error.text));
	else
		text = xasprintf("GET %s%s: %s%s", s->base, path, a->error.text,
				 advice_on(a, a->error.text));
	if (a->status == 0)
		s->no_changes = false; /* who comes back may be another */
	fail(s, text);
}

/* Once: whoever is on the way can read it, and say what he likes. */
static void look_at_peer(struct source *s, const struct http_answer *a)
{
	struct sn_addr peer;

	if (s->warned || !sn_startswith(s->urls.v[s->url], "http://") ||
	    sn_addr_parse(a->peer, &peer) < 0 || address_is_near(&peer))
		return;
	s->warned = true;
	metadata_warn_plain(s->m, s->base, a->peer);
}

/* True when it is here whole; else the failure is told of. */
static bool took(struct source *s, const char *path, const struct http_answer *a)
{
	look_at_peer(s, a);
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
		_cleanup_free_ char *text =
			xasprintf("GET %s/version: %s%s", s->base, e.text, advice_on(a, e.text));

		fail(s, text);
	}
	return version;
}

/* --- long poll -------------------------------------------------------------------------------- */

static void read_document(struct source *s);
static void begin_build(struct source *s, char *version, const struct http_answer *changes);

/* What was done used up so much of our time. */
static void pace(struct source *s, int64_t cost_ms)
{
	s->paced_until = SN_MAX(s->paced_until, loop_now(s->loop)) + cost_ms;
}

static void begin_documents(struct source *s, char *version)
{
	pace(s, PACE_MS);
	free(s->version);
	s->version = version;
	s->holds = false;
	s->next = DOC_NETWORKS;
	s->reading_started = loop_now(s->loop);
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
static void on_changes(const struct http_answer *a, void *user);

/* A service that always has news is asked again when it is time; it begins with /version. */
static bool too_soon(struct source *s)
{
	int64_t early = s->paced_until - PACE_BURST_MS - loop_now(s->loop);

	if (early <= 0)
		return false;
	loop_timer_set(s->retry, early);
	return true;
}

static void poll_service(struct source *s)
{
	_cleanup_strbuf_ struct strbuf query = STRBUF_INIT;
	int max_wait = s->config->metadata_poll_s;
	int64_t total_ms = (int64_t)(max_wait + POLL_GRACE_S) * 1000;

	if (too_soon(s))
		return;
	pace(s, PACE_MS);

	strbuf_adds(&query, s->no_changes ? "?wait=true&value=" : "?wait=true&since=");
	add_escaped(&query, s->version);
	strbuf_addf(&query, "&maxWait=%d", max_wait);
	s->poll_started = loop_now(s->loop);
	if (s->no_changes)
		get_path(s, "/version", strbuf_str(&query), VERSION_LIMIT, total_ms, on_poll);
	else
		get_path(s, "/changes", strbuf_str(&query), CHANGES_LIMIT, total_ms, on_changes);
}

/* After an answer that says that nothing changed. */
static void poll_again(struct source *s)
{
	int64_t took_ms = loop_now(s->loop) - s->poll_started;

	went_well(s);
	if (took_ms < POLL_LEAST_MS)
		loop_timer_set(s->retry, POLL_LEAST_MS - took_ms);
	else
		poll_service(s);
	metadata_still_holds(s->m);
}

static void on_poll(const struct http_answer *a, void *user)
{
	struct source *s = user;
	_cleanup_free_ char *version = NULL;

	s->poll_refused = a->step == HTTP_STEP_STATUS;
	version = took_version(s, a);
	if (!version)
		return;
	if (streq(version, s->version))
		poll_again(s);
	else
		begin_documents(s, sn_steal(version));
}

/* A service without them says 404 (Rancher's), or what it says to nonsense. */
static void on_changes(const struct http_answer *a, void *user)
{
	struct source *s = user;

	s->poll_refused = false;
	if (a->step == HTTP_STEP_STATUS && a->status >= 400 && a->status < 500) {
		s->no_changes = true;
		poll_service(s);
		return;
	}
	s->poll_refused = a->step == HTTP_STEP_STATUS;
	if (took(s, "/changes", a))
		begin_build(s, NULL, a);
}

/* --- in the worker -----------------------------------------------------------------------------
 */

static int put_changes(struct build *b, const char *held)
{
	struct rancher_change c;
	int r = rancher_facts_change(b->facts, b->changes, b->changes_len, held, &c, &b->error);

	b->unknown = r < 0;
	if (r < 0)
		return r;
	b->version = c.version;
	b->all = c.kind == RANCHER_CHANGE_ALL;
	b->same = c.kind == RANCHER_CHANGE_NONE;
	return 0;
}

static int make_snapshot(struct build *b)
{
	_cleanup_(snapshot_freep) struct snapshot *made = NULL;
	struct surroundings around = { 0 };
	const char *place[SN_FAMILIES];

	if (rancher_facts_snapshot(b->facts, b->version, b->base, b->before, &made, &b->error) < 0)
		return b->error.code;
	look_around(b->source->config, &around);
	for (size_t i = 0; i < SN_FAMILIES; i++)
		place[i] = rancher_facts_overlay_place(b->facts, sn_families[i]);
	if (surroundings_check(&around, made, b->before, place, &b->error) < 0)
		return b->error.code;
	b->snapshot = sn_steal(made);
	return 0;
}

static void run_build(void *job)
{
	struct build *b = job;

	if (b->changes && put_changes(b, b->source->version) < 0) {
		sn_error_wrap(&b->error, "GET %s/changes", b->base);
		return;
	}
	if (!b->all && !b->same && make_snapshot(b) < 0)
		sn_error_wrap(&b->error, "GET %s", b->base);
}

/* --- from facts to a snapshot --------------------------------------------------------------------
 */

static void build_free(struct build *b)
{
	snapshot_free(b->snapshot);
	free(b->version);
	free(b->changes);
	free(b);
}
SN_DEFINE_CLEANUP(struct build *, build_free);

static void take_snapshot(struct source *s, struct build *b)
{
	if (b->changes) {
		/* what is held is no longer what the service called so */
		free(sn_steal(s->etag[DOC_HOSTS]));
		free(sn_steal(s->etag[DOC_CONTAINERS]));
	}
	free(s->version);
	s->version = sn_steal(b->version);
	went_well(s);
	s->holds = true;
	poll_service(s);
	metadata_got(s->m, sn_steal(b->snapshot));
}

static void build_done(void *job, bool finished)
{
	_cleanup_(build_freep) struct build *b = job;
	struct source *s = b->source;

	(void)finished;
	if (s->closing)
		return;
	if (b->same) {
		poll_again(s);
	} else if (b->all) {
		begin_documents(s, sn_steal(b->version));
	} else if (b->snapshot) {
		take_snapshot(s, b);
	} else {
		s->no_changes |= b->unknown;
		s->holds = false;
		free(sn_steal(s->etag[DOC_HOSTS]));
		free(sn_steal(s->etag[DOC_CONTAINERS]));
		fail(s, b->error.text);
	}
}

/* version: of the facts as they are; with changes the answer says it. Taken over. */
static void begin_build(struct source *s, char *version, const struct http_answer *changes)
{
	struct build *b = xcalloc(1, sizeof(*b));

	*b = (struct build){
		.source = s,
		.facts = s->facts,
		.before = metadata_last(s->m),
		.base = s->base,
		.version = version,
	};
	if (changes) {
		b->changes = xmalloc(changes->len + 1);
		memcpy(b->changes, changes->body, changes->len + 1);
		b->changes_len = changes->len;
	}
	loop_worker_submit(s->worker, b, run_build, build_done);
}

/* --- one read ----------------------------------------------------------------------------------
 */

static void tear(struct source *s)
{
	metadata_torn(s->m);
	if (++s->torn_in_row >= TORN_TOO_OFTEN) {
		_cleanup_free_ char *text = xasprintf(
			"GET %s: the metadata change faster than they can be read", s->base);

		fail(s, text);
		return;
	}
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
	pace(s, loop_now(s->loop) - s->reading_started);
	begin_build(s, sn_steal(version), NULL);
}

static int on_entry(const char *text, size_t len, size_t index, struct sn_error *e, void *user)
{
	struct source *s = user;

	(void)index;
	return rancher_facts_take(s->facts, documents[s->next].which, text, len, e);
}

static int on_data(const char *data, size_t len, struct sn_error *e, void *user)
{
	struct source *s = user;

	if (!s->begun) {
		/* from here on the facts are neither the old document nor the new */
		free(sn_steal(s->etag[s->next]));
		rancher_facts_begin(s->facts, documents[s->next].which);
		s->begun = true;
	}
	return json_stream_feed(&s->stream, data, len, e);
}

static int end_list(struct source *s, struct sn_error *e)
{
	int r = json_stream_end(&s->stream, e);

	if (r >= 0)
		rancher_facts_end(s->facts, documents[s->next].which, r == 1);
	return SN_MIN(r, 0);
}

static int take_small(struct source *s, const struct http_answer *a, struct sn_error *e)
{
	_cleanup_json_ json_t *v = NULL;
	int r = json_parse(a->body, a->len, &v, e);

	if (r < 0)
		return r;
	if (s->next == DOC_SELF_HOST)
		return rancher_facts_self(s->facts, v, e);
	r = rancher_facts_networks(s->facts, v, e);
	if (r > 0)
		free(sn_steal(s->etag[DOC_CONTAINERS]));
	return SN_MIN(r, 0);
}

/* True when the facts hold the document; else the failure is told of. */
static bool take_document(struct source *s, const struct http_answer *a)
{
	struct sn_error e;
	_cleanup_free_ char *text = NULL;

	/* 304 to an ETag of ours */
	if (a->status == 304 && s->etag[s->next])
		return true;
	if (!took(s, documents[s->next].path, a))
		return false;
	if ((documents[s->next].list ? end_list(s, &e) : take_small(s, a, &e)) == 0) {
		free(s->etag[s->next]);
		s->etag[s->next] = a->etag[0] ? xstrdup(a->etag) : NULL;
		return true;
	}
	/* an error with a place names the document itself */
	text = xasprintf("GET %s%s: %s%s", s->base, e.text[0] == '/' ? "" : documents[s->next].path,
			 e.text, advice_on(a, e.text));
	fail(s, text);
	return false;
}

static void on_document(const struct http_answer *a, void *user)
{
	struct source *s = user;

	if (!take_document(s, a))
		return;
	s->next++;
	read_document(s);
}

static void read_document(struct source *s)
{
	struct http_request req = { .total_ms = DOCUMENT_MS,
				    .slow_bytes = SLOW_BYTES,
				    .slow_s = SLOW_S };
	struct sn_error e;

	/* who has a configured id need not be known to the service by its address */
	if (s->next == DOC_SELF_HOST && s->config->host_id[0]) {
		sn_require(rancher_facts_self(s->facts, NULL, &e) == 0);
		s->next++;
	}
	if (s->next == DOCUMENTS) {
		get_path(s, "/version", "", VERSION_LIMIT, VERSION_MS, on_version_after);
		return;
	}
	req.body_limit = documents[s->next].limit;
	if (documents[s->next].list) {
		req.data = on_data;
		json_stream_fini(&s->stream);
		json_stream_init(&s->stream, RANCHER_MAX_ENTRY, SNAPSHOT_MAX_CONTAINERS, on_entry,
				 s);
		s->begun = false;
	}
	start_get(s, documents[s->next].path, "", s->etag[s->next], &req, on_document);
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
	poll_service(s);
	if (s->poll_refused)
		return;
	went_well(s);
	metadata_still_holds(s->m);
}

/* Anew each time: who changes the token need not restart us. */
static bool read_token(struct source *s)
{
	struct sn_error e;

	token_free(sn_steal(s->token));
	if (!s->config->metadata_token_file ||
	    token_read(s->config->metadata_token_file, &s->token, &e) == 0)
		return true;
	fail(s, e.text);
	return false;
}

static void read_version(void *user)
{
	struct source *s = user;

	if (read_token(s))
		get_path(s, "/version", "", VERSION_LIMIT, VERSION_MS, on_version);
}

/* --- life ----------------------------------------------------------------------------------------
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
	json_stream_fini(&s->stream);
	rancher_facts_free(s->facts);
	forget_etags(s);
	token_free(s->token);
	array_foreach(&s->urls, url)
		free(*url);
	array_free(&s->urls);
	free(s->base);
	free(s->version);
	free(s);
}

static void add_url(struct source *s, const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	*array_add(&s->urls) = xstrndup(url, len);
}

struct source *rancher_source_new(struct metadata *m, struct loop *loop,
				  const struct config *config)
{
	struct source *s = xcalloc(1, sizeof(*s));
	const struct http_client_options options = {
		.ca_file = config->metadata_ca_file,
		.proxy = config->metadata_proxy,
		.max_redirects = config->metadata_redirects,
	};
	uint8_t key[16];

	s->m = m;
	s->loop = loop;
	s->config = config;
	array_foreach(&config->metadata_urls, url)
		add_url(s, *url);
	if (!s->urls.n)
		add_url(s, config->metadata_url);
	use_url(s, 0);
	sn_random(key, sizeof(key));
	s->facts = rancher_facts_new(config, key);
	s->client = http_client_new(loop);
	http_client_set(s->client, &options);
	s->retry = loop_timer_new(loop, read_version, s);
	s->worker = loop_worker_new(loop);
	return s;
}

const struct source_ops rancher_source_ops = { .start = source_start, .free = source_free };
