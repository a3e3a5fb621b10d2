/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks UDP 500 and 4500 of peers that are silent without a reason
 * (probe/ike_prober.h), and tells health what comes back: a closed port, a host
 * that refuses and one that is off look the same by the tunnel.
 *
 * charon has the ports, so the questions go out from another one, by the
 * addresses of the pair in use. They cost the peer nothing: it answers each with 36 bytes and
 * keeps nothing. A round is at most 6 datagrams of 60 bytes, each PAUSE_MS: 40 B/s
 * a peer; and ROUNDS_MAX and RATE bound all of them when everybody is silent.
 *
 * Beside a tunnel that stands its own packets take nearly all of the few ICMP errors
 * that a host sends (probe/icmp_word.h), so those count like errors of ours.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "probe/icmp_watch.h"
#include "probe/ike_prober.h"

#include <ifaddrs.h>
#include <stdio.h>

#define LOOK_MS 250
#define PAUSE_MS 10000 /* between rounds to one peer */
#define TRIES 3
/* Long enough to be told by the kernel that a neighbour does not answer. */
#define WAIT_MS 3600
#define RATE 200 /* datagrams a second, to all peers together */
#define ROUNDS_MAX 128

enum port { PORT_IKE, PORT_NAT, PORTS };

struct round {
	struct ports *all;
	char peer[SN_ID_SIZE];
	struct sn_addr local; /* unset: any of this host's */
	struct sn_addr remote;
	int64_t stall; /* the loop's last stall when it began */
	struct ike_ask *asks[PORTS];
	struct ike_refusal words[PORTS]; /* heard meanwhile; error 0: none */
	struct peer_port found[PORTS];
	unsigned open;
};

struct ports {
	struct daemon *d;
	/* NULL while no round is open; it knows our addresses as of then */
	struct ike_prober *prober;
	bool reading; /* them, before the first round */
	struct icmp_watch *watch;
	struct loop_timer *timer;
	ARRAY(struct round *) rounds;
};

/* --- what came back ------------------------------------------------------------ */

static enum port_finding finding_of(const struct ike_evidence *e, enum ike_verdict verdict)
{
	switch (verdict) {
	case IKE_ANSWERED:
		return PORT_ANSWERED;
	case IKE_OTHER:
		return PORT_OTHER;
	case IKE_REFUSED:
		return PORT_REFUSED;
	case IKE_FILTERED:
		return e->refusal.by_us || !sn_addr_is_set(&e->refusal.offender) ? PORT_OURS
										 : PORT_REFUSED;
	case IKE_NO_NEIGHBOUR:
		/* on the link it is the peer that is away, else it is our gateway */
		return e->on_link ? PORT_SILENT : PORT_OURS;
	case IKE_NOT_SENT:
		return PORT_OURS;
	case IKE_UNREACHABLE:
	case IKE_SILENT:
		return PORT_SILENT;
	}
	return PORT_SILENT;
}

static void free_round(struct round *r)
{
	struct ports *p = r->all;

	for (size_t i = 0; i < PORTS; i++)
		ike_ask_free(r->asks[i]);
	for (size_t i = 0; i < p->rounds.n; i++) {
		if (p->rounds.v[i] == r) {
			array_remove(&p->rounds, i);
			break;
		}
	}
	free(r);
	if (p->rounds.n > 0)
		return;
	ike_prober_free(sn_steal(p->prober));
	icmp_watch_free(sn_steal(p->watch));
}

/* Where it is: as its tunnel goes, while one stands, for the metadata may not know that yet. */
static void find_way(const struct daemon *d, const struct wanted_peer *w, struct sn_addr *ret_local,
		     struct sn_addr *ret_remote)
{
	const struct ike_sa *sa = d->ike ? ike_peer_sa(d->ike, w->id, NULL) : NULL;

	*ret_local = sa ? sa->local : w->local;
	*ret_remote = sa ? sa->remote : w->remote;
}

/* What we slept through was not silence, and another address says nothing of this one. */
static bool is_void(const struct round *r)
{
	const struct daemon *d = r->all->d;
	const struct wanted_peer *w = wanted_find_peer(&d->wanted, r->peer);
	struct sn_addr local, remote;

	if (loop_get_stats(d->loop)->last_stall_end != r->stall || !w)
		return true;
	find_way(d, w, &local, &remote);
	return sn_addr_cmp(&remote, &r->remote) != 0;
}

static void end_round(struct round *r)
{
	struct daemon *d = r->all->d;
	struct peer_boot *s = peers_find(d, r->peer);
	struct peer_ports found = { .ike = r->found[PORT_IKE], .nat = r->found[PORT_NAT] };

	snprintf(found.address, sizeof(found.address), "%s", SN_ADDR_STR(&r->remote));
	if (!is_void(r)) {
		health_ports(d->health, r->peer, &found, loop_now(d->loop));
		loop_timer_set(d->health_timer, 0);
	} else if (s) {
		s->asked_ms = 0;
	}
	free_round(r);
}

static void note_answer(struct round *r, enum port port, const struct ike_evidence *answer)
{
	struct peer_port *found = &r->found[port];
	struct ike_evidence e = *answer;
	struct ike_judgement j;

	if (e.answer.kind == IKE_ANSWER_NONE && !e.refusal.error)
		e.refusal = r->words[port];
	ike_judge(&e, &j);
	found->finding = finding_of(&e, j.verdict);
	/* how long exactly it waited would make two silent ports look different */
	if (j.verdict == IKE_SILENT)
		snprintf(found->words, sizeof(found->words), "no answer to %u probes", e.sent);
	else
		snprintf(found->words, sizeof(found->words), "%.111s", j.summary);
	if (--r->open == 0)
		end_round(r);
}

static void on_ike(const struct ike_evidence *e, void *user)
{
	note_answer(user, PORT_IKE, e);
}

static void on_nat(const struct ike_evidence *e, void *user)
{
	note_answer(user, PORT_NAT, e);
}

/*
 * Errors of our own questions come by the prober's socket, whose port is another one: what
 * is heard here is only about the packets of charon and the kernel. It is known by what is
 * quoted, for any container and any peer can send such an error about a third one.
 */
static void on_word(const struct icmp_word *word, void *user)
{
	struct ports *p = user;
	const struct snapshot *s = p->d->snapshot;
	const struct sn_prefix *overlay =
		s ? snapshot_overlay(s, word->refusal.offender.family) : NULL;
	enum port port = word->target.port == IKE_PORT ? PORT_IKE : PORT_NAT;

	/* a NAT gives the quoted packet its inner address back (RFC 5508, REQ-4) */
	if (!ike_prober_owns(p->prober, &word->source.addr))
		return;
	array_foreach(&p->rounds, item) {
		struct round *r = *item;

		if (r->words[port].error ||
		    !icmp_word_is_about(word, &r->local, &r->remote, overlay))
			continue;
		r->words[port] = word->refusal;
		r->words[port].by_us = ike_prober_owns(p->prober, &word->refusal.offender);
	}
}

/* --- asking -------------------------------------------------------------------- */

static void ask(struct round *r, enum port port)
{
	static const ike_asked_fn on_answer[PORTS] = { on_ike, on_nat };
	struct ike_question q = { .source = r->local, .tries = TRIES, .wait_ms = WAIT_MS };
	struct sn_error e;

	sn_addr_to_sockaddr(&r->remote, port == PORT_IKE ? IKE_PORT : IKE_NAT_PORT, &q.to);
	if (ike_ask_new(r->all->prober, &q, on_answer[port], r, &r->asks[port], &e) == 0)
		r->open++;
	else
		log_write_fields(LOG_LEVEL_DEBUG, LOG_FIELDS({ "peer", r->peer }),
				 "peer %s: its ports cannot be asked: %s", r->peer, e.text);
}

/* Plain ESP and its IKE stay away from 4500 (RFC 7296, 2.23). */
static bool needs_nat_port(const struct daemon *d, const char *peer)
{
	const struct object_ike_conn *conn = wanted_find_conn(&d->wanted, peer);

	return conn && conn->encap;
}

static void begin_round(struct ports *p, const struct wanted_peer *w)
{
	struct round *r = xcalloc(1, sizeof(*r));
	struct sn_addr local;

	if (!p->watch)
		p->watch = icmp_watch_new(p->d->loop, on_word, p);
	r->all = p;
	memcpy(r->peer, w->id, sizeof(r->peer));
	find_way(p->d, w, &local, &r->remote);
	/* one that is configured and not there is told by other means */
	if (ike_prober_owns(p->prober, &local))
		r->local = local;
	r->stall = loop_get_stats(p->d->loop)->last_stall_end;
	*array_add(&p->rounds) = r;
	ask(r, PORT_IKE);
	if (needs_nat_port(p->d, w->id))
		ask(r, PORT_NAT);
	if (r->open == 0)
		free_round(r);
}

struct reading {
	struct ports *ports;
	struct ifaddrs *own;
};

static void read_run(void *job)
{
	struct reading *reading = job;

	if (getifaddrs(&reading->own) < 0)
		reading->own = NULL;
}

/* The next look, right now, begins the rounds. */
static void read_done(void *job, bool finished)
{
	_cleanup_free_ struct reading *reading = job;
	const struct ike_prober_options options = { .rate = RATE, .own = reading->own };
	struct ports *p = reading->ports;

	p->reading = false;
	if (!finished)
		return;
	p->prober = ike_prober_new(p->d->loop, &options);
	loop_timer_set(p->timer, 0);
}

/* With a device for each of 500 peers that is 10 ms, and more while others change some. */
static void read_own(struct ports *p)
{
	struct reading *reading = xcalloc(1, sizeof(*reading));

	reading->ports = p;
	p->reading = true;
	loop_worker_submit(p->d->worker, reading, read_run, read_done);
}

static void on_look(void *user)
{
	struct ports *p = user;
	struct daemon *d = p->d;
	int64_t now = loop_now(d->loop);

	array_foreach(&d->wanted.peers, w) {
		struct peer_boot *s = peers_find(d, w->id);

		if (p->reading)
			break;
		if (!s || !sn_addr_is_set(&w->remote) || p->rounds.n >= ROUNDS_MAX ||
		    (s->asked_ms && now - s->asked_ms < PAUSE_MS) ||
		    !health_wants_ports(d->health, w->id, now))
			continue;
		if (!p->prober) {
			read_own(p);
			break;
		}
		s->asked_ms = now;
		begin_round(p, w);
	}
	/* nobody wanted to ask any more */
	if (p->rounds.n == 0)
		ike_prober_free(sn_steal(p->prober));
	loop_timer_set(p->timer, LOOK_MS);
}

void ports_forget(struct ports *p, const char *peer)
{
	struct peer_boot *s = peers_find(p->d, peer);

	if (s)
		s->asked_ms = 0;
	for (size_t i = p->rounds.n; i-- > 0;) {
		if (streq(p->rounds.v[i]->peer, peer))
			free_round(p->rounds.v[i]);
	}
}

struct ports *ports_new(struct daemon *d)
{
	struct ports *p = xcalloc(1, sizeof(*p));

	p->d = d;
	p->timer = loop_timer_new(d->loop, on_look, p);
	loop_timer_set(p->timer, LOOK_MS);
	return p;
}

void ports_free(struct ports *p)
{
	if (!p)
		return;
	while (p->rounds.n > 0)
		free_round(p->rounds.v[0]);
	ike_prober_free(p->prober);
	loop_timer_free(p->timer);
	array_free(&p->rounds);
	free(p);
}
