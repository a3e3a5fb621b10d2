/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP's word that a packet to somebody's UDP port did not arrive, whoever of
 * this host sent that packet: charon, or the kernel with ESP in UDP. Pure.
 *
 * Hosts and routers send few of them a second to one address (RFC 1812,
 * 4.3.2.8), so a question of ours beside the traffic of a tunnel may well stay
 * without one. Anybody can forge them: they are words for the operator, no more.
 */
#pragma once

#include "probe/ike_verdict.h"

struct icmp_word {
	struct ike_endpoint source; /* who sent the packet, as a NAT on the way gave it back */
	struct ike_endpoint target; /* whom the packet was for */
	struct ike_refusal refusal; /* as of a question to it; by_us is not set */
};

/*
 * "Destination unreachable" (RFC 792; not that it was too big) as a raw socket
 * gives it: with the IP header, or for IPv6 without it and with the sender
 * (RFC 4443, 3.1). 0, or -EBADMSG: anything else.
 */
int icmp_word_parse_v4(const uint8_t *data, size_t len, struct icmp_word *ret);
int icmp_word_parse_v6(const uint8_t *data, size_t len, const struct sn_addr *sender,
		       struct icmp_word *ret);

/*
 * Whether the packet was IKE or ESP in UDP from local (unset: any address) to remote,
 * which both leave from port 500 or 4500, and the word does not come from inside the
 * overlay (NULL: none), where nobody on the way to a peer is.
 */
bool icmp_word_is_about(const struct icmp_word *w, const struct sn_addr *local,
			const struct sn_addr *remote, const struct sn_prefix *overlay);
