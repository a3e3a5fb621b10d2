/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in for charon's sockets on UDP 4500 while there is no charon. The kernel
 * takes ESP out of UDP only in a socket that has UDP_ENCAP, and charon's is gone with it:
 * without another one every tunnel that goes by UDP is deaf, with all its SAs in place.
 *
 * Port 4500 itself stays free, for charon binds it without SO_REUSEADDR, and one that
 * cannot goes on without. So these sockets have ports of the loopback that the kernel
 * chooses, and a table of ours (plan/stand_in.h) leads ESP that comes to port 4500
 * to them: nobody has to know when the next charon starts, nor who starts it.
 *
 * A filter on them drops whatever is no ESP of an SA before it is queued: there is
 * nothing to be read. They need CAP_NET_ADMIN, and no room in the loop.
 */
#pragma once

#include "base/error.h"

struct esp_socket;

/*
 * In the network namespace of the caller. Of IPv6 there is none where the kernel has no IPv6 or
 * cannot do it there (before 5.8). 0 or a negative errno with e.
 */
int esp_socket_new(struct esp_socket **ret, struct sn_error *e);
void esp_socket_free(struct esp_socket *s);
SN_DEFINE_CLEANUP(struct esp_socket *, esp_socket_free);
/* Goes on without IPv6. */
void esp_socket_drop6(struct esp_socket *s);
/* Host byte order; of IPv6 0: there is none. */
uint16_t esp_socket_port(const struct esp_socket *s);
uint16_t esp_socket_port6(const struct esp_socket *s);
