/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sennit-probe prints: lines as nc's, or JSON. Text from outside is escaped here. */
#pragma once

#include "target.h"

#include <jansson.h>
#include <stdio.h>

/* One port, a line as nc's and with -v what it means. round: of one that goes on. */
void report_port(FILE *f, const struct target *t, const struct port_result *p,
		 const struct options *o, bool round);
/* A host that has no address. */
void report_lookup(FILE *f, const char *name, const char *text);

/* What the other end says. */
void report_leg(FILE *f, const struct target *t);

/* New references. */
json_t *report_port_json(const struct target *t, const struct port_result *p,
			 const struct options *o);
json_t *report_lookup_json(const char *name, const char *text);

/* "isakmp"; "*" when the port has no name, or with numeric. Static storage. */
const char *report_service(uint16_t port, bool numeric);
/* Whether that is what sennit-probe exits with 0 for. */
bool report_is_good(const struct port_result *p);
