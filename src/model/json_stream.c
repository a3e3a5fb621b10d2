/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An element that lies whole in one piece is handed on from there; only one
 * that crosses pieces is put together in `held`.
 */
#include "model/json_stream.h"

#include "base/json.h"

#include <errno.h>

void json_stream_init(struct json_stream *s, size_t max_element, size_t max_elements,
		      json_stream_fn fn, void *user)
{
	*s = (struct json_stream){
		.fn = fn, .user = user, .max_element = max_element, .max_elements = max_elements
	};
}

void json_stream_fini(struct json_stream *s)
{
	strbuf_fini(&s->held);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The element goes on to here; all of it must fit. */
static int hold(struct json_stream *s, const char *from, const char *to, struct sn_error *e)
{
	size_t len = (size_t)(to - from);

	if (len > s->max_element - SN_MIN(s->held.len, s->max_element))
		return sn_error_set(e, -EFBIG, "element %zu: over %zu bytes", s->n, s->max_element);
	strbuf_add(&s->held, from, len);
	return 0;
}

static int hand_on(struct json_stream *s, const char *from, const char *to, struct sn_error *e)
{
	const char *text = from;
	size_t len = (size_t)(to - from);
	int r;

	if (s->n == s->max_elements)
		return sn_error_set(e, -E2BIG, "more than %zu elements", s->max_elements);
	if (s->held.len || len > s->max_element) {
		if (hold(s, from, to, e) < 0)
			return e->code;
		text = s->held.data;
		len = s->held.len;
	}
	r = s->fn(text, len, s->n++, e, s->user);
	strbuf_clear(&s->held);
	return r;
}

/* Behind the string that p is in, or end. */
static const char *skip_string(struct json_stream *s, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (s->escaped) {
			s->escaped = false;
		} else if (*p == '\\') {
			s->escaped = true;
		} else if (*p == '"') {
			s->in_string = false;
			return p + 1;
		}
	}
	return end;
}

/*
 * To the comma or bracket that ends the element, or to end. 0, or -EINVAL
 * when it is too deep.
 */
static int skip_element(struct json_stream *s, const char *p, const char *end, const char **ret,
			struct sn_error *e)
{
	while (p < end) {
		if (s->in_string) {
			p = skip_string(s, p, end);
			continue;
		}
		if (s->depth == 0 && (*p == ',' || *p == ']'))
			break;
		if (*p == '"')
			s->in_string = true;
		else if (*p == '{' || *p == '[')
			s->depth++;
		else if ((*p == '}' || *p == ']') && s->depth > 0)
			s->depth--;
		if (s->depth > JSON_STREAM_MAX_DEPTH)
			return sn_error_set(e, -EINVAL, "element %zu: nested deeper than %d", s->n,
					    JSON_STREAM_MAX_DEPTH);
		p++;
	}
	*ret = p;
	return 0;
}

static int in_element(struct json_stream *s, const char **p, const char *end, struct sn_error *e)
{
	const char *from = *p;

	if (skip_element(s, from, end, p, e) < 0)
		return e->code;
	if (*p == end)
		return hold(s, from, end, e);
	if (hand_on(s, from, *p, e) < 0)
		return e->code;
	s->state = **p == ',' ? JSON_STREAM_NEXT : JSON_STREAM_END;
	(*p)++;
	return 0;
}

static int start(struct json_stream *s, const char **p, struct sn_error *e)
{
	if (**p == '[')
		s->state = JSON_STREAM_FIRST;
	else if (**p == 'n')
		s->state = JSON_STREAM_NULL;
	else
		return sn_error_set(e, -EINVAL, "%s", **p == '<' ? JSON_PAGE_TEXT : "not an array");
	*p += **p == '[';
	return 0;
}

/* One step: at least a character, or a change of state. */
static int step(struct json_stream *s, const char **p, const char *end, struct sn_error *e)
{
	if (s->state == JSON_STREAM_ELEMENT)
		return in_element(s, p, end, e);
	if (is_space(**p) && (s->state != JSON_STREAM_NULL || s->null_len == 4)) {
		(*p)++;
		return 0;
	}
	switch (s->state) {
	case JSON_STREAM_START:
		return start(s, p, e);
	case JSON_STREAM_NULL:
		if (s->null_len == 4 || **p != "null"[s->null_len++])
			return sn_error_set(e, -EINVAL, "not an array");
		(*p)++;
		return 0;
	case JSON_STREAM_FIRST:
		if (**p == ']') {
			s->state = JSON_STREAM_END;
			(*p)++;
			return 0;
		}
		s->state = JSON_STREAM_ELEMENT;
		return 0;
	case JSON_STREAM_NEXT:
		s->state = JSON_STREAM_ELEMENT;
		return 0;
	case JSON_STREAM_ELEMENT:
		break;
	case JSON_STREAM_END:
		return sn_error_set(e, -EINVAL, "something comes after the array");
	}
	return 0;
}

int json_stream_feed(struct json_stream *s, const char *data, size_t len, struct sn_error *e)
{
	const char *p = data, *end = data + len;

	while (p < end) {
		int r = step(s, &p, end, e);

		if (r < 0)
			return r;
	}
	return 0;
}

int json_stream_end(struct json_stream *s, struct sn_error *e)
{
	if (s->state == JSON_STREAM_NULL && s->null_len == 4)
		return 1;
	if (s->state == JSON_STREAM_END)
		return 0;
	return sn_error_set(e, -EINVAL,
			    s->state == JSON_STREAM_START ? "is empty" : "ends in the middle");
}
