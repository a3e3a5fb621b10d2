/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer.h"

#include "base/array.h"
#include "base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define MAX_SEGMENTS 32

static const char *const versions[] = { "2016-07-29", "latest" };

/* Null, and yet listed as folders: that is how the original shows an empty map or array. */
static const char *const folders[] = { "environments", "labels", "links", "ports" };

struct path {
	char *segment[MAX_SEGMENTS];
	size_t n;
};

static void path_fini(struct path *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->segment[i]);
}

static bool is_in(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (streq(s, list[i]))
			return true;
	}
	return false;
}

/* --- forms -------------------------------------------------------------------------- */

/* The q of one media range, in thousandths; "text/plain;q=0.5". */
static int quality(const char *range, size_t len)
{
	_cleanup_free_ char *s = xstrndup(range, len);
	const char *q = strcasestr(s, "q=");
	double value = q ? strtod(q + 2, NULL) : 1;

	return value >= 0 && value <= 1 ? (int)(value * 1000) : 0;
}

static bool range_is(const char *range, size_t len, const char *type)
{
	size_t n = strlen(type);

	return len >= n && strncasecmp(range, type, n) == 0 &&
	       (len == n || range[n] == ';' || isspace((unsigned char)range[n]));
}

enum answer_form answer_form_of(const char *accept)
{
	enum answer_form best = ANSWER_TEXT;
	int best_q = 0;

	for (const char *s = accept; s && *s;) {
		size_t len;
		bool json;

		s += strspn(s, " \t,");
		len = strcspn(s, ",");
		json = range_is(s, len, "application/json") || range_is(s, len, "application/*");
		if ((json || range_is(s, len, "text/plain") || range_is(s, len, "text/*") ||
		     range_is(s, len, "*/*")) &&
		    quality(s, len) > best_q) {
			best = json ? ANSWER_JSON : ANSWER_TEXT;
			best_q = quality(s, len);
		}
		s += len;
	}
	return best;
}

static void add_json(const json_t *v, struct strbuf *b)
{
	_cleanup_free_ char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	sn_require(text);
	strbuf_adds(b, text);
}

static void add_key(const char *key, struct strbuf *b)
{
	for (; *key; key++) {
		if (isalnum((unsigned char)*key) || strchr("-_.~", *key))
			strbuf_addc(b, *key);
		else
			strbuf_addf(b, "%%%02X", (unsigned char)*key);
	}
}

static int cmp_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object_listing(const json_t *v, struct strbuf *b)
{
	ARRAY(const char *) keys = { 0 };
	const char *key;
	json_t *child;

	json_object_foreach((json_t *)v, key, child)
		*array_add(&keys) = key;
	array_sort(&keys, cmp_keys);
	array_foreach(&keys, k) {
		child = json_object_get(v, *k);
		add_key(*k, b);
		if (json_is_object(child) || json_is_array(child) ||
		    (json_is_null(child) && is_in(*k, folders, SN_ARRAY_SIZE(folders))))
			strbuf_addc(b, '/');
		strbuf_addc(b, '\n');
	}
	array_free(&keys);
}

static const char *name_of(const json_t *v)
{
	const char *name = json_string_value(json_object_get(v, "name"));

	return name ? name : json_string_value(json_object_get(v, "uuid"));
}

static void add_array_listing(const json_t *v, struct strbuf *b)
{
	json_t *child;
	size_t i;

	json_array_foreach((json_t *)v, i, child) {
		const char *name = name_of(child);

		strbuf_addf(b, "%zu", i);
		if (name) {
			strbuf_addc(b, '=');
			add_key(name, b);
		} else if (json_is_object(child) || json_is_array(child)) {
			strbuf_addc(b, '/');
		}
		strbuf_addc(b, '\n');
	}
}

static void add_text(const json_t *v, struct strbuf *b)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		add_object_listing(v, b);
		break;
	case JSON_ARRAY:
		add_array_listing(v, b);
		break;
	case JSON_STRING:
		strbuf_adds(b, json_string_value(v));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
		add_json(v, b);
		break;
	case JSON_NULL:
		break;
	}
}

static void answer_value(const json_t *v, enum answer_form form, struct answer *a)
{
	a->status = 200;
	if (form == ANSWER_JSON)
		add_json(v, &a->body);
	else
		add_text(v, &a->body);
	if (json_is_object(v) || json_is_array(v))
		strbuf_add(&a->value, a->body.data, a->body.len);
	else
		add_text(v, &a->value);
}

static void answer_error(int status, const char *text, enum answer_form form, struct answer *a)
{
	a->status = status;
	if (form == ANSWER_JSON)
		strbuf_addf(&a->body, "{\"code\":%d,\"message\":\"%s\",\"type\":\"error\"}\n",
			    status, text);
	else
		strbuf_addf(&a->body, "%s\n", text);
}

/* --- paths --------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* NULL when an escape is none, or hides a NUL. */
static char *unescape(const char *s, size_t len)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, "", 0);
	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (s[i] != '%') {
			strbuf_addc(&b, s[i]);
			continue;
		}
		high = i + 1 < len ? hex_digit(s[i + 1]) : -1;
		low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
		if (high < 0 || low < 0 || high + low == 0)
			return NULL;
		strbuf_addc(&b, (char)(high << 4 | low));
		i += 2;
	}
	return strbuf_steal(&b);
}

/* 0, -1 for a bad escape. Empty segments, so the slash at the end too, are none. */
static int path_parse(const char *s, struct path *ret)
{
	while (*s) {
		size_t len = strcspn(s, "/");

		if (len > 0 && ret->n == MAX_SEGMENTS)
			break; /* no document is that deep: it is not found all the same */
		if (len > 0) {
			char *segment = unescape(s, len);

			if (!segment)
				return -1;
			ret->segment[ret->n++] = segment;
		}
		s += len + (s[len] == '/');
	}
	return 0;
}

static const json_t *find_by(const json_t *array, const char *key, const char *value)
{
	json_t *child;
	size_t i;

	json_array_foreach((json_t *)array, i, child) {
		const char *s = json_string_value(json_object_get(child, key));

		if (s && streq(s, value))
			return child;
	}
	return NULL;
}

static const json_t *array_child(const json_t *array, const char *segment)
{
	const json_t *found = NULL;
	size_t len = strlen(segment);

	if (len > 0 && len < 10 && strspn(segment, "0123456789") == len)
		found = json_array_get(array, strtoul(segment, NULL, 10));
	if (!found)
		found = find_by(array, "name", segment);
	return found ? found : find_by(array, "uuid", segment);
}

/* From the segment after the version on; NULL when there is no such thing. */
static const json_t *walk(const json_t *v, const struct path *p)
{
	for (size_t i = 1; v && i < p->n; i++)
		v = json_is_array(v) ? array_child(v, p->segment[i])
				     : json_object_get(v, p->segment[i]);
	return v;
}

static void path_lower(struct path *p)
{
	for (size_t i = 1; i < p->n; i++) {
		for (char *s = p->segment[i]; *s; s++)
			*s = (char)tolower((unsigned char)*s);
	}
}

static void answer_versions(enum answer_form form, struct answer *a)
{
	_cleanup_json_ json_t *list = json_object();

	for (size_t i = 0; i < SN_ARRAY_SIZE(versions); i++) {
		_cleanup_free_ char *path = xasprintf("/%s", versions[i]);

		json_object_set_new(list, versions[i], json_string(path));
	}
	/* its text form is the names alone: they are strings, not folders */
	answer_value(list, form, a);
}

static void answer_path(const json_t *root, struct path *p, enum answer_form form, struct answer *a)
{
	const json_t *found;

	if (!is_in(p->segment[0], versions, SN_ARRAY_SIZE(versions))) {
		answer_error(404, "Invalid version", form, a);
		return;
	}
	found = walk(root, p);
	if (!found) {
		path_lower(p);
		found = walk(root, p);
	}
	if (found)
		answer_value(found, form, a);
	else
		answer_error(404, "Not found", form, a);
}

void answer_make(const json_t *root, const char *path, enum answer_form form, struct answer *ret)
{
	_cleanup_(path_fini) struct path p = { .n = 0 };

	*ret = (struct answer){ 0 };
	if (path_parse(path, &p) < 0) {
		ret->status = 400;
		strbuf_adds(&ret->body, "400 Bad Request");
	} else if (p.n == 0) {
		answer_versions(form, ret);
	} else if (p.n == 1 && streq(p.segment[0], "favicon.ico")) {
		answer_error(404, "404 page not found", ANSWER_TEXT, ret);
	} else {
		answer_path(root, &p, form, ret);
	}
}

void answer_fini(struct answer *a)
{
	strbuf_fini(&a->body);
	strbuf_fini(&a->value);
}
