/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process of ours that was killed leaves in the kernel, and no observation
 * shows, because the process itself takes it away as long as it lives:
 *
 *	charon		the rules that lead to its table, SAs and policies (of the kernel's ESP)
 *	sennit-metadata	its address on lo
 *
 * And what only looks as if it were ours, with the reason why it is not. For cleanup.
 */
#pragma once

#include "net/link.h"

/* Of the label by which sennit-metadata knows the address it has put on lo. */
#define REMAINS_METADATA_LABEL "lo:sennit"
/* More are counted, but not kept; a mesh of 500 hosts has some 2,000 SAs and 3,000 policies. */
#define REMAINS_MAX 16384

enum remain_kind {
	REMAIN_RULE,
	REMAIN_SA,
	REMAIN_POLICY,
	REMAIN_ADDRESS,
	REMAIN_LINK,
	REMAIN_TABLE
};

struct remain {
	enum remain_kind kind;
	bool ours;
	char *text;                    /* "rule fwmark 0x7777 lookup 220 (ip6)" */
	const char *why;               /* when it is not ours: why; static */
	struct nlmsghdr *delete_order; /* of the kind's bus; NULL when it is not ours */
};

struct remains {
	ARRAY(struct remain) r;
};

/*
 * Reads them all; changes nothing. SAs and policies are ours by the if_id of an XFRM
 * interface of ours, so they are to be read while those are there. -EAGAIN when the kernel
 * changed at each try, another negative errno with e.
 */
int remains_read(struct remains *ret, struct sn_error *e);
void remains_fini(struct remains *r);
/* Deletes one that is ours. 0, also when it is gone, or a negative errno with e. */
int remain_delete(const struct remain *r, struct sn_error *e);
