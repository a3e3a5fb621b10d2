/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/render.h"
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_json_ json_t *plan = NULL;
	struct face face = cli_face();
	bool json = false;
	int code = cli_simple_options(cli, argc, argv, 0, &json);

	if (code == CLI_OK)
		code = cli_call(cli, "plan", NULL, -1, &plan);
	if (code != CLI_OK)
		return code;
	if (json) {
		cli_print_json(plan);
	} else {
		render_plan(plan, &face, &b);
		fputs(strbuf_str(&b), stdout);
	}
	return CLI_OK;
}

const struct cli_verb verb_plan = {
	"plan",
	"[--json]",
	"Show what the running daemon would change now.",
	"Nothing is changed. On a host that is as it should be the plan is empty. What a\n"
	"daemon that does not run would do is shown by 'sennitd --dry-run'.\n"
	"\n"
	"Example:\n"
	"  sennit plan\n",
	run,
};
