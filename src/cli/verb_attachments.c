/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/render.h"
#include "cli/verbs.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_json_ json_t *list = NULL;
	struct face face = cli_face();
	bool json = false;
	int code = cli_simple_options(cli, argc, argv, 0, &json);

	if (code == CLI_OK)
		code = cli_call(cli, "attachments", NULL, -1, &list);
	if (code != CLI_OK)
		return code;
	if (json) {
		cli_print_json(list);
	} else {
		render_attachments(list, &face, &b);
		fputs(strbuf_str(&b), stdout);
	}
	return CLI_OK;
}

const struct cli_verb verb_attachments = {
	"attachments",
	"[--json]",
	"List the containers that are attached to this host.",
	"Each with its id, address, interface and label.\n"
	"\n"
	"Example:\n"
	"  sennit attachments\n",
	run,
};
