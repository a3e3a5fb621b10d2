/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A step holds only ids and what became of them; the entries themselves are
 * rendered from the newest document. Of an id that several steps name the
 * first tells whether it was there at the start, the document whether it is
 * there now.
 */
#include "history.h"

#include "render.h"

#include "base/array.h"

/* All who wait ask the same; those of an older version of the API something else. */
#define KEPT_ANSWERS 4

enum kind { KIND_HOST, KIND_CONTAINER, KINDS };

struct change {
	enum kind kind;
	bool added; /* it was not there before */
	union {
		char id[SN_ID_SIZE];
		uint8_t uuid[16];
	};
};

struct step {
	char from[37]; /* the version it leads from */
	ARRAY(struct change) changes;
};

struct kept {
	char since[37];
	enum api_version v;
	struct piece *piece;
};

struct history {
	ARRAY(struct step) steps; /* the oldest first */
	size_t changes;           /* in all steps */
	struct kept kept[KEPT_ANSWERS];
	size_t next_kept;
};

/* --- steps -------------------------------------------------------------------------------- */

static void forget_oldest(struct history *h)
{
	h->changes -= h->steps.v[0].changes.n;
	array_free(&h->steps.v[0].changes);
	array_remove(&h->steps, 0);
}

static void forget_all(struct history *h)
{
	while (h->steps.n)
		forget_oldest(h);
}

static void drop_kept(struct history *h)
{
	for (size_t i = 0; i < KEPT_ANSWERS; i++)
		piece_unref(sn_steal(h->kept[i].piece));
}

static void add_change(struct step *step, enum kind kind, bool added, const void *id)
{
	struct change *c = array_add(&step->changes);

	c->kind = kind;
	c->added = added;
	if (kind == KIND_HOST)
		memcpy(c->id, id, sizeof(c->id));
	else
		memcpy(c->uuid, id, sizeof(c->uuid));
}

static void diff_hosts(const struct document *a, const struct document *b, struct step *step)
{
	size_t i = 0, j = 0;

	while ((i < a->hosts.n || j < b->hosts.n) && step->changes.n <= HISTORY_MAX_CHANGES) {
		const struct document_host *x =
			i < a->hosts.n ? &a->hosts.v[a->hosts_by_id.v[i]] : NULL;
		const struct document_host *y =
			j < b->hosts.n ? &b->hosts.v[b->hosts_by_id.v[j]] : NULL;
		int c = !x ? 1 : !y ? -1 : strcmp(x->id, y->id);

		if (c != 0)
			add_change(step, KIND_HOST, c > 0, c > 0 ? y->id : x->id);
		else if (x->hash != y->hash)
			add_change(step, KIND_HOST, false, x->id);
		i += c <= 0;
		j += c >= 0;
	}
}

static void diff_containers(const struct document *a, const struct document *b, struct step *step)
{
	size_t i = 0, j = 0, n = a->containers.n, m = b->containers.n;

	while ((i < n || j < m) && step->changes.n <= HISTORY_MAX_CHANGES) {
		const struct document_container *x =
			i < n ? &a->containers.v[a->containers_by_uuid.v[i]] : NULL;
		const struct document_container *y =
			j < m ? &b->containers.v[b->containers_by_uuid.v[j]] : NULL;
		int c = !x ? 1 : !y ? -1 : memcmp(x->uuid, y->uuid, sizeof(x->uuid));

		if (c != 0)
			add_change(step, KIND_CONTAINER, c > 0, c > 0 ? y->uuid : x->uuid);
		else if (x->hash != y->hash)
			add_change(step, KIND_CONTAINER, false, x->uuid);
		i += c <= 0;
		j += c >= 0;
	}
}

struct history *history_new(void)
{
	return xcalloc(1, sizeof(struct history));
}

void history_free(struct history *h)
{
	if (!h)
		return;
	forget_all(h);
	drop_kept(h);
	array_free(&h->steps);
	free(h);
}

void history_add(struct history *h, const struct document *from, const struct document *to)
{
	struct step step = { .changes = { 0 } };

	drop_kept(h);
	if (!from || !from->unique || !to->unique || from->mesh_hash != to->mesh_hash) {
		forget_all(h);
		return;
	}
	memcpy(step.from, from->version, sizeof(step.from));
	diff_hosts(from, to, &step);
	diff_containers(from, to, &step);
	if (step.changes.n > HISTORY_MAX_CHANGES) {
		array_free(&step.changes);
		forget_all(h);
		return;
	}
	*array_add(&h->steps) = step;
	h->changes += step.changes.n;
	while (h->steps.n > HISTORY_MAX_STEPS || h->changes > HISTORY_MAX_CHANGES)
		forget_oldest(h);
}

/* --- answers ------------------------------------------------------------------------------- */

/* One id of all the steps that are told. */
struct told {
	const struct change *change; /* the first */
	size_t order;
	long now; /* index in the newest document, -1: not there */
};

struct telling {
	const struct document *now;
	enum api_version v;
	ARRAY(struct told) told;
};

static int cmp_ids(const struct change *a, const struct change *b)
{
	int c = sn_cmp_num(a->kind, b->kind);

	if (c)
		return c;
	return a->kind == KIND_HOST ? strcmp(a->id, b->id)
				    : memcmp(a->uuid, b->uuid, sizeof(a->uuid));
}

static int cmp_told(const void *x, const void *y)
{
	const struct told *a = x, *b = y;
	int c = cmp_ids(a->change, b->change);

	return c ? c : sn_cmp_num(a->order, b->order);
}

/* Each id once, with the first that is said of it. */
static void collect(struct telling *t, const struct step *steps, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		array_foreach(&steps[i].changes, c)
			*array_add(&t->told) = (struct told){ .change = c, .order = t->told.n };
	}
	array_sort(&t->told, cmp_told);
	for (size_t i = 0; i < t->told.n; i++) {
		struct told *told = &t->told.v[i];

		if (kept && cmp_ids(t->told.v[kept - 1].change, told->change) == 0)
			continue;
		told->now = told->change->kind == KIND_HOST
				    ? document_find_host(t->now, told->change->id)
				    : document_find_container(t->now, told->change->uuid);
		t->told.v[kept++] = *told;
	}
	t->told.n = kept;
}

static void add_id(const struct change *c, struct strbuf *b)
{
	char uuid[37];

	if (c->kind == KIND_CONTAINER)
		document_format_uuid(c->uuid, uuid);
	render_string(c->kind == KIND_HOST ? c->id : uuid, b);
}

static void add_list(const struct telling *t, enum kind kind, bool was, bool is, struct strbuf *b)
{
	bool first = true;

	array_foreach(&t->told, told) {
		if (told->change->kind != kind || told->change->added == was ||
		    (told->now >= 0) != is)
			continue;
		if (!first)
			strbuf_addc(b, ',');
		first = false;
		if (!is)
			add_id(told->change, b);
		else if (kind == KIND_HOST)
			render_host(t->now, (size_t)told->now, t->v, b);
		else
			render_container(t->now, (size_t)told->now, t->v, b);
	}
}

static void add_kind(const struct telling *t, const char *name, enum kind kind, struct strbuf *b)
{
	strbuf_addf(b, ",\"%s\":{\"added\":[", name);
	add_list(t, kind, false, true, b);
	strbuf_adds(b, "],\"changed\":[");
	add_list(t, kind, true, true, b);
	strbuf_adds(b, "],\"removed\":[");
	add_list(t, kind, true, false, b);
	strbuf_adds(b, "]}");
}

/* The number of the step that leads from this version; steps.n: it is the newest; -1: unknown. */
static long find_step(const struct history *h, const struct document *now, const char *since)
{
	if (streq(since, now->version))
		return (long)h->steps.n;
	for (size_t i = 0; i < h->steps.n; i++) {
		if (streq(h->steps.v[i].from, since))
			return (long)i;
	}
	return -1;
}

static struct piece *make(const struct history *h, const struct document *now, enum api_version v,
			  const char *since)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct telling t = { .now = now, .v = v };
	long step = find_step(h, now, since);

	if (step >= 0 && (size_t)step < h->steps.n)
		collect(&t, h->steps.v + step, h->steps.n - (size_t)step);
	strbuf_addf(&b, "\"version\":\"%s\"", now->version);
	if (step < 0 || t.told.n > HISTORY_MAX_TOLD) {
		strbuf_adds(&b, ",\"all\":true}");
	} else {
		add_kind(&t, "hosts", KIND_HOST, &b);
		add_kind(&t, "containers", KIND_CONTAINER, &b);
		strbuf_addc(&b, '}');
	}
	array_free(&t.told);
	return piece_new(strbuf_str(&b), b.len);
}

struct piece *history_changes(struct history *h, const struct document *now, enum api_version v,
			      const char *since)
{
	struct kept *k;

	if (strlen(since) >= sizeof(k->since))
		return make(h, now, v, since);
	for (size_t i = 0; i < KEPT_ANSWERS; i++) {
		k = &h->kept[i];
		if (k->piece && k->v == v && streq(k->since, since))
			return piece_ref(k->piece);
	}
	k = &h->kept[h->next_kept++ % KEPT_ANSWERS];
	piece_unref(k->piece);
	strcpy(k->since, since);
	k->v = v;
	k->piece = make(h, now, v, since);
	return piece_ref(k->piece);
}
