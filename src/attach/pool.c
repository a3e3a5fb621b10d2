/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search walks over candidates in order. It ends after one more than
 * there are taken ones and prefixes: each that is refused was taken or the
 * bridge's in its prefix, so a full /8 costs no more than its attachments.
 */
#include "attach/pool.h"

#include <errno.h>

/* A place in the row of all addresses: the prefix, and the number in it. */
struct cursor {
	size_t prefix;
	uint64_t n;
};

/* A subnet too small to have usable addresses, or a single address, gives none unasked. */
static bool gives(const struct sn_prefix *p)
{
	return sn_prefix_count(p) >= 4;
}

static uint64_t last_usable(const struct sn_prefix *p)
{
	return sn_prefix_count(p) - 2;
}

/* The bridge has an address in each subnet. */
static bool is_gateway(const struct pool *pool, const struct sn_prefix *p, const struct sn_addr *a)
{
	struct sn_addr gateway = sn_prefix_gateway(p, &pool->host);

	return sn_addr_is_set(&gateway) && sn_addr_cmp(&gateway, a) == 0;
}

enum pool_verdict pool_check(const struct pool *pool, const struct sn_addr *a,
			     struct sn_prefix *ret)
{
	for (size_t i = 0; i < pool->n_prefixes; i++) {
		const struct sn_prefix *p = &pool->prefixes[i];
		struct sn_addr first, last;

		if (!sn_prefix_contains(p, a))
			continue;
		if (is_gateway(pool, p, a))
			return POOL_HOST;
		first = sn_prefix_nth(p, 0);
		last = sn_prefix_nth(p, sn_prefix_count(p) - 1);
		if (!sn_prefix_is_single(p) && sn_addr_cmp(a, &first) == 0)
			return POOL_NETWORK;
		if (!sn_prefix_is_single(p) && sn_addr_cmp(a, &last) == 0)
			return POOL_BROADCAST;
		*ret = (struct sn_prefix){ .addr = *a, .len = p->len };
		return POOL_FITS;
	}
	return POOL_OUTSIDE;
}

/* The number of a in p: what sn_prefix_nth() takes. */
static uint64_t number_in(const struct sn_prefix *p, const struct sn_addr *a)
{
	struct sn_addr network = sn_prefix_network(p).addr;
	uint64_t n = 0;

	for (size_t i = 0; i < sn_addr_size(a); i++)
		n = n << 8 | (uint8_t)(a->bytes[i] ^ network.bytes[i]);
	return n;
}

/* To the first usable address of the next prefix that gives, around the end. */
static void to_next_prefix(const struct pool *pool, struct cursor *at)
{
	do {
		at->prefix = (at->prefix + 1) % pool->n_prefixes;
	} while (!gives(&pool->prefixes[at->prefix]));
	at->n = 1;
}

static void step(const struct pool *pool, struct cursor *at)
{
	if (at->n < last_usable(&pool->prefixes[at->prefix]))
		at->n++;
	else
		to_next_prefix(pool, at);
}

/* Where to try first. The pool has a prefix that gives. */
static struct cursor start_after(const struct pool *pool, const struct sn_addr *last)
{
	struct cursor at = { .prefix = pool->n_prefixes - 1 };

	for (size_t i = 0; i < pool->n_prefixes; i++) {
		const struct sn_prefix *p = &pool->prefixes[i];

		if (gives(p) && sn_prefix_contains(p, last)) {
			at = (struct cursor){ .prefix = i, .n = number_in(p, last) };
			step(pool, &at);
			return at;
		}
	}
	to_next_prefix(pool, &at);
	return at;
}

static int cmp_addr(const void *a, const void *b)
{
	return sn_addr_cmp(a, b);
}

int pool_next(const struct pool *pool, const struct sn_addr *last, const struct sn_addr *taken,
	      size_t n_taken, struct sn_prefix *ret)
{
	struct cursor at;
	size_t i = 0;

	while (i < pool->n_prefixes && !gives(&pool->prefixes[i]))
		i++;
	if (i == pool->n_prefixes)
		return -EADDRNOTAVAIL;
	at = start_after(pool, last);
	for (size_t tries = 0; tries <= n_taken + pool->n_prefixes; tries++, step(pool, &at)) {
		const struct sn_prefix *p = &pool->prefixes[at.prefix];
		struct sn_addr a = sn_prefix_nth(p, at.n);

		if (is_gateway(pool, p, &a))
			continue;
		if (n_taken && bsearch(&a, taken, n_taken, sizeof(a), cmp_addr))
			continue;
		*ret = (struct sn_prefix){ .addr = a, .len = p->len };
		return 0;
	}
	return -ENOSPC;
}
