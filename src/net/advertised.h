/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which devices hear router advertisements: what comes by them (addresses, the default
 * route) would end when the host forwards IPv6, unless accept_ra is 2 there before.
 */
#pragma once

#include "model/intent.h"
#include "net/netlink.h"
#include "net/sysctl.h"

/*
 * Devices of others with accept_ra=1, or 2 where that is our doing, that may hear any: not
 * lo, a port of a bridge or a TUN, and IPv6 is not switched off there. Sorted by name. How
 * many, or a negative errno with e.
 */
int advertised_devices(struct netlink *nl, struct sysctls *sysctls,
		       struct intent_device ret[static INTENT_ADVERTISED_MAX], struct sn_error *e);
