/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include "base/nearest.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

bool json_is_page(const char *text, size_t len)
{
	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	return len && *text == '<';
}

int json_parse(const char *text, size_t len, json_t **ret, struct sn_error *e)
{
	json_error_t je;
	json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

	if (!v && json_is_page(text, len))
		return sn_error_set(e, -EINVAL, JSON_PAGE_TEXT);
	if (!v)
		return sn_error_set(e, -EINVAL, "line %d, column %d: not JSON: %s", je.line,
				    je.column, je.text);
	*ret = v;
	return 0;
}

/* RFC 6901: "~" is written ~0 and "/" ~1. */
static void add_pointer(struct strbuf *b, const struct json_place *at)
{
	if (!at)
		return;
	add_pointer(b, at->parent);
	strbuf_addc(b, '/');
	if (!at->key) {
		strbuf_addf(b, "%zu", at->index);
		return;
	}
	for (const char *p = at->key; *p; p++) {
		if (*p == '~' || *p == '/')
			strbuf_adds(b, *p == '~' ? "~0" : "~1");
		else
			strbuf_addc(b, *p);
	}
}

int json_fail(const struct json_place *at, struct sn_error *e, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	char text[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_pointer(&b, at);
	return sn_error_set(e, -EINVAL, "%s: %s", b.len ? strbuf_str(&b) : "/", text);
}

/* 1 with *ret: a value; 0: absent and optional; -EINVAL: absent and required. */
static int lookup(const json_t *obj, const struct json_place *here, enum json_need need,
		  const json_t **ret, struct sn_error *e)
{
	const json_t *v = json_object_get(obj, here->key);

	if (v && !json_is_null(v)) {
		*ret = v;
		return 1;
	}
	return need == JSON_OPTIONAL ? 0 : json_fail(here, e, "is missing");
}

int json_read_string(const json_t *obj, const struct json_place *at, const char *key,
		     enum json_need need, const char **ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const json_t *v = NULL;
	int r = lookup(obj, &here, need, &v, e);

	if (r <= 0)
		return r;
	if (!json_is_string(v))
		return json_fail(&here, e, "not a string");
	*ret = json_string_value(v);
	return 0;
}

int json_read_int(const json_t *obj, const struct json_place *at, const char *key,
		  enum json_need need, int64_t min, int64_t max, int64_t *ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const json_t *v = NULL;
	int r = lookup(obj, &here, need, &v, e);

	if (r <= 0)
		return r;
	if (!json_is_integer(v))
		return json_fail(&here, e, "not a whole number");
	if (json_integer_value(v) < min || json_integer_value(v) > max)
		return json_fail(&here, e, "not between %lld and %lld", (long long)min,
				 (long long)max);
	*ret = json_integer_value(v);
	return 0;
}

int json_read_bool(const json_t *obj, const struct json_place *at, const char *key,
		   enum json_need need, bool *ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const json_t *v = NULL;
	int r = lookup(obj, &here, need, &v, e);

	if (r <= 0)
		return r;
	if (!json_is_boolean(v))
		return json_fail(&here, e, "not true or false");
	*ret = json_is_true(v);
	return 0;
}

int json_read_addr(const json_t *obj, const struct json_place *at, const char *key,
		   enum json_need need, struct sn_addr *ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const char *s = NULL;
	int r = json_read_string(obj, at, key, need, &s, e);

	if (r < 0 || !s)
		return r;
	if (sn_addr_parse(s, ret) < 0)
		return json_fail(&here, e, "'%s' is not an IP address", s);
	return 0;
}

int json_read_prefix(const json_t *obj, const struct json_place *at, const char *key,
		     enum json_need need, struct sn_prefix *ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const char *s = NULL;
	int r = json_read_string(obj, at, key, need, &s, e);

	if (r < 0 || !s)
		return r;
	if (sn_prefix_parse(s, ret) < 0)
		return json_fail(&here, e, "'%s' is not an IP prefix", s);
	return 0;
}

/* Puts one text into a pair. */
typedef int (*take_fn)(const char *text, const struct json_place *at, void *pair,
		       struct sn_error *e);

static int refuse_second(const struct json_place *at, const char *text, uint8_t family,
			 struct sn_error *e)
{
	return json_fail(at, e, "'%s' is a second one of %s; expected at most one of each family",
			 text, sn_family_to_string(family));
}

static int take_addr(const char *text, const struct json_place *at, void *pair, struct sn_error *e)
{
	struct sn_addr a;

	if (sn_addr_parse(text, &a) < 0)
		return json_fail(at, e, "'%s' is not an IP address", text);
	if (sn_addr_pair_get(pair, a.family))
		return refuse_second(at, text, a.family, e);
	sn_addr_pair_put(pair, &a);
	return 0;
}

static int take_prefix(const char *text, const struct json_place *at, void *pair,
		       struct sn_error *e)
{
	struct sn_prefix p;

	if (sn_prefix_parse(text, &p) < 0)
		return json_fail(at, e, "'%s' is not an IP prefix", text);
	if (sn_prefix_pair_get(pair, p.addr.family))
		return refuse_second(at, text, p.addr.family, e);
	sn_prefix_pair_put(pair, &p);
	return 0;
}

static int take_value(const json_t *v, const struct json_place *at, take_fn take, void *pair,
		      struct sn_error *e)
{
	return json_is_string(v) ? take(json_string_value(v), at, pair, e)
				 : json_fail(at, e, "not a string");
}

/* 1: pair is filled; 0: absent and optional; -EINVAL. */
static int read_pair(const json_t *obj, const struct json_place *here, enum json_need need,
		     take_fn take, void *pair, struct sn_error *e)
{
	const json_t *v = NULL;
	int r = lookup(obj, here, need, &v, e);

	if (r <= 0)
		return r;
	if (!json_is_array(v))
		return take_value(v, here, take, pair, e) < 0 ? e->code : 1;
	if (json_array_size(v) == 0)
		return json_fail(here, e, "an empty list");
	for (size_t i = 0; i < json_array_size(v); i++) {
		struct json_place item = json_index(here, i);

		if (take_value(json_array_get(v, i), &item, take, pair, e) < 0)
			return e->code;
	}
	return 1;
}

int json_read_addr_pair(const json_t *obj, const struct json_place *at, const char *key,
			enum json_need need, struct sn_addr_pair *ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	struct sn_addr_pair found = { 0 };
	int r = read_pair(obj, &here, need, take_addr, &found, e);

	if (r == 1)
		*ret = found;
	return SN_MIN(r, 0);
}

int json_read_prefix_pair(const json_t *obj, const struct json_place *at, const char *key,
			  enum json_need need, struct sn_prefix_pair *ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	struct sn_prefix_pair found = { 0 };
	int r = read_pair(obj, &here, need, take_prefix, &found, e);

	if (r == 1)
		*ret = found;
	return SN_MIN(r, 0);
}

int json_read_object(const json_t *obj, const struct json_place *at, const char *key,
		     enum json_need need, const json_t **ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const json_t *v = NULL;
	int r = lookup(obj, &here, need, &v, e);

	if (r <= 0)
		return r;
	r = json_require_object(v, &here, e);
	if (r == 0)
		*ret = v;
	return r;
}

int json_read_array(const json_t *obj, const struct json_place *at, const char *key,
		    enum json_need need, const json_t **ret, struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const json_t *v = NULL;
	int r = lookup(obj, &here, need, &v, e);

	if (r <= 0)
		return r;
	if (!json_is_array(v))
		return json_fail(&here, e, "not an array");
	*ret = v;
	return 0;
}

int json_require_object(const json_t *value, const struct json_place *at, struct sn_error *e)
{
	return json_is_object(value) ? 0 : json_fail(at, e, "not an object");
}

int json_check_keys(const json_t *obj, const struct json_place *at, const char *const *allowed,
		    struct sn_error *e)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)obj, key, v) {
		struct json_place here = json_key(at, key);
		struct nearest near = { .word = key };
		const char *const *a = allowed;

		for (; *a && !streq(*a, key); a++)
			nearest_offer(&near, *a);
		if (!*a)
			return json_fail(&here, e, "unknown key%s", NEAREST_HINT(&near));
	}
	return 0;
}

json_t *json_from_text(const char *s)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	json_t *v = s ? json_string(s) : json_null();

	if (v)
		return v;
	strbuf_add_escaped(&b, s);
	return json_string(strbuf_str(&b));
}

json_t *json_from_addr(const struct sn_addr *a)
{
	return sn_addr_is_set(a) ? json_string(SN_ADDR_STR(a)) : json_null();
}

json_t *json_list_addr_pair(const struct sn_addr_pair *p)
{
	json_t *list = json_array();

	sn_addr_pair_foreach(p, a)
		json_array_append_new(list, json_string(SN_ADDR_STR(a)));
	return list;
}

json_t *json_list_prefix_pair(const struct sn_prefix_pair *p)
{
	json_t *list = json_array();

	sn_prefix_pair_foreach(p, prefix)
		json_array_append_new(list, json_string(SN_PREFIX_STR(prefix)));
	return list;
}

/* The list itself, what is in it when that is one, null when nothing is. */
static json_t *unlist(json_t *list)
{
	json_t *v;

	if (json_array_size(list) > 1)
		return list;
	v = json_array_size(list) ? json_incref(json_array_get(list, 0)) : json_null();
	json_decref(list);
	return v;
}

json_t *json_from_addr_pair(const struct sn_addr_pair *p)
{
	return unlist(json_list_addr_pair(p));
}

json_t *json_from_prefix_pair(const struct sn_prefix_pair *p)
{
	return unlist(json_list_prefix_pair(p));
}
