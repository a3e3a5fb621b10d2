/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"
#include "model/config.h"
#include "secret/secret.h"

#include <errno.h>

static int check_secret(const char *path)
{
	_cleanup_(secrets_freep) struct secrets *secrets = NULL;
	struct sn_error e;
	int r;

	secret_protect_process();
	r = secrets_load(path, &secrets, &e);
	if (r == -EACCES) {
		printf("%s: only root can check it\n", path);
		return CLI_OK;
	}
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	printf("%s: good, %zu secret%s\n", path, secrets_count(secrets),
	       secrets_count(secrets) == 1 ? "" : "s");
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int code = cli_simple_options(cli, argc, argv, 1, NULL);
	bool there = false;

	if (code != CLI_OK)
		return code;
	code = cli_read_config(cli, optind < argc ? argv[optind] : NULL, &config, &there);
	if (code != CLI_OK)
		return code;
	printf("%s: %s\n", optind < argc ? argv[optind] : cli->config_path,
	       there ? "good" : "is not there, so the defaults hold");
	return check_secret(config->secret_file);
}

const struct cli_verb verb_check = {
	"check",
	"[FILE]",
	"Check the configuration and the secret file it names.",
	"FILE is /etc/sennit/sennit.json, or what --config says. The SENNIT_* variables\n"
	"of the environment count, as they do for the daemon.\n"
	"\n"
	"Examples:\n"
	"  sennit check\n"
	"  sennit check /etc/sennit/sennit.json.new\n",
	run,
};
