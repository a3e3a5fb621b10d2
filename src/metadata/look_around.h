/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what this host needs outside of the overlay: model/surroundings.h. */
#pragma once

#include "model/config.h"
#include "model/surroundings.h"

/*
 * Gateways of default routes, name servers, addresses in the metadata URLs. A
 * few small files of /proc and /etc; what cannot be read is not there. Adds to ret.
 */
void look_around(const struct config *config, struct surroundings *ret);

/* The parsers of the files, for the tests. text is NUL-terminated. */
void look_around_resolv_conf(const char *text, struct surroundings *ret);
void look_around_route(const char *text, struct surroundings *ret);
void look_around_ipv6_route(const char *text, struct surroundings *ret);
