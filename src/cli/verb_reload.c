/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 0, NULL);

	if (code != CLI_OK)
		return code;
	return cli_call_and_say(cli, "reload", NULL, "read again");
}

const struct cli_verb verb_reload = {
	"reload",
	"",
	"Have sennitd read its configuration and its secrets again.",
	"Says of each key that differs whether it holds from now on or takes a restart.\n"
	"When a file is wrong nothing changes. SIGHUP does the same, and tells only the\n"
	"log.\n"
	"\n"
	"Example:\n"
	"  sennit check && sennit reload\n",
	run,
};
