/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ICMP echoes that the peer's kernel answers: the request as it is sent,
 * the answer as raw sockets give it (raw(7): behind its IPv4 header). Pure.
 */
#pragma once

#include "base/util.h"

#define ECHO_SIZE 24

struct echo {
	uint16_t id; /* as ICMP has it: whose echoes these are */
	uint32_t token;
	int64_t sent_us;
};

void echo_encode(const struct echo *echo, uint8_t ret[static ECHO_SIZE]);
/* 0, or -EBADMSG: no answer to an echo of this id. */
int echo_decode(const uint8_t *data, size_t len, uint16_t id, struct echo *ret);
