/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at each mount and each process once, whatever the number of ends. What
 * is found is checked again behind the descriptor that is entered, so a path or
 * a pid that became another's meanwhile does no harm.
 */
#include "net/container_mtu.h"

#include "net/link.h"
#include "net/netns.h"
#include "net/thread.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <netlink/route/link.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

SN_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put);
SN_DEFINE_CLEANUP(FILE *, endmntent);
SN_DEFINE_CLEANUP(DIR *, closedir);

struct work {
	struct container_end *ends;
	size_t n;
	int before, mtu;
};

/* What a thread does in one namespace. */
struct visit {
	const struct work *work;
	int fd;
	struct container_end *end;
};

static int set_mtu(struct netlink *nl, const struct work *work, struct container_end *end)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();
	struct link_info there;
	int r = link_get(nl, end->ifname, &there, &end->e);

	sn_require(link);
	if (r < 0)
		return r == -ENODEV ? 0 : r; /* it is about to be swept */
	if (memcmp(there.o.mac, end->mac, SN_MAC_SIZE) != 0 ||
	    (there.o.mtu <= work->mtu && there.o.mtu != work->before))
		return 0;
	rtnl_link_set_ifindex(link, there.index);
	rtnl_link_set_mtu(link, (unsigned)work->mtu);
	return link_send(nl, link, 0, &end->e);
}

static void *visit_thread(void *arg)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct visit *v = arg;
	struct sn_error *e = &v->end->e;

	if (setns(v->fd, CLONE_NEWNET) < 0)
		sn_error_set(e, -errno, "cannot enter: %s", sn_strerror(-errno));
	else if (netlink_new(NETLINK_ROUTE, &nl, e) == 0 && set_mtu(nl, v->work, v->end) == 0)
		e->code = 0;
	return NULL;
}

static void visit(const struct work *work, int fd, struct container_end *end)
{
	struct visit v = { .work = work, .fd = fd, .end = end };
	int r = thread_run(visit_thread, &v);

	end->visited = true;
	if (r < 0)
		sn_error_set(&end->e, r, "thread: %s", sn_strerror(r));
}

static bool is_wanted(const struct work *work, const struct stat *st)
{
	for (size_t i = 0; i < work->n; i++) {
		const struct container_end *end = &work->ends[i];

		if (!end->visited && end->netns_dev == st->st_dev && end->netns_ino == st->st_ino)
			return true;
	}
	return false;
}

/* A path that may lead to a namespace of ours; nothing is opened that is none. */
static void look_at(const struct work *work, int dir, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct netns_id id;
	struct sn_error e;
	struct stat st;

	if (fstatat(dir, path, &st, 0) < 0 || !is_wanted(work, &st))
		return;
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || netns_check(fd, &id, &e) < 0)
		return;
	for (size_t i = 0; i < work->n; i++) {
		struct container_end *end = &work->ends[i];

		if (!end->visited && end->netns_dev == id.dev && end->netns_ino == id.ino)
			visit(work, fd, end);
	}
}

static void look_at_mounts(const struct work *work)
{
	_cleanup_(endmntentp) FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char line[4096];

	while (mounts && getmntent_r(mounts, &entry, line, sizeof(line))) {
		if (streq(entry.mnt_type, "nsfs"))
			look_at(work, AT_FDCWD, entry.mnt_dir);
	}
}

static void look_at_processes(const struct work *work)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[sizeof(entry->d_name) + sizeof("/ns/net")];

	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%s/ns/net", entry->d_name);
		look_at(work, dirfd(proc), path);
	}
}

void container_mtu_set(struct container_end *ends, size_t n, int before, int mtu)
{
	const struct work work = { .ends = ends, .n = n, .before = before, .mtu = mtu };
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		ends[i].visited = false;
	look_at_mounts(&work);
	for (size_t i = 0; i < n; i++)
		left += !ends[i].visited;
	if (left > 0)
		look_at_processes(&work);
}
