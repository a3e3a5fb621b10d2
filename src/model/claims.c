/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host has which overlay addresses.
 *
 * Everything a host or its containers say they have is a claim. Claims are
 * taken in order of their right, and one that overlaps with what another host
 * got is refused:
 *
 *  1. what the same host had in `before`: the holder keeps it;
 *  2. subnets before single addresses: one stray container must not cost a
 *     host its subnet;
 *  3. our own: what others claim of ours would carry our traffic away;
 *  4. the smaller host id.
 *
 * The holder's right needs its claim, though. A host whose claim was refused
 * did not give up what it had, so its last good subnets (or single addresses)
 * are claimed for it and all is decided again, a few times at most, because
 * such a claim may in turn refuse another's.
 *
 * A binary trie from the overlay's length down finds overlaps in as many
 * steps as an address has bits, whatever the number of claims.
 */
#include "model/draft.h"

#include <errno.h>

/* A chain of refusals longer than that gives its last links no last good form. */
#define MAX_ROUNDS 8

enum claim_from { FROM_HOST, FROM_CONTAINER, FROM_BEFORE };

struct claim {
	struct sn_prefix prefix;
	enum claim_from from;
	size_t host;
	size_t sub; /* index in the host's list, or in draft.singles */
	const char *id;
	bool held, single, self, refused;
	size_t beaten_by; /* when refused: claim + 1, 0 before that */
};

/* Child 0 of no node: a root has no parent, so its index marks "none". */
struct node {
	uint32_t child[2];
	uint32_t owner;     /* claim + 1 of exactly this prefix */
	uint32_t inside[2]; /* claims + 1 at or below it, of two different hosts */
};

/* Of each family one; node i is the root of sn_families[i]. */
struct trie {
	ARRAY(struct node) nodes;
	uint8_t root_len[SN_FAMILIES];
};

struct settling {
	struct draft *d;
	struct snapshot *s;
	const struct host **old;           /* beside s->hosts: of before, or NULL */
	bool *subnets_kept, *singles_kept; /* claims of FROM_BEFORE were added */
	struct sn_addr_pair *router;
	ARRAY(struct claim) claims;
	ARRAY(struct sn_prefix) singles; /* that containers claim now, sorted */
	struct trie trie;
	struct {
		const char *host; /* NULL: none */
		struct sn_prefix prefix;
	} left_out; /* by the new overlay, of what a host had and says it has */
};

/* --- the trie ------------------------------------------------------------ */

static void trie_clear(struct trie *t, const struct sn_prefix_pair *overlay)
{
	t->nodes.n = 0;
	for (size_t i = 0; i < SN_FAMILIES; i++) {
		t->root_len[i] = overlay->of[i].len;
		array_add(&t->nodes);
	}
}

static unsigned bit(const struct sn_addr *a, unsigned i)
{
	return (a->bytes[i / 8] >> (7 - i % 8)) & 1;
}

/* Claim + 1 of another host in a slot, else 0. */
static uint32_t foreign(const struct settling *st, uint32_t slot, size_t host)
{
	return slot && st->claims.v[slot - 1].host != host ? slot : 0;
}

/* Claim + 1 of another host that overlaps, 0 when there is none. */
static uint32_t trie_overlap(const struct settling *st, const struct claim *c)
{
	const size_t root = sn_family_index(c->prefix.addr.family);
	const struct node *nodes = st->trie.nodes.v, *n = &nodes[root];
	uint32_t found;

	for (unsigned i = st->trie.root_len[root]; i < c->prefix.len; i++) {
		uint32_t next = n->child[bit(&c->prefix.addr, i)];

		found = foreign(st, n->owner, c->host);
		if (found || !next)
			return found;
		n = &nodes[next];
	}
	found = foreign(st, n->inside[0], c->host);
	return found ? found : foreign(st, n->inside[1], c->host);
}

static void mark_inside(const struct settling *st, struct node *n, uint32_t slot, size_t host)
{
	if (!n->inside[0])
		n->inside[0] = slot;
	else if (!n->inside[1] && foreign(st, n->inside[0], host))
		n->inside[1] = slot;
}

static void trie_add(struct settling *st, size_t claim)
{
	const struct claim *c = &st->claims.v[claim];
	const size_t root = sn_family_index(c->prefix.addr.family);
	uint32_t at = (uint32_t)root, slot = (uint32_t)claim + 1;

	for (unsigned i = st->trie.root_len[root]; i < c->prefix.len; i++) {
		unsigned b = bit(&c->prefix.addr, i);
		uint32_t next = st->trie.nodes.v[at].child[b];

		mark_inside(st, &st->trie.nodes.v[at], slot, c->host);
		if (!next) {
			next = (uint32_t)st->trie.nodes.n;
			array_add(&st->trie.nodes);
			st->trie.nodes.v[at].child[b] = next;
		}
		at = next;
	}
	mark_inside(st, &st->trie.nodes.v[at], slot, c->host);
	st->trie.nodes.v[at].owner = slot;
}

/* --- collecting ---------------------------------------------------------- */

static bool is_held(const struct host *old, const struct sn_prefix *p)
{
	size_t low = 0, high = old ? old->prefixes.n : 0;

	/* they are sorted and disjoint: only the last that begins at or before p can cover it */
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (sn_addr_cmp(&old->prefixes.v[mid].addr, &p->addr) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && sn_prefix_covers(&old->prefixes.v[low - 1], p);
}

static void add_claim(struct settling *st, size_t host, const struct sn_prefix *p,
		      enum claim_from from, size_t sub)
{
	const struct host *h = &st->s->hosts.v[host];

	*array_add(&st->claims) = (struct claim){
		.prefix = *p,
		.from = from,
		.host = host,
		.sub = sub,
		.id = h->id,
		.held = is_held(st->old[host], p),
		.single = sn_prefix_is_single(p),
		.self = streq(h->id, st->s->self_id),
	};
}

static char *claim_place(const struct settling *st, enum claim_from from, size_t host, size_t sub,
			 uint8_t family)
{
	const struct draft_words *w = st->d->words;
	const char *at = st->d->hosts.v[host].prefix_at[sn_family_index(family)];

	if (from == FROM_CONTAINER)
		return draft_single_place(st->d, &st->d->singles.v[sub]);
	return draft_host_place(st->d, host, at ? at : w->prefix, w->prefix_list, sub);
}

/* NULL, or what is wrong with it whoever else claims it. */
static const char *prefix_wrong(const struct settling *st, const struct sn_prefix *p)
{
	struct sn_prefix network = sn_prefix_network(p);

	if (!sn_prefix_pair_covers(&st->s->overlay, p))
		return "lies outside";
	return sn_prefix_cmp(&network, p) != 0 ? "has bits set behind its length, inside" : NULL;
}

/* Of a refused claim: what the host had of that kind stays. */
static void stay(struct settling *st, size_t host, enum claim_from from, bool single)
{
	struct draft_host *dh = &st->d->hosts.v[host];

	dh->subnets_stay |= from == FROM_HOST;
	dh->singles_stay |= single;
}

/* It was inside the overlay there was before, so it is the new one that is wrong. */
static void note_left_out(struct settling *st, size_t host, const struct sn_prefix *p)
{
	if (!st->left_out.host && is_held(st->old[host], p) &&
	    !sn_prefix_pair_covers(&st->s->overlay, p)) {
		st->left_out.host = st->s->hosts.v[host].id;
		st->left_out.prefix = *p;
	}
}

/* The overlay that a prefix of this family has to be in; of no such family, the one there is. */
static const struct sn_prefix *overlay_for(const struct settling *st, uint8_t family)
{
	const struct sn_prefix *own = snapshot_overlay(st->s, family);

	return own ? own : sn_prefix_pair_first(&st->s->overlay);
}

static void check_and_add(struct settling *st, size_t host, const struct sn_prefix *p,
			  enum claim_from from, size_t sub)
{
	const char *why = prefix_wrong(st, p);
	_cleanup_free_ char *place = NULL;

	note_left_out(st, host, p);
	if (!why) {
		add_claim(st, host, p, from, sub);
		return;
	}
	place = claim_place(st, from, host, sub, p->addr.family);
	snapshot_add_problem(st->s, place, "%s %s the overlay %s", SN_PREFIX_STR(p), why,
			     SN_PREFIX_STR(overlay_for(st, p->addr.family)));
	stay(st, host, from, sn_prefix_is_single(p));
}

static bool is_living(const struct settling *st, size_t host)
{
	return !st->d->hosts.v[host].out && st->s->hosts.v[host].state != HOST_GONE;
}

static void collect_from_hosts(struct settling *st)
{
	for (size_t i = 0; i < st->s->hosts.n; i++) {
		struct host *h = &st->s->hosts.v[i];

		for (size_t j = 0; is_living(st, i) && j < h->prefixes.n; j++)
			check_and_add(st, i, &h->prefixes.v[j], FROM_HOST, j);
		array_free(&h->prefixes);
	}
}

struct host_ref {
	const char *id;
	size_t host;
};

static int cmp_host_ref(const void *a, const void *b)
{
	return strcmp(((const struct host_ref *)a)->id, ((const struct host_ref *)b)->id);
}

static int cmp_prefix(const void *a, const void *b)
{
	return sn_prefix_cmp(a, b);
}

static void collect_single(struct settling *st, size_t host, size_t sub)
{
	const struct draft_single *d = &st->d->singles.v[sub];
	struct sn_prefix p = sn_prefix_of(&d->addr);
	struct sn_addr *router = &st->router[host].of[sn_family_index(d->addr.family)];

	check_and_add(st, host, &p, FROM_CONTAINER, sub);
	*array_add(&st->singles) = p;
	if (d->router && (!sn_addr_is_set(router) || sn_addr_cmp(&d->addr, router) < 0))
		*router = d->addr;
}

/* Not of another entry of the same id, which was refused. */
static bool is_of_entry(const struct settling *st, size_t host, size_t sub)
{
	return !st->d->words->containers_in_hosts ||
	       st->d->hosts.v[host].index == st->d->singles.v[sub].host_index;
}

static void collect_from_containers(struct settling *st)
{
	ARRAY(struct host_ref) refs = { 0 };
	struct host_ref *found;

	for (size_t i = 0; i < st->s->hosts.n; i++) {
		if (is_living(st, i))
			*array_add(&refs) = (struct host_ref){ st->s->hosts.v[i].id, i };
	}
	array_sort(&refs, cmp_host_ref);
	/* those of hosts that are not there (lingering ones) count for nothing */
	for (size_t i = 0; i < st->d->singles.n && refs.n; i++) {
		struct host_ref key = { st->d->singles.v[i].host_id, 0 };

		found = bsearch(&key, refs.v, refs.n, sizeof(key), cmp_host_ref);
		if (found && is_of_entry(st, found->host, i))
			collect_single(st, found->host, i);
	}
	array_foreach(&st->d->singles_stay, wrong) {
		struct host_ref key = { wrong->id, 0 };

		found = refs.n ? bsearch(&key, refs.v, refs.n, sizeof(key), cmp_host_ref) : NULL;
		if (found)
			st->d->hosts.v[found->host].singles_stay = true;
	}
	array_sort(&st->singles, cmp_prefix);
	array_free(&refs);
}

/* A container somewhere says it has the address: then it has moved, and the old one is not kept. */
static bool is_claimed_now(const struct settling *st, const struct sn_prefix *p)
{
	return st->singles.n && bsearch(p, st->singles.v, st->singles.n, sizeof(*p), cmp_prefix);
}

static bool keep_subnet(const struct settling *st, size_t host, const struct sn_prefix *p)
{
	(void)p;
	return st->d->hosts.v[host].subnets_stay && !st->subnets_kept[host];
}

static bool keep_single(const struct settling *st, size_t host, const struct sn_prefix *p)
{
	return (st->d->hosts.v[host].singles_stay || st->d->all_singles_stay) &&
	       !st->singles_kept[host] && !is_claimed_now(st, p);
}

/* Claims for the hosts what they had, where it stays; true if there was any. */
static bool collect_from_before(struct settling *st)
{
	size_t n = st->claims.n;

	for (size_t i = 0; i < st->s->hosts.n; i++) {
		if (!is_living(st, i) || !st->old[i])
			continue;
		array_foreach(&st->old[i]->prefixes, p) {
			bool keep = sn_prefix_is_single(p) ? keep_single(st, i, p)
							   : keep_subnet(st, i, p);

			if (keep && !prefix_wrong(st, p))
				add_claim(st, i, p, FROM_BEFORE, 0);
		}
		st->subnets_kept[i] |= st->d->hosts.v[i].subnets_stay;
		st->singles_kept[i] |= st->d->hosts.v[i].singles_stay || st->d->all_singles_stay;
	}
	return st->claims.n > n;
}

/* --- deciding ------------------------------------------------------------ */

static int cmp_right(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	int c = sn_cmp_num(b->held, a->held);

	if (c == 0)
		c = sn_cmp_num(a->single, b->single);
	if (c == 0)
		c = sn_cmp_num(b->self, a->self);
	if (c == 0)
		c = strcmp(a->id, b->id);
	if (c == 0)
		c = sn_prefix_cmp(&a->prefix, &b->prefix);
	return c ? c : sn_cmp_num(a->sub, b->sub);
}

static void decide(struct settling *st)
{
	array_sort(&st->claims, cmp_right);
	trie_clear(&st->trie, &st->s->overlay);
	for (size_t i = 0; i < st->claims.n; i++) {
		struct claim *c = &st->claims.v[i];

		c->beaten_by = trie_overlap(st, c);
		c->refused = c->beaten_by != 0;
		if (!c->refused) {
			trie_add(st, i);
		} else if (c->from != FROM_BEFORE) {
			stay(st, c->host, c->from, c->single);
		}
	}
}

static void tell_refused(struct settling *st)
{
	array_foreach(&st->claims, c) {
		const struct claim *winner;
		_cleanup_free_ char *place = NULL;

		if (!c->refused || c->from == FROM_BEFORE)
			continue;
		winner = &st->claims.v[c->beaten_by - 1];
		place = claim_place(st, c->from, c->host, c->sub, c->prefix.addr.family);
		snapshot_add_problem(st->s, place, "%s of host %s overlaps with %s of host %s, %s",
				     SN_PREFIX_STR(&c->prefix), c->id,
				     SN_PREFIX_STR(&winner->prefix), winner->id,
				     winner->held   ? "which had it first"
				     : winner->self ? "which is our own"
						    : "which keeps it");
	}
}

static int cmp_place(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	int c = sn_cmp_num(a->host, b->host);

	return c ? c : sn_prefix_cmp(&a->prefix, &b->prefix);
}

/* What lies inside another prefix of the same host adds nothing. */
static void hand_out(struct settling *st)
{
	array_sort(&st->claims, cmp_place);
	array_foreach(&st->claims, c) {
		struct host *h = &st->s->hosts.v[c->host];

		if (c->refused || (h->prefixes.n &&
				   sn_prefix_covers(&h->prefixes.v[h->prefixes.n - 1], &c->prefix)))
			continue;
		*array_add(&h->prefixes) = c->prefix;
	}
}

/* --- overlay addresses --------------------------------------------------- */

/* In one of the prefixes, and an address that a host may have. */
static bool is_own_address(const struct host *h, const struct sn_addr *a)
{
	array_foreach(&h->prefixes, p) {
		struct sn_addr first, last;

		if (!sn_prefix_contains(p, a))
			continue;
		if (sn_prefix_is_single(p))
			return true;
		first = sn_prefix_nth(p, 0);
		last = sn_prefix_nth(p, sn_prefix_count(p) - 1);
		return sn_addr_cmp(a, &first) != 0 &&
		       (a->family != AF_INET || sn_addr_cmp(a, &last) != 0);
	}
	return false;
}

static struct sn_addr computed_address(const struct host *h, uint8_t family,
				       const struct sn_addr *router)
{
	array_foreach(&h->prefixes, p) {
		struct sn_addr a = sn_prefix_first_usable(p);

		if (a.family == family && !sn_prefix_is_single(p))
			return a;
	}
	return is_own_address(h, router) ? *router : (struct sn_addr){ 0 };
}

/* Of one family. */
static void settle_overlay_ip(struct settling *st, size_t i, size_t family)
{
	struct host *h = &st->s->hosts.v[i];
	struct sn_addr *a = &h->overlay_ip.of[family];
	_cleanup_free_ char *place = NULL;

	if (sn_addr_is_set(a)) {
		if (is_own_address(h, a))
			return;
		place = draft_host_place(st->d, i, "overlay_ip", false, 0);
		snapshot_add_problem(st->s, place,
				     "%s is no usable address in the prefixes of host %s",
				     SN_ADDR_STR(a), h->id);
		if (st->old[i] && is_own_address(h, &st->old[i]->overlay_ip.of[family])) {
			*a = st->old[i]->overlay_ip.of[family];
			return;
		}
	}
	*a = computed_address(h, sn_families[family], &st->router[i].of[family]);
}

/* --- all together -------------------------------------------------------- */

static void settling_init(struct settling *st, struct draft *d, const struct snapshot *before)
{
	size_t n = d->snapshot->hosts.n;

	memset(st, 0, sizeof(*st));
	st->d = d;
	st->s = d->snapshot;
	st->old = xcalloc(n, sizeof(*st->old));
	st->subnets_kept = xcalloc(n, sizeof(bool));
	st->singles_kept = xcalloc(n, sizeof(bool));
	st->router = xcalloc(n, sizeof(*st->router));
	for (size_t i = 0; i < n; i++)
		st->old[i] = snapshot_find_living(before, st->s->hosts.v[i].id);
}

static void settling_fini(struct settling *st)
{
	free(st->old);
	free(st->subnets_kept);
	free(st->singles_kept);
	free(st->router);
	array_free(&st->claims);
	array_free(&st->singles);
	array_free(&st->trie.nodes);
}

static int check_left_out(const struct settling *st, struct sn_error *e)
{
	const uint8_t family = st->left_out.prefix.addr.family;

	if (!st->left_out.host)
		return 0;
	return sn_error_set(e, -EINVAL,
			    "%s: %s leaves out %s, which host %s has; expected an overlay around "
			    "all prefixes",
			    st->d->overlay_place[sn_family_index(family)],
			    SN_PREFIX_STR(overlay_for(st, family)),
			    SN_PREFIX_STR(&st->left_out.prefix), st->left_out.host);
}

int draft_settle_claims(struct draft *d, const struct snapshot *before, struct sn_error *e)
{
	_cleanup_(settling_fini) struct settling st;
	int round = 0;

	settling_init(&st, d, before);
	collect_from_hosts(&st);
	collect_from_containers(&st);
	if (check_left_out(&st, e) < 0)
		return e->code;
	collect_from_before(&st);
	do {
		decide(&st);
	} while (collect_from_before(&st) && round++ < MAX_ROUNDS);
	tell_refused(&st);
	hand_out(&st);
	for (size_t i = 0; i < d->snapshot->hosts.n; i++) {
		for (size_t family = 0; is_living(&st, i) && family < SN_FAMILIES; family++)
			settle_overlay_ip(&st, i, family);
		if (!is_living(&st, i))
			d->snapshot->hosts.v[i].overlay_ip = (struct sn_addr_pair){ 0 };
	}
	return 0;
}
