/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `sennit`, the operator's tool: the table of verbs and the global options. */
#include "base/options.h"
#include "cli/cli.h"
#include "cli/verbs.h"

#define DEFAULT_CONFIG "/etc/sennit/sennit.json"

const struct cli_verb *const cli_verbs[] = {
	&verb_status,      &verb_peers,     &verb_attach, &verb_detach,
	&verb_attachments, &verb_plan,      &verb_down,   &verb_up,
	&verb_kick,        &verb_log_level, &verb_reload, &verb_accept_identity,
	&verb_doctor,      &verb_cleanup,   &verb_genkey, &verb_check,
	&verb_version,     &verb_help,      NULL,
};

/* The verb's own --help is the same everywhere, so it is looked for here. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && !streq(argv[i], "--"); i++)
		if (streq(argv[i], "--help") || streq(argv[i], "-h"))
			return true;
	return false;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
	int code;

	cli->verb = cli_find_verb(argv[0]);
	if (!cli->verb)
		return CLI_USAGE;
	if (wants_help(argc, argv)) {
		cli_print_help(stdout, cli->verb);
		return CLI_OK;
	}
	optind = 0; /* getopt(3) starts anew */
	code = cli->verb->run(cli, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(CLI_FAILED, "cannot write to standard output");
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct cli cli = { .config_path = DEFAULT_CONFIG };
	static char help[] = "help", version[] = "version";
	char *only[2] = { NULL, NULL };
	struct sn_error e;
	int c;

	/* "+": what follows the verb is the verb's */
	while ((c = options_next(argc, argv, "+:hV", options, &e)) != -1) {
		switch (c) {
		case 'c':
			cli.config_path = optarg;
			cli.config_given = true;
			break;
		case 's':
			cli.socket_path = optarg;
			break;
		case 'h':
		case 'v':
		case 'V':
			only[0] = c == 'h' ? help : version;
			return run_verb(&cli, 1, only);
		default:
			return cli_fail(CLI_USAGE, "%s ('sennit help' says how it is used)",
					e.text);
		}
	}
	if (optind < argc)
		return run_verb(&cli, argc - optind, argv + optind);
	only[0] = help;
	run_verb(&cli, 1, only);
	return CLI_USAGE;
}
