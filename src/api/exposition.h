/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text format in which Prometheus reads metrics, version 0.0.4. Pure.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * All samples of a family stand together behind its head. Names of metrics and
 * labels are ours and trusted; label values may come from outside.
 */
#pragma once

#include "base/strbuf.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE };

/* HELP and TYPE: once a family, before its samples. */
void exposition_head(struct strbuf *b, const char *name, enum exposition_type type,
		     const char *help);

struct exposition_label {
	const char *name, *value;
};
/*
 * One sample. Whole numbers up to 2^53 are printed as such, others in the shortest form
 * that reads back equal; NAN and INFINITY are values like others.
 */
void exposition_sample(struct strbuf *b, const char *name, const struct exposition_label *labels,
		       size_t n_labels, double value);

/*
 * A label's value, without the quotes: backslash, quote and line feed escaped. What is
 * no UTF-8, and control characters, become U+FFFD: a reader would refuse the page for the
 * first, and people look at it in terminals.
 */
void exposition_add_escaped(struct strbuf *b, const char *value);
