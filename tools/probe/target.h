/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One address and all its ports, from the first round to the end: rounds, a
 * second look at the silent ports of a host that refuses much, path MTU, what
 * its other end says. The evidence of all rounds is added up.
 */
#pragma once

#include "leg.h"
#include "options.h"

struct port_result {
	uint16_t port;
	struct ike_evidence e; /* of all rounds */
	unsigned rounds, answered_rounds;
	struct ike_ask *ask;   /* under way; NULL: none */
	unsigned path_mtu;     /* IP bytes; 0: not known */
	bool mtu_silent;       /* larger ones vanish without an ICMP error */
	struct sn_addr mtu_by; /* who said it; unset: nobody, or this host's link */
	char trouble[512];     /* why it was not asked; "" when it was */
	struct ike_judgement judgement;
};

struct target;

struct target_handlers {
	/* A round is over: results as they are; rounds before the last one only with -i or -c. */
	void (*round)(struct target *t, void *user);
	void (*done)(struct target *t, void *user);
	void *user;
};

/* options, prober and http (for --from) outlive it. name: as it was given. */
struct target *target_new(struct loop *loop, struct ike_prober *prober, struct http_client *http,
			  const struct options *o, const char *name,
			  const struct sockaddr_storage *address,
			  const struct target_handlers *handlers);
void target_free(struct target *t);
void target_start(struct target *t);
/* Ends it with what is known; done() comes from the loop. */
void target_stop(struct target *t);
bool target_is_done(const struct target *t);

const char *target_name(const struct target *t);
/* With scope, as getnameinfo(3) writes it. */
const char *target_address(const struct target *t);
const struct port_result *target_ports(const struct target *t, size_t *ret_n);
/* What the host of --from says; NULL: it was not asked. */
const struct leg_result *target_leg(const struct target *t);
/* What is under way, for the progress line: "500", "path MTU of 500". "" when nothing is. */
const char *target_doing(struct target *t);
unsigned target_rounds(const struct target *t);
