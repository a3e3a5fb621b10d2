/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/echo.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/ip.h>

#define ECHO_MAGIC 0x536e4563u /* "SnEc" */

/* It comes back as it went, so the payload's byte order is ours alone. */
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

void echo_encode(const struct echo *echo, uint8_t ret[static ECHO_SIZE])
{
	struct message m = {
		.icmp = { .type = ICMP_ECHO,
			  .un.echo = { .id = echo->id, .sequence = (uint16_t)echo->token } },
		.payload = { .magic = ECHO_MAGIC, .token = echo->token, .sent_us = echo->sent_us },
	};

	m.icmp.checksum = internet_checksum(&m, sizeof(m));
	memcpy(ret, &m, sizeof(m));
}

int echo_decode(const uint8_t *data, size_t len, uint16_t id, struct echo *ret)
{
	size_t ip_len = len >= sizeof(struct iphdr) ? 4u * (data[0] & 0x0f) : len;
	struct message m;

	if (len < ip_len + sizeof(m))
		return -EBADMSG;
	memcpy(&m, data + ip_len, sizeof(m));
	if (m.icmp.type != ICMP_ECHOREPLY || m.icmp.un.echo.id != id ||
	    m.payload.magic != ECHO_MAGIC)
		return -EBADMSG;
	*ret = (struct echo){ id, m.payload.token, m.payload.sent_us };
	return 0;
}
