/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: the stored form of a snapshot. */
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	struct sn_error e = { 0 };

	if (json_parse((const char *)data, size, &doc, &e) < 0)
		return 0;
	if (snapshot_from_json(doc, &s, &e) < 0)
		sn_require(!s && e.code < 0 && e.text[0] == '/');
	else
		check_snapshot(s);
	return 0;
}
