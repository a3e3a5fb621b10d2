/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last good snapshot on disk. The content is the model's (versioned JSON,
 * validated on reading like any input); here is only the file.
 *
 * What a kill in the middle of writing leaves behind is a temporary file
 * beside the old one, which the next load takes away.
 */
#include "metadata/metadata.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>

#define STORE_NAME "snapshot.json"
#define STORE_LIMIT ((size_t)64 << 20)

static char *store_path(const char *state_dir)
{
	return xasprintf("%s/%s", state_dir, STORE_NAME);
}

/* That of file_write_atomic(). */
static void remove_leftover(const char *path)
{
	_cleanup_free_ char *half = xasprintf("%s.new", path);

	unlink(half);
}

static int parse(const char *text, size_t len, struct snapshot **ret, struct sn_error *e)
{
	_cleanup_json_ json_t *v = NULL;
	int r = json_parse(text, len, &v, e);

	return r < 0 ? r : snapshot_from_json(v, ret, e);
}

static int put_aside(const char *path, struct sn_error *e)
{
	_cleanup_free_ char *bad = xasprintf("%s.bad", path);

	sn_error_wrap(e, "%s", path);
	/* who comes next must not stumble over it, nor lose what there is to look at */
	if (rename(path, bad) < 0)
		sn_error_wrap(e, "could not be put aside (%s)", sn_strerror(-errno));
	else
		sn_error_wrap(e, "put aside as %s", bad);
	return e->code;
}

int store_load(const char *state_dir, struct snapshot **ret, struct sn_error *e)
{
	_cleanup_free_ char *path = store_path(state_dir);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	remove_leftover(path);
	r = file_read(path, STORE_LIMIT, &text, &len);
	if (r < 0 && r != -EFBIG)
		return sn_error_set(e, r, "%s: %s", path, sn_strerror(r));
	r = r < 0 ? sn_error_set(e, r, "over %zu bytes", STORE_LIMIT) : parse(text, len, ret, e);
	return r < 0 ? put_aside(path, e) : 0;
}

int store_save(const char *state_dir, const struct snapshot *s, struct sn_error *e)
{
	_cleanup_free_ char *path = store_path(state_dir);
	_cleanup_json_ json_t *v = snapshot_to_json(s);
	_cleanup_(snapshot_freep) struct snapshot *again = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	/* what could not be read at the next start is not worth storing */
	r = snapshot_from_json(v, &again, e);
	if (r < 0)
		return r;
	text = json_dumps(v, JSON_INDENT(1) | JSON_SORT_KEYS);
	sn_require(text);
	r = file_mkdirs(state_dir, 0700);
	if (r == 0)
		r = file_write_atomic(path, text, strlen(text), 0600);
	return r < 0 ? sn_error_set(e, r, "%s: %s", path, sn_strerror(r)) : 0;
}
