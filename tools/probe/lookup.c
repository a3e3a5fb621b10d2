/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread and the loop share a struct job, which the last of both frees. The
 * thread says that it is done by closing its end of a pipe.
 */
#include "lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>

struct job {
	char *name;
	struct addrinfo hints;
	int pipe; /* the thread's end */
	int result;
	struct addrinfo *found;
	unsigned users; /* atomic */
};

struct lookup {
	struct loop *loop;
	lookup_fn fn;
	void *user;
	struct job *job;
	int pipe;
	struct loop_io *io;
	struct loop_timer *limit;
	bool is_address; /* found without a thread */
	struct sn_error e;
};

static void job_unref(struct job *j)
{
	if (__atomic_sub_fetch(&j->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (j->found)
		freeaddrinfo(j->found);
	free(j->name);
	free(j);
}

static void *work(void *user)
{
	struct job *j = user;
	int fd = j->pipe;

	j->result = getaddrinfo(j->name, NULL, &j->hints, &j->found);
	if (j->result != 0)
		j->found = NULL;
	job_unref(j);
	close(fd);
	return NULL;
}

static int explain(int result, struct sn_error *e)
{
	if (result == EAI_AGAIN || result == EAI_FAIL)
		return sn_error_set(e, -EAGAIN,
				    "the name servers do not answer: give an address, or see "
				    "/etc/resolv.conf");
	if (result == EAI_NONAME || result == EAI_NODATA || result == EAI_ADDRFAMILY)
		return sn_error_set(e, -ENOENT, "there is no such name (or it has no address)");
	return sn_error_set(e, -EIO, "look-up: %s", gai_strerror(result));
}

static void tell(struct lookup *l, int result, const struct addrinfo *found)
{
	struct sockaddr_storage addresses[LOOKUP_ADDRESSES] = { 0 };
	size_t n = 0;

	for (const struct addrinfo *i = found; i && n < LOOKUP_ADDRESSES; i = i->ai_next)
		memcpy(&addresses[n++], i->ai_addr, i->ai_addrlen);
	if (n == 0 && l->e.code == 0)
		explain(result, &l->e);
	l->fn(addresses, n, &l->e, l->user);
}

static void on_done(int fd, unsigned events, void *user)
{
	struct lookup *l = user;

	(void)fd;
	(void)events;
	loop_io_set(l->io, 0);
	loop_timer_cancel(l->limit);
	tell(l, l->job->result, l->job->found);
}

static void on_limit(void *user)
{
	struct lookup *l = user;

	if (l->io)
		loop_io_set(l->io, 0);
	if (l->is_address) {
		tell(l, 0, l->job->found);
		return;
	}
	if (l->e.code == 0)
		sn_error_set(&l->e, -ETIMEDOUT,
			     "the name servers do not answer within %d s: give an address, or see "
			     "/etc/resolv.conf",
			     LOOKUP_LIMIT_MS / 1000);
	tell(l, 0, NULL);
}

/* What the thread needs: a pipe and itself. */
static int start_thread(struct lookup *l)
{
	int ends[2], r;
	pthread_attr_t attr;
	pthread_t thread;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	l->pipe = ends[0];
	l->job->pipe = ends[1];
	l->job->users++;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, work, l->job);
	pthread_attr_destroy(&attr);
	if (r == 0)
		return 0;
	l->job->users--;
	close(ends[1]);
	return -r;
}

/* Whatever it is, there is an answer: an address, or why there is none. */
static void start(struct lookup *l, bool numeric)
{
	struct job *j = l->job;
	int r;

	j->hints.ai_flags = AI_NUMERICHOST;
	j->result = getaddrinfo(j->name, NULL, &j->hints, &j->found);
	l->is_address = j->result == 0;
	if (j->result != 0)
		j->found = NULL;
	if (!l->is_address && numeric)
		sn_error_set(&l->e, -EINVAL, "not an address%s, and -n allows no name",
			     j->hints.ai_family == AF_INET    ? " of IPv4"
			     : j->hints.ai_family == AF_INET6 ? " of IPv6"
							      : "");
	if (l->is_address || numeric) {
		loop_timer_set(l->limit, 0);
		return;
	}
	j->hints.ai_flags = AI_ADDRCONFIG;
	r = start_thread(l);
	if (r < 0)
		sn_error_set(&l->e, r, "look-up: %s", sn_strerror(r));
	else
		l->io = loop_io_new(l->loop, l->pipe, LOOP_READ, on_done, l);
	loop_timer_set(l->limit, r < 0 ? 0 : LOOKUP_LIMIT_MS);
}

struct lookup *lookup_new(struct loop *loop, const char *name, int family, bool numeric,
			  lookup_fn fn, void *user)
{
	struct lookup *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->fn = fn;
	l->user = user;
	l->pipe = -1;
	l->limit = loop_timer_new(loop, on_limit, l);
	l->job = xcalloc(1, sizeof(*l->job));
	l->job->users = 1;
	l->job->name = xstrdup(name);
	l->job->hints = (struct addrinfo){ .ai_family = family, .ai_socktype = SOCK_DGRAM };
	start(l, numeric);
	return l;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	if (l->io)
		loop_io_free(l->io);
	loop_timer_free(l->limit);
	if (l->pipe >= 0)
		close(l->pipe);
	job_unref(l->job);
	free(l);
}
