/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/render.h"
#include "cli/verbs.h"

struct arguments {
	struct cli_interface interface;
	const char *ip[SN_FAMILIES], *label;
	bool json;
};

/* One for each family; the daemon sees whether they are. */
static int take_ip(const struct cli *cli, struct arguments *a)
{
	if (a->ip[SN_FAMILIES - 1])
		return cli_usage(cli, "--ip is for one address of IPv4 and one of IPv6");
	a->ip[a->ip[0] ? 1 : 0] = optarg;
	return CLI_OK;
}

/* Both as a list, one as it is; NULL for none. */
static json_t *wanted_ip(const struct arguments *a)
{
	if (a->ip[1])
		return json_pack("[s, s]", a->ip[0], a->ip[1]);
	return a->ip[0] ? json_string(a->ip[0]) : NULL;
}

static int read_arguments(const struct cli *cli, int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		CLI_INTERFACE_OPTIONS,
		{ "ip", required_argument, NULL, 'a' },
		{ "label", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int c;

	while ((c = cli_option(argc, argv, options)) != -1) {
		switch (c) {
		case 'a':
			if (take_ip(cli, a) != CLI_OK)
				return CLI_USAGE;
			break;
		case 'l':
			a->label = optarg;
			break;
		case 'j':
			a->json = true;
			break;
		default:
			if (!cli_interface_option(c, &a->interface))
				return CLI_USAGE;
		}
	}
	if (optind < argc)
		return cli_usage(cli, "'%s' is one word too many", argv[optind]);
	if (!a->interface.netns == !a->interface.pid)
		return cli_usage(cli, "say which namespace: either --netns or --pid");
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	struct arguments a = { .interface.name = "eth0" };
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_json_ json_t *result = NULL;
	_cleanup_close_ int fd = -1;
	struct face face = cli_face();
	int code = read_arguments(cli, argc, argv, &a);

	if (code != CLI_OK)
		return code;
	fd = cli_open_netns(&a.interface);
	if (fd < 0)
		return CLI_FAILED;
	code = cli_call(cli, "attach",
			json_pack("{s:s, s:o*, s:s*}", "ifname", a.interface.name, "ip",
				  wanted_ip(&a), "label", a.label),
			fd, &result);
	if (code != CLI_OK)
		return code;
	if (a.json) {
		cli_print_json(result);
	} else {
		render_attached(result, &face, &b);
		fputs(strbuf_str(&b), stdout);
	}
	return CLI_OK;
}

const struct cli_verb verb_attach = {
	"attach",
	"(--netns PATH | --pid PID) [--ifname eth0] [--ip A] [--label TEXT] [--json]",
	"Give a network namespace an interface in the overlay.",
	"Doing it again changes nothing. Without --ip it gets the host's next free\n"
	"address, of IPv4 and IPv6 where the host has both.\n"
	"  --netns PATH   the namespace, like /run/netns/web\n"
	"  --pid PID      the namespace of this process\n"
	"  --ifname NAME  the interface's name in there, eth0\n"
	"  --ip ADDRESS   this address of the host's subnet; once for each family\n"
	"  --label TEXT   a name for 'sennit attachments'\n"
	"  --json         print what was made as JSON\n"
	"\n"
	"Examples:\n"
	"  sennit attach --netns /run/netns/web --label web\n"
	"  sennit attach --pid 4242 --ip 10.42.1.7\n",
	run,
};
