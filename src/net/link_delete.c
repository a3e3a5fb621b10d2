/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch belongs to the deleter while it is open, to the worker from submit to
 * done. The deleter knows every index in any batch.
 */
#include "net/link_delete.h"

#include "base/array.h"
#include "net/thread.h"

#include <errno.h>
#include <net/if.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

/* --- many links, by the worker --------------------------------------------------- */

struct failure {
	int index;
	struct sn_error e;
};

struct link_deleter {
	struct loop *loop;
	struct loop_worker *worker;
	void (*gone)(void *user);
	void *user;
	pthread_mutex_t lock; /* of what follows */
	struct batch *open;   /* NULL: nothing asked for since the last was submitted */
	ARRAY(int) pending;
	ARRAY(struct failure) failures;
};

struct batch {
	struct link_deleter *owner;
	ARRAY(int) links;
	ARRAY(struct failure) failures;
};

static void batch_free(struct batch *b)
{
	array_free(&b->links);
	array_free(&b->failures);
	free(b);
}

/* One message; a link that somebody else deleted meanwhile is fine. */
static int set_aside(struct netlink *nl, int index, uint32_t group, struct sn_error *e)
{
	union netlink_request req;
	struct ifinfomsg *ifi = netlink_begin(&req, RTM_NEWLINK, 0, sizeof(*ifi));
	int r;

	ifi->ifi_index = index;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_u32(&req.h, IFLA_MASTER, 0);
	mnl_attr_put_u32(&req.h, IFLA_GROUP, group);
	r = netlink_order(nl, &req.h, e);
	return r == -ENODEV ? 0 : r;
}

static int delete_group(struct netlink *nl, uint32_t group, struct sn_error *e)
{
	union netlink_request req;
	int r;

	netlink_begin(&req, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(&req.h, IFLA_GROUP, group);
	r = netlink_order(nl, &req.h, e);
	return r == -ENODEV ? 0 : r;
}

static void batch_fail(struct batch *b, int index, const struct sn_error *e)
{
	*array_add(&b->failures) = (struct failure){ .index = index, .e = *e };
}

/*
 * The group's number is random: it must hold nothing but these links, not
 * those that a dead process of ours left in one.
 */
static void delete_some(struct batch *b, struct netlink *nl, const int *links, size_t n)
{
	uint32_t group = 0x40000000 + sn_random_below(0x20000000);
	struct sn_error e;
	size_t aside = 0;

	for (size_t i = 0; i < n; i++) {
		if (set_aside(nl, links[i], group, &e) < 0)
			batch_fail(b, links[i], &e);
		else
			aside++;
	}
	if (aside == 0 || delete_group(nl, group, &e) == 0)
		return;
	for (size_t i = 0; i < n; i++)
		batch_fail(b, links[i], &e);
}

static void run(void *job)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	struct batch *b = job;
	struct sn_error e;

	if (netlink_new(NETLINK_ROUTE, &nl, &e) < 0) {
		array_foreach(&b->links, index)
			batch_fail(b, *index, &e);
		return;
	}
	for (size_t i = 0; i < b->links.n; i += LINK_DELETE_AT_ONCE)
		delete_some(b, nl, &b->links.v[i], SN_MIN(b->links.n - i, LINK_DELETE_AT_ONCE));
}

static void forget_pending(struct link_deleter *d, int index)
{
	for (size_t i = 0; i < d->pending.n; i++) {
		if (d->pending.v[i] == index) {
			array_remove(&d->pending, i);
			return;
		}
	}
}

/* The last batch's failures only: the list stays bounded, who fails again tells again. */
static void note_end(struct link_deleter *d, const struct batch *b)
{
	pthread_mutex_lock(&d->lock);
	array_foreach(&b->links, index)
		forget_pending(d, *index);
	array_free(&d->failures);
	array_foreach(&b->failures, failure)
		*array_add(&d->failures) = *failure;
	pthread_mutex_unlock(&d->lock);
}

static void done(void *job, bool finished)
{
	struct batch *b = job;
	struct link_deleter *d = b->owner;

	if (!finished)
		run(b);
	note_end(d, b);
	batch_free(b);
	if (d->gone)
		d->gone(d->user);
}

struct link_deleter *link_deleter_new(struct loop *loop, void (*gone)(void *user), void *user)
{
	struct link_deleter *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->gone = gone;
	d->user = user;
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void link_deleter_free(struct link_deleter *d)
{
	if (!d)
		return;
	d->gone = NULL;
	link_deleter_submit(d);
	loop_worker_free(d->worker);
	array_free(&d->pending);
	array_free(&d->failures);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static bool is_pending(const struct link_deleter *d, int index)
{
	array_foreach(&d->pending, p) {
		if (*p == index)
			return true;
	}
	return false;
}

void link_deleter_add(struct link_deleter *d, int index)
{
	pthread_mutex_lock(&d->lock);
	if (!is_pending(d, index)) {
		if (!d->open) {
			d->open = xcalloc(1, sizeof(*d->open));
			d->open->owner = d;
		}
		*array_add(&d->open->links) = index;
		*array_add(&d->pending) = index;
	}
	pthread_mutex_unlock(&d->lock);
}

void link_deleter_submit(struct link_deleter *d)
{
	struct batch *b;

	pthread_mutex_lock(&d->lock);
	b = sn_steal(d->open);
	pthread_mutex_unlock(&d->lock);
	if (!b)
		return;
	/* most processes delete no link: no thread before the first */
	if (!d->worker)
		d->worker = loop_worker_new(d->loop);
	loop_worker_submit(d->worker, b, run, done);
}

bool link_deleter_has(struct link_deleter *d, int index)
{
	bool has;

	pthread_mutex_lock(&d->lock);
	has = is_pending(d, index);
	pthread_mutex_unlock(&d->lock);
	return has;
}

static int take_failure(struct link_deleter *d, int index, struct sn_error *e)
{
	for (size_t i = 0; i < d->failures.n; i++) {
		if (d->failures.v[i].index != index)
			continue;
		*e = d->failures.v[i].e;
		array_remove(&d->failures, i);
		return e->code;
	}
	return 0;
}

int link_deleter_take_failure(struct link_deleter *d, int index, struct sn_error *e)
{
	int r;

	pthread_mutex_lock(&d->lock);
	r = take_failure(d, index, e);
	pthread_mutex_unlock(&d->lock);
	return r;
}

/* --- one link, seen off -------------------------------------------------------- */

/* Of the thread that waits in the kernel; `end` gets the result, if anybody still reads. */
struct farewell {
	int index;
	int end;
};

static void *delete_thread(void *arg)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	_cleanup_free_ struct farewell *f = arg;
	_cleanup_close_ int end = f->end;
	union netlink_request req;
	struct ifinfomsg *ifi = netlink_begin(&req, RTM_DELLINK, 0, sizeof(*ifi));
	struct sn_error e = { 0 };

	ifi->ifi_index = f->index;
	if (netlink_new(NETLINK_ROUTE, &nl, &e) == 0 && netlink_order(nl, &req.h, &e) == 0)
		e.code = 0;
	send(end, &e, sizeof(e), MSG_NOSIGNAL);
	return NULL;
}

/* The thread and the other end of its socket. 0 or a negative errno with e. */
static int begin_farewell(int index, int *ret_end, struct sn_error *e)
{
	struct farewell *f = xcalloc(1, sizeof(*f));
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(f);
		return sn_error_set(e, -errno, "socket pair: %s", sn_strerror(-errno));
	}
	*f = (struct farewell){ .index = index, .end = pair[1] };
	r = thread_leave(delete_thread, f);
	if (r < 0) {
		close(pair[0]);
		close(pair[1]);
		free(f);
		return sn_error_set(e, r, "thread: %s", sn_strerror(r));
	}
	*ret_end = pair[0];
	return 0;
}

/* A port is also said to leave its bridge, in the same group: that is not yet it. */
static bool is_gone(struct mnl_socket *events, int index)
{
	char buffer[16384] __attribute__((aligned(8)));
	ssize_t n = mnl_socket_recvfrom(events, buffer, sizeof(buffer));
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buffer;
	int left = (int)n;

	for (; n > 0 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type == RTM_DELLINK &&
		    mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifi) &&
		    ifi->ifi_family == AF_UNSPEC && ifi->ifi_index == index)
			return true;
	}
	return false;
}

/*
 * Whichever comes first: the kernel's word that the link is gone, or the end
 * of the thread. Events may be lost (ENOBUFS); the end is not.
 */
static int wait_gone(struct mnl_socket *events, int end, int index, struct sn_error *e)
{
	struct pollfd fds[2] = { { .fd = mnl_socket_get_fd(events), .events = POLLIN },
				 { .fd = end, .events = POLLIN } };
	int64_t limit = sn_now_ms() + NETLINK_TIMEOUT_MS;

	for (;;) {
		int64_t left = limit - sn_now_ms();
		int n = left > 0 ? poll(fds, 2, (int)left) : 0;

		if (n == 0)
			return sn_error_set(e, -ETIMEDOUT, "the kernel did not delete it in %d ms",
					    NETLINK_TIMEOUT_MS);
		if (n > 0 && fds[1].revents)
			break;
		if (n > 0 && fds[0].revents && is_gone(events, index))
			return 0;
	}
	if (recv(end, e, sizeof(*e), 0) != sizeof(*e))
		return sn_error_set(e, -EIO, "the deleting thread said nothing");
	return e->code;
}

int link_vanish(int index, struct sn_error *e)
{
	struct mnl_socket *events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	_cleanup_close_ int end = -1;
	int r = 0;

	if (!events || mnl_socket_bind(events, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		r = sn_error_set(e, -errno, "netlink events: %s", sn_strerror(-errno));
	if (r == 0)
		r = begin_farewell(index, &end, e);
	if (r == 0)
		r = wait_gone(events, end, index, e);
	if (events)
		mnl_socket_close(events);
	return r == -ENODEV ? 0 : r;
}
