/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of legacy iptables, which nftables does not show: read by getsockopt
 * (linux/netfilter_ipv4/ip_tables.h). Only tables that are there: asking for one that
 * is not would make it.
 */
#pragma once

#include "base/array.h"
#include "base/error.h"

#define LEGACY_NAME_SIZE 32
#define LEGACY_MAX_TABLES 16
/* Of one table; a larger one is told as unreadable. */
#define LEGACY_MAX_BYTES (16u << 20)

struct legacy_table {
	char name[LEGACY_NAME_SIZE];
	unsigned rules;                  /* without the policies of its own chains */
	bool forward_drops, input_drops; /* the policy, or a rule at its end for everything */
	bool names_bridge;               /* a rule that accepts names our bridge */
	bool names_ports;                /* rules that accept name UDP 500 and 4500 */
	char owner[LEGACY_NAME_SIZE];    /* a chain's name that tells who made it; "" */
};

struct legacy_tables {
	ARRAY(struct legacy_table) t;
};

/* 0, or a negative errno with e. Tables that are as the kernel made them have no rules. */
int legacy_read(const char *bridge, struct legacy_tables *ret, struct sn_error *e);

struct ipt_getinfo;
/* Pure, for tests: the entries of IPT_SO_GET_ENTRIES. ret->name stays. 0, or -EBADMSG. */
int legacy_parse(const void *entries, size_t size, const unsigned *hook_entry,
		 const unsigned *underflow, unsigned valid_hooks, const char *bridge,
		 struct legacy_table *ret);
