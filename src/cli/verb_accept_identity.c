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
	"Say that the new identity of this host is right.",
	"sennitd asks ('identity-changed' in 'sennit status') when its state is of\n"
	"another machine, or the configuration or the metadata say that this host is\n"
	"another one. Of another machine: it is that host from now on. Of other ids:\n"
	"charon and sennitd end, and the sennitd that is started next takes the new\n"
	"ones.\n"
	"\n"
	"Examples:\n"
	"  sennit status      # 'identity-changed' says who it was and who it would be\n"
	"  sennit accept-identity\n",
	run,
};
