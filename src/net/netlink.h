/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink socket for questions and orders: one request at a time, answered
 * before the call returns. Carries what libnl or the caller has encoded.
 *
 * libmnl, not libnl's own sockets: the time to wait is bounded, the kernel's
 * own words (extended ack) reach the caller, and a torn dump is told.
 */
#pragma once

#include "base/addr.h"
#include "base/error.h"

#include <libmnl/libmnl.h>

/* An order nobody answers in this time is -ETIMEDOUT: the loop never hangs. */
#define NETLINK_TIMEOUT_MS 1000
/* Attributes of the largest request of ours, with room. */
#define NETLINK_REQUEST_SIZE 1024

struct netlink;

/*
 * bus: NETLINK_ROUTE, NETLINK_NETFILTER or NETLINK_XFRM (what that says holds keys, and is
 * wiped from memory after each answer). The socket belongs for ever to the
 * network namespace the calling thread is in now. 0 or a negative errno with e.
 */
int netlink_new(int bus, struct netlink **ret, struct sn_error *e);
void netlink_free(struct netlink *nl);
SN_DEFINE_CLEANUP(struct netlink *, netlink_free);
/* By which the kernel knows the socket: nlmsg_pid of what it says of our orders. */
uint32_t netlink_port(const struct netlink *nl);

/* A request being built: netlink_begin(), then mnl_attr_put_*(&req.h, …). */
union netlink_request {
	struct nlmsghdr h;
	char space[NETLINK_REQUEST_SIZE] __attribute__((aligned(8))); /* XFRM has 64-bit fields */
};
/* Starts a request with a zeroed header of its family; returns that header. */
void *netlink_begin(union netlink_request *req, uint16_t type, uint16_t flags, size_t header_size);

/*
 * One message of an answer. 0 to go on, a negative errno to give the answer up; for
 * netlink_ask_once() NETLINK_ENOUGH too.
 */
typedef int (*netlink_fn)(const struct nlmsghdr *nlh, void *user);

/* A dump changed under our eyes (NLM_F_DUMP_INTR): ask again. */
#define NETLINK_INTERRUPTED 1
/* The rest of the answer is not wanted. */
#define NETLINK_ENOUGH 2

/*
 * An order: waits for the acknowledgement. NLM_F_REQUEST, NLM_F_ACK and the
 * sequence number are added. 0 or a negative errno with e.
 */
int netlink_order(struct netlink *nl, struct nlmsghdr *request, struct sn_error *e);

/*
 * Orders of nftables, taken together or not at all, on a socket of NETLINK_NETFILTER:
 * netlink_transaction_begin(), then each by netlink_transaction_add() and mnl_attr_put_*()
 * of what that returns, and at last netlink_transaction_run().
 */
#define NETLINK_TRANSACTION_SIZE 4096 /* of all of it; more is a bug of the caller */
struct netlink_transaction {
	struct nlmsghdr *last;
	char space[NETLINK_TRANSACTION_SIZE] __attribute__((aligned(8)));
};
void netlink_transaction_begin(struct netlink_transaction *t);
/* message: NFT_MSG_…; family: NFPROTO_…. The header is valid until the next call. */
struct nlmsghdr *netlink_transaction_add(struct netlink_transaction *t, uint16_t message,
					 uint16_t flags, uint8_t family);
/* 0 or a negative errno with e. */
int netlink_transaction_run(struct netlink *nl, struct netlink_transaction *t, struct sn_error *e);
/*
 * A question: fn (may be NULL) gets each message of the answer. 0,
 * NETLINK_INTERRUPTED (dumps only, after all messages), or a negative errno
 * with e: the kernel's, or fn's.
 */
int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_fn fn, void *user,
		struct sn_error *e);
/*
 * The same on a socket of its own, in the network namespace the calling thread is in. fn
 * may end the answer with NETLINK_ENOUGH, which counts as its end: the kernel makes a dump
 * as it is read, so what is not read costs nothing.
 */
int netlink_ask_once(int bus, struct nlmsghdr *request, netlink_fn fn, void *user,
		     struct sn_error *e);
/*
 * The header of a message of this type, copied: messages are aligned to 4 bytes only, and what
 * XFRM puts there has numbers of 8. False for another type, or a message too short for it.
 */
bool netlink_header(const struct nlmsghdr *nlh, uint16_t type, void *ret, size_t size);
/*
 * Attributes of a message by number: ret[type] for type <= max, NULL when
 * absent. header_size: what stands before them.
 */
void netlink_attrs(const struct nlmsghdr *nlh, size_t header_size, uint16_t max,
		   const struct nlattr **ret);
/* The same for nested attributes. */
void netlink_attrs_nested(const struct nlattr *nest, uint16_t max, const struct nlattr **ret);
/* The number or text of an attribute from the kernel; 0 or "" when it is NULL or too short. */
uint32_t netlink_attr_u32(const struct nlattr *attr);
void netlink_attr_string(const struct nlattr *attr, char *ret, size_t size);
/* An address of this family; unset when it is NULL or too short. */
struct sn_addr netlink_attr_addr(const struct nlattr *attr, uint8_t family);
