/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/arrivals.h"

static struct arrival *find(struct arrivals *a, const struct sn_addr *from)
{
	struct arrival *oldest = a->v;

	for (size_t i = 0; i < a->n; i++) {
		if (sn_addr_cmp(&a->v[i].from, from) == 0)
			return &a->v[i];
		if (a->v[i].last_ms < oldest->last_ms)
			oldest = &a->v[i];
	}
	if (a->n < ARRIVALS_MAX)
		oldest = &a->v[a->n++];
	*oldest = (struct arrival){ .from = *from };
	return oldest;
}

void arrivals_note(struct arrivals *a, const struct sn_addr *from, int64_t now)
{
	struct arrival *found = find(a, from);

	found->count++;
	found->last_ms = now;
}
