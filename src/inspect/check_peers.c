/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each peer: whether there is a way to it, and what its UDP 500 and 4500 answer
 * (probe/ike_prober.h), once more with a packet as large as the overlay needs. A
 * peer that is silent is its own fault or the way's, so a warning; when none answers
 * it is most likely ours.
 */
#include "inspect/look.h"

#include "probe/ike_prober.h"

#include <errno.h>
#include <stdio.h>

/* Long enough to be told by the kernel that a neighbour does not answer. */
#define WAIT_MS 3600
#define TRIES 3
/* 500 peers in two seconds: 28 bytes and headers each. */
#define RATE 500
/* More are asked for their ports, but not for large packets. */
#define LARGE_MAX 50
/* Told one by one; more are told as a number. */
#define SHOWN_MAX 20

enum question { ASK_IKE, ASK_NAT, ASK_LARGE, QUESTIONS };

struct asking {
	struct exam *x;
	struct exam_wait *wait;
	struct ike_prober *prober;
	ARRAY(struct peer *) peers;
	size_t open;          /* peers that are not judged yet */
	size_t silent, shown; /* of those judged */
	unsigned mtu;         /* of the overlay; 0: not known */
};

struct peer {
	struct asking *all;
	const struct host *host; /* of the snapshot, which stays */
	struct ike_ask *asks[QUESTIONS];
	struct ike_evidence evidence[QUESTIONS];
	bool answered[QUESTIONS]; /* the evidence is there */
	size_t open;
};

/* --- the way ------------------------------------------------------------------------------ */

/* False: there is none, and nothing needs to be asked. */
static bool judge_way(struct exam *x, const struct host *h)
{
	const char *address = SN_ADDR_STR(&h->underlay.v[0]);
	struct way way;
	int r = look_way(&h->underlay.v[0], &way);

	if (r < 0)
		exam_find(x, SEVERITY_FAULT, "No tunnel to it can be built.",
			  "Add a route to that address, or correct it in the metadata.",
			  "there is no way to peer %s (%s): %s", h->id, address, sn_strerror(r));
	else if (sn_prefix_pair_around(&x->snapshot->overlay, &way.source))
		exam_find(
			x, SEVERITY_FAULT,
			"The tunnel's own packets would go through the overlay: it never comes up.",
			"Look at 'ip route get' that address: its route has to lead out by the "
			"underlay.",
			"packets to peer %s (%s) would leave with the overlay address %s", h->id,
			address, SN_ADDR_STR(&way.source));
	return r == 0;
}

/* --- what came back -------------------------------------------------------------------------- */

/* Whose fault it can be: what this host does not even send is its own. */
static enum severity severity_of(enum ike_verdict verdict, const struct ike_evidence *e,
				 const struct host *h)
{
	if (verdict == IKE_NOT_SENT || (verdict == IKE_FILTERED && e->refusal.by_us))
		return SEVERITY_FAULT;
	return h->state == HOST_ACTIVE ? SEVERITY_WARNING : SEVERITY_NOTE;
}

static void find_port(const struct peer *p, const char *ports, const struct ike_evidence *e,
		      const struct ike_judgement *j)
{
	struct asking *all = p->all;
	struct finding *f;

	if (all->shown++ >= SHOWN_MAX)
		return;
	f = exam_find(all->x, severity_of(j->verdict, e, p->host), j->meaning, NULL,
		      "peer %s (%s)%s%s, UDP %s: %s", p->host->id,
		      SN_ADDR_STR(&p->host->underlay.v[0]),
		      p->host->state == HOST_ACTIVE ? "" : ", by the metadata ",
		      p->host->state == HOST_ACTIVE ? "" : host_state_to_string(p->host->state),
		      ports, j->summary);
	finding_set_next(f, "'sennit-probe -u -z -v %s 500 4500' tells more; %s",
			 SN_ADDR_STR(&p->host->underlay.v[0]), j->next);
}

/* What the overlay's largest packets are on the wire, in bytes of IP. */
static unsigned large_packet(const struct peer *p)
{
	return look_packet_for(p->all->mtu, p->host->underlay.v[0].family);
}

static void judge_large(const struct peer *p)
{
	const struct ike_evidence *e = &p->evidence[ASK_LARGE];
	struct ike_judgement j;
	char passes[64] = "";

	if (!p->answered[ASK_LARGE])
		return;
	ike_judge(e, &j);
	if (j.verdict == IKE_ANSWERED)
		return;
	if (e->refusal.mtu)
		snprintf(passes, sizeof(passes), " (the way carries %u)", e->refusal.mtu);
	exam_find(p->all->x, SEVERITY_WARNING,
		  "Large packets are cut into two or vanish: connections open and then hang when "
		  "data flow.",
		  "Set \"mtu\" lower on every host of the mesh ('sennit-probe --mtu' finds what "
		  "passes), or raise the MTU of the network between the hosts.",
		  "peer %s (%s) answers short packets, but none of %u bytes%s, which the "
		  "overlay's MTU of %u needs",
		  p->host->id, SN_ADDR_STR(&p->host->underlay.v[0]), large_packet(p), passes,
		  p->all->mtu);
}

static bool is_heard(enum ike_verdict verdict)
{
	return verdict == IKE_ANSWERED || verdict == IKE_OTHER || verdict == IKE_REFUSED;
}

static void judge_peer(const struct peer *p)
{
	struct ike_evidence e[2] = { p->evidence[ASK_IKE], p->evidence[ASK_NAT] };
	struct ike_judgement j[2];

	for (int i = 0; i < 2; i++)
		ike_judge(&e[i], &j[i]);
	for (int i = 0; i < 2; i++) {
		e[i].host_heard = is_heard(j[!i].verdict);
		if (e[i].host_heard)
			ike_judge(&e[i], &j[i]);
	}
	p->all->silent += j[0].verdict != IKE_ANSWERED && j[1].verdict != IKE_ANSWERED;
	if (j[0].verdict == IKE_ANSWERED && j[1].verdict == IKE_ANSWERED)
		judge_large(p);
	else if (j[0].verdict == j[1].verdict)
		find_port(p, "500 and 4500", &e[0], &j[0]);
	else
		for (int i = 0; i < 2; i++)
			if (j[i].verdict != IKE_ANSWERED)
				find_port(p, i ? "4500" : "500", &e[i], &j[i]);
}

static void judge_all(struct asking *all)
{
	if (all->shown > SHOWN_MAX)
		exam_find(all->x, SEVERITY_WARNING, "As above.", "As above.",
			  "%zu more ports of peers do not answer", all->shown - SHOWN_MAX);
	if (all->peers.n > 1 && all->silent == all->peers.n)
		exam_find(all->x, SEVERITY_FAULT,
			  "When nobody answers the reason is most often on this side: its uplink, "
			  "its firewall, or the one before it.",
			  "Look at the firewall's findings above; ask another host what it sees "
			  "of this one: 'sennit-probe -u -z' from there.",
			  "none of the %zu peers answers", all->peers.n);
	else if (all->silent == 0)
		exam_ok(all->x, "the IKE daemons of %zu peers answer", all->peers.n);
}

/* --- asking
 * --------------------------------------------------------------------------------------- */

static void on_answer(struct peer *p, enum question question, const struct ike_evidence *e)
{
	struct asking *all = p->all;

	p->evidence[question] = *e;
	p->answered[question] = true;
	if (--p->open > 0)
		return;
	exam_resume(all->wait);
	judge_peer(p);
	if (--all->open > 0)
		return;
	judge_all(all);
	exam_done(all->wait);
}

static void on_ike(const struct ike_evidence *e, void *user)
{
	on_answer(user, ASK_IKE, e);
}

static void on_nat(const struct ike_evidence *e, void *user)
{
	on_answer(user, ASK_NAT, e);
}

static void on_large(const struct ike_evidence *e, void *user)
{
	on_answer(user, ASK_LARGE, e);
}

static const ike_asked_fn on_asked[QUESTIONS] = { on_ike, on_nat, on_large };

static void ask(struct peer *p, enum question question, size_t size)
{
	struct ike_question q = { .tries = TRIES, .wait_ms = WAIT_MS, .size = size };
	struct asking *all = p->all;
	struct sn_error e;

	sn_addr_to_sockaddr(&p->host->underlay.v[0], question == ASK_IKE ? IKE_PORT : IKE_NAT_PORT,
			    &q.to);
	if (ike_ask_new(all->prober, &q, on_asked[question], p, &p->asks[question], &e) == 0)
		p->open++;
	else if (question == ASK_IKE)
		exam_find(all->x, SEVERITY_FAULT, "It cannot be a peer's address.",
			  "Correct it in the metadata.", "peer %s: %s", p->host->id, e.text);
}

/* IP and UDP. */
static size_t headers_of(const struct host *h)
{
	return h->underlay.v[0].family == AF_INET6 ? 48 : 28;
}

static void ask_peer(struct asking *all, const struct host *h)
{
	struct peer *p;

	if (!judge_way(all->x, h))
		return;
	p = xcalloc(1, sizeof(*p));
	p->all = all;
	p->host = h;
	*array_add(&all->peers) = p;
	ask(p, ASK_IKE, 0);
	if (p->open > 0)
		ask(p, ASK_NAT, 0);
	if (p->open > 0 && all->mtu && all->peers.n <= LARGE_MAX)
		ask(p, ASK_LARGE, large_packet(p) - headers_of(h));
	all->open += p->open > 0;
}

static void on_late(void *user)
{
	struct asking *all = user;

	exam_unseen(all->x, "%zu of %zu peers were not asked in time; sennit-probe asks one",
		    all->open, all->peers.n);
}

static void end_asking(void *user)
{
	struct asking *all = user;

	array_foreach(&all->peers, p) {
		for (size_t i = 0; i < QUESTIONS; i++)
			ike_ask_free((*p)->asks[i]);
		free(*p);
	}
	array_free(&all->peers);
	ike_prober_free(all->prober);
	free(all);
}

void check_peers(struct exam *x)
{
	const struct ike_prober_options options = { .rate = RATE };
	struct asking *all = xcalloc(1, sizeof(*all));
	size_t hidden = 0;

	all->x = x;
	all->prober = ike_prober_new(x->loop, &options);
	all->wait = exam_wait(x, on_late, end_asking, all);
	all->mtu = (unsigned)exam_overlay_mtu(x);
	array_foreach(&x->snapshot->hosts, h) {
		if (h->state == HOST_GONE || streq(h->id, x->snapshot->self_id))
			continue;
		if (h->behind_nat)
			hidden++;
		else
			ask_peer(all, h);
	}
	if (hidden > 0)
		exam_ok(x, "%zu peers are behind NAT and are not asked: no question reaches them",
			hidden);
	if (all->open == 0)
		exam_done(all->wait);
}
