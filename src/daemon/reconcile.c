/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pass looks AROUND at the host, then what is wanted is asked for; it is LOOKING at the kernel,
 * plans, and goes on APPLYING, step after step; one that charon does ends in a callback. What waits
 * in the kernel is done by `hand`, a thread: for as long as `handed` is set, net, `observed`,
 * `known` and `outcomes` are the thread's, and plan and wanted stay as they are. `observed` and
 * `plan` live from the begin of a pass to its end, for the plan's steps borrow from both sets.
 * charon is asked for its objects (`looking`) beside the passes, for a charon that hangs must not
 * keep the guard from being repaired: what it answers begins a pass of its own.
 *
 * A change of some routes of peers is a plan of its own: from what was wanted, which
 * is what the kernel has as far as known, to what is. It is not looked at again
 * behind it: the kernel has answered each step, and the full pass comes anyway.
 *
 * Who repairs must not fight for ever: a pass that changed something is
 * followed by one that checks; when that still finds the same work, or an
 * object cannot be applied, the next try waits, twice as long each time.
 */
#include "daemon/reconcile.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

/* What became of net steps is noted for so long in one turn; the loop goes on in between. */
#define BUDGET_MS 8
/* The hand comes back from applying after so long, or so many steps. */
#define HAND_MS 100
#define HAND_STEPS 4096
/* Passes that follow each other at once before somebody else must be undoing them. */
#define MAX_ROUNDS 5

enum phase { IDLE, AROUND, LOOKING, APPLYING };

/* Of a net step. */
struct outcome {
	int result;
	char *text; /* why it failed, NULL: it did not */
};

struct reconcile {
	struct loop *loop;
	struct net *net;
	struct reconcile_hooks hooks;
	struct loop_timer *timer;     /* the next pass */
	int64_t due;                  /* when timer ends, while it is set */
	struct loop_timer *ike_timer; /* the periodic looks */
	struct loop_timer *full_timer;
	struct loop_deferred *go_on; /* the next step of an APPLYING pass */

	struct loop_worker *hand;
	bool handed; /* it works */
	bool ending;

	enum phase phase;
	unsigned only;      /* AROUND: kinds that this pass may be over; kinds: those asked for */
	unsigned asked;     /* kinds of the next pass */
	bool asked_wanted;  /* and to ask what is wanted */
	unsigned kinds;     /* of this one */
	unsigned known;     /* those of them that could be observed */
	unsigned overtaken; /* LOOKING: those whose look does not count */
	unsigned pending;   /* those with an object that is not ready or failed */
	unsigned expected;  /* kinds whose differences are no interference */
	unsigned rounds;    /* passes in a row that changed something */
	int64_t retry_ms;

	const struct wanted *wanted;
	struct wanted_change change;    /* of this pass: routes that are not looked at */
	struct object_set observed;     /* this pass */
	char unread[256];               /* why some of it could not be; "": it could */
	struct object_set observed_ike; /* as of the last look, for the preview */
	unsigned known_ike;
	bool of_ike;  /* this pass is over charon's objects too */
	bool looking; /* charon is asked */
	bool fresh;   /* it has answered since the last pass over its objects */
	bool guarded; /* as far as known the wanted tables are in the kernel */
	struct plan plan;
	size_t next;                    /* step whose outcome is not noted yet */
	ARRAY(struct outcome) outcomes; /* of the steps from `next` on */
	size_t noted;                   /* of them */
	size_t changed, failed, not_ready;
	struct reconcile_status status;
};

/* --- what is in the way --------------------------------------------------- */

static const struct object *object_of(const struct plan_step *step)
{
	return step->wanted ? step->wanted : step->found;
}

static char *name_of(const struct plan_step *step)
{
	struct strbuf b = STRBUF_INIT;

	object_add_name(object_of(step), &b);
	return strbuf_steal(&b);
}

/* text NULL: not ready. Logs a failure when it is new or another one. */
static void note_trouble(struct reconcile *r, const struct plan_step *step, const char *text)
{
	_cleanup_free_ char *object = name_of(step);

	if (!troubles_note(&r->status.troubles, object_of(step), object, text, loop_now(r->loop)))
		return;
	if (text)
		log_write_fields(LOG_LEVEL_ERROR, LOG_FIELDS({ "object", object }), "%s: %s",
				 object, text);
	else
		log_debug("%s: not ready yet", object);
}

static void clear_trouble(struct reconcile *r, const struct plan_step *step)
{
	_cleanup_free_ char *object = name_of(step);
	const struct trouble *t = troubles_find(&r->status.troubles, object);

	if (t && t->text)
		log_write_fields(LOG_LEVEL_NOTICE, LOG_FIELDS({ "object", object }),
				 "%s: works now", object);
	troubles_clear(&r->status.troubles, object);
}

static void note_failing(struct reconcile *r)
{
	int64_t since = 0;

	array_foreach(&r->status.troubles.all, t)
		if (t->text && (!since || t->since_ms < since))
			since = t->since_ms;
	r->status.failing_since_ms = since;
}

/* --- log ------------------------------------------------------------------ */

/* What differs because something else is wanted, not because somebody interfered. */
static bool is_expected(const struct reconcile *r, enum object_kind kind)
{
	/* a kind that was not looked at is there for the change alone */
	return (r->expected & OBJECT_BIT(kind)) || !(r->known & OBJECT_BIT(kind));
}

static void log_step(const struct reconcile *r, const struct plan_step *step)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_free_ char *name = name_of(step);
	enum object_kind kind = object_of(step)->kind;
	const struct log_field about[] = { { "object", name },
					   { "kind", object_kind_to_string(kind) },
					   { NULL, NULL } };

	if (is_expected(r, kind)) {
		plan_step_print(step, &b);
		log_write_fields(LOG_LEVEL_INFO, about, "done: %s", strbuf_str(&b));
		return;
	}
	strbuf_adds(&b, name);
	switch (step->verb) {
	case PLAN_ADD:
		strbuf_adds(&b, " was gone; made it again");
		break;
	case PLAN_CHANGE:
		strbuf_adds(&b, " was changed by somebody (");
		object_add_difference(step->found, step->wanted, &b);
		strbuf_adds(&b, "); set it right");
		break;
	case PLAN_DELETE:
		strbuf_adds(&b, " was there though nobody wants it; removed it");
		break;
	}
	log_write_fields(LOG_LEVEL_NOTICE, about, "repaired: %s", strbuf_str(&b));
}

static void count_step(struct reconcile *r, const struct plan_step *step)
{
	enum object_kind kind = object_of(step)->kind;
	bool repair = !is_expected(r, kind);

	r->status.changes++;
	r->status.repairs += repair;
	r->status.kinds[kind].changes++;
	r->status.kinds[kind].repairs += repair;
}

/* --- the pass ------------------------------------------------------------- */

/* The next pass begins after delay_ms, if not sooner. */
static void pass_within(struct reconcile *r, int64_t delay_ms)
{
	int64_t due = loop_now(r->loop) + delay_ms;

	if (loop_timer_is_set(r->timer) && r->due <= due)
		return;
	r->due = due;
	loop_timer_set(r->timer, delay_ms);
}

/* Somebody undoes what we do, at once and again and again. */
static bool is_fighting(const struct reconcile *r)
{
	return r->rounds > MAX_ROUNDS;
}

/*
 * How soon a request that came by itself is served: at once, but for the sake
 * of an object that cannot be applied not too often. One such object must
 * not make a guard that somebody flushed wait.
 */
static int64_t request_delay(const struct reconcile *r)
{
	return r->retry_ms ? RECONCILE_RETRY_MIN_MS : RECONCILE_DELAY_MS;
}

static int64_t next_retry(struct reconcile *r)
{
	r->retry_ms = r->retry_ms ? SN_MIN(r->retry_ms * 2, (int64_t)RECONCILE_RETRY_MAX_MS)
				  : RECONCILE_RETRY_MIN_MS;
	return r->retry_ms;
}

/* Routes of the change are in this pass' plan. */
static bool has_change(const struct reconcile *r)
{
	return r->change.gone.o.n || r->change.come.o.n;
}

/* What is not finished goes into the next pass, whoever else asked for it. */
static void plan_next_pass(struct reconcile *r)
{
	bool asked = r->asked || r->asked_wanted;

	if (r->failed || r->changed || r->not_ready)
		r->asked |= r->kinds;
	if (has_change(r) && (r->failed || r->not_ready))
		r->asked |= OBJECT_BIT(OBJECT_ROUTE);
	if (r->failed || (r->kinds && r->changed && ++r->rounds > MAX_ROUNDS))
		pass_within(r, next_retry(r));
	else if (r->kinds && r->changed)
		pass_within(r, RECONCILE_DELAY_MS);
	else if (r->not_ready)
		pass_within(r, RECONCILE_NOT_READY_MS);
	if (asked && !is_fighting(r))
		pass_within(r, request_delay(r));
}

static void end_pass(struct reconcile *r)
{
	bool settled = r->failed == 0 && (r->changed == 0 || !r->kinds);

	/* each step was done, or named in its way; other objects are in nobody's way */
	troubles_end_pass(&r->status.troubles, r->known);
	note_failing(r);
	plan_fini(&r->plan);
	object_set_fini(&r->observed);
	r->phase = IDLE;
	r->status.passes++;
	r->status.settled = settled;
	/* from here on a difference is somebody else's doing */
	if (!r->changed)
		r->expected &= ~(r->known & ~r->pending);
	if (settled && !r->asked) {
		r->rounds = 0;
		r->retry_ms = 0;
	}
	plan_next_pass(r);
	wanted_change_fini(&r->change);
	r->hooks.settled(r->hooks.user);
}

/* text: why it failed. */
static void step_done(struct reconcile *r, const struct plan_step *step, int result,
		      const char *text)
{
	if (result != 0)
		r->pending |= OBJECT_BIT(object_of(step)->kind);
	if (result == 0) {
		r->changed++;
		clear_trouble(r, step);
		count_step(r, step);
		log_step(r, step);
	} else if (result > 0) {
		r->not_ready++;
		note_trouble(r, step, NULL);
	} else {
		r->failed++;
		r->status.kinds[object_of(step)->kind].failures++;
		note_trouble(r, step, text);
	}
}

/* One step on the kernel. The guard stands before anything that lets packets out is made. */
static void apply_net(struct reconcile *r, const struct plan_step *step)
{
	struct sn_error e = { 0 };
	int result = NET_NOT_READY;

	if (r->guarded || step->verb == PLAN_DELETE || object_is_guard(step->wanted))
		result = net_apply(r->net, step, &e);
	/* a table that cannot be changed is still there, one that cannot be added is not */
	if (result < 0 && step->verb == PLAN_ADD && step->wanted->kind == OBJECT_NFT &&
	    object_is_guard(step->wanted))
		r->guarded = false;
	*array_add(&r->outcomes) = (struct outcome){ result, result < 0 ? xstrdup(e.text) : NULL };
}

static void on_ike_done(int result, const struct sn_error *e, void *user)
{
	struct reconcile *r = user;

	step_done(r, &r->plan.steps.v[r->next++], result, e->text);
	loop_deferred_schedule(r->go_on);
}

static bool is_ike(const struct plan_step *step)
{
	return (OBJECT_BIT(object_of(step)->kind) & OBJECT_ALL_IKE) != 0;
}

static bool has_table(const struct object_set *set)
{
	array_foreach(&set->o, o)
		if (o->kind == OBJECT_NFT && streq(o->nft.family, "inet"))
			return true;
	return false;
}

/*
 * After an observation of the kernel. When the tables could be read the plan
 * adds what is missing, before anything else; when they could not, they are
 * taken for what they were, and at the start for missing.
 */
static void note_guard(struct reconcile *r, bool known)
{
	bool wanted = has_table(&r->wanted->objects);

	if (known)
		r->guarded = true;
	r->status.guard_missing = wanted && (known ? !has_table(&r->observed) : !r->guarded);
}

/* Kinds that could not be read: nothing is done about them, and that must not go unseen. */
static void note_reading(struct reconcile *r)
{
	struct reconcile_status *s = &r->status;
	const char *failure = r->unread;

	if (*failure && !streq(failure, s->unread))
		log_error("the kernel's state cannot be read: %s", failure);
	else if (!*failure && s->unread[0])
		log_notice("the kernel's state can be read again");
	if (!*failure)
		s->unread_since_ms = 0;
	else if (!s->unread_since_ms)
		s->unread_since_ms = loop_now(r->loop);
	snprintf(s->unread, sizeof(s->unread), "%s", failure);
}

static void drop_deletions(struct plan *plan)
{
	size_t n = 0;

	array_foreach(&plan->steps, step)
		if (step->verb != PLAN_DELETE)
			plan->steps.v[n++] = *step;
	plan->steps.n = n;
}

/* Behind everything else: a change of routes alone needs nothing else to come or go. */
static void plan_change(struct reconcile *r)
{
	_cleanup_plan_ struct plan routes = { 0 };

	plan_build(&r->change.come, &r->change.gone, OBJECT_BIT(OBJECT_ROUTE), &routes);
	array_foreach(&routes.steps, step)
		*array_add(&r->plan.steps) = *step;
}

/* Adds the kernel's objects to what charon has, plans, begins to apply. */
static void plan_pass(struct reconcile *r)
{
	unsigned known = r->of_ike ? r->known_ike : 0;

	if (known)
		array_foreach(&r->observed_ike.o, o)
			object_set_add_copy(&r->observed, o);
	if (known)
		object_set_sort(&r->observed);
	r->known |= known;
	r->pending = 0;
	if (r->known)
		plan_build(&r->wanted->objects, &r->observed, r->known, &r->plan);
	if (r->wanted->guard_only)
		drop_deletions(&r->plan);
	plan_change(r);
	r->phase = APPLYING;
	r->next = r->changed = r->failed = r->not_ready = 0;
	/* tried again like what cannot be applied */
	r->failed += r->status.unread[0] && (r->kinds & OBJECT_ALL_NET);
	/* planning may have taken this turn's time already */
	loop_deferred_schedule(r->go_on);
}

/* --- the hand --------------------------------------------------------------- */

static void hand_back(void *job, bool finished)
{
	struct reconcile *r = job;

	(void)finished;
	r->handed = false;
	if (!r->ending)
		loop_deferred_schedule(r->go_on);
}

static void hand_over(struct reconcile *r, loop_job_run_fn run)
{
	r->handed = true;
	loop_worker_submit(r->hand, r, run, hand_back);
}

static void run_look_around(void *job)
{
	struct reconcile *r = job;

	r->hooks.look_around(r->hooks.user);
}

static void run_look(void *job)
{
	struct reconcile *r = job;

	net_observe(r->net, &r->wanted->objects, &r->observed, &r->known);
	/* whoever previews meanwhile reads for himself */
	snprintf(r->unread, sizeof(r->unread), "%s", net_last_failure(r->net));
}

/* Net steps one after the other, up to one of charon's. */
static void run_apply(void *job)
{
	struct reconcile *r = job;
	int64_t start = sn_now_ms();

	for (size_t i = r->next; i < r->plan.steps.n && !is_ike(&r->plan.steps.v[i]); i++) {
		apply_net(r, &r->plan.steps.v[i]);
		if (r->outcomes.n == HAND_STEPS || sn_now_ms() - start >= HAND_MS)
			return;
	}
}

/* --- from phase to phase ---------------------------------------------------- */

static void forget_outcomes(struct reconcile *r)
{
	array_foreach(&r->outcomes, outcome)
		free(outcome->text);
	array_free(&r->outcomes);
	r->noted = 0;
}

/* True when all are noted. */
static bool note_outcomes(struct reconcile *r)
{
	int64_t start = loop_now(r->loop);

	for (; r->noted < r->outcomes.n; r->noted++, r->next++) {
		const struct outcome *o = &r->outcomes.v[r->noted];

		if (loop_now(r->loop) - start >= BUDGET_MS)
			return false;
		step_done(r, &r->plan.steps.v[r->next], o->result, o->text);
	}
	forget_outcomes(r);
	net_apply_end(r->net);
	return true;
}

static void apply_some(struct reconcile *r)
{
	if (r->outcomes.n > 0 && !note_outcomes(r))
		loop_deferred_schedule(r->go_on);
	else if (r->next == r->plan.steps.n)
		end_pass(r);
	else if (is_ike(&r->plan.steps.v[r->next]))
		ike_apply(r->hooks.ike(r->hooks.user), &r->plan.steps.v[r->next], on_ike_done, r);
	else
		hand_over(r, run_apply);
}

static void begin_pass(struct reconcile *r)
{
	r->known = 0;
	if (!(r->kinds & OBJECT_ALL_NET)) {
		plan_pass(r);
		return;
	}
	r->phase = LOOKING;
	r->overtaken = 0;
	hand_over(r, run_look);
}

static void end_look(struct reconcile *r)
{
	r->known &= ~r->overtaken;
	note_guard(r, r->known & OBJECT_BIT(OBJECT_NFT));
	note_reading(r);
	plan_pass(r);
}

/* For one that begins now, and looks at what this one was to look at. */
static void give_up_looking(struct reconcile *r)
{
	if (r->phase == AROUND)
		r->asked |= r->kinds;
	if (r->phase == LOOKING) {
		object_set_fini(&r->observed);
		r->asked |= r->kinds;
		r->fresh |= r->of_ike;
		if (has_change(r))
			reconcile_request(r, OBJECT_BIT(OBJECT_ROUTE), true);
		wanted_change_fini(&r->change);
	}
	r->phase = IDLE;
}

static void on_ike_observed(bool ok, struct object_set *set, void *user);

/* charon's kinds are out of this pass until it has answered. */
static void look_at_charon(struct reconcile *r)
{
	struct ike *ike = r->hooks.ike(r->hooks.user);

	if (!(r->kinds & OBJECT_ALL_IKE) || r->fresh || !ike || !ike_is_online(ike))
		return;
	r->kinds &= ~OBJECT_ALL_IKE;
	if (!r->looking)
		ike_observe(ike, on_ike_observed, r);
	r->looking = true;
}

/* Asks what is wanted, and for what follows from how it differs. False: nothing is known. */
static bool take_wanted(struct reconcile *r)
{
	struct reconcile_news news = { 0 };

	r->asked_wanted = false;
	r->wanted = r->hooks.wanted(r->hooks.user, &news);
	if (news.all) {
		r->asked |= OBJECT_ALL_NET | OBJECT_ALL_IKE;
		r->expected |= OBJECT_ALL_NET | OBJECT_ALL_IKE;
	}
	r->change = news.change;
	if (has_change(r) && (r->asked & OBJECT_BIT(OBJECT_ROUTE))) {
		/* they will be seen */
		r->expected |= OBJECT_BIT(OBJECT_ROUTE);
		wanted_change_fini(&r->change);
	}
	return r->wanted != NULL;
}

/*
 * What is around is known, as of some moment of the look: what was asked for since it began
 * may be about what it has not seen, and is for the next pass.
 */
static void end_around(struct reconcile *r)
{
	unsigned since = r->asked;

	r->phase = IDLE;
	r->asked = r->kinds;
	if (!take_wanted(r)) {
		r->asked |= since;
		return;
	}
	r->kinds = r->asked & r->only;
	r->asked = (r->asked & ~r->only) | since;
	look_at_charon(r);
	if (!r->kinds && !has_change(r)) {
		if (r->asked)
			pass_within(r, request_delay(r));
		return;
	}
	r->of_ike = r->fresh && (r->kinds & OBJECT_ALL_IKE);
	r->fresh &= !r->of_ike;
	begin_pass(r);
}

/* Of what is asked for, these kinds only. */
static void start_pass(struct reconcile *r, unsigned only)
{
	if (!r->hooks.prepare(r->hooks.user)) {
		r->asked &= ~only;
		return;
	}
	r->only = only;
	r->kinds = r->asked & only;
	r->asked &= ~only;
	r->phase = AROUND;
	hand_over(r, run_look_around);
}

static void on_go_on(void *user)
{
	struct reconcile *r = user;

	if (r->handed)
		return;
	switch (r->phase) {
	case IDLE:
		return; /* done already, by a flush */
	case AROUND:
		end_around(r);
		return;
	case LOOKING:
		end_look(r);
		return;
	case APPLYING:
		apply_some(r);
		return;
	}
}

static void on_ike_observed(bool ok, struct object_set *set, void *user)
{
	struct reconcile *r = user;

	object_set_fini(&r->observed_ike);
	r->observed_ike = *set;
	*set = (struct object_set){ 0 };
	object_set_sort_found(&r->observed_ike);
	r->known_ike = ok ? OBJECT_ALL_IKE : 0;
	r->looking = false;
	r->fresh = true;
	r->asked |= OBJECT_ALL_IKE;
	/* what waits for its time goes on waiting */
	if (r->phase == IDLE)
		start_pass(r, OBJECT_ALL_IKE);
}

static void on_timer(void *user)
{
	struct reconcile *r = user;

	if (r->phase == IDLE)
		start_pass(r, OBJECT_ALL_NET | OBJECT_ALL_IKE);
}

static void on_ike_timer(void *user)
{
	struct reconcile *r = user;

	loop_timer_set(r->ike_timer, RECONCILE_IKE_MS);
	reconcile_request(r, OBJECT_ALL_IKE, false);
}

static void on_full_timer(void *user)
{
	struct reconcile *r = user;

	loop_timer_set(r->full_timer, RECONCILE_FULL_MS);
	reconcile_request(r, OBJECT_ALL_NET | OBJECT_ALL_IKE, false);
}

struct reconcile *reconcile_new(struct loop *loop, struct net *net,
				const struct reconcile_hooks *hooks)
{
	struct reconcile *r = xcalloc(1, sizeof(*r));

	*r = (struct reconcile){ .loop = loop, .net = net, .hooks = *hooks };
	r->expected = OBJECT_ALL_NET | OBJECT_ALL_IKE;
	r->timer = loop_timer_new(loop, on_timer, r);
	r->ike_timer = loop_timer_new(loop, on_ike_timer, r);
	r->full_timer = loop_timer_new(loop, on_full_timer, r);
	r->go_on = loop_deferred_new(loop, on_go_on, r);
	r->hand = loop_worker_new(loop);
	loop_timer_set(r->ike_timer, RECONCILE_IKE_MS);
	loop_timer_set(r->full_timer, RECONCILE_FULL_MS);
	return r;
}

void reconcile_free(struct reconcile *r)
{
	if (!r)
		return;
	r->ending = true;
	loop_worker_free(r->hand);
	loop_timer_free(r->timer);
	loop_timer_free(r->ike_timer);
	loop_timer_free(r->full_timer);
	loop_deferred_free(r->go_on);
	forget_outcomes(r);
	plan_fini(&r->plan);
	wanted_change_fini(&r->change);
	object_set_fini(&r->observed);
	object_set_fini(&r->observed_ike);
	troubles_fini(&r->status.troubles);
	free(r);
}

void reconcile_request(struct reconcile *r, unsigned kinds, bool expected)
{
	r->asked |= kinds;
	if (expected) {
		r->expected |= kinds;
		r->rounds = 0;
		r->retry_ms = 0;
	}
	if (r->phase == IDLE && (!is_fighting(r) || !loop_timer_is_set(r->timer)))
		pass_within(r, request_delay(r));
}

void reconcile_wanted_changed(struct reconcile *r)
{
	r->rounds = 0;
	r->retry_ms = 0;
	r->asked_wanted = true;
	if (r->phase == IDLE)
		pass_within(r, RECONCILE_DELAY_MS);
}

void reconcile_flush(struct reconcile *r)
{
	reconcile_request(r, OBJECT_ALL_NET, true);
	if (r->phase == APPLYING)
		return;
	loop_worker_drain(r->hand);
	give_up_looking(r);
	start_pass(r, OBJECT_ALL_NET);
	while (r->phase != IDLE) {
		loop_worker_drain(r->hand);
		on_go_on(r);
	}
	reconcile_request(r, OBJECT_ALL_NET | OBJECT_ALL_IKE, true);
}

void reconcile_overtaken(struct reconcile *r, unsigned kinds)
{
	r->overtaken |= kinds;
	reconcile_request(r, kinds, true);
}

const struct reconcile_status *reconcile_get_status(const struct reconcile *r)
{
	return &r->status;
}

/* For who only looks; how it differs becomes the next pass' work. */
static const struct wanted *peek_wanted(struct reconcile *r)
{
	/* a pass that is under way borrows from the one that is there */
	if (r->phase != IDLE)
		return r->wanted;
	if (!r->hooks.prepare(r->hooks.user))
		return NULL;
	r->hooks.look_around(r->hooks.user);
	take_wanted(r);
	if (has_change(r))
		reconcile_request(r, OBJECT_BIT(OBJECT_ROUTE), true);
	else if (r->asked)
		pass_within(r, request_delay(r));
	wanted_change_fini(&r->change);
	return r->wanted;
}

static void print_unknown(const struct reconcile *r, unsigned known, struct strbuf *out)
{
	if ((known & OBJECT_ALL_NET) != OBJECT_ALL_NET)
		strbuf_addf(out, "not known: what the kernel has (%s)\n", net_last_failure(r->net));
	if (!r->known_ike)
		strbuf_adds(out, "not known: what charon has, which has not told it\n");
}

int reconcile_preview(struct reconcile *r, struct strbuf *out, size_t *ret_steps,
		      struct sn_error *e)
{
	_cleanup_object_set_ struct object_set observed = { 0 };
	const struct wanted *wanted;
	_cleanup_plan_ struct plan plan = { 0 };
	unsigned known = 0;

	/* net is the hand's else */
	loop_worker_drain(r->hand);
	wanted = peek_wanted(r);
	if (!wanted)
		return sn_error_set(e, -EAGAIN,
				    "this host is being looked at for the first time; ask again in "
				    "a moment");
	net_observe(r->net, &wanted->objects, &observed, &known);
	array_foreach(&r->observed_ike.o, o)
		object_set_add_copy(&observed, o);
	object_set_sort(&observed);
	plan_build(&wanted->objects, &observed, known | r->known_ike, &plan);
	plan_print(&plan, out);
	print_unknown(r, known, out);
	*ret_steps = plan.steps.n;
	return 0;
}
