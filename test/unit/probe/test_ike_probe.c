/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages byte by byte, and answers as charon 5.9.8 gave them. */
#include "probe/ike_probe.h"

#include "probe/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SPI "ABCDEFGH"
#define ZERO8 "\0\0\0\0\0\0\0\0"

static const uint8_t *spi = (const uint8_t *)SPI;

static void sha1_is_sha1(void **state)
{
	/* FIPS 180-2, appendix A, and the lengths around a block's end */
	static const struct {
		const char *text;
		unsigned times;
		const char *hex;
	} cases[] = {
		{ "", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		{ "a", 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
		{ "a", 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699" },
		{ "a", 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d" },
		{ "a", 1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		char data[1024] = "", hex[2 * SHA1_SIZE + 1];
		uint8_t got[SHA1_SIZE];
		size_t len = 0;

		for (unsigned k = 0; k < cases[i].times; k++)
			len += (size_t)snprintf(data + len, sizeof(data) - len, "%s",
						cases[i].text);
		sha1(data, len, got);
		for (unsigned k = 0; k < SHA1_SIZE; k++)
			snprintf(hex + 2 * (size_t)k, 3, "%02x", got[k]);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void the_probe_is_these_bytes(void **state)
{
	uint8_t buf[IKE_PROBE_MAX];

	(void)state;
	assert_int_equal(ike_probe_write(spi, false, 0, buf), 28);
	assert_memory_equal(buf,
			    SPI ZERO8 "\x00\x30\x22\x08"
				      "\0\0\0\0"
				      "\0\0\0\x1c",
			    28);
	assert_int_equal(ike_probe_write(spi, true, 0, buf), 32);
	assert_memory_equal(buf,
			    "\0\0\0\0" SPI ZERO8 "\x00\x30\x22\x08"
			    "\0\0\0\0"
			    "\0\0\0\x1c",
			    32);
	assert_int_equal(ike_probe_write(spi, true, 1000, buf), 1000);
	assert_memory_equal(buf + 28, "\x00\x00\x03\xe4" ZERO8, 12);
	assert_int_equal(ike_probe_write(spi, false, IKE_PROBE_MAX, buf), IKE_PROBE_MAX);
}

static void an_spi_is_no_marker(void **state)
{
	uint8_t a[IKE_SPI_SIZE], b[IKE_SPI_SIZE];

	(void)state;
	ike_probe_spi(a);
	ike_probe_spi(b);
	assert_memory_not_equal(a, ZERO8, 4);
	assert_memory_not_equal(a, b, IKE_SPI_SIZE);
}

static void the_full_question_hangs_together(void **state)
{
	struct ike_endpoint here = { .port = 40000 }, there = { .port = 4500 };
	uint8_t buf[IKE_INIT_MAX], hash[IKE_NAT_HASH_SIZE], type;
	static const uint8_t wanted[] = { 33, 34, 40, 41, 41, 41 };
	size_t len, at, n = 0;

	(void)state;
	sn_addr_parse("192.0.2.1", &here.addr);
	sn_addr_parse("2001:db8::1", &there.addr);
	len = ike_init_write(spi, true, &here, &there, buf);
	assert_memory_equal(buf,
			    "\0\0\0\0" SPI ZERO8 "\x21\x20\x22\x08"
			    "\0\0\0\0",
			    28);
	assert_int_equal(buf[30] << 8 | buf[31], len - 4);
	/* every payload where the one before says, and the last ends the message */
	for (at = 32, type = buf[20]; type; n++) {
		size_t size = (size_t)buf[at + 2] << 8 | buf[at + 3];

		assert_true(n < sizeof(wanted) && type == wanted[n] && size >= 4);
		type = buf[at];
		at += size;
	}
	assert_int_equal(n, sizeof(wanted));
	assert_int_equal(at, len);
	ike_nat_hash(spi, (const uint8_t *)ZERO8, &here.addr, here.port, hash);
	assert_non_null(memmem(buf, len, hash, sizeof(hash)));
	ike_nat_hash(spi, (const uint8_t *)ZERO8, &there.addr, there.port, hash);
	assert_non_null(memmem(buf, len, hash, sizeof(hash)));
}

static void nat_hashes_are_over_spis_address_and_port(void **state)
{
	struct sn_addr a;
	uint8_t got[IKE_NAT_HASH_SIZE], want[SHA1_SIZE];

	(void)state;
	sn_addr_parse("192.0.2.1", &a);
	ike_nat_hash(spi, (const uint8_t *)"12345678", &a, 500, got);
	sha1(SPI "12345678"
		 "\xc0\x00\x02\x01"
		 "\x01\xf4",
	     22, want);
	assert_memory_equal(got, want, sizeof(got));
}

/* --- answers ---------------------------------------------------------------- */

struct answer_case {
	const char *what;
	const char *data;
	size_t len;
	enum ike_answer_kind kind;
	uint16_t notify;
	bool marker;
};

#define DATA(s) s, sizeof(s) - 1
#define R8 "12345678"
#define HEAD(next, version, exchange, len) SPI R8 next version exchange "\x20\0\0\0\0\0\0\0" len
/* recorded: charon 5.9.8 to a version 3 */
#define CHARON                                                                                     \
	SPI ZERO8 "\x29\x20\x22\x20"                                                               \
		  "\0\0\0\0"                                                                       \
		  "\0\0\0\x24"                                                                     \
		  "\0\0\0\x08"                                                                     \
		  "\0\0\0\x05"

static const struct answer_case answers[] = {
	{ "charon", DATA(CHARON), IKE_ANSWER_NOTIFY, 5, false },
	{ "charon on 4500", DATA("\0\0\0\0" CHARON), IKE_ANSWER_NOTIFY, 5, true },
	{ "cookie",
	  DATA(HEAD("\x29", "\x20", "\x22", "\x28") "\0\0\0\x0c\0\0\x40\x06"
						    "abcd"),
	  IKE_ANSWER_NOTIFY, 16390, false },
	{ "an unknown error", DATA(HEAD("\x29", "\x20", "\x22", "\x24") "\0\0\0\x08\0\0\x12\x34"),
	  IKE_ANSWER_NOTIFY, 0x1234, false },
	{ "a status only", DATA(HEAD("\x29", "\x20", "\x25", "\x24") "\0\0\0\x08\0\0\x40\x00"),
	  IKE_ANSWER_IKE, 0, false },
	{ "nothing behind the header", DATA(HEAD("\0", "\x20", "\x22", "\x1c")), IKE_ANSWER_IKE, 0,
	  false },
	{ "a chain that leaves the message",
	  DATA(HEAD("\x29", "\x20", "\x22", "\x24") "\0\0\x01\x08\0\0\0\x05"), IKE_ANSWER_IKE, 0,
	  false },
	{ "a payload shorter than its header",
	  DATA(HEAD("\x29", "\x20", "\x22", "\x24") "\x29\0\0\x03\0\0\0\x05"), IKE_ANSWER_IKE, 0,
	  false },
	{ "ISAKMP",
	  DATA(HEAD("\x0b", "\x10", "\x05", "\x28") "\0\0\0\x0c"
						    "\0\0\0\x01"
						    "\x01\0\0\x05"),
	  IKE_ANSWER_V1, 5, false },
	{ "ISAKMP without a notify", DATA(HEAD("\0", "\x10", "\x02", "\x1c")), IKE_ANSWER_V1, 0,
	  false },
	{ "a version that does not exist", DATA(HEAD("\0", "\x30", "\x22", "\x1c")),
	  IKE_ANSWER_FOREIGN, 0, false },
	{ "another length", DATA(HEAD("\0", "\x20", "\x22", "\x1d")), IKE_ANSWER_FOREIGN, 0,
	  false },
	{ "another SPI",
	  DATA("XBCDEFGH" ZERO8 "\x29\x20\x22\x20\0\0\0\0\0\0\0\x24\0\0\0\x08\0\0\0\x05"),
	  IKE_ANSWER_FOREIGN, 0, false },
	{ "our own bytes", DATA(SPI ZERO8 "\x00\x30\x22\x08\0\0\0\0\0\0\0\x1c"), IKE_ANSWER_ECHO, 0,
	  false },
	{ "text", DATA("hello"), IKE_ANSWER_FOREIGN, 0, false },
	{ "a marker alone", DATA("\0\0\0\0"), IKE_ANSWER_FOREIGN, 0, true },
	{ "nothing", "", 0, IKE_ANSWER_FOREIGN, 0, false },
};

static void answers_are_told_apart(void **state)
{
	uint8_t sent[IKE_PROBE_MAX];
	size_t sent_len = ike_probe_write(spi, false, 0, sent);

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(answers); i++) {
		const struct answer_case *c = &answers[i];
		struct ike_answer a;
		char data[128] = "";

		memcpy(data, c->data, c->len);
		ike_answer_parse((uint8_t *)data, c->len, sent, sent_len, &a);
		if (a.kind != c->kind || a.notify != c->notify || a.marker != c->marker)
			fail_msg("%s: kind %d, notify %u, marker %d", c->what, a.kind, a.notify,
				 a.marker);
	}
}

static void a_chosen_proposal_is_read(void **state)
{
	static const char data[] =
		SPI R8 "\x21\x20\x22\x20\0\0\0\0\0\0\0\x93"
		       /* SA: AES_GCM_16 256, PRF SHA-256, group 31, and one nobody knows */
		       "\x22\0\0\x34"
		       "\0\0\0\x30\x01\x01\0\x04"
		       "\x03\0\0\x0c\x01\0\0\x14\x80\x0e\x01\x00"
		       "\x03\0\0\x08\x02\0\0\x05"
		       "\x03\0\0\x08\x04\0\0\x1f"
		       "\0\0\0\x0c\x07\0\0\x63\0\0\0\0"
		       /* KE and nonce, short */
		       "\x28\0\0\x08\0\x1f\0\0"
		       "\x29\0\0\x08nonc"
		       /* NAT detection of the source, fragmentation, vendor */
		       "\x29\0\0\x1c\0\0\x40\x04"
		       "ssssssssssssssssssss"
		       "\x2b\0\0\x08\0\0\x40\x2e"
		       "\0\0\0\x0fOE-Libreswa";
	uint8_t sent[IKE_PROBE_MAX];
	size_t sent_len = ike_probe_write(spi, false, 0, sent);
	struct ike_answer a;

	(void)state;
	assert_int_equal(sizeof(data) - 1, 0x93);
	ike_answer_parse((const uint8_t *)data, sizeof(data) - 1, sent, sent_len, &a);
	assert_int_equal(a.kind, IKE_ANSWER_INIT);
	assert_string_equal(a.proposal, "AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE_25519/7.99");
	assert_true(a.has_source && !a.has_destination && a.fragmentation);
	assert_memory_equal(a.source, "ssssssssssssssssssss", sizeof(a.source));
	assert_string_equal(a.vendor, "OE-Libreswa");
	assert_memory_equal(a.spi_r, R8, 8);
}

static void a_wanted_group_is_read(void **state)
{
	static const char data[] = SPI R8 "\x29\x20\x22\x20\0\0\0\0\0\0\0\x26"
					  "\0\0\0\x0a\0\0\0\x11\0\x13";
	uint8_t sent[IKE_PROBE_MAX];
	size_t sent_len = ike_probe_write(spi, false, 0, sent);
	struct ike_answer a;

	(void)state;
	ike_answer_parse((const uint8_t *)data, sizeof(data) - 1, sent, sent_len, &a);
	assert_int_equal(a.kind, IKE_ANSWER_NOTIFY);
	assert_int_equal(a.notify, IKE_N_INVALID_KE_PAYLOAD);
	assert_string_equal(ike_group_name(a.group), "ECP_256");
	assert_string_equal(ike_notify_name(a.notify, false), "INVALID_KE_PAYLOAD");
	assert_null(ike_notify_name(0x1234, false));
	assert_string_equal(ike_notify_name(5, true), "INVALID-MAJOR-VERSION");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_is_sha1),
		cmocka_unit_test(the_probe_is_these_bytes),
		cmocka_unit_test(an_spi_is_no_marker),
		cmocka_unit_test(the_full_question_hangs_together),
		cmocka_unit_test(nat_hashes_are_over_spis_address_and_port),
		cmocka_unit_test(answers_are_told_apart),
		cmocka_unit_test(a_chosen_proposal_is_read),
		cmocka_unit_test(a_wanted_group_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
