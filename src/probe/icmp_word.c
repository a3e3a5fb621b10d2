/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/icmp_word.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

#define ICMP_HEADER_SIZE 8
/* What is quoted at least (RFC 792): ports, length, checksum. */
#define QUOTED_UDP_SIZE 8

/* IPv4's header at data: its length, 0 when it is none. */
static size_t ip_header(const uint8_t *data, size_t len, struct iphdr *ret)
{
	size_t size;

	if (len < sizeof(*ret))
		return 0;
	memcpy(ret, data, sizeof(*ret));
	size = 4u * ret->ihl;
	return ret->version == 4 && size >= sizeof(*ret) && size <= len ? size : 0;
}

static void set_addr(struct sn_addr *ret, uint8_t family, const void *bytes)
{
	*ret = (struct sn_addr){ .family = family };
	memcpy(ret->bytes, bytes, sn_addr_size(ret));
}

static int read_quoted_udp(const uint8_t *data, size_t len, struct icmp_word *ret)
{
	struct udphdr udp;

	if (len < QUOTED_UDP_SIZE)
		return -EBADMSG;
	memcpy(&udp, data, sizeof(udp));
	ret->source.port = ntohs(udp.source);
	ret->target.port = ntohs(udp.dest);
	return 0;
}

int icmp_word_parse_v4(const uint8_t *data, size_t len, struct icmp_word *ret)
{
	struct iphdr ip, quoted;
	struct icmp_word word = { .refusal = { .error = ECONNREFUSED, .icmp = true } };
	size_t at = ip_header(data, len, &ip), quoted_len;
	int r;

	if (at == 0 || ip.protocol != IPPROTO_ICMP || len < at + ICMP_HEADER_SIZE)
		return -EBADMSG;
	word.refusal.type = data[at];
	word.refusal.code = data[at + 1];
	if (word.refusal.type != ICMP_DEST_UNREACH || word.refusal.code == ICMP_FRAG_NEEDED)
		return -EBADMSG;
	at += ICMP_HEADER_SIZE;
	quoted_len = ip_header(data + at, len - at, &quoted);
	if (quoted_len == 0 || quoted.protocol != IPPROTO_UDP ||
	    (ntohs(quoted.frag_off) & IP_OFFMASK) != 0)
		return -EBADMSG;
	set_addr(&word.refusal.offender, AF_INET, &ip.saddr);
	set_addr(&word.source.addr, AF_INET, &quoted.saddr);
	set_addr(&word.target.addr, AF_INET, &quoted.daddr);
	at += quoted_len;
	r = read_quoted_udp(data + at, len - at, &word);
	if (r == 0)
		*ret = word;
	return r;
}

int icmp_word_parse_v6(const uint8_t *data, size_t len, const struct sn_addr *sender,
		       struct icmp_word *ret)
{
	struct icmp_word word = {
		.refusal = { .error = ECONNREFUSED, .icmp = true, .offender = *sender }
	};
	struct ip6_hdr quoted;
	size_t at = ICMP_HEADER_SIZE;
	int r;

	if (len < at + sizeof(quoted) || data[0] != ICMP6_DST_UNREACH)
		return -EBADMSG;
	word.refusal.type = data[0];
	word.refusal.code = data[1];
	memcpy(&quoted, data + at, sizeof(quoted));
	if (quoted.ip6_vfc >> 4 != 6 || quoted.ip6_nxt != IPPROTO_UDP)
		return -EBADMSG;
	set_addr(&word.source.addr, AF_INET6, &quoted.ip6_src);
	set_addr(&word.target.addr, AF_INET6, &quoted.ip6_dst);
	at += sizeof(quoted);
	r = read_quoted_udp(data + at, len - at, &word);
	if (r == 0)
		*ret = word;
	return r;
}

static bool is_ike_port(uint16_t port)
{
	return port == IKE_PORT || port == IKE_NAT_PORT;
}

bool icmp_word_is_about(const struct icmp_word *w, const struct sn_addr *local,
			const struct sn_addr *remote, const struct sn_prefix *overlay)
{
	if (!is_ike_port(w->source.port) || !is_ike_port(w->target.port))
		return false;
	if (sn_addr_is_set(local) && sn_addr_cmp(&w->source.addr, local) != 0)
		return false;
	if (overlay && sn_prefix_contains(overlay, &w->refusal.offender))
		return false;
	return sn_addr_cmp(&w->target.addr, remote) == 0;
}
