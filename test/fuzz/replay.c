/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs every file of corpus folders through a fuzz target, and every
 * beginning of it (up to a limit): what was found once stays found, without
 * libFuzzer. Of a file NAME.hex the bytes that its hex digits say are the input.
 *
 * --slowest runs each file once and tells which took the most CPU time.
 */
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define MAX_FILE ((size_t)64 << 20)
/* Beginnings of a file that are tried, evenly spread. */
#define MAX_CUTS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of exactly that size, so that sanitizers and valgrind see a read behind it. */
static void run(const char *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = xmalloc(size ? size : 1);

	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
}

/* In place; the new length. */
static size_t decode_hex(char *text, size_t len)
{
	char digits[3] = "";
	size_t n = 0, at = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)text[i]))
			continue;
		digits[at++] = text[i];
		if (at == 2)
			text[n++] = (char)strtoul(digits, NULL, 16);
		at %= 2;
	}
	return n;
}

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

struct replay {
	bool slowest; /* only measure */
	double most_ms;
	char *most;
	unsigned files;
};

static void measure(struct replay *r, const char *path, const char *data, size_t len)
{
	double begin = cpu_ms(), took;

	run(data, len);
	took = cpu_ms() - begin;
	if (r->most && took <= r->most_ms)
		return;
	r->most_ms = took;
	free(r->most);
	r->most = xstrdup(path);
}

static int run_file(struct replay *r, const char *folder, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name), *data = NULL;
	const char *end = strrchr(name, '.');
	size_t len;
	int error = file_read(path, MAX_FILE, &data, &len);

	if (error < 0) {
		fprintf(stderr, "%s: %s\n", path, sn_strerror(error));
		return error;
	}
	if (end && streq(end, ".hex"))
		len = decode_hex(data, len);
	r->files++;
	if (r->slowest) {
		measure(r, path, data, len);
		return 0;
	}
	/* a target that fails aborts: say where it was */
	printf("%s\n", path);
	fflush(stdout);
	for (size_t cut = 0; cut < len; cut += len / MAX_CUTS + 1)
		run(data, cut);
	run(data, len);
	return 0;
}

static int run_folder(struct replay *r, const char *folder)
{
	DIR *d = opendir(folder);
	const struct dirent *entry;
	int failed = 0;

	if (!d) {
		fprintf(stderr, "%s: %s\n", folder, sn_strerror(-errno));
		return 1;
	}
	while ((entry = readdir(d))) {
		if (entry->d_name[0] != '.')
			failed |= run_file(r, folder, entry->d_name) < 0;
	}
	closedir(d);
	return failed;
}

int main(int argc, char **argv)
{
	struct replay r = { .slowest = argc > 1 && streq(argv[1], "--slowest") };
	int failed = 0;

	if (argc < 2 + r.slowest) {
		fprintf(stderr, "usage: %s [--slowest] FOLDER...\n", argv[0]);
		return 2;
	}
	for (int i = 1 + r.slowest; i < argc; i++)
		failed |= run_folder(&r, argv[i]);
	printf("%u files\n", r.files);
	if (r.most)
		printf("slowest: %.3f ms %s\n", r.most_ms, r.most);
	free(r.most);
	return failed || r.files == 0;
}
