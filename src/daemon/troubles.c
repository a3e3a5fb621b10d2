/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An array and a hash table of chains in it. The last one fills the hole of one that
 * went, so the array has no holes for who shows it, and nothing is moved but that one.
 */
#include "daemon/troubles.h"

#define MIN_BUCKETS 16

static uint32_t hash_name(const char *object)
{
	return (uint32_t)object_hash(object, strlen(object));
}

static uint32_t *bucket(const struct troubles *t, uint32_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

static void link_in(struct troubles *t, size_t i)
{
	uint32_t *head = bucket(t, t->all.v[i].hash);

	t->all.v[i].next = *head;
	*head = (uint32_t)i + 1;
}

/* What points at this one. */
static uint32_t *pointer_to(struct troubles *t, size_t i)
{
	uint32_t *p = bucket(t, t->all.v[i].hash);

	while (*p != i + 1)
		p = &t->all.v[*p - 1].next;
	return p;
}

static void grow(struct troubles *t)
{
	if (t->all.n < t->n_buckets)
		return;
	t->n_buckets = SN_MAX(t->n_buckets * 2, (size_t)MIN_BUCKETS);
	free(t->buckets);
	t->buckets = xcalloc(t->n_buckets, sizeof(*t->buckets));
	for (size_t i = 0; i < t->all.n; i++)
		link_in(t, i);
}

static struct trouble *find(const struct troubles *t, const char *object)
{
	uint32_t hash = hash_name(object);

	if (t->n_buckets == 0)
		return NULL;
	for (uint32_t i = *bucket(t, hash); i; i = t->all.v[i - 1].next) {
		struct trouble *one = &t->all.v[i - 1];

		if (one->hash == hash && streq(one->object, object))
			return one;
	}
	return NULL;
}

static void drop(struct troubles *t, size_t i)
{
	size_t last = t->all.n - 1;

	*pointer_to(t, i) = t->all.v[i].next;
	free(t->all.v[i].object);
	free(t->all.v[i].text);
	if (i != last) {
		*pointer_to(t, last) = (uint32_t)i + 1;
		t->all.v[i] = t->all.v[last];
	}
	t->all.n = last;
}

void troubles_fini(struct troubles *t)
{
	array_foreach(&t->all, one) {
		free(one->object);
		free(one->text);
	}
	array_free(&t->all);
	free(t->buckets);
	*t = (struct troubles){ 0 };
}

bool troubles_note(struct troubles *t, const struct object *o, const char *object, const char *text,
		   int64_t now)
{
	struct trouble *one = find(t, object);
	bool known = one != NULL;

	if (!known) {
		grow(t);
		one = array_add(&t->all);
		one->object = xstrdup(object);
		one->kind = o->kind;
		one->since_ms = now;
		one->hash = hash_name(object);
		link_in(t, t->all.n - 1);
	}
	one->pass = t->pass;
	if (known && streq_null(one->text, text))
		return false;
	free(one->text);
	one->text = xstrdup_null(text);
	return true;
}

const struct trouble *troubles_find(const struct troubles *t, const char *object)
{
	return find(t, object);
}

void troubles_clear(struct troubles *t, const char *object)
{
	const struct trouble *one = find(t, object);

	if (one)
		drop(t, (size_t)(one - t->all.v));
}

void troubles_end_pass(struct troubles *t, unsigned kinds)
{
	for (size_t i = t->all.n; i-- > 0;) {
		const struct trouble *one = &t->all.v[i];

		if (one->pass != t->pass && (kinds & OBJECT_BIT(one->kind)))
			drop(t, i);
	}
	t->pass++;
}
