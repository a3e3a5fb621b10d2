/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole small files: read with a limit, written so that a reader, or the
 * machine after a power cut, sees the old or the new one, never half.
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/*
 * Reads the file, adds a NUL (not counted in *ret_len). 0 or a negative
 * errno: -EFBIG past limit. The caller frees *ret; wipe it first if it held
 * a secret.
 */
int file_read(const char *path, size_t limit, char **ret, size_t *ret_len);
/*
 * Temporary file beside it (path.new), fsync, rename, fsync of the folder.
 * Mode as given; folders are not made; one writer at a time. 0 or a negative errno, then the old
 * file is untouched.
 */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode);
/*
 * The same without waiting for the disk, for the loop and for what is void after a
 * reboot: a reader, or who comes after a kill, sees the old or the new file;
 * after a power cut it may be the old one, the new one or an empty one.
 */
int file_replace(const char *path, const void *data, size_t len, mode_t mode);
/* mkdir -p with this mode for what is missing. 0 or a negative errno. */
int file_mkdirs(const char *path, mode_t mode);
/* Writes a short text to an existing file (procfs, sysfs). 0 or a negative errno. */
int file_write_existing(const char *path, const char *text);
