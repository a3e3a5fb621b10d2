/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire form of a heartbeat, HEARTBEAT_SIZE bytes of UDP payload, all
 * numbers in network byte order. Pure.
 *
 *	 0  "SnHb"
 *	 4  version, 1
 *	 5  what the sender thinks of the receiver, as a number of its own (0..255)
 *	 6  how often it changed that, modulo 2^16
 *	 8  the sender's daemon: random, new at each start
 *	16  the sender's charon: random, new when charon is a new process; 0: unknown
 *	24  sequence, up by one an interval, from 1 at each start
 *	28  flags: 1 the sender has no charon now; the others 0, and not looked at
 *	29  0, not looked at
 *	32  MAC over bytes 0..31 (secret/secret.h)
 */
#pragma once

#include "base/util.h"
#include "secret/secret.h"

#define HEARTBEAT_SIZE 48

/* How often since the start of sennitd all SAs with this peer became void without a new charon. */
#define HEARTBEAT_RENEWALS UINT64_C(0xff)

struct heartbeat {
	uint8_t view;
	uint16_t view_changes;
	uint64_t daemon_boot;
	uint64_t ike_boot; /* of the charon; the lowest byte: HEARTBEAT_RENEWALS */
	uint32_t seq;
	bool ike_away; /* the sender has no charon that answers; ike_boot is that of the last one */
};

void heartbeat_encode(const struct heartbeat *hb, const struct secrets *secrets,
		      const char *mesh_id, const char *sender, const char *receiver,
		      uint8_t ret[static HEARTBEAT_SIZE]);
/* 0, or -EBADMSG: no heartbeat of this version, or -EKEYREJECTED: its MAC is not the pair's. */
int heartbeat_decode(const uint8_t *data, size_t len, const struct secrets *secrets,
		     const char *mesh_id, const char *sender, const char *receiver,
		     struct heartbeat *ret);
