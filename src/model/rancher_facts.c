/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of entries for each array. An entry is found by the hash of its
 * text (the same entry again, at whatever place) or of its uuid (the entry
 * that a change is about); chains run through the entries by number, for the
 * table moves when it grows. Fifty thousand containers are some 5 MB.
 *
 * Between two snapshots of which only containers differ, it is noted which hosts'
 * addresses that is about; the next one follows the last (model/settled.h). What
 * a wrong entry, a router or a host does goes the long way.
 *
 * In the flat plan the host overlay address is the router's. Rancher's router
 * is a side-kick in the network namespace of a holder container, which has
 * the address; the router's label names the service, its
 * network_from_container_uuid the holder.
 */
#include "model/rancher_entry.h"

#include "base/siphash.h"
#include "model/settled.h"

#include <errno.h>
#include <stdio.h>

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
/* chains are met, and tables are quick to make */
#define SLOTS 8u
#else
#define SLOTS 8192u
#endif
/* Host ids that containers named; more than these are those of hosts long gone. */
#define MAX_IDS ((size_t)4 * SNAPSHOT_MAX_HOSTS)
#define NO_HOST UINT32_MAX
/* More containers than that in one step are settled with all the others. */
#define MAX_NOTES 512
/* Of one entry, to the byte, in one array. */
#define MAX_COPIES 8u

static const struct draft_words rancher_words = {
	.id = "uuid",
	.address = "agent_ip",
	.prefix = "labels/" RANCHER_SUBNET_LABEL,
};

static const char *const list_names[RANCHER_LISTS] = {
	[RANCHER_HOSTS] = "hosts",
	[RANCHER_CONTAINERS] = "containers",
};

static const size_t list_limits[RANCHER_LISTS] = {
	[RANCHER_HOSTS] = SNAPSHOT_MAX_HOSTS,
	[RANCHER_CONTAINERS] = SNAPSHOT_MAX_CONTAINERS,
};

enum chain { BY_TEXT, BY_UUID, CHAINS };

struct entry {
	uint64_t hash[CHAINS];
	uint64_t holder;       /* hash of its uuid, 0: none */
	uint32_t next[CHAINS]; /* number + 1; 0: the last */
	uint32_t index;        /* in the array, as last read */
	uint32_t reading;      /* the last that it was in */
	uint32_t host_id;      /* of a container: number in ids, or NO_HOST */
	bool used;
	bool router;
	uint8_t kind;        /* enum entry_kind */
	struct sn_addr addr; /* of a container */
	char *problem;       /* "/agent_ip: …", NULL: none */
	struct rancher_host *host;
};

struct table {
	ARRAY(struct entry) entries;
	ARRAY(uint32_t) unused; /* their numbers */
	uint32_t *slots[CHAINS];
	uint32_t reading, index; /* of the reading under way */
	size_t n;
	bool is_null;
};

struct id {
	char text[SN_ID_SIZE];
	uint64_t hash;
	uint32_t next; /* number + 1 */
};

/* A host may have got or lost this address. */
struct note {
	uint32_t host_id;
	struct sn_addr addr;
	bool present;
};

struct rancher_facts {
	const struct config *config;
	uint8_t key[SIPHASH_KEY_SIZE];
	char self_id[SN_ID_SIZE];
	struct rancher_network network;
	struct table table[RANCHER_LISTS];
	ARRAY(struct id) ids;
	uint32_t *id_slots;
	uint64_t parsed;
	/* the last snapshot that may be followed, with its holders, sorted; and what came since */
	struct settled settled;
	ARRAY(uint64_t) holders;
	ARRAY(struct note) notes;
	struct rancher_work work;
};

static int cmp_hashes(const void *a, const void *b)
{
	return sn_cmp_num(*(const uint64_t *)a, *(const uint64_t *)b);
}

static bool has_hash(const uint64_t *v, size_t n, uint64_t hash)
{
	return n && bsearch(&hash, v, n, sizeof(hash), cmp_hashes);
}

/* --- what came since the last snapshot ------------------------------------- */

static void forget_settled(struct rancher_facts *f)
{
	settled_drop(&f->settled);
	array_free(&f->holders);
	array_free(&f->notes);
}

static bool is_plain(const struct rancher_facts *f, const struct entry *x)
{
	return x->kind == ENTRY_GOOD && !x->router && !x->holder &&
	       !has_hash(f->holders.v, f->holders.n, x->hash[BY_UUID]);
}

/* The entry came or goes. */
static void note_entry(struct rancher_facts *f, enum rancher_list list, const struct entry *x)
{
	struct note *note;

	if (!f->settled.s || (list == RANCHER_CONTAINERS && x->kind == ENTRY_NOTHING && !x->holder))
		return;
	if (list == RANCHER_HOSTS || !is_plain(f, x) || f->notes.n == MAX_NOTES) {
		forget_settled(f);
		return;
	}
	note = array_add(&f->notes);
	note->host_id = x->host_id;
	note->addr = x->addr;
}

/* --- the table ------------------------------------------------------------ */

static uint32_t *slot_of(struct table *t, enum chain chain, uint64_t hash)
{
	return &t->slots[chain][hash % SLOTS];
}

static void link_entry(struct table *t, uint32_t number)
{
	struct entry *x = &t->entries.v[number];

	for (enum chain c = 0; c < CHAINS; c++) {
		uint32_t *slot = slot_of(t, c, x->hash[c]);

		x->next[c] = *slot;
		*slot = number + 1;
	}
}

static void unlink_entry(struct table *t, uint32_t number)
{
	struct entry *x = &t->entries.v[number];

	for (enum chain c = 0; c < CHAINS; c++) {
		uint32_t *at = slot_of(t, c, x->hash[c]);

		while (*at != number + 1)
			at = &t->entries.v[*at - 1].next[c];
		*at = x->next[c];
	}
}

static void entry_clear(struct entry *x)
{
	free(x->problem);
	if (x->host)
		rancher_host_fini(x->host);
	free(x->host);
	*x = (struct entry){ .used = false };
}

static void drop(struct rancher_facts *f, enum rancher_list list, uint32_t number)
{
	struct table *t = &f->table[list];

	note_entry(f, list, &t->entries.v[number]);
	unlink_entry(t, number);
	entry_clear(&t->entries.v[number]);
	*array_add(&t->unused) = number;
	t->n--;
}

static void add(struct rancher_facts *f, enum rancher_list list, const struct entry *x)
{
	struct table *t = &f->table[list];
	uint32_t number;

	note_entry(f, list, x);

	if (t->unused.n) {
		number = t->unused.v[--t->unused.n];
	} else {
		number = (uint32_t)t->entries.n;
		array_add(&t->entries);
	}
	t->entries.v[number] = *x;
	t->entries.v[number].used = true;
	link_entry(t, number);
	t->n++;
}

static void table_clear(struct table *t)
{
	array_foreach(&t->entries, x)
		entry_clear(x);
	array_free(&t->entries);
	array_free(&t->unused);
	for (enum chain c = 0; c < CHAINS; c++)
		memset(t->slots[c], 0, SLOTS * sizeof(*t->slots[c]));
	t->n = 0;
}

/* --- ids of hosts --------------------------------------------------------- */

static uint32_t number_of_id(struct rancher_facts *f, const char *text)
{
	uint64_t hash = siphash(f->key, text, strlen(text));
	uint32_t *slot = &f->id_slots[hash % SLOTS];
	struct id *id;

	for (uint32_t i = *slot; i; i = f->ids.v[i - 1].next) {
		if (streq(f->ids.v[i - 1].text, text))
			return i - 1;
	}
	id = array_add(&f->ids);
	snprintf(id->text, sizeof(id->text), "%s", text);
	id->hash = hash;
	id->next = *slot;
	*slot = (uint32_t)f->ids.n;
	return (uint32_t)f->ids.n - 1;
}

/* They are numbers to the containers. */
static void forget_containers(struct rancher_facts *f)
{
	table_clear(&f->table[RANCHER_CONTAINERS]);
	forget_settled(f);
	array_free(&f->ids);
	memset(f->id_slots, 0, SLOTS * sizeof(*f->id_slots));
}

/* --- entries -------------------------------------------------------------- */

static uint64_t hash_of(const struct rancher_facts *f, const char *text)
{
	return siphash(f->key, text, strlen(text));
}

static void set_host(struct entry *x, const json_t *v)
{
	struct rancher_host h;
	struct sn_error e;

	x->kind = (uint8_t)rancher_read_host(v, &h, &e);
	if (x->kind == ENTRY_NOTHING)
		return;
	if (x->kind == ENTRY_WRONG || h.labels_wrong)
		x->problem = xstrdup(e.text);
	x->host = xmalloc(sizeof(*x->host));
	*x->host = h;
}

static void set_container(struct rancher_facts *f, struct entry *x, const json_t *v)
{
	struct rancher_container c;
	struct sn_error e;

	x->kind = (uint8_t)rancher_read_container(v, f->network.uuid, &c, &e);
	x->host_id = NO_HOST;
	x->holder = c.holder ? hash_of(f, c.holder) : 0;
	if (x->kind == ENTRY_NOTHING)
		return;
	if (x->kind == ENTRY_WRONG)
		x->problem = xstrdup(e.text);
	x->addr = c.addr;
	x->router = c.router;
	if (c.host && host_id_valid(c.host))
		x->host_id = number_of_id(f, c.host);
	else if (c.host)
		/* wrong, and of a host that cannot be */
		x->host_id = number_of_id(f, "");
}

/* text_hash stands in for the uuid of an entry that has none. */
static struct entry make_entry(struct rancher_facts *f, enum rancher_list list, const json_t *v,
			       uint64_t text_hash)
{
	const char *uuid = json_string_value(json_object_get(v, "uuid"));
	struct entry x = { .hash = { text_hash, uuid ? hash_of(f, uuid) : text_hash } };

	f->parsed++;
	if (list == RANCHER_HOSTS)
		set_host(&x, v);
	else
		set_container(f, &x, v);
	return x;
}

void rancher_facts_begin(struct rancher_facts *f, enum rancher_list list)
{
	struct table *t = &f->table[list];

	if (list == RANCHER_CONTAINERS && f->ids.n > MAX_IDS)
		forget_containers(f);
	t->reading++;
	t->index = 0;
	t->is_null = false;
}

/*
 * An entry of this text that this reading has not had yet; twice the same is
 * two entries, but more than MAX_COPIES say nothing new: *ret_enough.
 */
static struct entry *find_unread(struct table *t, uint64_t hash, bool *ret_enough)
{
	unsigned copies = 0;

	*ret_enough = false;
	for (uint32_t i = *slot_of(t, BY_TEXT, hash); i; i = t->entries.v[i - 1].next[BY_TEXT]) {
		struct entry *x = &t->entries.v[i - 1];

		if (x->hash[BY_TEXT] != hash)
			continue;
		if (x->reading != t->reading)
			return x;
		*ret_enough = ++copies >= MAX_COPIES;
	}
	return NULL;
}

int rancher_facts_take(struct rancher_facts *f, enum rancher_list list, const char *text,
		       size_t len, struct sn_error *e)
{
	struct table *t = &f->table[list];
	uint64_t hash = siphash(f->key, text, len);
	bool enough;
	struct entry *known = find_unread(t, hash, &enough);
	_cleanup_json_ json_t *v = NULL;
	struct entry x;

	if (t->index == list_limits[list])
		return sn_error_set(e, -EINVAL, "/%s: more than %zu; at most that many are allowed",
				    list_names[list], list_limits[list]);
	if (known) {
		known->reading = t->reading;
		known->index = t->index++;
		return 0;
	}
	if (enough) {
		t->index++;
		return 0;
	}
	if (json_parse(text, len, &v, e) < 0)
		return sn_error_wrap(e, "/%s/%u", list_names[list], t->index);
	x = make_entry(f, list, v, hash);
	x.reading = t->reading;
	x.index = t->index++;
	add(f, list, &x);
	return 0;
}

void rancher_facts_end(struct rancher_facts *f, enum rancher_list list, bool is_null)
{
	struct table *t = &f->table[list];

	t->is_null = is_null;
	/* the newest first: they stand at the head of their chains */
	for (uint32_t i = (uint32_t)t->entries.n; i-- > 0;) {
		if (t->entries.v[i].used && t->entries.v[i].reading != t->reading)
			drop(f, list, i);
	}
}

/* Drops all of this uuid; the index of one of them, or that after the last. */
static uint32_t drop_uuid(struct rancher_facts *f, enum rancher_list list, uint64_t hash)
{
	struct table *t = &f->table[list];
	uint32_t next, index = t->index;
	bool found = false;

	for (uint32_t i = *slot_of(t, BY_UUID, hash); i; i = next) {
		struct entry *x = &t->entries.v[i - 1];

		next = x->next[BY_UUID];
		if (x->hash[BY_UUID] != hash)
			continue;
		index = x->index;
		found = true;
		drop(f, list, i - 1);
	}
	t->index += !found;
	return index;
}

void rancher_facts_put(struct rancher_facts *f, enum rancher_list list, const json_t *entry)
{
	_cleanup_free_ char *text = json_dumps(entry, JSON_COMPACT | JSON_ENCODE_ANY);
	struct table *t = &f->table[list];
	struct entry x;

	sn_require(text);
	/* the service's own text, as far as it is compact: then the next reading knows it */
	x = make_entry(f, list, entry, siphash(f->key, text, strlen(text)));
	x.index = drop_uuid(f, list, x.hash[BY_UUID]);
	x.reading = t->reading;
	add(f, list, &x);
}

void rancher_facts_remove(struct rancher_facts *f, enum rancher_list list, const char *uuid)
{
	struct table *t = &f->table[list];
	uint32_t after = t->index;

	drop_uuid(f, list, hash_of(f, uuid));
	t->index = after;
}

/* --- self and network ------------------------------------------------------- */

static void set_self(struct rancher_facts *f, const char *id)
{
	if (streq(f->self_id, id))
		return;
	snprintf(f->self_id, sizeof(f->self_id), "%s", id);
	forget_settled(f);
}

int rancher_facts_self(struct rancher_facts *f, const json_t *self_host, struct sn_error *e)
{
	char id[SN_ID_SIZE];
	int r = rancher_read_self(self_host, f->config, id, e);

	if (r == 0)
		set_self(f, id);
	return r;
}

int rancher_facts_self_id(struct rancher_facts *f, const char *id, struct sn_error *e)
{
	if (f->config->host_id[0])
		return 0;
	if (!host_id_valid(id))
		return sn_error_set(e, -EINVAL, "/self: '%.100s' is not a host id", id);
	set_self(f, id);
	return 0;
}

static bool same_network(const struct rancher_network *a, const struct rancher_network *b)
{
	return streq(a->mesh_id, b->mesh_id) && streq_null(a->uuid, b->uuid) &&
	       streq_null(a->name, b->name) &&
	       streq_null(a->overlay_place[0], b->overlay_place[0]) &&
	       streq_null(a->overlay_place[1], b->overlay_place[1]) &&
	       sn_prefix_pair_cmp(&a->overlay, &b->overlay) == 0;
}

int rancher_facts_networks(struct rancher_facts *f, const json_t *networks, struct sn_error *e)
{
	struct rancher_network n;
	bool other;

	if (rancher_read_networks(networks, f->config, &n, e) < 0)
		return e->code;
	/* what a container says depends on which network is ours */
	other = !streq_null(f->network.uuid, n.uuid);
	if (other)
		forget_containers(f);
	if (!same_network(&f->network, &n))
		forget_settled(f);
	rancher_network_fini(&f->network);
	f->network = n;
	return other;
}

/* --- the snapshot ------------------------------------------------------------ */

/* One making of a snapshot. */
struct making {
	const struct rancher_facts *f;
	struct draft d;
	ARRAY(uint64_t) holders; /* sorted */
	bool single_subnet;      /* a host's own is one address */
	const struct sn_prefix_pair *
		*subnets; /* by number of the host's id; NULL: all singles count */
};

static void making_fini(struct making *m)
{
	draft_fini(&m->d);
	array_free(&m->holders);
	free(m->subnets);
}

/* "/: text" of the third host is "/hosts/3: text". */
static void add_problem(struct making *m, enum rancher_list list, const struct entry *x)
{
	_cleanup_free_ char *place = xasprintf("/%s/%u", list_names[list], x->index);
	struct sn_error e;

	sn_error_set(&e, -EINVAL, "%s%s", place,
		     x->problem + (sn_startswith(x->problem, "/:") ? 1 : 0));
	draft_add_problem(&m->d, place, &e);
}

static void add_host(struct making *m, const struct entry *x)
{
	const struct rancher_host *from = x->host;
	struct draft_host *dh;
	struct host *h;

	if (x->problem)
		add_problem(m, RANCHER_HOSTS, x);
	if (x->kind == ENTRY_WRONG) {
		if (!from->never_ours)
			draft_refuse_host(&m->d, from->id[0] ? from->id : NULL, &from->addr,
					  x->index);
		return;
	}
	h = draft_add_host(&m->d, from->id, x->index);
	h->state = from->state;
	h->name = xstrdup_null(from->name);
	*array_add(&h->underlay) = from->addr;
	array_foreach(&from->more, a)
		*array_add(&h->underlay) = *a;
	h->behind_nat = from->behind_nat;
	dh = &m->d.hosts.v[m->d.hosts.n - 1];
	dh->subnets_stay = from->labels_wrong;
	dh->further_stay = from->labels_wrong;
	if (from->label_family)
		dh->prefix_at[sn_family_index(from->label_family)] = "labels/" RANCHER_OTHER_SUBNET;
	sn_prefix_pair_foreach(&from->subnet, p) {
		*array_add(&h->prefixes) = *p;
		m->single_subnet |= sn_prefix_is_single(p);
	}
}

static void find_holders(struct making *m)
{
	array_foreach(&m->f->table[RANCHER_CONTAINERS].entries, x) {
		if (x->used && x->holder)
			*array_add(&m->holders) = x->holder;
	}
	array_sort(&m->holders, cmp_hashes);
}

static bool is_holder(const struct making *m, const struct entry *x)
{
	return has_hash(m->holders.v, m->holders.n, x->hash[BY_UUID]);
}

static void add_container(struct making *m, const struct entry *x)
{
	const char *host = x->host_id == NO_HOST ? NULL : m->f->ids.v[x->host_id].text;
	struct draft_single *s;

	if (x->problem)
		add_problem(m, RANCHER_CONTAINERS, x);
	if (x->kind == ENTRY_WRONG) {
		draft_refuse_container(&m->d, host);
		return;
	}
	if (m->subnets && m->subnets[x->host_id] &&
	    sn_prefix_pair_around(m->subnets[x->host_id], &x->addr))
		return;
	s = array_add(&m->d.singles);
	s->addr = x->addr;
	snprintf(s->host_id, sizeof(s->host_id), "%s", host);
	s->index = x->index;
	s->router = x->router || is_holder(m, x);
}

static void find_subnets(struct making *m)
{
	const struct rancher_facts *f = m->f;

	m->subnets = xcalloc(f->ids.n + 1, sizeof(*m->subnets));
	array_foreach(&f->table[RANCHER_HOSTS].entries, x) {
		uint32_t i;

		if (!x->used || x->kind != ENTRY_GOOD)
			continue;
		i = f->id_slots[siphash(f->key, x->host->id, strlen(x->host->id)) % SLOTS];
		while (i && !streq(f->ids.v[i - 1].text, x->host->id))
			i = f->ids.v[i - 1].next;
		if (i)
			m->subnets[i - 1] = &x->host->subnet;
	}
}

static int fill(struct making *m, const char *version, const char *source,
		const struct snapshot *before, struct sn_error *e)
{
	const struct rancher_facts *f = m->f;
	struct snapshot *s;

	draft_init(&m->d, &rancher_words);
	s = m->d.snapshot;
	s->revision = xstrdup(version);
	s->source = url_without_user(source);
	memcpy(s->self_id, f->self_id, sizeof(s->self_id));
	memcpy(s->mesh_id, f->network.mesh_id, sizeof(s->mesh_id));
	s->mesh_name = xstrdup(f->network.name);
	s->overlay = f->network.overlay;
	for (size_t i = 0; i < SN_FAMILIES; i++)
		m->d.overlay_place[i] = f->network.overlay_place[i];
	config_metadata_address(f->config, &m->d.metadata);
	array_foreach(&f->table[RANCHER_HOSTS].entries, x) {
		if (x->used && x->kind != ENTRY_NOTHING)
			add_host(m, x);
	}
	find_holders(m);
	array_foreach(&f->table[RANCHER_CONTAINERS].entries, x) {
		if (x->used && x->kind != ENTRY_NOTHING)
			add_container(m, x);
	}
	return draft_settle(&m->d, before, e);
}

/* Go writes an empty list so; but not where there were some, it is no answer then. */
static int check_null(const struct rancher_facts *f, const struct snapshot *before,
		      struct sn_error *e)
{
	if (f->table[RANCHER_HOSTS].is_null)
		return sn_error_set(e, -EINVAL, "/hosts: not an array");
	if (f->table[RANCHER_CONTAINERS].is_null && before && snapshot_is_flat(before))
		return sn_error_set(e, -EINVAL,
				    "/containers: is null, and there were containers before");
	return 0;
}

/* So that the next one can follow it. */
static void keep(struct rancher_facts *f, struct making *m)
{
	forget_settled(f);
	/* a container's address and a subnet of that one are not to be told apart */
	if (m->single_subnet)
		return;
	settled_keep(&f->settled, m->d.snapshot);
	memcpy(&f->holders, &m->holders, sizeof(f->holders));
	memset(&m->holders, 0, sizeof(m->holders));
	array_trim(&f->holders);
	for (size_t i = 0; i < RANCHER_LISTS; i++)
		array_trim(&f->table[i].entries);
}

/*
 * A container inside its host's own subnet adds nothing, so that fifty
 * thousand of them need not be settled. That holds when no claim is refused;
 * else the whole is done again with all of them.
 */
static int settle_all(struct rancher_facts *f, const char *version, const char *source,
		      const struct snapshot *before, struct snapshot **ret, struct sn_error *e)
{
	f->work.settled++;
	for (int all = 0; all < 2; all++) {
		_cleanup_(making_fini) struct making m = { .f = f };
		int r;

		if (!all)
			find_subnets(&m);
		r = fill(&m, version, source, before, e);
		if (r < 0 && all)
			return r;
		if (r < 0 || (!all && m.d.snapshot->problems.n))
			continue;
		keep(f, &m);
		*ret = sn_steal(m.d.snapshot);
		return 0;
	}
	return e->code;
}

static int cmp_note(const void *pa, const void *pb)
{
	const struct note *a = pa, *b = pb;
	int c = sn_addr_cmp(&a->addr, &b->addr);

	return c ? c : sn_cmp_num(a->host_id, b->host_id);
}

/* Which of the noted addresses the containers have now. */
static void look_up_notes(struct rancher_facts *f)
{
	array_sort(&f->notes, cmp_note);
	array_foreach(&f->table[RANCHER_CONTAINERS].entries, x) {
		const struct note key = { .host_id = x->host_id, .addr = x->addr };
		size_t low = 0, high = f->notes.n;

		if (!x->used || x->kind != ENTRY_GOOD)
			continue;
		while (low < high) {
			size_t mid = (low + high) / 2;

			if (cmp_note(&f->notes.v[mid], &key) < 0)
				low = mid + 1;
			else
				high = mid;
		}
		/* the same may have been noted more than once */
		for (; low < f->notes.n && cmp_note(&f->notes.v[low], &key) == 0; low++)
			f->notes.v[low].present = true;
	}
}

/* What goes makes room for what comes. False: all is to be settled anew. */
static bool follow(struct rancher_facts *f)
{
	if (!f->settled.s)
		return false;
	if (f->notes.n)
		look_up_notes(f);
	for (int coming = 0; coming < 2; coming++) {
		array_foreach(&f->notes, note) {
			const char *host = f->ids.v[note->host_id].text;

			if (note->present != coming)
				continue;
			if (!(coming ? settled_put : settled_remove)(&f->settled, host,
								     &note->addr))
				return false;
		}
	}
	f->notes.n = 0;
	return true;
}

static struct snapshot *copy_settled(const struct rancher_facts *f, const char *version,
				     const char *source)
{
	struct snapshot *s = snapshot_copy(f->settled.s);

	free(s->revision);
	free(s->source);
	s->revision = xstrdup(version);
	s->source = url_without_user(source);
	return s;
}

int rancher_facts_snapshot(struct rancher_facts *f, const char *version, const char *source,
			   const struct snapshot *before, struct snapshot **ret, struct sn_error *e)
{
	if (check_null(f, before, e) < 0)
		return e->code;
	if (!follow(f))
		return settle_all(f, version, source, before, ret, e);
	f->work.followed++;
	*ret = copy_settled(f, version, source);
	return 0;
}

struct rancher_work rancher_facts_work(const struct rancher_facts *f)
{
	return f->work;
}

/* --- public -------------------------------------------------------------------- */

struct rancher_facts *rancher_facts_new(const struct config *config, const uint8_t key[static 16])
{
	struct rancher_facts *f = xcalloc(1, sizeof(*f));

	f->config = config;
	memcpy(f->key, key, sizeof(f->key));
	f->id_slots = xcalloc(SLOTS, sizeof(*f->id_slots));
	for (size_t i = 0; i < RANCHER_LISTS; i++) {
		for (enum chain c = 0; c < CHAINS; c++)
			f->table[i].slots[c] = xcalloc(SLOTS, sizeof(uint32_t));
	}
	return f;
}

void rancher_facts_free(struct rancher_facts *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < RANCHER_LISTS; i++) {
		table_clear(&f->table[i]);
		for (enum chain c = 0; c < CHAINS; c++)
			free(f->table[i].slots[c]);
	}
	forget_settled(f);
	rancher_network_fini(&f->network);
	array_free(&f->ids);
	free(f->id_slots);
	free(f);
}

const char *rancher_facts_overlay_place(const struct rancher_facts *f, uint8_t family)
{
	return f->network.overlay_place[sn_family_index(family)];
}

uint64_t rancher_facts_parsed(const struct rancher_facts *f)
{
	return f->parsed;
}

/* Of documents that are trees already. */
static int take_tree(struct rancher_facts *f, enum rancher_list list, const json_t *array,
		     struct sn_error *e)
{
	struct table *t = &f->table[list];

	if (list == RANCHER_CONTAINERS && (!array || json_is_null(array))) {
		t->is_null = true;
		return 0;
	}
	if (!json_is_array(array))
		return sn_error_set(e, -EINVAL, "/%s: not an array", list_names[list]);
	if (json_array_size(array) > list_limits[list])
		return sn_error_set(e, -EINVAL, "/%s: %zu %s; at most %zu are allowed",
				    list_names[list], json_array_size(array), list_names[list],
				    list_limits[list]);
	for (; t->index < json_array_size(array); t->index++) {
		struct entry x = make_entry(f, list, json_array_get(array, t->index), t->index + 1);

		x.index = t->index;
		add(f, list, &x);
	}
	return 0;
}

int rancher_snapshot(const struct rancher_documents *docs, const struct config *config,
		     const struct snapshot *before, struct snapshot **ret, struct sn_error *e)
{
	static const uint8_t key[SIPHASH_KEY_SIZE];
	_cleanup_(rancher_facts_freep) struct rancher_facts *f = rancher_facts_new(config, key);

	if (rancher_facts_self(f, docs->self_host, e) < 0 ||
	    rancher_facts_networks(f, docs->networks, e) < 0 ||
	    take_tree(f, RANCHER_HOSTS, docs->hosts, e) < 0 ||
	    take_tree(f, RANCHER_CONTAINERS, docs->containers, e) < 0)
		return e->code;
	return rancher_facts_snapshot(f, docs->version, docs->source, before, ret, e);
}
