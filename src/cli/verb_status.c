/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/render.h"
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_json_ json_t *status = NULL;
	struct face face = cli_face();
	bool json = false;
	int code = cli_ask_status(cli, argc, argv, &json, &status);

	if (code != CLI_OK)
		return code;
	if (json) {
		cli_print_json(status);
	} else {
		render_status(status, &face, &b);
		fputs(strbuf_str(&b), stdout);
	}
	return render_flag(status, "healthy") ? CLI_OK : CLI_UNHEALTHY;
}

const struct cli_verb verb_status = {
	"status",
	"[--json]",
	"Show this host and its peers, what is wrong first.",
	"A peer's state is up, degraded, connecting or down; below one that is not up\n"
	"stand the evidence and the next step. Exit code 4: this host itself is not\n"
	"healthy (a sick peer does not count), else see 'sennit help'.\n"
	"\n"
	"Examples:\n"
	"  sennit status\n"
	"  sennit status --json | jq .healthy\n",
	run,
};
