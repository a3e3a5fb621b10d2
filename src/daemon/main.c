/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include "base/options.h"
#include "daemon/daemon.h"
#include "daemon/dry_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define DEFAULT_CONFIG "/etc/sennit/sennit.json"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	struct config_source source;
	bool check, dry_run;
};

static const char help[] =
	"usage: sennitd [--config FILE] [--check | --dry-run]\n"
	"\n"
	"The daemon of Sennit, one a host: keeps the tunnels to all other hosts of the\n"
	"mesh. 'sennit status' asks it. SIGHUP reads the configuration again; SIGTERM\n"
	"ends it, and the tunnels stay.\n"
	"\n"
	"  --config FILE  the configuration (" DEFAULT_CONFIG ")\n"
	"  --check        read the configuration, say what is wrong with it, end\n"
	"  --dry-run      print what would be done on this host, do nothing\n"
	"  --variables    list the variables that override keys of the configuration\n"
	"  --version      print the version\n"
	"\n"
	"Examples:\n"
	"  sennitd --check\n"
	"  SENNIT_LOG_LEVEL=debug sennitd --config /etc/sennit/test.json\n";

static void print_variables(void)
{
	for (const struct config_variable *v = config_variables; v->variable; v++)
		printf("%-28s %s\n    %s\n", v->variable, v->key, v->what);
}

/* 0: go on; else the exit status + 1. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "variables", no_argument, NULL, 'e' },
		{ 0 },
	};
	struct sn_error e;
	int c;

	*ret = (struct options){ .source = { .file = DEFAULT_CONFIG } };
	while ((c = options_next(argc, argv, ":c:h", options, &e)) != -1) {
		switch (c) {
		case 'c':
			ret->source = (struct config_source){ .file = optarg, .named = true };
			break;
		case 'k':
			ret->check = true;
			break;
		case 'n':
			ret->dry_run = true;
			break;
		case 'v':
			puts("sennitd " SENNIT_VERSION);
			return 1;
		case 'h':
			fputs(help, stdout);
			return 1;
		case 'e':
			print_variables();
			return 1;
		default:
			fprintf(stderr, "sennitd: %s; see 'sennitd --help'\n", e.text);
			return 1 + EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sennitd: '%s' is no option; see 'sennitd --help'\n", argv[optind]);
		return 1 + EXIT_USAGE;
	}
	return 0;
}

static int run(const struct options *o, struct config *config, struct sn_error *e)
{
	_cleanup_(daemon_freep) struct daemon *d = NULL;
	int r = daemon_new(&o->source, config, &d, e);

	if (r < 0)
		return r;
	log_count_repeats();
	log_notice("sennitd " SENNIT_VERSION " runs");
	return daemon_run(d);
}

int main(int argc, char **argv)
{
	struct config *config = NULL;
	struct sn_error e = { 0 };
	struct options options;
	int r = parse_options(argc, argv, &options);

	if (r)
		return r - 1;
	log_init("sennitd");
	secret_protect_process();
	signal(SIGHUP,
	       SIG_IGN); /* until the loop takes it: a reload at the start is no end of us */
	signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of a write, no end of us */
	r = config_source_read(&options.source, &config, &e);
	if (r == 0) {
		log_set_level(config->log_level);
		log_set_format(config->log_format);
		if (options.check || options.dry_run) {
			r = options.dry_run ? dry_run(config, &e) : 0;
			config_free(config);
		} else {
			r = run(&options, config, &e); /* takes the configuration over */
		}
	}
	if (r < 0)
		log_error("%s", e.text);
	log_flush();
	return r < 0 ? EXIT_FAILED : 0;
}
