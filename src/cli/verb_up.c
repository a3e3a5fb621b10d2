/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 0, NULL);

	if (code != CLI_OK)
		return code;
	return cli_call_and_say(cli, "up", NULL,
				"the tunnels are being built ('sennit status' shows them)");
}

const struct cli_verb verb_up = {
	"up",
	"",
	"Build the tunnels again after 'sennit down'.",
	"Example:\n"
	"  sennit up && sennit status\n",
	run,
};
