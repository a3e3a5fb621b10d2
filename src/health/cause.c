/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of health: states, causes, what to do about them, and what charon means. */
#include "health/health.h"

static const char *const state_names[] = {
	[PEER_CONNECTING] = "connecting",
	[PEER_UP] = "up",
	[PEER_DEGRADED] = "degraded",
	[PEER_DOWN] = "down",
	[PEER_GONE] = "gone",
};

static const struct {
	const char *name, *next, *not_excluded;
} causes[] = {
	[CAUSE_NONE] = { "none", "" },
	[CAUSE_LOSS] = { "loss", "look for a full link or a bad cable on the way to it" },
	[CAUSE_RTT] = { "rtt", "look for a full link or a detour on the way to it" },
	[CAUSE_MTU] = { "mtu", "lower mtu, or let ICMP 'fragmentation needed' pass" },
	[CAUSE_NO_ANSWER_500] = { "no-answer-500", "let UDP 500 pass in both directions",
				  "a filter that lets it pass from port 500 only (it is asked from "
				  "another), or something silent that has the port there" },
	[CAUSE_NO_ANSWER_4500] = { "no-answer-4500", "let UDP 4500 pass in both directions",
				   "a filter that lets it pass from port 4500 only (it is asked "
				   "from another), or something silent that has the port there" },
	[CAUSE_NO_ANSWER] = { "no-answer",
			      "see whether the host runs and whether UDP 500 and 4500 pass",
			      "that the host is off, that its charon stands still, that a filter "
			      "drops the way there or the way back: it looks the same from here" },
	[CAUSE_REFUSED] = { "refused", "start sennitd there, or open the firewall that rejects",
			    "a router that has the peer's address (NAT) and refuses in its place" },
	[CAUSE_AUTH_FAILED] = { "auth-failed",
				"compare the secret file and the mesh id of both hosts" },
	[CAUSE_PROPOSAL_MISMATCH] = { "proposal-mismatch",
				      "run the same release of sennit on both hosts" },
	[CAUSE_TS_MISMATCH] = { "ts-mismatch",
				"compare the prefixes that both hosts have from the metadata" },
	[CAUSE_ESP_DROPPED] = { "esp-dropped", "let UDP 4500 (or ESP) pass in both directions" },
	[CAUSE_FORWARDING_BROKEN] = { "forwarding-broken",
				      "look at forwarding and foreign firewall rules there" },
	[CAUSE_PEER_DAEMON_AWAY] = { "peer-daemon-away",
				     "start sennitd there; its tunnel goes on carrying" },
	[CAUSE_IKE_RESTARTING] = { "ike-restarting",
				   "wait for charon; see its log if it lasts, here "
				   "or, if the evidence says so, on that host" },
	[CAUSE_DUPLICATE_ID] = { "duplicate-id", "give each host an id of its own" },
	[CAUSE_FLAPPING] = { "flapping", "look for an unsteady link on the way to it" },
	[CAUSE_CLOCK] = { "clock", "set the clock of both hosts" },
	[CAUSE_SELF] = { "self", "look at this host first: its link, route, charon and guard" },
	[CAUSE_UNKNOWN] = { "unknown", "see whether that host has this one in its mesh: run sennit "
				       "status there" },
};

const char *peer_state_to_string(enum peer_state state)
{
	return state_names[state];
}

const char *peer_cause_to_string(enum peer_cause cause)
{
	return causes[cause].name;
}

const char *peer_cause_next_step(enum peer_cause cause)
{
	return causes[cause].next;
}

const char *peer_cause_not_excluded(enum peer_cause cause)
{
	return causes[cause].not_excluded ? causes[cause].not_excluded : "";
}

enum peer_cause health_classify_ike_error(const char *text)
{
	static const struct {
		const char *words;
		enum peer_cause cause;
	} table[] = {
		{ "AUTH_FAILED", CAUSE_AUTH_FAILED },
		{ "AUTHENTICATION_FAILED", CAUSE_AUTH_FAILED },
		{ "no shared key found", CAUSE_AUTH_FAILED },
		{ "MAC mismatched", CAUSE_AUTH_FAILED },
		/*
		 * NO_PROPOSAL_CHOSEN is not here: charon also answers so when it has no
		 * connection for the caller, which is what a host hears that was removed.
		 */
		{ "no acceptable proposal", CAUSE_PROPOSAL_MISMATCH },
		{ "TS_UNACCEPTABLE", CAUSE_TS_MISMATCH },
		{ "TS_UNACCEPT", CAUSE_TS_MISMATCH },
		{ "peer not responding", CAUSE_NO_ANSWER },
		{ "giving up after", CAUSE_NO_ANSWER },
	};

	for (size_t i = 0; i < SN_ARRAY_SIZE(table); i++)
		if (strstr(text, table[i].words))
			return table[i].cause;
	return CAUSE_UNKNOWN;
}
