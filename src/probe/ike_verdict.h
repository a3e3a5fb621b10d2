/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was seen of one UDP port, and what that means. Pure: the evidence is
 * data, so every situation is a row of a test.
 *
 * The words go as far as the evidence does. Silence is "no answer": that a
 * filter drops the way there or the way back, that something silent has the
 * port and that the host is off look the same from here.
 */
#pragma once

#include "probe/ike_probe.h"

/* An error instead of an answer: by ICMP, or because it could not be sent. */
struct ike_refusal {
	int error;               /* positive errno; 0: none */
	bool icmp;               /* else sendmsg(2) failed */
	uint8_t type, code;      /* of ICMP, or of ICMPv6 where the target is IPv6 */
	struct sn_addr offender; /* who sent it; unset: unknown */
	bool by_us;              /* that is an address of this host */
	uint32_t mtu;            /* EMSGSIZE: what passes, IP bytes; 0: not said */
};

/* Who is behind NAT, of a full answer (RFC 7296, 2.23). */
enum ike_nat {
	IKE_NAT_UNKNOWN, /* it sent no hash */
	IKE_NAT_NO,
	/*
	 * Ours: surely. The peer's: it is, or it wants UDP encapsulation whether or not,
	 * for which a daemon sends a wrong hash (charon's encap = yes).
	 */
	IKE_NAT_YES,
};
struct ike_nat_verdict {
	enum ike_nat ours, its;
};

/* What the other end says of probes from here (sennit-probe --from). */
enum ike_arrival { IKE_ARRIVAL_UNKNOWN, IKE_ARRIVED, IKE_NOT_ARRIVED };

struct ike_evidence {
	struct ike_endpoint target;
	struct sn_addr local; /* what packets to it leave from; unset: not known */
	bool on_link;         /* target is in a network that this host has an address in */
	unsigned sent, answers;
	int64_t waited_ms;                          /* from the first to the end */
	struct ike_answer answer;                   /* the one that says most */
	struct ike_endpoint from;                   /* who sent it */
	int64_t rtt_min_us, rtt_sum_us, rtt_max_us; /* of answers */
	uint64_t bytes_sent, bytes_received;        /* of UDP payload */
	struct ike_refusal refusal;                 /* the first */
	struct ike_nat_verdict nat;                 /* of a full answer */
	bool host_heard; /* this host answered or refused on another port */
	enum ike_arrival arrival;
};

enum ike_verdict {
	IKE_ANSWERED,     /* an IKE daemon answered */
	IKE_OTHER,        /* something else did */
	IKE_REFUSED,      /* the host itself said by ICMP that it does not take it */
	IKE_FILTERED,     /* somebody on the way, or a firewall of this host, said so */
	IKE_UNREACHABLE,  /* a router on the way has no way to it */
	IKE_NO_NEIGHBOUR, /* on this host's link nobody answers for it, or for the gateway to it */
	IKE_NOT_SENT,     /* this host has no way to it, or does not let it out */
	IKE_SILENT,       /* nothing came */
};

/* "answered", "other", "refused", "filtered", "unreachable", "no-neighbour", "not-sent",
 * "no-answer". */
const char *ike_verdict_to_string(enum ike_verdict verdict);

struct ike_judgement {
	enum ike_verdict verdict;
	char summary[256]; /* "an IKE daemon answered: INVALID_MAJOR_VERSION, IKE 2.0" */
	char meaning[512]; /* a sentence or two */
	char next[256];    /* what to do; "" */
};

void ike_judge(const struct ike_evidence *e, struct ike_judgement *ret);

/* By the hashes of a full answer. spi is ours; local is what we believe to be sending from. */
struct ike_nat_verdict ike_judge_nat(const struct ike_answer *a,
				     const uint8_t spi[static IKE_SPI_SIZE],
				     const struct ike_endpoint *local,
				     const struct ike_endpoint *remote);

/*
 * The largest packet that a container may send through a path of this MTU: ESP in
 * UDP with AES-GCM or ChaCha20-Poly1305. 0 when there is none.
 */
unsigned ike_overlay_mtu(unsigned path_mtu, uint8_t family);
