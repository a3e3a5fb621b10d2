/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/foreign.h"

#include "net/link.h"

#include <errno.h>

static void add(const struct link_info *link, struct intent_device list[static INTENT_FOREIGN_MAX],
		size_t *n)
{
	if (*n < INTENT_FOREIGN_MAX)
		memcpy(list[(*n)++].name, link->o.name, IFNAMSIZ);
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int foreign_links(struct netlink *nl, struct intent_foreign *ret, struct sn_error *e)
{
	_cleanup_link_table_ struct link_table links = { 0 };
	struct intent_foreign found = { 0 };
	int r = link_table_read(nl, &links, e);

	if (r != 0)
		return r < 0 ? r : sn_error_set(e, -EAGAIN, "interfaces: they changed meanwhile");
	array_foreach(&links.l, link) {
		/* one of ours that somebody took the alias from is mended, not known anew */
		if (link->ours || sn_startswith(link->o.name, SENNIT_LINK_PREFIX))
			continue;
		if (streq(link->kind, "bridge"))
			add(link, found.bridges, &found.n_bridges);
		if (link->o.group == SENNIT_GROUP_BRIDGE || link->o.group == SENNIT_GROUP_TUNNEL)
			add(link, found.in_our_groups, &found.n_in_our_groups);
	}
	qsort(found.bridges, found.n_bridges, sizeof(found.bridges[0]), cmp_names);
	qsort(found.in_our_groups, found.n_in_our_groups, sizeof(found.in_our_groups[0]),
	      cmp_names);
	*ret = found;
	return 0;
}
