/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a metadata source costs, and nothing else:
 *
 *	source-bench source URL HOST-ID	follows a service; for each line on
 *					stdin it prints its figures
 *	source-bench load FILE...	lets jansson load each file
 *
 * Figures: one line of JSON, CPU in milliseconds, memory in kB.
 */
#include "base/file.h"
#include "base/json.h"
#include "metadata/metadata.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define FILE_LIMIT ((size_t)256 << 20)

struct bench {
	struct loop *loop;
	struct metadata *metadata;
	unsigned snapshots;
};

static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static long status_kb(const char *key)
{
	_cleanup_free_ char *text = NULL;
	const char *at;
	size_t len;

	if (file_read("/proc/self/status", 1 << 16, &text, &len) < 0)
		return -1;
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void print_figures(const struct bench *b)
{
	struct metadata_status st = { 0 };
	int64_t turn = 0;

	if (b) {
		metadata_get_status(b->metadata, &st);
		turn = loop_get_stats(b->loop)->slowest_turn_ms;
	}
	printf("{\"cpu_ms\": %.3f, \"rss_kb\": %ld, \"peak_kb\": %ld, \"reads\": %llu, "
	       "\"torn\": %llu, \"snapshots\": %u, \"slowest_turn_ms\": %lld}\n",
	       cpu_ms(), status_kb("VmRSS:"), status_kb("VmHWM:"), (unsigned long long)st.reads,
	       (unsigned long long)st.torn, b ? b->snapshots : 0, (long long)turn);
	fflush(stdout);
}

static bool on_snapshot(struct snapshot *s, void *user)
{
	struct bench *b = user;

	b->snapshots++;
	snapshot_free(s);
	return true;
}

static void on_text(const char *text, void *user)
{
	(void)user;
	fprintf(stderr, "%s\n", text);
}

static void on_ok(void *user)
{
	(void)user;
}

static void on_stdin(int fd, unsigned events, void *user)
{
	struct bench *b = user;
	char line[64];

	(void)events;
	if (read(fd, line, sizeof(line)) <= 0)
		loop_stop(b->loop);
	else
		print_figures(b);
}

static int follow(struct config *config)
{
	struct bench b = { .loop = loop_new() };
	const struct metadata_handlers handlers = { on_snapshot, on_text, on_ok, on_text, &b };
	struct loop_io *io;
	struct sn_error e;

	if (metadata_new(b.loop, config, NULL, &handlers, &b.metadata, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return EXIT_FAILURE;
	}
	io = loop_io_new(b.loop, STDIN_FILENO, LOOP_READ, on_stdin, &b);
	metadata_start(b.metadata);
	loop_run(b.loop);
	loop_io_free(io);
	metadata_free(b.metadata);
	loop_free(b.loop);
	return EXIT_SUCCESS;
}

static int load(char **paths)
{
	for (; *paths; paths++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_json_ json_t *v = NULL;
		struct sn_error e;
		size_t len;
		double before;

		if (file_read(*paths, FILE_LIMIT, &text, &len) < 0)
			return EXIT_FAILURE;
		before = cpu_ms();
		if (json_parse(text, len, &v, &e) < 0)
			return EXIT_FAILURE;
		printf("{\"load_ms\": %.3f}\n", cpu_ms() - before);
	}
	print_figures(NULL);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	extern char **environ;
	_cleanup_(config_freep) struct config *config = NULL;
	struct sn_error e;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && streq(argv[1], "load"))
		return load(argv + 2);
	if (argc != 4 || !streq(argv[1], "source"))
		return 2;
	/* the variables, as sennitd has them: SENNIT_METADATA_CA_FILE and the like */
	if (config_parse("", NULL, 0, environ, &config, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	if (!config->metadata_urls.n) {
		free(config->metadata_url);
		config->metadata_url = xstrdup(argv[2]);
	}
	snprintf(config->host_id, sizeof(config->host_id), "%s", argv[3]);
	return follow(config);
}
