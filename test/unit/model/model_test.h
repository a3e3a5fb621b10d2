/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the model share: documents, snapshots made of them, and looking things up. */
#pragma once

#include "base/file.h"
#include "base/json.h"
#include "model/snapshot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* JSON in C: 'x' stands for "x" with double quotes. */
static inline json_t *json_of(const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct sn_error e;
	json_t *v = NULL;

	for (char *p = copy; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	if (json_parse(copy, strlen(copy), &v, &e) < 0)
		fail_msg("%s: %s", e.text, copy);
	return v;
}

static inline json_t *json_of_file(const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", TEST_DATA, name), *text = NULL;
	struct sn_error e;
	json_t *v = NULL;
	size_t len;

	if (file_read(path, 1 << 20, &text, &len) < 0 || json_parse(text, len, &v, &e) < 0)
		fail_msg("cannot read %s", path);
	return v;
}

/* "10.42.1.0/24 10.42.9.1/32" */
static inline const char *prefixes_of(const struct snapshot *s, const char *id)
{
	static char text[1024];
	const struct host *h = snapshot_find(s, id);

	text[0] = '\0';
	if (!h)
		return "no such host";
	array_foreach(&h->prefixes, p) {
		if (text[0])
			strcat(text, " ");
		strcat(text, SN_PREFIX_STR(p));
	}
	return text;
}

static inline const char *overlay_ip_of(const struct snapshot *s, const char *id)
{
	static char text[SN_ADDR_STRLEN];
	const struct host *h = snapshot_find(s, id);

	return h ? sn_addr_format(sn_addr_pair_first(&h->overlay_ip), text) : "no such host";
}

static inline const char *underlay_of(const struct snapshot *s, const char *id)
{
	static char text[SN_ADDR_STRLEN];
	const struct host *h = snapshot_find(s, id);

	return h && h->underlay.n ? sn_addr_format(&h->underlay.v[0], text) : "no such host";
}

/* "active", or "gone by h2". */
static inline const char *state_of(const struct snapshot *s, const char *id)
{
	static char text[SN_ID_SIZE + 16];
	const struct host *h = snapshot_find(s, id);

	if (!h)
		return "no such host";
	snprintf(text, sizeof(text), "%s%s%s", host_state_to_string(h->state),
		 h->state == HOST_GONE ? " by " : "", h->replaced_by);
	return text;
}

/* The text of the problem at a place, "" when there is none. */
static inline const char *problem_at(const struct snapshot *s, const char *place)
{
	array_foreach(&s->problems, p) {
		if (streq(p->place, place))
			return p->text;
	}
	return "";
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}
