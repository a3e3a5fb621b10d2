/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file: {"version": 1, "sysctls": [{"path", "old", "ours"}, …]}. It is
 * written before the value changes and after it is back: a crash in between
 * leaves a record too many, never one too few. It does not wait for the disk: a
 * power cut takes the values with it, and an empty file is what it may leave.
 */
#include "net/sysctl.h"

#include "base/file.h"
#include "base/json.h"
#include "net/link.h"
#include "net/net.h"

#include <errno.h>
#include <stdio.h>

#define RECORD_VERSION 1

struct record {
	char path[sizeof(((struct object_sysctl *)0)->path)];
	char old[sizeof(((struct object_sysctl *)0)->value)];
	char ours[sizeof(((struct object_sysctl *)0)->value)];
};

struct sysctls {
	char *file;
	ARRAY(struct record) records;
};

/* --- values ------------------------------------------------------------------ */

/* Below net/, and nothing that climbs out of it. */
static bool path_is_valid(const char *path)
{
	return sn_startswith(path, "net/") && !strstr(path, "..") && !strstr(path, "//");
}

static int full_path(const char *path, char *ret, size_t size)
{
	int n;

	if (!path_is_valid(path))
		return -EINVAL;
	n = snprintf(ret, size, "/proc/sys/%s", path);
	return n < 0 || (size_t)n >= size ? -EINVAL : 0;
}

int sysctl_read(const char *path, char *ret, size_t size)
{
	char full[128];
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = full_path(path, full, sizeof(full));

	if (r == 0)
		r = file_read(full, 4096, &text, &len);
	if (r < 0)
		return r;
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (len >= size)
		return -EMSGSIZE;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return 0;
}

static int write_value(const char *path, const char *value)
{
	char full[128];
	int r = full_path(path, full, sizeof(full));

	return r < 0 ? r : file_write_existing(full, value);
}

/* --- the record ---------------------------------------------------------------- */

static struct record *find(struct sysctls *s, const char *path)
{
	array_foreach(&s->records, record) {
		if (streq(record->path, path))
			return record;
	}
	return NULL;
}

int sysctl_original(struct sysctls *s, const char *path, char *ret, size_t size)
{
	const struct record *record = find(s, path);

	if (!record)
		return sysctl_read(path, ret, size);
	return snprintf(ret, size, "%s", record->old) < (int)size ? 0 : -EMSGSIZE;
}

bool sysctl_is_ours(struct sysctls *s, const char *path)
{
	const struct record *record = find(s, path);
	char now[sizeof(record->ours)];

	return record && sysctl_read(path, now, sizeof(now)) == 0 && streq(now, record->ours);
}

static int save(struct sysctls *s, struct sn_error *e)
{
	_cleanup_json_ json_t *list = json_array();
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	array_foreach(&s->records, record)
		json_array_append_new(list, json_pack("{ssssss}", "path", record->path, "old",
						      record->old, "ours", record->ours));
	doc = json_pack("{sisO}", "version", RECORD_VERSION, "sysctls", list);
	text = json_dumps(doc, JSON_INDENT(1));
	sn_require(text);
	r = file_replace(s->file, text, strlen(text), 0600);
	return r < 0 ? sn_error_set(e, r, "%s: %s", s->file, sn_strerror(r)) : 0;
}

static int read_field(const json_t *entry, const struct json_place *at, const char *key, char *ret,
		      size_t size, struct sn_error *e)
{
	struct json_place place = json_key(at, key);
	const char *text;
	int r = json_read_string(entry, at, key, JSON_REQUIRED, &text, e);

	if (r < 0)
		return r;
	if (strlen(text) >= size)
		return json_fail(&place, e, "longer than %zu", size - 1);
	snprintf(ret, size, "%s", text);
	return 0;
}

static int read_record(const json_t *entry, const struct json_place *at, struct record *ret,
		       struct sn_error *e)
{
	int r = json_require_object(entry, at, e);

	if (r == 0)
		r = read_field(entry, at, "path", ret->path, sizeof(ret->path), e);
	if (r == 0)
		r = read_field(entry, at, "old", ret->old, sizeof(ret->old), e);
	if (r == 0)
		r = read_field(entry, at, "ours", ret->ours, sizeof(ret->ours), e);
	if (r == 0 && !path_is_valid(ret->path))
		r = json_fail(at, e, "the path is not below net/");
	return r;
}

static int read_records(struct sysctls *s, const json_t *doc, struct sn_error *e)
{
	struct json_place place = json_key(NULL, "sysctls");
	const json_t *list;
	int64_t version;
	int r = json_require_object(doc, NULL, e);

	if (r == 0)
		r = json_read_int(doc, NULL, "version", JSON_REQUIRED, RECORD_VERSION,
				  RECORD_VERSION, &version, e);
	if (r == 0)
		r = json_read_array(doc, NULL, "sysctls", JSON_REQUIRED, &list, e);
	if (r == 0 && json_array_size(list) > SYSCTL_RECORDS_MAX)
		r = json_fail(&place, e, "more than %d entries", SYSCTL_RECORDS_MAX);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		struct json_place at = json_index(&place, i);

		r = read_record(json_array_get(list, i), &at, array_add(&s->records), e);
	}
	return r;
}

static int load_file(struct sysctls *s, struct sn_error *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *doc = NULL;
	size_t len;
	int r = file_read(s->file, SYSCTL_FILE_LIMIT, &text, &len);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return sn_error_set(e, r, "%s", sn_strerror(r));
	if (len == 0)
		return 0;
	r = json_parse(text, len, &doc, e);
	return r < 0 ? r : read_records(s, doc, e);
}

int sysctls_load(const char *state_dir, struct sysctls **ret, struct sn_error *e)
{
	_cleanup_(sysctls_freep) struct sysctls *s = xcalloc(1, sizeof(*s));

	s->file = xasprintf("%s/sysctls.json", state_dir);
	if (load_file(s, e) < 0)
		return sn_error_wrap(e, "%s", s->file);
	*ret = sn_steal(s);
	return 0;
}

void sysctls_free(struct sysctls *s)
{
	if (!s)
		return;
	free(s->file);
	array_free(&s->records);
	free(s);
}

/* --- objects ------------------------------------------------------------------- */

static void observe_one(const char *path, bool even_gone, struct object_set *ret)
{
	char value[sizeof(((struct object_sysctl *)0)->value)] = "";
	struct object_sysctl *o;

	if (sysctl_read(path, value, sizeof(value)) < 0 && !even_gone)
		return;
	o = object_set_add(ret, OBJECT_SYSCTL)->sysctl;
	snprintf(o->path, sizeof(o->path), "%s", path);
	snprintf(o->value, sizeof(o->value), "%s", value);
}

int sysctl_observe(struct sysctls *s, const struct object_set *also, struct object_set *ret,
		   struct sn_error *e)
{
	(void)e;
	array_foreach(&s->records, record)
		observe_one(record->path, true, ret);
	array_foreach(&also->o, o) {
		if (o->kind == OBJECT_SYSCTL && !find(s, o->sysctl->path))
			observe_one(o->sysctl->path, false, ret);
	}
	return 0;
}

/* "net/ipv4/conf/snv0123/forwarding": true when the link named is ours. */
static bool belongs_to_our_link(struct netlink *nl, const char *path)
{
	const char *conf = strstr(path, "/conf/");
	struct link_info link;
	struct sn_error e;
	char name[IFNAMSIZ];

	if (!conf || sscanf(conf, "/conf/%15[^/]/", name) != 1)
		return false;
	return link_get(nl, name, &link, &e) == 0 && link.ours;
}

static int remember(struct sysctls *s, const struct object_sysctl *want, const char *now,
		    struct sn_error *e)
{
	struct record *record = find(s, want->path);
	struct record before = { 0 };
	int r;

	if (record && streq(record->ours, want->value))
		return 0;
	if (record) {
		before = *record;
	} else {
		record = array_add(&s->records);
		snprintf(record->path, sizeof(record->path), "%s", want->path);
		snprintf(record->old, sizeof(record->old), "%s", now);
	}
	snprintf(record->ours, sizeof(record->ours), "%s", want->value);
	r = save(s, e);
	/* the memory says what the disk says */
	if (r < 0 && before.path[0])
		*record = before;
	else if (r < 0)
		s->records.n--;
	return r;
}

static int set(struct sysctls *s, struct netlink *nl, const struct object_sysctl *want,
	       struct sn_error *e)
{
	char now[sizeof(want->value)];
	int r = sysctl_read(want->path, now, sizeof(now));

	if (r == -ENOENT)
		return NET_NOT_READY;
	if (r < 0)
		return sn_error_set(e, r, "%s", sn_strerror(r));
	if (streq(now, want->value))
		return 0;
	if (!belongs_to_our_link(nl, want->path))
		r = remember(s, want, now, e);
	if (r < 0)
		return r;
	r = write_value(want->path, want->value);
	if (r == -ENOENT)
		return NET_NOT_READY;
	return r < 0 ? sn_error_set(e, r, "cannot be set to %s: %s", want->value, sn_strerror(r))
		     : 0;
}

static int put_back(struct sysctls *s, const char *path, struct sn_error *e)
{
	struct record *record = find(s, path);
	char now[sizeof(record->ours)];
	int r;

	if (!record)
		return 0;
	r = sysctl_read(path, now, sizeof(now));
	if (r == 0 && streq(now, record->ours))
		r = write_value(path, record->old);
	if (r < 0 && r != -ENOENT)
		return sn_error_set(e, r, "cannot be set back to %s: %s", record->old,
				    sn_strerror(r));
	array_remove(&s->records, (size_t)(record - s->records.v));
	return save(s, e);
}

int sysctl_apply(struct sysctls *s, struct netlink *nl, const struct plan_step *step,
		 struct sn_error *e)
{
	if (step->verb == PLAN_DELETE)
		return put_back(s, step->found->sysctl->path, e);
	return set(s, nl, step->wanted->sysctl, e);
}
