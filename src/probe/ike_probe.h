/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two questions for an IKE daemon that sennit-probe and the doctor ask, and
 * what may come back. Pure; all numbers on the wire in network byte order.
 *
 * The probe is an IKE header (RFC 7296, 3.1) and nothing behind it, of a
 * version that does not exist:
 *
 *	 0  initiator's SPI: random, its first four bytes not all 0
 *	 8  responder's SPI: 0
 *	16  next payload: 0, none
 *	17  version: 0x30, major 3, minor 0
 *	18  exchange type: 34, IKE_SA_INIT
 *	19  flags: 0x08, from the initiator
 *	20  message id: 0
 *	24  length: 28, or more, then what follows are zeros (for path MTU)
 *
 * RFC 7296, 2.5: who gets a higher major version than his own drops the message
 * and answers INVALID_MAJOR_VERSION with the highest one that he has. charon does
 * that before it looks at cookies, half-open SAs or its configuration, and keeps nothing: 36
 * bytes, an IKE header and a notify payload (measured, 5.9.8).
 *
 * The full question is a real IKE_SA_INIT with X25519, proposals that nearly everybody
 * has, and NAT detection (RFC 7296, 1.2, 2.23). Who answers keeps a half-open
 * SA for it for some 30 s, and after a few of them asks everybody for cookies.
 *
 * On UDP 4500 four zero bytes go before every message, the non-ESP marker (RFC 3948, 2.2).
 */
#pragma once

#include "base/addr.h"

#define IKE_PORT 500
#define IKE_NAT_PORT 4500
#define IKE_SPI_SIZE 8
#define IKE_MARKER_SIZE 4
#define IKE_HEADER_SIZE 28
/* With marker. The longest is what an IPv6 packet without options can carry on a 9000-byte link. */
#define IKE_PROBE_MAX 9000
#define IKE_INIT_MAX 512
/* Of an answer; what is longer is cut and then no IKE message. */
#define IKE_ANSWER_MAX 4096

#define IKE_N_INVALID_MAJOR_VERSION 5
#define IKE_N_NO_PROPOSAL_CHOSEN 14
#define IKE_N_INVALID_KE_PAYLOAD 17
#define IKE_N_COOKIE 16390
#define IKE_N_REDIRECT 16407

/* A fresh SPI. */
void ike_probe_spi(uint8_t ret[static IKE_SPI_SIZE]);

/*
 * The probe, `size` bytes with marker; a smaller size gives the shortest one.
 * buf has IKE_PROBE_MAX bytes, and size is at most that. Returns the length.
 */
size_t ike_probe_write(const uint8_t spi[static IKE_SPI_SIZE], bool marker, size_t size,
		       uint8_t *buf);

/* What two ends of a path say of themselves: hashes of SPIs, address, port (RFC 7296, 2.23). */
#define IKE_NAT_HASH_SIZE 20
void ike_nat_hash(const uint8_t spi_i[static IKE_SPI_SIZE],
		  const uint8_t spi_r[static IKE_SPI_SIZE], const struct sn_addr *addr,
		  uint16_t port, uint8_t ret[static IKE_NAT_HASH_SIZE]);

/*
 * The full question from local to remote, into buf of IKE_INIT_MAX bytes.
 * Send the same bytes again, rather than another one, when no answer comes.
 */
struct ike_endpoint {
	struct sn_addr addr;
	uint16_t port;
};
size_t ike_init_write(const uint8_t spi[static IKE_SPI_SIZE], bool marker,
		      const struct ike_endpoint *local, const struct ike_endpoint *remote,
		      uint8_t *buf);

enum ike_answer_kind {
	IKE_ANSWER_NONE,    /* nothing came */
	IKE_ANSWER_FOREIGN, /* no IKE message, or one that is no answer to ours */
	IKE_ANSWER_ECHO,    /* what was sent, byte by byte */
	IKE_ANSWER_V1,      /* an ISAKMP message of version 1 (RFC 2408) */
	IKE_ANSWER_NOTIFY,  /* IKEv2, refuses or asks for something: notify says what */
	IKE_ANSWER_INIT,    /* IKEv2, a complete IKE_SA_INIT response */
	IKE_ANSWER_IKE,     /* IKEv2, and none of these */
};

#define IKE_PROPOSAL_TEXT 128
#define IKE_VENDOR_TEXT 64

struct ike_answer {
	enum ike_answer_kind kind;
	uint8_t version;  /* as on the wire: 0x20 is 2.0 */
	uint8_t exchange; /* type */
	bool marker;      /* it had a non-ESP marker */
	uint16_t notify;  /* with NOTIFY and V1: its type; 0: none */
	uint16_t group;   /* with INVALID_KE_PAYLOAD: which it wants; 0: it did not say */
	uint8_t spi_r[IKE_SPI_SIZE];
	bool has_source, has_destination;  /* NAT detection of the sender */
	uint8_t source[IKE_NAT_HASH_SIZE]; /* of several the first */
	uint8_t destination[IKE_NAT_HASH_SIZE];
	bool fragmentation;               /* it can (RFC 7383) */
	char proposal[IKE_PROPOSAL_TEXT]; /* chosen: "AES_GCM_16_256/…"; or "" */
	char vendor[IKE_VENDOR_TEXT];     /* the first vendor id that is text; or "" */
};

/* What was received in answer to what was sent. Any bytes; never fails, never NONE. */
void ike_answer_parse(const uint8_t *data, size_t len, const uint8_t *sent, size_t sent_len,
		      struct ike_answer *ret);
/* The initiator's SPI of a message, marker or not; NULL when it is too short. */
const uint8_t *ike_message_spi(const uint8_t *data, size_t len);

/* "INVALID_MAJOR_VERSION"; NULL: no name for it. v1: by ISAKMP's numbers (RFC 2408, 3.14.1). */
const char *ike_notify_name(uint16_t type, bool v1);
/* "CURVE_25519"; NULL: no name for it. */
const char *ike_group_name(uint16_t group);
