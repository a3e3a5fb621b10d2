/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of any kind, and sets of them. A set is an array that its maker
 * fills and then sorts once; after that it is searched and walked, never
 * changed. The kinds themselves are in object_net.c and object_ike.c.
 */
#include "plan/object.h"

#include "plan/object_kind.h"

static const struct object_ops *const kinds[OBJECT_KINDS] = {
	[OBJECT_NFT] = &object_nft_ops,         [OBJECT_RULE] = &object_rule_ops,
	[OBJECT_SYSCTL] = &object_sysctl_ops,   [OBJECT_LINK] = &object_link_ops,
	[OBJECT_ADDRESS] = &object_address_ops, [OBJECT_ROUTE] = &object_route_ops,
	[OBJECT_IKE_KEY] = &object_ike_key_ops, [OBJECT_IKE_CONN] = &object_ike_conn_ops,
};

static const struct object_ops *ops_of(const struct object *o)
{
	sn_require(o->kind < OBJECT_KINDS);
	return kinds[o->kind];
}

bool object_is_guard(const struct object *o)
{
	return (o->kind == OBJECT_NFT &&
		(streq(o->nft.family, "inet") || streq(o->nft.family, "bridge"))) ||
	       (o->kind == OBJECT_ROUTE && o->route.unreachable);
}

const char *object_kind_to_string(enum object_kind kind)
{
	sn_require(kind < OBJECT_KINDS);
	return kinds[kind]->name;
}

int object_cmp(const struct object *a, const struct object *b)
{
	return a->kind != b->kind ? sn_cmp_num(a->kind, b->kind) : ops_of(a)->cmp(a, b);
}

bool object_equal(const struct object *a, const struct object *b)
{
	return object_cmp(a, b) == 0 && ops_of(a)->equal(a, b);
}

void object_init(struct object *o, enum object_kind kind)
{
	*o = (struct object){ .kind = kind };
	if (ops_of(o)->size)
		o->behind = xcalloc(1, ops_of(o)->size);
}

void object_copy(const struct object *o, struct object *ret)
{
	const struct object_ops *ops = ops_of(o);

	*ret = *o;
	if (ops->size)
		ret->behind = memcpy(xmalloc(ops->size), o->behind, ops->size);
	if (ops->copy)
		ops->copy(o, ret);
}

void object_fini(struct object *o)
{
	const struct object_ops *ops = ops_of(o);

	if (ops->fini)
		ops->fini(o);
	if (ops->size)
		free(o->behind);
	memset(o, 0, sizeof(*o));
}

void object_add_name(const struct object *o, struct strbuf *b)
{
	strbuf_addf(b, "%s ", ops_of(o)->name);
	ops_of(o)->add_key(o, b);
}

void object_add_text(const struct object *o, struct strbuf *b)
{
	object_add_name(o, b);
	for (const struct object_field *f = ops_of(o)->fields; f->add; f++) {
		_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

		f->add(o, &value);
		if (value.len > 0)
			strbuf_addf(b, " %s%s%s", f->name, *f->name ? " " : "", value.data);
	}
}

void object_add_difference(const struct object *found, const struct object *wanted,
			   struct strbuf *b)
{
	const char *separator = "";

	for (const struct object_field *f = ops_of(found)->fields; f->add; f++) {
		_cleanup_strbuf_ struct strbuf is = STRBUF_INIT, should = STRBUF_INIT;

		f->add(found, &is);
		f->add(wanted, &should);
		if (streq(strbuf_str(&is), strbuf_str(&should)) ||
		    (f->vague && (!is.len || !should.len)))
			continue;
		strbuf_addf(b, "%s%s%s%s instead of %s", separator, f->name, *f->name ? " " : "",
			    is.len ? is.data : "none", should.len ? should.data : "none");
		separator = ", ";
	}
}

uint64_t object_hash(const void *data, size_t len)
{
	return sn_hash(SN_HASH_INIT, data, len);
}

struct object *object_set_add(struct object_set *set, enum object_kind kind)
{
	struct object *o = array_add(&set->o);

	object_init(o, kind);
	return o;
}

void object_set_add_copy(struct object_set *set, const struct object *o)
{
	object_copy(o, array_add(&set->o));
}

static int cmp_for_qsort(const void *a, const void *b)
{
	return object_cmp(a, b);
}

/* The end of the objects of one kind that begin here; *ret_sorted: they stand in their order. */
static size_t end_of_kind(const struct object_set *set, size_t first, bool *ret_sorted)
{
	const struct object *o = set->o.v;
	size_t end = first + 1;

	*ret_sorted = true;
	for (; end < set->o.n && o[end].kind == o[first].kind; end++)
		*ret_sorted &= object_cmp(&o[end - 1], &o[end]) <= 0;
	return end;
}

/* Most come kind by kind, and the kernel's routes in their order: 50,000 are not sorted again. */
static void sort_kinds(struct object_set *set)
{
	size_t end;

	for (size_t i = 0; i < set->o.n; i = end) {
		bool sorted;

		end = end_of_kind(set, i, &sorted);
		if (end < set->o.n && set->o.v[end].kind < set->o.v[i].kind) {
			array_sort(&set->o, cmp_for_qsort);
			return;
		}
		if (!sorted)
			qsort(&set->o.v[i], end - i, sizeof(*set->o.v), cmp_for_qsort);
	}
}

void object_set_sort(struct object_set *set)
{
	array_trim(&set->o);
	sort_kinds(set);
	for (size_t i = 1; i < set->o.n; i++)
		sn_require(object_cmp(&set->o.v[i - 1], &set->o.v[i]) < 0);
}

void object_set_sort_found(struct object_set *set)
{
	size_t n = 0;

	sort_kinds(set);
	for (size_t i = 0; i < set->o.n; i++) {
		if (n > 0 && object_cmp(&set->o.v[n - 1], &set->o.v[i]) == 0)
			object_fini(&set->o.v[i]);
		else
			set->o.v[n++] = set->o.v[i];
	}
	set->o.n = n;
}

const struct object *object_set_find(const struct object_set *set, const struct object *like)
{
	return set->o.n ? bsearch(like, set->o.v, set->o.n, sizeof(*like), cmp_for_qsort) : NULL;
}

void object_set_fini(struct object_set *set)
{
	array_foreach(&set->o, o)
		object_fini(o);
	array_free(&set->o);
}
