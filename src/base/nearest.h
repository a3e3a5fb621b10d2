/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody probably meant by a word that is none: offer it every word
 * there is, then ask.
 *
 *	struct nearest n = { .word = argv[1] };
 *	for (…)
 *		nearest_offer(&n, verbs[i].name);
 *	error("there is no verb '%s'%s", argv[1], NEAREST_HINT(&n));
 */
#pragma once

#include "base/util.h"

/* Longer words are nobody's slip of a finger. */
#define NEAREST_MAX 64
#define NEAREST_HINT_SIZE (NEAREST_MAX + 32)

struct nearest {
	const char *word; /* borrowed, as all that is offered */
	const char *best; /* NULL: nothing near yet */
	unsigned cost;
};

/*
 * Near is: up to a third of the letters (at least one) missing, too many, wrong or two of them
 * exchanged (the optimal string alignment distance; case does not count, '_' is '-'), or the
 * word is the beginning of what is known. The nearest wins, of equals the first.
 */
void nearest_offer(struct nearest *n, const char *known);
/* "; did you mean 'status'?", or "" when nothing is near; gives ret. */
const char *nearest_hint(const struct nearest *n, char ret[static NEAREST_HINT_SIZE]);
#define NEAREST_HINT(n) nearest_hint(n, (char[NEAREST_HINT_SIZE]){ 0 })
