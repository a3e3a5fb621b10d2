/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of sennit-probe: nc's letters, and words for what nc does not have. */
#pragma once

#include "base/array.h"
#include "probe/ike_prober.h"

#define MAX_HOSTS 64
#define MAX_PORTS 1024 /* of each host */

struct port_range {
	uint16_t first, last;
};

struct options {
	bool verbose, quiet, json, numeric, full, mtu;
	int family;          /* AF_UNSPEC: either */
	int64_t wait_ms;     /* 0: the prober's default */
	int64_t interval_ms; /* between rounds; -1: not given */
	unsigned count;      /* rounds; 0: not given */
	const char *from;    /* whose sennitd is asked; NULL: nobody's */
	struct ike_prober_options prober;
	ARRAY(const char *) hosts;
	ARRAY(struct port_range) ports;
};

/* How many rounds: UINT_MAX is "until it is stopped". */
unsigned options_rounds(const struct options *o);

/* 0, 1: all is done (--help, --version), or -EINVAL after it said on stderr why. */
int options_parse(int argc, char **argv, struct options *o);
void options_fini(struct options *o);
