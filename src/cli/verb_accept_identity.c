/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 0, NULL);

	if (code != CLI_OK)
		return code;
	return cli_call_and_say(cli, "accept-identity", NULL, "accepted");
}

const struct cli_verb verb_accept_identity = {
	"accept-identity",
	"",
	"Say that the new identity of this host, which sennitd asks about, is right.",
	"sennitd asks ('identity-changed' in 'sennit status') when its state is of another\n"
	"machine, or the configuration or the metadata say that this host is another one.\n"
	"Of another machine: it is that host from now on. Of other ids: charon and sennitd end,\n"
	"and the sennitd that is started next takes the new ones.\n",
	run,
};
