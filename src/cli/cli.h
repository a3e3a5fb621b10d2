/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of `sennit` share: one file per verb (verb_*.c) defines a
 * struct cli_verb, main.c has the table. A verb reads its own options, asks
 * the daemon with cli_call(), and prints; how things look is in render.h,
 * which is pure.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cli/face.h"

#include <getopt.h>
#include <stdio.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NO_DAEMON = 3, /* nobody answers at the control socket */
	CLI_UNHEALTHY = 4, /* `sennit status`: a problem of this host; `sennit doctor`: a fault */
	CLI_WARNED = 5,    /* `sennit doctor`: a warning, but no fault */
};

struct cli_verb;
struct config;

/* The global options, and the verb that runs. */
struct cli {
	const char *config_path;
	bool config_given;       /* false: a missing file is all defaults */
	const char *socket_path; /* NULL: by the configuration's run_dir */
	const struct cli_verb *verb;
};

struct cli_verb {
	const char *name;
	const char *usage;   /* what stands after "sennit NAME" */
	const char *summary; /* one line for the list */
	const char *help;    /* more lines, each ended; "" for none */
	/* argv[0] is the verb's name; gives the exit code */
	int (*run)(const struct cli *cli, int argc, char **argv);
};

/* NULL-terminated, in the order of the help. */
extern const struct cli_verb *const cli_verbs[];

/* To standard error, "sennit: " before and a line feed after it; escaped. Gives code. */
int cli_fail(int code, const char *fmt, ...) SN_PRINTF(2, 3);
/* The verb's usage to standard error and why; gives CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *fmt, ...) SN_PRINTF(2, 3);
void cli_print_help(FILE *out, const struct cli_verb *verb);

/* The verb of this name, or NULL after a complaint that names the nearest. */
const struct cli_verb *cli_find_verb(const char *name);

/* options_next() for verbs, which have long options only: the option's val, -1 at the end, '?'
 * after the complaint with the verb's usage (argv[0] is its name); then return CLI_USAGE. */
int cli_option(int argc, char **argv, const struct option *options);
/*
 * For verbs that know no option but --json (ret_json NULL: none at all) and at
 * most max_operands operands, which are argv[optind…] then: CLI_OK, or
 * CLI_USAGE after the complaint.
 */
int cli_simple_options(const struct cli *cli, int argc, char **argv, int max_operands,
		       bool *ret_json);

/*
 * The configuration: path, or NULL for the one of --config, which may be
 * missing when it was not named (all defaults then; *ret_there is false).
 * CLI_OK, or CLI_FAILED after the complaint.
 */
int cli_read_config(const struct cli *cli, const char *path, struct config **ret, bool *ret_there);

/* The options by which a verb names an interface in a network namespace; NULL: not given. */
struct cli_interface {
	const char *netns, *pid; /* the namespace: a path, or of this process */
	const char *name;
};
/* clang-format off */
#define CLI_INTERFACE_OPTIONS                                                                      \
	{ "netns", required_argument, NULL, 'n' },                                                 \
	{ "pid", required_argument, NULL, 'p' },                                                   \
	{ "ifname", required_argument, NULL, 'i' }
/* clang-format on */
/* Whether c is one of these options; its argument is taken then. */
bool cli_interface_option(int c, struct cli_interface *i);
/* The namespace opened: a descriptor, or -1 after a complaint. One of netns and pid is given. */
int cli_open_netns(const struct cli_interface *i);

/*
 * Asks the daemon: CLI_OK with a new reference, or the exit code after the
 * complaint. args is stolen (NULL: none).
 */
int cli_call(const struct cli *cli, const char *verb, json_t *args, int fd, json_t **ret);
/* Asks, prints the result's "text" or else `otherwise`. */
int cli_call_and_say(const struct cli *cli, const char *verb, json_t *args, const char *otherwise);

/* For verbs that show the status, or a part of it, and know --json: asks for all of it. */
int cli_ask_status(const struct cli *cli, int argc, char **argv, bool *ret_json, json_t **ret);

void cli_print_json(const json_t *v);
/* Standard output's face: colours on a terminal without NO_COLOR, its width or 100. */
struct face cli_face(void);
