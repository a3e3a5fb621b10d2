/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A settled mesh that follows the containers: of 50,000 single addresses one
 * comes, goes or moves, and the claims of all the others need not be settled
 * again. Private to the module.
 *
 * It is kept only where settling was a matter of course: nothing was refused, nobody was
 * replaced. Then no claim's right was asked for, what `before` said had no say,
 * and an address that overlaps with nobody's is its host's whatever the rest
 * is. As soon as there is anything to decide it is dropped, and draft_settle()
 * decides.
 */
#pragma once

#include "model/snapshot.h"

struct settled {
	struct snapshot *s; /* NULL: nothing is kept */
};

void settled_drop(struct settled *st);
/* Keeps a copy of what draft_settle() made, where it may. */
void settled_keep(struct settled *st, const struct snapshot *s);
/*
 * A single address that a host has, or has no more. False: that is for draft_settle() to decide,
 * and nothing is kept any more. An unknown host's counts for nothing.
 */
bool settled_put(struct settled *st, const char *host, const struct sn_addr *a);
bool settled_remove(struct settled *st, const char *host, const struct sn_addr *a);
