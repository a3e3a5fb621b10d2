/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/surroundings.h"

#include <errno.h>

void surroundings_add(struct surroundings *s, const struct sn_addr *addr, const char *what)
{
	for (size_t i = 0; i < s->n; i++) {
		if (sn_addr_cmp(&s->v[i].addr, addr) == 0)
			return;
	}
	if (s->n < SURROUNDINGS_MAX)
		s->v[s->n++] = (struct surrounding){ .addr = *addr, .what = what };
}

int surroundings_check(const struct surroundings *around, const struct snapshot *s,
		       const struct snapshot *before, const char *place, struct sn_error *e)
{
	if (before && streq(before->mesh_id, s->mesh_id) &&
	    sn_prefix_cmp(&before->overlay, &s->overlay) == 0)
		return 0;
	for (size_t i = 0; i < around->n; i++) {
		if (sn_prefix_contains(&s->overlay, &around->v[i].addr))
			return sn_error_set(e, -EINVAL, "%s: %s contains %s, %s", place,
					    SN_PREFIX_STR(&s->overlay),
					    SN_ADDR_STR(&around->v[i].addr), around->v[i].what);
	}
	return 0;
}
