/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From evidence to words: one row a situation. */
#include "probe/ike_verdict.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TARGET "192.0.2.12"
#define TARGET6 "2001:db8::12"
#define HERE "192.0.2.11"
#define ROUTER "198.51.100.1"

struct row {
	const char *what;
	const char *target; /* NULL: TARGET */
	struct {
		int error;
		const char *by; /* NULL: it was not ICMP */
		uint8_t type, code;
		bool by_us;
	} refusal;
	struct {
		enum ike_answer_kind kind;
		uint16_t notify;
		const char *from; /* NULL: the target */
		uint8_t version;  /* 0: 2.0 */
	} answer;
	bool host_heard, on_link;
	enum ike_arrival arrival;
	enum ike_verdict verdict;
	const char *summary, *meaning, *next; /* a part of each; NULL: whatever */
};

static const struct row rows[] = {
	{ "the daemon answers", .answer = { IKE_ANSWER_NOTIFY, IKE_N_INVALID_MAJOR_VERSION },
	  .verdict = IKE_ANSWERED,
	  .summary = "an IKE daemon answered: INVALID_MAJOR_VERSION, IKE 2.0",
	  .meaning = "UDP 500 passes there and back" },
	{ "it answers although somebody refused before",
	  .answer = { IKE_ANSWER_NOTIFY, IKE_N_INVALID_MAJOR_VERSION },
	  .refusal = { ECONNREFUSED, ROUTER, 3, 3 }, .verdict = IKE_ANSWERED },
	{ "it answers from another address",
	  .answer = { IKE_ANSWER_NOTIFY, IKE_N_INVALID_MAJOR_VERSION, ROUTER },
	  .verdict = IKE_ANSWERED, .meaning = "answers from 198.51.100.1 port 500",
	  .next = "NAT there" },
	{ "it speaks IKEv1", .answer = { IKE_ANSWER_V1, 5, NULL, 0x10 }, .verdict = IKE_ANSWERED,
	  .summary = "INVALID-MAJOR-VERSION, IKE 1.0", .meaning = "IKEv1 only" },
	{ "it is busy", .answer = { IKE_ANSWER_NOTIFY, IKE_N_COOKIE }, .verdict = IKE_ANSWERED,
	  .summary = "COOKIE", .next = "floods" },
	{ "it does not want us", .answer = { IKE_ANSWER_NOTIFY, IKE_N_NO_PROPOSAL_CHOSEN },
	  .verdict = IKE_ANSWERED, .summary = "NO_PROPOSAL_CHOSEN", .next = "no connection" },
	{ "a notify without a name", .answer = { IKE_ANSWER_NOTIFY, 4711 }, .verdict = IKE_ANSWERED,
	  .summary = "notify 4711" },
	{ "a whole answer", .answer = { IKE_ANSWER_INIT }, .verdict = IKE_ANSWERED,
	  .summary = "IKE_SA_INIT with AES_GCM_16_256/X" },
	{ "an echo", .answer = { IKE_ANSWER_ECHO }, .verdict = IKE_OTHER,
	  .summary = "our own bytes came back", .meaning = "another program",
	  .next = "sport = :500" },
	{ "something else", .answer = { IKE_ANSWER_FOREIGN }, .verdict = IKE_OTHER,
	  .summary = "no IKE daemon" },

	{ "closed port", .refusal = { ECONNREFUSED, TARGET, 3, 3 }, .verdict = IKE_REFUSED,
	  .summary = "refused by the host itself (ICMP port unreachable)",
	  .meaning = "nothing listens there, or its own firewall" },
	{ "closed port, IPv6", TARGET6, .refusal = { ECONNREFUSED, TARGET6, 1, 4 },
	  .verdict = IKE_REFUSED, .summary = "port unreachable" },
	{ "of this host itself", HERE, .refusal = { ECONNREFUSED, HERE, 3, 3, true },
	  .verdict = IKE_REFUSED },
	{ "the host's firewall", .refusal = { EHOSTUNREACH, TARGET, 3, 13 }, .verdict = IKE_REFUSED,
	  .summary = "administratively prohibited", .meaning = "whose own firewall rejects it" },
	{ "a filter on the way", .refusal = { EHOSTUNREACH, ROUTER, 3, 13 },
	  .verdict = IKE_FILTERED, .summary = "rejected on the way by 198.51.100.1",
	  .meaning = "A filter at 198.51.100.1", .next = "at 198.51.100.1" },
	{ "a filter on the way that says port", .refusal = { ECONNREFUSED, ROUTER, 3, 3 },
	  .verdict = IKE_FILTERED, .meaning = "or that is another address of the host itself" },
	{ "a filter on the way, IPv6", TARGET6, .refusal = { EACCES, "2001:db8::1", 1, 1 },
	  .verdict = IKE_FILTERED, .summary = "rejected on the way by 2001:db8::1" },
	{ "our firewall rejects", .refusal = { ECONNREFUSED, HERE, 3, 3, true },
	  .verdict = IKE_FILTERED, .summary = "this host's own firewall" },
	{ "no host behind the router", .refusal = { EHOSTUNREACH, ROUTER, 3, 1 },
	  .verdict = IKE_UNREACHABLE, .summary = "198.51.100.1 says: host unreachable",
	  .meaning = "gets no answer from the host" },
	{ "no route at the router", .refusal = { ENETUNREACH, ROUTER, 3, 0 },
	  .verdict = IKE_UNREACHABLE, .meaning = "has no route", .next = "the routes of" },
	{ "host off", .refusal = { EHOSTUNREACH, HERE, 3, 1, true }, .on_link = true,
	  .verdict = IKE_NO_NEIGHBOUR, .summary = "the host does not answer ARP" },
	{ "gateway off", .refusal = { EHOSTUNREACH, HERE, 3, 1, true }, .verdict = IKE_NO_NEIGHBOUR,
	  .summary = "the gateway to it does not answer ARP" },
	{ "host off, IPv6", TARGET6, .refusal = { EHOSTUNREACH, "2001:db8::11", 1, 3, true },
	  .on_link = true, .verdict = IKE_NO_NEIGHBOUR,
	  .summary = "the host does not answer neighbour discovery" },
	{ "an ICMP error of another kind", .refusal = { EPROTO, ROUTER, 11, 0 },
	  .verdict = IKE_FILTERED, .summary = "an odd ICMP error" },

	{ "no route here", .refusal = { ENETUNREACH }, .verdict = IKE_NOT_SENT,
	  .summary = "no route" },
	{ "unreachable route here", .refusal = { EHOSTUNREACH }, .verdict = IKE_NOT_SENT,
	  .summary = "a route here says unreachable" },
	{ "our firewall drops", .refusal = { EPERM }, .verdict = IKE_NOT_SENT,
	  .summary = "own firewall does not" },
	{ "whatever else", .refusal = { ENOBUFS }, .verdict = IKE_NOT_SENT,
	  .summary = "No buffer space" },

	{ "silence", .verdict = IKE_SILENT, .summary = "no answer to 3 probes within 4.0 s",
	  .meaning = "from here that looks the same", .next = "--from" },
	{ "silence of one port", .host_heard = true, .verdict = IKE_SILENT,
	  .meaning = "The host is there" },
	{ "silence, but it arrives", .arrival = IKE_ARRIVED, .verdict = IKE_SILENT,
	  .meaning = "lost on the way back", .next = "from port 500" },
	{ "silence, and nothing arrives", .arrival = IKE_NOT_ARRIVED, .host_heard = true,
	  .verdict = IKE_SILENT, .meaning = "on the way there", .next = "to port 500" },
};

static struct ike_evidence evidence_of(const struct row *row)
{
	struct ike_evidence e = { .sent = 3,
				  .waited_ms = 4000,
				  .host_heard = row->host_heard,
				  .on_link = row->on_link,
				  .arrival = row->arrival };

	e.target.port = 500;
	sn_addr_parse(row->target ? row->target : TARGET, &e.target.addr);
	e.answer.kind = row->answer.kind;
	e.answer.notify = row->answer.notify;
	e.answer.version = row->answer.version ? row->answer.version : 0x20;
	snprintf(e.answer.proposal, sizeof(e.answer.proposal), "AES_GCM_16_256/X");
	e.answers = row->answer.kind != IKE_ANSWER_NONE;
	e.from = e.target;
	if (row->answer.from)
		sn_addr_parse(row->answer.from, &e.from.addr);
	e.refusal.error = row->refusal.error;
	e.refusal.icmp = row->refusal.by != NULL;
	e.refusal.type = row->refusal.type;
	e.refusal.code = row->refusal.code;
	e.refusal.by_us = row->refusal.by_us;
	if (row->refusal.by)
		sn_addr_parse(row->refusal.by, &e.refusal.offender);
	return e;
}

static bool has(const char *text, const char *part)
{
	return !part || strstr(text, part);
}

static void each_situation_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		struct ike_evidence e = evidence_of(&rows[i]);
		struct ike_judgement j;

		ike_judge(&e, &j);
		if (j.verdict != rows[i].verdict || !has(j.summary, rows[i].summary) ||
		    !has(j.meaning, rows[i].meaning) || !has(j.next, rows[i].next))
			fail_msg("%s: %s: %s. %s Next: %s", rows[i].what,
				 ike_verdict_to_string(j.verdict), j.summary, j.meaning, j.next);
		assert_true(j.summary[0] && j.meaning[0]);
		/* nothing was cut */
		assert_true(strlen(j.summary) < sizeof(j.summary) - 1 &&
			    strlen(j.meaning) < sizeof(j.meaning) - 1 &&
			    strlen(j.next) < sizeof(j.next) - 1);
	}
}

static void who_is_behind_nat(void **state)
{
	static const uint8_t spi[IKE_SPI_SIZE] = "ABCDEFGH";
	struct ike_endpoint here = { .port = 40000 }, outside = { .port = 1024 },
			    there = { .port = 500 };
	struct ike_answer a = { .kind = IKE_ANSWER_INIT };
	struct ike_nat_verdict v;

	(void)state;
	sn_addr_parse("10.0.0.1", &here.addr);
	sn_addr_parse("203.0.113.1", &outside.addr);
	sn_addr_parse(TARGET, &there.addr);
	v = ike_judge_nat(&a, spi, &here, &there);
	assert_true(v.ours == IKE_NAT_UNKNOWN && v.its == IKE_NAT_UNKNOWN);
	a.has_source = a.has_destination = true;
	ike_nat_hash(spi, a.spi_r, &outside.addr, outside.port, a.destination);
	ike_nat_hash(spi, a.spi_r, &there.addr, there.port, a.source);
	v = ike_judge_nat(&a, spi, &here, &there);
	assert_true(v.ours == IKE_NAT_YES && v.its == IKE_NAT_NO);
	ike_nat_hash(spi, a.spi_r, &here.addr, here.port, a.destination);
	a.source[0] ^= 1;
	v = ike_judge_nat(&a, spi, &here, &there);
	assert_true(v.ours == IKE_NAT_NO && v.its == IKE_NAT_YES);
}

static void what_fits_through_the_tunnel(void **state)
{
	(void)state;
	/* measured with the kernel's ESP: 1438 of 1500 (AES-GCM, UDP, IPv4) */
	assert_int_equal(ike_overlay_mtu(1500, AF_INET), 1438);
	assert_int_equal(ike_overlay_mtu(1500, AF_INET6), 1418);
	assert_int_equal(ike_overlay_mtu(60, AF_INET), 0);
	/* never more than the path takes, and never 4 bytes less than it could */
	for (unsigned mtu = 100; mtu < 200; mtu++) {
		unsigned inner = ike_overlay_mtu(mtu, AF_INET);
		unsigned padded = (inner + 2 + 3) / 4 * 4;

		assert_true(20 + 8 + 8 + 8 + padded + 16 <= mtu);
		padded = (inner + 1 + 2 + 3) / 4 * 4;
		assert_true(20 + 8 + 8 + 8 + padded + 16 > mtu);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_situation_has_its_words),
		cmocka_unit_test(who_is_behind_nat),
		cmocka_unit_test(what_fits_through_the_tunnel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
