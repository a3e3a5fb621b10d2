/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/apparmor.h"

#include <ctype.h>

/* Nesting of braces and of stars; a profile that needs more matches nothing. */
#define MAX_DEPTH 64
/* Tries of one glob: each star and brace multiplies them. */
#define MAX_TRIES 20000u

/* One glob against one path. */
struct match {
	unsigned depth, tries;
};

static bool glob_from(const char *g, const char *p, struct match *m);

/* Past the closing brace of the alternatives that begin after g[-1] == '{'; NULL: none. */
static const char *brace_end(const char *g)
{
	for (unsigned depth = 1; *g; g++) {
		depth += *g == '{';
		depth -= *g == '}';
		if (depth == 0)
			return g + 1;
	}
	return NULL;
}

/* Each alternative, with what follows the brace, against the path. */
static bool match_brace(const char *g, const char *p, struct match *m)
{
	const char *rest = brace_end(g), *begin = g;
	unsigned nested = 0;

	for (; rest && g < rest; g++) {
		_cleanup_free_ char *whole = NULL;

		nested += *g == '{';
		if (*g == '}' && nested > 0 && g + 1 < rest) {
			nested--;
			continue;
		}
		if (nested || (*g != ',' && g + 1 != rest))
			continue;
		whole = xasprintf("%.*s%s", (int)(g - begin), begin, rest);
		if (glob_from(whole, p, m))
			return true;
		begin = g + 1;
	}
	return false;
}

/* One star ends at a slash, two do not. */
static bool match_star(const char *g, const char *p, struct match *m)
{
	bool any = g[1] == '*';

	for (g += any ? 2 : 1;; p++) {
		if (glob_from(g, p, m))
			return true;
		if (!*p || (!any && *p == '/'))
			return false;
	}
}

static bool match_class(const char *g, const char *p, struct match *m)
{
	const char *end = strchr(g + 1, ']');
	bool no = g[1] == '^', in = false;

	if (!end || !*p || *p == '/')
		return false;
	for (g += no ? 2 : 1; g < end; g++) {
		if (g + 2 < end && g[1] == '-') {
			in |= *p >= g[0] && *p <= g[2];
			g += 2;
		} else {
			in |= *p == *g;
		}
	}
	return in != no && glob_from(end + 1, p + 1, m);
}

static bool glob_here(const char *g, const char *p, struct match *m)
{
	for (; *g; g++, p++) {
		if (*g == '{')
			return match_brace(g + 1, p, m);
		if (*g == '*')
			return match_star(g, p, m);
		if (*g == '[')
			return match_class(g, p, m);
		if (*g == '\\' && g[1])
			g++;
		else if (*g == '?' && *p && *p != '/')
			continue;
		if (*g != *p)
			return false;
	}
	return !*p;
}

static bool glob_from(const char *g, const char *p, struct match *m)
{
	bool r;

	if (m->depth == MAX_DEPTH || m->tries == MAX_TRIES)
		return false;
	m->tries++;
	m->depth++;
	r = glob_here(g, p, m);
	m->depth--;
	return r;
}

bool apparmor_glob(const char *glob, const char *path)
{
	struct match m = { 0 };

	return glob_from(glob, path, &m);
}

/* The next word of the line, without quotes; NULL at its end. The line is changed. */
static char *next_word(char **line)
{
	char *p = *line + strspn(*line, " \t"), *end;
	bool quoted = *p == '"';

	p += quoted;
	end = quoted ? strchrnul(p, '"') : p + strcspn(p, " \t");
	if (!*p)
		return NULL;
	*line = *end ? end + 1 : end;
	*end = '\0';
	return p;
}

/* Permissions that one line gives (or, *ret_deny, takes) for the path; "" for none. */
static const char *rule_permissions(char *line, const char *path, bool *ret_deny)
{
	char *glob, *permissions;

	*ret_deny = false;
	for (;;) {
		glob = next_word(&line);
		if (!glob ||
		    (!streq(glob, "deny") && !streq(glob, "owner") && !streq(glob, "audit") &&
		     !streq(glob, "allow") && !streq(glob, "file")))
			break;
		*ret_deny |= streq(glob, "deny");
	}
	if (!glob || (*glob != '/' && *glob != '{'))
		return "";
	permissions = next_word(&line);
	if (!permissions || !apparmor_glob(glob, path))
		return "";
	permissions[strcspn(permissions, ",")] = '\0';
	return permissions;
}

bool apparmor_allows(const char *text, const char *path, const char *permissions)
{
	_cleanup_free_ char *copy = xstrdup(text);
	bool have[256] = { false }, denied[256] = { false };
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool deny;
		const char *p;

		line += strspn(line, " \t");
		if (*line == '#')
			continue;
		for (p = rule_permissions(line, path, &deny); *p; p++)
			(deny ? denied : have)[(unsigned char)*p] = true;
	}
	for (const char *p = permissions; *p; p++)
		if (!have[(unsigned char)*p] || denied[(unsigned char)*p])
			return false;
	return true;
}

enum apparmor_mode apparmor_mode_in(const char *profiles, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = profiles; *line; line += line[0] == '\n') {
		size_t n = strcspn(line, "\n");

		if (n > len + 2 && memcmp(line, name, len) == 0 && line[len] == ' ' &&
		    line[len + 1] == '(')
			return sn_startswith(line + len + 2, "complain)") ||
					       sn_startswith(line + len + 2, "unconfined)")
				       ? APPARMOR_COMPLAIN
				       : APPARMOR_ENFORCE;
		line += n;
	}
	return APPARMOR_NONE;
}
