/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/echo.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#define ECHO_MAGIC 0x536e4563u /* "SnEc" */

/*
 * It comes back as it went, so the payload's byte order is ours alone. ICMPv6 has the same
 * form (RFC 4443 §4.1), and other types.
 */
struct message {
	struct icmphdr icmp;
	struct payload {
		uint32_t magic;
		uint32_t token;
		int64_t sent_us;
	} payload;
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct message) == ECHO_SIZE, "what is sent has no holes");

/* RFC 1071. */
static uint16_t internet_checksum(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void echo_encode(const struct echo *echo, uint8_t family, uint8_t ret[static ECHO_SIZE])
{
	struct message m = {
		.icmp = { .type = family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
			  .un.echo = { .id = echo->id, .sequence = (uint16_t)echo->token } },
		.payload = { .magic = ECHO_MAGIC, .token = echo->token, .sent_us = echo->sent_us },
	};

	if (family == AF_INET)
		m.icmp.checksum = internet_checksum(&m, sizeof(m));
	memcpy(ret, &m, sizeof(m));
}

/* Bytes before the message. */
static size_t header_length(const uint8_t *data, size_t len, uint8_t family)
{
	if (family == AF_INET6)
		return 0;
	return len >= sizeof(struct iphdr) ? 4u * (data[0] & 0x0f) : len;
}

int echo_decode(const uint8_t *data, size_t len, uint8_t family, uint16_t id, struct echo *ret)
{
	size_t before = header_length(data, len, family);
	struct message m;

	if (len < before + sizeof(m))
		return -EBADMSG;
	memcpy(&m, data + before, sizeof(m));
	if (m.icmp.type != (family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
	    m.icmp.un.echo.id != id || m.payload.magic != ECHO_MAGIC)
		return -EBADMSG;
	*ret = (struct echo){ id, m.payload.token, m.payload.sent_us };
	return 0;
}
