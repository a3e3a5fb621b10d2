/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing, always NUL-terminated string. Zero-initialised is empty and
 * valid (STRBUF_INIT); data is NULL until something was added, so read it
 * with strbuf_str().
 */
#pragma once

#include "base/util.h"

struct strbuf {
	char *data;
	size_t len;  /* bytes before the NUL */
	size_t size; /* allocated */
};

#define STRBUF_INIT ((struct strbuf){ 0 })
#define _cleanup_strbuf_ _cleanup_(strbuf_fini)

void strbuf_fini(struct strbuf *b);
void strbuf_clear(struct strbuf *b);
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) SN_PRINTF(2, 3);
/* The text; "" when empty. Owned by the buffer. */
const char *strbuf_str(const struct strbuf *b);
/* Hands the text to the caller (free it) and leaves the buffer empty. */
char *strbuf_steal(struct strbuf *b);

/*
 * Text from outside made safe for a terminal or a log line: control bytes,
 * DEL, backslash, bytes that are no UTF-8 and what changes the direction of
 * reading become \xNN, a line feed \n.
 */
void strbuf_add_escaped(struct strbuf *b, const char *s);
/* Bytes of the UTF-8 sequence at s (RFC 3629); 0 when it is none or a C1 control code. */
size_t strbuf_utf8_length(const char *s);
