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
		cli_print_json(json_object_get(status, "peers"));
	} else {
		/* SPIs are there to be compared: never cut */
		face.width = 0;
		render_peers(status, &face, &b);
		fputs(strbuf_str(&b), stdout);
	}
	return CLI_OK;
}

const struct cli_verb verb_peers = {
	"peers",
	"[--json]",
	"Show each peer's tunnel: SPIs, ages, bytes, who owns the pair.",
	"The SPIs of the ESP SAs are crossed on the other end: our IN is its OUT. The\n"
	"lines are as long as they must be.\n"
	"\n"
	"Examples:\n"
	"  sennit peers | less -S\n"
	"  sennit peers --json\n",
	run,
};
