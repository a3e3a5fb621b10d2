/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/face.h"

#include <stdarg.h>
#include <stdio.h>

/* What a cut text ends with; ASCII, for the serial console at 3 a.m. */
#define CUT ".."
/* Notes keep so many columns even when the terminal has fewer. */
#define MIN_TEXT 20

static const char *const codes[] = {
	[PLAIN] = "",       [GREEN] = "\033[32m", [YELLOW] = "\033[33m",
	[RED] = "\033[31m", [BOLD] = "\033[1m",   [DIM] = "\033[2m",
};

/* --- text -------------------------------------------------------------------- */

size_t face_columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* The byte where column n begins, or the end. */
static size_t byte_of_column(const char *text, size_t n)
{
	const char *p = text;

	for (; *p; p++)
		if ((*p & 0xc0) != 0x80 && n-- == 0)
			break;
	return (size_t)(p - text);
}

static void add_coloured(struct strbuf *b, const struct face *f, enum colour colour,
			 const char *text, size_t len)
{
	bool paint = f->colour && colour != PLAIN && len > 0;

	if (paint)
		strbuf_adds(b, codes[colour]);
	strbuf_add(b, text, len);
	if (paint)
		strbuf_adds(b, "\033[0m");
}

void face_add(struct strbuf *b, const struct face *f, enum colour colour, const char *text)
{
	_cleanup_strbuf_ struct strbuf escaped = STRBUF_INIT;

	strbuf_add_escaped(&escaped, text);
	add_coloured(b, f, colour, strbuf_str(&escaped), escaped.len);
}

static void add_spaces(struct strbuf *b, size_t n)
{
	strbuf_addf(b, "%*s", (int)n, "");
}

/* Bytes of text for a line of that many columns: up to a space if there is one. */
static size_t line_length(const char *text, size_t columns)
{
	size_t fits = byte_of_column(text, columns), n = fits;

	if (!text[fits])
		return fits;
	while (n > 0 && text[n] != ' ')
		n--;
	return n > 0 ? n : fits;
}

void face_add_wrapped(struct strbuf *b, const struct face *f, enum colour colour, size_t indent,
		      const char *text)
{
	_cleanup_strbuf_ struct strbuf escaped = STRBUF_INIT;
	size_t columns = f->width == 0                  ? SIZE_MAX
			 : f->width < indent + MIN_TEXT ? MIN_TEXT
							: f->width - indent;
	const char *p;

	strbuf_add_escaped(&escaped, text);
	p = strbuf_str(&escaped);
	for (;;) {
		size_t n = line_length(p, columns);

		add_coloured(b, f, colour, p, n);
		strbuf_addc(b, '\n');
		p += n;
		p += strspn(p, " ");
		if (!*p)
			return;
		add_spaces(b, indent);
	}
}

void face_add_lines(struct strbuf *b, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n\t");
		_cleanup_free_ char *piece = xstrndup(text, n);

		strbuf_add_escaped(b, piece);
		if (text[n])
			strbuf_addc(b, text[n++]);
		text += n;
	}
}

/* --- numbers ------------------------------------------------------------------ */

void face_add_duration(struct strbuf *b, double seconds)
{
	long long s = seconds > 0 && seconds < 1e15 ? (long long)seconds : 0;

	if (s < 60)
		strbuf_addf(b, "%llds", s);
	else if (s < 3600)
		strbuf_addf(b, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		strbuf_addf(b, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		strbuf_addf(b, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

void face_add_bytes(struct strbuf *b, double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t unit = 0;

	while (bytes >= 1024 && unit + 1 < SN_ARRAY_SIZE(units)) {
		bytes /= 1024;
		unit++;
	}
	strbuf_addf(b, unit && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* --- tables ------------------------------------------------------------------- */

void table_fini(struct table *t)
{
	array_foreach(&t->rows, row) {
		for (size_t i = 0; i < row->n; i++)
			free(row->cells[i].text);
		array_foreach(&row->notes, note)
			free(note->text);
		array_free(&row->notes);
	}
	array_free(&t->rows);
}

void table_add_row(struct table *t)
{
	array_add(&t->rows);
}

static struct table_row *last_row(struct table *t)
{
	sn_require(t->rows.n > 0);
	return &t->rows.v[t->rows.n - 1];
}

void table_add_cell(struct table *t, enum colour colour, const char *text)
{
	_cleanup_strbuf_ struct strbuf escaped = STRBUF_INIT;
	struct table_row *row = last_row(t);

	sn_require(row->n < t->n_columns);
	strbuf_add_escaped(&escaped, text);
	row->cells[row->n++] =
		(struct table_text){ .colour = colour, .text = strbuf_steal(&escaped) };
}

void table_add_cellf(struct table *t, enum colour colour, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	sn_require(n >= 0);
	table_add_cell(t, colour, text);
}

void table_add_note(struct table *t, enum colour colour, const char *text)
{
	*array_add(&last_row(t)->notes) =
		(struct table_text){ .colour = colour, .text = xstrdup(text) };
}

static void natural_widths(const struct table *t, size_t widths[TABLE_MAX_COLUMNS])
{
	for (size_t i = 0; i < t->n_columns; i++)
		widths[i] = face_columns(t->columns[i].title);
	array_foreach(&t->rows, row)
		for (size_t i = 0; i < row->n; i++)
			widths[i] = SN_MAX(widths[i], face_columns(row->cells[i].text));
}

/* Cuts the widest column that may be cut until the line fits or none is left. */
static void fit_widths(const struct table *t, size_t limit, size_t widths[TABLE_MAX_COLUMNS])
{
	size_t total = 2 * (t->n_columns - 1);

	for (size_t i = 0; i < t->n_columns; i++)
		total += widths[i];
	for (; limit && total > limit; total--) {
		size_t *widest = NULL;

		for (size_t i = 0; i < t->n_columns; i++) {
			size_t min = t->columns[i].min;

			if (min && widths[i] > min && (!widest || widths[i] > *widest))
				widest = &widths[i];
		}
		if (!widest)
			return;
		--*widest;
	}
}

static void add_cell(const struct table *t, const struct face *f, size_t i, size_t width,
		     const struct table_text *cell, struct strbuf *b)
{
	size_t columns = face_columns(cell->text);
	bool cut = columns > width;
	size_t len = cut ? byte_of_column(cell->text, width - strlen(CUT)) : strlen(cell->text);
	size_t pad = cut ? 0 : width - columns;

	if (t->columns[i].right)
		add_spaces(b, pad);
	add_coloured(b, f, cell->colour, cell->text, len);
	if (cut)
		strbuf_adds(b, CUT);
	add_spaces(b, 2 + (t->columns[i].right ? 0 : pad));
}

/* The last cells may be empty. */
static void end_line(struct strbuf *b)
{
	while (b->len > 0 && b->data[b->len - 1] == ' ')
		b->len--;
	strbuf_addc(b, '\n');
}

void table_render(const struct table *t, const struct face *f, struct strbuf *b)
{
	size_t widths[TABLE_MAX_COLUMNS];

	sn_require(t->n_columns > 0 && t->n_columns <= TABLE_MAX_COLUMNS);
	natural_widths(t, widths);
	fit_widths(t, f->width, widths);
	for (size_t i = 0; i < t->n_columns; i++) {
		struct table_text title = { BOLD, (char *)t->columns[i].title };

		add_cell(t, f, i, widths[i], &title, b);
	}
	end_line(b);
	array_foreach(&t->rows, row) {
		for (size_t i = 0; i < row->n; i++)
			add_cell(t, f, i, widths[i], &row->cells[i], b);
		end_line(b);
		array_foreach(&row->notes, note) {
			add_spaces(b, widths[0] + 2);
			face_add_wrapped(b, f, note->colour, widths[0] + 2, note->text);
		}
	}
}
