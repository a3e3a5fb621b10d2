/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/exposition.h"

#include <math.h>
#include <stdio.h>

#define REPLACEMENT "\xef\xbf\xbd"   /* U+FFFD */
#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/* In help texts quotes stay as they are. */
static void add_help(struct strbuf *b, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\')
			strbuf_adds(b, "\\\\");
		else if (*help == '\n')
			strbuf_adds(b, "\\n");
		else
			strbuf_addc(b, *help);
	}
}

void exposition_head(struct strbuf *b, const char *name, enum exposition_type type,
		     const char *help)
{
	strbuf_adds(b, "# HELP ");
	strbuf_adds(b, name);
	strbuf_addc(b, ' ');
	add_help(b, help);
	strbuf_adds(b, "\n# TYPE ");
	strbuf_adds(b, name);
	strbuf_adds(b, type == EXPOSITION_COUNTER ? " counter\n" : " gauge\n");
}

void exposition_add_escaped(struct strbuf *b, const char *value)
{
	while (*value) {
		size_t n = strbuf_utf8_length(value);
		unsigned char c = (unsigned char)*value;

		if (c == '\\' || c == '"') {
			strbuf_addc(b, '\\');
			strbuf_addc(b, *value);
		} else if (c == '\n') {
			strbuf_adds(b, "\\n");
		} else if (n == 0 || c < 0x20 || c == 0x7f) {
			strbuf_adds(b, REPLACEMENT);
		} else {
			strbuf_add(b, value, n);
		}
		value += n ? n : 1;
	}
}

/*
 * Most values are whole, and a page of many peers has thousands: digits by hand,
 * printf(3) for the rest.
 */
static void add_value(struct strbuf *b, double value)
{
	char text[32], *p = text + sizeof(text) - 1;
	unsigned long long whole;

	if (isnan(value) || isinf(value)) {
		strbuf_adds(b, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (value >= -EXACT_MAX && value <= EXACT_MAX && (double)(long long)value == value) {
		*p = '\0';
		whole = (unsigned long long)(value < 0 ? -value : value);
		do
			*--p = (char)('0' + whole % 10);
		while ((whole /= 10) > 0);
		if (value < 0)
			*--p = '-';
		strbuf_adds(b, p);
		return;
	}
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	strbuf_adds(b, text);
}

void exposition_sample(struct strbuf *b, const char *name, const struct exposition_label *labels,
		       size_t n_labels, double value)
{
	strbuf_adds(b, name);
	for (size_t i = 0; i < n_labels; i++) {
		strbuf_addc(b, i ? ',' : '{');
		strbuf_adds(b, labels[i].name);
		strbuf_adds(b, "=\"");
		exposition_add_escaped(b, labels[i].value);
		strbuf_addc(b, '"');
	}
	if (n_labels)
		strbuf_addc(b, '}');
	strbuf_addc(b, ' ');
	add_value(b, value);
	strbuf_addc(b, '\n');
}
