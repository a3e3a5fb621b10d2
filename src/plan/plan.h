/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: the ordered steps that turn the observed objects into the wanted
 * ones. Pure, deterministic, printable; nothing to do is an empty plan.
 *
 * Order: guard and unreachable routes first; then what must go, traffic
 * before machinery (routes to the peer, connection with its SAs, key, sysctl,
 * address, link); then what must come, machinery before traffic (link, sysctl,
 * address, key, connection, route). Unreachable routes, then guard tables, are
 * deleted last. Within a kind the order of the keys, masters before their ports.
 *
 * The veth of an attachment is made and deleted by attach alone, which has the
 * namespace: a plan only changes one that is there. A link that is of another
 * kind, or has another if_id, than wanted is deleted and made again.
 */
#pragma once

#include "plan/object.h"

enum plan_verb { PLAN_ADD, PLAN_CHANGE, PLAN_DELETE };

struct plan_step {
	enum plan_verb verb;
	const struct object *found;  /* borrowed from observed; NULL for PLAN_ADD */
	const struct object *wanted; /* borrowed from wanted; NULL for PLAN_DELETE */
};

struct plan {
	ARRAY(struct plan_step) steps;
};

/*
 * Both sets are sorted. known has an OBJECT_BIT for every kind whose
 * observation is complete: other kinds get no step at all (a host is never
 * changed on ignorance). Every object in observed is ours: who observes
 * leaves foreign ones out.
 */
void plan_build(const struct object_set *wanted, const struct object_set *observed, unsigned known,
		struct plan *ret);
/* Everything goes, the veths of attachments too: for cleanup. As plan_build(). */
void plan_build_removal(const struct object_set *observed, unsigned known, struct plan *ret);
void plan_fini(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_fini)
/* One line a step: "+ route …", "~ link snbr0: mtu 1500 instead of 1400", "- conn …". */
void plan_print(const struct plan *plan, struct strbuf *out);
void plan_step_print(const struct plan_step *step, struct strbuf *out);
