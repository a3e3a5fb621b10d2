/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request.h"

#include "base/strbuf.h"

#include <ctype.h>
#include <strings.h>

/* A line of the head without its end. */
struct line {
	const char *s;
	size_t len;
};

static bool line_next(const char **at, const char *end, struct line *ret)
{
	const char *nl = memchr(*at, '\n', (size_t)(end - *at));

	if (!nl)
		return false;
	ret->s = *at;
	ret->len = (size_t)(nl - *at);
	if (ret->len > 0 && nl[-1] == '\r')
		ret->len--;
	*at = nl + 1;
	return true;
}

/* The length of the head with its empty line, 0 when it is not all there. */
static size_t head_length(const char *text, size_t len)
{
	const char *at = text;
	struct line line;

	while (line_next(&at, text + len, &line)) {
		if (line.len == 0)
			return (size_t)(at - text);
	}
	return 0;
}

static bool has_control(const struct line *l)
{
	for (size_t i = 0; i < l->len; i++) {
		unsigned char c = (unsigned char)l->s[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static bool word_is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* "http://host/path" is "/path". */
static const char *skip_authority(const char *s, const char *end)
{
	size_t n = strlen("http://");

	if ((size_t)(end - s) < n || strncasecmp(s, "http://", n) != 0)
		return s;
	s += n;
	while (s < end && *s != '/')
		s++;
	return s;
}

static bool parse_target(const char *s, const char *end, struct request *r)
{
	const char *query;

	s = skip_authority(s, end);
	if (s == end || *s != '/')
		return false;
	end = memchr(s, '#', (size_t)(end - s)) ?: end;
	query = memchr(s, '?', (size_t)(end - s));
	r->path = xstrndup(s, (size_t)((query ? query : end) - s));
	if (query)
		r->query = xstrndup(query + 1, (size_t)(end - query - 1));
	return true;
}

static bool parse_first_line(const struct line *l, struct request *r)
{
	const char *end = l->s + l->len;
	const char *target = memchr(l->s, ' ', l->len);
	const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;

	if (!version)
		return false;
	if (word_is(l->s, (size_t)(target - l->s), "GET"))
		r->method = REQUEST_GET;
	else if (word_is(l->s, (size_t)(target - l->s), "HEAD"))
		r->method = REQUEST_HEAD;
	else if (word_is(l->s, (size_t)(target - l->s), "POST"))
		r->method = REQUEST_POST;
	else
		r->method = REQUEST_OTHER;
	r->http10 = word_is(version + 1, (size_t)(end - version - 1), "HTTP/1.0");
	if (!r->http10 && !word_is(version + 1, (size_t)(end - version - 1), "HTTP/1.1"))
		return false;
	r->keep_alive = !r->http10;
	return parse_target(target + 1, version, r);
}

static void set_once(char **member, const struct line *value)
{
	if (!*member)
		*member = xstrndup(value->s, value->len);
}

static void take_connection(struct request *r, const struct line *value)
{
	_cleanup_free_ char *s = xstrndup(value->s, value->len);

	if (strcasestr(s, "close"))
		r->keep_alive = false;
	else if (strcasestr(s, "keep-alive"))
		r->keep_alive = true;
}

/* Whether there is a body: what comes after the head is then not a request. */
static bool is_body(const char *name, size_t len, const struct line *value)
{
	if (len == strlen("Transfer-Encoding") && strncasecmp(name, "Transfer-Encoding", len) == 0)
		return true;
	return len == strlen("Content-Length") && strncasecmp(name, "Content-Length", len) == 0 &&
	       !word_is(value->s, value->len, "0");
}

struct seen {
	bool host, body;
};

static bool parse_header(const struct line *l, struct request *r, struct seen *seen)
{
	const char *colon = memchr(l->s, ':', l->len);
	size_t len = colon ? (size_t)(colon - l->s) : 0;
	struct line v;

	if (len == 0 || isspace((unsigned char)l->s[0]) || isspace((unsigned char)colon[-1]))
		return false;
	v = (struct line){ colon + 1, l->len - len - 1 };
	while (v.len && isspace((unsigned char)*v.s))
		v.s++, v.len--;
	while (v.len && isspace((unsigned char)v.s[v.len - 1]))
		v.len--;
#define IS(name) (len == sizeof(name) - 1 && strncasecmp(l->s, name, len) == 0)
	if (IS("Accept"))
		set_once(&r->accept, &v);
	else if (IS("X-Forwarded-For"))
		set_once(&r->forwarded_for, &v);
	else if (IS("If-None-Match"))
		set_once(&r->if_none_match, &v);
	else if (IS("Connection"))
		take_connection(r, &v);
	else if (IS("Host"))
		seen->host = true;
#undef IS
	seen->body |= is_body(l->s, len, &v);
	return true;
}

/* 0 or a status. */
static int parse_head(const char *text, size_t len, struct request *r)
{
	const char *at = text, *end = text + len;
	struct seen seen = { 0 };
	struct line line;

	if (!line_next(&at, end, &line) || has_control(&line) || !parse_first_line(&line, r))
		return 400;
	while (line_next(&at, end, &line) && line.len > 0) {
		if (has_control(&line) || !parse_header(&line, r, &seen))
			return 400;
	}
	if (seen.body)
		r->keep_alive = false;
	return seen.host || r->http10 ? 0 : 400;
}

size_t request_parse(const char *text, size_t len, struct request *ret)
{
	size_t skip = 0, head;

	*ret = (struct request){ 0 };
	/* an empty line before a request is allowed to be there */
	while (skip < len && (text[skip] == '\r' || text[skip] == '\n'))
		skip++;
	head = head_length(text + skip, SN_MIN(len - skip, REQUEST_MAX_BYTES));
	if (head == 0 && len - skip < REQUEST_MAX_BYTES && skip < REQUEST_MAX_BYTES)
		return 0;
	ret->bad = head == 0 ? 431 : parse_head(text + skip, head, ret);
	if (ret->bad) {
		int bad = ret->bad;

		request_fini(ret);
		ret->bad = bad;
	}
	return head ? skip + head : len;
}

void request_fini(struct request *r)
{
	free(r->path);
	free(r->query);
	free(r->accept);
	free(r->forwarded_for);
	free(r->if_none_match);
	*r = (struct request){ 0 };
}

static char *decode(const char *s, size_t len)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, "", 0);
	for (size_t i = 0; i < len; i++) {
		unsigned v;

		if (s[i] == '%' && i + 2 < len && isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2])) {
			char hex[3] = { s[i + 1], s[i + 2], 0 };

			v = (unsigned)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			v = s[i] == '+' ? ' ' : (unsigned char)s[i];
		}
		strbuf_addc(&b, (char)v);
	}
	return strbuf_steal(&b);
}

char *request_query(const struct request *r, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = r->query; s && *s;) {
		size_t len = strcspn(s, "&");

		if (len > n && strncmp(s, name, n) == 0 && s[n] == '=')
			return decode(s + n + 1, len - n - 1);
		s += len + (s[len] == '&');
	}
	return NULL;
}
