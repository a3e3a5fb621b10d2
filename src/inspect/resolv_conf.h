/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv.conf(5) as glibc reads it, what is to be said of each server, and the query that asks one.
 * Pure. */
#pragma once

#include "base/addr.h"
#include "base/array.h"

#include <net/if.h>

/* glibc's MAXNS: it asks no more. */
#define RESOLV_USED 3
/* Kept at most; a file with more is told of the first ones. */
#define RESOLV_MAX_SERVERS 32
#define RESOLV_TEXT_SIZE 80
/* Of a file that anybody wrote by hand. */
#define RESOLV_MAX_BYTES (64 * 1024)

struct resolv_server {
	unsigned line;               /* from 1 */
	char text[RESOLV_TEXT_SIZE]; /* as written, cut */
	struct sn_addr addr;         /* unset: it is no address */
	char zone[IFNAMSIZ];         /* of fe80::1%eth0 or %3; "": none */
};

struct resolv_conf {
	ARRAY(struct resolv_server) servers; /* in their order */
};

/* text has len bytes and a NUL after them. Never fails: what is odd is in the servers. */
void resolv_conf_parse(const char *text, size_t len, struct resolv_conf *ret);
void resolv_conf_fini(struct resolv_conf *c);

enum resolv_verdict {
	RESOLV_FINE,
	RESOLV_NO_ADDRESS,    /* glibc skips it */
	RESOLV_ZONE_MISSING,  /* link-local, and nothing says on which link: it cannot be asked */
	RESOLV_ZONE_NEEDLESS, /* a zone where none belongs: glibc skips it */
	RESOLV_SURPLUS,       /* after the third one that counts */
	RESOLV_LOOP,          /* the resolver that asks us: Rancher's 169.254.169.250 */
};
/* index: how many before it count for glibc. own: more addresses that only ask us; may be NULL. */
enum resolv_verdict resolv_judge(const struct resolv_server *s, size_t index,
				 const struct sn_addr *own);

/* --- one question --------------------------------------------------------------------- */

#define RESOLV_QUERY_SIZE 17
#define RESOLV_ANSWER_MAX 4096

/* "who serves the root?" (NS of "."), which every resolver answers and no name server knows us by.
 */
void resolv_query(uint16_t id, uint8_t ret[static RESOLV_QUERY_SIZE]);
/* The answer's RCODE (0: well, 2: SERVFAIL, 5: REFUSED, …), or -EBADMSG: no answer to that. */
int resolv_answer(const uint8_t *data, size_t len, uint16_t id);
