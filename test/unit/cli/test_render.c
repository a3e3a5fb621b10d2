/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden tests of what the verbs print: data/RENDERER-CASE.json is the
 * daemon's answer, data/RENDERER-CASE.txt what stands on the screen, 100
 * columns wide and without colours. REGENERATE=1 writes the texts anew (look
 * at the difference before you commit it).
 */
#include "base/file.h"
#include "cli/render.h"

#include <glob.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MAX_CASES 64
#define MAX_BYTES (1u << 20)

static void render_doctor_all(const json_t *v, const struct face *f, struct strbuf *b)
{
	render_doctor(v, true, f, b);
}

static void render_doctor_brief(const json_t *v, const struct face *f, struct strbuf *b)
{
	render_doctor(v, false, f, b);
}

static const struct {
	const char *prefix;
	void (*render)(const json_t *v, const struct face *f, struct strbuf *b);
} renderers[] = {
	{ "status-", render_status },
	{ "peers-", render_peers },
	{ "attachments-", render_attachments },
	{ "attached-", render_attached },
	{ "plan-", render_plan },
	{ "doctor-all-", render_doctor_all },
	{ "doctor-brief-", render_doctor_brief },
};

static json_t *read_json(const char *path)
{
	_cleanup_free_ char *text = NULL;
	json_t *v = NULL;
	struct sn_error e;
	size_t len;

	assert_int_equal(file_read(path, MAX_BYTES, &text, &len), 0);
	assert_int_equal(json_parse(text, len, &v, &e), 0);
	return v;
}

static char *render(const char *path, const struct face *f)
{
	_cleanup_free_ char *copy = xstrdup(path);
	_cleanup_json_ json_t *v = read_json(path);
	const char *name = basename(copy);
	struct strbuf b = STRBUF_INIT;

	for (size_t i = 0; i < SN_ARRAY_SIZE(renderers); i++) {
		if (sn_startswith(name, renderers[i].prefix)) {
			renderers[i].render(v, f, &b);
			return strbuf_steal(&b);
		}
	}
	fail_msg("no renderer for %s", name);
	return NULL;
}

static char *text_path(const char *path)
{
	return xasprintf("%.*s.txt", (int)(strlen(path) - strlen(".json")), path);
}

static void expect_no_control_bytes(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t')
			fail_msg("byte %02x in: %s", (unsigned)*p, p);
	assert_null(strstr(text, " \n"));
}

/* The peers' table is as long as it must be; everything else stays on the screen. */
static void expect_width(const char *name, const char *text)
{
	if (strstr(name, "/peers-"))
		return;
	while (*text) {
		size_t n = strcspn(text, "\n");
		_cleanup_free_ char *line = xstrndup(text, n);

		if (face_columns(line) > 100)
			fail_msg("too long: %s", line);
		text += n + (text[n] ? 1 : 0);
	}
}

static void the_screen_shows_what_the_golden_file_says(void **state)
{
	const char *path = *state;
	const struct face plain = { .width = strstr(path, "/peers-") ? 0 : 100 };
	_cleanup_free_ char *golden_path = text_path(path), *golden = NULL;
	_cleanup_free_ char *text = render(path, &plain);
	size_t len;

	if (getenv("REGENERATE"))
		assert_int_equal(file_write_atomic(golden_path, text, strlen(text), 0644), 0);
	assert_int_equal(file_read(golden_path, MAX_BYTES, &golden, &len), 0);
	assert_string_equal(text, golden);
	expect_no_control_bytes(text);
	expect_width(path, text);
}

/* Colours change nothing but colours. */
static void colours_leave_the_text_as_it_is(void **state)
{
	const size_t width = strstr(*state, "/peers-") ? 0 : 100;
	const struct face plain = { .width = width }, colour = { .width = width, .colour = true };
	_cleanup_free_ char *without = render(*state, &plain), *with = render(*state, &colour);
	char *out = with;

	for (const char *p = with; *p;) {
		if (*p == '\033') {
			p += strcspn(p, "m") + 1;
			continue;
		}
		*out++ = *p++;
	}
	*out = '\0';
	assert_string_equal(without, with);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[2 * MAX_CASES];
	_cleanup_free_ char *pattern = xasprintf("%s/*.json", argc > 1 ? argv[1] : ".");
	size_t n = 0;
	glob_t g;
	int r;

	if (glob(pattern, 0, NULL, &g) != 0 || g.gl_pathc > MAX_CASES)
		return 1;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const struct CMUnitTest both[] = {
			{ g.gl_pathv[i], the_screen_shows_what_the_golden_file_says, NULL, NULL,
			  g.gl_pathv[i] },
			{ "in colour", colours_leave_the_text_as_it_is, NULL, NULL, g.gl_pathv[i] },
		};

		memcpy(&tests[n], both, sizeof(both));
		n += 2;
	}
	r = _cmocka_run_group_tests("cli/render", tests, n, NULL, NULL);
	globfree(&g);
	return r;
}
