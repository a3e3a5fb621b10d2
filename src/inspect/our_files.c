/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/our_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* Of files that are not ours so many are named. */
#define OTHERS_MAX 20

static const char *const run_names[] = {
	"control.sock",    "charon.vici", "charon.log", "charon.log.1",
	"strongswan.conf", "charon.json", NULL
};
static const char *const state_names[] = {
	"snapshot.json",    "snapshot.json.bad", "identity.json", "identity.json.bad",
	"attachments.json", "sysctls.json",      "if_ids.json",   "if_ids.json.bad",
	"paths.json",       "boots.json",        "down",          NULL
};

/* Also what a kill leaves of file_write_atomic(). */
static bool is_ours(const char *const *names, const char *name)
{
	for (; *names; names++) {
		size_t n = strlen(*names);

		if (sn_startswith(name, *names) && (streq(name + n, "") || streq(name + n, ".new")))
			return true;
	}
	return false;
}

static int cmp_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void look_into(const char *folder, const char *const *names, struct our_files *ret)
{
	DIR *dir = opendir(folder);
	const struct dirent *d;
	size_t ours = 0, others = 0;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (streq(d->d_name, ".") || streq(d->d_name, ".."))
			continue;
		if (is_ours(names, d->d_name)) {
			*array_add(&ret->files) = xasprintf("%s/%s", folder, d->d_name);
			ours++;
		} else {
			if (ret->others.n < OTHERS_MAX)
				*array_add(&ret->others) = xasprintf("%s/%s", folder, d->d_name);
			others++;
		}
	}
	closedir(dir);
	if (others == 0)
		*array_add(&ret->folders) = xstrdup(folder);
}

void our_files_find(const char *run_dir, const char *state_dir, struct our_files *ret)
{
	look_into(run_dir, run_names, ret);
	if (state_dir)
		look_into(state_dir, state_names, ret);
	array_sort(&ret->files, cmp_path);
	array_sort(&ret->others, cmp_path);
}

void our_files_fini(struct our_files *f)
{
	array_foreach(&f->files, path)
		free(*path);
	array_foreach(&f->folders, path)
		free(*path);
	array_foreach(&f->others, path)
		free(*path);
	array_free(&f->files);
	array_free(&f->folders);
	array_free(&f->others);
}

bool our_files_are_none(const struct our_files *f)
{
	return f->files.n == 0 && f->folders.n == 0;
}

void our_files_add_plan(const struct our_files *f, struct strbuf *b)
{
	array_foreach(&f->files, path)
		strbuf_addf(b, "- file %s\n", *path);
	array_foreach(&f->folders, path)
		strbuf_addf(b, "- folder %s\n", *path);
}

void our_files_add_rest(const struct our_files *f, struct strbuf *b)
{
	array_foreach(&f->others, path)
		strbuf_addf(b, "left alone: %s: sennit has no file of that name\n", *path);
}

static int fail(const char *path, struct sn_error *e)
{
	return sn_error_set(e, -errno, "%s cannot be removed: %s", path, sn_strerror(-errno));
}

int our_files_remove(const struct our_files *f, struct sn_error *e)
{
	array_foreach(&f->files, path) {
		if (unlink(*path) < 0 && errno != ENOENT)
			return fail(*path, e);
	}
	/* what came there meanwhile keeps its folder; so does a mount */
	array_foreach(&f->folders, path) {
		if (rmdir(*path) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY)
			return fail(*path, e);
	}
	return 0;
}
