/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers that run follow the MTU: when the underlay's changes, or the
 * configured one, their interfaces get it, too. Otherwise they would send what
 * the host's end of the pair drops. Done by the worker: it has to find their
 * namespaces (net/container_mtu.h).
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "net/container_mtu.h"

struct job {
	struct container_end *ends;
	char (*ids)[ATTACHMENT_ID_SIZE]; /* of ends[i], for people */
	size_t n;
	int before, mtu;
};

static void run(void *job)
{
	struct job *j = job;

	container_mtu_set(j->ends, j->n, j->before, j->mtu);
}

static void done(void *job, bool finished)
{
	struct job *j = job;

	for (size_t i = 0; finished && i < j->n; i++) {
		const struct container_end *end = &j->ends[i];

		/* a smaller one than it could have harms nobody */
		if (j->before < j->mtu || (end->visited && end->e.code == 0))
			continue;
		log_warning("attachment %s: the container's %s may still have an MTU of %d, over "
			    "the %d that get through: %s; set it there, or attach it anew",
			    j->ids[i], end->ifname, j->before, j->mtu,
			    end->visited ? end->e.text : "its network namespace was not found");
	}
	free(j->ends);
	free(j->ids);
	free(j);
}

void containers_follow_mtu(struct daemon *d)
{
	int mtu = daemon_mtu(d);
	size_t n;
	const struct attachment *all = attachments_all(d->attachments, &n);
	struct job *job;

	if (mtu == d->containers_mtu)
		return;
	job = xcalloc(1, sizeof(*job));
	job->before = d->containers_mtu;
	job->mtu = d->containers_mtu = mtu;
	job->ends = xcalloc(n + 1, sizeof(*job->ends));
	job->ids = xcalloc(n + 1, sizeof(*job->ids));
	for (size_t i = 0; i < n; i++) {
		struct container_end *end = &job->ends[job->n];

		if (!all[i].ready)
			continue;
		end->netns_dev = all[i].netns_dev;
		end->netns_ino = all[i].netns_ino;
		memcpy(end->ifname, all[i].ifname, sizeof(end->ifname));
		memcpy(end->mac, all[i].mac, sizeof(end->mac));
		memcpy(job->ids[job->n++], all[i].id, sizeof(*job->ids));
	}
	loop_worker_submit(d->worker, job, run, done);
}
