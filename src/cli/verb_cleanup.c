/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that goes is shown before anything does. At a terminal the operator is then asked;
 * a script is not, and gets what it asked for.
 */
#include "cli/verbs.h"
#include "inspect/cleanup.h"
#include "model/config.h"

struct arguments {
	bool dry_run, yes;
	struct cleanup_options cleanup;
};

static bool agreed(const struct arguments *a)
{
	char answer[8];

	if (a->yes || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return true;
	printf("Remove all of that? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void show(const struct cleanup *c)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, b = STRBUF_INIT;

	cleanup_add_plan(c, &text);
	if (cleanup_is_empty(c))
		strbuf_adds(&text, "nothing of sennit is on this host\n");
	cleanup_add_rest(c, &text);
	face_add_lines(&b, strbuf_str(&text));
	puts(strbuf_str(&b));
}

static int clean(const struct arguments *a)
{
	_cleanup_(cleanup_freep) struct cleanup *c = NULL;
	struct sn_error e = { 0 };
	bool busy;

	if (cleanup_find(&a->cleanup, &c, &e) < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	show(c);
	busy = cleanup_check(c, &e) < 0;
	if (a->dry_run && !cleanup_is_empty(c))
		printf("nothing was changed; without --dry-run all of that goes%s%s\n",
		       busy ? ", but not yet: " : "", busy ? e.text : "");
	if (a->dry_run)
		return CLI_OK;
	if (busy)
		return cli_fail(CLI_FAILED, "%s", e.text);
	if (cleanup_is_empty(c))
		return CLI_OK;
	if (!agreed(a))
		return cli_fail(CLI_FAILED, "nothing was changed");
	fflush(stdout);
	if (cleanup_remove(c, &e) < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	printf("all of that is gone\n");
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },
		{ "yes", no_argument, NULL, 'y' },
		{ 0 },
	};
	_cleanup_(config_freep) struct config *config = NULL;
	struct arguments a = { .cleanup.config_path = cli->config_path };
	bool there;
	int c;

	while ((c = cli_option(argc, argv, options)) != -1) {
		if (c == '?')
			return CLI_USAGE;
		a.dry_run |= c == 'n';
		a.cleanup.force |= c == 'f';
		a.yes |= c == 'y';
	}
	if (optind < argc)
		return cli_usage(cli, "'%s' is one word too many", argv[optind]);
	if (cli_read_config(cli, NULL, &config, &there) != CLI_OK)
		return CLI_FAILED;
	a.cleanup.config = config;
	return clean(&a);
}

const struct cli_verb verb_cleanup = {
	"cleanup",
	"[--dry-run] [--force] [--yes]",
	"Take everything of sennit off this host.",
	"Tunnels, routes, links, tables and files go, of whatever mesh; settings of the\n"
	"host go back to what they were if they are still ours; the guard goes last. All\n"
	"of it is shown first, with what is left alone and why. The configuration and\n"
	"the secret stay. Refuses while sennitd runs or containers are attached.\n"
	"  --dry-run  only show it\n"
	"  --force    detach the containers first\n"
	"  --yes      do not ask; nobody is asked but at a terminal\n"
	"\n"
	"Examples:\n"
	"  sennit cleanup --dry-run\n"
	"  systemctl disable --now sennitd sennit-charon && sennit cleanup\n",
	run,
};
