/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: the arguments of sennit-metadata, one a line. */
#include "arguments.h"

#include "base/strbuf.h"

#include <stdio.h>

#define MAX_ARGS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct arguments *o)
{
	bool service = false;

	sn_require(o->mesh);
	array_foreach(&o->listen, l) {
		sn_require(l->port > 0 && sn_addr_is_set(&l->addr));
		service |= !l->reload;
	}
	sn_require(service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	char *argv[MAX_ARGS + 2] = { (char[]){ "sennit-metadata" } };
	struct arguments o;
	int argc = 1, r;

	for (char *rest = text, *arg; argc <= MAX_ARGS && (arg = strsep(&rest, "\n"));)
		argv[argc++] = arg;
	r = arguments_parse(argc, argv, &o);
	if (r == ARGUMENTS_RUN)
		check(&o);
	arguments_fini(&o);
	return 0;
}
