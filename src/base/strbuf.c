/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>

void strbuf_fini(struct strbuf *b)
{
	free(b->data);
	*b = STRBUF_INIT;
}

void strbuf_clear(struct strbuf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

static void grow(struct strbuf *b, size_t more)
{
	size_t want = b->len + more + 1;

	if (want <= b->size)
		return;
	b->size = SN_MAX(want, b->size * 2 + 32);
	b->data = xreallocarray(b->data, b->size, 1);
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	grow(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	sn_require(n >= 0);
	grow(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

char *strbuf_steal(struct strbuf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	*b = STRBUF_INIT;
	return s;
}

size_t strbuf_utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80                   ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	/* C1 control codes move a terminal's cursor as well as C0 does */
	if (s[0] == 0xc2 && s[1] < 0xa0)
		return 0;
	return n;
}

/*
 * What turns the reading direction of a line around, or breaks it: U+061C, U+200E and F,
 * U+2028 to 202E, U+2066 to 2069 (UAX #9). s is valid UTF-8.
 */
static bool turns_around(const unsigned char *s)
{
	if (s[0] == 0xd8)
		return s[1] == 0x9c;
	if (s[0] != 0xe2)
		return false;
	return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
	       (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

void strbuf_add_escaped(struct strbuf *b, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t n = strbuf_utf8_length((const char *)p);

		if (*p == '\n') {
			strbuf_adds(b, "\\n");
			p++;
		} else if (n == 0 || *p < 0x20 || *p == 0x7f || *p == '\\' || turns_around(p)) {
			strbuf_addf(b, "\\x%02x", *p);
			p++;
		} else {
			strbuf_add(b, p, n);
			p += n;
		}
	}
}
