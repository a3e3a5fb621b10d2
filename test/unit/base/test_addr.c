/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sn_prefix prefix(const char *s)
{
	struct sn_prefix p;

	assert_int_equal(sn_prefix_parse(s, &p), 0);
	return p;
}

static void parses_and_refuses(void **state)
{
	static const char *const good[] = { "10.42.1.0/24", "0.0.0.0/0", "fd00::/8", "::1/128",
					    "10.0.0.1/32" };
	static const char *const bad[] = { "",
					   "10.42.1.0/33",
					   "10.42.1/24",
					   "10.42.1.0/",
					   "/24",
					   "10.42.1.0/024",
					   "10.42.1.0/-1",
					   " 10.0.0.1",
					   "10.0.0.1/2 ",
					   "fe80::1%2/64",
					   "010.0.0.1",
					   "fd00::/129",
					   "10.0.0.1/4294967328" };
	struct sn_prefix p;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(good); i++) {
		assert_int_equal(sn_prefix_parse(good[i], &p), 0);
		assert_string_equal(SN_PREFIX_STR(&p), good[i]);
	}
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++)
		assert_true(sn_prefix_parse(bad[i], &p) < 0);
}

static void masks_and_contains(void **state)
{
	struct sn_prefix p = prefix("10.42.1.77/22"), n = sn_prefix_network(&p);
	struct sn_prefix a = prefix("10.42.0.0/16"), b = prefix("10.42.3.0/24"),
			 c = prefix("10.43.0.0/24");
	struct sn_prefix all = prefix("0.0.0.0/0"), v6 = prefix("::/0");

	(void)state;
	assert_string_equal(SN_PREFIX_STR(&n), "10.42.0.0/22");
	assert_true(sn_prefix_covers(&a, &b));
	assert_false(sn_prefix_covers(&b, &a));
	assert_true(sn_prefix_overlaps(&b, &a));
	assert_false(sn_prefix_overlaps(&b, &c));
	assert_true(sn_prefix_covers(&all, &c));
	assert_false(sn_prefix_overlaps(&all, &v6));
}

static void counts_addresses(void **state)
{
	struct sn_prefix p = prefix("10.42.1.0/24"), one = prefix("10.42.1.9/32"),
			 two = prefix("10.0.0.0/31");
	struct sn_addr first = sn_prefix_first_usable(&p), last = sn_prefix_nth(&p, 255);
	struct sn_addr single = sn_prefix_first_usable(&one), none = sn_prefix_first_usable(&two);
	struct sn_addr past = sn_prefix_nth(&p, 256);

	(void)state;
	assert_string_equal(SN_ADDR_STR(&first), "10.42.1.1");
	assert_string_equal(SN_ADDR_STR(&last), "10.42.1.255");
	assert_string_equal(SN_ADDR_STR(&single), "10.42.1.9");
	assert_false(sn_addr_is_set(&none));
	assert_false(sn_addr_is_set(&past));
	assert_int_equal(sn_prefix_count(&p), 256);
	p = prefix("fd00::/16");
	assert_true(sn_prefix_count(&p) == UINT64_MAX);
}

static void orders(void **state)
{
	struct sn_prefix a = prefix("10.0.0.0/8"), b = prefix("10.0.0.0/16"),
			 c = prefix("9.0.0.0/8");

	(void)state;
	assert_int_equal(sn_prefix_cmp(&a, &b), -1);
	assert_int_equal(sn_prefix_cmp(&a, &a), 0);
	assert_int_equal(sn_prefix_cmp(&a, &c), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_refuses),
		cmocka_unit_test(masks_and_contains),
		cmocka_unit_test(counts_addresses),
		cmocka_unit_test(orders),
	};

	return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
