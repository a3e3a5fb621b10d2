/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of peers: a pure state machine per peer. What was seen goes in with
 * the time it was seen, what is to be sent and what to believe comes out. No
 * clock, no socket, no log (design §8).
 *
 * Timing: each side sends a heartbeat every HEALTH_BEAT_MS. One that is
 * HEALTH_LATE_MS late makes the peer suspect: HEALTH_PROBES echoes,
 * HEALTH_PROBE_MS apart, decide. None answered within HEALTH_PROBE_MS of the
 * last: down, at worst 500 + 300 + 3 × 150 ms = 1.25 s after the cut and its
 * round trip. Three answers in a row bring a peer back.
 */
#pragma once

#include "base/array.h"
#include "base/util.h"

#define HEALTH_BEAT_MS 500
#define HEALTH_LATE_MS 300
#define HEALTH_PROBES 3
#define HEALTH_PROBE_MS 150
#define HEALTH_ECHO_MS 5000     /* between echoes while heartbeats come */
#define HEALTH_AWAY_ECHO_MS 500 /* while only the path answers: it is all there is */
#define HEALTH_RETURN_MS 300    /* between echoes to a peer that is down or connecting */
#define HEALTH_ANSWERS 3        /* in a row, to be up again */
#define HEALTH_LOSS_WINDOW 64   /* heartbeats */
#define HEALTH_LOSS_DEGRADED 0.05
#define HEALTH_ASK_AFTER_MS 2000 /* of connecting: at start it may just need its time */
#define HEALTH_ASK_MS 15000      /* of silence without a cause, until the ports were asked */
#define HEALTH_PORTS_MS 30000    /* what they said is no evidence any more */

enum peer_state {
	PEER_CONNECTING, /* never up yet, and nothing says why not */
	PEER_UP,
	PEER_DEGRADED, /* it carries, but not well, or its daemon or charon is away */
	PEER_DOWN,
	PEER_GONE, /* no peer any more: replaced */
};
/* "connecting", "up", "degraded", "down", "gone". */
const char *peer_state_to_string(enum peer_state state);

/* The closed list of design §8. */
enum peer_cause {
	CAUSE_NONE,
	CAUSE_LOSS,
	CAUSE_RTT,
	CAUSE_MTU,
	CAUSE_NO_ANSWER_500,
	CAUSE_NO_ANSWER_4500,
	CAUSE_NO_ANSWER,
	CAUSE_REFUSED,
	CAUSE_AUTH_FAILED,
	CAUSE_PROPOSAL_MISMATCH,
	CAUSE_TS_MISMATCH,
	CAUSE_ESP_DROPPED,
	CAUSE_FORWARDING_BROKEN,
	CAUSE_PEER_DAEMON_AWAY,
	CAUSE_IKE_RESTARTING,
	CAUSE_DUPLICATE_ID,
	CAUSE_FLAPPING,
	CAUSE_CLOCK,
	CAUSE_SELF,
	CAUSE_UNKNOWN,
};
/* The words of design §8: "no-answer", "peer-daemon-away", … */
const char *peer_cause_to_string(enum peer_cause cause);
/* What the operator should do, one sentence; "" for CAUSE_NONE. */
const char *peer_cause_next_step(enum peer_cause cause);
/* What looks the same from here, one sentence; "" when nothing known does. */
const char *peer_cause_not_excluded(enum peer_cause cause);

/*
 * What came back from a UDP port of the peer that was asked beside the tunnel
 * (probe/ike_probe.h).
 */
enum port_finding {
	PORT_UNASKED,
	PORT_ANSWERED, /* by an IKE daemon */
	PORT_SILENT,   /* nothing came, or word that the host itself is not there */
	PORT_REFUSED,  /* by ICMP, from the host or on the way */
	PORT_OURS,     /* this host has no way to it, or does not let it out */
	PORT_OTHER,    /* something answered that is no IKE daemon */
};
struct peer_port {
	enum port_finding finding;
	char words[112]; /* "no answer to 3 probes within 3.6 s"; "" when it was not asked */
};
struct peer_ports {
	char address[48];     /* that was asked */
	struct peer_port ike; /* UDP 500 */
	struct peer_port nat; /* UDP 4500; not asked where the tunnel does not need it */
};

struct verdict {
	enum peer_state state;
	enum peer_cause cause;
	int64_t since_ms;   /* when state was entered, sn_now_ms() */
	char evidence[512]; /* "last answer 1.2 s ago, no tunnel; asked 192.0.2.12: …" */
	bool has_rtt;
	double rtt_ms;         /* of echoes, smoothed as in RFC 6298 */
	double loss;           /* 0..1 of the last HEALTH_LOSS_WINDOW heartbeats expected */
	int64_t last_heard_ms; /* any answer by the tunnel, 0 = never */
};

struct health;
struct health *health_new(void);
void health_free(struct health *h);
SN_DEFINE_CLEANUP(struct health *, health_free);

/* Peers by id; adding one that is there changes nothing. A peer starts as connecting. */
void health_add(struct health *h, const char *peer, int64_t now);
void health_remove(struct health *h, const char *peer);

/* Inputs. Unknown peers are ignored. */

/* Whether charon has an installed CHILD_SA with the peer. */
void health_tunnel(struct health *h, const char *peer, bool installed, int64_t now);
/* The peer's charon is a new one: what was lost while there was none was not lost on the way. */
void health_renewed(struct health *h, const char *peer);
/*
 * A valid heartbeat. boot is the sender's daemon: a new one starts a new
 * count. seq counts up by one a heartbeat within a boot.
 */
void health_heartbeat(struct health *h, const char *peer, uint64_t boot, uint32_t seq, int64_t now);
/*
 * Whether there are addresses between which heartbeats and echoes go; at first there are. Without
 * any, a tunnel that stands is taken for up, and the evidence says that nobody measures it.
 */
void health_can_measure(struct health *h, const char *peer, bool can, int64_t now);
/* What the peer's heartbeats say of its charon: that there is none, or that there is one. */
void health_peer_ike(struct health *h, const char *peer, bool away, int64_t now);
/* The answer to the echo that send_echo gave this token, and how long it took. */
void health_echo_reply(struct health *h, const char *peer, uint32_t token, int64_t rtt_us,
		       int64_t now);
/* What charon's last failed negotiation means, with its words; CAUSE_NONE takes it back. */
void health_ike_error(struct health *h, const char *peer, enum peer_cause cause, const char *text,
		      int64_t now);
/*
 * Whether the peer's ports can be asked, so that a cause waits for what they
 * say; not so when the peer is added, and never of one behind NAT, which
 * could not answer.
 */
void health_can_ask(struct health *h, const char *peer, bool can);
/* True when it is silent without a nearer cause than what its ports could tell. */
bool health_wants_ports(const struct health *h, const char *peer, int64_t now);
/* What a round of questions found; an answer by the tunnel makes it void. */
void health_ports(struct health *h, const char *peer, const struct peer_ports *ports, int64_t now);
/* charon itself is away or coming back: nothing is held against a peer because of it. */
void health_ike_online(struct health *h, bool online, int64_t now);
/* This process stood still for late_ms until now: every deadline moves by as much. */
void health_stalled(struct health *h, int64_t late_ms, int64_t now);

struct health_actions {
	void (*send_echo)(const char *peer, uint32_t token, void *user);
	/* State or cause differ from the last call; before is what was told then. */
	void (*changed)(const char *peer, const struct verdict *before, const struct verdict *after,
			void *user);
	void *user;
};
/*
 * Lets time pass: echoes that are due, peers that changed. Returns the time
 * (sn_now_ms()) by which to call again.
 */
int64_t health_tick(struct health *h, const struct health_actions *actions, int64_t now);
/* The verdict as of now; false for an unknown peer. */
bool health_get(const struct health *h, const char *peer, int64_t now, struct verdict *ret);
/* The cause that charon's words mean ("AUTHENTICATION_FAILED", "NO_PROPOSAL_CHOSEN", …). */
enum peer_cause health_classify_ike_error(const char *text);
