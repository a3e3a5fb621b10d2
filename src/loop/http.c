/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl says which descriptors and which time-out it waits for; the loop
 * waits and calls curl_multi_socket_action(). Users are never called from
 * inside libcurl: a request that ended goes to the client's `ended` list and
 * is told of in a later turn, one a turn, so that a callback may free
 * whatever it likes, the client included.
 *
 * Ownership: the user owns http_get and http_client; the loop_io of each
 * socket hangs on libcurl's socket (curl_multi_assign) and goes when libcurl
 * takes the socket back.
 *
 * CURLOPT_QUICK_EXIT: without it libcurl joins the thread of a look-up that
 * is cut short, and so blocks the loop for as long as the name servers are
 * silent. The thread is left to end by itself.
 */
#include "loop/http.h"

#include "base/array.h"
#include "base/strbuf.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

struct http_get {
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers;
	CURLU *url;
	http_done_fn fn;
	void *user;
	int64_t connect_ms, total_ms;
	size_t body_limit, header_len;
	bool body_over, headers_over;
	CURLcode result;
	struct strbuf body;
	http_data_fn data;
	size_t data_len;
	struct sn_error data_error;
	long slow_bytes, slow_s;
	char etag[HTTP_ETAG_SIZE];
	int64_t date_s;
	char curl_text[CURL_ERROR_SIZE];
};

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct loop_deferred *tell;
	char *ca_file;
	struct http_client_options options;
	ARRAY(struct http_get *) ended;
};

/* --- what went wrong, in words -------------------------------------------- */

static bool is_tls_failure(CURLcode code)
{
	static const CURLcode codes[] = {
		CURLE_SSL_CONNECT_ERROR,     CURLE_PEER_FAILED_VERIFICATION,
		CURLE_SSL_CERTPROBLEM,       CURLE_SSL_CIPHER,
		CURLE_SSL_CACERT_BADFILE,    CURLE_SSL_ENGINE_NOTFOUND,
		CURLE_SSL_ENGINE_INITFAILED,
	};

	for (size_t i = 0; i < SN_ARRAY_SIZE(codes); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

static int64_t info_time(const struct http_get *g, CURLINFO what)
{
	curl_off_t us = 0;

	curl_easy_getinfo(g->easy, what, &us);
	return us;
}

static bool is_https(const struct http_get *g)
{
	char *scheme = NULL;
	bool yes = curl_url_get(g->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		   streq(scheme, "https");

	curl_free(scheme);
	return yes;
}

/* libcurl 7.88 gives the time of it only when TLS stands, too. */
static bool is_connected(const struct http_get *g)
{
	long port = 0;

	curl_easy_getinfo(g->easy, CURLINFO_LOCAL_PORT, &port);
	return port > 0 || info_time(g, CURLINFO_CONNECT_TIME_T) > 0;
}

/* Which step did not end: a step that ended has left its time. */
static enum http_step step_reached(const struct http_get *g)
{
	/* on a kept connection there were none of the steps before */
	if (info_time(g, CURLINFO_PRETRANSFER_TIME_T) > 0 ||
	    info_time(g, CURLINFO_STARTTRANSFER_TIME_T) > 0)
		return HTTP_STEP_ANSWER;
	if (info_time(g, CURLINFO_NAMELOOKUP_TIME_T) == 0)
		return HTTP_STEP_LOOK_UP;
	if (!is_connected(g))
		return HTTP_STEP_CONNECT;
	if (is_https(g) && info_time(g, CURLINFO_APPCONNECT_TIME_T) == 0)
		return HTTP_STEP_TLS;
	return HTTP_STEP_ANSWER;
}

static enum http_step step_of(const struct http_get *g, int status)
{
	if (g->result == CURLE_OK)
		return status == 200 ? HTTP_STEP_DONE : HTTP_STEP_STATUS;
	if (g->result == CURLE_URL_MALFORMAT || g->result == CURLE_UNSUPPORTED_PROTOCOL)
		return HTTP_STEP_URL;
	if (g->result == CURLE_COULDNT_RESOLVE_HOST)
		return HTTP_STEP_LOOK_UP;
	if (g->result == CURLE_COULDNT_CONNECT)
		return HTTP_STEP_CONNECT;
	if (is_tls_failure(g->result))
		return HTTP_STEP_TLS;
	return g->result == CURLE_OPERATION_TIMEDOUT ? step_reached(g) : HTTP_STEP_ANSWER;
}

/* "time-out after 5 s", of the limit that was hit. */
static int set_timed_out(const struct http_get *g, enum http_step step, struct sn_error *e)
{
	int64_t limit = step == HTTP_STEP_ANSWER ? g->total_ms : SN_MIN(g->connect_ms, g->total_ms);

	return sn_error_set(e, -ETIMEDOUT, "time-out after %g s", (double)limit / 1000);
}

/* libcurl has one code for all that takes too long; what ended before its time was too slow. */
static bool is_slow(const struct http_get *g)
{
	return g->result == CURLE_OPERATION_TIMEDOUT && g->slow_s > 0 &&
	       info_time(g, CURLINFO_TOTAL_TIME_T) / 1000 < g->total_ms - 1 &&
	       info_time(g, CURLINFO_PRETRANSFER_TIME_T) > 0;
}

/* The reason alone; the step is put before it afterwards. */
static void set_reason(const struct http_get *g, enum http_step step, struct sn_error *e)
{
	long os_errno = 0;

	curl_easy_getinfo(g->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (g->data_error.code)
		*e = g->data_error;
	else if (is_slow(g))
		sn_error_set(e, -ETIMEDOUT, "under %ld bytes a second for %ld s", g->slow_bytes,
			     g->slow_s);
	else if (g->result == CURLE_OPERATION_TIMEDOUT)
		set_timed_out(g, step, e);
	else if (g->body_over)
		sn_error_set(e, -EFBIG, "body over %zu bytes", g->body_limit);
	else if (g->headers_over)
		sn_error_set(e, -EFBIG, "headers over %zu bytes", HTTP_HEADER_LIMIT);
	else if (step == HTTP_STEP_LOOK_UP)
		sn_error_set(e, -ENOENT, "no address (no such name, or no answer)");
	else if (step == HTTP_STEP_CONNECT && g->client->options.proxy && g->curl_text[0])
		/* it may have been a proxy that could not be reached: this names it */
		sn_error_set(e, -EIO, "%s", g->curl_text);
	else if (step == HTTP_STEP_CONNECT && os_errno > 0)
		sn_error_set(e, -(int)os_errno, "%s", sn_strerror(-(int)os_errno));
	else
		sn_error_set(e, -EIO, "%s",
			     g->curl_text[0] ? g->curl_text : curl_easy_strerror(g->result));
}

/* Fills with what the URL has; "?" for what it has not. */
static void add_url_part(const struct http_get *g, CURLUPart part, struct strbuf *b)
{
	char *text = NULL;

	if (curl_url_get(g->url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
		strbuf_adds(b, text);
	else
		strbuf_addc(b, '?');
	curl_free(text);
}

static void wrap_with_step(const struct http_get *g, enum http_step step, struct sn_error *e)
{
	_cleanup_strbuf_ struct strbuf where = STRBUF_INIT;

	add_url_part(g, CURLUPART_HOST, &where);
	switch (step) {
	case HTTP_STEP_LOOK_UP:
		sn_error_wrap(e, "look-up of %s", strbuf_str(&where));
		break;
	case HTTP_STEP_CONNECT:
	case HTTP_STEP_TLS:
		strbuf_addc(&where, ':');
		add_url_part(g, CURLUPART_PORT, &where);
		sn_error_wrap(e, "%s %s", step == HTTP_STEP_TLS ? "TLS with" : "connect to",
			      strbuf_str(&where));
		break;
	case HTTP_STEP_URL:
	case HTTP_STEP_ANSWER:
	case HTTP_STEP_STATUS:
	case HTTP_STEP_DONE:
		break;
	}
}

static void fill_answer(const struct http_get *g, struct http_answer *ret)
{
	const char *peer = NULL;
	long status = 0;

	curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	*ret = (struct http_answer){ .status = (int)status, .body = "" };
	ret->step = step_of(g, ret->status);
	memcpy(ret->etag, g->etag, sizeof(ret->etag));
	ret->date_s = g->date_s;
	curl_easy_getinfo(g->easy, CURLINFO_PRIMARY_IP, &peer);
	snprintf(ret->peer, sizeof(ret->peer), "%s", peer ? peer : "");
	if (ret->step == HTTP_STEP_DONE) {
		ret->body = strbuf_str(&g->body);
		ret->len = g->body.len;
	} else if (ret->step == HTTP_STEP_STATUS) {
		sn_error_set(&ret->error, -EPROTO, "status %d", ret->status);
	} else {
		set_reason(g, ret->step, &ret->error);
		wrap_with_step(g, ret->step, &ret->error);
	}
}

/* --- between libcurl and the loop ------------------------------------------ */

static void on_tell(void *user)
{
	struct http_client *c = user;
	struct http_get *g;
	struct http_answer answer;

	if (c->ended.n == 0)
		return;
	g = c->ended.v[0];
	array_remove(&c->ended, 0);
	if (c->ended.n > 0)
		loop_deferred_schedule(c->tell);
	fill_answer(g, &answer);
	g->fn(&answer, g->user);
}

static void end_get(struct http_get *g, CURLcode result)
{
	g->result = result;
	*array_add(&g->client->ended) = g;
	loop_deferred_schedule(g->client->tell);
}

static void collect_ended(struct http_client *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		struct http_get *g = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&g);
		end_get(g, msg->data.result);
	}
}

static void on_socket(int fd, unsigned events, void *user)
{
	struct http_client *c = user;
	int what = (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
		   (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(c->multi, fd, what, &running);
	collect_ended(c);
}

static void on_timer(void *user)
{
	struct http_client *c = user;
	int running;

	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_ended(c);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct http_client *c = user;
	struct loop_io *io = socket_user;
	unsigned events =
		(what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_io_free(io);
		curl_multi_assign(c->multi, fd, NULL);
	} else if (io) {
		loop_io_set(io, events);
	} else {
		curl_multi_assign(c->multi, fd, loop_io_new(c->loop, fd, events, on_socket, c));
	}
	return 0;
}

static int want_timer(CURLM *multi, long ms, void *user)
{
	struct http_client *c = user;

	(void)multi;
	if (ms < 0)
		loop_timer_cancel(c->timer);
	else
		loop_timer_set(c->timer, ms);
	return 0;
}

/* libcurl's own would be inherited by charon. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *addr)
{
	(void)user;
	(void)purpose;
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

static int status_of(const struct http_get *g)
{
	long status = 0;

	curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

static size_t take_body(char *data, size_t one, size_t len, void *user)
{
	struct http_get *g = user;

	(void)one;
	if (len > g->body_limit - g->data_len) {
		g->body_over = true;
		return CURL_WRITEFUNC_ERROR;
	}
	g->data_len += len;
	if (!g->data)
		strbuf_add(&g->body, data, len);
	else if (status_of(g) == 200 && g->data(data, len, &g->data_error, g->user) < 0)
		return CURL_WRITEFUNC_ERROR;
	return len;
}

/* The value of the header `name` ("ETag:"), cut to what fits; false: it is another one, or longer.
 */
static bool header_value(const char *data, size_t len, const char *name, char *ret, size_t size)
{
	size_t n = strlen(name);

	if (len < n || strncasecmp(data, name, n) != 0)
		return false;
	for (data += n, len -= n; len && (*data == ' ' || *data == '\t'); data++, len--)
		;
	while (len && (data[len - 1] == '\r' || data[len - 1] == '\n' || data[len - 1] == ' '))
		len--;
	if (len >= size)
		return false;
	memcpy(ret, data, len);
	ret[len] = '\0';
	return true;
}

/* Of the answer that counts: a redirect had headers too. */
static void look_at_header(struct http_get *g, const char *data, size_t len)
{
	char date[64];

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		g->etag[0] = '\0';
		g->date_s = 0;
	}
	header_value(data, len, "ETag:", g->etag, sizeof(g->etag));
	if (header_value(data, len, "Date:", date, sizeof(date)))
		g->date_s = SN_MAX(curl_getdate(date, NULL), 0);
}

static size_t take_header(char *data, size_t one, size_t len, void *user)
{
	struct http_get *g = user;

	(void)one;
	g->header_len += len;
	g->headers_over = g->header_len > HTTP_HEADER_LIMIT;
	look_at_header(g, data, len);
	return g->headers_over ? 0 : len;
}

/* --- public ------------------------------------------------------------------ */

struct http_client *http_client_new(struct loop *loop)
{
	struct http_client *c = xcalloc(1, sizeof(*c));

	sn_require(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	c->loop = loop;
	c->multi = curl_multi_init();
	sn_require(c->multi);
	c->timer = loop_timer_new(loop, on_timer, c);
	c->tell = loop_deferred_new(loop, on_tell, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return c;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_multi_cleanup(c->multi);
	loop_timer_free(c->timer);
	loop_deferred_free(c->tell);
	array_free(&c->ended);
	free(c->ca_file);
	free(c);
	curl_global_cleanup();
}

void http_client_set(struct http_client *c, const struct http_client_options *o)
{
	free(c->ca_file);
	c->ca_file = xstrdup_null(o->ca_file);
	c->options = *o;
}

static void set_manners(CURL *easy, const struct http_client *c)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (!c->options.proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, c->options.max_redirects > 0 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)c->options.max_redirects);
	if (c->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "sennit");
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
}

/*
 * libcurl reads up to a hundred buffers of a fast service in one call. Whoever
 * works on the data as they come has a turn's time for all of them.
 */
#define DATA_BUFFER 2048L

static void set_limits(struct http_get *g, const struct http_request *req)
{
	g->slow_bytes = req->slow_bytes;
	g->slow_s = req->slow_s;
	if (req->data)
		curl_easy_setopt(g->easy, CURLOPT_BUFFERSIZE, DATA_BUFFER);
	if (req->slow_s > 0) {
		curl_easy_setopt(g->easy, CURLOPT_LOW_SPEED_LIMIT, req->slow_bytes);
		curl_easy_setopt(g->easy, CURLOPT_LOW_SPEED_TIME, req->slow_s);
	}
	if (req->bearer) {
		curl_easy_setopt(g->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(g->easy, CURLOPT_XOAUTH2_BEARER, req->bearer);
	}
	curl_easy_setopt(g->easy, CURLOPT_REDIR_PROTOCOLS_STR,
			 sn_startswith(req->url, "https:") ? "https" : "http,https");
}

static void set_request(struct http_get *g, const struct http_request *req)
{
	for (const char *const *h = req->headers; h && *h; h++)
		g->headers = curl_slist_append(g->headers, *h);
	curl_easy_setopt(g->easy, CURLOPT_HTTPHEADER, g->headers);
	curl_easy_setopt(g->easy, CURLOPT_CURLU, g->url);
	curl_easy_setopt(g->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
	curl_easy_setopt(g->easy, CURLOPT_TIMEOUT_MS, (long)req->total_ms);
	curl_easy_setopt(g->easy, CURLOPT_PRIVATE, g);
	curl_easy_setopt(g->easy, CURLOPT_ERRORBUFFER, g->curl_text);
	curl_easy_setopt(g->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(g->easy, CURLOPT_WRITEDATA, g);
	curl_easy_setopt(g->easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(g->easy, CURLOPT_HEADERDATA, g);
}

struct http_get *http_get_new(struct http_client *c, const struct http_request *req,
			      http_done_fn fn, void *user)
{
	struct http_get *g = xcalloc(1, sizeof(*g));

	g->client = c;
	g->fn = fn;
	g->user = user;
	g->body_limit = req->body_limit;
	g->connect_ms = req->connect_ms;
	g->total_ms = req->total_ms;
	g->easy = curl_easy_init();
	g->url = curl_url();
	sn_require(g->easy && g->url);
	g->data = req->data;
	set_manners(g->easy, c);
	set_request(g, req);
	set_limits(g, req);
	if (curl_url_set(g->url, CURLUPART_URL, req->url, 0) != CURLUE_OK)
		end_get(g, CURLE_URL_MALFORMAT);
	else
		sn_require(curl_multi_add_handle(c->multi, g->easy) == CURLM_OK);
	return g;
}

void http_get_free(struct http_get *g)
{
	struct http_client *c;

	if (!g)
		return;
	c = g->client;
	for (size_t i = 0; i < c->ended.n; i++) {
		if (c->ended.v[i] == g) {
			array_remove(&c->ended, i);
			break;
		}
	}
	curl_multi_remove_handle(c->multi, g->easy);
	curl_easy_cleanup(g->easy);
	curl_url_cleanup(g->url);
	curl_slist_free_all(g->headers);
	strbuf_fini(&g->body);
	free(g);
}
