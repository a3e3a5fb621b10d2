/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a charon that died left in the kernel: SAs and policies that the next
 * one does not know. They are no waste, plain ESP goes on by them. So those
 * of a peer go only when charon has a new tunnel with it, whose policies have
 * taken the place of the old ones; or when it is no peer any more, then the
 * policies first. What charon is just making, or has made since its last
 * list, is spared: an SA must have been here for a time when that list was asked for.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

#define LOOK_MS 1000
#define UNKNOWN_MS 5000

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

/* Since when it is unknown: now, if it was not at the last look. */
static int64_t unknown_since(const struct leftovers *l, const struct net_xfrm_sa *sa, int64_t now)
{
	array_foreach(&l->unknown, u)
		if (u->spi == sa->spi && sn_addr_cmp(&u->dst, &sa->dst) == 0)
			return u->since;
	return now;
}

static bool is_wanted(const struct daemon *d, const char *peer)
{
	return wanted_find_peer(&d->wanted, peer) != NULL;
}

static bool has_ike(const struct daemon *d)
{
	return d->ike && ike_is_online(d->ike);
}

static bool is_due(const struct daemon *d, const char *peer, int64_t since)
{
	if (!has_ike(d))
		return !is_wanted(d, peer);
	return ike_listed_at(d->ike) - since >= UNKNOWN_MS &&
	       (!is_wanted(d, peer) || ike_peer_sa(d->ike, peer, NULL) != NULL);
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

static size_t remove_sas(struct daemon *d, const struct net_xfrm *x, int64_t now)
{
	__typeof__(d->leftovers.unknown) unknown = { 0 };
	struct spis spis = { 0 };

	if (has_ike(d))
		collect_spis(d->ike, &spis);
	array_foreach(&x->sas, sa) {
		const char *peer = if_ids_peer(numbers_get(d->numbers), sa->if_id);
		int64_t since;

		if (!peer || is_known(&spis, sa->spi))
			continue;
		if (is_orphan(d, peer))
			ike_peer_orphaned(d->ike, peer);
		since = unknown_since(&d->leftovers, sa, now);
		if (is_due(d, peer, since))
			remove_sa(d, sa, peer);
		else
			*array_add(&unknown) = (struct leftover_sa){ sa->spi, sa->dst, since };
	}
	array_free(&spis.v);
	array_free(&d->leftovers.unknown);
	d->leftovers.unknown.v = unknown.v;
	d->leftovers.unknown.n = unknown.n;
	d->leftovers.unknown.size = unknown.size;
	return unknown.n;
}

/* Those of nobody: a peer's own are replaced, and stop packets until then. */
static size_t remove_policies(struct daemon *d, const struct net_xfrm *x)
{
	size_t left = 0;

	array_foreach(&x->policies, policy) {
		const char *peer = if_ids_peer(numbers_get(d->numbers), policy->if_id);
		struct sn_error e;

		if (!peer || is_wanted(d, peer))
			continue;
		if (has_ike(d) && ike_peer_sa(d->ike, peer, NULL))
			left++; /* charon is about to end it */
		else if (net_xfrm_delete_policy(d->net, policy, &e) < 0)
			log_warning("a policy of %s, which is no peer, cannot be removed: %s", peer,
				    e.text);
	}
	return left;
}

static void look(void *user)
{
	_cleanup_net_xfrm_ struct net_xfrm x = { 0 };
	struct daemon *d = user;
	struct sn_error e;
	size_t left = 1;
	int r;

	if (!d->numbers || numbers_get(d->numbers)->v.n == 0)
		return;
	r = net_xfrm_read(d->net, &x, &e);
	if (r == -EPROTONOSUPPORT)
		return;
	if (r < 0) {
		log_debug("SAs and policies cannot be read: %s", e.text);
	} else {
		left = remove_policies(d, &x);
		left += remove_sas(d, &x, loop_now(d->loop));
		numbers_settle(d->numbers, d->snapshot, &d->wanted, false);
	}
	if (left)
		loop_timer_set(d->leftovers.timer, LOOK_MS);
}

void leftovers_init(struct daemon *d)
{
	d->leftovers.timer = loop_timer_new(d->loop, look, d);
}

void leftovers_fini(struct daemon *d)
{
	loop_timer_free(d->leftovers.timer);
	array_free(&d->leftovers.unknown);
}

void leftovers_look(struct daemon *d)
{
	if (!loop_timer_is_set(d->leftovers.timer))
		loop_timer_set(d->leftovers.timer, LOOK_MS);
}
