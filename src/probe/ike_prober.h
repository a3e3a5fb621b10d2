/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks UDP ports whether an IKE daemon is there (probe/ike_probe.h) and gathers
 * the evidence (probe/ike_verdict.h). Needs no rights; works beside an IKE
 * daemon of this host, whose ports it does not need.
 *
 * All questions of a prober go through one socket a family, so that they leave
 * from one port, and together never faster than its rate. ICMP errors are
 * read from the socket's error queue (IP_RECVERR, ip(7)), with who sent them.
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"
#include "probe/ike_verdict.h"

#define IKE_RATE_DEFAULT 50 /* datagrams a second, of all questions together */
#define IKE_RATE_MAX 1000
#define IKE_TRIES_DEFAULT 3
#define IKE_TRIES_MAX 8
/*
 * Linux asks three times a second apart for a neighbour before it says that the
 * host is unreachable: who waits for less hears nothing where he could hear that.
 */
#define IKE_WAIT_DEFAULT_MS 4000

struct ifaddrs;
struct ike_prober;

struct ike_prober_options {
	struct sn_addr source; /* unset: as the routes say */
	uint16_t source_port;  /* 0: any */
	unsigned rate;         /* 0: IKE_RATE_DEFAULT */
	/*
	 * This host's addresses, of getifaddrs(3); the prober's from then on. NULL: they are read
	 * at once, which waits in the kernel for whoever changes devices.
	 */
	struct ifaddrs *own;
};

struct ike_prober *ike_prober_new(struct loop *loop, const struct ike_prober_options *o);
/* Every question is freed first. */
void ike_prober_free(struct ike_prober *p);
SN_DEFINE_CLEANUP(struct ike_prober *, ike_prober_free);

/* Whether the address is this host's, as of ike_prober_new(). */
bool ike_prober_owns(const struct ike_prober *p, const struct sn_addr *a);

/* Why this address is never asked ("a multicast address"); NULL: it may be. */
const char *ike_never_asked(const struct sockaddr *to);

struct ike_question {
	struct sockaddr_storage to; /* with port, and scope where IPv6 needs one */
	struct sn_addr source;      /* unset: the prober's, or as the routes say */
	unsigned tries;             /* 0: the default. Each waits wait_ms / (tries + 1) */
	int64_t wait_ms;            /* from the first to the end; 0: the default */
	size_t size;                /* UDP payload, sent unfragmented; 0: as short as can be */
	bool full;                  /* the full question; each try has the same bytes */
};

/*
 * Called once, from the loop, never from ike_ask(): with the first IKE answer or
 * ICMP error, or when the time is over. The evidence is the question's; the
 * call may free it.
 */
typedef void (*ike_asked_fn)(const struct ike_evidence *e, void *user);

struct ike_ask;
/*
 * Port 500 is asked without the non-ESP marker, 4500 with it, others both ways.
 * 0, or a negative errno with e: no socket (source address or port), or
 * an address that is never asked. What cannot be sent is evidence.
 */
int ike_ask_new(struct ike_prober *p, const struct ike_question *q, ike_asked_fn fn, void *user,
		struct ike_ask **ret, struct sn_error *e);
/* Cancels what is under way. Takes NULL. */
void ike_ask_free(struct ike_ask *a);
