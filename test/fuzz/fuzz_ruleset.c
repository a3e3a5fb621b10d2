/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: what `nft -j list ruleset` prints. Each harm names a place and a cause. */
#include "inspect/ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *v = NULL;
	struct ruleset_question q = { .bridge = "snbr0" };
	struct ruleset_hits hits = { .h = { 0 } };
	struct sn_prefix_pair overlay = { 0 };
	const char *name = NULL;
	struct sn_error e;

	if (json_parse((const char *)data, size, &v, &e) < 0)
		return 0;
	sn_require(sn_prefix_parse("10.42.0.0/16", &overlay.of[0]) == 0);
	if (size % 2)
		q.overlay = &overlay;
	ruleset_judge(v, &q, &hits);
	array_foreach(&hits.h, h) {
		sn_require(h->where && h->harm <= RULESET_PORT_DROPPED);
		sn_require(h->port == 0 || h->port == 500 || h->port == 4500);
	}
	ruleset_hits_fini(&hits);
	if (ruleset_has_prefix(v, "CATTLE_", &name))
		sn_require(sn_startswith(name, "CATTLE_"));
	return 0;
}
