/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch belongs to the deleter while it is open (this turn's links), to the
 * worker from submit to done. The deleter knows every index in any batch.
 */
#include "net/link_delete.h"

#include "base/array.h"

#include <errno.h>
#include <net/if.h>
#include <linux/rtnetlink.h>

struct failure {
	int index;
	struct sn_error e;
};

struct link_deleter {
	struct loop *loop;
	struct loop_worker *worker;
	struct loop_deferred *deferred;
	void (*gone)(void *user);
	void *user;
	struct batch *open; /* NULL: nothing asked for in this turn */
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

static void done(void *job, bool finished)
{
	struct batch *b = job;
	struct link_deleter *d = b->owner;

	if (!finished)
		run(b);
	array_foreach(&b->links, index)
		forget_pending(d, *index);
	/* the last batch's only: the list stays bounded, who fails again tells again */
	array_free(&d->failures);
	array_foreach(&b->failures, failure)
		*array_add(&d->failures) = *failure;
	batch_free(b);
	if (d->gone)
		d->gone(d->user);
}

static void submit(void *user)
{
	struct link_deleter *d = user;

	if (d->open)
		loop_worker_submit(d->worker, sn_steal(d->open), run, done);
}

struct link_deleter *link_deleter_new(struct loop *loop, void (*gone)(void *user), void *user)
{
	struct link_deleter *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->gone = gone;
	d->user = user;
	d->deferred = loop_deferred_new(loop, submit, d);
	return d;
}

void link_deleter_free(struct link_deleter *d)
{
	if (!d)
		return;
	d->gone = NULL;
	loop_deferred_free(d->deferred);
	submit(d);
	loop_worker_free(d->worker);
	array_free(&d->pending);
	array_free(&d->failures);
	free(d);
}

void link_deleter_add(struct link_deleter *d, int index)
{
	if (link_deleter_has(d, index))
		return;
	/* most processes delete no link: no thread before the first */
	if (!d->worker)
		d->worker = loop_worker_new(d->loop);
	if (!d->open) {
		d->open = xcalloc(1, sizeof(*d->open));
		d->open->owner = d;
		loop_deferred_schedule(d->deferred);
	}
	*array_add(&d->open->links) = index;
	*array_add(&d->pending) = index;
}

bool link_deleter_has(const struct link_deleter *d, int index)
{
	array_foreach(&d->pending, p) {
		if (*p == index)
			return true;
	}
	return false;
}

int link_deleter_take_failure(struct link_deleter *d, int index, struct sn_error *e)
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

int link_delete_now(struct netlink *nl, int index, struct sn_error *e)
{
	union netlink_request req;
	struct ifinfomsg *ifi = netlink_begin(&req, RTM_DELLINK, 0, sizeof(*ifi));
	int r;

	ifi->ifi_index = index;
	r = netlink_order(nl, &req.h, e);
	return r == -ENODEV ? 0 : r;
}
