/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 0, NULL);

	if (code != CLI_OK)
		return code;
	return cli_call_and_say(
		cli, "down", NULL,
		"the tunnels are ended; the guard stays, so nothing leaves in clear "
		"('sennit up' builds them again)");
}

const struct cli_verb verb_down = {
	"down",
	"",
	"End all tunnels of this host and keep the guard.",
	"The daemon and the containers' interfaces stay; 'sennit up' builds the tunnels\n"
	"again.\n"
	"\n"
	"Example:\n"
	"  sennit down\n",
	run,
};
