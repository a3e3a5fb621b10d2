/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Word of changes in the kernel, by its multicast groups: links, addresses,
 * routes, interface settings (NETCONF: forwarding and rp_filter; the kernel
 * tells of no others), nftables.
 *
 * Foreign changes that cannot concern an object are left out here (a table
 * with another name, a route with another protocol that replaces none), so
 * that a busy container engine or routing daemon beside us costs no observation.
 */
#pragma once

#include "net/net.h"

/* Of each socket; a burst of some thousand events fits. */
#define WATCH_RECEIVE_BUFFER (1024 * 1024)
/* Datagrams read in one turn of a socket. */
#define WATCH_AT_ONCE 64

struct watch;

/* As net_watch(). receive_buffer in bytes. 0 or a negative errno with e. */
int watch_new(struct loop *loop, int receive_buffer, net_changed_fn fn, void *user,
	      struct watch **ret, struct sn_error *e);
void watch_free(struct watch *w);
SN_DEFINE_CLEANUP(struct watch *, watch_free);
/*
 * Routes that the socket of this port (nlmsg_pid) asked for are no news: whoever asked was
 * answered. 50,000 routes of the flat plan are not looked at for one of them.
 */
void watch_set_own(struct watch *w, uint32_t port);
/* From now on, when one of them gets another MTU, its name is told; replaces the last ones. */
void watch_set_mtus(struct watch *w, const struct net_mtu *mtus, size_t n);
/* As if the kernel had told of these kinds. */
void watch_touch(struct watch *w, unsigned kinds);
