/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How what is wanted follows the mesh when nothing but prefixes of peers has
 * changed: in the flat plan each container that comes, goes or moves does
 * that, and fifty thousand others stay where they are. Only the routes that
 * differ become work; the result is what dataplane->want() makes from nothing.
 */
#pragma once

#include "plan/dataplane.h"

/* The routes that differ; both sorted. One in both has another way, or none of its own. */
struct wanted_change {
	struct object_set gone, come;
};
void wanted_change_fini(struct wanted_change *c);

/*
 * *w is what plane->want() made, whole, from an intent that had this snapshot `before`
 * and was the same otherwise. True: *w is now that of the intent, and *ret the
 * difference. False: more than prefixes of peers has changed, or they decide
 * of more than routes in this data plane; *w is as it was and *ret empty.
 */
bool wanted_follow(const struct dataplane *plane, const struct intent *intent,
		   const struct snapshot *before, struct wanted *w, struct wanted_change *ret);
