/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/exposition.h"

#include <math.h>
#include <stdio.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define MICRO 1e6
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
 * By hand what has six decimals at most, which is nearly all: a page of many peers has
 * thousands of values, and printf(3) of a double takes a microsecond. false: it
 * has more.
 */
static bool add_decimal(struct strbuf *b, double value)
{
	double size = value < 0 ? -value : value;
	long long micros;
	char text[32], *p = text + sizeof(text);
	int decimals = 6;

	if (!(size <= EXACT_MAX / MICRO))
		return false;
	micros = (long long)(size * MICRO + 0.5);
	if ((double)micros / MICRO != size)
		return false;
	for (; decimals > 0 && micros % 10 == 0; decimals--)
		micros /= 10;
	for (int i = 0; i <= decimals || micros > 0; i++) {
		if (i == decimals && decimals > 0)
			*--p = '.';
		*--p = (char)('0' + micros % 10);
		micros /= 10;
	}
	if (value < 0)
		*--p = '-';
	strbuf_add(b, p, (size_t)(text + sizeof(text) - p));
	return true;
}

static void add_value(struct strbuf *b, double value)
{
	char text[32];

	if (isnan(value) || isinf(value)) {
		strbuf_adds(b, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (add_decimal(b, value))
		return;
	if (value >= -EXACT_MAX && value <= EXACT_MAX && (double)(long long)value == value) {
		strbuf_addf(b, "%lld", (long long)value);
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
