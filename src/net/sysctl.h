/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings below /proc/sys/net. They are the host's, not ours, so what one
 * was before our first write is on disk (state_dir/sysctls.json) before that
 * write, and a deletion puts it back if the value is still ours.
 *
 * A setting of a link of ours goes with the link and leaves no record.
 */
#pragma once

#include "net/netlink.h"
#include "plan/object.h"
#include "plan/plan.h"

/*
 * More records than any plan makes; a longer file is not ours. Each is read below
 * /proc/sys at every look at the kernel, in a turn of the loop.
 */
#define SYSCTL_RECORDS_MAX 256
#define SYSCTL_FILE_LIMIT (128 * 1024)

struct sysctls;

/* Reads the record; no file is an empty one. 0 or a negative errno with e (a file that is no
 * record). */
int sysctls_load(const char *state_dir, struct sysctls **ret, struct sn_error *e);
void sysctls_free(struct sysctls *s);
SN_DEFINE_CLEANUP(struct sysctls *, sysctls_free);

/*
 * Those named in also and those recorded. A recorded one whose file is gone
 * has the value "", so that a plan that does not want it lets go of it.
 */
int sysctl_observe(struct sysctls *s, const struct object_set *also, struct object_set *ret,
		   struct sn_error *e);
/* As net_apply(); NET_NOT_READY while there is no such file (its interface is not there). */
int sysctl_apply(struct sysctls *s, struct netlink *nl, const struct plan_step *step,
		 struct sn_error *e);

/* What it was before our first write: the record's old value, else the one it has. As
 * sysctl_read(). */
int sysctl_original(struct sysctls *s, const char *path, char *ret, size_t size);

/* It is recorded and has the value that we gave it. */
bool sysctl_is_ours(struct sysctls *s, const char *path);

/* The value without its line feed. 0, or a negative errno: -EINVAL for a path that is none. */
int sysctl_read(const char *path, char *ret, size_t size);
