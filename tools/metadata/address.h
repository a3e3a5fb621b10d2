/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The well-known address of Rancher's metadata service, on lo, so that the
 * containers of this host reach a server here by the route to their gateway.
 */
#pragma once

#include "base/error.h"

#define LOCAL_ADDRESS "169.254.169.250"
/* By its label it is known as ours after a crash, too; `ip address` shows it. */
#define LOCAL_ADDRESS_LABEL "lo:sennit"

/*
 * 1: it was added, or left by one of us that crashed: to be removed at the
 * end; 0: it is there and somebody else's; a negative errno with e.
 */
int local_address_add(struct sn_error *e);
/* Only what local_address_add() said 1 for. */
void local_address_remove(void);
