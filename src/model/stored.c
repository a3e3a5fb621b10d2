/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stored form of a snapshot: what /var/lib/sennit/snapshot.json holds.
 * It is read at start, perhaps after a reboot, an upgrade or a bad disk, so
 * it is checked like any input; but whole: a file of our own that is wrong
 * anywhere is not trusted anywhere. A digit of an address that has flipped is
 * still a snapshot, and would cost a tunnel: hence the sum over all the rest.
 */
#include "model/snapshot.h"

#include <errno.h>
#include <stdio.h>

#define STORED_VERSION 1

static json_t *addrs_to_json(const struct sn_addr *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(SN_ADDR_STR(&v[i])));
	return list;
}

static json_t *prefixes_to_json(const struct sn_prefix *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(SN_PREFIX_STR(&v[i])));
	return list;
}

static json_t *host_to_json(const struct host *h)
{
	json_t *v = json_object();

	json_object_set_new(v, "id", json_string(h->id));
	json_object_set_new(v, "name", json_string(h->name));
	json_object_set_new(v, "state", json_string(host_state_to_string(h->state)));
	if (h->state == HOST_GONE)
		json_object_set_new(v, "replaced_by", json_string(h->replaced_by));
	json_object_set_new(v, "created_ms", json_integer(h->created_ms));
	json_object_set_new(v, "addresses", addrs_to_json(h->underlay.v, h->underlay.n));
	if (h->behind_nat)
		json_object_set_new(v, "nat", json_true());
	json_object_set_new(v, "prefixes", prefixes_to_json(h->prefixes.v, h->prefixes.n));
	if (sn_addr_pair_next(&h->overlay_ip, NULL))
		json_object_set_new(v, "overlay_ip", json_from_addr_pair(&h->overlay_ip));
	return v;
}

#define SUM_SIZE 17

/* Over the canonical text of all members but "sum". */
static void sum_of(const json_t *v, char ret[static SUM_SIZE])
{
	_cleanup_json_ json_t *rest = json_copy((json_t *)v);
	_cleanup_free_ char *text = NULL;

	json_object_del(rest, "sum");
	text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
	sn_require(text);
	snprintf(ret, SUM_SIZE, "%016llx",
		 (unsigned long long)sn_hash(SN_HASH_INIT, text, strlen(text)));
}

json_t *snapshot_to_json(const struct snapshot *s)
{
	char sum[SUM_SIZE];
	json_t *v = json_object(), *hosts = json_array(), *problems = json_array();

	json_object_set_new(v, "sennit_snapshot", json_integer(STORED_VERSION));
	json_object_set_new(v, "mesh", json_string(s->mesh_id));
	json_object_set_new(v, "name", json_string(s->mesh_name));
	json_object_set_new(v, "overlay", json_from_prefix_pair(&s->overlay));
	json_object_set_new(v, "self", json_string(s->self_id));
	json_object_set_new(v, "revision", json_string(s->revision));
	json_object_set_new(v, "source", json_string(s->source));
	array_foreach(&s->hosts, h) {
		json_array_append_new(hosts, host_to_json(h));
	}
	array_foreach(&s->problems, p) {
		json_array_append_new(problems,
				      json_pack("{s:s, s:s}", "place", p->place, "text", p->text));
	}
	json_object_set_new(v, "hosts", hosts);
	json_object_set_new(v, "problems", problems);
	sum_of(v, sum);
	json_object_set_new(v, "sum", json_string(sum));
	return v;
}

/* --- reading ------------------------------------------------------------- */

static int read_id(const json_t *v, const struct json_place *at, const char *key, char *ret,
		   struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const char *s;

	if (json_read_string(v, at, key, JSON_REQUIRED, &s, e) < 0)
		return e->code;
	if (!host_id_valid(s))
		return json_fail(&here, e, "'%s' is not an id", s);
	snprintf(ret, SN_ID_SIZE, "%s", s);
	return 0;
}

static int read_text(const json_t *v, const struct json_place *at, const char *key, char **ret,
		     struct sn_error *e)
{
	const char *s;

	if (json_read_string(v, at, key, JSON_REQUIRED, &s, e) < 0)
		return e->code;
	*ret = xstrdup(s);
	return 0;
}

static int read_addresses(const json_t *v, const struct json_place *at, struct host *h,
			  struct sn_error *e)
{
	struct json_place here = json_key(at, "addresses");
	const json_t *list, *item;
	size_t i;

	if (json_read_array(v, at, "addresses", JSON_REQUIRED, &list, e) < 0)
		return e->code;
	/* who is gone has those it had */
	if (json_array_size(list) == 0)
		return json_fail(&here, e, "no address");
	if (json_array_size(list) > HOST_MAX_ADDRESSES)
		return json_fail(&here, e, "more than %d addresses", HOST_MAX_ADDRESSES);
	json_array_foreach(list, i, item) {
		struct json_place at_item = json_index(&here, i);
		const char *s = json_string_value(item);

		if (!s || sn_addr_parse(s, array_add(&h->underlay)) < 0)
			return json_fail(&at_item, e, "not an IP address");
	}
	return 0;
}

static int read_prefixes(const json_t *v, const struct json_place *at, struct host *h,
			 struct sn_error *e)
{
	struct json_place here = json_key(at, "prefixes");
	const json_t *list, *item;
	size_t i;

	if (json_read_array(v, at, "prefixes", JSON_REQUIRED, &list, e) < 0)
		return e->code;
	if (json_array_size(list) > HOST_MAX_PREFIXES + SNAPSHOT_MAX_CONTAINERS)
		return json_fail(&here, e, "too many");
	json_array_foreach(list, i, item) {
		struct json_place at_item = json_index(&here, i);
		const char *s = json_string_value(item);

		if (!s || sn_prefix_parse(s, array_add(&h->prefixes)) < 0)
			return json_fail(&at_item, e, "not an IP prefix");
	}
	return 0;
}

static int read_host(const json_t *v, const struct json_place *at, struct snapshot *s,
		     struct sn_error *e)
{
	struct json_place at_state = json_key(at, "state");
	char id[SN_ID_SIZE];
	const char *state;
	struct host *h;

	if (json_require_object(v, at, e) < 0 || read_id(v, at, "id", id, e) < 0 ||
	    json_read_string(v, at, "state", JSON_REQUIRED, &state, e) < 0)
		return e->code;
	h = snapshot_add_host(s, id);
	if (host_state_from_string(state, &h->state) < 0)
		return json_fail(&at_state, e, "'%s' is not a state of a host", state);
	if (h->state == HOST_GONE && read_id(v, at, "replaced_by", h->replaced_by, e) < 0)
		return e->code;
	if (read_text(v, at, "name", &h->name, e) < 0 ||
	    json_read_int(v, at, "created_ms", JSON_OPTIONAL, 0, INT64_MAX, &h->created_ms, e) <
		    0 ||
	    json_read_addr_pair(v, at, "overlay_ip", JSON_OPTIONAL, &h->overlay_ip, e) < 0 ||
	    json_read_bool(v, at, "nat", JSON_OPTIONAL, &h->behind_nat, e) < 0 ||
	    read_addresses(v, at, h, e) < 0)
		return e->code;
	return read_prefixes(v, at, h, e);
}

static int read_hosts(const json_t *v, struct snapshot *s, struct sn_error *e)
{
	struct json_place here = json_key(NULL, "hosts");
	const json_t *list, *item;
	size_t i;

	if (json_read_array(v, NULL, "hosts", JSON_REQUIRED, &list, e) < 0)
		return e->code;
	if (json_array_size(list) > SNAPSHOT_MAX_HOSTS)
		return json_fail(&here, e, "more than %d hosts", SNAPSHOT_MAX_HOSTS);
	json_array_foreach(list, i, item) {
		struct json_place at = json_index(&here, i);

		if (read_host(item, &at, s, e) < 0)
			return e->code;
	}
	return 0;
}

static int read_problems(const json_t *v, struct snapshot *s, struct sn_error *e)
{
	struct json_place here = json_key(NULL, "problems");
	const json_t *list = NULL, *item;
	size_t i;

	if (json_read_array(v, NULL, "problems", JSON_OPTIONAL, &list, e) < 0)
		return e->code;
	json_array_foreach(list, i, item) {
		struct json_place at = json_index(&here, i);
		const char *place, *text;

		if (json_require_object(item, &at, e) < 0 ||
		    json_read_string(item, &at, "place", JSON_REQUIRED, &place, e) < 0 ||
		    json_read_string(item, &at, "text", JSON_REQUIRED, &text, e) < 0)
			return e->code;
		if (place[0] != '/' || !text[0])
			return json_fail(&at, e, "not a problem");
		snapshot_add_problem(s, place, "%s", text);
	}
	return 0;
}

/* Written by an earlier sennit it has none. */
static int check_sum(const json_t *v, struct sn_error *e)
{
	const char *sum = NULL;
	char wanted[SUM_SIZE];

	if (json_read_string(v, NULL, "sum", JSON_OPTIONAL, &sum, e) < 0)
		return e->code;
	if (!sum)
		return 0;
	sum_of(v, wanted);
	if (!streq(sum, wanted))
		return sn_error_set(e, -EINVAL,
				    "/sum: %.32s is wrong, the content's is %s: it was damaged, or "
				    "changed by hand",
				    sum, wanted);
	return 0;
}

int snapshot_from_json(const json_t *v, struct snapshot **ret, struct sn_error *e)
{
	_cleanup_(snapshot_freep) struct snapshot *s = snapshot_new();
	int64_t version;

	if (json_require_object(v, NULL, e) < 0 ||
	    json_read_int(v, NULL, "sennit_snapshot", JSON_REQUIRED, STORED_VERSION, STORED_VERSION,
			  &version, e) < 0 ||
	    check_sum(v, e) < 0 || read_id(v, NULL, "mesh", s->mesh_id, e) < 0 ||
	    read_id(v, NULL, "self", s->self_id, e) < 0 ||
	    read_text(v, NULL, "name", &s->mesh_name, e) < 0 ||
	    read_text(v, NULL, "revision", &s->revision, e) < 0 ||
	    read_text(v, NULL, "source", &s->source, e) < 0 ||
	    json_read_prefix_pair(v, NULL, "overlay", JSON_REQUIRED, &s->overlay, e) < 0 ||
	    read_hosts(v, s, e) < 0)
		return e->code;
	if (snapshot_finish(s, NULL, e) < 0)
		return e->code;
	/* what we stored was settled: a new problem means that it was changed */
	if (s->problems.n)
		return sn_error_set(e, -EINVAL, "%s: %s", s->problems.v[0].place,
				    s->problems.v[0].text);
	if (read_problems(v, s, e) < 0)
		return e->code;
	*ret = sn_steal(s);
	return 0;
}
