/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said to a request: the way of a path through the documents, and the
 * two forms, JSON and text, as Rancher's metadata service writes them. Pure.
 */
#pragma once

#include "base/strbuf.h"

#include <jansson.h>

enum answer_form { ANSWER_TEXT, ANSWER_JSON };

struct answer {
	int status; /* 200, 400, 404 */
	struct strbuf body;
	/* What a long poll compares with its value: the scalar without quotes, else the body. */
	struct strbuf value;
};
void answer_fini(struct answer *a);
#define _cleanup_answer_ _cleanup_(answer_fini)

/* By an Accept header (NULL: none): the greater q wins, the first of equals, text by default. */
enum answer_form answer_form_of(const char *accept);
/*
 * path is raw, with its escapes and without the query. root is NULL when there
 * are no documents yet. ret is initialised by this.
 */
void answer_make(const json_t *root, const char *path, enum answer_form form, struct answer *ret);
