/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

static int show(const struct cli *cli)
{
	_cleanup_json_ json_t *status = NULL;
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	const char *level;
	int code = cli_call(cli, "status", NULL, -1, &status);

	if (code != CLI_OK)
		return code;
	level = json_string_value(json_object_get(json_object_get(status, "log"), "level"));
	if (!level)
		return cli_fail(CLI_FAILED, "this sennitd is older than sennit and does not tell "
					    "its log level; restart it");
	face_add_lines(&b, level);
	puts(strbuf_str(&b));
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 1, NULL);

	if (code != CLI_OK)
		return code;
	if (optind == argc)
		return show(cli);
	/* the daemon knows which levels there are, and says so */
	return cli_call_and_say(cli, "log-level", json_pack("{s:s}", "level", argv[optind]),
				"done");
}

const struct cli_verb verb_log_level = {
	"log-level",
	"[LEVEL]",
	"Show or change how much the daemon logs.",
	"LEVEL is error, warning, notice, info or debug. It lasts until sennitd is\n"
	"restarted; log.level of the configuration is what it starts with.\n"
	"\n"
	"Examples:\n"
	"  sennit log-level\n"
	"  sennit log-level debug\n",
	run,
};
