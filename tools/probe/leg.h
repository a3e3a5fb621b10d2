/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sennitd of another host says (its read-only HTTP, /v1/status): who
 * we are to it and how its tunnel to us is; and, when it is the host that is
 * asked itself, whether our probes arrive at its charon. That tells a closed way there from
 * a closed way back.
 */
#pragma once

#include "loop/http.h"
#include "probe/ike_prober.h"

#define LEG_PORT 8111
#define LEG_TEXT 512

/* A port that did not answer. */
struct leg_port {
	uint16_t port;
	enum ike_arrival arrival;
	struct sn_addr seen_as; /* what our probes come from, there; unset: not known */
};

/* One host as sennitd of another sees it; id "" when it does not know the host. */
struct leg_peer {
	char id[SN_ID_SIZE], state[32], cause[32], evidence[256];
};

struct leg_result {
	char trouble[LEG_TEXT]; /* why it cannot say; "" when it can */
	char host[SN_ID_SIZE];  /* its id */
	bool is_target;         /* it is the host that is asked, not a third one */
	struct leg_peer us, target;
};

struct leg;
typedef void (*leg_fn)(const struct leg_result *r, void *user);

/*
 * where: HOST, HOST:PORT, [ADDRESS]:PORT or an http URL. The ports, n of them or none, are asked
 * anew and filled in; they stay the caller's. fn as with ike_ask_new().
 */
struct leg *leg_new(struct http_client *http, struct ike_prober *prober, const char *where,
		    const struct sn_addr *local, const struct sockaddr_storage *target,
		    struct leg_port *ports, size_t n, leg_fn fn, void *user);
void leg_free(struct leg *l);
