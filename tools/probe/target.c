/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts and routers send few ICMP errors to one address: Linux six at once,
 * then one a second. Of a host with many closed ports most would look
 * silent. So the silent ports of a host that refused some are asked again, one at a
 * time with a pause before each.
 */
#include "target.h"

#include "mtu.h"
#include "once.h"

#include <limits.h>
#include <netdb.h>
#include <stdio.h>

#define WINDOW 16       /* ports under way at a time */
#define LEG_PORTS_MAX 8 /* of which is told whether probes arrive */
#define SECOND_LOOK_PAUSE_MS 1200

/* A question's way back to its port. */
struct asker {
	struct target *target;
	size_t index;
};

enum phase { PHASE_ROUNDS, PHASE_AGAIN, PHASE_MTU, PHASE_FROM, PHASE_DONE };

struct target {
	struct loop *loop;
	struct ike_prober *prober;
	struct http_client *http;
	const struct options *o;
	struct target_handlers handlers;
	char *name;
	char address[NI_MAXHOST];
	struct sockaddr_storage to;
	enum phase phase;
	struct loop_timer *timer;
	int64_t round_begin;
	unsigned rounds;
	size_t next, under_way; /* of this phase */
	struct mtu_search *mtu;
	struct leg *leg;
	struct leg_result *leg_result; /* NULL: not asked */
	struct leg_port leg_ports[LEG_PORTS_MAX];
	size_t n_leg_ports;
	char doing[64];
	ARRAY(struct port_result) ports;
	struct asker *askers; /* one a port */
};

static void go_on(struct target *t);

/* --- what an answer adds ---------------------------------------------------- */

static void add(struct port_result *p, const struct ike_evidence *e)
{
	struct ike_evidence *sum = &p->e, before = p->e;
	bool first = p->rounds == 0;

	p->rounds++;
	p->answered_rounds += e->answers > 0;
	*sum = *e;
	if (first)
		return;
	sum->sent += before.sent;
	sum->answers += before.answers;
	sum->waited_ms += before.waited_ms;
	sum->bytes_sent += before.bytes_sent;
	sum->bytes_received += before.bytes_received;
	sum->rtt_sum_us += before.rtt_sum_us;
	sum->rtt_max_us = SN_MAX(before.rtt_max_us, e->rtt_max_us);
	if (before.answers && e->answers)
		sum->rtt_min_us = SN_MIN(before.rtt_min_us, e->rtt_min_us);
	if (e->answers)
		return;
	sum->rtt_min_us = before.rtt_min_us;
	sum->answer = before.answer;
	sum->from = before.from;
	if (!sum->refusal.error)
		sum->refusal = before.refusal;
}

static bool has_spoken(const struct ike_evidence *e)
{
	return e->answers > 0 ||
	       (e->refusal.icmp && sn_addr_cmp(&e->refusal.offender, &e->target.addr) == 0);
}

/* That there is no way to the host is true of all its ports, whichever it was said for. */
static void inherit(struct target *t)
{
	const struct port_result *knows = NULL;

	array_foreach(&t->ports, p)
		if (p->judgement.verdict == IKE_UNREACHABLE ||
		    p->judgement.verdict == IKE_NO_NEIGHBOUR)
			knows = p;
	if (!knows)
		return;
	array_foreach(&t->ports, p)
		if (p->rounds > 0 && p->judgement.verdict == IKE_SILENT) {
			p->e.refusal = knows->e.refusal;
			ike_judge(&p->e, &p->judgement);
		}
}

static void judge_all(struct target *t)
{
	size_t spoken = 0;

	array_foreach(&t->ports, p)
		spoken += has_spoken(&p->e);
	array_foreach(&t->ports, p) {
		p->e.host_heard = spoken > (has_spoken(&p->e) ? 1u : 0u);
		ike_judge(&p->e, &p->judgement);
		if (p->rounds == 0 && !p->trouble[0])
			snprintf(p->trouble, sizeof(p->trouble), "not asked, stopped before");
	}
	inherit(t);
}

/* --- asking ----------------------------------------------------------------- */

static void on_asked(const struct ike_evidence *e, void *user)
{
	struct asker *a = user;
	struct target *t = a->target;
	struct port_result *p = &t->ports.v[a->index];

	if (t->phase == PHASE_AGAIN)
		p->rounds = 0; /* this look counts, not the first */
	add(p, e);
	ike_ask_free(sn_steal(p->ask));
	t->under_way--;
	go_on(t);
}

static void set_port(struct sockaddr_storage *to, uint16_t port)
{
	if (to->ss_family == AF_INET)
		((struct sockaddr_in *)to)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)to)->sin6_port = htons(port);
}

static void ask(struct target *t, size_t index)
{
	struct port_result *p = &t->ports.v[index];
	struct ike_question q = { .to = t->to, .wait_ms = t->o->wait_ms, .full = t->o->full };
	struct sn_error e;

	set_port(&q.to, p->port);
	if (options_rounds(t->o) > 1)
		q.tries = 1;
	if (q.full && once_a_minute(t->address, p->port, &e) < 0) {
		snprintf(p->trouble, sizeof(p->trouble), "%s", e.text);
		return;
	}
	if (ike_ask_new(t->prober, &q, on_asked, &t->askers[index], &p->ask, &e) < 0) {
		snprintf(p->trouble, sizeof(p->trouble), "%s", e.text);
		return;
	}
	t->under_way++;
}

static void finish(struct target *t)
{
	t->phase = PHASE_DONE;
	judge_all(t);
	t->handlers.done(t, t->handlers.user);
}

static bool is_silent(const struct port_result *p)
{
	return p->rounds > 0 && p->judgement.verdict == IKE_SILENT;
}

/* --- path MTU --------------------------------------------------------------- */

static void on_mtu(const struct mtu_result *r, void *user)
{
	struct target *t = user;
	struct port_result *p = &t->ports.v[t->next - 1];

	p->path_mtu = r->mtu;
	p->mtu_silent = r->silent;
	p->mtu_by = r->by;
	mtu_search_free(sn_steal(t->mtu));
	go_on(t);
}

static void next_mtu(struct target *t)
{
	while (t->next < t->ports.n) {
		struct port_result *p = &t->ports.v[t->next++];
		struct sockaddr_storage to = t->to;

		if (p->e.answer.kind < IKE_ANSWER_V1)
			continue;
		set_port(&to, p->port);
		t->mtu = mtu_search_new(t->prober, &to, p->e.rtt_max_us, on_mtu, t);
		return;
	}
	t->phase = PHASE_FROM;
	go_on(t);
}

/* --- the other end ---------------------------------------------------------- */

static void on_leg(const struct leg_result *r, void *user)
{
	struct target *t = user;

	t->leg_result = xmalloc(sizeof(*r));
	*t->leg_result = *r;
	for (size_t i = 0; i < t->n_leg_ports; i++)
		array_foreach(&t->ports, p)
			if (p->port == t->leg_ports[i].port)
				p->e.arrival = t->leg_ports[i].arrival;
	leg_free(sn_steal(t->leg));
	finish(t);
}

static void ask_leg(struct target *t)
{
	if (!t->o->from) {
		finish(t);
		return;
	}
	array_foreach(&t->ports, p)
		if (is_silent(p) && t->n_leg_ports < LEG_PORTS_MAX)
			t->leg_ports[t->n_leg_ports++].port = p->port;
	t->leg = leg_new(t->http, t->prober, t->o->from, &t->ports.v[0].e.local, &t->to,
			 t->leg_ports, t->n_leg_ports, on_leg, t);
}

/* --- phases ----------------------------------------------------------------- */

static bool wants_second_look(const struct target *t)
{
	bool refused = false;

	array_foreach(&t->ports, p)
		refused = refused || (p->e.refusal.icmp && !p->e.refusal.by_us);
	return refused && options_rounds(t->o) == 1 && !t->o->full;
}

/* The next silent port, after the pause that the timer makes. */
static void next_again(struct target *t)
{
	while (t->next < t->ports.n && !is_silent(&t->ports.v[t->next]))
		t->next++;
	if (t->next < t->ports.n) {
		loop_timer_set(t->timer, SECOND_LOOK_PAUSE_MS);
		return;
	}
	t->phase = PHASE_MTU;
	t->next = 0;
	go_on(t);
}

static void end_round(struct target *t)
{
	int64_t wait = t->round_begin + SN_MAX(t->o->interval_ms, 0) - sn_now_ms();

	t->rounds++;
	judge_all(t);
	t->handlers.round(t, t->handlers.user);
	if (t->rounds < options_rounds(t->o)) {
		loop_timer_set(t->timer, SN_MAX(wait, 0));
		return;
	}
	t->phase = wants_second_look(t) ? PHASE_AGAIN : PHASE_MTU;
	t->next = 0;
	go_on(t);
}

static void go_on(struct target *t)
{
	switch (t->phase) {
	case PHASE_ROUNDS:
		while (t->next < t->ports.n && t->under_way < WINDOW)
			ask(t, t->next++);
		if (t->under_way == 0)
			end_round(t);
		return;
	case PHASE_AGAIN:
		next_again(t);
		return;
	case PHASE_MTU:
		if (t->o->mtu)
			next_mtu(t);
		else
			ask_leg(t);
		return;
	case PHASE_FROM:
		ask_leg(t);
		return;
	case PHASE_DONE:
		return;
	}
}

static void on_timer(void *user)
{
	struct target *t = user;

	if (t->phase == PHASE_AGAIN) {
		ask(t, t->next++);
		if (t->under_way == 0)
			go_on(t);
		return;
	}
	if (t->phase == PHASE_DONE) {
		finish(t);
		return;
	}
	t->round_begin = sn_now_ms();
	t->next = 0;
	go_on(t);
}

/* --- public ----------------------------------------------------------------- */

static void add_ports(struct target *t)
{
	array_foreach(&t->o->ports, r)
		for (unsigned port = r->first; port <= r->last; port++) {
			struct port_result *p = array_add(&t->ports);

			p->port = (uint16_t)port;
			p->e.target.port = p->port;
			sn_addr_from_sockaddr((const struct sockaddr *)&t->to, &p->e.target.addr,
					      NULL);
		}
	t->askers = xcalloc(t->ports.n, sizeof(*t->askers));
	for (size_t i = 0; i < t->ports.n; i++)
		t->askers[i] = (struct asker){ t, i };
}

struct target *target_new(struct loop *loop, struct ike_prober *prober, struct http_client *http,
			  const struct options *o, const char *name,
			  const struct sockaddr_storage *address,
			  const struct target_handlers *handlers)
{
	struct target *t = xcalloc(1, sizeof(*t));
	socklen_t len = address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						      : sizeof(struct sockaddr_in6);

	t->loop = loop;
	t->prober = prober;
	t->http = http;
	t->o = o;
	t->handlers = *handlers;
	t->name = xstrdup(name);
	t->to = *address;
	t->timer = loop_timer_new(loop, on_timer, t);
	if (getnameinfo((const struct sockaddr *)address, len, t->address, sizeof(t->address), NULL,
			0, NI_NUMERICHOST) != 0)
		snprintf(t->address, sizeof(t->address), "%s", name);
	add_ports(t);
	return t;
}

static void cancel(struct target *t)
{
	array_foreach(&t->ports, p)
		ike_ask_free(sn_steal(p->ask));
	t->under_way = 0;
	mtu_search_free(sn_steal(t->mtu));
	leg_free(sn_steal(t->leg));
	loop_timer_cancel(t->timer);
}

void target_free(struct target *t)
{
	if (!t)
		return;
	cancel(t);
	loop_timer_free(t->timer);
	array_free(&t->ports);
	free(t->askers);
	free(t->leg_result);
	free(t->name);
	free(t);
}

void target_start(struct target *t)
{
	loop_timer_set(t->timer, 0);
}

void target_stop(struct target *t)
{
	if (t->phase == PHASE_DONE)
		return;
	cancel(t);
	t->phase = PHASE_DONE;
	loop_timer_set(t->timer, 0);
}

bool target_is_done(const struct target *t)
{
	return t->phase == PHASE_DONE && !loop_timer_is_set(t->timer);
}

const char *target_name(const struct target *t)
{
	return t->name;
}

const char *target_address(const struct target *t)
{
	return t->address;
}

const struct port_result *target_ports(const struct target *t, size_t *ret_n)
{
	*ret_n = t->ports.n;
	return t->ports.v;
}

unsigned target_rounds(const struct target *t)
{
	return t->rounds;
}

const struct leg_result *target_leg(const struct target *t)
{
	return t->leg_result;
}

const char *target_doing(struct target *t)
{
	t->doing[0] = '\0';
	if (t->leg) {
		snprintf(t->doing, sizeof(t->doing), "what %.40s says", t->o->from);
		return t->doing;
	}
	if (t->mtu) {
		snprintf(t->doing, sizeof(t->doing), "path MTU by port %u",
			 t->ports.v[t->next - 1].port);
		return t->doing;
	}
	array_foreach(&t->ports, p) {
		if (!p->ask)
			continue;
		snprintf(t->doing, sizeof(t->doing), "port %u", p->port);
		break;
	}
	return t->doing;
}
