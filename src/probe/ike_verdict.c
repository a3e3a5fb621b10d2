/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/ike_verdict.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>

/* RFC 792, 1812; RFC 4443 */
#define ICMP4_UNREACHABLE 3
#define ICMP6_UNREACHABLE 1

static const char *const names[] = {
	[IKE_ANSWERED] = "answered",       [IKE_OTHER] = "other",
	[IKE_REFUSED] = "refused",         [IKE_FILTERED] = "filtered",
	[IKE_UNREACHABLE] = "unreachable", [IKE_NO_NEIGHBOUR] = "no-neighbour",
	[IKE_NOT_SENT] = "not-sent",       [IKE_SILENT] = "no-answer",
};

const char *ike_verdict_to_string(enum ike_verdict verdict)
{
	return names[verdict];
}

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

/* --- ICMP ------------------------------------------------------------------ */

/* What a "destination unreachable" is about. */
enum reach { REACH_NET, REACH_HOST, REACH_PORT, REACH_FORBIDDEN, REACH_ODD };

static enum reach reach_v4(uint8_t code)
{
	switch (code) {
	case 0:
	case 5:
	case 6:
	case 11:
		return REACH_NET;
	case 1:
	case 7:
	case 8:
	case 12:
		return REACH_HOST;
	case 3:
		return REACH_PORT;
	case 9:
	case 10:
	case 13:
		return REACH_FORBIDDEN;
	default:
		return REACH_ODD;
	}
}

static enum reach reach_v6(uint8_t code)
{
	switch (code) {
	case 0:
		return REACH_NET;
	case 3:
		return REACH_HOST;
	case 4:
		return REACH_PORT;
	case 1:
	case 5:
	case 6:
		return REACH_FORBIDDEN;
	default:
		return REACH_ODD;
	}
}

static enum reach reach_of(const struct ike_evidence *e)
{
	bool v6 = e->target.addr.family == AF_INET6;

	if (e->refusal.type != (v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE))
		return REACH_ODD;
	return v6 ? reach_v6(e->refusal.code) : reach_v4(e->refusal.code);
}

static const char *reach_words(enum reach reach)
{
	static const char *const words[] = {
		[REACH_NET] = "network unreachable",
		[REACH_HOST] = "host unreachable",
		[REACH_PORT] = "port unreachable",
		[REACH_FORBIDDEN] = "administratively prohibited",
		[REACH_ODD] = "an odd ICMP error",
	};

	return words[reach];
}

static const char *look_there(void)
{
	return "there: does sennitd run (sennit status), who has the port (ss -ulpn), what does "
	       "its firewall say (nft list ruleset)";
}

static void judge_host_refusal(const struct ike_evidence *e, struct ike_judgement *j)
{
	enum reach reach = reach_of(e);

	j->verdict = IKE_REFUSED;
	SAY(j->summary, "refused by the host itself (ICMP %s)", reach_words(reach));
	if (reach == REACH_PORT)
		SAY(j->meaning,
		    "UDP %u reaches the host, but nothing listens there, or its own firewall "
		    "rejects it.",
		    e->target.port);
	else
		SAY(j->meaning, "UDP %u reaches the host, whose own firewall rejects it.",
		    e->target.port);
	SAY(j->next, "%s", look_there());
}

static void judge_own_refusal(const struct ike_evidence *e, struct ike_judgement *j)
{
	enum reach reach = reach_of(e);
	bool v6 = e->target.addr.family == AF_INET6;

	if (reach == REACH_HOST) {
		j->verdict = IKE_NO_NEIGHBOUR;
		SAY(j->summary, "%s does not answer %s",
		    e->on_link ? "the host" : "the gateway to it",
		    v6 ? "neighbour discovery" : "ARP");
		SAY(j->meaning,
		    e->on_link ? "It should be on this host's own network, but is off, has another "
				 "address, or is cut off from it."
			       : "Nothing leaves this host's own network: the gateway is off, has "
				 "another address, or is cut off from it.");
		SAY(j->next, "look at the host, its cable or switch port, and at 'ip neigh' here");
		return;
	}
	j->verdict = IKE_FILTERED;
	SAY(j->summary, "rejected by this host's own firewall (ICMP %s)", reach_words(reach));
	SAY(j->meaning, "A rule of this host rejects UDP to port %u before it leaves.",
	    e->target.port);
	SAY(j->next, "find the rule with 'nft list ruleset' (and 'iptables-save') here");
}

static void judge_foreign_refusal(const struct ike_evidence *e, struct ike_judgement *j)
{
	enum reach reach = reach_of(e);
	const char *who = SN_ADDR_STR(&e->refusal.offender);

	if (reach == REACH_NET || reach == REACH_HOST) {
		j->verdict = IKE_UNREACHABLE;
		SAY(j->summary, "%s says: %s", who, reach_words(reach));
		SAY(j->meaning,
		    reach == REACH_NET
			    ? "%s, a router on the way, has no route to the host."
			    : "%s, a router on the way, gets no answer from the host: it "
			      "is off, has another address, or is cut off.",
		    who);
		SAY(j->next, "look at %s %s",
		    reach == REACH_NET ? "the routes of" : "the host behind", who);
		return;
	}
	j->verdict = IKE_FILTERED;
	SAY(j->summary, "rejected on the way by %s (ICMP %s)", who, reach_words(reach));
	SAY(j->meaning,
	    "A filter at %s rejects UDP %u (or that is another address of the host itself).", who,
	    e->target.port);
	SAY(j->next, "let UDP %u pass at %s, in both directions", e->target.port, who);
}

static void judge_icmp(const struct ike_evidence *e, struct ike_judgement *j)
{
	const struct ike_refusal *r = &e->refusal;

	if (sn_addr_cmp(&r->offender, &e->target.addr) == 0)
		judge_host_refusal(e, j);
	else if (r->by_us || !sn_addr_is_set(&r->offender))
		judge_own_refusal(e, j);
	else
		judge_foreign_refusal(e, j);
}

/* --- what could not be sent ------------------------------------------------ */

static void judge_not_sent(const struct ike_evidence *e, struct ike_judgement *j)
{
	static const struct {
		int error;
		const char *summary, *meaning, *next;
	} table[] = {
		{ ENETUNREACH, "not sent: no route to it", "This host has no route to the address.",
		  "see 'ip route' (or 'ip -6 route') here" },
		{ EHOSTUNREACH, "not sent: a route here says unreachable",
		  "This host's own routing table has the address as unreachable.",
		  "see 'ip route get ADDRESS' here" },
		{ EACCES, "not sent: prohibited",
		  "It is a broadcast address, or this host's own routing table prohibits it.",
		  "see 'ip route get ADDRESS' here" },
		{ EPERM, "not sent: this host's own firewall does not let it out",
		  "A rule of this host drops or rejects it before it leaves.",
		  "find the rule with 'nft list ruleset' (and 'iptables-save') here" },
		{ EINVAL, "not sent: the kernel takes no packet for it",
		  "A blackhole route of this host has the address, or it is none of a host.",
		  "see 'ip route get ADDRESS' here" },
	};

	j->verdict = IKE_NOT_SENT;
	for (size_t i = 0; i < SN_ARRAY_SIZE(table); i++) {
		if (table[i].error != e->refusal.error)
			continue;
		SAY(j->summary, "%s", table[i].summary);
		SAY(j->meaning, "%s", table[i].meaning);
		SAY(j->next, "%s", table[i].next);
		return;
	}
	SAY(j->summary, "not sent: %s", sn_strerror(-e->refusal.error));
	SAY(j->meaning, "This host could not send it.");
}

/* --- answers --------------------------------------------------------------- */

static bool from_elsewhere(const struct ike_evidence *e)
{
	return sn_addr_cmp(&e->from.addr, &e->target.addr) != 0 || e->from.port != e->target.port;
}

static void name_notify(const struct ike_answer *a, char *buf, size_t size)
{
	const char *name = ike_notify_name(a->notify, a->kind == IKE_ANSWER_V1);
	const char *group = ike_group_name(a->group);

	if (!name)
		snprintf(buf, size, "notify %u", a->notify);
	else if (a->group)
		snprintf(buf, size, "%s, it wants %s", name, group ? group : "another group");
	else
		snprintf(buf, size, "%s", name);
}

static void judge_ike(const struct ike_evidence *e, struct ike_judgement *j)
{
	const struct ike_answer *a = &e->answer;
	char what[IKE_PROPOSAL_TEXT + 32] = "a message without a known notify";

	j->verdict = IKE_ANSWERED;
	if (a->kind == IKE_ANSWER_INIT)
		SAY(what, "IKE_SA_INIT with %s", a->proposal);
	else if (a->notify)
		name_notify(a, what, sizeof(what));
	SAY(j->summary, "an IKE daemon answered: %s, IKE %u.%u", what, a->version >> 4,
	    a->version & 15u);
	SAY(j->meaning, "UDP %u passes there and back, and an IKEv2 daemon listens.",
	    e->target.port);
	if (a->kind == IKE_ANSWER_V1) {
		SAY(j->meaning, "UDP %u passes there and back, but the daemon speaks IKEv1 only.",
		    e->target.port);
		SAY(j->next, "run a daemon that speaks IKEv2 there");
	} else if (a->notify == IKE_N_COOKIE) {
		SAY(j->next, "many negotiations hang there: see its log, or who floods it");
	} else if (a->notify == IKE_N_NO_PROPOSAL_CHOSEN) {
		SAY(j->next,
		    "it has no connection for this host, or other algorithms: see its log");
	}
	if (from_elsewhere(e)) {
		SAY(j->meaning,
		    "An IKE daemon listens, but answers from %s port %u: filters and NAT on the "
		    "way "
		    "will not take that for an answer.",
		    SN_ADDR_STR(&e->from.addr), e->from.port);
		SAY(j->next,
		    "let it answer from the address that it is asked at (routes, NAT there)");
	}
}

static void judge_other(const struct ike_evidence *e, struct ike_judgement *j)
{
	j->verdict = IKE_OTHER;
	if (e->answer.kind == IKE_ANSWER_ECHO)
		SAY(j->summary, "our own bytes came back: an echo service, no IKE daemon");
	else
		SAY(j->summary, "something answered that is no IKE daemon");
	SAY(j->meaning, "UDP %u passes there and back, but another program has the port.",
	    e->target.port);
	SAY(j->next, "there: see which one with 'ss -ulpn sport = :%u', and stop it",
	    e->target.port);
}

static void judge_silence(const struct ike_evidence *e, struct ike_judgement *j)
{
	unsigned port = e->target.port;

	j->verdict = IKE_SILENT;
	SAY(j->summary, "no answer to %u probe%s within %.1f s", e->sent, e->sent == 1 ? "" : "s",
	    (double)e->waited_ms / 1000);
	if (e->arrival == IKE_ARRIVED) {
		SAY(j->meaning, "The probes arrived there: its answers are lost on the way back.");
		SAY(j->next, "let UDP from port %u of that host pass, there, on the way and here",
		    port);
		return;
	}
	if (e->arrival == IKE_NOT_ARRIVED) {
		SAY(j->meaning,
		    "The probes did not arrive at the IKE daemon there: a filter drops them on the "
		    "way there, the host's own firewall does, or another program has the port.");
		SAY(j->next, "let UDP to port %u of that host pass, here, on the way and there",
		    port);
		return;
	}
	if (e->host_heard)
		SAY(j->meaning,
		    "The host is there, it spoke on another port: a filter drops UDP %u on the way "
		    "there or its answers on the way back, or something silent has the port.",
		    port);
	else
		SAY(j->meaning,
		    "A filter drops it on the way there or its answers on the way back, something "
		    "silent has the port, or the host is off: from here that looks the same.");
	SAY(j->next, "ask there with --from HOST, or look there with 'tcpdump -ni any udp port %u'",
	    port);
}

void ike_judge(const struct ike_evidence *e, struct ike_judgement *ret)
{
	memset(ret, 0, sizeof(*ret));
	switch (e->answer.kind) {
	case IKE_ANSWER_V1:
	case IKE_ANSWER_NOTIFY:
	case IKE_ANSWER_INIT:
	case IKE_ANSWER_IKE:
		judge_ike(e, ret);
		return;
	case IKE_ANSWER_ECHO:
	case IKE_ANSWER_FOREIGN:
		judge_other(e, ret);
		return;
	case IKE_ANSWER_NONE:
		break;
	}
	if (e->refusal.error && e->refusal.icmp)
		judge_icmp(e, ret);
	else if (e->refusal.error)
		judge_not_sent(e, ret);
	else
		judge_silence(e, ret);
}

/* --- NAT and MTU ----------------------------------------------------------- */

static enum ike_nat compare(bool has, const uint8_t *said, const uint8_t *spi_i,
			    const uint8_t *spi_r, const struct ike_endpoint *end)
{
	uint8_t own[IKE_NAT_HASH_SIZE];

	if (!has)
		return IKE_NAT_UNKNOWN;
	ike_nat_hash(spi_i, spi_r, &end->addr, end->port, own);
	return memcmp(own, said, sizeof(own)) == 0 ? IKE_NAT_NO : IKE_NAT_YES;
}

struct ike_nat_verdict ike_judge_nat(const struct ike_answer *a,
				     const uint8_t spi[static IKE_SPI_SIZE],
				     const struct ike_endpoint *local,
				     const struct ike_endpoint *remote)
{
	return (struct ike_nat_verdict){
		.ours = compare(a->has_destination, a->destination, spi, a->spi_r, local),
		.its = compare(a->has_source, a->source, spi, a->spi_r, remote),
	};
}

/*
 * Outer IP header, UDP 8, ESP header 8, IV 8, and behind the packet a trailer
 * of 2 that fills up to a multiple of 4, and an ICV of 16 (RFC 4106, 7634, 3948).
 */
unsigned ike_overlay_mtu(unsigned path_mtu, uint8_t family)
{
	unsigned outer = (family == AF_INET6 ? 40u : 20u) + 8 + 8 + 8 + 16;

	if (path_mtu < outer + 4)
		return 0;
	return (path_mtu - outer) / 4 * 4 - 2;
}
