/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As plan/guard.c: exactly as `nft -s list table` prints it. A family of its own each, so
 * that the guard, which is of the family inet, never waits for what not every kernel has
 * (nft_tproxy).
 *
 * Behind UDP's header ESP has its SPI and IKE four zeros (RFC 3948): IKE is left alone.
 * `fib`: a packet that this host passes on for others would be dropped with a socket.
 */
#include "plan/stand_in.h"

#include <stdio.h>

static bool has_underlay(const struct intent *intent, uint8_t family)
{
	const struct host *self = snapshot_self(intent->snapshot);

	array_foreach(&self->underlay, addr)
		if (addr->family == family)
			return true;
	return intent->config->underlay_address.family == family;
}

static void add_table(const char *family, const char *loopback, uint16_t port,
		      struct object_set *set)
{
	struct object_nft *t = &object_set_add(set, OBJECT_NFT)->nft;

	snprintf(t->family, sizeof(t->family), "%s", family);
	snprintf(t->name, sizeof(t->name), "sennit");
	t->text = xasprintf("table %s sennit {\n"
			    "\tchain prerouting {\n"
			    "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
			    "\t\tudp dport 4500 @th,64,32 != 0x0 fib daddr type local "
			    "tproxy to %s:%u\n"
			    "\t}\n"
			    "}\n",
			    family, loopback, port);
}

void stand_in_add_tables(const struct intent *intent, struct object_set *set)
{
	const struct intent_stand_in *s = &intent->stand_in;

	if (s->port && has_underlay(intent, AF_INET))
		add_table("ip", "127.0.0.1", s->port, set);
	if (s->port6 && has_underlay(intent, AF_INET6))
		add_table("ip6", "[::1]", s->port6, set);
}
