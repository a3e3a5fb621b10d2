/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"

struct arguments {
	struct cli_interface interface;
	const char *id;
};

static int read_arguments(const struct cli *cli, int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		CLI_INTERFACE_OPTIONS,
		{ "id", required_argument, NULL, 'd' },
		{ 0 },
	};
	int c;

	while ((c = cli_option(argc, argv, options)) != -1) {
		switch (c) {
		case 'd':
			a->id = optarg;
			break;
		default:
			if (!cli_interface_option(c, &a->interface))
				return CLI_USAGE;
		}
	}
	if (optind < argc)
		return cli_usage(cli, "'%s' is one word too many", argv[optind]);
	if (!!a->interface.netns + !!a->interface.pid + !!a->id != 1)
		return cli_usage(cli, "say which attachment: one of --netns, --pid and --id");
	if (a->id && a->interface.name)
		return cli_usage(cli, "--id names the interface already: leave --ifname out");
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	_cleanup_json_ json_t *result = NULL;
	_cleanup_close_ int fd = -1;
	struct arguments a = { 0 };
	json_t *args;
	int code = read_arguments(cli, argc, argv, &a);

	if (code != CLI_OK)
		return code;
	if (!a.id) {
		fd = cli_open_netns(&a.interface);
		if (fd < 0)
			return CLI_FAILED;
		args = json_pack("{s:s}", "ifname", a.interface.name ? a.interface.name : "eth0");
	} else {
		args = json_pack("{s:s}", "id", a.id);
	}
	code = cli_call(cli, "detach", args, fd, &result);
	if (code == CLI_OK)
		puts(json_is_false(json_object_get(result, "detached")) ? "it was not attached"
									: "detached");
	return code;
}

const struct cli_verb verb_detach = {
	"detach",
	"((--netns PATH | --pid PID) [--ifname eth0] | --id ID)",
	"Take an interface out of the overlay again.",
	"Its address rests until all others had their turn. --id is for namespaces that\n"
	"cannot be reached any more; 'sennit attachments' shows it.\n"
	"\n"
	"Examples:\n"
	"  sennit detach --netns /run/netns/web\n"
	"  sennit detach --id 0123456789abcdef\n",
	run,
};
