/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: resolv.conf, or what /proc/net/route and ipv6_route say. */
#include "metadata/look_around.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *, struct surroundings *) = {
		look_around_resolv_conf, look_around_route, look_around_ipv6_route
	};
	_cleanup_free_ char *text = xstrndup((const char *)data, size);

	for (size_t i = 0; i < SN_ARRAY_SIZE(parsers); i++) {
		struct surroundings around = { 0 };

		parsers[i](text, &around);
		for (size_t j = 0; j < around.n; j++)
			sn_require(sn_addr_is_set(&around.v[j].addr) &&
				   around.n <= SURROUNDINGS_MAX);
	}
	return 0;
}
