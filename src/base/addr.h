/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses and prefixes as values: compare with the functions here, copy
 * by assignment. Bytes are in network byte order.
 */
#pragma once

#include "base/util.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct sn_addr {
	uint8_t family; /* AF_INET, AF_INET6, or AF_UNSPEC: no address */
	uint8_t bytes[16];
};

struct sn_prefix {
	struct sn_addr addr; /* as written: host bits may be set, see sn_prefix_network() */
	uint8_t len;         /* 0..32, 0..128 */
};

#define SN_ADDR_STRLEN INET6_ADDRSTRLEN
#define SN_PREFIX_STRLEN (INET6_ADDRSTRLEN + 4)

/* The strict forms of inet_pton(3) only: no octal, no scope, no spaces. 0 or -EINVAL. */
int sn_addr_parse(const char *s, struct sn_addr *ret);
/* "10.42.1.0/24"; without a slash the full length. 0 or -EINVAL. */
int sn_prefix_parse(const char *s, struct sn_prefix *ret);
/* Writes into buf and returns it; an unset address is "-". */
const char *sn_addr_format(const struct sn_addr *a, char buf[static SN_ADDR_STRLEN]);
const char *sn_prefix_format(const struct sn_prefix *p, char buf[static SN_PREFIX_STRLEN]);

/* Temporaries for format strings; valid to the end of the enclosing block. */
#define SN_ADDR_STR(a) sn_addr_format((a), (char[SN_ADDR_STRLEN]){ 0 })
#define SN_PREFIX_STR(p) sn_prefix_format((p), (char[SN_PREFIX_STRLEN]){ 0 })

static inline bool sn_addr_is_set(const struct sn_addr *a)
{
	return a->family != AF_UNSPEC;
}
/* 0.0.0.0 or ::, by which sockets mean any. */
bool sn_addr_is_any(const struct sn_addr *a);
/* 4 or 16; 0 when unset. */
size_t sn_addr_size(const struct sn_addr *a);
/* Total orders: family, then bytes (then length): -1, 0, 1. */
int sn_addr_cmp(const struct sn_addr *a, const struct sn_addr *b);
int sn_prefix_cmp(const struct sn_prefix *a, const struct sn_prefix *b);

/* With the host bits cleared. */
struct sn_prefix sn_prefix_network(const struct sn_prefix *p);
/* The full-length prefix of one address. */
struct sn_prefix sn_prefix_of(const struct sn_addr *a);
bool sn_prefix_contains(const struct sn_prefix *p, const struct sn_addr *a);
/* All of inner lies in outer (equal counts). */
bool sn_prefix_covers(const struct sn_prefix *outer, const struct sn_prefix *inner);
bool sn_prefix_overlaps(const struct sn_prefix *a, const struct sn_prefix *b);
static inline bool sn_prefix_is_single(const struct sn_prefix *p)
{
	return p->len == 8 * sn_addr_size(&p->addr);
}
/* The n-th address of the prefix, n = 0 the network address; unset when n is past its end. */
struct sn_addr sn_prefix_nth(const struct sn_prefix *p, uint64_t n);
/* How many addresses it has, at most UINT64_MAX. */
uint64_t sn_prefix_count(const struct sn_prefix *p);
/*
 * Addresses a host may use lie at [1, count - 2] (v4: neither network nor
 * broadcast address), a single address is itself usable. Unset when there is
 * none (a /31 has none by this rule).
 */
struct sn_addr sn_prefix_first_usable(const struct sn_prefix *p);

/*
 * The address that a router with the address `own` has in a subnet: own when it
 * lies in it, else the first usable one. Unset for a single address that is not own.
 */
struct sn_addr sn_prefix_gateway(const struct sn_prefix *p, const struct sn_addr *own);

/* socket addresses; returns the length to pass on. */
socklen_t sn_addr_to_sockaddr(const struct sn_addr *a, uint16_t port, struct sockaddr_storage *ret);
/* 0, or -EAFNOSUPPORT. ret_port may be NULL. */
int sn_addr_from_sockaddr(const struct sockaddr *sa, struct sn_addr *ret, uint16_t *ret_port);
