/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A simulated peer at the other end of the tunnel, milliseconds that pass as fast as they can. */
#include "health/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct world {
	struct health *h;
	int64_t now;
	bool path, daemon; /* what works at the peer */
	bool path_b;       /* the path to the second peer, b */
	int64_t beat_due;
	uint32_t seq;
	uint64_t boot;
	unsigned drop_every; /* every n-th heartbeat is lost */
	unsigned echoes;
	unsigned changes, changes_b;
	struct verdict last;
	bool no_charon; /* as a's heartbeats say */
};

static void on_echo(const char *peer, uint32_t token, void *user)
{
	struct world *w = user;

	w->echoes++;
	if (streq(peer, "a") ? w->path : w->path_b)
		health_echo_reply(w->h, peer, token, 400, w->now);
}

static void on_changed(const char *peer, const struct verdict *before, const struct verdict *after,
		       void *user)
{
	struct world *w = user;

	assert_true(before->state != after->state || before->cause != after->cause);
	if (streq(peer, "b")) {
		w->changes_b++;
		return;
	}
	w->changes++;
	w->last = *after;
}

static const struct health_actions *actions(struct world *w)
{
	static struct health_actions a;

	a = (struct health_actions){ .send_echo = on_echo, .changed = on_changed, .user = w };
	return &a;
}

static void hear_a(struct world *w)
{
	health_peer_ike(w->h, "a", w->no_charon, w->now);
	health_heartbeat(w->h, "a", w->boot, w->seq, w->now);
}

/* Lets ms pass, one by one as they come, with heartbeats where they would. */
static void pass(struct world *w, int64_t ms)
{
	int64_t end = w->now + ms, tick = 0;

	for (; w->now < end; w->now++) {
		if (w->now >= w->beat_due) {
			w->beat_due = w->now + HEALTH_BEAT_MS;
			w->seq++;
			if (w->path && w->daemon && (!w->drop_every || w->seq % w->drop_every))
				hear_a(w);
			if (w->path_b)
				health_heartbeat(w->h, "b", 7, w->seq, w->now);
		}
		if (w->now >= tick)
			tick = health_tick(w->h, actions(w), w->now);
	}
}

static struct verdict get(struct world *w)
{
	struct verdict v;

	assert_true(health_get(w->h, "a", w->now, &v));
	return v;
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	*w = (struct world){ .h = health_new(),
			     .now = 100000,
			     .path = true,
			     .daemon = true,
			     .path_b = true,
			     .boot = 1,
			     .beat_due = 100000 };
	health_add(w->h, "a", w->now);
	health_add(w->h, "b", w->now);
	health_tunnel(w->h, "a", true, w->now);
	health_tunnel(w->h, "b", true, w->now);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	health_free(w->h);
	free(w);
	return 0;
}

static void comes_up_after_three_answers(void **state)
{
	struct world *w = *state;

	assert_int_equal(get(w).state, PEER_CONNECTING);
	pass(w, 1000);
	assert_int_equal(get(w).state, PEER_UP);
	assert_int_equal(get(w).cause, CAUSE_NONE);
	assert_true(get(w).has_rtt);
	assert_true(get(w).rtt_ms > 0.3 && get(w).rtt_ms < 0.5);
	assert_int_equal(w->changes, 1);
}

/* At whatever moment between two heartbeats the path is cut: within 1.4 s, and back within 1 s. */
static void a_cut_is_down_within_its_bound_and_nobody_else_changes(void **state)
{
	struct world *w = *state;

	for (int64_t offset = 0; offset < HEALTH_BEAT_MS; offset += 37) {
		int64_t cut;

		w->path = true;
		pass(w, 3000 + offset);
		assert_int_equal(get(w).state, PEER_UP);
		w->changes_b = 0;
		w->path = false;
		cut = w->now;
		while (get(w).state == PEER_UP && w->now - cut < 5000)
			pass(w, 1);
		assert_int_equal(get(w).state, PEER_DOWN);
		assert_true(w->now - cut <=
			    HEALTH_BEAT_MS + HEALTH_LATE_MS + 3 * HEALTH_PROBE_MS + 10);
		assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
		pass(w, 7000);
		w->path = true;
		cut = w->now;
		while (get(w).state != PEER_UP && w->now - cut < 5000)
			pass(w, 1);
		assert_true(w->now - cut <= 1000);
		assert_int_equal(w->changes_b, 0);
	}
}

static void a_killed_daemon_is_degraded_but_never_down(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	w->daemon = false;
	w->changes = 0;
	for (int i = 0; i < 30000; i++) {
		pass(w, 1);
		assert_true(get(w).state == PEER_UP || get(w).state == PEER_DEGRADED);
	}
	assert_int_equal(get(w).state, PEER_DEGRADED);
	assert_int_equal(get(w).cause, CAUSE_PEER_DAEMON_AWAY);
	assert_int_equal(w->changes, 1);
	w->daemon = true;
	w->boot = 2;
	w->seq = 0;
	pass(w, 1000);
	assert_int_equal(get(w).state, PEER_UP);
	assert_true(get(w).loss == 0);
}

/* It says so itself, and its packets come all the while. */
static void a_peer_without_charon_is_degraded_when_that_lasts(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	w->changes = 0;
	w->no_charon = true;
	pass(w, 1500);
	assert_int_equal(w->changes, 0);
	pass(w, 1500);
	assert_int_equal(get(w).state, PEER_DEGRADED);
	assert_int_equal(get(w).cause, CAUSE_IKE_RESTARTING);
	assert_non_null(strstr(get(w).evidence, "its charon is away"));
	w->no_charon = false;
	pass(w, 1000);
	assert_int_equal(get(w).state, PEER_UP);
	assert_int_equal(w->changes, 2);
}

/* Its last words are the best that is known of it, for a time. */
static void a_peer_that_went_without_charon_is_restarting(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	w->no_charon = true;
	pass(w, 1000);
	w->path = false;
	health_ike_error(w->h, "a", CAUSE_NO_ANSWER, "peer not responding", w->now);
	pass(w, 3000);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_IKE_RESTARTING);
	pass(w, 30000);
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
	assert_null(strstr(get(w).evidence, "its charon is away"));
}

/* A short restart of the other daemon must not even change a colour. */
static void a_quick_restart_of_the_daemon_changes_nothing(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	w->changes = 0;
	w->daemon = false;
	pass(w, 1200);
	w->daemon = true;
	w->boot = 2;
	w->seq = 0;
	pass(w, 3000);
	assert_int_equal(w->changes, 0);
}

static void the_daemon_dies_and_then_the_path(void **state)
{
	struct world *w = *state;
	int64_t cut;

	pass(w, 3000);
	w->daemon = false;
	pass(w, 10000);
	w->path = false;
	cut = w->now;
	while (get(w).state != PEER_DOWN && w->now - cut < 5000)
		pass(w, 1);
	assert_true(w->now - cut < 1500);
}

/* Two heartbeats are lost, too few for a doubt that ends in down. */
static void lose_some(struct world *w)
{
	pass(w, 20000);
	w->daemon = false;
	pass(w, 2 * HEALTH_BEAT_MS);
}

static void what_a_restart_of_charon_costs_is_no_loss_of_the_path(void **state)
{
	struct world *w = *state;

	health_tunnel(w->h, "a", true, w->now);
	lose_some(w);
	health_tunnel(w->h, "a", false, w->now);
	health_tunnel(w->h, "a", true, w->now);
	w->daemon = true;
	pass(w, HEALTH_BEAT_MS);
	assert_true(get(w).loss == 0);
	lose_some(w);
	health_renewed(w->h, "a");
	w->daemon = true;
	pass(w, HEALTH_BEAT_MS);
	assert_true(get(w).loss == 0);
	lose_some(w);
	w->daemon = true;
	pass(w, HEALTH_BEAT_MS);
	assert_true(get(w).loss > 0);
}

static void loss_degrades_and_is_counted(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	w->drop_every = 5;
	pass(w, 40000);
	assert_int_equal(get(w).state, PEER_DEGRADED);
	assert_int_equal(get(w).cause, CAUSE_LOSS);
	assert_true(get(w).loss > 0.15 && get(w).loss < 0.25);
	w->drop_every = 0;
	pass(w, 40000);
	assert_int_equal(get(w).state, PEER_UP);
	assert_true(get(w).loss == 0);
}

static void our_own_stall_is_nobodys_fault(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	w->changes = 0;
	w->now += 4000; /* stood still: nothing was read */
	w->seq += 8;
	w->beat_due = w->now;
	health_stalled(w->h, 4000, w->now);
	pass(w, 3000);
	assert_int_equal(w->changes, 0);
}

static void what_a_full_socket_dropped_in_our_stall_is_no_loss_of_the_path(void **state)
{
	struct world *w = *state;

	pass(w, 15000);
	w->changes = 0;
	w->now += 30000;
	health_stalled(w->h, 30000, w->now);
	/* it kept the first, and dropped the others */
	health_heartbeat(w->h, "a", w->boot, ++w->seq, w->now);
	w->seq += 59;
	w->beat_due = w->now + HEALTH_BEAT_MS;
	pass(w, 3000);
	assert_int_equal(w->changes, 0);
	assert_true(get(w).loss == 0);
}

static void what_the_tunnel_outlived_is_not_the_cause_of_its_end(void **state)
{
	struct world *w = *state;

	pass(w, 3000);
	health_ike_error(w->h, "a", CAUSE_AUTH_FAILED, "AUTH_FAILED", w->now);
	pass(w, 1000);
	w->path = false;
	pass(w, 3000);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
}

static void charons_words_name_the_cause_only_when_they_last(void **state)
{
	struct world *w = *state;

	w->path = false;
	health_tunnel(w->h, "a", false, w->now);
	health_ike_error(w->h, "a", CAUSE_AUTH_FAILED, "received AUTHENTICATION_FAILED", w->now);
	pass(w, 2000);
	assert_int_equal(get(w).state, PEER_CONNECTING);
	pass(w, 2000);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_AUTH_FAILED);
	assert_non_null(strstr(get(w).evidence, "AUTHENTICATION_FAILED"));
	w->path = true;
	health_tunnel(w->h, "a", true, w->now);
	pass(w, 1500);
	assert_int_equal(get(w).state, PEER_UP);
	assert_int_equal(get(w).cause, CAUSE_NONE);
}

static void a_first_connection_has_its_time(void **state)
{
	struct world *w = *state;

	w->path = false;
	health_tunnel(w->h, "a", false, w->now);
	pass(w, 9000);
	assert_int_equal(get(w).state, PEER_CONNECTING);
	pass(w, 2000);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
	assert_int_equal(w->echoes > 0, 1); /* those to b */
}

/* --- the ports -------------------------------------------------------------- */

static void find_ports(struct world *w, enum port_finding ike, enum port_finding nat)
{
	struct peer_ports ports = { .address = "192.0.2.12",
				    .ike = { ike, "words of 500" },
				    .nat = { nat, "words of 4500" } };

	health_ports(w->h, "a", &ports, w->now);
	pass(w, 1);
}

/* Up, then without a tunnel and silent for as long as it takes to be down. */
static void fall_silent(struct world *w)
{
	health_can_ask(w->h, "a", true);
	pass(w, 3000);
	assert_int_equal(get(w).state, PEER_UP);
	assert_false(health_wants_ports(w->h, "a", w->now));
	w->path = false;
	health_tunnel(w->h, "a", false, w->now);
	pass(w, 2000);
	assert_int_equal(get(w).state, PEER_DOWN);
}

static void the_ports_tell_the_cause(void **state)
{
	static const struct {
		enum port_finding ike, nat;
		enum peer_cause cause;
	} rows[] = {
		{ PORT_SILENT, PORT_SILENT, CAUSE_NO_ANSWER },
		{ PORT_SILENT, PORT_ANSWERED, CAUSE_NO_ANSWER_500 },
		{ PORT_ANSWERED, PORT_SILENT, CAUSE_NO_ANSWER_4500 },
		{ PORT_SILENT, PORT_UNASKED, CAUSE_NO_ANSWER },
		{ PORT_ANSWERED, PORT_UNASKED, CAUSE_NONE },
		{ PORT_ANSWERED, PORT_ANSWERED, CAUSE_NONE },
		{ PORT_REFUSED, PORT_SILENT, CAUSE_REFUSED },
		{ PORT_ANSWERED, PORT_REFUSED, CAUSE_REFUSED },
		{ PORT_OURS, PORT_REFUSED, CAUSE_SELF },
		{ PORT_SILENT, PORT_OURS, CAUSE_SELF },
		{ PORT_OTHER, PORT_SILENT, CAUSE_UNKNOWN },
	};
	struct world *w = *state;

	fall_silent(w);
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		find_ports(w, rows[i].ike, rows[i].nat);
		assert_int_equal(get(w).cause, rows[i].cause);
		assert_int_equal(w->last.cause, rows[i].cause);
		assert_non_null(strstr(get(w).evidence, "asked 192.0.2.12: UDP 500: words of 500"));
		assert_int_equal(strstr(get(w).evidence, "words of 4500") != NULL,
				 rows[i].nat != PORT_UNASKED);
	}
}

/* A wrong cause is worse than none: it is not guessed while the question is out. */
static void no_cause_before_the_ports_were_asked(void **state)
{
	struct world *w = *state;

	fall_silent(w);
	assert_int_equal(get(w).cause, CAUSE_NONE);
	assert_true(health_wants_ports(w->h, "a", w->now));
	pass(w, HEALTH_ASK_MS);
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
	/* nor when one answer came out of a long silence */
	health_heartbeat(w->h, "a", w->boot, w->seq, w->now);
	pass(w, 1);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_NONE);
}

static void who_cannot_answer_is_not_asked(void **state)
{
	struct world *w = *state;

	fall_silent(w);
	health_can_ask(w->h, "a", false);
	pass(w, 1);
	assert_false(health_wants_ports(w->h, "a", w->now));
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
}

static void a_nearer_cause_wins(void **state)
{
	struct world *w = *state;

	fall_silent(w);
	find_ports(w, PORT_SILENT, PORT_SILENT);
	health_ike_error(w->h, "a", CAUSE_NO_ANSWER, "giving up after 3 retransmits", w->now);
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
	find_ports(w, PORT_REFUSED, PORT_REFUSED);
	assert_int_equal(get(w).cause, CAUSE_REFUSED);
	health_ike_error(w->h, "a", CAUSE_UNKNOWN, "something new", w->now);
	assert_int_equal(get(w).cause, CAUSE_REFUSED);
	find_ports(w, PORT_ANSWERED, PORT_SILENT);
	assert_int_equal(get(w).cause, CAUSE_UNKNOWN);
	health_ike_error(w->h, "a", CAUSE_AUTH_FAILED, "AUTH_FAILED", w->now);
	find_ports(w, PORT_SILENT, PORT_SILENT);
	assert_int_equal(get(w).cause, CAUSE_AUTH_FAILED);
	assert_false(health_wants_ports(w->h, "a", w->now));
	health_ike_online(w->h, false, w->now);
	assert_int_equal(get(w).cause, CAUSE_IKE_RESTARTING);
}

static void what_the_ports_said_ages_and_ends_with_the_silence(void **state)
{
	struct world *w = *state;

	fall_silent(w);
	find_ports(w, PORT_REFUSED, PORT_REFUSED);
	pass(w, HEALTH_PORTS_MS + 1000);
	assert_int_equal(get(w).cause, CAUSE_NO_ANSWER);
	find_ports(w, PORT_REFUSED, PORT_REFUSED);
	w->path = true;
	health_tunnel(w->h, "a", true, w->now);
	pass(w, 2000);
	assert_int_equal(get(w).state, PEER_UP);
	w->path = false;
	pass(w, 2000);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_NONE);
}

/* No tunnel that stands goes by 500, and what builds one may take its time. */
static void answers_without_a_tunnel_are_no_cause_at_first(void **state)
{
	struct world *w = *state;

	fall_silent(w);
	health_tunnel(w->h, "a", true, w->now);
	find_ports(w, PORT_SILENT, PORT_ANSWERED);
	assert_int_equal(get(w).cause, CAUSE_NONE);
	pass(w, 10000);
	find_ports(w, PORT_ANSWERED, PORT_ANSWERED);
	assert_int_equal(get(w).cause, CAUSE_NONE);
	pass(w, 10000);
	assert_int_equal(get(w).cause, CAUSE_UNKNOWN);
}

static void a_first_connection_does_not_wait_when_the_ports_explain_it(void **state)
{
	struct world *w = *state;

	w->path = false;
	health_tunnel(w->h, "a", false, w->now);
	health_can_ask(w->h, "a", true);
	pass(w, HEALTH_ASK_AFTER_MS - 10);
	assert_false(health_wants_ports(w->h, "a", w->now));
	pass(w, 1500);
	assert_true(health_wants_ports(w->h, "a", w->now));
	find_ports(w, PORT_ANSWERED, PORT_ANSWERED);
	assert_int_equal(get(w).state, PEER_CONNECTING);
	find_ports(w, PORT_REFUSED, PORT_REFUSED);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_int_equal(get(w).cause, CAUSE_REFUSED);
}

/* Of a pair without overlay addresses of one family nothing is heard, and nothing is wrong. */
static void what_cannot_be_measured_is_as_its_tunnel_is(void **state)
{
	struct world *w = *state;

	w->path = false;
	health_can_measure(w->h, "a", false, w->now);
	pass(w, 60000);
	assert_int_equal(get(w).state, PEER_UP);
	assert_int_equal(get(w).cause, CAUSE_NONE);
	assert_string_equal(get(w).evidence,
			    "not measured: the two hosts have no overlay addresses "
			    "of one family");
	health_tunnel(w->h, "a", false, w->now);
	pass(w, 1000);
	assert_int_equal(get(w).state, PEER_DOWN);
	assert_true(strstr(get(w).evidence, "no tunnel"));
	health_tunnel(w->h, "a", true, w->now);
	pass(w, 1000);
	assert_int_equal(get(w).state, PEER_UP);
	/* when they get some it has its time to answer */
	w->changes = 0;
	w->path = true;
	health_can_measure(w->h, "a", true, w->now);
	pass(w, 5000);
	assert_int_equal(w->changes, 0);
	w->path = false;
	pass(w, 3000);
	assert_int_equal(get(w).state, PEER_DOWN);
}

/* A round of probes that was under way, and heartbeats that were not looked for. */
static void what_was_before_does_not_outlast_the_measuring(void **state)
{
	struct world *w = *state;
	unsigned echoes;

	pass(w, 1000);
	echoes = w->echoes;
	w->path = false;
	while (w->echoes < echoes + HEALTH_PROBES)
		pass(w, 10);
	assert_int_equal(get(w).state, PEER_UP);
	w->changes = 0;
	health_can_measure(w->h, "a", false, w->now);
	pass(w, 60000);
	w->path = true;
	health_can_measure(w->h, "a", true, w->now);
	pass(w, 5000);
	assert_int_equal(w->changes, 0);
}

static void classifies_charons_words(void **state)
{
	(void)state;
	assert_int_equal(health_classify_ike_error("received AUTHENTICATION_FAILED notify error"),
			 CAUSE_AUTH_FAILED);
	/* said also to a host that the other does not know: no cause to be named from it alone */
	assert_int_equal(health_classify_ike_error("received NO_PROPOSAL_CHOSEN notify error"),
			 CAUSE_UNKNOWN);
	assert_int_equal(health_classify_ike_error("received TS_UNACCEPTABLE notify"),
			 CAUSE_TS_MISMATCH);
	assert_int_equal(health_classify_ike_error("something new"), CAUSE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(comes_up_after_three_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_cut_is_down_within_its_bound_and_nobody_else_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_daemon_is_degraded_but_never_down, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_quick_restart_of_the_daemon_changes_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_daemon_dies_and_then_the_path, setup, teardown),
		cmocka_unit_test_setup_teardown(a_peer_without_charon_is_degraded_when_that_lasts,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_peer_that_went_without_charon_is_restarting,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_restart_of_charon_costs_is_no_loss_of_the_path, setup, teardown),
		cmocka_unit_test_setup_teardown(loss_degrades_and_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(our_own_stall_is_nobodys_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_full_socket_dropped_in_our_stall_is_no_loss_of_the_path, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_the_tunnel_outlived_is_not_the_cause_of_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(charons_words_name_the_cause_only_when_they_last,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_first_connection_has_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(the_ports_tell_the_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(no_cause_before_the_ports_were_asked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_cannot_answer_is_not_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nearer_cause_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_ports_said_ages_and_ends_with_the_silence,
						setup, teardown),
		cmocka_unit_test_setup_teardown(answers_without_a_tunnel_are_no_cause_at_first,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_first_connection_does_not_wait_when_the_ports_explain_it, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_measured_is_as_its_tunnel_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_was_before_does_not_outlast_the_measuring,
						setup, teardown),
		cmocka_unit_test(classifies_charons_words),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
