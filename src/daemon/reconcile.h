/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observe, plan, apply, observe again, until nothing is left to do; on every
 * change, and from time to time because the kernel and charon forget to tell.
 * The only place of the program that changes the host.
 *
 * One pass at a time. A request during a pass makes another one follow. Net
 * objects are observed and applied in a thread, for the kernel makes wait, charon's
 * by calls that end later; what is not known (charon away, a dump that failed) is left alone.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "daemon/troubles.h"
#include "ike/ike.h"
#include "loop/loop.h"
#include "net/net.h"
#include "plan/follow.h"

#define RECONCILE_DELAY_MS 10       /* requests gathered into one pass */
#define RECONCILE_IKE_MS 2000       /* charon's objects are looked at this often */
#define RECONCILE_FULL_MS 30000     /* everything */
#define RECONCILE_NOT_READY_MS 1000 /* tried again when no event says that it may work now */
#define RECONCILE_RETRY_MIN_MS 250  /* of what failed, and between passes while something does */
#define RECONCILE_RETRY_MAX_MS 10000

struct reconcile;

/* How what is wanted differs from what was when it was asked for last. */
struct reconcile_news {
	bool all;                    /* in any way; else as change says */
	struct wanted_change change; /* the reconcile loop's from then on */
};

struct reconcile_hooks {
	/*
	 * Before what is wanted is asked for: a look at the host, in the thread in which the
	 * kernel is looked at. prepare() is called in the loop's before; false: nothing is known.
	 */
	bool (*prepare)(void *user);
	void (*look_around)(void *user);
	/*
	 * What is wanted now; borrowed until the pass ends, or NULL when nothing is known
	 * (then nothing is changed; what was asked for is kept for the next pass, which the
	 * callee may ask for). *ret_news is zeroed before.
	 */
	const struct wanted *(*wanted)(void *user, struct reconcile_news *ret_news);
	/* NULL while there is none. */
	struct ike *(*ike)(void *user);
	/* A pass ended and everything that could be done is done. */
	void (*settled)(void *user);
	void *user;
};

struct reconcile *reconcile_new(struct loop *loop, struct net *net,
				const struct reconcile_hooks *hooks);
void reconcile_free(struct reconcile *r);
SN_DEFINE_CLEANUP(struct reconcile *, reconcile_free);
/*
 * Asks for a pass over these kinds. expected: what differs now is because the
 * intent changed or charon is new, not because somebody interfered.
 */
void reconcile_request(struct reconcile *r, unsigned kinds, bool expected);

/*
 * What is wanted may have changed: it is asked for soon. When all of it may be
 * another, all is looked at; when only routes of peers are (reconcile_news), those
 * are applied against what was wanted before, without looking at all the others.
 */
void reconcile_wanted_changed(struct reconcile *r);

/*
 * The kernel's part of a pass now, in this turn, for who has to answer with it
 * done: the one call that waits for the kernel. While something is applied it is only asked for.
 */
void reconcile_flush(struct reconcile *r);

/*
 * Objects of these kinds, and what is wanted of them, were just changed ahead of the passes: what
 * is being looked at may be the one without the other, and is not held against it. Asks for a pass.
 */
void reconcile_overtaken(struct reconcile *r, unsigned kinds);

/* For status, health and metrics. */
struct reconcile_status {
	uint64_t passes, changes, repairs;
	struct {
		uint64_t changes;  /* steps that were done, repairs among them */
		uint64_t repairs;  /* what somebody else had undone */
		uint64_t failures; /* steps that could not be done, each try counts */
	} kinds[OBJECT_KINDS];
	int64_t failing_since_ms; /* some object cannot be applied since; 0: none */
	bool guard_missing;       /* as of the last observation */
	char unread[256];         /* why some kinds could not be observed; "": they could */
	int64_t unread_since_ms;
	bool settled; /* the last pass found nothing to do but what is not ready */
	struct troubles troubles;
};
const struct reconcile_status *reconcile_get_status(const struct reconcile *r);
/*
 * What a pass would do now, as text, without doing it. Kernel objects are
 * observed now, charon's as of the last pass; what is not known is said, a line each.
 * 0, or -EAGAIN with e while the first pass has not looked yet.
 */
int reconcile_preview(struct reconcile *r, struct strbuf *out, size_t *ret_steps,
		      struct sn_error *e);
