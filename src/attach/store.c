/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attach/store.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define STORE_VERSION 1
#define STORE_MAX_BYTES (4u << 20)

struct attach_table *attach_table_new(void)
{
	return xcalloc(1, sizeof(struct attach_table));
}

void attach_table_free(struct attach_table *t)
{
	if (!t)
		return;
	array_foreach(&t->items, a)
		free(a->label);
	array_free(&t->items);
	free(t);
}

void attach_table_remove(struct attach_table *t, size_t i)
{
	free(t->items.v[i].label);
	array_remove(&t->items, i);
}

bool attach_ifname_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || streq(name, ".") || streq(name, "..") || streq(name, "lo"))
		return false;
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '/' || *p == ':' || *p == '%')
			return false;
	return true;
}

void attach_veth_name(const char *id, char ret[static IFNAMSIZ])
{
	snprintf(ret, IFNAMSIZ, "snv%.8s", id);
}

/* --- writing ----------------------------------------------------------------- */

static json_t *attachment_to_json(const struct attachment *a)
{
	const uint8_t *m = a->mac;
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return json_pack("{s:s, s:s, s:o, s:s, s:[I, I], s:I, s:s?, s:b}", "id", a->id, "ifname",
			 a->ifname, "address", json_from_prefix_pair(&a->addr), "mac", mac, "netns",
			 (json_int_t)a->netns_dev, (json_int_t)a->netns_ino, "created_ms",
			 (json_int_t)a->created_ms, "label", a->label, "ready", a->ready);
}

json_t *attach_table_to_json(const struct attach_table *t)
{
	json_t *list = json_array();

	array_foreach(&t->items, a)
		json_array_append_new(list, attachment_to_json(a));
	return json_pack("{s:i, s:o, s:o}", "sennit_attachments", STORE_VERSION, "last",
			 json_from_addr_pair(&t->last), "attachments", list);
}

int attach_store_write(const char *path, const struct attach_table *t, struct sn_error *e)
{
	_cleanup_json_ json_t *doc = attach_table_to_json(t);
	_cleanup_free_ char *text = json_dumps(doc, JSON_INDENT(2));
	int r;

	sn_require(text);
	r = file_replace(path, text, strlen(text), 0600);
	return r < 0 ? sn_error_set(e, r, "cannot write %s: %s", path, sn_strerror(r)) : 0;
}

/* --- reading ----------------------------------------------------------------- */

static int read_id(const json_t *v, const struct json_place *at, struct attachment *a,
		   struct sn_error *e)
{
	struct json_place here = json_key(at, "id");
	const char *id = NULL;
	int r = json_read_string(v, at, "id", JSON_REQUIRED, &id, e);

	if (r < 0)
		return r;
	if (strlen(id) != ATTACHMENT_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != strlen(id))
		return json_fail(&here, e, "not 16 hex digits");
	strcpy(a->id, id);
	attach_veth_name(id, a->veth);
	return 0;
}

static int read_ifname(const json_t *v, const struct json_place *at, struct attachment *a,
		       struct sn_error *e)
{
	struct json_place here = json_key(at, "ifname");
	const char *name = NULL;
	int r = json_read_string(v, at, "ifname", JSON_REQUIRED, &name, e);

	if (r < 0)
		return r;
	if (!attach_ifname_valid(name))
		return json_fail(&here, e, "no name of an interface");
	strcpy(a->ifname, name);
	return 0;
}

static int read_mac(const json_t *v, const struct json_place *at, struct attachment *a,
		    struct sn_error *e)
{
	struct json_place here = json_key(at, "mac");
	const char *text = NULL;
	uint8_t *m = a->mac;
	int n = 0, r = json_read_string(v, at, "mac", JSON_REQUIRED, &text, e);

	if (r < 0)
		return r;
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4],
		   &m[5], &n) != 6 ||
	    n != 17 || text[n] || (m[0] & 1))
		return json_fail(&here, e, "not the address of one interface");
	return 0;
}

static int read_netns(const json_t *v, const struct json_place *at, struct attachment *a,
		      struct sn_error *e)
{
	struct json_place here = json_key(at, "netns");
	const json_t *pair = NULL;
	int r = json_read_array(v, at, "netns", JSON_REQUIRED, &pair, e);

	if (r < 0)
		return r;
	if (json_array_size(pair) != 2 || !json_is_integer(json_array_get(pair, 0)) ||
	    !json_is_integer(json_array_get(pair, 1)))
		return json_fail(&here, e, "not two numbers, device and inode");
	a->netns_dev = (uint64_t)json_integer_value(json_array_get(pair, 0));
	a->netns_ino = (uint64_t)json_integer_value(json_array_get(pair, 1));
	return 0;
}

static int read_label(const json_t *v, const struct json_place *at, struct attachment *a,
		      struct sn_error *e)
{
	struct json_place here = json_key(at, "label");
	const char *label = NULL;
	int r = json_read_string(v, at, "label", JSON_OPTIONAL, &label, e);

	if (r < 0 || !label)
		return r;
	if (strlen(label) > ATTACH_MAX_LABEL)
		return json_fail(&here, e, "longer than %d bytes", ATTACH_MAX_LABEL);
	a->label = xstrdup(label);
	return 0;
}

/* Fills a, which is in the table already, so that what it owns is freed with that. */
static int read_attachment(const json_t *v, const struct json_place *at, struct attachment *a,
			   struct sn_error *e)
{
	static const char *const keys[] = { "id",         "ifname", "address", "mac", "netns",
					    "created_ms", "label",  "ready",   NULL };
	int r = json_require_object(v, at, e);

	if (r == 0)
		r = json_check_keys(v, at, keys, e);
	if (r == 0)
		r = read_id(v, at, a, e);
	if (r == 0)
		r = read_ifname(v, at, a, e);
	if (r == 0)
		r = json_read_prefix_pair(v, at, "address", JSON_REQUIRED, &a->addr, e);
	if (r == 0)
		r = read_mac(v, at, a, e);
	if (r == 0)
		r = read_netns(v, at, a, e);
	if (r == 0)
		r = json_read_int(v, at, "created_ms", JSON_REQUIRED, 0, INT64_MAX, &a->created_ms,
				  e);
	if (r == 0)
		r = read_label(v, at, a, e);
	if (r == 0)
		r = json_read_bool(v, at, "ready", JSON_REQUIRED, &a->ready, e);
	return r;
}

static int cmp_veths(const void *a, const void *b)
{
	const struct attachment *const *x = a, *const *y = b;
	int c = strcmp((*x)->veth, (*y)->veth);

	return c ? c : sn_cmp_num(*x, *y);
}

struct held {
	struct sn_addr addr;
	size_t by; /* index of the attachment */
};

static int cmp_held(const void *a, const void *b)
{
	const struct held *x = a, *y = b;
	int c = sn_addr_cmp(&x->addr, &y->addr);

	return c ? c : sn_cmp_num(x->by, y->by);
}

/* In order, what is the same stands side by side; each with each would be slow. */
static int check_addresses(const struct attach_table *t, const struct json_place *list,
			   struct sn_error *e)
{
	ARRAY(struct held) held = { 0 };
	int r = 0;

	for (size_t i = 0; i < t->items.n; i++) {
		sn_prefix_pair_foreach(&t->items.v[i].addr, p)
			*array_add(&held) = (struct held){ p->addr, i };
	}
	array_sort(&held, cmp_held);
	for (size_t i = 1; r == 0 && i < held.n; i++) {
		struct json_place at = json_index(list, held.v[i].by);

		if (sn_addr_cmp(&held.v[i - 1].addr, &held.v[i].addr) == 0)
			r = json_fail(&at, e, "a second one with %s", SN_ADDR_STR(&held.v[i].addr));
	}
	array_free(&held);
	return r;
}

static int check_names(const struct attach_table *t, const struct json_place *list,
		       struct sn_error *e)
{
	size_t n = t->items.n;
	_cleanup_free_ const struct attachment **v = xcalloc(n + 1, sizeof(*v));
	int r = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = &t->items.v[i];
	qsort(v, n, sizeof(*v), cmp_veths);
	for (size_t i = 1; r == 0 && i < n; i++) {
		struct json_place at = json_index(list, (size_t)(v[i] - t->items.v));

		if (streq(v[i - 1]->veth, v[i]->veth))
			r = json_fail(&at, e, "a second one of the name %s", v[i]->veth);
	}
	return r;
}

static int read_list(const json_t *list, const struct json_place *at, struct attach_table *t,
		     struct sn_error *e)
{
	if (json_array_size(list) > ATTACH_MAX)
		return json_fail(at, e, "more than %d", ATTACH_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct json_place here = json_index(at, i);
		int r = read_attachment(json_array_get(list, i), &here, array_add(&t->items), e);

		if (r < 0)
			return r;
	}
	return check_names(t, at, e) < 0 ? e->code : check_addresses(t, at, e);
}

int attach_table_parse(const char *text, size_t len, struct attach_table **ret, struct sn_error *e)
{
	static const char *const keys[] = { "sennit_attachments", "last", "attachments", NULL };
	const struct json_place at = json_key(NULL, "attachments");
	_cleanup_(attach_table_freep) struct attach_table *t = attach_table_new();
	_cleanup_json_ json_t *doc = NULL;
	const json_t *list = NULL;
	int64_t version;
	int r = json_parse(text, len, &doc, e);

	if (r == 0)
		r = json_require_object(doc, NULL, e);
	if (r == 0)
		r = json_read_int(doc, NULL, "sennit_attachments", JSON_REQUIRED, STORE_VERSION,
				  STORE_VERSION, &version, e);
	if (r == 0)
		r = json_check_keys(doc, NULL, keys, e);
	if (r == 0)
		r = json_read_addr_pair(doc, NULL, "last", JSON_OPTIONAL, &t->last, e);
	if (r == 0)
		r = json_read_array(doc, NULL, "attachments", JSON_REQUIRED, &list, e);
	if (r == 0)
		r = read_list(list, &at, t, e);
	if (r == 0)
		*ret = sn_steal(t);
	return r;
}

int attach_store_read(const char *path, struct attach_table **ret, struct sn_error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, STORE_MAX_BYTES, &text, &len);

	if (r == -ENOENT) {
		*ret = attach_table_new();
		return 0;
	}
	if (r < 0)
		return sn_error_set(e, r, "cannot read %s: %s", path, sn_strerror(r));
	/* of a power cut right after a write; nothing that was attached outlives it */
	if (len == 0) {
		*ret = attach_table_new();
		return 0;
	}
	r = attach_table_parse(text, len, ret, e);
	return r < 0 ? sn_error_wrap(e, "%s", path) : 0;
}
