/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/render.h"
#include "cli/verbs.h"

#include "base/file.h"
#include "ctl/ctl.h"
#include "inspect/doctor.h"
#include "inspect/report.h"
#include "secret/secret.h"

#include <errno.h>

#define ASK_TIMEOUT_MS 3000

struct options {
	bool json, fix, verbose;
	const char *report;
};

/* On a terminal only, one line that is written over. */
static void show_progress(const char *looks, size_t done, size_t all, void *user)
{
	if (*(const bool *)user)
		fprintf(stderr, "\r\033[K%zu of %zu: %s …", done, all, looks);
}

static void end_progress(bool shown)
{
	if (shown)
		fputs("\r\033[K", stderr);
}

/*
 * A wrong configuration is something to find, not the end: the checks then
 * take the defaults.
 */
static struct config *read_config(const struct cli *cli, char **ret_text, struct sn_error *e)
{
	struct config *config = NULL;
	size_t len = 0;
	int r = file_read(cli->config_path, CONFIG_MAX_BYTES, ret_text, &len);

	e->code = 0;
	if (r < 0 && (r != -ENOENT || cli->config_given))
		sn_error_set(e, r, "cannot read %s: %s", cli->config_path, sn_strerror(r));
	else
		config_parse(cli->config_path, *ret_text, len, environ, &config, e);
	return config ? config : config_new();
}

/* What a running daemon says of itself; without one the report goes without. */
static json_t *ask_quietly(const char *socket_path, const char *verb)
{
	json_t *answer = NULL;
	struct sn_error e;

	return ctl_call(socket_path, verb, NULL, -1, ASK_TIMEOUT_MS, &answer, &e) == 0 ? answer
										       : NULL;
}

static int write_report(const struct cli *cli, const char *path, const struct config *config,
			const char *config_text, const struct doctor_result *result)
{
	_cleanup_free_ char *by_run_dir = xasprintf("%s/control.sock", config->run_dir);
	const char *at = cli->socket_path ? cli->socket_path : by_run_dir;
	_cleanup_json_ json_t *status = ask_quietly(at, "status");
	_cleanup_json_ json_t *plan = ask_quietly(at, "plan");
	const struct report_input input = {
		.version = SENNIT_VERSION,
		.config = config,
		.config_text = config_text,
		.result = result,
		.status = status,
		.plan = plan,
	};
	struct sn_error e;

	if (report_write(&input, path, &e) < 0)
		return cli_fail(CLI_FAILED, "%s", e.text);
	fprintf(stderr,
		"wrote %s: no secrets, but names and addresses of your hosts; read it before "
		"you send it\n",
		path);
	return CLI_OK;
}

static int exit_code(const struct findings *all)
{
	if (findings_count(all, SEVERITY_FAULT) > 0)
		return CLI_UNHEALTHY;
	return findings_count(all, SEVERITY_WARNING) > 0 ? CLI_WARNED : CLI_OK;
}

static void print(const struct options *o, const struct doctor_result *result)
{
	_cleanup_json_ json_t *v = doctor_result_to_json(result);
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct face face = cli_face();

	if (o->json) {
		cli_print_json(v);
		return;
	}
	render_doctor(v, o->verbose, &face, &b);
	fputs(strbuf_str(&b), stdout);
}

static int examine(const struct cli *cli, const struct options *o)
{
	_cleanup_free_ char *text = NULL;
	struct sn_error config_error;
	_cleanup_(config_freep) struct config *config = read_config(cli, &text, &config_error);
	bool progress = isatty(STDERR_FILENO);
	const struct doctor_options options = {
		.config = config,
		.config_path = cli->config_path,
		.config_error = config_error.code ? &config_error : NULL,
		.progress = show_progress,
		.user = &progress,
	};
	struct doctor_result result;
	int code;

	doctor_run(&options, &result);
	end_progress(progress);
	if (o->fix)
		doctor_fix(&result);
	print(o, &result);
	code = exit_code(&result.findings);
	if (o->report && write_report(cli, o->report, config, text, &result) != CLI_OK)
		code = CLI_FAILED;
	doctor_result_fini(&result);
	return code;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "fix", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "report", required_argument, NULL, 'r' },
		{ 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = cli_option(argc, argv, options)) != -1) {
		if (c == '?')
			return CLI_USAGE;
		o.json |= c == 'j';
		o.fix |= c == 'f';
		o.verbose |= c == 'v';
		if (c == 'r')
			o.report = optarg;
	}
	if (optind < argc)
		return cli_usage(cli, "'%s' is one word too many", argv[optind]);
	secret_protect_process();
	return examine(cli, &o);
}

const struct cli_verb verb_doctor = {
	"doctor",
	"[--verbose] [--json] [--fix] [--report FILE]",
	"Look for what keeps the overlay from working; say what to do.",
	"Works with sennitd and without it, in at most ten seconds, and changes nothing.\n"
	"\n"
	"  --verbose      also show what is well\n"
	"  --fix          mend what is safe: settings of our own interfaces, accept_ra,\n"
	"                 modes of our files, runtime files that nobody uses\n"
	"  --report FILE  all of it with state, plan, configuration and the kernel's\n"
	"                 objects in one file for a bug report, without secrets\n"
	"\n"
	"Exit codes: 0 nothing wrong, 4 a fault, 5 only warnings, 1 it failed.\n"
	"\n"
	"Examples:\n"
	"  sennit doctor\n"
	"  sennit doctor --report /tmp/sennit-report.json\n",
	run,
};
