/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `sennit`, the operator's tool: the table of verbs and the global options. */
#include "cli/cli.h"
#include "cli/verbs.h"

#define DEFAULT_CONFIG "/etc/sennit/sennit.json"

const struct cli_verb *const cli_verbs[] = {
	&verb_status,    &verb_peers,       &verb_attach,
	&verb_detach,    &verb_attachments, &verb_plan,
	&verb_down,      &verb_up,          &verb_kick,
	&verb_log_level, &verb_reload,      &verb_accept_identity,
	&verb_cleanup,   &verb_genkey,      &verb_check,
	&verb_version,   &verb_help,        NULL,
};

static const struct cli_verb *find_verb(const char *name)
{
	const struct cli_verb *const *v = cli_verbs;

	while (*v && !streq((*v)->name, name))
		v++;
	return *v;
}

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
	static char program[] = "sennit";
	int code;

	cli->verb = find_verb(argv[0]);
	if (!cli->verb)
		return cli_fail(CLI_USAGE, "there is no verb '%s'; 'sennit help' lists them",
				argv[0]);
	if (wants_help(argc, argv)) {
		cli_print_help(stdout, cli->verb);
		return CLI_OK;
	}
	/* getopt(3) begins its complaints with it; 0 makes it start anew */
	argv[0] = program;
	optind = 0;
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
	int c;

	/* "+": what follows the verb is the verb's */
	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
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
			return cli_fail(CLI_USAGE, "'sennit help' says how it is used");
		}
	}
	if (optind < argc)
		return run_verb(&cli, argc - optind, argv + optind);
	only[0] = help;
	run_verb(&cli, 1, only);
	return CLI_USAGE;
}
