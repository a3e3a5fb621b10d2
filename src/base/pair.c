/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/pair.h"

#include <stdio.h>

const uint8_t sn_families[SN_FAMILIES] = { AF_INET, AF_INET6 };

const char *sn_family_to_string(uint8_t family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

void sn_addr_pair_put(struct sn_addr_pair *p, const struct sn_addr *a)
{
	p->of[sn_family_index(a->family)] = *a;
}

void sn_prefix_pair_put(struct sn_prefix_pair *p, const struct sn_prefix *prefix)
{
	p->of[sn_family_index(prefix->addr.family)] = *prefix;
}

const struct sn_addr *sn_addr_pair_get(const struct sn_addr_pair *p, uint8_t family)
{
	const struct sn_addr *a = &p->of[sn_family_index(family)];

	return sn_addr_is_set(a) ? a : NULL;
}

const struct sn_prefix *sn_prefix_pair_get(const struct sn_prefix_pair *p, uint8_t family)
{
	const struct sn_prefix *prefix = &p->of[sn_family_index(family)];

	return sn_addr_is_set(&prefix->addr) ? prefix : NULL;
}

const struct sn_addr *sn_addr_pair_next(const struct sn_addr_pair *p, const struct sn_addr *after)
{
	for (size_t i = after ? (size_t)(after - p->of) + 1 : 0; i < SN_FAMILIES; i++) {
		if (sn_addr_is_set(&p->of[i]))
			return &p->of[i];
	}
	return NULL;
}

const struct sn_prefix *sn_prefix_pair_next(const struct sn_prefix_pair *p,
					    const struct sn_prefix *after)
{
	for (size_t i = after ? (size_t)(after - p->of) + 1 : 0; i < SN_FAMILIES; i++) {
		if (sn_addr_is_set(&p->of[i].addr))
			return &p->of[i];
	}
	return NULL;
}

const struct sn_addr *sn_addr_pair_first(const struct sn_addr_pair *p)
{
	const struct sn_addr *first = sn_addr_pair_next(p, NULL);

	return first ? first : &p->of[0];
}

const struct sn_prefix *sn_prefix_pair_first(const struct sn_prefix_pair *p)
{
	const struct sn_prefix *first = sn_prefix_pair_next(p, NULL);

	return first ? first : &p->of[0];
}

int sn_addr_pair_cmp(const struct sn_addr_pair *a, const struct sn_addr_pair *b)
{
	int c = 0;

	for (size_t i = 0; c == 0 && i < SN_FAMILIES; i++)
		c = sn_addr_cmp(&a->of[i], &b->of[i]);
	return c;
}

int sn_prefix_pair_cmp(const struct sn_prefix_pair *a, const struct sn_prefix_pair *b)
{
	int c = 0;

	for (size_t i = 0; c == 0 && i < SN_FAMILIES; i++)
		c = sn_prefix_cmp(&a->of[i], &b->of[i]);
	return c;
}

const struct sn_prefix *sn_prefix_pair_around(const struct sn_prefix_pair *p,
					      const struct sn_addr *a)
{
	const struct sn_prefix *prefix = sn_prefix_pair_get(p, a->family);

	return prefix && sn_prefix_contains(prefix, a) ? prefix : NULL;
}

bool sn_prefix_pair_covers(const struct sn_prefix_pair *p, const struct sn_prefix *inner)
{
	const struct sn_prefix *outer = sn_prefix_pair_get(p, inner->addr.family);

	return outer && sn_prefix_covers(outer, inner);
}

bool sn_prefix_pair_overlaps(const struct sn_prefix_pair *p, const struct sn_prefix *other)
{
	const struct sn_prefix *one = sn_prefix_pair_get(p, other->addr.family);

	return one && sn_prefix_overlaps(one, other);
}

const char *sn_prefix_pair_format(const struct sn_prefix_pair *p,
				  char buf[static SN_PREFIX_PAIR_STRLEN])
{
	size_t n = 0;

	strcpy(buf, "-");
	sn_prefix_pair_foreach(p, prefix)
		n += (size_t)snprintf(buf + n, SN_PREFIX_PAIR_STRLEN - n, "%s%s", n ? ", " : "",
				      SN_PREFIX_STR(prefix));
	return buf;
}
