/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MTU of containers' interfaces that are there already. Their namespaces
 * were handed to us once, as descriptors, and none is kept: it would keep the
 * namespace alive. They are found again among what is mounted (container
 * engines and `ip netns` do that) and among processes, by device and inode.
 */
#pragma once

#include "model/intent.h"

/* A container's end of an attachment. */
struct container_end {
	uint64_t netns_dev, netns_ino;
	char ifname[IFNAMSIZ];
	uint8_t mac[SN_MAC_SIZE]; /* another interface of that name is let be */
	/* written: */
	bool visited;      /* false: its namespace was not found */
	struct sn_error e; /* of a visit: e.code < 0 when it failed */
};

/*
 * Gives each end the MTU where it has a larger one, or `before` (0: none): one
 * that its owner chose below is let be. Blocks, for a time that grows with the
 * number of processes: for a worker.
 */
void container_mtu_set(struct container_end *ends, size_t n, int before, int mtu);
