/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is once per family, or not at all: the overlays of a mesh, the addresses that
 * a host or a container has in them. IPv4's comes first wherever both are kept or shown,
 * and where one has to do. All zeros is an empty pair.
 */
#pragma once

#include "base/addr.h"

#define SN_FAMILIES 2
/* AF_INET, AF_INET6. */
extern const uint8_t sn_families[SN_FAMILIES];
/* The place of a family in them. */
static inline size_t sn_family_index(uint8_t family)
{
	return family == AF_INET6;
}
/* "IPv4", "IPv6". */
const char *sn_family_to_string(uint8_t family);

struct sn_addr_pair {
	struct sn_addr of[SN_FAMILIES]; /* unset: none of this family */
};

struct sn_prefix_pair {
	struct sn_prefix of[SN_FAMILIES]; /* the same */
};

/* Puts it in its family's place. */
void sn_addr_pair_put(struct sn_addr_pair *p, const struct sn_addr *a);
void sn_prefix_pair_put(struct sn_prefix_pair *p, const struct sn_prefix *prefix);

/* Borrowed; NULL when there is none of this family. */
const struct sn_addr *sn_addr_pair_get(const struct sn_addr_pair *p, uint8_t family);
const struct sn_prefix *sn_prefix_pair_get(const struct sn_prefix_pair *p, uint8_t family);

/* after: the last one returned, NULL at first. NULL at the end. */
const struct sn_addr *sn_addr_pair_next(const struct sn_addr_pair *p, const struct sn_addr *after);
const struct sn_prefix *sn_prefix_pair_next(const struct sn_prefix_pair *p,
					    const struct sn_prefix *after);
#define sn_addr_pair_foreach(p, a)                                                                 \
	for (const struct sn_addr *a = sn_addr_pair_next((p), NULL); a;                            \
	     a = sn_addr_pair_next((p), a))
#define sn_prefix_pair_foreach(p, prefix)                                                          \
	for (const struct sn_prefix *prefix = sn_prefix_pair_next((p), NULL); prefix;              \
	     prefix = sn_prefix_pair_next((p), prefix))

/* The first that there is; an unset one of an empty pair. Borrowed, never NULL. */
const struct sn_addr *sn_addr_pair_first(const struct sn_addr_pair *p);
const struct sn_prefix *sn_prefix_pair_first(const struct sn_prefix_pair *p);

/* Total orders: -1, 0, 1. */
int sn_addr_pair_cmp(const struct sn_addr_pair *a, const struct sn_addr_pair *b);
int sn_prefix_pair_cmp(const struct sn_prefix_pair *a, const struct sn_prefix_pair *b);

/* The one that contains the address; NULL when none does. Borrowed. */
const struct sn_prefix *sn_prefix_pair_around(const struct sn_prefix_pair *p,
					      const struct sn_addr *a);
/* One of them covers, or overlaps with, the prefix. */
bool sn_prefix_pair_covers(const struct sn_prefix_pair *p, const struct sn_prefix *inner);
bool sn_prefix_pair_overlaps(const struct sn_prefix_pair *p, const struct sn_prefix *other);

/* "10.42.0.0/16, fd00:42::/48"; "-" of an empty pair. */
#define SN_PREFIX_PAIR_STRLEN (SN_FAMILIES * (SN_PREFIX_STRLEN + 2))
const char *sn_prefix_pair_format(const struct sn_prefix_pair *p,
				  char buf[static SN_PREFIX_PAIR_STRLEN]);
#define SN_PREFIX_PAIR_STR(p) sn_prefix_pair_format((p), (char[SN_PREFIX_PAIR_STRLEN]){ 0 })
