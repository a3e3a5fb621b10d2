/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* An SA of the peer with one child that carried so many bytes each way. */
static struct ike_sa sa_of(const char *peer, uint32_t child, uint64_t in, uint64_t out,
			   int64_t age_s)
{
	struct ike_sa sa = { .unique_id = 1, .state = IKE_SA_ESTABLISHED };
	struct ike_child *c = array_add(&sa.children);

	snprintf(sa.peer, sizeof(sa.peer), "%s", peer);
	*c = (struct ike_child){ .unique_id = child,
				 .installed = true,
				 .spi_in = child * 100,
				 .bytes_in = in,
				 .bytes_out = out,
				 .packets_in = in / 10,
				 .packets_out = out / 10,
				 .age_s = age_s };
	return sa;
}

static void look(struct traffic *t, struct ike_sa *sas, size_t n, int64_t now)
{
	traffic_look(t, sas, n, now);
	for (size_t i = 0; i < n; i++)
		array_free(&sas[i].children);
}

static void assert_carried(const struct traffic *t, const char *peer, uint64_t in, uint64_t out)
{
	struct traffic_totals carried = traffic_get(t, peer);

	assert_int_equal(carried.bytes_in, in);
	assert_int_equal(carried.bytes_out, out);
	assert_int_equal(carried.packets_in, in / 10);
	assert_int_equal(carried.packets_out, out / 10);
}

static void a_rekeying_loses_nothing_that_was_seen(void **state)
{
	_cleanup_(traffic_freep) struct traffic *t = traffic_new(0);
	struct ike_sa sas[2];

	(void)state;
	sas[0] = sa_of("h2", 1, 100, 200, 1);
	look(t, sas, 1, 2000);
	assert_carried(t, "h2", 100, 200);
	/* both stand for a moment */
	sas[0] = sa_of("h2", 1, 150, 250, 2);
	sas[1] = sa_of("h2", 2, 10, 0, 0);
	look(t, sas, 2, 3000);
	assert_carried(t, "h2", 160, 250);
	sas[0] = sa_of("h2", 2, 30, 20, 1);
	look(t, sas, 1, 4000);
	assert_carried(t, "h2", 180, 270);
	/* the tunnel is away; what it carried stays */
	look(t, NULL, 0, 5000);
	assert_carried(t, "h2", 180, 270);
	/* a new charon counts its children from 1 again */
	sas[0] = sa_of("h2", 1, 10, 10, 0);
	sas[0].children.v[0].spi_in = 77;
	look(t, sas, 1, 6000);
	assert_carried(t, "h2", 190, 280);
}

static void what_an_older_tunnel_carried_before_us_is_not_ours(void **state)
{
	_cleanup_(traffic_freep) struct traffic *t = traffic_new(100000);
	struct ike_sa sa = sa_of("h2", 1, 5000, 7000, 60);

	(void)state;
	look(t, &sa, 1, 101000);
	assert_carried(t, "h2", 0, 0);
	sa = sa_of("h2", 1, 5010, 7020, 61);
	look(t, &sa, 1, 102000);
	assert_carried(t, "h2", 10, 20);
}

static void peers_are_kept_apart_and_forgotten(void **state)
{
	_cleanup_(traffic_freep) struct traffic *t = traffic_new(0);
	struct ike_sa sas[3] = { sa_of("h1", 1, 10, 0, 0), sa_of("h3", 3, 30, 0, 0) };

	(void)state;
	look(t, sas, 2, 1000);
	sas[0] = sa_of("h1", 1, 10, 0, 0);
	sas[1] = sa_of("h2", 2, 20, 0, 0);
	sas[2] = sa_of("h3", 3, 40, 0, 0);
	look(t, sas, 3, 1000);
	assert_carried(t, "h1", 10, 0);
	assert_carried(t, "h2", 20, 0);
	assert_carried(t, "h3", 40, 0);
	assert_carried(t, "h4", 0, 0);
	traffic_forget(t, "h2");
	traffic_forget(t, "h4");
	assert_carried(t, "h2", 0, 0);
	assert_carried(t, "h3", 40, 0);
}

static void a_counter_that_goes_back_begins_anew(void **state)
{
	_cleanup_(traffic_freep) struct traffic *t = traffic_new(0);
	struct ike_sa sa = sa_of("h2", 1, 100, 100, 0);

	(void)state;
	look(t, &sa, 1, 1000);
	sa = sa_of("h2", 1, 20, 100, 0);
	look(t, &sa, 1, 2000);
	assert_carried(t, "h2", 120, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rekeying_loses_nothing_that_was_seen),
		cmocka_unit_test(what_an_older_tunnel_carried_before_us_is_not_ours),
		cmocka_unit_test(peers_are_kept_apart_and_forgotten),
		cmocka_unit_test(a_counter_that_goes_back_begins_anew),
	};

	return cmocka_run_group_tests_name("daemon/traffic", tests, NULL, NULL);
}
