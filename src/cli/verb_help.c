/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of all verbs has to fit a terminal of 80 columns and 24 rows, prompt and all. */
#include "cli/verbs.h"

static void print_all(void)
{
	puts("usage: sennit [--config FILE] [--socket PATH] VERB ...");
	for (const struct cli_verb *const *v = cli_verbs; *v; v++)
		printf("  %-15s %s\n", (*v)->name, (*v)->summary);
	puts("--config FILE, of the daemon: /etc/sennit/sennit.json; --socket PATH, its socket\n"
	     "Examples: sennit status; sennit attach --pid 4242; sennit help attach\n"
	     "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 sennitd does not run, 4 unhealthy");
}

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 1, NULL);
	const struct cli_verb *verb;

	if (code != CLI_OK)
		return code;
	if (optind == argc) {
		print_all();
		return CLI_OK;
	}
	verb = cli_find_verb(argv[optind]);
	if (!verb)
		return CLI_USAGE;
	cli_print_help(stdout, verb);
	return CLI_OK;
}

const struct cli_verb verb_help = {
	"help",
	"[VERB]",
	"List the verbs, or explain one.",
	"'sennit VERB --help' does the same.\n"
	"\n"
	"Examples:\n"
	"  sennit help\n"
	"  sennit help attach\n",
	run,
};
