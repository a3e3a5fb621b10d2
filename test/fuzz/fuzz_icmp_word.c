/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: what a raw ICMP socket gives, read as IPv4's and as IPv6's; and the judge has words. */
#include "probe/icmp_word.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, const struct icmp_word *w, uint8_t family, uint8_t type)
{
	struct ike_evidence e = { .target = w->target, .sent = 1, .refusal = w->refusal };
	struct ike_judgement j;

	sn_require(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	sn_require(w->source.addr.family == family);
	sn_require(w->target.addr.family == family && w->refusal.offender.family == family);
	sn_require(w->refusal.icmp && w->refusal.error && w->refusal.type == type);
	ike_judge(&e, &j);
	sn_require(j.summary[0] && j.verdict != IKE_ANSWERED && j.verdict != IKE_SILENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sn_addr sender = { .family = AF_INET6, .bytes = { 0x20, 0x01 } };
	struct icmp_word w = { 0 };

	check(icmp_word_parse_v4(data, size, &w), &w, AF_INET, 3);
	check(icmp_word_parse_v6(data, size, &sender, &w), &w, AF_INET6, 1);
	return 0;
}
