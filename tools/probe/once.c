/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "once.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

static char *folder_path(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime && runtime[0] == '/')
		return xasprintf("%s/sennit-probe", runtime);
	if (geteuid() == 0)
		return xstrdup("/run/sennit-probe");
	return xasprintf("/tmp/sennit-probe-%u", (unsigned)geteuid());
}

/* A folder that is ours and nobody else writes in: in /tmp anybody may have made it. */
static int open_folder(const char *path)
{
	int fd, error;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = fstat(fd, &st) < 0 ? errno : 0;
	if (!error && (st.st_uid != geteuid() || (st.st_mode & 022)))
		error = EPERM;
	if (error)
		close(fd);
	return error ? -error : fd;
}

/* Seconds to go; 0: it is our turn, which is taken now. Or a negative errno. */
static int take_turn(int folder, const char *name)
{
	_cleanup_close_ int fd =
		openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct timespec now;
	struct stat st;

	/* who waits here was not first */
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME, &now);
	/* one byte: it was used; a new one is empty */
	if (st.st_size > 0 && st.st_mtim.tv_sec <= now.tv_sec &&
	    st.st_mtim.tv_sec + ONCE_S > now.tv_sec)
		return (int)(st.st_mtim.tv_sec + ONCE_S - now.tv_sec);
	return pwrite(fd, "1", 1, 0) == 1 ? 0 : -errno;
}

int once_a_minute(const char *address, unsigned port, struct sn_error *e)
{
	_cleanup_free_ char *path = folder_path(), *name = xasprintf("%s-%u", address, port);
	_cleanup_close_ int folder = open_folder(path);
	int r = folder < 0 ? folder : take_turn(folder, name);

	if (r < 0)
		return sn_error_set(e, r,
				    "not asked: %s, which keeps when it was asked last, cannot be "
				    "used: %s",
				    path, sn_strerror(r));
	if (r > 0)
		return sn_error_set(e, -EAGAIN,
				    "not asked: --full leaves a half-open SA there and was used "
				    "within the last %d s; again in %d s",
				    ONCE_S, r);
	return 0;
}
