/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of peers: a pure state machine per peer. What was seen goes in with
 * the time it was seen, what is to be sent and what to believe comes out. No
 * clock, no socket, no log (design §8).
 *
 * Timing: a heartbeat each HEALTH_BEAT_MS from each side. One that is
 * HEALTH_LATE_MS late makes the peer suspect: HEALTH_PROBES echoes,
 * HEALTH_PROBE_MS apart, decide. None answered in time: down. Three answers
 * in a row bring a peer back.
 */
#pragma once

#include "base/array.h"
#include "base/util.h"

#define HEALTH_BEAT_MS 500
#define HEALTH_LATE_MS 300
#define HEALTH_PROBES 3
#define HEALTH_PROBE_MS 150
#define HEALTH_ECHO_MS 5000 /* between echoes while all is well */

enum peer_state { PEER_CONNECTING, PEER_UP, PEER_DEGRADED, PEER_DOWN, PEER_GONE };
const char *peer_state_to_string(enum peer_state s);

enum peer_cause {
	CAUSE_NONE, CAUSE_LOSS, CAUSE_RTT, CAUSE_MTU, CAUSE_NO_ANSWER_500, CAUSE_NO_ANSWER_4500,
	CAUSE_NO_ANSWER, CAUSE_REFUSED, CAUSE_AUTH_FAILED, CAUSE_PROPOSAL_MISMATCH,
	CAUSE_TS_MISMATCH, CAUSE_ESP_DROPPED, CAUSE_FORWARDING_BROKEN, CAUSE_PEER_DAEMON_AWAY,
	CAUSE_IKE_RESTARTING, CAUSE_DUPLICATE_ID, CAUSE_FLAPPING, CAUSE_CLOCK, CAUSE_SELF,
	CAUSE_UNKNOWN,
};
/* The words of design §8: "no-answer", "peer-daemon-away", … */
const char *peer_cause_to_string(enum peer_cause c);
/* What to do next, one sentence for the operator. */
const char *peer_cause_next_step(enum peer_cause c);

struct verdict {
	enum peer_state state;
	enum peer_cause cause;
	int64_t since_ms;    /* sn_now_ms() of the last change of state */
	char evidence[256];  /* "last heartbeat 1.2 s ago, 3 of 3 echoes unanswered" */
	bool has_rtt;
	double rtt_ms;	     /* smoothed over the echoes and heartbeat round trips */
	double loss;	     /* 0..1 over the last 64 heartbeats expected */
	int64_t last_heard_ms; /* any answer by the tunnel, 0 = never */
	bool daemon_away;    /* path answers, heartbeats do not */
};

struct health;
struct health *health_new(void);
void health_free(struct health *h);
SN_DEFINE_CLEANUP(struct health *, health_free);

/* Peers by id; adding one that is there changes nothing. A peer starts as connecting. */
void health_add(struct health *h, const char *peer, int64_t now);
void health_remove(struct health *h, const char *peer);

/* Inputs. Unknown peers are ignored. */
void health_tunnel(struct health *h, const char *peer, bool installed, int64_t now);
/* A valid heartbeat; seq counts up from the sender's start; boot is its daemon's boot id. */
void health_heartbeat(struct health *h, const char *peer, uint64_t boot, uint32_t seq, int64_t now);
void health_echo_reply(struct health *h, const char *peer, uint32_t token, int64_t now);
/* charon's words about a failed negotiation, classified by the caller; CAUSE_NONE takes it back. */
void health_ike_error(struct health *h, const char *peer, enum peer_cause cause, const char *text,
		      int64_t now);
/* This process stood still until now: no deadline expires because of it. */
void health_stalled(struct health *h, int64_t late_ms, int64_t now);

/*
 * Lets time pass. Calls send_echo for each echo due (token is to be given back
 * with its reply), and changed for each peer whose state or cause changed
 * since the last call. Returns when to call again at the latest (absolute
 * sn_now_ms() time).
 */
struct health_actions {
	void (*send_echo)(const char *peer, uint32_t token, void *user);
	void (*changed)(const char *peer, const struct verdict *before, const struct verdict *now,
			void *user);
	void *user;
};
int64_t health_tick(struct health *h, const struct health_actions *actions, int64_t now);
/* The verdict as of now; false for an unknown peer. */
bool health_get(const struct health *h, const char *peer, int64_t now, struct verdict *ret);
/* The cause that charon's words mean ("AUTHENTICATION_FAILED", "NO_PROPOSAL_CHOSEN", …). Pure. */
enum peer_cause health_classify_ike_error(const char *text);
