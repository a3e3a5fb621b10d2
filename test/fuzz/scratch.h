/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For readers of files: the input as a file in a folder of our own, in memory
 * where there is /dev/shm. It goes at the end; a target that aborts leaves it.
 */
#pragma once

#include "base/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char scratch_folder[64];

static inline void scratch_empty(void)
{
	DIR *d = opendir(scratch_folder);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d)
		closedir(d);
}

static inline void scratch_remove(void)
{
	scratch_empty();
	rmdir(scratch_folder);
}

/* Makes the folder when there is none; static storage. */
static inline const char *scratch(void)
{
	if (!scratch_folder[0]) {
		strcpy(scratch_folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		strcat(scratch_folder, "/sennit-fuzz-XXXXXX");
		sn_require(mkdtemp(scratch_folder));
		atexit(scratch_remove);
	}
	return scratch_folder;
}

/* Its path, static storage. */
static inline const char *scratch_file(const char *name, const void *data, size_t size)
{
	static char path[128];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", scratch(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	sn_require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	return path;
}

static inline bool scratch_has(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", scratch(), name);
	return access(path, F_OK) == 0;
}

/* A file whose names begin with its input's path: "PATH: …", "PATH, line 3: …". */
static inline bool scratch_is_place(const char *text, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", scratch(), name);
	return sn_startswith(text, path) && strchr(":, ", text[strlen(path)]);
}
