/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hosts and containers have their own way through the document; for the
 * rest, and for what is inside one of their entries, a tree is made, walked
 * and thrown away.
 */
#include "answer.h"

#include "render.h"

#include "base/array.h"
#include "base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define MAX_SEGMENTS 32
/* Longer values of long polls than this cannot come, see the server's limit on requests. */
#define MAX_VALUE ((size_t)32 * 1024)

static const struct {
	const char *name;
	enum api_version v;
} versions[] = {
	{ "2015-07-25", API_2015_07 },
	{ "2015-12-19", API_2015_12 },
	{ "2016-07-29", API_2016_07 },
	{ "latest", API_2016_07 },
};

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
		render_key(*k, b);
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
			render_key(name, b);
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

/* --- answers ---------------------------------------------------------------------- */

static void add_piece(struct answer *a, struct piece *p)
{
	sn_require(a->n < ANSWER_MAX_PARTS);
	a->part[a->n++].text = p;
}

static void add_body(struct answer *a, const struct strbuf *b)
{
	add_piece(a, piece_new(strbuf_str(b), b->len));
}

static void add_literal(struct answer *a, const char *s)
{
	add_piece(a, piece_new(s, strlen(s)));
}

static void add_section(struct answer *a, struct document *d, enum section section)
{
	sn_require(a->n < ANSWER_MAX_PARTS);
	a->part[a->n++].section = section;
	if (!a->document)
		a->document = document_ref(d);
}

static void answer_value(const json_t *v, enum answer_form form, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	a->status = 200;
	if (form == ANSWER_JSON)
		add_json(v, &b);
	else
		add_text(v, &b);
	add_body(a, &b);
	if (form == ANSWER_JSON && !json_is_object(v) && !json_is_array(v)) {
		strbuf_clear(&b);
		add_text(v, &b);
		a->value = xstrdup(strbuf_str(&b));
	}
}

static void answer_error(int status, const char *text, enum answer_form form, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	a->status = status;
	if (form == ANSWER_JSON)
		strbuf_addf(&b, "{\"code\":%d,\"message\":\"%s\",\"type\":\"error\"}\n", status,
			    text);
	else
		strbuf_addf(&b, "%s\n", text);
	add_body(a, &b);
}

/* Of all that makes the body, by content: sections by the hash the document has of them. */
static void set_etag(struct answer *a)
{
	uint64_t h = SN_HASH_INIT;

	for (size_t i = 0; i < a->n; i++) {
		const struct answer_part *p = &a->part[i];

		if (p->text) {
			h = sn_hash(h, p->text->framed + p->text->at, p->text->len);
			continue;
		}
		h = sn_hash(h,
			    p->section == SECTION_HOSTS || p->section == SECTION_HOST_LIST
				    ? &a->document->hosts_hash
				    : &a->document->containers_hash,
			    sizeof(uint64_t));
		h = sn_hash(h, &(uint8_t[2]){ (uint8_t)a->version, (uint8_t)p->section }, 2);
	}
	snprintf(a->etag, sizeof(a->etag), "\"%016llx\"", (unsigned long long)h);
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

/* One question on its way. */
struct asking {
	struct document *d;
	struct history *h;
	const struct question *q;
	struct path p; /* p.segment[0] is the version */
	enum api_version v;
};

/* The rest of the path, from segment `from` on; NULL when there is no such thing. */
static const json_t *walk(const json_t *v, const struct path *p, size_t from)
{
	for (size_t i = from; v && i < p->n; i++)
		v = json_is_array(v) ? array_child(v, p->segment[i])
				     : json_object_get(v, p->segment[i]);
	return v;
}

static bool answer_walk(const struct asking *k, const json_t *root, size_t from, struct answer *a)
{
	const json_t *found = walk(root, &k->p, from);

	if (found)
		answer_value(found, k->q->form, a);
	return found != NULL;
}

static json_t *tree_of(const struct asking *k, bool host, size_t i)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct sn_error e;
	json_t *v = NULL;

	if (host)
		render_host(k->d, i, k->v, &b);
	else
		render_container(k->d, i, k->v, &b);
	sn_require(json_parse(b.data, b.len, &v, &e) == 0);
	return v;
}

/* --- entries ---------------------------------------------------------------------- */

static long by_index(const char *segment, size_t size)
{
	size_t len = strlen(segment);
	unsigned long i;

	if (len == 0 || len >= 10 || strspn(segment, "0123456789") != len)
		return -1;
	i = strtoul(segment, NULL, 10);
	return i < size ? (long)i : -1;
}

static long find_host(const struct asking *k, const char *segment)
{
	long i = by_index(segment, k->d->hosts.n);

	for (size_t n = 0; i < 0 && n < k->d->hosts.n; n++) {
		if (streq(k->d->hosts.v[n].name, segment))
			return (long)n;
	}
	return i >= 0 ? i : document_find_host(k->d, segment);
}

static bool is_named(const struct asking *k, size_t i, const char *segment)
{
	_cleanup_free_ char *name = NULL;

	if (strcasecmp(k->d->containers.v[i].name, segment) != 0)
		return false;
	name = render_container_name(k->d, i, k->v);
	return streq(name, segment);
}

static bool parse_uuid(const char *s, uint8_t ret[static 16])
{
	char again[37];

	if (strlen(s) != 36)
		return false;
	for (size_t i = 0, n = 0; n < 16; i += 2) {
		int high, low;

		i += s[i] == '-';
		high = hex_digit(s[i]);
		low = hex_digit(s[i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret[n++] = (uint8_t)(high << 4 | low);
	}
	document_format_uuid(ret, again);
	return streq(s, again);
}

static long find_container(const struct asking *k, const char *segment)
{
	long i = by_index(segment, k->d->containers.n);
	uint8_t uuid[16];

	for (size_t n = 0; i < 0 && n < k->d->containers.n; n++) {
		if (is_named(k, n, segment))
			return (long)n;
	}
	if (i < 0 && parse_uuid(segment, uuid))
		i = document_find_container(k->d, uuid);
	return i;
}

static void answer_list(const struct asking *k, bool hosts, struct answer *a)
{
	a->status = 200;
	if (k->q->form == ANSWER_JSON)
		add_section(a, k->d, hosts ? SECTION_HOSTS : SECTION_CONTAINERS);
	else
		add_section(a, k->d, hosts ? SECTION_HOST_LIST : SECTION_CONTAINER_LIST);
}

static bool answer_entries(const struct asking *k, bool hosts, struct answer *a)
{
	_cleanup_json_ json_t *v = NULL;
	long i;

	if (k->p.n == 2) {
		answer_list(k, hosts, a);
		return true;
	}
	i = hosts ? find_host(k, k->p.segment[2]) : find_container(k, k->p.segment[2]);
	if (i < 0)
		return false;
	v = tree_of(k, hosts, (size_t)i);
	return answer_walk(k, v, 3, a);
}

/* --- the rest ---------------------------------------------------------------------- */

/*
 * Who is a container sees itself and its host, who has a host's address the
 * host.
 */
static json_t *self_of(const struct asking *k)
{
	const struct document_caller *c = document_caller(k->d, &k->q->caller);
	json_t *self = json_object();

	if (c && c->container != UINT32_MAX)
		json_object_set_new(self, "container", tree_of(k, false, c->container));
	if (c)
		json_object_set_new(self, "host", tree_of(k, true, c->host));
	return self;
}

/* {"containers":[…],"environments":…,"hosts":[…],"name":…}: the keys are sorted. */
static void answer_everything(const struct asking *k, json_t *rest, struct answer *a)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	json_object_del(rest, "environments");
	json_object_set_new(rest, "self", self_of(k));
	add_json(rest, &b);
	a->status = 200;
	add_literal(a, "{\"containers\":");
	add_section(a, k->d, SECTION_CONTAINERS);
	add_literal(a, ",\"environments\":null,\"hosts\":");
	add_section(a, k->d, SECTION_HOSTS);
	b.data[0] = ',';
	add_body(a, &b);
}

static bool answer_root(const struct asking *k, json_t *rest, struct answer *a)
{
	if (k->q->form == ANSWER_JSON) {
		answer_everything(k, rest, a);
		return true;
	}
	/* a listing shows no more of them than that they are folders */
	json_object_set_new(rest, "containers", json_array());
	json_object_set_new(rest, "hosts", json_array());
	json_object_set_new(rest, "self", json_object());
	answer_value(rest, k->q->form, a);
	return true;
}

static bool answer_changes(const struct asking *k, struct answer *a)
{
	const struct document_caller *c = document_caller(k->d, &k->q->caller);
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	if (!k->q->since) {
		answer_error(400, "since is missing", k->q->form, a);
		return true;
	}
	strbuf_adds(&b, "{\"self\":");
	if (c)
		render_string(k->d->hosts.v[c->host].id, &b);
	else
		strbuf_adds(&b, "null");
	strbuf_addc(&b, ',');
	a->status = 200;
	add_body(a, &b);
	add_piece(a, history_changes(k->h, k->d, k->v, k->q->since));
	return true;
}

static bool answer_found(const struct asking *k, struct answer *a)
{
	const char *first = k->p.n > 1 ? k->p.segment[1] : "";
	_cleanup_json_ json_t *rest = NULL;

	if (!k->d)
		return false;
	if (streq(first, "containers") || streq(first, "hosts"))
		return answer_entries(k, streq(first, "hosts"), a);
	if (streq(first, "changes") && k->p.n == 2)
		return answer_changes(k, a);
	if (streq(first, "self")) {
		rest = self_of(k);
		return answer_walk(k, rest, 2, a);
	}
	rest = render_rest(k->d);
	return k->p.n == 1 ? answer_root(k, rest, a) : answer_walk(k, rest, 1, a);
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
		_cleanup_free_ char *path = xasprintf("/%s", versions[i].name);

		json_object_set_new(list, versions[i].name, json_string(path));
	}
	/* its text form is the names alone: they are strings, not folders */
	answer_value(list, form, a);
}

static bool find_version(const char *name, enum api_version *ret)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(versions); i++) {
		if (streq(versions[i].name, name)) {
			*ret = versions[i].v;
			return true;
		}
	}
	return false;
}

static void answer_path(struct asking *k, struct answer *a)
{
	if (!find_version(k->p.segment[0], &k->v)) {
		answer_error(404, "Invalid version", k->q->form, a);
		return;
	}
	a->version = k->v;
	if (answer_found(k, a))
		return;
	path_lower(&k->p);
	if (!answer_found(k, a))
		answer_error(404, "Not found", k->q->form, a);
}

/* --- public ------------------------------------------------------------------------- */

static void asking_fini(struct asking *k)
{
	path_fini(&k->p);
}

void answer_make(struct document *d, struct history *h, const struct question *q,
		 struct answer *ret)
{
	_cleanup_(asking_fini) struct asking k = { .d = d, .h = h, .q = q };

	*ret = (struct answer){ .api = true };
	if (path_parse(q->path, &k.p) < 0) {
		ret->status = 400;
		ret->api = false;
		add_literal(ret, "400 Bad Request");
	} else if (k.p.n == 0) {
		answer_versions(q->form, ret);
	} else if (k.p.n == 1 && streq(k.p.segment[0], "favicon.ico")) {
		ret->api = false;
		answer_error(404, "404 page not found", ANSWER_TEXT, ret);
	} else {
		answer_path(&k, ret);
	}
	if (ret->status == 200)
		set_etag(ret);
}

void answer_fini(struct answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		piece_unref(a->part[i].text);
	document_unref(a->document);
	free(a->value);
	*a = (struct answer){ 0 };
}

bool answer_is_changes(const char *path)
{
	_cleanup_(path_fini) struct path p = { .n = 0 };

	return path_parse(path, &p) == 0 && p.n == 2 && streq(p.segment[1], "changes");
}

/* The body, or enough of it to see that it is longer than any value. */
static bool body_is(const struct answer *a, const char *value)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct answer_cursor at = { 0 };
	struct piece *p;

	while (b.len <= MAX_VALUE && (p = answer_next(a, &at))) {
		strbuf_add(&b, p->framed + p->at, p->len);
		piece_unref(p);
	}
	return streq(strbuf_str(&b), value);
}

bool answer_differs(const struct answer *a, const char *value)
{
	if (a->status != 200)
		return false;
	return a->value ? !streq(a->value, value) : !body_is(a, value);
}

struct piece *answer_next(const struct answer *a, struct answer_cursor *at)
{
	const struct answer_part *p = &a->part[at->part];

	if (at->part == a->n)
		return NULL;
	if (p->text) {
		at->part++;
		return piece_ref(p->text);
	}
	if (at->piece < document_piece_count(a->document, p->section))
		return document_piece(a->document, a->version, p->section, at->piece++);
	*at = (struct answer_cursor){ .part = at->part + 1 };
	return answer_next(a, at);
}

long answer_length(const struct answer *a)
{
	size_t len = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (!a->part[i].text)
			return -1;
		len += a->part[i].text->len;
	}
	return (long)len;
}
