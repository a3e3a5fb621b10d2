/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of sennit-metadata. */
#pragma once

#include "server.h"

#include "base/array.h"

struct arguments_listener {
	struct sn_addr addr;
	uint16_t port;
	bool reload;
};

struct arguments {
	const char *mesh; /* borrowed from argv */
	bool add_address;
	struct server_options server;
	ARRAY(struct arguments_listener) listen; /* at least one that is not for reload */
};

enum arguments_outcome { ARGUMENTS_RUN = 0, ARGUMENTS_HELP = 1, ARGUMENTS_VERSION = 2 };
/*
 * One of the outcomes, or -EINVAL after it said why on stderr. ret is initialised by
 * this; arguments_fini() it in any case.
 */
int arguments_parse(int argc, char **argv, struct arguments *ret);
void arguments_fini(struct arguments *o);
extern const char arguments_usage[];
