/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table on disk is always ahead of the kernel:
 *
 *	attach	entry not ready -> disk -> veth made    -> ready   -> disk
 *	detach	entry not ready -> disk -> veth deleted -> dropped -> disk
 *
 * So whatever moment the process dies at, what may be in the kernel is in the
 * file, and an entry that is not ready says: delete its link (it may be
 * there), then forget it. An address is free only when its entry is gone.
 *
 * A write that fails before the kernel was touched changes nothing; one that
 * fails after undoes the kernel, but for a drop: the entry then is gone here
 * and not ready on disk, which the next write or the next start sets right.
 *
 * The MAC is a function of mesh and address (IPv4's where there are two): who gets an
 * address again has the MAC that its neighbours still remember.
 */
#include "attach/attach.h"

#include "attach/pool.h"
#include "attach/store.h"
#include "base/log.h"
#include "net/netns.h"

#include <errno.h>
#include <stdio.h>

struct attachments {
	char *path;
	struct attach_table *table;
	bool unwritten; /* the table may be other than the file */
	bool has_place;
	struct attach_place place;
	ARRAY(struct sn_prefix) prefixes[SN_FAMILIES]; /* of the place, which has none itself */
};

static struct pool pool_of(const struct attachments *as, size_t family)
{
	return (struct pool){ .prefixes = as->prefixes[family].v,
			      .n_prefixes = as->prefixes[family].n,
			      .host = as->place.host_overlay_ip.of[family] };
}

static int save(struct attachments *as, struct sn_error *e)
{
	int r = attach_store_write(as->path, as->table, e);

	as->unwritten = r < 0;
	return r;
}

/* Deletes the link of an entry that is not ready, then forgets it; the caller saves. */
static int undo(struct attachments *as, size_t i, struct sn_error *e)
{
	int r = netns_detach(&as->table->items.v[i], e);

	if (r < 0)
		return r;
	attach_table_remove(as->table, i);
	as->unwritten = true;
	return 0;
}

struct sn_addr_pair attachment_gateways(const struct attachments *as, const struct attachment *a)
{
	struct sn_addr_pair gateways = { 0 };

	for (size_t i = 0; i < SN_FAMILIES; i++) {
		const struct sn_addr *host = &as->place.host_overlay_ip.of[i];
		const struct sn_prefix *addr = &a->addr.of[i];

		if (sn_addr_is_set(&addr->addr))
			gateways.of[i] =
				sn_prefix_is_single(addr) ? *host : sn_prefix_gateway(addr, host);
	}
	return gateways;
}

/* --- making ------------------------------------------------------------------ */

static size_t find(const struct attachments *as, const struct netns_id *ns, const char *ifname)
{
	size_t i = 0;

	for (; i < as->table->items.n; i++) {
		const struct attachment *a = &as->table->items.v[i];

		if (a->netns_dev == ns->dev && a->netns_ino == ns->ino && streq(a->ifname, ifname))
			break;
	}
	return i;
}

static const struct attachment *find_holder(const struct attachments *as, const struct sn_addr *a)
{
	array_foreach(&as->table->items, item) {
		const struct sn_prefix *own = sn_prefix_pair_get(&item->addr, a->family);

		if (own && sn_addr_cmp(&own->addr, a) == 0)
			return item;
	}
	return NULL;
}

static int cmp_addr(const void *a, const void *b)
{
	return sn_addr_cmp(a, b);
}

/* -EADDRNOTAVAIL, e is not set then: this host has no subnet of the family. */
static int choose_any(const struct attachments *as, size_t family, struct sn_prefix *ret,
		      struct sn_error *e)
{
	size_t n = as->table->items.n;
	_cleanup_free_ struct sn_addr *taken = xcalloc(n + 1, sizeof(*taken));
	struct pool pool = pool_of(as, family);
	size_t n_taken = 0;
	int r;

	array_foreach(&as->table->items, item) {
		if (sn_addr_is_set(&item->addr.of[family].addr))
			taken[n_taken++] = item->addr.of[family].addr;
	}
	qsort(taken, n_taken, sizeof(*taken), cmp_addr);
	r = pool_next(&pool, &as->table->last.of[family], taken, n_taken, ret);
	if (r == -ENOSPC)
		return sn_error_set(
			e, r,
			"every %s address of this host's subnet is taken, by %zu attachments; "
			"detach what is not needed ('sennit attachments' lists them)",
			sn_family_to_string(sn_families[family]), n_taken);
	return r;
}

static int choose_wanted(const struct attachments *as, const struct sn_addr *want,
			 struct sn_prefix *ret, struct sn_error *e)
{
	static const char *const why[] = {
		[POOL_OUTSIDE] = "is in no prefix of this host",
		[POOL_NETWORK] = "is the network's own address",
		[POOL_BROADCAST] = "is the subnet's broadcast address",
		[POOL_HOST] = "is this host's own: the gateway of its containers",
	};
	const struct attachment *holder = find_holder(as, want);
	struct pool pool = pool_of(as, sn_family_index(want->family));
	enum pool_verdict verdict = pool_check(&pool, want, ret);

	if (verdict == POOL_FITS && sn_prefix_is_single(ret) && !sn_addr_is_set(&pool.host))
		return sn_error_set(e, -EADDRNOTAVAIL,
				    "%s would have no gateway: this host has no %s overlay address "
				    "(in Rancher's flat plan that of its router container, in a "
				    "mesh file overlay_ip)",
				    SN_ADDR_STR(want), sn_family_to_string(want->family));
	if (verdict != POOL_FITS)
		return sn_error_set(e, -EADDRNOTAVAIL, "%s %s", SN_ADDR_STR(want), why[verdict]);
	if (holder)
		return sn_error_set(
			e, -EADDRINUSE,
			"%s is taken by attachment %s (%s); without --ip a free one is given",
			SN_ADDR_STR(want), holder->id,
			holder->label ? holder->label : holder->ifname);
	return 0;
}

/* One address of each family, as asked for or as there is. */
static int choose(const struct attachments *as, const struct sn_addr_pair *want,
		  struct sn_prefix_pair *ret, struct sn_error *e)
{
	struct sn_prefix_pair chosen = { 0 };

	for (size_t i = 0; i < SN_FAMILIES; i++) {
		bool asked = sn_addr_is_set(&want->of[i]);
		int r = asked ? choose_wanted(as, &want->of[i], &chosen.of[i], e)
			      : choose_any(as, i, &chosen.of[i], e);

		if (r < 0 && (asked || r != -EADDRNOTAVAIL))
			return r;
	}
	if (!sn_prefix_pair_next(&chosen, NULL))
		return sn_error_set(e, -EADDRNOTAVAIL,
				    "this host has no subnet to give addresses from (the mesh is "
				    "flat): say which address the container has");
	*ret = chosen;
	return 0;
}

static void new_id(const struct attachments *as, struct attachment *a)
{
	bool taken;

	do {
		uint64_t r;

		sn_random(&r, sizeof(r));
		snprintf(a->id, sizeof(a->id), "%016llx", (unsigned long long)r);
		attach_veth_name(a->id, a->veth);
		taken = false;
		array_foreach(&as->table->items, item)
			taken |= streq(item->veth, a->veth);
	} while (taken);
}

/* FNV-1a. */
static uint32_t hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

static bool mac_is_taken(const struct attachments *as, const uint8_t mac[static SN_MAC_SIZE])
{
	array_foreach(&as->table->items, item)
		if (memcmp(item->mac, mac, SN_MAC_SIZE) == 0)
			return true;
	return false;
}

/*
 * 02 (locally administered), a byte of the mesh, then the IPv4 address: unique on the bridge.
 * An IPv6 address does not fit; its hash is made unique here.
 */
static void derive_mac(const struct attachments *as, const struct sn_addr *a,
		       uint8_t ret[static SN_MAC_SIZE])
{
	const char *mesh_id = as->place.mesh_id;
	uint32_t h = hash(a->bytes, sn_addr_size(a));

	ret[0] = 0x02;
	ret[1] = (uint8_t)hash(mesh_id, strlen(mesh_id));
	if (a->family == AF_INET) {
		memcpy(ret + 2, a->bytes, 4);
		return;
	}
	do {
		memcpy(ret + 2, &h, 4);
		h++;
	} while (mac_is_taken(as, ret));
}

/* An entry that is not ready, in the table and on disk. */
static int add_entry(struct attachments *as, const struct attach_request *req,
		     const struct netns_id *ns, struct sn_error *e)
{
	struct sn_addr_pair last = as->table->last;
	struct attachment a = { .netns_dev = ns->dev,
				.netns_ino = ns->ino,
				.created_ms = sn_wall_ms() };
	int r;

	if (!as->has_place)
		return sn_error_set(e, -EAGAIN,
				    "this host does not know its subnet yet: the metadata have not "
				    "been read ('sennit status' says why)");
	if (as->table->items.n >= ATTACH_MAX)
		return sn_error_set(e, -ENOSPC,
				    "a host has at most %d attachments; detach what is not needed",
				    ATTACH_MAX);
	r = choose(as, &req->want, &a.addr, e);
	if (r < 0)
		return r;
	new_id(as, &a);
	strcpy(a.ifname, req->ifname);
	derive_mac(as, &sn_prefix_pair_first(&a.addr)->addr, a.mac);
	a.label = xstrdup_null(req->label);
	*array_add(&as->table->items) = a;
	sn_prefix_pair_foreach(&a.addr, p) {
		if (!sn_addr_pair_get(&req->want, p->addr.family))
			sn_addr_pair_put(&as->table->last, &p->addr);
	}
	r = save(as, e);
	if (r < 0) {
		attach_table_remove(as->table, as->table->items.n - 1);
		as->table->last = last;
	}
	return r;
}

/* The last entry becomes real, or is undone. */
static int make_entry(struct attachments *as, int netns_fd, struct sn_error *e)
{
	size_t i = as->table->items.n - 1;
	struct attachment *a = &as->table->items.v[i];
	struct sn_addr_pair gateways = attachment_gateways(as, a);
	struct sn_error ignored;
	char alias[128];
	int r;

	/* as the plan wants it, or its first pass would change it */
	snprintf(alias, sizeof(alias), "sennit:%s:attachment:%s", as->place.mesh_id, a->id);
	r = netns_attach(netns_fd, a, alias, as->place.bridge, as->place.mtu, &gateways, e);
	a->ready = r == 0;
	if (r == 0)
		r = save(as, e);
	if (r < 0) {
		a->ready = false;
		/* what cannot be undone now stays as not ready: the sweep tries again */
		if (undo(as, i, &ignored) == 0)
			save(as, &ignored);
	}
	return r;
}

static int check_request(const struct attach_request *req, struct sn_error *e)
{
	if (!attach_ifname_valid(req->ifname))
		return sn_error_set(e, -EINVAL,
				    "'%s' cannot be the name of an interface: 1 to 15 visible "
				    "characters without / : %%, and not lo",
				    req->ifname);
	if (req->label && strlen(req->label) > ATTACH_MAX_LABEL)
		return sn_error_set(e, -EINVAL, "the label is longer than %d bytes",
				    ATTACH_MAX_LABEL);
	return 0;
}

static int was_there(const struct attachment *a, const struct attach_request *req,
		     const struct attachment **ret, struct sn_error *e)
{
	sn_addr_pair_foreach(&req->want, want) {
		const struct sn_prefix *has = sn_prefix_pair_get(&a->addr, want->family);

		if (has && sn_addr_cmp(want, &has->addr) == 0)
			continue;
		has = has ? has : sn_prefix_pair_first(&a->addr);
		return sn_error_set(e, -EEXIST, "%s there has the address %s: detach it first",
				    a->ifname, SN_ADDR_STR(&has->addr));
	}
	*ret = a;
	return ATTACH_WAS_THERE;
}

int attachments_attach(struct attachments *as, const struct attach_request *req,
		       const struct attachment **ret, struct sn_error *e)
{
	struct netns_id ns;
	size_t i;
	int r = check_request(req, e);

	if (r == 0)
		r = netns_check(req->netns_fd, &ns, e);
	if (r < 0)
		return r;
	i = find(as, &ns, req->ifname);
	if (i < as->table->items.n) {
		struct attachment *a = &as->table->items.v[i];
		int there = a->ready ? netns_attached(a) : 0;

		if (there < 0)
			return sn_error_set(e, there, "whether %s is there cannot be read: %s",
					    a->veth, sn_strerror(there));
		if (there)
			return was_there(a, req, ret, e);
		/* forgotten on disk together with the new one's entry */
		a->ready = false;
		r = undo(as, i, e);
	}
	if (r == 0)
		r = add_entry(as, req, &ns, e);
	if (r == 0)
		r = make_entry(as, req->netns_fd, e);
	if (r == 0)
		*ret = &as->table->items.v[as->table->items.n - 1];
	return r;
}

/* --- unmaking ---------------------------------------------------------------- */

static int detach(struct attachments *as, size_t i, struct sn_error *e)
{
	bool was_ready = as->table->items.v[i].ready;
	int r;

	as->table->items.v[i].ready = false;
	r = save(as, e);
	if (r < 0) {
		as->table->items.v[i].ready = was_ready;
		return r;
	}
	r = undo(as, i, e);
	return r < 0 ? r : save(as, e);
}

int attachments_detach(struct attachments *as, int netns_fd, const char *ifname, struct sn_error *e)
{
	struct netns_id ns;
	int r = netns_check(netns_fd, &ns, e);
	size_t i;

	if (r < 0)
		return r;
	i = find(as, &ns, ifname);
	return i < as->table->items.n ? detach(as, i, e) : 1;
}

int attachments_detach_id(struct attachments *as, const char *id, struct sn_error *e)
{
	for (size_t i = 0; i < as->table->items.n; i++)
		if (streq(as->table->items.v[i].id, id))
			return detach(as, i, e);
	return sn_error_set(e, -ENOENT, "there is no attachment %s; 'sennit attachments' lists all",
			    id);
}

size_t attachments_sweep(struct attachments *as)
{
	struct sn_error e;
	size_t dropped = 0;

	for (size_t i = as->table->items.n; i-- > 0;) {
		const struct attachment *a = &as->table->items.v[i];
		/* what cannot be known is kept: undoing it would cut a container that lives */
		bool gone = !a->ready || netns_attached(a) == 0;

		if (gone && undo(as, i, &e) == 0)
			dropped++;
	}
	if ((dropped || as->unwritten) && save(as, &e) < 0)
		log_debug("attachments: %s", e.text);
	return dropped;
}

/* --- life -------------------------------------------------------------------- */

int attachments_peek(const char *state_dir, struct attachments **ret, struct sn_error *e)
{
	_cleanup_(attachments_freep) struct attachments *as = xcalloc(1, sizeof(*as));
	int r;

	as->path = xasprintf("%s/attachments.json", state_dir);
	r = attach_store_read(as->path, &as->table, e);
	if (r == 0)
		*ret = sn_steal(as);
	return r;
}

int attachments_load(const char *state_dir, struct attachments **ret, struct sn_error *e)
{
	_cleanup_(attachments_freep) struct attachments *as = NULL;
	struct sn_error ignored;
	bool changed = false;
	int r = attachments_peek(state_dir, &as, e);

	if (r < 0)
		return r;
	for (size_t i = as->table->items.n; i-- > 0;)
		if (!as->table->items.v[i].ready)
			changed |= undo(as, i, &ignored) == 0;
	if (changed) {
		r = save(as, e);
		if (r < 0)
			return r;
	}
	*ret = sn_steal(as);
	return 0;
}

void attachments_free(struct attachments *as)
{
	if (!as)
		return;
	attach_table_free(as->table);
	for (size_t i = 0; i < SN_FAMILIES; i++)
		array_free(&as->prefixes[i]);
	free(as->path);
	free(as);
}

void attachments_set_place(struct attachments *as, const struct attach_place *place)
{
	as->place = *place;
	as->place.prefixes = NULL;
	as->has_place = place->prefixes && place->n_prefixes > 0;
	for (size_t i = 0; i < SN_FAMILIES; i++)
		as->prefixes[i].n = 0;
	for (size_t i = 0; as->has_place && i < place->n_prefixes; i++) {
		struct sn_prefix p = sn_prefix_network(&place->prefixes[i]);

		*array_add(&as->prefixes[sn_family_index(p.addr.family)]) = p;
	}
	/* of a family that went nothing rests: an earlier sennit reads a file of one family */
	for (size_t i = 0; as->has_place && i < SN_FAMILIES; i++) {
		if (as->prefixes[i].n == 0)
			as->table->last.of[i] = (struct sn_addr){ 0 };
	}
}

const struct attachment *attachments_all(const struct attachments *as, size_t *ret_n)
{
	*ret_n = as->table->items.n;
	return as->table->items.v;
}

bool attachment_is_misplaced(const struct attachments *as, const struct attachment *a)
{
	sn_prefix_pair_foreach(&a->addr, addr) {
		struct pool pool = pool_of(as, sn_family_index(addr->addr.family));
		struct sn_prefix p;

		if (as->has_place &&
		    (pool_check(&pool, &addr->addr, &p) != POOL_FITS || p.len != addr->len))
			return true;
	}
	return false;
}

size_t attachments_misplaced(const struct attachments *as)
{
	size_t n = 0;

	array_foreach(&as->table->items, a)
		n += attachment_is_misplaced(as, a);
	return n;
}
