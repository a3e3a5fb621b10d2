/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "document.h"

#include "base/strbuf.h"
#include "render.h"

#include <stdio.h>

/* Entries in one piece, so that it has some tens of kilobytes. */
static const size_t entries_a_piece[SECTIONS] = {
	[SECTION_CONTAINERS] = 32,
	[SECTION_HOSTS] = 64,
	[SECTION_CONTAINER_LIST] = 1024,
	[SECTION_HOST_LIST] = 1024,
};

/* --- hashes and uuids ------------------------------------------------------------------- */

/* With the NUL, so that "a", "bc" is not "ab", "c". */
static uint64_t hash_text(uint64_t h, const char *s)
{
	return sn_hash(h, s, strlen(s) + 1);
}

static uint64_t hash_prefix(uint64_t h, const struct sn_prefix *p)
{
	h = sn_hash(h, &p->addr.family, 1);
	h = sn_hash(h, p->addr.bytes, sizeof(p->addr.bytes));
	return sn_hash(h, &p->len, 1);
}

static uint64_t hash_prefixes(uint64_t h, const struct sn_prefix_pair *pair)
{
	sn_prefix_pair_foreach(pair, p)
		h = hash_prefix(h, p);
	return h;
}

static void set_version(uint8_t b[static 16], unsigned version)
{
	b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
	b[8] = (b[8] & 0x3f) | 0x80;
}

void document_format_uuid(const uint8_t b[static 16], char ret[static 37])
{
	static const char digits[] = "0123456789abcdef";
	char *p = ret;

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[b[i] >> 4];
		*p++ = digits[b[i] & 15];
	}
	*p = '\0';
}

/*
 * A mesh file gives containers no id. This one (RFC 9562 version 8: our own
 * making) lives as long as the container's host, name and address.
 */
static void container_uuid(const struct document *d, const struct document_container *c,
			   uint8_t ret[static 16])
{
	for (unsigned half = 0; half < 2; half++) {
		uint64_t h = SN_HASH_INIT ^ half;

		h = hash_text(h, d->mesh_id);
		h = hash_text(h, d->hosts.v[c->host].id);
		h = hash_text(h, c->name);
		h = hash_text(h, SN_ADDR_STR(&c->ip));
		memcpy(ret + (size_t)8 * half, &h, sizeof(h));
	}
	set_version(ret, 8);
}

static uint64_t host_hash(const struct document_host *h)
{
	struct sn_prefix addr = sn_prefix_of(&h->addr);
	uint64_t x = hash_text(SN_HASH_INIT, h->id);

	x = hash_text(x, h->name);
	x = hash_text(x, h->more ? h->more : "");
	x = sn_hash(x, &(uint8_t){ h->behind_nat }, 1);
	x = hash_prefix(x, &addr);
	x = hash_prefixes(x, &h->subnet);
	return sn_hash(x, &(uint8_t){ (uint8_t)h->state }, 1);
}

/* Host, name and address are in the uuid. */
static uint64_t container_hash(const struct document_container *c)
{
	return sn_hash(sn_hash(SN_HASH_INIT, c->uuid, sizeof(c->uuid)), &(uint8_t){ c->router }, 1);
}

/* --- from the mesh --------------------------------------------------------------------------- */

/* No subnet of the family: its overlay address is said by a router container. */
static bool is_flat(const struct host *h, uint8_t family)
{
	array_foreach(&h->prefixes, p) {
		if (p->addr.family == family && !sn_prefix_is_single(p))
			return false;
	}
	return true;
}

static bool is_router(const struct host *h, const struct sn_addr *ip)
{
	const struct sn_addr *own = host_overlay_ip(h, ip->family);

	return own && sn_addr_cmp(ip, own) == 0 && is_flat(h, ip->family);
}

/* As the label io.sennit.addresses has them. */
static char *other_addresses(const struct host *h)
{
	struct strbuf b = STRBUF_INIT;

	for (size_t i = 1; i < h->underlay.n; i++)
		strbuf_addf(&b, "%s%s", i > 1 ? "," : "", SN_ADDR_STR(&h->underlay.v[i]));
	return h->underlay.n > 1 ? strbuf_steal(&b) : NULL;
}

static void add_host(struct document *d, const struct host *h)
{
	struct document_host *to = array_add(&d->hosts);

	memcpy(to->id, h->id, sizeof(to->id));
	to->name = xstrdup(h->name);
	to->addr = h->underlay.v[0];
	to->more = other_addresses(h);
	to->behind_nat = h->behind_nat;
	to->state = h->state;
	array_foreach(&h->prefixes, p) {
		if (!sn_prefix_is_single(p) && !sn_prefix_pair_get(&to->subnet, p->addr.family))
			sn_prefix_pair_put(&to->subnet, p);
	}
	to->hash = host_hash(to);
	array_foreach(&h->underlay, a) {
		*array_add(&d->callers) = (struct document_caller){
			.addr = *a,
			.host = (uint32_t)d->hosts.n - 1,
			.container = UINT32_MAX,
			.active = h->state == HOST_ACTIVE,
			.created_ms = h->created_ms,
		};
	}
}

static void add_container(struct document *d, const struct host *h, const struct sn_addr *ip,
			  const char *name)
{
	struct document_container *c = array_add(&d->containers);

	c->name = xstrdup(name);
	c->ip = *ip;
	c->host = (uint32_t)d->hosts.n - 1;
	c->router = is_router(h, ip);
	container_uuid(d, c, c->uuid);
	c->hash = container_hash(c);
	*array_add(&d->callers) = (struct document_caller){
		.addr = *ip,
		.host = c->host,
		.container = (uint32_t)d->containers.n - 1,
		.active = h->state == HOST_ACTIVE,
		.created_ms = h->created_ms,
	};
}

/* An address that the mesh gives the host itself; the API has no other place for it. */
static void add_bare(struct document *d, const struct host *h, size_t first,
		     const struct sn_addr *addr)
{
	for (size_t i = first; i < d->containers.n; i++) {
		if (sn_addr_cmp(&d->containers.v[i].ip, addr) == 0)
			return;
	}
	add_container(d, h, addr, SN_ADDR_STR(addr));
}

/* *at: the mesh file has its containers in the order of its hosts. */
static void add_containers(struct document *d, const struct mesh_file *mesh, size_t host,
			   size_t *at)
{
	const struct host *h = &mesh->hosts.v[host];
	size_t first = d->containers.n, index = mesh->indexes.v[host];

	for (; *at < mesh->containers.n && mesh->containers.v[*at].host_index == index; (*at)++)
		add_container(d, h, &mesh->containers.v[*at].ip, mesh->containers.v[*at].name);
	array_foreach(&h->prefixes, p) {
		if (sn_prefix_is_single(p))
			add_bare(d, h, first, &p->addr);
	}
	sn_addr_pair_foreach(&h->overlay_ip, a) {
		if (is_flat(h, a->family))
			add_bare(d, h, first, a);
	}
}

/* --- order ---------------------------------------------------------------------------------- */

/*
 * Of two with one address (a re-deployed host whose old entry lingers) the
 * active, then the newer; when nobody wrote when they were made, the later in
 * the file, for people append. A host before a container.
 */
static int cmp_callers(const void *x, const void *y)
{
	const struct document_caller *a = x, *b = y;
	int c = sn_addr_cmp(&a->addr, &b->addr);

	if (c == 0)
		c = sn_cmp_num(a->container != UINT32_MAX, b->container != UINT32_MAX);
	if (c == 0)
		c = sn_cmp_num(b->active, a->active);
	if (c == 0)
		c = sn_cmp_num(b->created_ms, a->created_ms);
	return c ? c : sn_cmp_num(b->host, a->host);
}

static int cmp_host_ids(const void *a, const void *b, void *user)
{
	const struct document *d = user;

	return strcmp(d->hosts.v[*(const uint32_t *)a].id, d->hosts.v[*(const uint32_t *)b].id);
}

static int cmp_uuids(const void *a, const void *b, void *user)
{
	const struct document *d = user;

	return memcmp(d->containers.v[*(const uint32_t *)a].uuid,
		      d->containers.v[*(const uint32_t *)b].uuid, 16);
}

static void sort_all(struct document *d)
{
	array_sort(&d->callers, cmp_callers);
	for (uint32_t i = 0; i < d->hosts.n; i++)
		*array_add(&d->hosts_by_id) = i;
	for (uint32_t i = 0; i < d->containers.n; i++)
		*array_add(&d->containers_by_uuid) = i;
	if (d->hosts.n)
		qsort_r(d->hosts_by_id.v, d->hosts.n, sizeof(uint32_t), cmp_host_ids, d);
	if (d->containers.n)
		qsort_r(d->containers_by_uuid.v, d->containers.n, sizeof(uint32_t), cmp_uuids, d);
	d->unique = true;
	for (size_t i = 1; i < d->hosts.n; i++)
		d->unique &= cmp_host_ids(&d->hosts_by_id.v[i - 1], &d->hosts_by_id.v[i], d) != 0;
	for (size_t i = 1; i < d->containers.n; i++)
		d->unique &= cmp_uuids(&d->containers_by_uuid.v[i - 1], &d->containers_by_uuid.v[i],
				       d) != 0;
}

static void hash_all(struct document *d)
{
	d->mesh_hash = hash_text(hash_text(SN_HASH_INIT, d->mesh_id), d->name);
	d->mesh_hash = hash_prefixes(d->mesh_hash, &d->overlay);
	/* the overlays' lengths and the mesh's id are in every entry */
	d->hosts_hash = d->containers_hash = d->mesh_hash;
	array_foreach(&d->hosts, h)
		d->hosts_hash = sn_hash(d->hosts_hash, &h->hash, sizeof(h->hash));
	array_foreach(&d->containers, c)
		d->containers_hash = sn_hash(d->containers_hash, &c->hash, sizeof(c->hash));
}

/* --- public ----------------------------------------------------------------------------------- */

struct document *document_new(const struct mesh_file *mesh)
{
	struct document *d = xcalloc(1, sizeof(*d));
	uint8_t random[16];
	size_t at = 0;

	d->refs = 1;
	sn_random(random, sizeof(random));
	set_version(random, 4);
	document_format_uuid(random, d->version);
	memcpy(d->mesh_id, mesh->mesh_id, sizeof(d->mesh_id));
	d->name = xstrdup(mesh->name ? mesh->name : mesh->mesh_id);
	d->overlay = mesh->overlay;
	for (size_t i = 0; i < mesh->hosts.n; i++) {
		add_host(d, &mesh->hosts.v[i]);
		add_containers(d, mesh, i, &at);
	}
	sort_all(d);
	hash_all(d);
	return d;
}

struct document *document_ref(struct document *d)
{
	d->refs++;
	return d;
}

static void pieces_fini(struct document_pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		piece_unref(p->v[i]);
	free(p->v);
}

void document_unref(struct document *d)
{
	if (!d || --d->refs > 0)
		return;
	for (size_t v = 0; v < API_VERSIONS; v++) {
		for (size_t s = 0; s < SECTIONS; s++)
			pieces_fini(&d->pieces[v][s]);
	}
	array_foreach(&d->hosts, h) {
		free(h->name);
		free(h->more);
	}
	array_foreach(&d->containers, c)
		free(c->name);
	array_free(&d->hosts);
	array_free(&d->containers);
	array_free(&d->callers);
	array_free(&d->hosts_by_id);
	array_free(&d->containers_by_uuid);
	free(d->name);
	free(d);
}

bool document_equal(const struct document *a, const struct document *b)
{
	return a->hosts_hash == b->hosts_hash && a->containers_hash == b->containers_hash &&
	       a->mesh_hash == b->mesh_hash;
}

const struct document_caller *document_caller(const struct document *d, const struct sn_addr *addr)
{
	size_t low = 0, high = d->callers.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (sn_addr_cmp(&d->callers.v[mid].addr, addr) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == d->callers.n || sn_addr_cmp(&d->callers.v[low].addr, addr) != 0)
		return NULL;
	return &d->callers.v[low];
}

long document_find_host(const struct document *d, const char *id)
{
	size_t low = 0, high = d->hosts.n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(d->hosts.v[d->hosts_by_id.v[mid]].id, id);

		if (c == 0)
			return (long)d->hosts_by_id.v[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

long document_find_container(const struct document *d, const uint8_t uuid[static 16])
{
	size_t low = 0, high = d->containers.n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = memcmp(d->containers.v[d->containers_by_uuid.v[mid]].uuid, uuid, 16);

		if (c == 0)
			return (long)d->containers_by_uuid.v[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

static size_t section_size(const struct document *d, enum section section)
{
	return section == SECTION_HOSTS || section == SECTION_HOST_LIST ? d->hosts.n
									: d->containers.n;
}

size_t document_piece_count(const struct document *d, enum section section)
{
	size_t n = section_size(d, section), each = entries_a_piece[section];

	return n ? (n + each - 1) / each : 1;
}

static void render_entry(const struct document *d, enum api_version v, enum section section,
			 size_t i, struct strbuf *b)
{
	switch (section) {
	case SECTION_CONTAINERS:
		render_container(d, i, v, b);
		break;
	case SECTION_HOSTS:
		render_host(d, i, v, b);
		break;
	case SECTION_CONTAINER_LIST:
		render_container_line(d, i, v, b);
		break;
	case SECTION_HOST_LIST:
		render_host_line(d, i, b);
		break;
	case SECTIONS:
		break;
	}
}

static struct piece *render_piece(const struct document *d, enum api_version v,
				  enum section section, size_t n)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	size_t size = section_size(d, section), first = n * entries_a_piece[section];
	bool list = section == SECTION_CONTAINER_LIST || section == SECTION_HOST_LIST;

	if (first == 0 && !list)
		strbuf_addc(&b, '[');
	for (size_t i = first; i < size && i < first + entries_a_piece[section]; i++) {
		if (i > 0 && !list)
			strbuf_addc(&b, ',');
		render_entry(d, v, section, i, &b);
	}
	if (first + entries_a_piece[section] >= size && !list)
		strbuf_addc(&b, ']');
	return piece_new(strbuf_str(&b), b.len);
}

struct piece *document_piece(struct document *d, enum api_version v, enum section section, size_t n)
{
	struct document_pieces *all = &d->pieces[v][section];
	struct piece *p;

	if (!all->v) {
		all->n = document_piece_count(d, section);
		all->v = xcalloc(all->n, sizeof(*all->v));
	}
	if (all->v[n])
		return piece_ref(all->v[n]);
	p = render_piece(d, v, section, n);
	if (d->kept + p->framed_len <= DOCUMENT_KEEP_BYTES) {
		d->kept += p->framed_len;
		all->v[n] = piece_ref(p);
	}
	return p;
}
