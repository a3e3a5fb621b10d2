/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: two offsets of a byte each (in units of 8: where FORWARD and INPUT
 * begin, and their policies), and the entries of a table of legacy iptables.
 */
#include "inspect/legacy.h"

#include <errno.h>
#include <linux/netfilter.h>

#define HEAD 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned entry[NF_INET_NUMHOOKS] = { 0 }, underflow[NF_INET_NUMHOOKS] = { 0 };
	struct legacy_table t = { .name = "filter" };
	_cleanup_free_ void *entries = NULL;
	int r;

	if (size < HEAD)
		return 0;
	entry[NF_INET_LOCAL_IN] = 8u * data[0];
	underflow[NF_INET_LOCAL_IN] = 8u * data[1];
	entry[NF_INET_FORWARD] = 8u * data[2];
	underflow[NF_INET_FORWARD] = 8u * data[3];
	/* aligned, as from getsockopt(2) */
	entries = xmalloc(size);
	memcpy(entries, data + HEAD, size - HEAD);
	r = legacy_parse(entries, size - HEAD, entry, underflow,
			 1u << NF_INET_LOCAL_IN | 1u << NF_INET_FORWARD, "snbr0", &t);
	sn_require(r == 0 || r == -EBADMSG);
	sn_require(memchr(t.owner, '\0', sizeof(t.owner)) && streq(t.name, "filter"));
	return 0;
}
