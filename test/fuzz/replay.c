/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs every file of a corpus folder through a fuzz target, and every
 * beginning of it (up to a limit): what was found once stays found, without
 * libFuzzer.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define MAX_FILE (1 << 20)
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

static int run_file(const char *folder, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name), *data = NULL;
	size_t len;
	int r = file_read(path, MAX_FILE, &data, &len);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", path, sn_strerror(r));
		return r;
	}
	/* a target that fails aborts: say where it was */
	printf("%s\n", path);
	fflush(stdout);
	for (size_t cut = 0; cut < len; cut += len / MAX_CUTS + 1)
		run(data, cut);
	run(data, len);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;
	unsigned n = 0;
	int failed = 0;

	if (!d) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		failed |= run_file(argv[1], entry->d_name) < 0;
		n++;
	}
	closedir(d);
	printf("%u files\n", n);
	return failed || n == 0;
}
