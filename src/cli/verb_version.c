/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 0, NULL);

	if (code == CLI_OK)
		puts("sennit " SENNIT_VERSION);
	return code;
}

const struct cli_verb verb_version = {
	"version",
	"",
	"Print the version of this tool.",
	"That of the daemon is in 'sennit status'.\n"
	"\n"
	"Example:\n"
	"  sennit version\n",
	run,
};
