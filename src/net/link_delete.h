/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links on their way out. The kernel takes 15 to 30 ms to delete one, inside
 * sendmsg(2), but hardly more for many in one request; so the links of one
 * batch are handed to a worker thread together, which sets them down, takes
 * them from their master, puts them into a group and deletes the group
 * (rtnetlink(7), IFLA_GROUP).
 *
 * What is on its way out is hidden from observation. A link that could not
 * be deleted is seen again, is asked to go again, and that request then
 * tells why it failed before.
 */
#pragma once

#include "loop/loop.h"
#include "net/netlink.h"

/*
 * As many go in one request. The kernel holds its lock meanwhile, and the loop
 * waits for it at its next question: measured with pairs of veths, 8 hold it
 * for 5 to 7 ms (100 links in 0.3 s), 32 for up to 20 ms (0.1 s).
 */
#define LINK_DELETE_AT_ONCE 8

struct link_deleter;

/*
 * link_deleter_new(), _submit() and _free() belong to the thread of the loop; the others may be
 * called in any, one at a time.
 */
/* gone() tells, in a turn of its own, that some links have gone or failed to. */
struct link_deleter *link_deleter_new(struct loop *loop, void (*gone)(void *user), void *user);
/* Waits for the deletions that were asked for: a cleanup ends clean. */
void link_deleter_free(struct link_deleter *d);
/* The link with this index is to go with the next link_deleter_submit(); once more is once. */
void link_deleter_add(struct link_deleter *d, int index);
/* Those added since the last one go. */
void link_deleter_submit(struct link_deleter *d);
/* True while it is on its way out. */
bool link_deleter_has(struct link_deleter *d, int index);
/* Why the last try failed, told once: a negative errno with e, or 0. */
int link_deleter_take_failure(struct link_deleter *d, int index, struct sn_error *e);

/*
 * Deletes one link and returns when its name is free, with its veth peer's:
 * within a millisecond or two, long before the kernel has taken it apart. 0,
 * also when there is none, or a negative errno with e.
 */
int link_vanish(int index, struct sn_error *e);
