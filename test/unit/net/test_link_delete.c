/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links go without keeping the loop waiting. */
#include "net/link.h"
#include "net/link_delete.h"

#include "netns_fixture.h"

#define MANY 100
#define IN_TURN 10

/* The plan leaves veths to attach; here they stand for any link. */
static void delete_step(struct fixture *f, const char *name)
{
	_cleanup_object_set_ struct object_set set = { 0 };
	struct plan_step step = { .verb = PLAN_DELETE };
	struct sn_error e;

	want_link(&set, LINK_VETH, name);
	step.found = &set.o.v[0];
	if (net_apply(f->net, &step, &e) < 0)
		fail_msg("%s", e.text);
}

static void make_many(void)
{
	sh("ip link add snbr0 type bridge");
	sh("for i in $(seq 1 %d); do echo link add snv$i type veth peer name c$i; "
	   "echo link set snv$i alias sennit:test:$i up master snbr0; done | ip -b -",
	   MANY);
}

static void delete_many(void *user)
{
	struct fixture *f = user;
	char name[IFNAMSIZ];

	for (int i = 1; i <= MANY; i++) {
		snprintf(name, sizeof(name), "snv%d", i);
		delete_step(f, name);
	}
}

static size_t observed_links(struct fixture *f)
{
	_cleanup_object_set_ struct object_set none = { 0 }, observed = { 0 };
	unsigned known;

	net_observe(f->net, &none, &observed, &known);
	return observed.o.n;
}

struct busy {
	struct fixture *f;
	struct loop_timer *tick;
	size_t turns;
};

/* Observes again and again, as a daemon would that hears of every event. */
static void observe(void *user)
{
	struct busy *b = user;

	if (b->turns++ == 0)
		delete_many(b->f);
	net_apply_end(b->f->net);
	assert_int_equal(observed_links(b->f), 0);
	if (net_device_index(b->f->net, "snv1") < 0 && net_device_index(b->f->net, "snv100") < 0)
		loop_stop(b->f->loop);
	else
		loop_timer_set(b->tick, 1);
}

/* By the loop's own measure, which sees every turn of it. */
static int64_t slowest_turn_of_many(struct fixture *f)
{
	const struct loop_stats *stats = loop_get_stats(f->loop);
	struct busy b = { .f = f };
	int64_t begin;

	make_many();
	assert_int_equal(observed_links(f), MANY);
	b.tick = loop_timer_new(f->loop, observe, &b);
	loop_timer_set(b.tick, 1);
	begin = sn_now_ms();
	fixture_spin(f, FIXTURE_LIMIT_MS);
	print_message("%d links in %d ms, %zu turns, the slowest %d ms\n", MANY,
		      (int)(sn_now_ms() - begin), b.turns, (int)stats->slowest_turn_ms);
	loop_timer_free(b.tick);
	assert_false(f->timed_out);
	assert_false(sh_ok("ip link | grep -q snv"));
	/* it went on meanwhile: who deletes in the loop turns twice */
	assert_true(b.turns > 10);
	return stats->slowest_turn_ms;
}

/* What a caller stands still for who deletes them one by one: ip(8), as it takes them. */
static int64_t time_of_deleting_in_turn(void)
{
	int64_t begin;

	make_many();
	begin = sn_now_ms();
	for (int i = 1; i <= IN_TURN; i++)
		sh("ip link del snv%d", i);
	return sn_now_ms() - begin;
}

/*
 * All namespaces of the machine share the kernel's lock, so what a turn takes depends on
 * who else holds it. It is held against what the same machine takes for a
 * tenth of the links without the worker, measured in the same run.
 */
static void deletes_many_without_a_slow_turn(void **state)
{
	struct fixture *f = fixture_get(state);
	int64_t slowest = slowest_turn_of_many(f), in_turn;

	sh("ip link del snbr0");
	in_turn = time_of_deleting_in_turn();
	sh("ip link del snbr0");
	print_message("%d links one by one: %d ms\n", IN_TURN, (int)in_turn);
	assert_true(slowest < SN_MAX(in_turn, (int64_t)LOOP_SLOW_TURN_MS));
}

static void end_of_net_finishes_what_was_asked(void **state)
{
	struct fixture *f = fixture_get(state);

	make_many();
	delete_many(f);
	fixture_restart(f);
	assert_false(sh_ok("ip link | grep -q snv"));
	sh("ip link show snbr0 >/dev/null");
}

static void link_deleted_by_others_meanwhile_is_fine(void **state)
{
	struct fixture *f = fixture_get(state);

	make_many();
	delete_many(f);
	sh("ip link del snv7 && ip link del snv50");
	net_apply_end(f->net);
	fixture_wait_gone(f, "snv100");
	assert_int_equal(observed_links(f), 0);
	assert_false(sh_ok("ip link | grep -q snv"));
}

static void name_on_its_way_out_is_not_ready_yet(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set bridge = { 0 }, none = { 0 };
	size_t not_ready = 0;

	want_bridge(&bridge, "snbr1");
	/* the worker may be done with it before we look: then it is not on its way, and once more
	 */
	for (int tries = 0; not_ready == 0 && tries < 50; tries++) {
		_cleanup_pass_ struct pass p, q;

		fixture_converge(f, &bridge);
		fixture_pass(f, &none, &p);
		fixture_pass(f, &bridge, &q);
		assert_int_equal(p.steps, 1);
		not_ready = q.not_ready;
	}
	assert_int_equal(not_ready, 1);
	fixture_converge(f, &bridge);
	sh("ip link show snbr1 | grep -q 'group 1936613890'");
}

static void on_done(void *user)
{
	struct fixture *f = user;

	loop_stop(f->loop);
}

static void failure_is_told_at_the_next_try(void **state)
{
	struct fixture *f = fixture_get(state);
	struct link_deleter *d = link_deleter_new(f->loop, on_done, f);
	struct sn_error e;

	/* lo cannot be deleted: it stands for whatever the kernel refuses */
	link_deleter_add(d, 1);
	link_deleter_submit(d);
	assert_true(link_deleter_has(d, 1));
	fixture_spin(f, FIXTURE_LIMIT_MS);
	assert_false(f->timed_out);
	assert_false(link_deleter_has(d, 1));
	assert_true(link_deleter_take_failure(d, 1, &e) < 0);
	assert_int_equal(link_deleter_take_failure(d, 1, &e), 0);
	link_deleter_free(d);
}

/* The kernel's own deletion takes 12 ms and more, by its grace periods. */
#define AT_ONCE_MS 6

static void one_link_vanishes_at_once(void **state)
{
	struct fixture *f = fixture_get(state);
	int64_t best = 1000;
	char name[IFNAMSIZ];
	struct sn_error e;
	int index = 0;

	make_many();
	for (int i = 1; i <= 5; i++) {
		int64_t begin;

		snprintf(name, sizeof(name), "snv%d", i);
		index = net_device_index(f->net, name);
		begin = sn_now_ms();
		assert_int_equal(link_vanish(index, &e), 0);
		best = SN_MIN(best, sn_now_ms() - begin);
		assert_int_equal(net_device_index(f->net, name), -ENODEV);
		name[1] = 'c';
		name[2] = (char)('0' + i);
		name[3] = '\0';
		assert_int_equal(net_device_index(f->net, &name[1]), -ENODEV);
	}
	print_message("vanished in %d ms\n", (int)best);
	assert_true(best < AT_ONCE_MS);
	/* gone already, and what cannot go */
	assert_int_equal(link_vanish(index, &e), 0);
	assert_true(link_vanish(1, &e) < 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(deletes_many_without_a_slow_turn),
		T(end_of_net_finishes_what_was_asked),
		T(link_deleted_by_others_meanwhile_is_fine),
		T(name_on_its_way_out_is_not_ready_yet),
		T(failure_is_told_at_the_next_try),
		T(one_link_vanishes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
