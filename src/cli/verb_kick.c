/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 1, NULL);

	if (code != CLI_OK)
		return code;
	if (optind == argc)
		return cli_usage(cli, "which peer?");
	return cli_call_and_say(cli, "kick", json_pack("{s:s}", "peer", argv[optind]),
				"it is asked for a tunnel now, if none stands");
}

const struct cli_verb verb_kick = {
	"kick",
	"PEER",
	"Ask one peer for a tunnel now, without waiting for its turn.",
	"PEER is its id or its name, as 'sennit status' shows them.\n"
	"\n"
	"Example:\n"
	"  sennit kick h2\n",
	run,
};
