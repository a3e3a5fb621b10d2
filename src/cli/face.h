/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for a terminal, as a pure function of what is to be said: colours,
 * wrapping, tables. All text that goes in is escaped here, so callers pass what
 * they got from the daemon as it is.
 */
#pragma once

#include "base/array.h"
#include "base/strbuf.h"

struct face {
	bool colour;
	size_t width; /* columns; 0: no limit */
};

enum colour { PLAIN, GREEN, YELLOW, RED, BOLD, DIM };

/* Columns that text takes when it is shown (a character each; text is escaped already). */
size_t face_columns(const char *text);
/* Escaped, coloured. */
void face_add(struct strbuf *b, const struct face *f, enum colour colour, const char *text);
/*
 * Escaped words, wrapped: the line that b ends with has `indent` columns
 * already, the next ones begin with so many spaces. Ends the line.
 */
void face_add_wrapped(struct strbuf *b, const struct face *f, enum colour colour, size_t indent,
		      const char *text);
/* Escaped but for line feeds and tabs, for text of several lines. */
void face_add_lines(struct strbuf *b, const char *text);

/* --- numbers ------------------------------------------------------------------ */

/* "7s", "3m12s", "2h05m", "4d03h". */
void face_add_duration(struct strbuf *b, double seconds);
/* "512 B", "1.5 KiB", "23 MiB". */
void face_add_bytes(struct strbuf *b, double bytes);

/* --- tables ------------------------------------------------------------------- */

#define TABLE_MAX_COLUMNS 16

struct table_column {
	const char *title;
	size_t min; /* may be cut down to so many columns when the line is too long; 0: never */
	bool right;
};

struct table_text {
	enum colour colour;
	char *text; /* escaped; for notes raw */
};

struct table_row {
	struct table_text cells[TABLE_MAX_COLUMNS];
	size_t n;
	ARRAY(struct table_text) notes;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	ARRAY(struct table_row) rows;
};

void table_fini(struct table *t);
void table_add_row(struct table *t);
/* The next cell of the last row. */
void table_add_cell(struct table *t, enum colour colour, const char *text);
void table_add_cellf(struct table *t, enum colour colour, const char *fmt, ...) SN_PRINTF(3, 4);
/* A line of its own below the last row, wrapped, indented as far as the second column. */
void table_add_note(struct table *t, enum colour colour, const char *text);
void table_render(const struct table *t, const struct face *f, struct strbuf *b);
