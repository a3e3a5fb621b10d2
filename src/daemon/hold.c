/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While the charon of a peer is away, packets to it are held to the SA that they go by.
 *
 * The next charon begins a new tunnel, and ours, which answers, sends by that as soon as
 * it has sent the answer: what arrives before the other has read it is lost there, for
 * its SA has no keys yet (half a round trip and some milliseconds; XfrmAcquireError in its
 * /proc/net/xfrm_stat). Only a rekeying spares that, and this is none. The old SAs carry on
 * meanwhile, at either end (leftovers.c, ike/pair.h), until long after they are let go here.
 *
 * Ours alone are the policies by which they are held (net/net.h). They are let go when a
 * packet came by the new tunnel, or HOLD_MS after it stood; when there is nothing to hold to
 * any more; or in the end by the kernel, for who dies while it holds must not cut a peer off.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "ike/pair.h"

#include <stdio.h>

#define LOOK_MS 250
#define HOLD_MS 2000    /* less than PAIR_VOID_MS, which ends the old ones */
#define BACK_MS 10000   /* a charon that is back and builds none: less than PAIR_VOID_ALONE_MS */
#define KERNEL_S 15     /* then the kernel lets go */
#define REFRESH_MS 5000 /* until then it is told so again */
#define TURN_MAX 64     /* peers of a turn, each some calls of the kernel */

_Static_assert(HOLD_MS + 2 * LOOK_MS < PAIR_VOID_MS, "what is ended must not be held to");

static struct hold *find(const struct daemon *d, const char *peer)
{
	array_foreach(&d->holds.v, h)
		if (streq(h->peer, peer))
			return h;
	return NULL;
}

bool hold_is(const struct daemon *d, uint32_t if_id)
{
	array_foreach(&d->holds.v, h)
		if (h->if_id == if_id)
			return true;
	return false;
}

/* charon has it still. */
static bool is_there(const struct daemon *d, const struct hold *h)
{
	size_t n;
	const struct ike_sa *sas = ike_peer_sas(d->ike, h->peer, &n);

	for (size_t i = 0; i < n; i++)
		array_foreach(&sas[i].children, child)
			if (child->spi_out == h->spi)
				return true;
	return false;
}

/* Why it is time to let go; NULL: it is not. */
static const char *reason(const struct daemon *d, struct hold *h, int64_t now)
{
	const struct wanted_peer *w = wanted_find_peer(&d->wanted, h->peer);
	const struct ike_child *child;

	if (!w || w->if_id != h->if_id)
		return "it is no peer any more";
	if (!ike_is_online(d->ike) || !ike_listed_at(d->ike))
		return NULL;
	if (!is_there(d, h))
		return "the SA is gone";
	if (ike_peer_sa(d->ike, h->peer, &child) && child->spi_out != h->spi) {
		if (!h->whole_since)
			h->whole_since = now;
		if (child->packets_in > 0)
			return "packets come by the new tunnel";
		return now >= h->whole_since + HOLD_MS ? "there is a new tunnel" : NULL;
	}
	h->whole_since = 0;
	return h->back_since && now >= h->back_since + BACK_MS ? "there is no new tunnel" : NULL;
}

static void let_go(struct daemon *d, const struct hold *h, const char *why)
{
	struct sn_error e;

	if (net_xfrm_release(d->net, h->if_id, &e) < 0)
		log_warning("peer %s: the policies that hold it to its old SA cannot be removed: "
			    "%s; the kernel does it in %d s",
			    h->peer, e.text, KERNEL_S);
	log_debug("peer %s: it is not held to SA %08x any more: %s", h->peer, h->spi, why);
}

/* Not when charon's policies name the new one already: then it is a matter of HOLD_MS. */
static bool refresh(struct daemon *d, struct hold *h, int64_t now)
{
	struct sn_error e;

	if (h->whole_since || now < h->refresh_at)
		return false;
	h->refresh_at = now + REFRESH_MS;
	if (net_xfrm_hold(d->net, h->if_id, h->spi, KERNEL_S, &e) < 0)
		log_debug("peer %s: %s", h->peer, e.text);
	return true;
}

static void look(void *user)
{
	struct daemon *d = user;
	int64_t now = loop_now(d->loop);
	unsigned work = 0;

	for (size_t i = d->holds.v.n; i-- > 0 && work < TURN_MAX;) {
		const char *why = reason(d, &d->holds.v.v[i], now);

		if (why) {
			let_go(d, &d->holds.v.v[i], why);
			array_remove(&d->holds.v, i);
			work++;
		} else {
			work += refresh(d, &d->holds.v.v[i], now);
		}
	}
	if (d->holds.v.n > 0)
		loop_timer_set(d->holds.timer, work < TURN_MAX ? LOOK_MS : 0);
}

static void begin(struct daemon *d, const char *peer, int64_t now)
{
	const struct wanted_peer *w = wanted_find_peer(&d->wanted, peer);
	const struct ike_child *child;
	struct sn_error e;
	struct hold *h;

	if (!w || !w->if_id || !d->ike || !ike_peer_sa(d->ike, peer, &child))
		return;
	if (net_xfrm_hold(d->net, w->if_id, child->spi_out, KERNEL_S, &e) < 0) {
		log_debug("peer %s cannot be held to its SA: %s", peer, e.text);
		return;
	}
	h = array_add(&d->holds.v);
	*h = (struct hold){ .if_id = w->if_id,
			    .spi = child->spi_out,
			    .refresh_at = now + REFRESH_MS };
	snprintf(h->peer, sizeof(h->peer), "%s", peer);
	log_debug("peer %s: its charon is away, it is held to SA %08x", peer, h->spi);
	loop_timer_set(d->holds.timer, LOOK_MS);
}

void hold_peer_ike(struct daemon *d, const char *peer, bool away)
{
	struct hold *h = find(d, peer);
	int64_t now = loop_now(d->loop);

	if (!h && away)
		begin(d, peer, now);
	else if (h && away)
		h->back_since = 0;
	else if (h && !h->back_since)
		h->back_since = now;
}

void hold_init(struct daemon *d)
{
	d->holds.timer = loop_timer_new(d->loop, look, d);
}

void hold_fini(struct daemon *d)
{
	array_foreach(&d->holds.v, h)
		let_go(d, h, "sennitd ends");
	array_free(&d->holds.v);
	loop_timer_free(d->holds.timer);
}
