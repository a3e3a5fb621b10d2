/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/link_memory.h"

#include <stdio.h>

static int cmp_known(const void *a, const void *b)
{
	const struct known_link *x = a, *y = b;

	return sn_cmp_num(x->index, y->index);
}

bool link_memory_has(const struct link_memory *m, const struct link_info *info)
{
	const struct known_link key = { .index = info->index };
	const struct known_link *k;

	if (info->o.alias[0] || !info->kind_known || m->known.n == 0)
		return false;
	k = bsearch(&key, m->known.v, m->known.n, sizeof(key), cmp_known);
	return k && streq(k->name, info->o.name);
}

void link_memory_see(struct link_memory *m, struct link_table *t)
{
	struct link_memory now = { 0 };

	/* the table is by index, too */
	array_foreach(&t->l, info) {
		struct known_link *k;

		info->ours = info->ours || link_memory_has(m, info);
		if (!info->ours)
			continue;
		k = array_add(&now.known);
		k->index = info->index;
		snprintf(k->name, sizeof(k->name), "%s", info->o.name);
	}
	link_memory_fini(m);
	*m = now;
}

void link_memory_fini(struct link_memory *m)
{
	array_free(&m->known);
}
