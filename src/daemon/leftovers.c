/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where charon and the kernel disagree about SAs and policies.
 *
 * What a charon that died left in the kernel, the next one does not know. It is
 * no waste, plain ESP goes on by it. So the SAs of a peer go only when charon has a
 * new tunnel with it, whose policies have taken the place of the old ones; or when
 * it is no peer any more, then the policies first. What charon is just making, or
 * has made since its last list, is spared: an SA must have been here for a time when
 * that list was asked for.
 *
 * What the kernel lost (`ip xfrm state flush`), charon does not miss: it would say
 * that the tunnel stands until its keys are due, an hour in which nothing passes.
 * Such a tunnel is ended, for a new one. It is looked for when a peer is silent or
 * says that we are, and now and then: a lost policy may stop the containers' packets and
 * not the host's own.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <stdio.h>

#define LOOK_MS 1000
#define REGULAR_MS 30000 /* when nothing is left over, and nobody asks for it */
#define UNKNOWN_MS 5000
#define LOST_MS 2000 /* charon must list what the kernel does not have after this time */

static int cmp_spi(const void *a, const void *b)
{
	return sn_cmp_num(*(const uint32_t *)a, *(const uint32_t *)b);
}

struct spis {
	ARRAY(uint32_t) v; /* sorted */
};

/* All that charon lists, in and out. */
static void collect_spis(const struct ike *ike, struct spis *ret)
{
	size_t n;
	const struct ike_sa *sas = ike_sas(ike, &n);

	for (size_t i = 0; i < n; i++) {
		array_foreach(&sas[i].children, child) {
			*array_add(&ret->v) = child->spi_in;
			*array_add(&ret->v) = child->spi_out;
		}
	}
	array_sort(&ret->v, cmp_spi);
}

static bool is_known(const struct spis *spis, uint32_t spi)
{
	return spis->v.n && bsearch(&spi, spis->v.v, spis->v.n, sizeof(spi), cmp_spi);
}

/* Whose number it is; of all at once, as there are two or more SAs to each. */
struct numbered {
	uint32_t number;
	const char *peer;
};
struct owners {
	ARRAY(struct numbered) v; /* sorted */
};

static int cmp_number(const void *a, const void *b)
{
	return sn_cmp_num(((const struct numbered *)a)->number,
			  ((const struct numbered *)b)->number);
}

static void collect_owners(const struct if_ids *ids, struct owners *ret)
{
	array_foreach(&ids->v, k)
		*array_add(&ret->v) = (struct numbered){ k->number, k->peer };
	array_sort(&ret->v, cmp_number);
}

static const char *owner_of(const struct owners *owners, uint32_t number)
{
	const struct numbered key = { .number = number };
	const struct numbered *found =
		owners->v.n ? bsearch(&key, owners->v.v, owners->v.n, sizeof(key), cmp_number)
			    : NULL;

	return found ? found->peer : NULL;
}

static int cmp_unknown(const void *pa, const void *pb)
{
	const struct leftover_sa *a = pa, *b = pb;
	int c = sn_cmp_num(a->spi, b->spi);

	return c ? c : sn_addr_cmp(&a->dst, &b->dst);
}

/* Since when it is unknown, and not needed: now, if it was not so at the last look. */
static int64_t unknown_since(const struct leftovers *l, const struct net_xfrm_sa *sa, int64_t now)
{
	const struct leftover_sa key = { .spi = sa->spi, .dst = sa->dst };
	const struct leftover_sa *found =
		l->unknown.n ? bsearch(&key, l->unknown.v, l->unknown.n, sizeof(key), cmp_unknown)
			     : NULL;

	return found ? found->since : now;
}

static bool is_wanted(const struct daemon *d, const char *peer)
{
	return wanted_find_peer(&d->wanted, peer) != NULL;
}

static bool has_ike(const struct daemon *d)
{
	return d->ike && ike_is_online(d->ike);
}

/*
 * Until the peer has a tunnel by which it can send, and for UNKNOWN_MS then: it may not know yet
 * that this one stands (the last message of IKE is sent anew after seconds), or hold to the old.
 */
static bool is_needed(const struct daemon *d, const char *peer)
{
	return is_wanted(d, peer) && !(has_ike(d) && ike_peer_sa(d->ike, peer, NULL));
}

static bool is_due(const struct daemon *d, const char *peer, int64_t since)
{
	if (!has_ike(d))
		return !is_wanted(d, peer);
	return ike_listed_at(d->ike) - since >= UNKNOWN_MS;
}

/* The peer still sends by the old SAs, and sees no reason to make others: we have to. */
static bool is_orphan(const struct daemon *d, const char *peer)
{
	return has_ike(d) && ike_listed_at(d->ike) && is_wanted(d, peer) &&
	       !ike_peer_sa(d->ike, peer, NULL);
}

static void remove_sa(struct daemon *d, const struct net_xfrm_sa *sa, const char *peer)
{
	struct sn_error e;

	if (net_xfrm_delete_sa(d->net, sa, &e) < 0)
		log_warning(
			"SA %08x of peer %s, left by a charon that ended, cannot be removed: %s",
			sa->spi, peer, e.text);
	else
		log_info("removed SA %08x of peer %s, left by a charon that ended", sa->spi, peer);
}

static size_t remove_sas(struct daemon *d, const struct net_xfrm *x, const struct owners *owners,
			 int64_t now)
{
	__typeof__(d->leftovers.unknown) unknown = { 0 };
	struct spis spis = { 0 };

	if (has_ike(d))
		collect_spis(d->ike, &spis);
	array_foreach(&x->sas, sa) {
		const char *peer = owner_of(owners, sa->if_id);
		int64_t since;

		if (!peer || is_known(&spis, sa->spi))
			continue;
		if (is_orphan(d, peer))
			ike_peer_orphaned(d->ike, peer);
		since = is_needed(d, peer) ? now : unknown_since(&d->leftovers, sa, now);
		if (is_due(d, peer, since))
			remove_sa(d, sa, peer);
		else
			*array_add(&unknown) = (struct leftover_sa){ sa->spi, sa->dst, since };
	}
	array_free(&spis.v);
	array_free(&d->leftovers.unknown);
	array_sort(&unknown, cmp_unknown);
	d->leftovers.unknown.v = unknown.v;
	d->leftovers.unknown.n = unknown.n;
	d->leftovers.unknown.size = unknown.size;
	return unknown.n;
}

/* Of a sennitd that died while it held a peer (hold.c). */
static bool is_forgotten(const struct daemon *d, const struct net_xfrm_policy *policy)
{
	return policy->hold && !hold_is(d, policy->if_id);
}

/* Those of nobody: a peer's own are replaced, and stop packets until then. */
static size_t remove_policies(struct daemon *d, const struct net_xfrm *x,
			      const struct owners *owners)
{
	size_t left = 0;

	array_foreach(&x->policies, policy) {
		const char *peer = owner_of(owners, policy->if_id);
		struct sn_error e;

		if (!peer || (is_wanted(d, peer) && !is_forgotten(d, policy)))
			continue;
		if (!policy->hold && has_ike(d) && ike_peer_sa(d->ike, peer, NULL))
			left++; /* charon is about to end it */
		else if (net_xfrm_delete_policy(d->net, policy, &e) < 0)
			log_warning("a policy of %s, which is left over, cannot be removed: %s",
				    peer, e.text);
	}
	return left;
}

/* --- what the kernel lost ------------------------------------------------------ */

static int cmp_sa(const void *pa, const void *pb)
{
	const struct net_xfrm_sa *a = pa, *b = pb;
	int c = sn_cmp_num(a->spi, b->spi);

	return c ? c : sn_cmp_num(a->if_id, b->if_id);
}

static int cmp_policy(const void *a, const void *b)
{
	return sn_cmp_num(((const struct net_xfrm_policy *)a)->if_id,
			  ((const struct net_xfrm_policy *)b)->if_id);
}

static bool has_sa(const struct net_xfrm *x, uint32_t if_id, uint32_t spi)
{
	const struct net_xfrm_sa key = { .if_id = if_id, .spi = spi };

	return x->sas.n && bsearch(&key, x->sas.v, x->sas.n, sizeof(key), cmp_sa);
}

/*
 * For packets to the host, from it and through it, of each family that there are any for:
 * with an overlay of both the peer may have agreed to one alone.
 */
static bool has_policies(const struct net_xfrm *x, uint32_t if_id)
{
	const unsigned all = 1U << XFRM_POLICY_IN | 1U << XFRM_POLICY_OUT | 1U << XFRM_POLICY_FWD;
	const struct net_xfrm_policy key = { .if_id = if_id }, *end = x->policies.v + x->policies.n;
	const struct net_xfrm_policy *p =
		x->policies.n ? bsearch(&key, x->policies.v, x->policies.n, sizeof(key), cmp_policy)
			      : NULL;
	unsigned found[SN_FAMILIES] = { 0 };

	while (p && p > x->policies.v && p[-1].if_id == if_id)
		p--;
	for (; p && p < end && p->if_id == if_id; p++)
		if (!p->hold)
			found[sn_family_index(p->family)] |= all & 1U << p->dir;
	return (found[0] == 0 || found[0] == all) && (found[1] == 0 || found[1] == all) &&
	       (found[0] || found[1]);
}

static int cmp_lost(const void *a, const void *b)
{
	return sn_cmp_num(((const struct lost_child *)a)->spi, ((const struct lost_child *)b)->spi);
}

/* Since when this child is not whole in the kernel: now, if it was at the last look. */
static int64_t lost_since(const struct leftovers *l, uint32_t spi, int64_t now)
{
	const struct lost_child key = { .spi = spi };
	const struct lost_child *found =
		l->lost.n ? bsearch(&key, l->lost.v, l->lost.n, sizeof(key), cmp_lost) : NULL;

	return found ? found->since : now;
}

static void build_anew(struct daemon *d, const char *peer, const struct ike_sa *sa)
{
	log_write_fields(LOG_LEVEL_WARNING, LOG_FIELDS({ "peer", peer }),
			 "peer %s: the kernel has lost SAs or policies of its tunnel (somebody "
			 "removed them: `ip xfrm`?); it is built anew",
			 peer);
	ike_peer_broken(d->ike, peer, sa);
}

/* How many tunnels to look at again. */
static size_t mend_tunnels(struct daemon *d, struct net_xfrm *x, int64_t now)
{
	__typeof__(d->leftovers.lost) lost = { 0 };

	array_sort(&x->sas, cmp_sa);
	array_sort(&x->policies, cmp_policy);
	array_foreach(&d->wanted.peers, w) {
		const struct ike_child *child = NULL;
		const struct ike_sa *sa = NULL;
		int64_t since;

		if (w->if_id && has_ike(d))
			sa = ike_peer_sa(d->ike, w->id, &child);
		if (!sa || (has_sa(x, w->if_id, child->spi_in) &&
			    has_sa(x, w->if_id, child->spi_out) && has_policies(x, w->if_id)))
			continue;
		since = lost_since(&d->leftovers, child->spi_in, now);
		if (ike_listed_at(d->ike) - since >= LOST_MS)
			build_anew(d, w->id, sa);
		else
			*array_add(&lost) = (struct lost_child){ child->spi_in, since };
	}
	array_free(&d->leftovers.lost);
	array_sort(&lost, cmp_lost);
	d->leftovers.lost.v = lost.v;
	d->leftovers.lost.n = lost.n;
	d->leftovers.lost.size = lost.size;
	return lost.n;
}

static void look(void *user)
{
	_cleanup_net_xfrm_ struct net_xfrm x = { 0 };
	struct owners owners = { 0 };
	struct daemon *d = user;
	struct sn_error e;
	size_t left = 1;
	int r;

	d->leftovers.soon = false;
	if (!d->numbers || numbers_get(d->numbers)->v.n == 0)
		return;
	r = net_xfrm_read(d->net, &x, &e);
	if (r == -EPROTONOSUPPORT)
		return;
	if (r < 0) {
		log_debug("SAs and policies cannot be read: %s", e.text);
	} else {
		collect_owners(numbers_get(d->numbers), &owners);
		left = remove_policies(d, &x, &owners);
		left += remove_sas(d, &x, &owners, loop_now(d->loop));
		array_free(&owners.v);
		left += mend_tunnels(d, &x, loop_now(d->loop));
		numbers_settle(d->numbers, d->snapshot, &d->wanted, false);
	}
	loop_timer_set(d->leftovers.timer, left ? LOOK_MS : REGULAR_MS);
}

void leftovers_init(struct daemon *d)
{
	d->leftovers.timer = loop_timer_new(d->loop, look, d);
}

void leftovers_fini(struct daemon *d)
{
	loop_timer_free(d->leftovers.timer);
	array_free(&d->leftovers.unknown);
	array_free(&d->leftovers.lost);
}

void leftovers_look(struct daemon *d)
{
	/* the first who asks decides when: they may be many, one after the other */
	if (!d->leftovers.soon)
		loop_timer_set(d->leftovers.timer, LOOK_MS);
	d->leftovers.soon = true;
}
