/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel can do what we need: tried, not guessed, in a network
 * namespace that lives as long as the thread that tries. The host's own state is
 * never touched, and nothing is left (but for modules that the kernel loads).
 *
 * Each: 0, -EPERM with e when this process may not make a namespace, or another
 * negative errno with e, which says what the kernel has not.
 */
#pragma once

#include "base/error.h"

/* A security association with AES-GCM, and an XFRM interface. */
int trial_esp(struct sn_error *e);
/* A TUN device (/dev/net/tun). */
int trial_tun(struct sn_error *e);
/* A link of this kind: "bridge", "veth". */
int trial_link(const char *kind, struct sn_error *e);
/* A rule as plan/stand_in.h has it: for who stands in for charon's socket. */
int trial_stand_in(struct sn_error *e);
/* Commands of nft(8), all of which have to be taken. */
int trial_nft(const char *commands, struct sn_error *e);
