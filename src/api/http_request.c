/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/http_request.h"

#include <strings.h>

/* A piece of the head; not terminated. */
struct span {
	const char *p;
	size_t n;
};

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* The line's end (past its LF), or NULL; *ret is the line without CR and LF. */
static const char *next_line(const char *p, const char *end, struct span *ret)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	if (!lf)
		return NULL;
	ret->p = p;
	ret->n = (size_t)(lf - p);
	if (ret->n > 0 && p[ret->n - 1] == '\r')
		ret->n--;
	return lf + 1;
}

/* True when the empty line after the fields is there. */
static bool head_is_whole(const char *p, const char *end)
{
	struct span line;

	while ((p = next_line(p, end, &line)))
		if (line.n == 0)
			return true;
	return false;
}

/* Cuts what stands before the next space off *rest; what is left has no leading space. */
static struct span cut_word(struct span *rest)
{
	const char *space = memchr(rest->p, ' ', rest->n);
	struct span word = { .p = rest->p, .n = space ? (size_t)(space - rest->p) : rest->n };
	size_t used = word.n + (space ? 1 : 0);

	rest->p += used;
	rest->n -= used;
	return word;
}

static bool is_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return s.n > 0;
}

/* 0 or the status to refuse with. */
static int check_version(struct span v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.' || v.p[5] < '0' ||
	    v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
		return 400;
	return v.p[5] == '1' ? 0 : 505;
}

/* "/healthz?x" or "http://any/healthz?x" (RFC 9112 3.2.2): 0 or the status to refuse with. */
static int read_target(struct span t, char ret[static HTTP_MAX_PATH])
{
	const char *query;

	if (t.n > 7 && strncasecmp(t.p, "http://", 7) == 0) {
		const char *slash = memchr(t.p + 7, '/', t.n - 7);

		t = slash ? (struct span){ slash, t.n - (size_t)(slash - t.p) }
			  : (struct span){ "/", 1 };
	}
	query = memchr(t.p, '?', t.n);
	if (query)
		t.n = (size_t)(query - t.p);
	if (t.n >= HTTP_MAX_PATH)
		return 414;
	memcpy(ret, t.p, t.n);
	ret[t.n] = '\0';
	return 0;
}

static int read_request_line(struct span line, struct http_request *ret)
{
	struct http_request req = { .method = HTTP_OTHER };
	struct span method = cut_word(&line);
	struct span target = cut_word(&line);
	int status;

	if (!is_visible(method) || !is_visible(target))
		return 400;
	status = check_version(line);
	if (status)
		return status;
	if (span_is(method, "GET"))
		req.method = HTTP_GET;
	else if (span_is(method, "HEAD"))
		req.method = HTTP_HEAD;
	status = read_target(target, req.path);
	if (status)
		return status;
	*ret = req;
	return HTTP_DONE;
}

int http_request_parse(const char *buf, size_t n, struct http_request *ret)
{
	const char *p = buf, *end = buf + SN_MIN(n, (size_t)HTTP_MAX_HEAD);
	struct span line;

	/* RFC 9112 2.2: empty lines before the request line are passed over */
	do {
		p = next_line(p, end, &line);
	} while (p && line.n == 0);
	if (p && head_is_whole(p, end))
		return read_request_line(line, ret);
	return n >= HTTP_MAX_HEAD ? 431 : HTTP_MORE;
}
