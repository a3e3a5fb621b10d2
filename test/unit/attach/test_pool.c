/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attach/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX_TAKEN 300

/* A pool and who has what, as the tests tell it. */
struct world {
	struct sn_prefix prefixes[4];
	struct pool pool;
	struct sn_addr last;
	struct sn_addr taken[MAX_TAKEN];
	size_t n_taken;
};

static struct sn_addr addr(const char *text)
{
	struct sn_addr a;

	assert_int_equal(sn_addr_parse(text, &a), 0);
	return a;
}

static struct world world_of(const char *host, const char *const *prefixes)
{
	struct world w = { 0 };

	if (host)
		w.pool.host = addr(host);
	for (; *prefixes; prefixes++)
		assert_int_equal(sn_prefix_parse(*prefixes, &w.prefixes[w.pool.n_prefixes++]), 0);
	return w;
}
#define WORLD(host, ...) world_of(host, (const char *const[]){ __VA_ARGS__, NULL })

static int cmp(const void *a, const void *b)
{
	return sn_addr_cmp(a, b);
}

/* Gives the next one and notes it; "" when there is none. */
static const char *take(struct world *w)
{
	static char text[SN_PREFIX_STRLEN];
	struct sn_prefix got;

	w->pool.prefixes = w->prefixes;
	if (pool_next(&w->pool, &w->last, w->taken, w->n_taken, &got) < 0)
		return "";
	assert_true(w->n_taken < MAX_TAKEN);
	w->last = got.addr;
	w->taken[w->n_taken++] = got.addr;
	qsort(w->taken, w->n_taken, sizeof(w->taken[0]), cmp);
	return sn_prefix_format(&got, text);
}

static void give_back(struct world *w, const char *text)
{
	struct sn_addr a = addr(text);
	size_t i = 0;

	while (i < w->n_taken && sn_addr_cmp(&w->taken[i], &a) != 0)
		i++;
	assert_true(i < w->n_taken);
	memmove(&w->taken[i], &w->taken[i + 1], (--w->n_taken - i) * sizeof(w->taken[0]));
}

static void the_host_the_network_and_the_broadcast_address_are_never_given(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.0/29");

	(void)state;
	for (int i = 2; i <= 6; i++) {
		_cleanup_free_ char *want = xasprintf("10.42.1.%d/29", i);

		assert_string_equal(take(&w), want);
	}
	assert_string_equal(take(&w), "");
	assert_int_equal(w.n_taken, 5);
}

static void a_host_in_the_middle_is_left_out(void **state)
{
	struct world w = WORLD("10.42.1.3", "10.42.1.0/29");

	(void)state;
	assert_string_equal(take(&w), "10.42.1.1/29");
	assert_string_equal(take(&w), "10.42.1.2/29");
	assert_string_equal(take(&w), "10.42.1.4/29");
}

static void a_freed_address_rests_until_all_others_had_their_turn(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.0/29");

	(void)state;
	take(&w);
	take(&w);
	give_back(&w, "10.42.1.2");
	give_back(&w, "10.42.1.3");
	assert_string_equal(take(&w), "10.42.1.4/29");
	assert_string_equal(take(&w), "10.42.1.5/29");
	assert_string_equal(take(&w), "10.42.1.6/29");
	assert_string_equal(take(&w), "10.42.1.2/29");
	assert_string_equal(take(&w), "10.42.1.3/29");
	assert_string_equal(take(&w), "");
}

static void several_prefixes_are_one_row(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.0/30", "10.42.9.9/32", "10.42.2.0/29");

	/* 10.42.2.1 is the bridge's, as gateway of the second */
	(void)state;
	assert_string_equal(take(&w), "10.42.1.2/30");
	assert_string_equal(take(&w), "10.42.2.2/29");
	assert_string_equal(take(&w), "10.42.2.3/29");
	assert_string_equal(take(&w), "10.42.2.4/29");
	assert_string_equal(take(&w), "10.42.2.5/29");
	assert_string_equal(take(&w), "10.42.2.6/29");
	assert_string_equal(take(&w), "");
	give_back(&w, "10.42.2.3");
	assert_string_equal(take(&w), "10.42.2.3/29");
}

static void a_last_one_outside_starts_from_the_beginning(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.0/24");

	(void)state;
	w.last = addr("10.99.0.7");
	assert_string_equal(take(&w), "10.42.1.2/24");
	w.last = addr("10.42.1.255");
	assert_string_equal(take(&w), "10.42.1.3/24");
	w.last = addr("10.42.1.254");
	assert_string_equal(take(&w), "10.42.1.4/24");
}

static void a_whole_subnet_can_be_given_once(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.0/24");

	(void)state;
	w.last = addr("10.42.1.100");
	for (int i = 0; i < 253; i++)
		assert_string_not_equal(take(&w), "");
	assert_string_equal(take(&w), "");
	for (size_t i = 1; i < w.n_taken; i++)
		assert_int_equal(sn_addr_cmp(&w.taken[i - 1], &w.taken[i]), -1);
}

static void single_addresses_and_tiny_subnets_give_nothing_unasked(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.1/32", "10.42.1.2/31", "10.42.1.5/32");
	struct sn_prefix got;

	(void)state;
	w.pool.prefixes = w.prefixes;
	assert_int_equal(pool_next(&w.pool, &w.last, NULL, 0, &got), -EADDRNOTAVAIL);
	w.pool.n_prefixes = 0;
	assert_int_equal(pool_next(&w.pool, &w.last, NULL, 0, &got), -EADDRNOTAVAIL);
}

static void ipv6_is_no_different(void **state)
{
	struct world w = WORLD("fd00::1", "fd00::/64");

	(void)state;
	assert_string_equal(take(&w), "fd00::2/64");
	w.last = addr("fd00::ffff:ffff:ffff:fffe");
	assert_string_equal(take(&w), "fd00::3/64");
}

static enum pool_verdict check(struct world *w, const char *text, struct sn_prefix *ret)
{
	struct sn_addr a = addr(text);

	w->pool.prefixes = w->prefixes;
	return pool_check(&w->pool, &a, ret);
}

static void what_is_asked_for_is_checked(void **state)
{
	struct world w = WORLD("10.42.1.1", "10.42.1.0/24", "10.42.9.9/32");
	struct sn_prefix got = { 0 };

	(void)state;
	assert_int_equal(check(&w, "10.42.1.0", &got), POOL_NETWORK);
	assert_int_equal(check(&w, "10.42.1.255", &got), POOL_BROADCAST);
	assert_int_equal(check(&w, "10.42.1.1", &got), POOL_HOST);
	assert_int_equal(check(&w, "10.42.2.1", &got), POOL_OUTSIDE);
	assert_int_equal(check(&w, "fd00::1", &got), POOL_OUTSIDE);
	assert_int_equal(check(&w, "10.42.1.254", &got), POOL_FITS);
	assert_string_equal(SN_PREFIX_STR(&got), "10.42.1.254/24");
	assert_int_equal(check(&w, "10.42.9.9", &got), POOL_FITS);
	assert_string_equal(SN_PREFIX_STR(&got), "10.42.9.9/32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_the_network_and_the_broadcast_address_are_never_given),
		cmocka_unit_test(a_host_in_the_middle_is_left_out),
		cmocka_unit_test(a_freed_address_rests_until_all_others_had_their_turn),
		cmocka_unit_test(several_prefixes_are_one_row),
		cmocka_unit_test(a_last_one_outside_starts_from_the_beginning),
		cmocka_unit_test(a_whole_subnet_can_be_given_once),
		cmocka_unit_test(single_addresses_and_tiny_subnets_give_nothing_unasked),
		cmocka_unit_test(ipv6_is_no_different),
		cmocka_unit_test(what_is_asked_for_is_checked),
	};

	return cmocka_run_group_tests_name("attach/pool", tests, NULL, NULL);
}
