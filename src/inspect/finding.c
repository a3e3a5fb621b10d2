/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/finding.h"

#include "base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

const char *severity_to_string(enum severity severity)
{
	static const char *const names[SEVERITIES] = { "ok", "note", "warning", "fault" };

	return names[severity];
}

static void SN_PRINTF(2, 0) replace(char **text, const char *fmt, va_list ap)
{
	char *made;

	sn_require(vasprintf(&made, fmt, ap) >= 0);
	free(*text);
	*text = made;
}

void finding_set_next(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	replace(&f->next, fmt, ap);
	va_end(ap);
}

void finding_set_why(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	replace(&f->why, fmt, ap);
	va_end(ap);
}

void finding_set_fix(struct finding *f, enum fix_kind kind, const char *path, const char *value,
		     mode_t mode)
{
	struct stat st = { 0 };

	free(f->fix.path);
	f->fix = (struct fix){ .kind = kind, .path = xstrdup(path), .mode = mode };
	snprintf(f->fix.value, sizeof(f->fix.value), "%s", value ? value : "");
	if (kind != FIX_REMOVE || lstat(path, &st) < 0)
		return;
	f->fix.device = st.st_dev;
	f->fix.inode = st.st_ino;
	f->fix.changed = st.st_ctim;
}

bool finding_stands(const struct finding *f)
{
	return !f->fix.tried || f->fix.error.code < 0;
}

void findings_fini(struct findings *all)
{
	array_foreach(&all->f, f) {
		free(f->seen);
		free(f->why);
		free(f->next);
		free(f->fix.path);
	}
	array_free(&all->f);
}

static int cmp_findings(const void *pa, const void *pb)
{
	const struct finding *a = pa, *b = pb;
	int c = sn_cmp_num(a->order, b->order);

	if (c == 0)
		c = sn_cmp_num(b->severity, a->severity);
	return c ? c : sn_cmp_str(a->seen, b->seen);
}

void findings_sort(struct findings *all)
{
	array_sort(&all->f, cmp_findings);
}

size_t findings_count(const struct findings *all, enum severity severity)
{
	size_t n = 0;

	array_foreach(&all->f, f)
		n += f->severity == severity && finding_stands(f);
	return n;
}

/* --- fixes ---------------------------------------------------------------------- */

char *fix_describe(const struct fix *fix)
{
	switch (fix->kind) {
	case FIX_NONE:
		break;
	case FIX_WRITE:
		return xasprintf("write %s to %s", fix->value, fix->path);
	case FIX_REMOVE:
		return xasprintf("remove %s", fix->path);
	case FIX_MODE:
		return xasprintf("set the mode of %s to %04o", fix->path, (unsigned)fix->mode);
	}
	return xstrdup("");
}

/* Between the look and the fix are seconds, in which a start may have made its own. */
static int remove_seen(const struct fix *fix)
{
	struct stat st;

	if (lstat(fix->path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev != fix->device || st.st_ino != fix->inode ||
	    st.st_ctim.tv_sec != fix->changed.tv_sec || st.st_ctim.tv_nsec != fix->changed.tv_nsec)
		return -EBUSY;
	return unlink(fix->path) < 0 && errno != ENOENT ? -errno : 0;
}

void fix_apply(struct fix *fix)
{
	int r = 0;

	switch (fix->kind) {
	case FIX_NONE:
		return;
	case FIX_WRITE:
		r = file_write_existing(fix->path, fix->value);
		break;
	case FIX_REMOVE:
		r = remove_seen(fix);
		break;
	case FIX_MODE:
		r = chmod(fix->path, fix->mode) < 0 ? -errno : 0;
		break;
	}
	fix->tried = true;
	if (r == -EBUSY && fix->kind == FIX_REMOVE)
		sn_error_set(&fix->error, r,
			     "%s is another one by now, somebody uses it: look again", fix->path);
	else if (r < 0)
		sn_error_set(&fix->error, r, "%s: %s", fix->path, sn_strerror(r));
}

/* --- as JSON --------------------------------------------------------------------- */

static json_t *fix_to_json(const struct fix *fix)
{
	_cleanup_free_ char *what = fix_describe(fix);
	json_t *o = json_pack("{s:o, s:b, s:b}", "what", json_from_text(what), "tried", fix->tried,
			      "done", fix->tried && fix->error.code == 0);

	if (fix->error.code < 0)
		json_object_set_new(o, "error", json_from_text(fix->error.text));
	return o;
}

json_t *findings_to_json(const struct findings *all)
{
	json_t *list = json_array();

	array_foreach(&all->f, f) {
		json_t *o =
			json_pack("{s:s, s:s, s:o}", "check", f->check, "severity",
				  severity_to_string(f->severity), "seen", json_from_text(f->seen));

		if (f->severity != SEVERITY_OK) {
			json_object_set_new(o, "why", json_from_text(f->why));
			json_object_set_new(o, "next", json_from_text(f->next));
		}
		if (f->fix.kind != FIX_NONE)
			json_object_set_new(o, "fix", fix_to_json(&f->fix));
		json_array_append_new(list, o);
	}
	return list;
}
