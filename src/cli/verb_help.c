/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static void print_all(void)
{
	puts("usage: sennit [--config FILE] [--socket PATH] VERB ...\n");
	for (const struct cli_verb *const *v = cli_verbs; *v; v++)
		printf("  %-15s %s\n", (*v)->name, (*v)->summary);
	puts("\n"
	     "  --config FILE  the daemon's configuration, /etc/sennit/sennit.json: says where "
	     "its\n"
	     "                 socket is\n"
	     "  --socket PATH  the daemon's control socket\n"
	     "\n"
	     "'sennit help VERB' says more. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the\n"
	     "daemon does not run, 4 (status) this host is not healthy.");
}

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 1, NULL);

	if (code != CLI_OK)
		return code;
	if (optind == argc) {
		print_all();
		return CLI_OK;
	}
	for (const struct cli_verb *const *v = cli_verbs; *v; v++) {
		if (streq((*v)->name, argv[optind])) {
			cli_print_help(stdout, *v);
			return CLI_OK;
		}
	}
	return cli_fail(CLI_USAGE, "there is no verb '%s'; 'sennit help' lists them", argv[optind]);
}

const struct cli_verb verb_help = {
	"help", "[VERB]", "List the verbs, or explain one.", "", run,
};
