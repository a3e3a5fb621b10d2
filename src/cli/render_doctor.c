/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sennit doctor`: what is worst first, each with why it matters and what to do;
 * then what could not be seen, and one line that sums it up.
 */
#include "cli/render.h"

#include <stdio.h>

/* "fault    " */
#define LABEL_COLUMNS 9

static const struct {
	const char *name, *plural;
	enum colour colour;
} severities[] = {
	{ "fault", "faults", RED },
	{ "warning", "warnings", YELLOW },
	{ "note", "notes", BOLD },
	{ "ok", "fine", GREEN },
};

static void add_line(struct strbuf *b, const struct face *f, enum colour label_colour,
		     const char *label, enum colour colour, const char *text)
{
	face_add(b, f, label_colour, label);
	strbuf_addf(b, "%*s", (int)(LABEL_COLUMNS - strlen(label)), "");
	face_add_wrapped(b, f, colour, LABEL_COLUMNS, text);
}

static void add_fix(struct strbuf *b, const struct face *f, const json_t *fix)
{
	_cleanup_free_ char *text = NULL;
	const char *what = render_text(fix, "what");

	if (render_flag(fix, "done"))
		text = xasprintf("done: %s", what);
	else if (render_flag(fix, "tried"))
		text = xasprintf("could not %s: %s", what, render_text(fix, "error"));
	else
		text = xasprintf("'sennit doctor --fix' would %s", what);
	add_line(b, f, PLAIN, "  fix", render_flag(fix, "done") ? GREEN : PLAIN, text);
}

static void add_finding(struct strbuf *b, const struct face *f, enum colour colour,
			const json_t *finding)
{
	const json_t *fix = json_object_get(finding, "fix");
	_cleanup_free_ char *seen =
		xasprintf("%s: %s", render_text(finding, "check"), render_text(finding, "seen"));

	add_line(b, f, colour, render_text(finding, "severity"), BOLD, seen);
	add_line(b, f, PLAIN, "  why", PLAIN, render_text(finding, "why"));
	add_line(b, f, PLAIN, "  next", PLAIN, render_text(finding, "next"));
	if (fix)
		add_fix(b, f, fix);
	strbuf_addc(b, '\n');
}

static void add_fine(struct strbuf *b, const struct face *f, const json_t *finding)
{
	_cleanup_free_ char *seen =
		xasprintf("%s: %s", render_text(finding, "check"), render_text(finding, "seen"));

	add_line(b, f, GREEN, "ok", PLAIN, seen);
}

static void add_unseen(struct strbuf *b, const struct face *f, const json_t *unseen)
{
	for (size_t i = 0; i < json_array_size(unseen); i++) {
		const char *text = json_string_value(json_array_get(unseen, i));

		add_line(b, f, YELLOW, "unseen", PLAIN, text ? text : "-");
	}
	if (json_array_size(unseen) > 0)
		strbuf_addc(b, '\n');
}

static double count_of(const json_t *result, const char *severity)
{
	double n = 0;

	render_number(json_object_get(result, "summary"), severity, &n);
	return n;
}

/* "29 checks in 0.3 s: 1 fault, 2 warnings" */
static void add_summary(struct strbuf *b, const struct face *f, const json_t *result)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	enum colour colour = GREEN;
	double checks = 0, took = 0;
	bool any = false;

	render_number(result, "checks", &checks);
	render_number(result, "took_ms", &took);
	strbuf_addf(&text, "%.0f checks in %.1f s:", checks, took / 1000);
	for (size_t i = 0; i < 3; i++) {
		double n = count_of(result, severities[i].name);

		if (n == 0)
			continue;
		if (!any)
			colour = severities[i].colour;
		strbuf_addf(&text, "%s %.0f %s", any ? "," : "", n,
			    n == 1 ? severities[i].name : severities[i].plural);
		any = true;
	}
	if (!any)
		strbuf_adds(&text, " nothing is wrong");
	face_add(b, f, colour, strbuf_str(&text));
	strbuf_addc(b, '\n');
}

void render_doctor(const json_t *result, bool verbose, const struct face *f, struct strbuf *b)
{
	const json_t *findings = json_object_get(result, "findings");
	bool any_fine = false;

	for (size_t s = 0; s < SN_ARRAY_SIZE(severities); s++) {
		bool fine = streq(severities[s].name, "ok");

		for (size_t i = 0; i < json_array_size(findings) && (!fine || verbose); i++) {
			const json_t *o = json_array_get(findings, i);

			if (!streq(render_text(o, "severity"), severities[s].name))
				continue;
			if (fine)
				add_fine(b, f, o);
			else
				add_finding(b, f, severities[s].colour, o);
			any_fine |= fine;
		}
	}
	if (any_fine)
		strbuf_addc(b, '\n');
	add_unseen(b, f, json_object_get(result, "unseen"));
	add_summary(b, f, result);
}
