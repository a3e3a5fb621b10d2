/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths: the pairs of a local and a remote underlay address that a tunnel can
 * take, where hosts have several (two uplinks, or IPv4 and IPv6). One is in
 * use; which, the caller decides (struct intent's paths), as it knows what fails.
 */
#pragma once

#include "model/intent.h"

/* Of one peer; further pairs are not tried. */
#define PATHS_MAX 16

/*
 * Our own addresses that no device has are those of a NAT in front of us: of them
 * no packet can leave. When all of a family are, the local one of its paths is the
 * unspecified address (0.0.0.0, ::): any, as the routes say.
 *
 * The pairs of one family, in the order of the peer's addresses, then of ours:
 * the configured address alone for its family, else those of the metadata. How many.
 */
size_t path_list(const struct intent *intent, const struct host *peer,
		 struct intent_path ret[static PATHS_MAX]);
/* Which of these the intent names for the peer; 0, the first, when it names none of them. */
size_t path_chosen(const struct intent *intent, const struct intent_path *paths, size_t n);
