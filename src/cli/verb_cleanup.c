/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"
#include "inspect/cleanup.h"
#include "model/config.h"

/* What was done is shown even when the end of it failed. */
static int clean(const struct cleanup_options *options)
{
	_cleanup_strbuf_ struct strbuf report = STRBUF_INIT;
	struct sn_error e = { 0 };
	int r = cleanup_run(options, &report, &e);

	fputs(strbuf_str(&report), stdout);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	if (!report.len)
		printf("nothing of sennit is on this host\n");
	else if (options->dry_run)
		printf("nothing was changed; without --dry-run all of that goes\n");
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	_cleanup_(config_freep) struct config *config = NULL;
	struct cleanup_options o = { 0 };
	bool there;
	int c;

	while ((c = cli_option(argc, argv, options)) != -1) {
		if (c == '?')
			return CLI_USAGE;
		o.dry_run |= c == 'n';
		o.force |= c == 'f';
	}
	if (optind < argc)
		return cli_usage(cli, "'%s' is one word too many", argv[optind]);
	if (cli_read_config(cli, NULL, &config, &there) != CLI_OK)
		return CLI_FAILED;
	o.config = config;
	return clean(&o);
}

const struct cli_verb verb_cleanup = {
	"cleanup",
	"[--dry-run] [--force]",
	"Take everything of sennit off this host.",
	"Tunnels, routes, links, tables and files go; stop sennitd first. Refuses while\n"
	"containers are attached; --force detaches them. Settings of the host go back to\n"
	"what they were if they are still ours; the guard goes last. --dry-run shows\n"
	"what would go. The configuration and the secret stay.\n"
	"\n"
	"Examples:\n"
	"  sennit cleanup --dry-run\n"
	"  systemctl disable --now sennitd sennit-charon && sennit cleanup\n",
	run,
};
