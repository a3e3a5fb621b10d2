/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that leads ESP in UDP to the sockets of net/esp_socket.h, as plan/stand_in.h
 * wants it, but at once: one message to the kernel, where writing its text by libnftables
 * waits for whoever has the library and takes several milliseconds. The first packets of a
 * charon that ended wait for nothing less.
 *
 * A table that is there all the time and dormant would be simpler; but libnftables 1.0.6, which is
 * Debian 12's, dies when it is to show one as JSON, in whatever program asks for that.
 */
#pragma once

#include "net/netlink.h"

/*
 * "ip sennit" or "ip6 sennit", by the family, in the place of one that may be there: port in host
 * byte order. nl is a socket of NETLINK_NETFILTER. 0 or a negative errno with e, then nothing
 * has changed.
 */
int esp_table_write(struct netlink *nl, uint8_t family, uint16_t port, struct sn_error *e);
