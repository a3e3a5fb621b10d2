/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden cases: intent + observed -> wanted objects and printed plan.
 *
 * Usage: run FOLDER. In it:
 *
 * intent.json	snapshot (its stored form), config (the file's form), attachments,
 *		secrets (ids), uplink, uplink_forwarding, docker_user, alone, underlay_mtu,
 *		underlay_away (bits), no_ipv6, ipv6_forwarding, advertised (names),
 *		if_ids {"h2": 1}, foreign {"bridges": names, "in_our_groups": names}.
 *		"like": another case; this one then holds only what differs (objects are
 *		merged, everything else is replaced).
 * observed.json	"like": the case whose wanted objects are there (absent: none);
 *		"remove": ["route 10.42.2.0/24"], names as the plan prints them;
 *		"change": {"link snbr0": {"mtu": 1500}};
 *		"add": routes, as [{"dst": …, "dev": …, "src": …, "metric": …}];
 *		"known": kinds (absent: all); "tables": true shows their texts.
 * expected.txt	both data planes. REGENERATE=1 in the environment rewrites it.
 */
#include "base/file.h"
#include "base/json.h"
#include "plan/dataplane.h"
#include "plan/plan.h"

#include <stdio.h>

#define FILE_LIMIT (1 << 20)
#define MAX_ITEMS 64

/* An intent and all it points to. */
struct case_intent {
	struct config *config;
	struct snapshot *snapshot;
	struct attachment attachments[MAX_ITEMS];
	struct intent_secret secrets[MAX_ITEMS];
	struct if_ids if_ids;
	struct intent_device advertised[MAX_ITEMS];
	struct intent_foreign foreign;
	struct intent intent;
};

static void die(const char *where, const char *what)
{
	fprintf(stderr, "%s: %s\n", where, what);
	exit(1);
}

static json_t *read_json(const char *folder, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name), *text = NULL;
	struct sn_error e = { 0 };
	json_t *v = NULL;
	size_t len;

	if (file_read(path, FILE_LIMIT, &text, &len) < 0)
		die(path, "cannot be read");
	if (json_parse(text, len, &v, &e) < 0)
		die(path, e.text);
	return v;
}

/* folder/../name */
static char *beside(const char *folder, const char *name)
{
	return xasprintf("%s/../%s", folder, name);
}

/* The intent's document, with what it is like under it. */
static json_t *read_intent_json(const char *folder)
{
	json_t *own = read_json(folder, "intent.json"), *base;
	const char *like = json_string_value(json_object_get(own, "like"));
	_cleanup_free_ char *other = NULL;

	if (!like)
		return own;
	other = beside(folder, like);
	base = read_intent_json(other);
	json_object_update_recursive(base, own);
	json_decref(own);
	return base;
}

static const char *text_of(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

static void read_attachment(const json_t *v, struct attachment *a)
{
	struct sn_error e = { 0 };
	unsigned m[SN_MAC_SIZE];

	snprintf(a->id, sizeof(a->id), "%s", text_of(v, "id"));
	snprintf(a->veth, sizeof(a->veth), "snv%.8s", text_of(v, "id"));
	a->ready = !json_is_false(json_object_get(v, "ready"));
	if (json_read_prefix_pair(v, NULL, "addr", JSON_REQUIRED, &a->addr, &e) < 0 ||
	    sscanf(text_of(v, "mac"), "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4],
		   &m[5]) != SN_MAC_SIZE)
		die(a->id, "attachment without addr or mac");
	for (int i = 0; i < SN_MAC_SIZE; i++)
		a->mac[i] = (uint8_t)m[i];
}

static size_t read_devices(const json_t *names, struct intent_device ret[static MAX_ITEMS])
{
	const json_t *v;
	size_t i;

	json_array_foreach(names, i, v) {
		sn_require(i < MAX_ITEMS);
		snprintf(ret[i].name, IFNAMSIZ, "%s", json_string_value(v));
	}
	return json_array_size(names);
}

static void read_lists(const json_t *doc, struct case_intent *ret)
{
	struct intent *in = &ret->intent;
	const char *peer;
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(doc, "attachments"), i, v) {
		sn_require(i < MAX_ITEMS);
		read_attachment(v, &ret->attachments[in->n_attachments++]);
	}
	json_array_foreach(json_object_get(doc, "secrets"), i, v) {
		sn_require(i < MAX_ITEMS);
		snprintf(ret->secrets[in->n_secrets++].id, SECRET_ID_SIZE, "%s",
			 json_string_value(v));
	}
	in->n_advertised = read_devices(json_object_get(doc, "advertised"), ret->advertised);
	v = json_object_get(doc, "foreign");
	ret->foreign.n_bridges = read_devices(json_object_get(v, "bridges"), ret->foreign.bridges);
	ret->foreign.n_in_our_groups =
		read_devices(json_object_get(v, "in_our_groups"), ret->foreign.in_our_groups);
	json_object_foreach(json_object_get(doc, "if_ids"), peer, v) {
		sn_require(if_ids_add(&ret->if_ids, peer, (uint32_t)json_integer_value(v)));
	}
}

static void read_intent(const char *folder, struct case_intent *ret)
{
	_cleanup_json_ json_t *doc = read_intent_json(folder);
	_cleanup_free_ char *config = json_dumps(json_object_get(doc, "config"), 0);
	char *const no_environ[] = { NULL };
	struct sn_error e = { 0 };

	memset(ret, 0, sizeof(*ret));
	if (config_parse("config", config ? config : "{}", config ? strlen(config) : 2, no_environ,
			 &ret->config, &e) < 0 ||
	    snapshot_from_json(json_object_get(doc, "snapshot"), &ret->snapshot, &e) < 0)
		die(folder, e.text);
	ret->intent.config = ret->config;
	ret->intent.snapshot = ret->snapshot;
	ret->intent.attachments = ret->attachments;
	ret->intent.secrets = ret->secrets;
	ret->intent.if_ids = &ret->if_ids;
	ret->intent.advertised = ret->advertised;
	ret->intent.foreign = &ret->foreign;
	ret->intent.uplink_forwarding = json_is_true(json_object_get(doc, "uplink_forwarding"));
	ret->intent.ipv6_forwarding = json_is_true(json_object_get(doc, "ipv6_forwarding"));
	ret->intent.no_ipv6 = json_is_true(json_object_get(doc, "no_ipv6"));
	ret->intent.alone = json_is_true(json_object_get(doc, "alone"));
	ret->intent.docker_user = json_is_true(json_object_get(doc, "docker_user"));
	ret->intent.underlay_mtu = (int)json_integer_value(json_object_get(doc, "underlay_mtu"));
	ret->intent.underlay_away =
		(uint32_t)json_integer_value(json_object_get(doc, "underlay_away"));
	ret->intent.stand_in.port = (uint16_t)json_integer_value(json_object_get(doc, "stand_in"));
	ret->intent.stand_in.port6 = ret->intent.stand_in.port;
	snprintf(ret->intent.uplink, IFNAMSIZ, "%s", text_of(doc, "uplink"));
	read_lists(doc, ret);
}

static void free_intent(struct case_intent *in)
{
	config_free(in->config);
	snapshot_free(in->snapshot);
	if_ids_fini(&in->if_ids);
}

/* --- what is observed -------------------------------------------------------- */

static size_t find_name(const struct object_set *set, const char *name)
{
	for (size_t i = 0; i < set->o.n; i++) {
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

		object_add_name(&set->o.v[i], &b);
		if (streq(b.data, name))
			return i;
	}
	return set->o.n;
}

static void change_link(struct object_link *l, const char *key, const json_t *v, const char *name)
{
	if (streq(key, "mtu"))
		l->mtu = (int)json_integer_value(v);
	else if (streq(key, "up"))
		l->up = json_is_true(v);
	else if (streq(key, "master"))
		snprintf(l->master, sizeof(l->master), "%s", json_string_value(v));
	else
		die(name, key);
}

static void change_object(struct object *o, const char *key, const json_t *v, const char *name)
{
	if (o->kind == OBJECT_LINK) {
		change_link(o->link, key, v, name);
	} else if (o->kind == OBJECT_SYSCTL && streq(key, "value")) {
		snprintf(o->sysctl->value, sizeof(o->sysctl->value), "%s", json_string_value(v));
	} else if (o->kind == OBJECT_ROUTE && streq(key, "dev")) {
		snprintf(o->route.oif, sizeof(o->route.oif), "%s", json_string_value(v));
	} else if (o->kind == OBJECT_NFT && streq(key, "text")) {
		free(o->nft.text);
		o->nft.text = xstrdup(json_string_value(v));
	} else {
		die(name, key);
	}
}

static void change_objects(struct object_set *set, const json_t *changes)
{
	const char *name, *key;
	json_t *attributes, *v;

	json_object_foreach((json_t *)changes, name, attributes) {
		size_t i = find_name(set, name);

		json_object_foreach(attributes, key, v) {
			if (i < set->o.n)
				change_object(&set->o.v[i], key, v, name);
		}
	}
}

static void add_route(struct object_set *set, const json_t *v)
{
	struct object_route *r = &object_set_add(set, OBJECT_ROUTE)->route;

	if (sn_prefix_parse(text_of(v, "dst"), &r->dst) < 0)
		die("add", "route without dst");
	sn_addr_parse(text_of(v, "src"), &r->src);
	snprintf(r->oif, sizeof(r->oif), "%s", text_of(v, "dev"));
	r->metric = (uint32_t)json_integer_value(json_object_get(v, "metric"));
	r->table = 254;
}

/* What the plane wants for the case, nothing when it refuses. */
static void want_case(const char *folder, const struct dataplane *plane, struct object_set *ret)
{
	struct case_intent in;
	struct wanted w = { 0 };
	struct sn_error e;

	read_intent(folder, &in);
	if (plane->want(&in.intent, &w, &e) == 0) {
		*ret = w.objects;
		memset(&w.objects, 0, sizeof(w.objects));
	}
	wanted_fini(&w);
	free_intent(&in);
}

/*
 * Names that one of the planes does not have are passed over: a case is
 * written once for both.
 */
static void read_observed(const char *folder, const json_t *doc, const struct dataplane *plane,
			  struct object_set *ret)
{
	const char *like = json_string_value(json_object_get(doc, "like"));
	json_t *v;
	size_t i;

	if (like) {
		_cleanup_free_ char *other = beside(folder, like);

		want_case(other, plane, ret);
	}
	change_objects(ret, json_object_get(doc, "change"));
	json_array_foreach(json_object_get(doc, "remove"), i, v) {
		size_t at = find_name(ret, json_string_value(v));

		if (at < ret->o.n) {
			object_fini(&ret->o.v[at]);
			array_remove(&ret->o, at);
		}
	}
	json_array_foreach(json_object_get(doc, "add"), i, v)
		add_route(ret, v);
	object_set_sort(ret);
}

static unsigned read_known(const json_t *doc)
{
	const json_t *list = json_object_get(doc, "known");
	unsigned known = list ? 0 : OBJECT_ALL_NET | OBJECT_ALL_IKE;
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		for (int kind = 0; kind < OBJECT_KINDS; kind++) {
			if (streq(json_string_value(v),
				  object_kind_to_string((enum object_kind)kind)))
				known |= OBJECT_BIT(kind);
		}
	}
	return known;
}

/* --- what is shown ----------------------------------------------------------- */

static void show_wanted(const struct wanted *w, bool tables, struct strbuf *out)
{
	array_foreach(&w->objects.o, o) {
		object_add_text(o, out);
		strbuf_addc(out, '\n');
		if (tables && o->kind == OBJECT_NFT)
			strbuf_adds(out, o->nft.text);
	}
	strbuf_adds(out, "\npeers:\n");
	array_foreach(&w->peers, p)
		strbuf_addf(out, "%s dev %s overlay %s%s\n", p->id, p->device,
			    SN_ADDR_STR(&p->overlay_ip), p->owner ? " owner" : "");
	strbuf_adds(out, "\nremarks:\n");
	array_foreach(&w->remarks, r)
		strbuf_addf(out, "%s\n", *r);
}

static void show_plan(const char *folder, const json_t *doc, const struct dataplane *plane,
		      const struct wanted *w, struct strbuf *out)
{
	_cleanup_object_set_ struct object_set observed = { 0 };
	_cleanup_plan_ struct plan plan = { 0 };

	read_observed(folder, doc, plane, &observed);
	plan_build(&w->objects, &observed, read_known(doc), &plan);
	strbuf_adds(out, "\nplan:\n");
	plan_print(&plan, out);
	strbuf_addc(out, '\n');
}

static void show_plane(const char *folder, const struct dataplane *plane, struct strbuf *out)
{
	_cleanup_json_ json_t *doc = read_json(folder, "observed.json");
	struct case_intent in;
	struct wanted w = { 0 };
	struct sn_error e = { 0 };

	read_intent(folder, &in);
	strbuf_addf(out, "=== %s ===\n\n", plane->name);
	if (plane->want(&in.intent, &w, &e) < 0) {
		strbuf_addf(out, "refused (%s): %s\n\n", sn_strerror(e.code), e.text);
	} else {
		show_wanted(&w, json_is_true(json_object_get(doc, "tables")), out);
		show_plan(folder, doc, plane, &w, out);
	}
	wanted_fini(&w);
	free_intent(&in);
}

/* The first line that differs; equal texts are 0. */
static int compare(const char *is, const char *should)
{
	for (int line = 1; *is || *should; line++) {
		size_t a = strcspn(is, "\n"), b = strcspn(should, "\n");

		if (a != b || memcmp(is, should, a) != 0) {
			fprintf(stderr, "line %d\n  expected: %.*s\n  is:       %.*s\n", line,
				(int)b, should, (int)a, is);
			return 1;
		}
		is += a + (is[a] != '\0');
		should += b + (should[b] != '\0');
	}
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *path = NULL, *expected = NULL;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	size_t len;

	if (argc != 2)
		die(argv[0], "usage: run FOLDER");
	path = xasprintf("%s/expected.txt", argv[1]);
	show_plane(argv[1], &dataplane_libipsec, &out);
	show_plane(argv[1], &dataplane_xfrm, &out);
	if (getenv("REGENERATE"))
		return file_write_atomic(path, out.data, out.len, 0644) < 0;
	if (file_read(path, FILE_LIMIT, &expected, &len) < 0)
		die(path, "cannot be read");
	return compare(out.data, expected);
}
