/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: the nftables tables of promises 1 and 2 (design §5), as text.
 * Private to the module; the data planes call it.
 */
#pragma once

#include "plan/dataplane.h"
#include "plan/object.h"

/* How the guard knows what is, or will be, encrypted. */
struct guard_tunnel {
	uint32_t group;     /* of the tunnels' devices; 0: `device` is the only one */
	const char *device; /* made by others, who give it no group of ours */
	/*
	 * The kernel encrypts: a packet passes postrouting once more with the
	 * underlay's device, its encryption ahead; and a peer's device says who
	 * the peer is, so its sources can be checked by the way back to them.
	 */
	bool kernel_esp;
};

/* Adds "inet sennit" (the host) and "bridge sennit" (the containers' veths). */
void guard_add_tables(const struct intent *intent, const struct guard_tunnel *tunnel,
		      struct object_set *set);
/* Links of others that the guard takes for ours. */
void guard_add_remarks(const struct intent *intent, struct wanted *w);
