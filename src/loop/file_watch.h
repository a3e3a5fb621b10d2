/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells when a file may have changed: written, replaced, deleted, or come
 * (back). inotify on its folder, and a slow poll for what inotify does not
 * see: network file systems, a folder that is itself replaced or not there
 * yet, a symbolic link whose target changes.
 *
 * It says "may": read the file and compare. A file that is being written in
 * place is told of when its writer closes it, but the poll may come in
 * between; a reader must stand half a file.
 */
#pragma once

#include "loop/loop.h"

struct file_watch;

typedef void (*file_watch_fn)(void *user);
/* The path is copied; neither file nor folder need be there. Does not call fn for what is there. */
struct file_watch *file_watch_new(struct loop *loop, const char *path, int64_t poll_ms,
				  file_watch_fn fn, void *user);
void file_watch_free(struct file_watch *w);
SN_DEFINE_CLEANUP(struct file_watch *, file_watch_free);
