/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that leads ESP in UDP to the sockets that stand in for charon's
 * (net/esp_socket.h), while there is no charon. Private to the module and to who has to be
 * quick.
 *
 * `tproxy` gives the packet a socket and changes nothing of it; where no such socket is, the
 * rule does not apply and the packet goes to port 4500 as ever. So a table that
 * is still there when charon is back, or when sennitd has died too, takes nothing away.
 */
#pragma once

#include "plan/object.h"

/* Adds "ip sennit", and "ip6 sennit" where this host has an IPv6 underlay; nothing without ports.
 */
void stand_in_add_tables(const struct intent *intent, struct object_set *set);
