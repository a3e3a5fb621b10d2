/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of peers' XFRM interfaces and SAs over time: who has one keeps
 * it, whoever else comes or goes, over restarts and upgrades too. The data
 * plane gives them (struct wanted_peer); here they are remembered, in the state
 * file and in the links' aliases. The links are believed first: packets go by
 * them now.
 */
#pragma once

#include "loop/loop.h"
#include "model/if_ids.h"
#include "net/net.h"
#include "plan/dataplane.h"

struct numbers;

/*
 * As links (of the start: net_observe_links()) and file have it for this mesh. A file that is of no
 * use is put aside and said. net and worker stay the caller's; without a worker nothing is ever
 * written.
 */
struct numbers *numbers_new(struct loop_worker *worker, struct net *net,
			    const struct object_set *links, const char *state_dir,
			    const char *mesh_id);
/* After the worker: what that has not written is written. */
void numbers_free(struct numbers *n);
SN_DEFINE_CLEANUP(struct numbers *, numbers_free);
/* For struct intent. */
const struct if_ids *numbers_get(const struct numbers *n);
/*
 * After a pass: numbers that were given are kept, those of hosts that left are free as
 * soon as nothing in the kernel has them. is_new: the wanted peers may be others than
 * the last time.
 */
void numbers_settle(struct numbers *n, const struct snapshot *s, const struct wanted *wanted,
		    bool is_new);
