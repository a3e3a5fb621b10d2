/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Splits a JSON array into its elements while it arrives, in pieces of any
 * size: what is held is the element that is not complete yet. The elements
 * themselves are somebody else's to parse; here they are strings, brackets and
 * commas. Pure.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

/* No entry of a mesh is nested deeper, its own brackets included. */
#define JSON_STREAM_MAX_DEPTH 32

/*
 * One element, as it stands there, borrowed for the call and not
 * NUL-terminated. 0, or a negative errno with e: then the stream is at its end.
 */
typedef int (*json_stream_fn)(const char *text, size_t len, size_t index, struct sn_error *e,
			      void *user);

enum json_stream_state {
	JSON_STREAM_START,
	JSON_STREAM_NULL,    /* it is, or begins like, null */
	JSON_STREAM_FIRST,   /* after the bracket: an element or the end */
	JSON_STREAM_NEXT,    /* after a comma: an element */
	JSON_STREAM_ELEMENT, /* in one */
	JSON_STREAM_END,
};

struct json_stream {
	json_stream_fn fn;
	void *user;
	size_t max_element; /* bytes */
	size_t max_elements;
	/* private */
	enum json_stream_state state;
	struct strbuf held;
	size_t n; /* elements so far */
	unsigned depth, null_len;
	bool in_string, escaped;
};

void json_stream_init(struct json_stream *s, size_t max_element, size_t max_elements,
		      json_stream_fn fn, void *user);
void json_stream_fini(struct json_stream *s);
/* 0, or a negative errno with e ("not an array", "element 7: over 1000 bytes", fn's own). */
int json_stream_feed(struct json_stream *s, const char *data, size_t len, struct sn_error *e);
/* The document is over: 0, 1 = it was null, or -EINVAL with e when it is not complete. */
int json_stream_end(struct json_stream *s, struct sn_error *e);
