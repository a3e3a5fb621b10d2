/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One machine per peer. Two clocks drive it:
 *
 *   hearing	Any answer by the tunnel, heartbeat or echo, sets `heard`. While
 *		heartbeats come nothing else is needed; when they stay away but the path
 *		answers, echoes at the same pace take their place, so the next
 *		answer is always due within HEALTH_BEAT_MS.
 *   doubt	An answer HEALTH_LATE_MS overdue starts a round of probes. Any
 *		answer ends it; a round without one is a peer that is down.
 *
 * A peer that is down or connecting is asked every HEALTH_RETURN_MS while there is a
 * tunnel to ask through; HEALTH_ANSWERS in a row make it up.
 *
 * Everything derived (evidence, cause) is computed when asked for, from what was seen.
 */
#include "health/health.h"

#include <stdio.h>

/* Answers further apart than this are not "in a row". */
#define ROW_GAP_MS 1200
/* The path answers, but heartbeats stay away for so long: the daemon is away. */
#define DAEMON_AWAY_MS 2000
/* So long a peer may be without charon and is well: a restart takes less. */
#define IKE_AWAY_MS 2000
/* For so long what the peer said of its charon is the best that is known of it. */
#define IKE_AWAY_VALID_MS 30000
/* charon's complaint has to last: at start the two ends are not ready at once. */
#define IKE_ERROR_MS 3000
/* Without any complaint a first connection may take this long. */
#define CONNECTING_MS 10000
/* Where both ports answer a tunnel is due within this time, or there is a reason. */
#define ANSWERED_MS 15000
/* Loss is judged on no fewer heartbeats than this. */
#define LOSS_MIN 20
#define ECHOES 8 /* remembered as sent */

struct peer {
	char id[SN_ID_SIZE];
	int64_t added_ms;

	bool tunnel;
	int64_t heard_ms;     /* 0: never */
	int64_t heartbeat_ms; /* 0: never */
	unsigned row;         /* answers in a row */

	uint64_t boot;
	uint32_t seq;
	uint64_t lost_bits; /* newest in bit 0, 1 = lost */
	unsigned counted;   /* heartbeats in lost_bits, up to HEALTH_LOSS_WINDOW */
	bool excused;       /* the gap before the next heartbeat was no loss of the path */
	int64_t stalled_ms; /* the end of our last stall, 0: none */

	uint32_t echoes[ECHOES]; /* tokens that wait for their answer, 0: none */
	unsigned next_echo;
	int64_t echo_due_ms;
	double rtt_ms; /* < 0: none yet */

	bool doubted;
	unsigned probes; /* sent in this round */
	int64_t probe_due_ms;

	int64_t ike_away_ms; /* its charon is away since, as it says; 0: it is not */
	int64_t ike_told_ms; /* when it said so last */
	enum peer_cause ike_cause;
	char ike_text[160];

	bool unmeasured; /* nothing is asked or heard by its tunnel */
	bool can_ask;
	struct peer_ports ports;
	int64_t ports_ms;    /* when ports were found so; 0: not since it was last heard */
	int64_t answered_ms; /* since when nothing was wrong with them; 0: something was */

	enum peer_state state;
	int64_t since_ms;
	int64_t carrying_ms; /* when it last came up */
	struct verdict told;
};

struct health {
	ARRAY(struct peer *) peers; /* by id */
	uint32_t token;
	bool ike_online;
};

struct health *health_new(void)
{
	struct health *h = xcalloc(1, sizeof(*h));

	h->ike_online = true;
	return h;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	array_foreach(&h->peers, p)
		free(*p);
	array_free(&h->peers);
	free(h);
}

/* Where the peer is, or would have to be: each of hundreds is asked for twice a second. */
static size_t place_of(const struct health *h, const char *id)
{
	size_t low = 0, high = h->peers.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(h->peers.v[middle]->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct peer *find(const struct health *h, const char *id)
{
	size_t at = place_of(h, id);

	return at < h->peers.n && streq(h->peers.v[at]->id, id) ? h->peers.v[at] : NULL;
}

void health_add(struct health *h, const char *id, int64_t now)
{
	size_t at = place_of(h, id);
	struct peer *p;

	if (find(h, id))
		return;
	p = xcalloc(1, sizeof(*p));
	snprintf(p->id, sizeof(p->id), "%s", id);
	p->added_ms = now;
	p->since_ms = now;
	p->rtt_ms = -1;
	p->state = PEER_CONNECTING;
	p->told.state = PEER_CONNECTING;
	p->told.since_ms = now;
	array_add(&h->peers);
	memmove(&h->peers.v[at + 1], &h->peers.v[at],
		(h->peers.n - 1 - at) * sizeof(struct peer *));
	h->peers.v[at] = p;
}

void health_remove(struct health *h, const char *id)
{
	struct peer *p = find(h, id);

	if (!p)
		return;
	array_remove(&h->peers, place_of(h, id));
	free(p);
}

static bool is_carrying(const struct peer *p)
{
	return p->state == PEER_UP || p->state == PEER_DEGRADED;
}

static void enter(struct peer *p, enum peer_state state, int64_t now)
{
	if (p->state == state)
		return;
	p->state = state;
	p->since_ms = now;
	p->doubted = false;
	p->row = 0;
}

/* How long an echo may take: what the path was seen to need, and then some. */
static int64_t answer_time(const struct peer *p)
{
	return SN_MAX((int64_t)HEALTH_PROBE_MS, (int64_t)(2 * p->rtt_ms));
}

/* An answer came by the tunnel. */
static void hear(struct peer *p, int64_t now)
{
	p->row = p->heard_ms && now - p->heard_ms <= ROW_GAP_MS ? p->row + 1 : 1;
	p->heard_ms = now;
	p->doubted = false;
	/* whatever charon complained of, it did not keep this out */
	p->ike_cause = CAUSE_NONE;
	p->ports_ms = p->answered_ms = 0;
	if (is_carrying(p) || p->row < HEALTH_ANSWERS)
		return;
	enter(p, PEER_UP, now);
	p->carrying_ms = now;
	/* what was lost during the outage says nothing of the path that is back */
	p->counted = 0;
	p->lost_bits = 0;
}

void health_tunnel(struct health *h, const char *id, bool installed, int64_t now)
{
	struct peer *p = find(h, id);

	if (!p || p->tunnel == installed)
		return;
	p->tunnel = installed;
	if (installed) {
		p->excused = true;
		p->ike_cause = CAUSE_NONE;
		p->echo_due_ms = now;
	}
}

void health_renewed(struct health *h, const char *id)
{
	struct peer *p = find(h, id);

	if (p)
		p->excused = true;
}

/* A socket that was full meanwhile has a gap behind what it kept: the next fresh one shows it. */
static bool just_stalled(const struct peer *p, int64_t now)
{
	return p->stalled_ms && now - p->stalled_ms <= HEALTH_BEAT_MS + HEALTH_LATE_MS;
}

static void count_heartbeat(struct peer *p, bool lost)
{
	p->lost_bits = p->lost_bits << 1 | lost;
	p->counted = SN_MIN(p->counted + 1, (unsigned)HEALTH_LOSS_WINDOW);
}

void health_heartbeat(struct health *h, const char *id, uint64_t boot, uint32_t seq, int64_t now)
{
	struct peer *p = find(h, id);

	if (!p)
		return;
	if (p->heartbeat_ms && boot == p->boot && seq > p->seq && !p->excused &&
	    !just_stalled(p, now)) {
		uint32_t missing = SN_MIN(seq - p->seq - 1, (uint32_t)HEALTH_LOSS_WINDOW);

		while (missing--)
			count_heartbeat(p, true);
	}
	count_heartbeat(p, false);
	p->excused = false;
	p->boot = boot;
	p->seq = seq;
	p->heartbeat_ms = now;
	hear(p, now);
}

void health_peer_ike(struct health *h, const char *id, bool away, int64_t now)
{
	struct peer *p = find(h, id);

	if (!p)
		return;
	if (!away)
		p->ike_away_ms = 0;
	else if (!p->ike_away_ms)
		p->ike_away_ms = now;
	p->ike_told_ms = now;
}

void health_echo_reply(struct health *h, const char *id, uint32_t token, int64_t rtt_us,
		       int64_t now)
{
	struct peer *p = find(h, id);

	if (!p || token == 0)
		return;
	for (size_t i = 0; i < ECHOES; i++) {
		double took = (double)rtt_us / 1000;

		if (p->echoes[i] != token)
			continue;
		p->echoes[i] = 0;
		p->rtt_ms = p->rtt_ms < 0 ? took : p->rtt_ms * 7 / 8 + took / 8;
		hear(p, now);
		return;
	}
}

void health_ike_error(struct health *h, const char *id, enum peer_cause cause, const char *text,
		      int64_t now)
{
	struct peer *p = find(h, id);

	(void)now;
	if (!p)
		return;
	p->ike_cause = cause;
	snprintf(p->ike_text, sizeof(p->ike_text), "%s", text);
}

void health_ike_online(struct health *h, bool online, int64_t now)
{
	(void)now;
	h->ike_online = online;
}

void health_stalled(struct health *h, int64_t late_ms, int64_t now)
{
	array_foreach(&h->peers, item) {
		struct peer *p = *item;

		if (p->heard_ms)
			p->heard_ms = SN_MIN(p->heard_ms + late_ms, now);
		if (p->heartbeat_ms)
			p->heartbeat_ms = SN_MIN(p->heartbeat_ms + late_ms, now);
		if (p->ike_away_ms) {
			p->ike_away_ms = SN_MIN(p->ike_away_ms + late_ms, now);
			p->ike_told_ms = SN_MIN(p->ike_told_ms + late_ms, now);
		}
		if (p->state == PEER_CONNECTING)
			p->added_ms = SN_MIN(p->added_ms + late_ms, now);
		/* probes sent before the stall may have been answered into a full socket */
		p->doubted = false;
		p->stalled_ms = now;
	}
}

static void send_echo(struct health *h, struct peer *p, const struct health_actions *actions)
{
	if (++h->token == 0)
		h->token = 1;
	p->echoes[p->next_echo++ % ECHOES] = h->token;
	actions->send_echo(p->id, h->token, actions->user);
}

/* The path answers but the daemon does not send heartbeats. */
static bool daemon_is_away(const struct peer *p, int64_t now)
{
	int64_t last = SN_MAX(p->heartbeat_ms, p->carrying_ms);

	return is_carrying(p) && now - last > DAEMON_AWAY_MS;
}

/* The peer says that it has no charon, or said so last and not long ago. */
static bool ike_is_away(const struct peer *p, int64_t now)
{
	return p->ike_away_ms && now - p->ike_told_ms <= IKE_AWAY_VALID_MS;
}

/* For longer than a restart takes. */
static bool ike_stays_away(const struct peer *p, int64_t now)
{
	return ike_is_away(p, now) && now - p->ike_away_ms > IKE_AWAY_MS;
}

/* Heartbeats are overdue, whether or not the daemon counts as away already. */
static bool heartbeat_overdue(const struct peer *p, int64_t now)
{
	return now - p->heartbeat_ms > HEALTH_BEAT_MS + HEALTH_LATE_MS;
}

static double loss_of(const struct peer *p)
{
	uint64_t mask = p->counted >= 64 ? UINT64_MAX : (1ULL << p->counted) - 1;

	return p->counted ? (double)__builtin_popcountll(p->lost_bits & mask) / p->counted : 0;
}

static bool is_lossy(const struct peer *p)
{
	return p->counted >= LOSS_MIN && loss_of(p) >= HEALTH_LOSS_DEGRADED;
}

/* A round of probes; true while it goes on, false when it ended without an answer. */
static bool go_on_doubting(struct health *h, struct peer *p, const struct health_actions *actions,
			   int64_t now)
{
	if (now < p->probe_due_ms)
		return true;
	if (p->probes == HEALTH_PROBES)
		return false;
	send_echo(h, p, actions);
	p->probes++;
	p->probe_due_ms = now + (p->probes == HEALTH_PROBES ? answer_time(p) : HEALTH_PROBE_MS);
	return true;
}

static void tick_carrying(struct health *h, struct peer *p, const struct health_actions *actions,
			  int64_t now)
{
	if (!p->doubted && now - p->heard_ms > HEALTH_BEAT_MS + HEALTH_LATE_MS) {
		p->doubted = true;
		p->probes = 0;
		p->probe_due_ms = now;
	}
	if (p->doubted) {
		if (!go_on_doubting(h, p, actions, now))
			enter(p, PEER_DOWN, now);
		return;
	}
	if (now >= p->echo_due_ms) {
		send_echo(h, p, actions);
		p->echo_due_ms =
			now + (heartbeat_overdue(p, now) ? HEALTH_AWAY_ECHO_MS : HEALTH_ECHO_MS);
	} else if (heartbeat_overdue(p, now)) {
		p->echo_due_ms = SN_MIN(p->echo_due_ms, now + HEALTH_AWAY_ECHO_MS);
	}
	/* since_ms does not change between up and degraded by itself: enter() sets it */
	enter(p,
	      daemon_is_away(p, now) || is_lossy(p) || ike_stays_away(p, now) ? PEER_DEGRADED
									      : PEER_UP,
	      now);
}

/* --- the ports ------------------------------------------------------------- */

static bool has_ports(const struct peer *p, int64_t now)
{
	return p->ports_ms && now - p->ports_ms <= HEALTH_PORTS_MS;
}

/* What the two say together. CAUSE_NONE: nothing is wrong with them. */
static enum peer_cause judge_ports(const struct peer *p)
{
	enum port_finding ike = p->ports.ike.finding, nat = p->ports.nat.finding;

	if (ike == PORT_OURS || nat == PORT_OURS)
		return CAUSE_SELF;
	if (ike == PORT_REFUSED || nat == PORT_REFUSED)
		return CAUSE_REFUSED;
	if (ike == PORT_OTHER || nat == PORT_OTHER)
		return CAUSE_UNKNOWN;
	if (ike == PORT_SILENT && nat != PORT_ANSWERED)
		return CAUSE_NO_ANSWER;
	/* it takes 500 to build a tunnel, but none that stands goes by it */
	if (ike == PORT_SILENT && !p->tunnel)
		return CAUSE_NO_ANSWER_500;
	return nat == PORT_SILENT ? CAUSE_NO_ANSWER_4500 : CAUSE_NONE;
}

/* Of a peer that is silent, when nothing but its ports tells why. */
static enum peer_cause cause_of_silence(const struct peer *p, int64_t now)
{
	enum peer_cause cause;

	if (!has_ports(p, now))
		return p->can_ask && now - SN_MAX(p->since_ms, p->heard_ms) < HEALTH_ASK_MS
			       ? CAUSE_NONE
			       : CAUSE_NO_ANSWER;
	cause = judge_ports(p);
	if (cause == CAUSE_NONE && p->answered_ms && now - p->answered_ms > ANSWERED_MS)
		return CAUSE_UNKNOWN;
	return cause;
}

/*
 * charon's words are nearer than what the ports say, but that nobody answers it. What
 * it said that is in no list may be old, or about what the ports tell better.
 */
static enum peer_cause cause_of_down(const struct peer *p, int64_t now)
{
	enum peer_cause ports = has_ports(p, now) ? judge_ports(p) : CAUSE_NONE;

	if (p->ike_cause == CAUSE_NONE || p->ike_cause == CAUSE_NO_ANSWER)
		return cause_of_silence(p, now);
	if (p->ike_cause == CAUSE_UNKNOWN &&
	    (ports == CAUSE_SELF || ports == CAUSE_REFUSED || ports == CAUSE_NO_ANSWER))
		return ports;
	return p->ike_cause;
}

void health_can_ask(struct health *h, const char *id, bool can)
{
	struct peer *p = find(h, id);

	if (p)
		p->can_ask = can;
}

bool health_wants_ports(const struct health *h, const char *id, int64_t now)
{
	const struct peer *p = find(h, id);
	bool silent = p && (p->state == PEER_DOWN || (p->state == PEER_CONNECTING &&
						      now - p->added_ms >= HEALTH_ASK_AFTER_MS));

	return silent && h->ike_online && p->can_ask &&
	       (p->ike_cause == CAUSE_NONE || p->ike_cause == CAUSE_NO_ANSWER ||
		p->ike_cause == CAUSE_UNKNOWN);
}

void health_ports(struct health *h, const char *id, const struct peer_ports *ports, int64_t now)
{
	struct peer *p = find(h, id);

	if (!p || is_carrying(p))
		return;
	p->ports = *ports;
	p->ports_ms = now;
	if (judge_ports(p) != CAUSE_NONE)
		p->answered_ms = 0;
	else if (p->answered_ms == 0)
		p->answered_ms = now;
}

void health_can_measure(struct health *h, const char *id, bool can, int64_t now)
{
	struct peer *p = find(h, id);

	if (!p || p->unmeasured == !can)
		return;
	p->unmeasured = !can;
	/* its time to answer begins, and what was not heard before says nothing */
	p->doubted = false;
	p->excused = true;
	if (can && is_carrying(p))
		p->heard_ms = p->carrying_ms = now;
}

/* charon said why, or the ports did: a first connection need not have all its time. */
static bool is_explained(const struct peer *p, int64_t now)
{
	return p->ike_cause != CAUSE_NONE || (has_ports(p, now) && judge_ports(p) != CAUSE_NONE);
}

static void tick_silent(struct health *h, struct peer *p, const struct health_actions *actions,
			int64_t now)
{
	if (p->tunnel && now >= p->echo_due_ms) {
		send_echo(h, p, actions);
		p->echo_due_ms = now + HEALTH_RETURN_MS;
	}
	if (p->state != PEER_CONNECTING)
		return;
	if (now - p->added_ms > CONNECTING_MS ||
	    (is_explained(p, now) && now - p->added_ms > IKE_ERROR_MS))
		enter(p, PEER_DOWN, now);
}

/* A tunnel that stands is all there is to go by. */
static void tick_unmeasured(struct health *h, struct peer *p, const struct health_actions *actions,
			    int64_t now)
{
	if (p->tunnel)
		enter(p, PEER_UP, now);
	else if (is_carrying(p))
		enter(p, PEER_DOWN, now);
	else
		tick_silent(h, p, actions, now);
}

static enum peer_cause cause_of(const struct health *h, const struct peer *p, int64_t now)
{
	switch (p->state) {
	case PEER_UP:
	case PEER_GONE:
	case PEER_CONNECTING:
		return CAUSE_NONE;
	case PEER_DEGRADED:
		if (daemon_is_away(p, now))
			return CAUSE_PEER_DAEMON_AWAY;
		return ike_stays_away(p, now) ? CAUSE_IKE_RESTARTING : CAUSE_LOSS;
	case PEER_DOWN:
		if (!h->ike_online || ike_is_away(p, now))
			return CAUSE_IKE_RESTARTING;
		return cause_of_down(p, now);
	}
	return CAUSE_UNKNOWN;
}

/* "1.2 s", "3 min", "5 h". */
static const char *duration(int64_t ms, char buf[static 24])
{
	if (ms < 60000)
		snprintf(buf, 24, "%.1f s", (double)ms / 1000);
	else if (ms < 2 * 3600000)
		snprintf(buf, 24, "%lld min", (long long)ms / 60000);
	else
		snprintf(buf, 24, "%lld h", (long long)ms / 3600000);
	return buf;
}
#define DURATION(ms) duration((ms), (char[24]){ 0 })

/* "asked 192.0.2.12: UDP 500 and 4500: no answer to 3 probes within 3.6 s". */
static int describe_ports(const struct peer_ports *ports, char *buf, size_t size)
{
	if (streq(ports->ike.words, ports->nat.words))
		return snprintf(buf, size, "; asked %s: UDP 500 and 4500: %s", ports->address,
				ports->ike.words);
	if (ports->nat.finding == PORT_UNASKED)
		return snprintf(buf, size, "; asked %s: UDP 500: %s", ports->address,
				ports->ike.words);
	return snprintf(buf, size, "; asked %s: UDP 500: %s; UDP 4500: %s", ports->address,
			ports->ike.words, ports->nat.words);
}

static const char why_unmeasured[] = "the two hosts have no overlay addresses of one family";

static void describe(const struct peer *p, int64_t now, char *buf, size_t size)
{
	int n = p->unmeasured ? snprintf(buf, size, "not measured: %s", why_unmeasured)
		: p->heard_ms
			? snprintf(buf, size, "last answer %s ago", DURATION(now - p->heard_ms))
			: snprintf(buf, size, "no answer yet");

	if (!is_carrying(p))
		n += snprintf(buf + n, size - (size_t)n, ", %s",
			      p->tunnel ? "tunnel stands" : "no tunnel");
	if (p->unmeasured && is_carrying(p))
		return;
	if (is_carrying(p) && daemon_is_away(p, now))
		n += snprintf(buf + n, size - (size_t)n, ", the path answers, heartbeats do not");
	if (ike_is_away(p, now) && !(is_carrying(p) && daemon_is_away(p, now)))
		n += snprintf(buf + n, size - (size_t)n, ", it has said that its charon is away");
	if (is_carrying(p) && is_lossy(p))
		n += snprintf(buf + n, size - (size_t)n, ", %.0f %% of %u heartbeats lost",
			      100 * loss_of(p), p->counted);
	if (!is_carrying(p) && has_ports(p, now))
		n += describe_ports(&p->ports, buf + n, size - (size_t)n);
	else if (p->state == PEER_DOWN && p->can_ask && p->ike_cause == CAUSE_NONE)
		n += snprintf(buf + n, size - (size_t)n, "; its ports are asked");
	if (!is_carrying(p) && p->ike_cause != CAUSE_NONE && p->ike_text[0])
		snprintf(buf + n, size - (size_t)n, "; charon: %s", p->ike_text);
}

static struct verdict verdict_of(const struct health *h, const struct peer *p, int64_t now)
{
	struct verdict v = {
		.state = p->state,
		.cause = cause_of(h, p, now),
		.since_ms = p->since_ms,
		.has_rtt = p->rtt_ms >= 0,
		.rtt_ms = p->rtt_ms,
		.loss = loss_of(p),
		.last_heard_ms = p->heard_ms,
	};

	describe(p, now, v.evidence, sizeof(v.evidence));
	return v;
}

static void tell(struct health *h, struct peer *p, const struct health_actions *actions,
		 int64_t now)
{
	struct verdict before, after;

	/* each heartbeat of each peer asks this of all: the words only when they are needed */
	if (p->told.state == p->state && p->told.cause == cause_of(h, p, now))
		return;
	before = p->told;
	after = verdict_of(h, p, now);
	p->told = after;
	actions->changed(p->id, &before, &after, actions->user);
}

static int64_t next_time(const struct peer *p, int64_t now)
{
	int64_t next = now + HEALTH_BEAT_MS;

	if (p->unmeasured)
		return next;
	if (p->doubted)
		return p->probe_due_ms;
	if (is_carrying(p))
		next = SN_MIN(p->heard_ms + HEALTH_BEAT_MS + HEALTH_LATE_MS + 1, next);
	return is_carrying(p) || p->tunnel ? SN_MIN(next, p->echo_due_ms) : next;
}

int64_t health_tick(struct health *h, const struct health_actions *actions, int64_t now)
{
	int64_t next = now + HEALTH_BEAT_MS;

	array_foreach(&h->peers, item) {
		struct peer *p = *item;

		if (p->unmeasured)
			tick_unmeasured(h, p, actions, now);
		else if (is_carrying(p))
			tick_carrying(h, p, actions, now);
		else
			tick_silent(h, p, actions, now);
		tell(h, p, actions, now);
		next = SN_MIN(next, next_time(p, now));
	}
	return SN_MAX(next, now + 1);
}

bool health_get(const struct health *h, const char *id, int64_t now, struct verdict *ret)
{
	const struct peer *p = find(h, id);

	if (p)
		*ret = verdict_of(h, p, now);
	return p != NULL;
}
