/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch is on the folder, since a file that is replaced by rename(2) is
 * another inode, which no watch on the old one tells of. Events that name the
 * file count as they are; any other event in the folder, and the poll, count
 * when the file's identity (device, inode, size, times) differs: so it was
 * with Kubernetes' config maps, where a link beside the file changes.
 *
 * IN_CREATE of a file is no reason to read it: its writer has not begun.
 */
#include "loop/file_watch.h"

#include <libgen.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define WANTED_EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF |   \
	 IN_MOVE_SELF | IN_ONLYDIR)
#define READ_SIZE (16 * (sizeof(struct inotify_event) + NAME_MAX + 1))

struct identity {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct file_watch {
	char *path, *folder, *name;
	int inotify; /* -1: none to be had, the poll alone */
	int folder_wd;
	struct loop_io *io;
	struct loop_timer *poll;
	int64_t poll_ms;
	struct identity seen; /* all zero: no such file */
	file_watch_fn fn;
	void *user;
};

static struct identity identify(const char *path)
{
	struct identity id;
	struct stat st;

	memset(&id, 0, sizeof(id));
	if (stat(path, &st) < 0)
		return id;
	id.dev = st.st_dev;
	id.ino = st.st_ino;
	id.size = st.st_size;
	id.mtime = st.st_mtim;
	id.ctime = st.st_ctim;
	return id;
}

static bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* True when it is another file than last time; an empty one is being written. */
static bool look_again(struct file_watch *w)
{
	struct identity now = identify(w->path);
	bool differs = !identity_equal(&now, &w->seen);

	if (now.ino && now.size == 0)
		return false;
	w->seen = now;
	return differs;
}

/* The folder that has this path now may be another than before. */
static void watch_folder(struct file_watch *w)
{
	int wd;

	if (w->inotify < 0)
		return;
	wd = inotify_add_watch(w->inotify, w->folder, WANTED_EVENTS);
	if (w->folder_wd >= 0 && wd != w->folder_wd)
		inotify_rm_watch(w->inotify, w->folder_wd);
	w->folder_wd = wd;
}

static void tell(struct file_watch *w)
{
	w->fn(w->user);
}

static void on_poll(void *user)
{
	struct file_watch *w = user;

	watch_folder(w);
	loop_timer_set(w->poll, w->poll_ms);
	if (look_again(w))
		tell(w);
}

static bool names_the_file(const struct file_watch *w, const struct inotify_event *ev)
{
	return ev->wd == w->folder_wd && ev->len > 0 && streq(ev->name, w->name) &&
	       (ev->mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE));
}

static void on_events(int fd, unsigned events, void *user)
{
	struct file_watch *w = user;
	char buf[READ_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool named = false;
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)events;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(buf + at);

		named |= names_the_file(w, ev);
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
	/* both sides are wanted: look_again() also notes what is there now */
	if (look_again(w) || named)
		tell(w);
}

struct file_watch *file_watch_new(struct loop *loop, const char *path, int64_t poll_ms,
				  file_watch_fn fn, void *user)
{
	struct file_watch *w = xcalloc(1, sizeof(*w));
	_cleanup_free_ char *for_dirname = xstrdup(path);
	_cleanup_free_ char *for_basename = xstrdup(path);

	w->path = xstrdup(path);
	w->folder = xstrdup(dirname(for_dirname));
	w->name = xstrdup(basename(for_basename));
	w->poll_ms = poll_ms;
	w->fn = fn;
	w->user = user;
	w->folder_wd = -1;
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify >= 0)
		w->io = loop_io_new(loop, w->inotify, LOOP_READ, on_events, w);
	w->poll = loop_timer_new(loop, on_poll, w);
	loop_timer_set(w->poll, poll_ms);
	watch_folder(w);
	w->seen = identify(path);
	return w;
}

void file_watch_free(struct file_watch *w)
{
	if (!w)
		return;
	loop_io_free(w->io);
	loop_timer_free(w->poll);
	if (w->inotify >= 0)
		close(w->inotify);
	free(w->path);
	free(w->folder);
	free(w->name);
	free(w);
}
