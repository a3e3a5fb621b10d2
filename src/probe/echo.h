/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ICMP and ICMPv6 echoes that the peer's kernel answers: the request as it is sent, the
 * answer as raw sockets give it (raw(7): behind its header in IPv4; without one, and the
 * checksum made and checked by the kernel, in IPv6: RFC 3542 §3). Pure.
 */
#pragma once

#include "base/util.h"

#define ECHO_SIZE 24

struct echo {
	uint16_t id; /* as ICMP has it: whose echoes these are */
	uint32_t token;
	int64_t sent_us;
};

/* family: AF_INET or AF_INET6. */
void echo_encode(const struct echo *echo, uint8_t family, uint8_t ret[static ECHO_SIZE]);
/* 0, or -EBADMSG: no answer to an echo of this id. */
int echo_decode(const uint8_t *data, size_t len, uint8_t family, uint16_t id, struct echo *ret);
