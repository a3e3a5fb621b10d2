/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two probes of one process talk over the loopback device: 127.0.8.1 is "a", 127.0.8.2 is "b". */
#include "probe/probe.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../shell.h"

#define LIMIT_MS 3000

struct end {
	struct probe *probe;
	unsigned heartbeats, replies;
	uint32_t last_seq, last_token;
	unsigned last_view;
	uint64_t last_ike_boot;
	int64_t last_rtt_us;
	bool ike_away;
};

struct world {
	struct loop *loop;
	struct loop_timer *limit;
	struct secrets *secrets;
	struct end a, b;
	bool (*done)(const struct world *w);
	bool in_time;
};

static struct world *world;

static void check(void)
{
	if (world->done && world->done(world)) {
		world->in_time = true;
		loop_stop(world->loop);
	}
}

static void on_limit(void *user)
{
	loop_stop(((struct world *)user)->loop);
}

static void wait_until(bool (*done)(const struct world *))
{
	world->done = done;
	world->in_time = false;
	loop_timer_set(world->limit, LIMIT_MS);
	loop_run(world->loop);
	assert_true(world->in_time);
}

static void on_heartbeat(const char *peer, const struct heartbeat *hb, void *user)
{
	struct end *end = user;

	assert_string_equal(peer, end == &world->a ? "b" : "a");
	assert_true(hb->daemon_boot != 0);
	assert_true(hb->seq > end->last_seq);
	end->heartbeats++;
	end->last_seq = hb->seq;
	end->last_view = hb->view;
	end->last_ike_boot = hb->ike_boot;
	end->ike_away = hb->ike_away;
	check();
}

static void on_reply(const char *peer, uint32_t token, int64_t rtt_us, void *user)
{
	struct end *end = user;

	assert_string_equal(peer, end == &world->a ? "b" : "a");
	end->replies++;
	end->last_token = token;
	end->last_rtt_us = rtt_us;
	check();
}

static struct sn_addr address(const char *s)
{
	struct sn_addr a;

	assert_int_equal(sn_addr_parse(s, &a), 0);
	return a;
}

static void start(struct end *end, const char *self, const char *self_ip, const char *peer,
		  const char *peer_ip)
{
	const struct probe_handlers handlers = { on_heartbeat, on_reply, end };
	struct probe_settings settings = { .mesh_id = "m", .heartbeat_ms = 50 };
	struct wanted_peer peers[1] = { { .device = "lo",
					  .overlay_ip = address(peer_ip),
					  .own_overlay_ip = address(self_ip) } };

	strcpy(settings.self, self);
	strcpy(peers[0].id, peer);
	end->probe = probe_new(world->loop, world->secrets, &handlers);
	probe_set_peers(end->probe, &settings, peers, 1);
}

static int setup(void **state)
{
	char path[] = "/tmp/sennit-test-probe-XXXXXX", text[64];
	int fd = mkstemp(path);
	struct sn_error e;

	world = xcalloc(1, sizeof(*world));
	*state = world;
	secret_generate(text);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	close(fd);
	if (secrets_load(path, &world->secrets, &e) < 0 || unlink(path) < 0)
		return -1;
	world->loop = loop_new();
	world->limit = loop_timer_new(world->loop, on_limit, world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	probe_free(world->a.probe);
	probe_free(world->b.probe);
	loop_timer_free(world->limit);
	loop_free(world->loop);
	secrets_free(world->secrets);
	free(world);
	return 0;
}

/* The lowest byte is not the charon's: it counts what was renewed without a new one. */
#define BOOT UINT64_C(0x4200)

static bool both_heard(const struct world *w)
{
	return w->a.heartbeats >= 5 && w->b.heartbeats >= 5 && w->b.last_view == 2 &&
	       w->b.last_ike_boot == BOOT;
}

static bool a_renewed(const struct world *w)
{
	return w->b.last_ike_boot == BOOT + 1;
}

static void heartbeats_go_both_ways_with_view_and_boot(void **state)
{
	(void)state;
	start(&world->a, "a", "127.0.8.1", "b", "127.0.8.2");
	start(&world->b, "b", "127.0.8.2", "a", "127.0.8.1");
	probe_set_view(world->a.probe, "b", 2);
	probe_set_ike_boot(world->a.probe, BOOT + 7);
	wait_until(both_heard);
	assert_int_equal(probe_get_stats(world->a.probe)->bad_mac, 0);
	assert_true(probe_get_stats(world->a.probe)->sent >= 5);
	assert_int_equal(probe_get_stats(world->a.probe)->echoes_sent, 0);
	probe_renew(world->a.probe, "b");
	wait_until(a_renewed);
}

static bool both_heard_some(const struct world *w)
{
	return w->a.heartbeats >= 5 && w->b.heartbeats >= 5;
}

static bool a_has_lost_its_charon(const struct world *w)
{
	return w->b.ike_away;
}

static bool a_has_charon_again(const struct world *w)
{
	return !w->b.ike_away;
}

/* Long before the next heartbeat is due; that one still comes, and is no replay. */
static void that_charon_went_is_told_at_once(void **state)
{
	struct world *w = *state;
	const struct probe_stats *sender;
	uint64_t sent;

	start(&w->a, "a", "127.0.8.1", "b", "127.0.8.2");
	start(&w->b, "b", "127.0.8.2", "a", "127.0.8.1");
	wait_until(both_heard_some);
	sender = probe_get_stats(w->a.probe);
	sent = sender->sent;
	probe_set_ike_away(w->a.probe, true);
	assert_int_equal(sender->sent, sent + 1);
	probe_set_ike_away(w->a.probe, true);
	assert_int_equal(sender->sent, sent + 1);
	wait_until(a_has_lost_its_charon);
	probe_set_ike_away(w->a.probe, false);
	wait_until(a_has_charon_again);
	w->b.heartbeats = 0;
	wait_until(both_heard_some);
	assert_int_equal(probe_get_stats(w->b.probe)->replayed, 0);
}

static bool replied(const struct world *w)
{
	return w->a.replies == 1;
}

static void echoes_are_answered_by_the_kernel(void **state)
{
	(void)state;
	start(&world->a, "a", "127.0.8.1", "b", "127.0.8.2");
	probe_send_echo(world->a.probe, "b", 4711);
	wait_until(replied);
	assert_int_equal(world->a.last_token, 4711);
	assert_in_range(world->a.last_rtt_us, 1, 1000000);
	assert_int_equal(probe_get_stats(world->a.probe)->echoes_sent, 1);
	assert_int_equal(probe_get_stats(world->a.probe)->echoes_answered, 1);
}

static bool refused(const struct world *w)
{
	return probe_get_stats(w->b.probe)->bad_mac >= 2;
}

static void on_refusal_timer(void *user)
{
	check();
	loop_timer_set(*(struct loop_timer **)user, 10);
}

/* c claims a's address, but its MACs are those of c. */
static void a_wrong_identity_is_counted_not_believed(void **state)
{
	struct loop_timer *timer = NULL;

	(void)state;
	start(&world->a, "c", "127.0.8.1", "b", "127.0.8.2");
	start(&world->b, "b", "127.0.8.2", "a", "127.0.8.1");
	timer = loop_timer_new(world->loop, on_refusal_timer, &timer);
	loop_timer_set(timer, 10);
	wait_until(refused);
	assert_int_equal(world->b.heartbeats, 0);
	loop_timer_free(timer);
}

static bool heard_again(const struct world *w)
{
	return w->a.heartbeats >= 6;
}

static void goes_on_after_its_device_changed(void **state)
{
	(void)state;
	start(&world->a, "a", "127.0.8.1", "b", "127.0.8.2");
	start(&world->b, "b", "127.0.8.2", "a", "127.0.8.1");
	probe_device_changed(world->a.probe, "lo");
	probe_device_changed(world->b.probe, "lo");
	probe_device_changed(world->b.probe, "no-such");
	wait_until(heard_again);
}

static bool heard_after_return(const struct world *w)
{
	return w->b.heartbeats >= 6;
}

/* b keeps what it heard of a; a forgets b and takes it up again. */
static void a_peer_dropped_and_taken_up_again_is_no_replay(void **state)
{
	struct probe_settings settings = { .mesh_id = "m", .self = "a", .heartbeat_ms = 50 };
	struct wanted_peer peers[1] = { { .id = "b",
					  .device = "lo",
					  .overlay_ip = address("127.0.8.2"),
					  .own_overlay_ip = address("127.0.8.1") } };

	(void)state;
	start(&world->a, "a", "127.0.8.1", "b", "127.0.8.2");
	start(&world->b, "b", "127.0.8.2", "a", "127.0.8.1");
	wait_until(both_heard_some);
	world->b.heartbeats = 0;
	probe_set_peers(world->a.probe, &settings, NULL, 0);
	probe_set_peers(world->a.probe, &settings, peers, 1);
	wait_until(heard_after_return);
	assert_true(probe_get_stats(world->b.probe)->replayed <= 1);
}

static uint64_t sent_so_far;

static bool sent_more(const struct world *w)
{
	return probe_get_stats(w->a.probe)->sent >= sent_so_far + 3;
}

static void make_device(void)
{
	sh("ip link add probed type bridge && ip link set probed up && "
	   "ip addr add 10.9.9.1/24 dev probed");
}

/* Deleted and made anew by its owner, who is told of neither. In a namespace of its own. */
static void goes_on_by_another_device_of_that_name(void **state)
{
	const struct probe_handlers handlers = { on_heartbeat, on_reply, &world->a };
	struct probe_settings settings = { .mesh_id = "m", .self = "a", .heartbeat_ms = 50 };
	struct wanted_peer peers[1] = { { .id = "b",
					  .device = "probed",
					  .overlay_ip = address("10.9.9.2"),
					  .own_overlay_ip = address("10.9.9.1") } };
	struct loop_timer *timer = NULL;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	make_device();
	world->a.probe = probe_new(world->loop, world->secrets, &handlers);
	probe_set_peers(world->a.probe, &settings, peers, 1);
	timer = loop_timer_new(world->loop, on_refusal_timer, &timer);
	loop_timer_set(timer, 10);
	sent_so_far = 0;
	wait_until(sent_more);
	sh("ip link del probed");
	make_device();
	sent_so_far = probe_get_stats(world->a.probe)->sent;
	wait_until(sent_more);
	loop_timer_free(timer);
}

static unsigned heard_b, heard_c, answered_c;

static void count_heartbeat(const char *peer, const struct heartbeat *hb, void *user)
{
	(void)hb;
	(void)user;
	*(streq(peer, "b") ? &heard_b : &heard_c) += 1;
	check();
}

static void count_reply(const char *peer, uint32_t token, int64_t rtt_us, void *user)
{
	(void)token;
	(void)rtt_us;
	(void)user;
	answered_c += streq(peer, "c");
	check();
}

static bool heard_both(const struct world *w)
{
	(void)w;
	if (heard_c == 2 && !answered_c)
		probe_send_echo(w->a.probe, "c", 7);
	return heard_b >= 3 && heard_c >= 3 && answered_c;
}

/* As with libipsec: a peer of each family by one device. In a namespace of its own. */
static void peers_of_both_families_share_a_device(void **state)
{
	const struct probe_handlers handlers = { count_heartbeat, count_reply, NULL };
	struct probe_settings settings = { .mesh_id = "m", .self = "a", .heartbeat_ms = 50 };
	struct wanted_peer peers[2] = { { .id = "b",
					  .device = "lo",
					  .overlay_ip = address("127.0.8.2"),
					  .own_overlay_ip = address("127.0.8.1") },
					{ .id = "c",
					  .device = "lo",
					  .overlay_ip = address("fd42::2"),
					  .own_overlay_ip = address("fd42::1") } };
	struct end c = { 0 };

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	sh("ip link set lo up && ip addr add fd42::1/128 dev lo nodad && "
	   "ip addr add fd42::2/128 dev lo nodad");
	world->a.probe = probe_new(world->loop, world->secrets, &handlers);
	probe_set_peers(world->a.probe, &settings, peers, 2);
	start(&world->b, "b", "127.0.8.2", "a", "127.0.8.1");
	start(&c, "c", "fd42::2", "a", "fd42::1");
	wait_until(heard_both);
	assert_int_equal(probe_get_stats(world->a.probe)->unknown_peer, 0);
	probe_free(c.probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(heartbeats_go_both_ways_with_view_and_boot, setup,
						teardown),
		cmocka_unit_test_setup_teardown(that_charon_went_is_told_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(echoes_are_answered_by_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_identity_is_counted_not_believed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_peer_dropped_and_taken_up_again_is_no_replay,
						setup, teardown),
		cmocka_unit_test_setup_teardown(goes_on_after_its_device_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(goes_on_by_another_device_of_that_name, setup,
						teardown),
		cmocka_unit_test_setup_teardown(peers_of_both_families_share_a_device, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
