/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors as raw sockets give them, whole and spoilt. */
#include "probe/icmp_word.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* 10.9.9.254 says "administratively prohibited" of UDP 192.0.2.11:4500 -> 10.9.9.3:4500. */
static const uint8_t word4[] = {
	0x45, 0, 0,   56, 0, 0,  0,  0, 64, 1,    0,    0,    10,   9,    9, 254, 192, 0,  2,
	11,   3, 13,  0,  0, 0,  0,  0, 0,  0x45, 0,    0,    60,   0,    0, 0,   0,   63, 17,
	0,    0, 192, 0,  2, 11, 10, 9, 9,  3,    0x11, 0x94, 0x11, 0x94, 0, 40,  0,   0,
};
#define ICMP_AT 20
#define QUOTE_AT 28

static void a_refusal_is_read(void **state)
{
	struct icmp_word w;

	(void)state;
	assert_int_equal(icmp_word_parse_v4(word4, sizeof(word4), &w), 0);
	assert_string_equal(SN_ADDR_STR(&w.target.addr), "10.9.9.3");
	assert_int_equal(w.target.port, 4500);
	assert_string_equal(SN_ADDR_STR(&w.source.addr), "192.0.2.11");
	assert_int_equal(w.source.port, 4500);
	assert_string_equal(SN_ADDR_STR(&w.refusal.offender), "10.9.9.254");
	assert_true(w.refusal.icmp && w.refusal.error != 0);
	assert_int_equal(w.refusal.type, 3);
	assert_int_equal(w.refusal.code, 13);
}

static void options_are_passed_over(void **state)
{
	uint8_t data[sizeof(word4) + 4] = { 0 };
	struct icmp_word w;

	(void)state;
	memcpy(data, word4, ICMP_AT);
	data[0] = 0x46;
	memcpy(data + ICMP_AT + 4, word4 + ICMP_AT, sizeof(word4) - ICMP_AT);
	assert_int_equal(icmp_word_parse_v4(data, sizeof(data), &w), 0);
	assert_int_equal(w.target.port, 4500);
}

static void every_cut_is_refused(void **state)
{
	struct icmp_word w;

	(void)state;
	for (size_t len = 0; len < sizeof(word4); len++)
		assert_int_equal(icmp_word_parse_v4(word4, len, &w), -EBADMSG);
}

static void what_is_about_something_else_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} spoilt[] = {
		{ 0, 0x65 },          /* IPv6 */
		{ 0, 0x44 },          /* a header that is too short */
		{ 9, 17 },            /* no ICMP */
		{ ICMP_AT, 11 },      /* time exceeded */
		{ ICMP_AT + 1, 4 },   /* too big: that is no refusal */
		{ QUOTE_AT, 0x4f },   /* longer than what is there */
		{ QUOTE_AT + 7, 1 },  /* a later fragment: no ports in it */
		{ QUOTE_AT + 9, 50 }, /* ESP */
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(spoilt); i++) {
		uint8_t data[sizeof(word4)];
		struct icmp_word w;

		memcpy(data, word4, sizeof(data));
		data[spoilt[i].at] = spoilt[i].value;
		assert_int_equal(icmp_word_parse_v4(data, sizeof(data), &w), -EBADMSG);
	}
}

static void ipv6_has_its_own_form(void **state)
{
	uint8_t data[8 + 40 + 8] = { 1, 4 };
	struct sn_addr router, source, target;
	struct icmp_word w;

	(void)state;
	sn_addr_parse("2001:db8::1", &router);
	sn_addr_parse("2001:db8::11", &source);
	sn_addr_parse("2001:db8::12", &target);
	data[8] = 0x60;
	data[8 + 6] = 17;
	memcpy(data + 8 + 8, source.bytes, sizeof(source.bytes));
	memcpy(data + 8 + 24, target.bytes, sizeof(target.bytes));
	data[48] = 4500 >> 8;
	data[48 + 1] = 4500 & 0xff;
	data[48 + 2] = 500 >> 8;
	data[48 + 3] = 500 & 0xff;
	assert_int_equal(icmp_word_parse_v6(data, sizeof(data), &router, &w), 0);
	assert_int_equal(sn_addr_cmp(&w.source.addr, &source), 0);
	assert_int_equal(w.source.port, 4500);
	assert_int_equal(sn_addr_cmp(&w.target.addr, &target), 0);
	assert_int_equal(sn_addr_cmp(&w.refusal.offender, &router), 0);
	assert_int_equal(w.target.port, 500);
	assert_int_equal(w.refusal.code, 4);
	for (size_t len = 0; len < sizeof(data); len++)
		assert_int_equal(icmp_word_parse_v6(data, len, &router, &w), -EBADMSG);
	data[8 + 6] = 44; /* a fragment header */
	assert_int_equal(icmp_word_parse_v6(data, sizeof(data), &router, &w), -EBADMSG);
}

/* What a word may be about for the pair 192.0.2.11 -> 10.9.9.3. */
static void a_word_counts_for_its_pair_only(void **state)
{
	static const struct {
		const char *source;
		uint16_t source_port;
		const char *target;
		uint16_t target_port;
		const char *offender, *local;
		bool counts;
	} words[] = {
		{ "192.0.2.11", 4500, "10.9.9.3", 4500, "10.9.9.254", "192.0.2.11", true },
		{ "192.0.2.11", 500, "10.9.9.3", 500, "10.9.9.3", "192.0.2.11", true },
		{ "192.0.2.12", 500, "10.9.9.3", 500, "10.9.9.3", NULL, true },
		/* not from charon, as from our own question or a container */
		{ "192.0.2.11", 40000, "10.9.9.3", 4500, "10.9.9.254", "192.0.2.11", false },
		/* our other address */
		{ "192.0.2.12", 4500, "10.9.9.3", 4500, "10.9.9.254", "192.0.2.11", false },
		{ "192.0.2.11", 4500, "10.9.9.4", 4500, "10.9.9.254", "192.0.2.11", false },
		{ "192.0.2.11", 4500, "10.9.9.3", 53, "10.9.9.254", "192.0.2.11", false },
		/* a container's */
		{ "192.0.2.11", 4500, "10.9.9.3", 4500, "10.42.1.7", "192.0.2.11", false },
	};
	struct sn_addr remote;
	struct sn_prefix overlay;

	(void)state;
	assert_int_equal(sn_addr_parse("10.9.9.3", &remote), 0);
	assert_int_equal(sn_prefix_parse("10.42.0.0/16", &overlay), 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(words); i++) {
		struct icmp_word w = { .source.port = words[i].source_port,
				       .target.port = words[i].target_port };
		struct sn_addr local = { 0 };

		sn_addr_parse(words[i].source, &w.source.addr);
		sn_addr_parse(words[i].target, &w.target.addr);
		sn_addr_parse(words[i].offender, &w.refusal.offender);
		if (words[i].local)
			sn_addr_parse(words[i].local, &local);
		if (icmp_word_is_about(&w, &local, &remote, &overlay) != words[i].counts)
			fail_msg("word %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_read),
		cmocka_unit_test(options_are_passed_over),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(what_is_about_something_else_is_refused),
		cmocka_unit_test(ipv6_has_its_own_form),
		cmocka_unit_test(a_word_counts_for_its_pair_only),
	};

	return cmocka_run_group_tests_name("icmp word", tests, NULL, NULL);
}
