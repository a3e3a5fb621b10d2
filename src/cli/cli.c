/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "base/file.h"
#include "base/nearest.h"
#include "base/options.h"
#include "ctl/ctl.h"
#include "model/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#define CALL_TIMEOUT_MS 15000
#define DEFAULT_WIDTH 100
#define MIN_WIDTH 60
#define HELP_WIDTH 80

/* --- complaints --------------------------------------------------------------- */

static void SN_PRINTF(1, 0) complain(const char *fmt, va_list ap)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	strbuf_adds(&b, "sennit: ");
	strbuf_add_escaped(&b, text ? text : "out of memory");
	fprintf(stderr, "%s\n", strbuf_str(&b));
}

int cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return code;
}

/* "usage: sennit NAME …" in lines that a terminal of 80 columns holds. */
static void print_usage(FILE *out, const struct cli_verb *verb)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	size_t indent, column;
	const char *p = verb->usage;

	strbuf_addf(&b, "usage: sennit %s", verb->name);
	indent = column = b.len;
	while (*p) {
		/* "--netns PATH" is not parted, nor is what stands in one pair of brackets */
		size_t n = strcspn(p, *p == '[' ? "]" : " ");

		n += *p == '[' && p[n];
		if (column + 1 + n > HELP_WIDTH) {
			strbuf_addf(&b, "\n%*s", (int)indent, "");
			column = indent;
		}
		strbuf_addf(&b, " %.*s", (int)n, p);
		column += 1 + n;
		p += n;
		p += strspn(p, " ");
	}
	fprintf(out, "%s\n", strbuf_str(&b));
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	print_usage(stderr, cli->verb);
	return CLI_USAGE;
}

void cli_print_help(FILE *out, const struct cli_verb *verb)
{
	print_usage(out, verb);
	fprintf(out, "\n%s\n", verb->summary);
	if (*verb->help)
		fprintf(out, "\n%s", verb->help);
}

/* --- verbs -------------------------------------------------------------------- */

const struct cli_verb *cli_find_verb(const char *name)
{
	struct nearest near = { .word = name };

	for (const struct cli_verb *const *v = cli_verbs; *v; v++) {
		if (streq((*v)->name, name))
			return *v;
		nearest_offer(&near, (*v)->name);
	}
	cli_fail(CLI_USAGE, "there is no verb '%s'%s%s", name, NEAREST_HINT(&near),
		 near.best ? "" : "; 'sennit help' lists them");
	return NULL;
}

/* --- options ------------------------------------------------------------------ */

int cli_option(int argc, char **argv, const struct option *options)
{
	struct sn_error e;
	int c = options_next(argc, argv, ":", options, &e);

	if (c == '?')
		cli_usage(&(struct cli){ .verb = cli_find_verb(argv[0]) }, "%s: %s", argv[0],
			  e.text);
	return c;
}

int cli_simple_options(const struct cli *cli, int argc, char **argv, int max_operands,
		       bool *ret_json)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	int c;

	while ((c = cli_option(argc, argv, ret_json ? options : options + 1)) != -1) {
		if (c != 'j')
			return CLI_USAGE;
		*ret_json = true;
	}
	if (argc - optind > max_operands)
		return cli_usage(cli, "'%s' is one word too many", argv[optind + max_operands]);
	return CLI_OK;
}

bool cli_interface_option(int c, struct cli_interface *i)
{
	switch (c) {
	case 'n':
		i->netns = optarg;
		return true;
	case 'p':
		i->pid = optarg;
		return true;
	case 'i':
		i->name = optarg;
		return true;
	default:
		return false;
	}
}

int cli_open_netns(const struct cli_interface *i)
{
	const char *path = i->netns, *pid = i->pid;
	_cleanup_free_ char *of_pid = NULL;
	int fd;

	if (pid) {
		if (!*pid || strspn(pid, "0123456789") != strlen(pid)) {
			cli_fail(CLI_USAGE,
				 "--pid '%s' is no process id: it is a number, like 4242", pid);
			return -1;
		}
		of_pid = xasprintf("/proc/%s/ns/net", pid);
		path = of_pid;
	}
	/* O_NONBLOCK: somebody's FIFO must not hold us */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && pid && errno == ENOENT)
		cli_fail(CLI_FAILED,
			 "there is no process %s; 'lsns -t net' lists those that have a network "
			 "namespace",
			 pid);
	else if (fd < 0)
		cli_fail(CLI_FAILED,
			 "cannot open the network namespace %s: %s; --netns takes a path like "
			 "/run/netns/web, or use --pid",
			 path, sn_strerror(-errno));
	return fd;
}

/* --- asking ------------------------------------------------------------------- */

int cli_read_config(const struct cli *cli, const char *path, struct config **ret, bool *ret_there)
{
	const char *file = path ? path : cli->config_path;
	_cleanup_free_ char *text = NULL;
	struct sn_error e;
	size_t len = 0;
	int r = file_read(file, CONFIG_MAX_BYTES, &text, &len);

	if (r < 0 && (r != -ENOENT || path || cli->config_given))
		return cli_fail(CLI_FAILED, "cannot read %s: %s", file, sn_strerror(r));
	if (config_parse(file, text, len, environ, ret, &e) < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	*ret_there = r == 0;
	return CLI_OK;
}

/*
 * Only run_dir is wanted of the configuration. A broken one is said but does
 * not keep an operator from asking the daemon, which runs with the old one.
 */
static char *find_run_dir(const struct cli *cli)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *text = NULL;
	struct sn_error e = { 0 };
	size_t len = 0;
	int r = file_read(cli->config_path, CONFIG_MAX_BYTES, &text, &len);

	if (r < 0 && (r != -ENOENT || cli->config_given))
		cli_fail(0, "warning: cannot read %s: %s", cli->config_path, sn_strerror(r));
	if (config_parse(cli->config_path, text, len, environ, &config, &e) < 0) {
		cli_fail(0, "warning: %s; 'sennit check' says more", e.text);
		config = config_new();
	}
	return xstrdup(config->run_dir);
}

int cli_call(const struct cli *cli, const char *verb, json_t *args, int fd, json_t **ret)
{
	_cleanup_json_ json_t *owned = args;
	_cleanup_free_ char *run_dir = NULL, *by_run_dir = NULL;
	const char *path = cli->socket_path;
	struct sn_error e;
	bool reached;
	int r;

	if (!path) {
		run_dir = find_run_dir(cli);
		path = by_run_dir = xasprintf("%s/control.sock", run_dir);
	}
	r = ctl_call_reached(path, verb, owned, fd, CALL_TIMEOUT_MS, ret, &reached, &e);
	if (r == 0)
		return CLI_OK;
	if (!reached && (r == -ENOENT || r == -ECONNREFUSED))
		return cli_fail(CLI_NO_DAEMON, "%s", e.text);
	return cli_fail(CLI_FAILED, "%s", e.text);
}

int cli_call_and_say(const struct cli *cli, const char *verb, json_t *args, const char *otherwise)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_json_ json_t *result = NULL;
	const char *text;
	int code = cli_call(cli, verb, args, -1, &result);

	if (code != CLI_OK)
		return code;
	text = json_string_value(json_object_get(result, "text"));
	face_add_lines(&b, text ? text : otherwise);
	printf("%s\n", strbuf_str(&b));
	return CLI_OK;
}

int cli_ask_status(const struct cli *cli, int argc, char **argv, bool *ret_json, json_t **ret)
{
	int code = cli_simple_options(cli, argc, argv, 0, ret_json);

	return code == CLI_OK ? cli_call(cli, "status", NULL, -1, ret) : code;
}

/* --- printing ----------------------------------------------------------------- */

void cli_print_json(const json_t *v)
{
	/* ASCII: whatever names it holds, a terminal takes no harm */
	_cleanup_free_ char *text =
		json_dumps(v, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	printf("%s\n", text ? text : "null");
}

struct face cli_face(void)
{
	struct face f = { .width = DEFAULT_WIDTH };
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize ws;

	if (!isatty(STDOUT_FILENO))
		return f;
	/* https://no-color.org: present and not empty */
	f.colour = !(no_color && *no_color) && !(term && streq(term, "dumb"));
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		f.width = SN_MAX(ws.ws_col, MIN_WIDTH);
	return f;
}
