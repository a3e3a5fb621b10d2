/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: what a raw socket gives. What is sent comes back as an answer to itself. */
#include "probe/echo.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/ip.h>

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
	echo_encode(&sent, answer + ip_len);
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE, ID, &got) == -EBADMSG);
	answer[ip_len] = ICMP_ECHOREPLY;
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE, ID, &got) == 0);
	sn_require(got.token == sent.token && got.sent_us == sent.sent_us);
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE - 1, ID, &got) == -EBADMSG);
	sn_require(echo_decode(answer, ip_len + ECHO_SIZE, ID + 1, &got) == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct echo echo;
	int r = echo_decode(data, size, ID, &echo);

	sn_require(r == -EBADMSG || (r == 0 && size >= ECHO_SIZE));
	if (size >= sizeof(echo.sent_us))
		check_round_trip(data, size);
	return 0;
}
