/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/process.h"

#include "base/file.h"
#include "ike/charon_conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define ENVIRON_LIMIT (256 * 1024)
#define CONF_LIMIT (64 * 1024)
#define STATUS_LIMIT (64 * 1024)
#define KILL_LIMIT_MS 3000

/* --- one process ----------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* The last part of its executable's path, also when that file has been deleted; NULL: none. */
static char *name_of_executable(int pid)
{
	static const char gone[] = " (deleted)";
	_cleanup_free_ char *path = xasprintf("/proc/%d/exe", pid);
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	size_t len = n > 0 ? (size_t)n : 0;
	const char *name;

	target[len] = '\0';
	if (len >= sizeof(gone) && streq(target + len - strlen(gone), gone))
		target[len - strlen(gone)] = '\0';
	name = strrchr(target, '/');
	return name ? xstrdup(name + 1) : NULL;
}

/* The folder that STRONGSWAN_CONF of its environment lies in; NULL when there is none. */
static char *conf_folder(int pid)
{
	static const char variable[] = "STRONGSWAN_CONF=";
	_cleanup_free_ char *path = xasprintf("/proc/%d/environ", pid);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (file_read(path, ENVIRON_LIMIT, &text, &len) < 0 || !text)
		return NULL;
	/* file_read() ends it with a NUL */
	for (size_t i = 0; i < len; i += strlen(text + i) + 1) {
		if (sn_startswith(text + i, variable))
			return xstrdup(dirname(text + i + sizeof(variable) - 1));
	}
	return NULL;
}

bool is_run_dir(const char *folder)
{
	_cleanup_free_ char *path = xasprintf("%s/strongswan.conf", folder);
	_cleanup_free_ char *text = NULL;
	size_t len;

	return file_read(path, CONF_LIMIT, &text, &len) == 0 && text &&
	       sn_startswith(text, CHARON_CONF_FIRST_LINE);
}

static bool in_our_network(int pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/net", pid);

	return same_file(path, "/proc/self/ns/net");
}

/*
 * Anybody may call a program charon or sennitd and name any folder in its environment.
 * The owner of /proc/PID does not tell: it is root as soon as a process is not dumpable.
 */
static bool is_roots(int pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/status", pid);
	_cleanup_free_ char *text = NULL;
	const char *line;
	unsigned real, effective;
	size_t len;

	return file_read(path, STATUS_LIMIT, &text, &len) == 0 && (line = strstr(text, "\nUid:")) &&
	       sscanf(line, " Uid: %u %u", &real, &effective) == 2 && real == 0 && effective == 0;
}

/* --- all of them ------------------------------------------------------------------ */

/* Whether this process is one of those that are looked for. */
static bool is_one(int pid, const char *charon, enum process_kind *ret)
{
	_cleanup_free_ char *name = name_of_executable(pid);
	const char *slash = strrchr(charon, '/');

	if (!name)
		return false;
	if (streq(name, "sennitd"))
		*ret = PROCESS_SENNITD;
	else if (streq(name, "sennit-metadata"))
		*ret = PROCESS_METADATA;
	else if (streq(name, slash ? slash + 1 : charon) || streq(name, "charon-systemd") ||
		 streq(name, "charon"))
		*ret = PROCESS_CHARON;
	else
		return false;
	/* sennit-metadata has a user of its own; it is only told of */
	return in_our_network(pid) && (*ret == PROCESS_METADATA || is_roots(pid));
}

static void look_at(int pid, const char *run_dir, const char *charon, struct our_processes *ret)
{
	struct our_process p = { .pid = pid };
	const char *folder;

	if (!is_one(pid, charon, &p.kind))
		return;
	/* from here on its pid is held; what was seen before is looked at again */
	p.pidfd = pidfd_open(pid, 0);
	if (p.pidfd < 0)
		return;
	if (!is_one(pid, charon, &p.kind)) {
		close(p.pidfd);
		return;
	}
	if (p.kind == PROCESS_CHARON) {
		folder = p.run_dir = conf_folder(pid);
		p.ours = folder && folder[0] == '/' &&
			 (streq(folder, run_dir) || same_file(folder, run_dir) ||
			  is_run_dir(folder));
	}
	*array_add(&ret->p) = p;
}

int processes_find(const char *run_dir, const char *charon, struct our_processes *ret,
		   struct sn_error *e)
{
	struct our_processes found = { 0 };
	DIR *proc = opendir("/proc");
	const struct dirent *d;

	if (!proc)
		return sn_error_set(e, -errno, "/proc cannot be read: %s", sn_strerror(-errno));
	while ((d = readdir(proc)) && found.p.n < PROCESSES_MAX) {
		int pid = atoi(d->d_name);

		if (pid > 0)
			look_at(pid, run_dir, charon, &found);
	}
	closedir(proc);
	*ret = found;
	return 0;
}

void processes_fini(struct our_processes *ps)
{
	array_foreach(&ps->p, p) {
		close(p->pidfd);
		free(p->run_dir);
	}
	array_free(&ps->p);
}

const struct our_process *processes_first(const struct our_processes *ps, enum process_kind kind)
{
	array_foreach(&ps->p, p) {
		if (p->kind == kind)
			return p;
	}
	return NULL;
}

/* True when it has ended within the time. */
static bool ends_within(const struct our_process *p, int limit_ms)
{
	struct pollfd fd = { .fd = p->pidfd, .events = POLLIN };

	return TEMP_FAILURE_RETRY(poll(&fd, 1, limit_ms)) == 1;
}

int process_end(const struct our_process *p, int limit_ms, struct sn_error *e)
{
	if (ends_within(p, 0))
		return 0;
	if (pidfd_send_signal(p->pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return sn_error_set(e, -errno, "process %d cannot be ended: %s", p->pid,
				    sn_strerror(-errno));
	/* a stopped one would not hear it */
	pidfd_send_signal(p->pidfd, SIGCONT, NULL, 0);
	if (ends_within(p, limit_ms))
		return 0;
	pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
	if (ends_within(p, KILL_LIMIT_MS))
		return 0;
	return sn_error_set(e, -ETIMEDOUT,
			    "process %d does not end, not by SIGKILL either; see 'ps -o stat,wchan "
			    "%d', and run it again",
			    p->pid, p->pid);
}
