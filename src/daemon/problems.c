/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with this host itself. A peer is never the reason (design §5.6). */
#include "daemon/daemon.h"

#include <stdio.h>

#define CHARON_GONE_MS 10000
#define APPLY_FAILING_MS 30000
#define PROBE_TROUBLE_MS 1000
#define STALL_SHOWN_MS 30000
#define STALL_BAD_MS 2000

const char *const host_problem_names[] = { "refused",          "charon-gone",
					   "guard-missing",    "apply-failing",
					   "probe-failing",    "stalled",
					   "identity-changed", NULL };

struct list {
	struct host_problem *v;
	size_t n;
};

static struct host_problem *add(struct list *l, const char *what, int64_t since_ms,
				const char *next)
{
	struct host_problem *p = &l->v[l->n];

	if (l->n + 1 < HOST_PROBLEMS_MAX)
		l->n++;
	*p = (struct host_problem){ .what = what, .next = next, .since_ms = since_ms };
	return p;
}

static void look_at_charon(struct daemon *d, struct list *l, int64_t now)
{
	/* with a snapshot and without ike charon could not even be set up */
	int64_t since = d->ike ? ike_silent_since(d->ike) : d->snapshot ? d->started_ms : 0;
	struct host_problem *p;

	if (!since || now - since <= CHARON_GONE_MS)
		return;
	p = add(l, "charon-gone", since, "see charon.log in run_dir, and this log");
	snprintf(p->text, sizeof(p->text), "charon has not answered for %lld s",
		 (long long)(now - since) / 1000);
}

static void look_at_objects(struct daemon *d, struct list *l, int64_t now)
{
	const struct reconcile_status *s = reconcile_get_status(d->reconcile);
	struct host_problem *p;

	if (s->guard_missing) {
		p = add(l, "guard-missing", now, "see the log for why the table cannot be loaded");
		snprintf(p->text, sizeof(p->text), "the nftables guard is not there");
	}
	if (s->unread_since_ms && now - s->unread_since_ms > APPLY_FAILING_MS) {
		p = add(l, "apply-failing", s->unread_since_ms,
			"mend what the text says; it is retried");
		snprintf(p->text, sizeof(p->text), "the kernel's state cannot be read: %.200s",
			 s->unread);
	}
	if (!s->failing_since_ms || now - s->failing_since_ms <= APPLY_FAILING_MS)
		return;
	array_foreach(&s->troubles.all, t) {
		if (!t->text)
			continue;
		p = add(l, "apply-failing", t->since_ms, "mend what the text says; it is retried");
		snprintf(p->text, sizeof(p->text), "%s: %s", t->object, t->text);
	}
}

static void look_at_probe(struct daemon *d, struct list *l, int64_t now)
{
	int64_t since;
	const char *why = probe_trouble(d->probe, &since);
	struct host_problem *p;

	if (!why || now - since <= PROBE_TROUBLE_MS)
		return;
	p = add(l, "probe-failing", since,
		"free the port or give the right; until then every peer "
		"looks as if it did not answer");
	snprintf(p->text, sizeof(p->text), "no peer can be probed: %s", why);
}

static void look_at_loop(struct daemon *d, struct list *l, int64_t now)
{
	const struct loop_stats *s = loop_get_stats(d->loop);
	struct host_problem *p;

	if (!s->last_stall_end || s->last_stall_ms < STALL_BAD_MS ||
	    now - s->last_stall_end > STALL_SHOWN_MS)
		return;
	p = add(l, "stalled", s->last_stall_end, "look for an overloaded or suspended machine");
	snprintf(p->text, sizeof(p->text), "this process stood still for %.1f s",
		 (double)s->last_stall_ms / 1000);
}

static void look_at_identity(struct daemon *d, struct list *l)
{
	struct host_problem *p;

	if (!d->self.text)
		return;
	p = add(l, "identity-changed", d->self.since_ms,
		"`sennit accept-identity` if it is right; else mend what says so");
	snprintf(p->text, sizeof(p->text), "%s", d->self.text);
}

size_t problems_collect(struct daemon *d, struct host_problem ret[static HOST_PROBLEMS_MAX])
{
	struct list l = { .v = ret };
	int64_t now = loop_now(d->loop);

	if (d->refusal)
		snprintf(add(&l, "refused", d->started_ms, "mend the metadata or the configuration")
				 ->text,
			 sizeof(ret->text), "%s", d->refusal);
	look_at_identity(d, &l);
	look_at_charon(d, &l, now);
	look_at_objects(d, &l, now);
	look_at_probe(d, &l, now);
	look_at_loop(d, &l, now);
	return l.n;
}

bool daemon_is_ready(struct daemon *d)
{
	int up = 0;

	if (!d->snapshot || !reconcile_get_status(d->reconcile)->passes)
		return false;
	array_foreach(&d->wanted.peers, w) {
		struct verdict v;

		if (!health_get(d->health, w->id, loop_now(d->loop), &v) ||
		    v.state == PEER_CONNECTING)
			return false;
		up += v.state == PEER_UP || v.state == PEER_DEGRADED;
	}
	return up >= d->config->ready_min_up;
}
