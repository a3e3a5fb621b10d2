/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said to a request: the way of a path through the document, and the
 * two forms, JSON and text, as Rancher's metadata service writes them. Pure.
 *
 * An answer is a list of parts: texts, and sections of the document, which
 * are rendered piece by piece when they are sent.
 */
#pragma once

#include "history.h"

enum answer_form { ANSWER_TEXT, ANSWER_JSON };

#define ANSWER_MAX_PARTS 5

struct answer_part {
	struct piece *text; /* NULL: the section */
	enum section section;
};

struct answer {
	int status; /* 200, 400, 404 */
	enum api_version version;
	struct answer_part part[ANSWER_MAX_PARTS];
	size_t n;
	struct document *document; /* a reference, when there is a section */
	/* What a long poll compares with its value: the scalar without quotes, else the body. */
	char *value;   /* NULL: the parts */
	char etag[24]; /* with its quotes; of a 200 only */
	bool api;      /* an answer of the API itself: Rancher says so with a header */
};
void answer_fini(struct answer *a);
#define _cleanup_answer_ _cleanup_(answer_fini)

struct question {
	const char *path; /* raw, with its escapes and without the query */
	enum answer_form form;
	struct sn_addr caller;
	const char *since; /* for …/changes; NULL: not given */
};

/* By an Accept header (NULL: none): the greater q wins, the first of equals, text by default. */
enum answer_form answer_form_of(const char *accept);
/* d is NULL when there are no documents yet. ret is initialised by this. */
void answer_make(struct document *d, struct history *h, const struct question *q,
		 struct answer *ret);
/* Whether a path asks for changes, whose long poll has no value but `since`. */
bool answer_is_changes(const char *path);
/* Whether a long poll for this value is over. What is not there is waited for. */
bool answer_differs(const struct answer *a, const char *value);

/* Goes through the pieces of an answer; zero-initialised it is at the start. */
struct answer_cursor {
	size_t part, piece;
};
/* A reference to the next piece, NULL at the end. */
struct piece *answer_next(const struct answer *a, struct answer_cursor *at);
/* The length of the body when it is known without rendering, else -1. */
long answer_length(const struct answer *a);
