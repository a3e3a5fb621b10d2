/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages as charon 5.9.8 sent them, in recorded/<name>.hex; where they lie is said by meson. */
#pragma once

#include "base/file.h"
#include "ike/vici_codec.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline unsigned hex_digit(char c)
{
	return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static inline struct vici_node *recorded(const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.hex", RECORDED, name);
	_cleanup_free_ char *text = NULL;
	struct vici_node *root = NULL;
	struct sn_error e;
	uint8_t *bytes;
	size_t len, n = 0;

	assert_int_equal(file_read(path, 65536, &text, &len), 0);
	bytes = (uint8_t *)text; /* two digits give one byte: it never overtakes the reader */
	for (const char *p = text; *p; p++) {
		if (isspace((unsigned char)*p))
			continue;
		bytes[n++] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
		p++;
	}
	assert_int_equal(vici_parse(bytes, n, &root, &e), 0);
	return root;
}

/* What was written, read again. */
static inline struct vici_node *reread(const struct vici_writer *w)
{
	struct vici_node *root = NULL;
	struct sn_error e;

	assert_int_equal(vici_writer_check(w), 0);
	assert_int_equal(vici_parse((const uint8_t *)w->b.data, w->b.len, &root, &e), 0);
	return root;
}
