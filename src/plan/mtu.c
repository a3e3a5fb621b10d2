/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ESP adds (RFC 4303 §2, in this order): SPI and sequence number, the IV,
 * the packet itself, padding, its length and the next header, the ICV. Our two
 * ciphers, AES-GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634), have the same
 * sizes, and pad to 4 bytes as all ESP does.
 *
 * UDP is counted with encapsulation off, too: a NAT may be found any day, and
 * then it is used. One MTU for all peers: containers have one interface, and what they send to a
 * peer whose path carries less is answered by the kernel with "fragmentation
 * needed".
 */
#include "plan/mtu.h"

#include "plan/path.h"
#include "plan/tunnel.h"
#include "plan/wire.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER 8 /* RFC 3948; the non-ESP marker is on IKE only */
#define ESP_HEADER 8
#define ESP_IV 8
#define ESP_ALIGN 4
#define ESP_TRAILER 2
#define ESP_ICV 16
/* Below it IPv4 does not promise that anything gets through unfragmented (RFC 791 §3.2). */
#define MTU_MIN 576
/* A link with less carries no IPv6 (RFC 8200 §5); Linux takes it off there. */
#define MTU_MIN_IPV6 1280

int mtu_inside(int underlay, uint8_t family)
{
	int outer = family == AF_INET6 ? IPV6_HEADER : IPV4_HEADER;
	int room = underlay - outer - UDP_HEADER - ESP_HEADER - ESP_IV - ESP_ICV;

	return SN_MAX(room - room % ESP_ALIGN - ESP_TRAILER, MTU_MIN);
}

static bool may_go_by_ipv6(const struct intent *intent, const struct host *peer)
{
	struct intent_path paths[PATHS_MAX];
	size_t n = path_list(intent, peer, paths);

	for (size_t i = 0; i < n; i++)
		if (paths[i].remote.family == AF_INET6)
			return true;
	return false;
}

/*
 * The one with the larger header, when some peer is or may yet be reached by IPv6: which of
 * its paths is in use changes too often for the MTU of every container to follow.
 */
static uint8_t underlay_family(const struct intent *intent)
{
	array_foreach(&intent->snapshot->hosts, h) {
		if (tunnel_is_peer(intent->snapshot, h) && may_go_by_ipv6(intent, h))
			return AF_INET6;
	}
	return AF_INET;
}

static int without_fragments(const struct intent *intent, int ceiling, struct wanted *w)
{
	int underlay = intent->underlay_mtu, mtu = intent->config->mtu;
	int fits = underlay ? mtu_inside(underlay, underlay_family(intent)) : MTU_UNKNOWN;

	if (mtu <= 0)
		return SN_MIN(fits, ceiling);
	mtu = SN_MIN(mtu, ceiling);
	if (underlay && mtu > fits)
		tunnel_remark(w,
			      "mtu %d is more than the %d that an underlay of %d leaves: large "
			      "packets go in fragments, or get lost",
			      mtu, fits, underlay);
	return mtu;
}

int mtu_of_containers(const struct intent *intent, int ceiling, struct wanted *w)
{
	int mtu = without_fragments(intent, ceiling, w);

	if (!wire_carries(intent, AF_INET6) || mtu >= MTU_MIN_IPV6)
		return mtu;
	tunnel_remark(w,
		      "an MTU of %d is less than IPv6 needs: it is %d, and large packets go in "
		      "fragments, or get lost",
		      mtu, MTU_MIN_IPV6);
	return MTU_MIN_IPV6;
}
