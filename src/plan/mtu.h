/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of an underlay packet is left for the overlay. Private to the module. */
#pragma once

#include "plan/dataplane.h"

/*
 * The largest overlay packet (bytes of IP) that ESP in UDP carries in one underlay
 * packet of this size (bytes of IP, 0 < underlay): 1438 for 1500 by IPv4.
 * family is the underlay's.
 */
int mtu_inside(int underlay, uint8_t family);
/*
 * The MTU of the bridge, the containers and the tunnels: the configured one,
 * else what the underlay leaves, and never over ceiling. 0 < ceiling; it is also
 * the answer while the underlay's MTU is not known, but for MTU_UNKNOWN at most.
 * What is configured and does not fit is taken all the same, with a remark.
 */
int mtu_of_containers(const struct intent *intent, int ceiling, struct wanted *w);

/* Fits an underlay of 1500 by IPv4 and IPv6. */
#define MTU_UNKNOWN 1400
