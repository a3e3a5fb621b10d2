/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which address next, of one family. Pure: the caller says what is taken.
 *
 * Addresses are given in order, each after the one given last, and from the
 * start again after the end. So a freed address rests as long as possible:
 * what others remember of it (neighbours, connections, DNS) has time to die.
 *
 * Single addresses (Rancher's flat plan) belong to containers that others
 * made: they can be asked for, but none is given unasked.
 */
#pragma once

#include "base/addr.h"

struct pool {
	const struct sn_prefix *prefixes; /* networks; none overlaps another */
	size_t n_prefixes;
	struct sn_addr
		host; /* overlay address; never given, nor are sn_prefix_gateway()s; may be unset */
};

/* Why an address may not be had, whoever has it. */
enum pool_verdict {
	POOL_FITS = 0,
	POOL_OUTSIDE,   /* of every prefix */
	POOL_NETWORK,   /* the first address of its subnet */
	POOL_BROADCAST, /* the last one */
	POOL_HOST,      /* the bridge's, as gateway of the subnet */
};
/* *ret, the address with the length of its prefix, is written with POOL_FITS only. */
enum pool_verdict pool_check(const struct pool *pool, const struct sn_addr *a,
			     struct sn_prefix *ret);

/*
 * The next free address after *last (unset, or in no prefix any more: from
 * the start); taken is sorted by sn_addr_cmp(). 0; -ENOSPC when all are
 * taken; -EADDRNOTAVAIL when there is no subnet to give from.
 */
int pool_next(const struct pool *pool, const struct sn_addr *last, const struct sn_addr *taken,
	      size_t n_taken, struct sn_prefix *ret);
