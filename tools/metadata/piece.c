/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "piece.h"

#include <stdio.h>

struct piece *piece_new(const char *text, size_t len)
{
	char frame[32];
	size_t at = len ? (size_t)snprintf(frame, sizeof(frame), "%zx\r\n", len) : 0;
	size_t framed_len = len ? at + len + 2 : 0;
	struct piece *p = xmalloc(sizeof(*p) + framed_len);

	*p = (struct piece){ .refs = 1, .at = at, .len = len, .framed_len = framed_len };
	if (len) {
		memcpy(p->framed, frame, at);
		memcpy(p->framed + at, text, len);
		memcpy(p->framed + at + len, "\r\n", 2);
	}
	return p;
}

struct piece *piece_ref(struct piece *p)
{
	p->refs++;
	return p;
}

void piece_unref(struct piece *p)
{
	if (p && --p->refs == 0)
		free(p);
}
