/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/resolv_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Each line of a file, and what is said of the server in it; none: it names no server. */
static void lines_are_read_as_glibc_reads_them(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *server, *addr, *zone;
		enum resolv_verdict verdict;
	} rows[] = {
		{ "nameserver 192.0.2.1\n", 1, "192.0.2.1", "192.0.2.1", "", RESOLV_FINE },
		{ "nameserver\t2001:db8::1", 1, "2001:db8::1", "2001:db8::1", "", RESOLV_FINE },
		{ "nameserver 192.0.2.1 # ours\n", 1, "192.0.2.1", "192.0.2.1", "", RESOLV_FINE },
		{ "nameserver 192.0.2.1\r\n", 1, "192.0.2.1", "192.0.2.1", "", RESOLV_FINE },
		{ "nameserver fe80::1%3\n", 1, "fe80::1%3", "fe80::1", "3", RESOLV_FINE },
		{ "nameserver fe80::1%eth0\n", 1, "fe80::1%eth0", "fe80::1", "eth0", RESOLV_FINE },
		{ "nameserver fe80::1\n", 1, "fe80::1", "fe80::1", "", RESOLV_ZONE_MISSING },
		{ "nameserver febf::1\n", 1, "febf::1", "febf::1", "", RESOLV_ZONE_MISSING },
		{ "nameserver fec0::1\n", 1, "fec0::1", "fec0::1", "", RESOLV_FINE },
		{ "nameserver fe80::1%\n", 1, "fe80::1%", "-", "", RESOLV_NO_ADDRESS },
		{ "nameserver fe80::1%a-name-too-long-for-a-link\n", 1,
		  "fe80::1%a-name-too-long-for-a-link", "-", "", RESOLV_NO_ADDRESS },
		{ "nameserver 192.0.2.1%eth0\n", 1, "192.0.2.1%eth0", "192.0.2.1", "eth0",
		  RESOLV_ZONE_NEEDLESS },
		{ "nameserver dns.example\n", 1, "dns.example", "-", "", RESOLV_NO_ADDRESS },
		{ "nameserver 169.254.169.250\n", 1, "169.254.169.250", "169.254.169.250", "",
		  RESOLV_LOOP },
		{ "nameserver 192.0.2.7\n", 1, "192.0.2.7", "192.0.2.7", "", RESOLV_LOOP },
		{ " nameserver 192.0.2.1\n", 0, NULL, NULL, NULL, RESOLV_FINE },
		{ "nameserver192.0.2.1\n", 0, NULL, NULL, NULL, RESOLV_FINE },
		{ "#nameserver 192.0.2.1\n;nameserver 192.0.2.1\n", 0, NULL, NULL, NULL,
		  RESOLV_FINE },
		{ "nameserver\nnameserver \nsearch example.org\n", 0, NULL, NULL, NULL,
		  RESOLV_FINE },
		{ "", 0, NULL, NULL, NULL, RESOLV_FINE },
	};
	struct sn_addr own;

	(void)state;
	assert_int_equal(sn_addr_parse("192.0.2.7", &own), 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		struct resolv_conf c;

		resolv_conf_parse(rows[i].text, strlen(rows[i].text), &c);
		assert_int_equal(c.servers.n, rows[i].n);
		if (c.servers.n == 1) {
			const struct resolv_server *s = c.servers.v;

			assert_string_equal(s->text, rows[i].server);
			assert_string_equal(SN_ADDR_STR(&s->addr), rows[i].addr);
			assert_string_equal(s->zone, rows[i].zone);
			assert_int_equal(resolv_judge(s, 0, &own), rows[i].verdict);
		}
		resolv_conf_fini(&c);
	}
}

static void the_fourth_is_one_too_many(void **state)
{
	static const char text[] = "# one\nnameserver 192.0.2.1\n\nnameserver 192.0.2.2\n"
				   "nameserver 192.0.2.3\nnameserver 192.0.2.4\n";
	struct resolv_conf c;

	(void)state;
	resolv_conf_parse(text, strlen(text), &c);
	assert_int_equal(c.servers.n, 4);
	assert_int_equal(c.servers.v[0].line, 2);
	assert_int_equal(c.servers.v[1].line, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(resolv_judge(&c.servers.v[i], i, NULL),
				 i < 3 ? RESOLV_FINE : RESOLV_SURPLUS);
	resolv_conf_fini(&c);
}

static void a_long_file_is_bounded(void **state)
{
	_cleanup_free_ char *text = xcalloc(1, 100000);
	struct resolv_conf c;
	size_t len = 0;

	(void)state;
	while (len < 90000) {
		memcpy(text + len, "nameserver 192.0.2.1\n", 21);
		len += 21;
	}
	resolv_conf_parse(text, len, &c);
	assert_int_equal(c.servers.n, RESOLV_MAX_SERVERS);
	resolv_conf_fini(&c);
}

/* RFC 1035, 4.1: a header of 12 bytes, one question. */
static void the_question_and_its_answers(void **state)
{
	static const uint8_t query[RESOLV_QUERY_SIZE] = { 0x12, 0x34, 1, 0, 0, 1, 0, 0,
							  0,    0,    0, 0, 0, 2, 0, 0 };
	uint8_t data[RESOLV_QUERY_SIZE];

	(void)state;
	resolv_query(0x1234, data);
	assert_memory_equal(data, query, 12);
	assert_int_equal(data[12], 0);
	assert_int_equal(data[14], 2);
	assert_int_equal(data[16], 1);
	assert_int_equal(resolv_answer(data, sizeof(data), 0x1234), -EBADMSG); /* a question */
	data[2] |= 0x80;
	assert_int_equal(resolv_answer(data, sizeof(data), 0x1234), 0);
	assert_int_equal(resolv_answer(data, sizeof(data), 0x1235), -EBADMSG);
	assert_int_equal(resolv_answer(data, 11, 0x1234), -EBADMSG);
	data[3] = 0x85;
	assert_int_equal(resolv_answer(data, sizeof(data), 0x1234), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_as_glibc_reads_them),
		cmocka_unit_test(the_fourth_is_one_too_many),
		cmocka_unit_test(a_long_file_is_bounded),
		cmocka_unit_test(the_question_and_its_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
