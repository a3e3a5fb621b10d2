/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of a name, from the loop: getaddrinfo(3) in a thread. It cannot be
 * stopped, so the thread is left to end by itself when the time is over.
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"

#include <sys/socket.h>

#define LOOKUP_LIMIT_MS 5000
#define LOOKUP_ADDRESSES 16

struct lookup;
/*
 * Once, from the loop: the addresses without ports, n 0 with e. They are the
 * caller's for the call only, which may free the look-up.
 */
typedef void (*lookup_fn)(const struct sockaddr_storage *addresses, size_t n,
			  const struct sn_error *e, void *user);
/* numeric: an address only, no name. */
struct lookup *lookup_new(struct loop *loop, const char *name, int family, bool numeric,
			  lookup_fn fn, void *user);
void lookup_free(struct lookup *l);
