/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container may send of IPv6, for the guard's table of the bridge: the part of
 * it that ARP has in IPv4 takes up most. Private to the module.
 */
#pragma once

#include "base/strbuf.h"
#include "model/intent.h"

/* The link-local address that a kernel makes of a MAC: modified EUI-64 (RFC 4291, appendix A). */
struct sn_addr frames6_link_local(const uint8_t mac[static SN_MAC_SIZE]);
/* The sets that the chains ask. */
void frames6_add_sets(const struct intent *intent, struct strbuf *b);
/*
 * The chain to which every frame from a container comes, "container", and those behind it.
 * Not alone: "container6", to which those of IPv6 come.
 */
void frames6_add_chains(bool alone, struct strbuf *b);
