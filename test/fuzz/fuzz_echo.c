/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: what a raw socket gives. What is sent comes back as an answer to itself. */
#include "probe/echo.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#define ID 0x4242

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The answer to an echo with these values, behind an IP header of data's length. */
static void check_round_trip(const uint8_t *data, size_t size)
{
	const size_t ip_len = 4u * SN_MAX(data[0] & 0x0f, 5u);
	uint8_t answer[60 + ECHO_SIZE] = { data[0] };
	struct echo sent = { .id = ID }, got;

	answer[0] = (uint8_t)(0x40 | ip_len / 4);
	memcpy(&sent.token, data, sizeof(sent.token));
	memcpy(&sent.sent_us, data + size - sizeof(sent.sent_us), sizeof(sent.sent_us));
	echo_encode(&sent, AF_INET, answer + ip_len);
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE, AF_INET, ID, &got) == -EBADMSG);
	answer[ip_len] = ICMP_ECHOREPLY;
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE, AF_INET, ID, &got) == 0);
	sn_require(got.token == sent.token && got.sent_us == sent.sent_us);
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE - 1, AF_INET, ID, &got) == -EBADMSG);
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE, AF_INET, ID + 1, &got) == -EBADMSG);
}

/* The same without a header. */
static void check_round_trip6(const uint8_t *data, size_t size)
{
	struct echo sent = { .id = ID }, got;
	uint8_t answer[ECHO_SIZE];

	memcpy(&sent.token, data, sizeof(sent.token));
	memcpy(&sent.sent_us, data + size - sizeof(sent.sent_us), sizeof(sent.sent_us));
	echo_encode(&sent, AF_INET6, answer);
	sn_require(echo_decode(answer, ECHO_SIZE, AF_INET6, ID, &got) == -EBADMSG);
	answer[0] = ICMP6_ECHO_REPLY;
	sn_require(echo_decode(answer, ECHO_SIZE, AF_INET6, ID, &got) == 0);
	sn_require(got.token == sent.token && got.sent_us == sent.sent_us);
	sn_require(echo_decode(answer, ECHO_SIZE - 1, AF_INET6, ID, &got) == -EBADMSG);
	sn_require(echo_decode(answer, ECHO_SIZE, AF_INET6, ID + 1, &got) == -EBADMSG);
	sn_require(echo_decode(answer, ECHO_SIZE, AF_INET, ID, &got) == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < SN_ARRAY_SIZE(families); i++) {
		struct echo echo;
		int r = echo_decode(data, size, families[i], ID, &echo);

		sn_require(r == -EBADMSG || (r == 0 && size >= ECHO_SIZE));
	}
	if (size >= sizeof(int64_t)) {
		check_round_trip(data, size);
		check_round_trip6(data, size);
	}
	return 0;
}
