/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"
#include "cli/verbs.h"
#include "model/config.h"
#include "secret/secret.h"

#include <errno.h>

#define CONFIG_MAX_BYTES (1u << 20)

static int check_config(const struct cli *cli, const char *path, struct config **ret)
{
	_cleanup_free_ char *text = NULL;
	struct sn_error e;
	size_t len = 0;
	int r = file_read(path, CONFIG_MAX_BYTES, &text, &len);
	bool may_be_missing = path == cli->config_path && !cli->config_given;

	if (r < 0 && !(r == -ENOENT && may_be_missing))
		return cli_fail(CLI_FAILED, "cannot read %s: %s", path, sn_strerror(r));
	if (config_parse(path, text, len, environ, ret, &e) < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	printf("%s: %s\n", path, text ? "good" : "is not there, so the defaults hold");
	return CLI_OK;
}

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

	if (code == CLI_OK)
		code = check_config(cli, optind < argc ? argv[optind] : cli->config_path, &config);
	return code == CLI_OK ? check_secret(config->secret_file) : code;
}

const struct cli_verb verb_check = {
	"check",
	"[FILE]",
	"Check the configuration and the secret file it names.",
	"FILE is /etc/sennit/sennit.json, or what --config says. The SENNIT_* variables of the\n"
	"environment count, as they do for the daemon.\n",
	run,
};
