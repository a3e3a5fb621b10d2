/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First the longest: the kernel says at once what the link takes, and a router
 * what the way takes; that is tried next. Only what vanishes is halved down to.
 */
#include "mtu.h"

#include <errno.h>

#define LONGEST 9000
#define WAIT_MIN_MS 1000
#define RTTS 6

struct mtu_search {
	struct ike_prober *prober;
	struct ike_question q;
	mtu_fn fn;
	void *user;
	struct ike_ask *ask;
	unsigned headers;
	unsigned good, bad; /* IP bytes: passes, does not */
	unsigned trying;
	struct mtu_result result;
};

static void on_answer(const struct ike_evidence *e, void *user);

static void try(struct mtu_search *s, unsigned size)
{
	struct sn_error e;

	s->trying = size;
	s->q.size = size - s->headers;
	/* it was asked before, so there is a socket */
	sn_require(ike_ask_new(s->prober, &s->q, on_answer, s, &s->ask, &e) == 0);
}

/* What to try next; 0: nothing is left. */
static unsigned choose(const struct mtu_search *s, unsigned hint)
{
	if (s->good + 1 >= s->bad)
		return 0;
	if (hint > s->good && hint < s->bad)
		return hint;
	return (s->good + s->bad) / 2;
}

static void on_answer(const struct ike_evidence *e, void *user)
{
	struct mtu_search *s = user;
	const struct ike_refusal *r = &e->refusal;
	unsigned hint = 0;

	if (e->answer.kind >= IKE_ANSWER_V1) {
		s->good = s->trying;
	} else {
		s->bad = s->trying;
		s->result.silent = r->error != EMSGSIZE;
		s->result.by = r->offender;
		hint = r->error == EMSGSIZE ? r->mtu : 0;
		if (hint && hint < s->bad)
			s->bad = hint + 1; /* believed, but tried */
	}
	ike_ask_free(sn_steal(s->ask));
	hint = choose(s, hint);
	if (hint) {
		try(s, hint);
		return;
	}
	s->result.mtu = s->good;
	s->fn(&s->result, s->user);
}

struct mtu_search *mtu_search_new(struct ike_prober *prober, const struct sockaddr_storage *to,
				  int64_t rtt_us, mtu_fn fn, void *user)
{
	struct mtu_search *s = xcalloc(1, sizeof(*s));

	s->prober = prober;
	s->fn = fn;
	s->user = user;
	s->headers = to->ss_family == AF_INET ? 20 + 8 : 40 + 8;
	s->q = (struct ike_question){ .to = *to };
	s->q.wait_ms = SN_MAX(RTTS * rtt_us / 1000, WAIT_MIN_MS);
	s->good = s->headers + IKE_HEADER_SIZE + IKE_MARKER_SIZE;
	s->bad = LONGEST + 1;
	try(s, LONGEST);
	return s;
}

void mtu_search_free(struct mtu_search *s)
{
	if (!s)
		return;
	ike_ask_free(s->ask);
	free(s);
}
