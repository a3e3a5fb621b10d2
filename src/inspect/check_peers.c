/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each peer: whether there is a way to it. */
#include "inspect/look.h"

#include <errno.h>

static void judge_way(struct exam *x, const struct host *h, const struct way *way)
{
	if (sn_prefix_contains(&x->snapshot->overlay, &way->source))
		exam_find(
			x, SEVERITY_FAULT,
			"The tunnel's own packets would go through the overlay: it never comes up.",
			"Look at 'ip route get' that address: its route has to lead out by the "
			"underlay.",
			"packets to peer %s (%s) would leave with the overlay address %s", h->id,
			SN_ADDR_STR(&h->underlay.v[0]), SN_ADDR_STR(&way->source));
}

static void look_at_peer(struct exam *x, const struct host *h)
{
	struct way way;
	int r = look_way(&h->underlay.v[0], &way);

	if (r < 0)
		exam_find(x, SEVERITY_FAULT, "No tunnel to it can be built.",
			  "Add a route to that address, or correct it in the metadata.",
			  "there is no way to peer %s (%s): %s", h->id,
			  SN_ADDR_STR(&h->underlay.v[0]), sn_strerror(r));
	else
		judge_way(x, h, &way);
}

void check_peers(struct exam *x)
{
	array_foreach(&x->snapshot->hosts, h)
		if (h->state != HOST_GONE && !streq(h->id, x->snapshot->self_id))
			look_at_peer(x, h);
}
