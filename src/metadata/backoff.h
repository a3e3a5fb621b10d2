/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long to wait before the next try. Pure: chance is an argument.
 */
#pragma once

#include "base/util.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MOST_MS 5000

/* Zero-initialised: nothing failed yet. */
struct backoff {
	unsigned failures;
};

/*
 * One more failure: BACKOFF_FIRST_MS, doubled for each failure before it up to
 * BACKOFF_MOST_MS, and of that between a half and the whole as `chance` has
 * it (a mesh of clients must not come back in step).
 */
static inline int64_t backoff_next(struct backoff *b, uint32_t chance)
{
	int64_t ms = BACKOFF_FIRST_MS;

	for (unsigned i = 0; i < b->failures && ms < BACKOFF_MOST_MS; i++)
		ms *= 2;
	ms = SN_MIN(ms, BACKOFF_MOST_MS);
	if (b->failures < 64)
		b->failures++;
	return ms / 2 + (int64_t)chance % (ms / 2 + 1);
}

static inline void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
