/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What answers a probe: no input may hurt the reader, its texts end and hold
 * nothing that a terminal would obey, and the judge has words for it.
 */
#include "probe/ike_verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	sn_require(len < size);
	for (size_t i = 0; i < len; i++)
		sn_require(text[i] >= ' ' && text[i] <= '~');
}

static void check_answer(const struct ike_answer *a)
{
	struct ike_evidence e = { .sent = 1, .answers = 1, .answer = *a };
	struct ike_judgement j;

	sn_require(a->kind != IKE_ANSWER_NONE);
	sn_require((a->version != 0) == (a->kind >= IKE_ANSWER_V1));
	sn_require(a->kind != IKE_ANSWER_NOTIFY || a->notify != 0);
	sn_require(a->kind != IKE_ANSWER_INIT || a->proposal[0]);
	check_text(a->proposal, sizeof(a->proposal));
	check_text(a->vendor, sizeof(a->vendor));
	ike_judge(&e, &j);
	sn_require(j.verdict == (a->kind >= IKE_ANSWER_V1 ? IKE_ANSWERED : IKE_OTHER));
	check_text(j.summary, sizeof(j.summary));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t spi[IKE_SPI_SIZE] = "ABCDEFGH";
	uint8_t sent[IKE_PROBE_MAX];
	struct ike_answer a;

	for (int marker = 0; marker < 2; marker++) {
		size_t len = ike_probe_write(spi, marker, 0, sent);

		ike_answer_parse(data, size, sent, len, &a);
		check_answer(&a);
	}
	return 0;
}
