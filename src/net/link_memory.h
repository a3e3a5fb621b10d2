/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which links were ours when they were looked at last, by index and name: the kernel gives
 * no index twice, unless it is asked to. So one whose alias somebody has
 * taken away is still known, and gets it back, while a link of others with such a name, even
 * one made in the place of ours, stays theirs. One that got another alias has a new owner.
 */
#pragma once

#include "net/link.h"

struct link_memory {
	ARRAY(struct known_link {
		int index;
		char name[IFNAMSIZ];
	})
	known; /* by index */
};

/* All links, as they are now: the known ones without an alias become ours; what is ours is known.
 */
void link_memory_see(struct link_memory *m, struct link_table *t);
/* True for one of ours without its alias. */
bool link_memory_has(const struct link_memory *m, const struct link_info *info);
void link_memory_fini(struct link_memory *m);
