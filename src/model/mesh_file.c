/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mesh.json. Parsing checks forms; who may have what is settled when the
 * snapshot of one host is made, because sennit-metadata serves the file to
 * many and lets each settle for itself.
 */
#include "model/mesh_file.h"

#include "base/strbuf.h"
#include "model/draft.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static const struct draft_words file_words = {
	.id = "id",
	.address = "addresses",
	.address_list = true,
	.prefix = "prefixes",
	.prefix_list = true,
	.containers_in_hosts = true,
};

/* --- texts --------------------------------------------------------------- */

static int read_id(const json_t *v, const struct json_place *at, const char *key, char *ret,
		   struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const char *s;

	if (json_read_string(v, at, key, JSON_REQUIRED, &s, e) < 0)
		return e->code;
	if (!host_id_valid(s))
		return json_fail(&here, e,
				 "'%.100s' is not an id; expected 1 to 63 of A-Z a-z 0-9 . _ -, "
				 "the first a letter or digit",
				 s);
	snprintf(ret, SN_ID_SIZE, "%s", s);
	return 0;
}

static int read_name(const json_t *v, const struct json_place *at, const char *otherwise,
		     char **ret, struct sn_error *e)
{
	const char *s = NULL;

	if (json_read_string(v, at, "name", JSON_OPTIONAL, &s, e) < 0)
		return e->code;
	*ret = text_cut(s && *s ? s : otherwise, HOST_MAX_NAME);
	return 0;
}

/* s begins as the pattern says, where 'd' is a digit; the length of the pattern, else 0. */
static size_t match(const char *s, const char *pattern)
{
	size_t n = 0;

	for (; pattern[n]; n++) {
		if (pattern[n] == 'd' ? s[n] < '0' || s[n] > '9' : s[n] != pattern[n])
			return 0;
	}
	return n;
}

static int number(const char *s, int digits)
{
	int v = 0;

	while (digits--)
		v = v * 10 + (*s++ - '0');
	return v;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* RFC 3339, "2026-11-23T07:00:00Z" or "…07:00:00.250+01:00". */
static int parse_time(const char *s, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	int offset_s = 0, ms = 0, scale = 100;

	if (!match(s, "dddd-dd-ddTdd:dd:dd"))
		return -EINVAL;
	tm.tm_year = number(s, 4) - 1900;
	tm.tm_mon = number(s + 5, 2) - 1;
	tm.tm_mday = number(s + 8, 2);
	tm.tm_hour = number(s + 11, 2);
	tm.tm_min = number(s + 14, 2);
	tm.tm_sec = number(s + 17, 2);
	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
	    tm.tm_mday > days_in_month(tm.tm_year + 1900, tm.tm_mon + 1) || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	s += strlen("dddd-dd-ddTdd:dd:dd");
	if (match(s, ".d")) {
		for (s++; match(s, "d"); s++, scale /= 10)
			ms += scale * number(s, 1);
	}
	if (match(s, "+dd:dd") || match(s, "-dd:dd")) {
		offset_s = (number(s + 1, 2) * 60 + number(s + 4, 2)) * 60 * (*s == '-' ? -1 : 1);
		s += strlen("+dd:dd");
	} else if (*s == 'Z') {
		s++;
	} else {
		return -EINVAL;
	}
	if (*s)
		return -EINVAL;
	*ret_ms = ((int64_t)timegm(&tm) - offset_s) * 1000 + ms;
	return 0;
}

static int read_created(const json_t *v, const struct json_place *at, struct host *h,
			struct sn_error *e)
{
	struct json_place here = json_key(at, "created");
	const char *s = NULL;

	if (json_read_string(v, at, "created", JSON_OPTIONAL, &s, e) < 0)
		return e->code;
	if (s && (parse_time(s, &h->created_ms) < 0 || h->created_ms < 0))
		return json_fail(&here, e, "'%.40s' is not a time like 2026-11-23T07:00:00Z", s);
	return 0;
}

static int read_state(const json_t *v, const struct json_place *at, struct host *h,
		      struct sn_error *e)
{
	struct json_place here = json_key(at, "state");
	const char *s = "active";

	if (json_read_string(v, at, "state", JSON_OPTIONAL, &s, e) < 0)
		return e->code;
	if (host_state_from_string(s, &h->state) < 0 || h->state == HOST_GONE)
		return json_fail(&here, e,
				 "'%.40s' is not active, inactive, reconnecting or disconnected",
				 s);
	return 0;
}

/* --- lists --------------------------------------------------------------- */

static int read_addresses(const json_t *v, const struct json_place *at, struct host *h,
			  struct sn_error *e)
{
	struct json_place here = json_key(at, "addresses");
	const json_t *list;

	if (json_read_array(v, at, "addresses", JSON_REQUIRED, &list, e) < 0)
		return e->code;
	if (json_array_size(list) == 0 || json_array_size(list) > HOST_MAX_ADDRESSES)
		return json_fail(&here, e, "%zu addresses; expected 1 to %d", json_array_size(list),
				 HOST_MAX_ADDRESSES);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct json_place item = json_index(&here, i);
		const char *s = json_string_value(json_array_get(list, i));

		if (!s)
			return json_fail(&item, e, "not a string");
		if (sn_addr_parse(s, array_add(&h->underlay)) < 0)
			return json_fail(&item, e, "'%.60s' is not an IP address", s);
	}
	return 0;
}

static int read_prefixes(const json_t *v, const struct json_place *at, struct host *h,
			 struct sn_error *e)
{
	struct json_place here = json_key(at, "prefixes");
	const json_t *list = NULL;

	if (json_read_array(v, at, "prefixes", JSON_OPTIONAL, &list, e) < 0)
		return e->code;
	if (json_array_size(list) > HOST_MAX_PREFIXES)
		return json_fail(&here, e, "%zu prefixes; expected at most %d",
				 json_array_size(list), HOST_MAX_PREFIXES);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct json_place item = json_index(&here, i);
		const char *s = json_string_value(json_array_get(list, i));

		if (!s)
			return json_fail(&item, e, "not a string");
		if (sn_prefix_parse(s, array_add(&h->prefixes)) < 0)
			return json_fail(&item, e, "'%.60s' is not an IP prefix", s);
	}
	return 0;
}

/* --- containers ---------------------------------------------------------- */

static void mesh_container_fini(struct mesh_container *c)
{
	free(c->name);
}

static int read_container(const json_t *v, const struct json_place *at, struct mesh_container *c,
			  struct sn_error *e)
{
	static const char *const keys[] = { "name", "ip", NULL };

	if (json_require_object(v, at, e) < 0 || json_check_keys(v, at, keys, e) < 0 ||
	    json_read_addr(v, at, "ip", JSON_REQUIRED, &c->ip, e) < 0)
		return e->code;
	return read_name(v, at, SN_ADDR_STR(&c->ip), &c->name, e);
}

static void refuse_container(struct mesh_file *m, const char *host_id, size_t host_index,
			     const char *place, const struct sn_error *e)
{
	struct mesh_refused *r = array_add(&m->refused_containers);

	snprintf(r->id, sizeof(r->id), "%s", host_id);
	r->index = host_index;
	if (m->problems.n < SNAPSHOT_MAX_PROBLEMS)
		problem_from_error(array_add(&m->problems), place, e);
}

/* The containers of a host that is good; each is refused alone. */
static int read_containers(struct mesh_file *m, const json_t *v, const struct json_place *at,
			   const char *host_id, struct sn_error *e)
{
	struct json_place here = json_key(at, "containers");
	const json_t *list = NULL;
	_cleanup_free_ char *place = xasprintf("/hosts/%zu/containers", at->index);
	struct sn_error why;

	if (json_read_array(v, at, "containers", JSON_OPTIONAL, &list, &why) < 0)
		refuse_container(m, host_id, at->index, place, &why);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct json_place item = json_index(&here, i);
		_cleanup_(mesh_container_fini) struct mesh_container c = { 0 };

		if (m->containers.n == SNAPSHOT_MAX_CONTAINERS)
			return json_fail(&item, e, "at most %d containers are allowed",
					 SNAPSHOT_MAX_CONTAINERS);
		if (read_container(json_array_get(list, i), &item, &c, &why) < 0) {
			refuse_container(m, host_id, at->index, place, &why);
			continue;
		}
		snprintf(c.host_id, sizeof(c.host_id), "%s", host_id);
		c.host_index = at->index;
		c.index = i;
		*array_add(&m->containers) = c;
		c.name = NULL;
	}
	return 0;
}

/* --- hosts --------------------------------------------------------------- */

static int read_host(const json_t *v, const struct json_place *at, struct host *h,
		     struct sn_error *e)
{
	static const char *const keys[] = { "id",       "name",       "state",   "addresses",
					    "prefixes", "overlay_ip", "created", "containers",
					    "nat",      NULL };

	if (json_require_object(v, at, e) < 0 || read_id(v, at, "id", h->id, e) < 0 ||
	    json_check_keys(v, at, keys, e) < 0 || read_name(v, at, h->id, &h->name, e) < 0 ||
	    read_state(v, at, h, e) < 0 || read_created(v, at, h, e) < 0 ||
	    json_read_addr_pair(v, at, "overlay_ip", JSON_OPTIONAL, &h->overlay_ip, e) < 0 ||
	    json_read_bool(v, at, "nat", JSON_OPTIONAL, &h->behind_nat, e) < 0 ||
	    read_addresses(v, at, h, e) < 0)
		return e->code;
	return read_prefixes(v, at, h, e);
}

static void refuse_host(struct mesh_file *m, const json_t *v, size_t i, const struct sn_error *e)
{
	const char *id = json_string_value(json_object_get(v, "id"));
	_cleanup_free_ char *place = xasprintf("/hosts/%zu", i);
	struct mesh_refused *r;

	if (m->problems.n < SNAPSHOT_MAX_PROBLEMS)
		problem_from_error(array_add(&m->problems), place, e);
	/* a text that is no id was never one of ours: nothing stays for it */
	if (id && !host_id_valid(id))
		return;
	r = array_add(&m->refused_hosts);
	snprintf(r->id, sizeof(r->id), "%s", id ? id : "");
	r->index = i;
}

static int read_hosts(struct mesh_file *m, const json_t *doc, struct sn_error *e)
{
	struct json_place here = json_key(NULL, "hosts");
	const json_t *list;
	struct sn_error why;

	if (json_read_array(doc, NULL, "hosts", JSON_REQUIRED, &list, e) < 0)
		return e->code;
	if (json_array_size(list) == 0 || json_array_size(list) > SNAPSHOT_MAX_HOSTS)
		return json_fail(&here, e, "%zu hosts; expected 1 to %d", json_array_size(list),
				 SNAPSHOT_MAX_HOSTS);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct json_place at = json_index(&here, i);
		const json_t *v = json_array_get(list, i);
		struct host h = { 0 };

		if (read_host(v, &at, &h, &why) < 0) {
			refuse_host(m, v, i, &why);
			host_fini(&h);
			continue;
		}
		*array_add(&m->hosts) = h;
		*array_add(&m->indexes) = i;
		if (read_containers(m, v, &at, h.id, e) < 0)
			return e->code;
	}
	return 0;
}

/* --- public -------------------------------------------------------------- */

/* Of what json_read_prefix_pair() took. */
static void note_places(struct mesh_file *m, const json_t *overlay)
{
	static const char *const items[SN_FAMILIES] = { "/overlay/0", "/overlay/1" };

	m->overlay_place[0] = m->overlay_place[1] = "/overlay";
	for (size_t i = 0; i < json_array_size(overlay); i++) {
		const char *text = json_string_value(json_array_get(overlay, i));

		m->overlay_place[strchr(text, ':') ? 1 : 0] = items[i];
	}
}

static int parse_document(struct mesh_file *m, const char *text, size_t len, struct sn_error *e)
{
	static const char *const keys[] = { "mesh", "name", "overlay", "hosts", NULL };
	_cleanup_json_ json_t *doc = NULL;

	if (len > MESH_FILE_MAX_BYTES)
		return sn_error_set(e, -EINVAL, "%zu bytes; at most %d are read", len,
				    MESH_FILE_MAX_BYTES);
	if (json_parse(text, len, &doc, e) < 0 || json_require_object(doc, NULL, e) < 0 ||
	    json_check_keys(doc, NULL, keys, e) < 0 ||
	    read_id(doc, NULL, "mesh", m->mesh_id, e) < 0 ||
	    read_name(doc, NULL, m->mesh_id, &m->name, e) < 0 ||
	    json_read_prefix_pair(doc, NULL, "overlay", JSON_REQUIRED, &m->overlay, e) < 0)
		return e->code;
	note_places(m, json_object_get(doc, "overlay"));
	snprintf(m->revision, sizeof(m->revision), "%016llx",
		 (unsigned long long)sn_hash(SN_HASH_INIT, text, len));
	return read_hosts(m, doc, e);
}

int mesh_file_parse(const char *name, const char *text, size_t len, struct mesh_file **ret,
		    struct sn_error *e)
{
	_cleanup_(mesh_file_freep) struct mesh_file *m = xcalloc(1, sizeof(*m));

	if (parse_document(m, text, len, e) < 0)
		return sn_error_wrap(e, "%s", name);
	*ret = sn_steal(m);
	return 0;
}

void mesh_file_free(struct mesh_file *m)
{
	if (!m)
		return;
	array_foreach(&m->hosts, h) {
		host_fini(h);
	}
	array_foreach(&m->containers, c) {
		mesh_container_fini(c);
	}
	array_foreach(&m->problems, p) {
		problem_fini(p);
	}
	array_free(&m->hosts);
	array_free(&m->indexes);
	array_free(&m->containers);
	array_free(&m->problems);
	array_free(&m->refused_hosts);
	array_free(&m->refused_containers);
	free(m->name);
	free(m);
}

static bool has_one_of(const struct host *h, const struct sn_addr *own, size_t n_own)
{
	array_foreach(&h->underlay, a) {
		for (size_t i = 0; i < n_own; i++) {
			if (sn_addr_cmp(a, &own[i]) == 0)
				return true;
		}
	}
	return false;
}

static int find_self(const struct mesh_file *m, const struct config *config,
		     const struct sn_addr *own, size_t n_own, const struct snapshot *before,
		     char *ret, struct sn_error *e)
{
	const struct host *found = NULL, *old = before ? snapshot_self(before) : NULL;

	if (config->host_id[0]) {
		snprintf(ret, SN_ID_SIZE, "%s", config->host_id);
		return 0;
	}
	array_foreach(&m->hosts, h) {
		if (!has_one_of(h, own, n_own))
			continue;
		if (found && !streq(found->id, h->id))
			return sn_error_set(e, -EINVAL,
					    "/hosts: %s and %s both have an address of this host; "
					    "set host.id (SENNIT_HOST_ID)",
					    found->id, h->id);
		found = h;
	}
	/* our entry may be a wrong one: then settling keeps its last good form */
	if (!found && m->refused_hosts.n && old && has_one_of(old, own, n_own))
		found = old;
	if (!found)
		return sn_error_set(e, -EINVAL,
				    "/hosts: none of the %zu hosts has an address of this host "
				    "(%s%s); set host.id (SENNIT_HOST_ID)",
				    m->hosts.n, n_own ? SN_ADDR_STR(&own[0]) : "it has none",
				    n_own > 1 ? ", …" : "");
	snprintf(ret, SN_ID_SIZE, "%s", found->id);
	return 0;
}

static void add_host(struct draft *d, const struct host *from, size_t index)
{
	struct host *h = draft_add_host(d, from->id, index);

	draft_copy_host(h, from);
	array_foreach(&from->prefixes, p) {
		*array_add(&h->prefixes) = *p;
	}
}

static void fill_draft(struct draft *d, const struct mesh_file *m)
{
	for (size_t i = 0; i < m->hosts.n; i++)
		add_host(d, &m->hosts.v[i], m->indexes.v[i]);
	array_foreach(&m->containers, c) {
		struct draft_single *s = array_add(&d->singles);

		s->addr = c->ip;
		snprintf(s->host_id, sizeof(s->host_id), "%s", c->host_id);
		s->host_index = c->host_index;
		s->index = c->index;
	}
	array_foreach(&m->problems, p) {
		snapshot_add_problem(d->snapshot, p->place, "%s", p->text);
	}
	array_foreach(&m->refused_hosts, r) {
		draft_refuse_host(d, r->id, NULL, r->index);
	}
	array_foreach(&m->refused_containers, r) {
		draft_refuse_container(d, r->id);
	}
}

int mesh_file_snapshot(const struct mesh_file *m, const struct config *config,
		       const struct sn_addr *own, size_t n_own, const struct snapshot *before,
		       const char *source, struct snapshot **ret, struct sn_error *e)
{
	_cleanup_(draft_fini) struct draft d;
	struct snapshot *s;

	draft_init(&d, &file_words);
	s = d.snapshot;
	for (size_t i = 0; i < SN_FAMILIES; i++)
		d.overlay_place[i] = m->overlay_place[i];
	config_metadata_address(config, &d.metadata);
	snprintf(s->mesh_id, sizeof(s->mesh_id), "%s",
		 config->mesh_id[0] ? config->mesh_id : m->mesh_id);
	s->mesh_name = xstrdup(m->name);
	s->overlay = m->overlay;
	s->revision = xstrdup(m->revision);
	s->source = url_without_user(source);
	fill_draft(&d, m);
	if (find_self(m, config, own, n_own, before, s->self_id, e) < 0 ||
	    draft_settle(&d, before, e) < 0)
		return e->code;
	*ret = sn_steal(d.snapshot);
	return 0;
}
