/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the planner asks of charon, as calls over vici: to observe connections
 * and keys, and to carry out one step on one of them. An operation may take
 * several calls; they go out together and are answered in order.
 */
#pragma once

#include "ike/ike.h"
#include "ike/vici.h"

struct steps;

/* secrets, mesh_id and self are borrowed for ever. */
struct steps_settings {
	const struct secrets *secrets;
	const char *mesh_id;
	const char *self;
};

struct steps *steps_new(struct loop *loop, const struct steps_settings *settings);
/* Forgets what is under way: no callback comes. Before vici is gone or after it. */
void steps_free(struct steps *s);
void steps_set_secrets(struct steps *s, const struct secrets *secrets);

/* vici NULL: charon is away. Callbacks never come inside these. */
void steps_observe(struct steps *s, struct vici *vici, ike_observed_fn fn, void *user);
void steps_apply(struct steps *s, struct vici *vici, const struct plan_step *step, ike_done_fn fn,
		 void *user);
/* vici was closed: what waits for its answers fails, each in a turn of its own. */
void steps_fail(struct steps *s, const char *why);
