/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Complete questions leave state at who is asked, so each port gets one a
 * minute at most from one user of this host, whatever runs how often. When the last
 * one was is the time of a file of one byte, ADDRESS-PORT, in
 * $XDG_RUNTIME_DIR/sennit-probe; without that in /run/sennit-probe for root, in
 * /tmp/sennit-probe-UID for others.
 */
#pragma once

#include "base/error.h"

#define ONCE_S 60

/* Takes the turn: 0, or a negative errno with e: not yet, or it cannot be remembered. */
int once_a_minute(const char *address, unsigned port, struct sn_error *e);
