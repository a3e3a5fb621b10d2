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

static bool had_overlay(const struct snapshot *before, const struct sn_prefix *overlay)
{
	const struct sn_prefix *old = snapshot_overlay(before, overlay->addr.family);

	return old && sn_prefix_cmp(old, overlay) == 0;
}

int surroundings_check(const struct surroundings *around, const struct snapshot *s,
		       const struct snapshot *before, const char *const place[static SN_FAMILIES],
		       struct sn_error *e)
{
	for (size_t i = 0; i < around->n; i++) {
		const struct sn_addr *a = &around->v[i].addr;
		const struct sn_prefix *overlay = sn_prefix_pair_around(&s->overlay, a);

		if (overlay &&
		    !(before && streq(before->mesh_id, s->mesh_id) && had_overlay(before, overlay)))
			return sn_error_set(e, -EINVAL, "%s: %s contains %s, %s",
					    place[sn_family_index(a->family)],
					    SN_PREFIX_STR(overlay), SN_ADDR_STR(a),
					    around->v[i].what);
	}
	return 0;
}
