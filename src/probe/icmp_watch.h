/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hears ICMP's words (probe/icmp_word.h) that reach this host, by raw sockets:
 * CAP_NET_RAW. What the firewall here drops is not heard.
 */
#pragma once

#include "loop/loop.h"
#include "probe/icmp_word.h"

struct icmp_watch;

/* Called from the loop, once a word; it may not free the watch. */
typedef void (*icmp_word_fn)(const struct icmp_word *word, void *user);

/* A family whose socket cannot be made is not heard; never fails. */
struct icmp_watch *icmp_watch_new(struct loop *loop, icmp_word_fn fn, void *user);
void icmp_watch_free(struct icmp_watch *w);
SN_DEFINE_CLEANUP(struct icmp_watch *, icmp_watch_free);
