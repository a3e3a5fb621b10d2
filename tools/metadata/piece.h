/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A piece of a body: text that many clients may be sent at once, held by
 * count. It carries the frame of HTTP's chunked coding around it, so that
 * nothing is copied or added per client.
 */
#pragma once

#include "base/strbuf.h"

struct piece {
	unsigned refs;
	size_t at, len; /* of the text in framed */
	size_t framed_len;
	char framed[]; /* "1f\r\n" text "\r\n" */
};

/* One reference. A piece without text has no frame either: an empty chunk would end the body. */
struct piece *piece_new(const char *text, size_t len);
struct piece *piece_ref(struct piece *p);
/* Takes NULL. */
void piece_unref(struct piece *p);
SN_DEFINE_CLEANUP(struct piece *, piece_unref);
