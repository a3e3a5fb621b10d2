/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ike against real charons, one per network namespace (test/unit/ike/lab.h).
 * With --long the simultaneous start is tried 100 times instead of 10.
 */
#include "lab.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define SKIPPED 77

static bool run_long;

static void pause_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

/* Asks for the condition each 20 ms; the milliseconds it took, -1 past the limit. */
#define wait_until(limit_ms, condition)                                                            \
	({                                                                                         \
		int64_t _began = sn_now_ms(), _took = 0;                                           \
		while (!(condition) && (_took = sn_now_ms() - _began) < (limit_ms))                \
			pause_ms(20);                                                              \
		_took < (limit_ms) ? _took : -1;                                                   \
	})
#define assert_soon(limit_ms, condition) assert_true(wait_until(limit_ms, condition) >= 0)
/* The condition holds during all of this time. */
#define assert_stays(ms, condition) assert_true(wait_until(ms, !(condition)) < 0)

static int two_hosts(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));

	*state = lab;
	return lab_init(lab, 2) ? 0 : -1;
}

static int three_hosts(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));

	*state = lab;
	return lab_init(lab, 3) ? 0 : -1;
}

static int end_hosts(void **state)
{
	bool clean = lab_fini(*state);

	free(*state);
	return clean ? 0 : -1;
}

static void join(struct lab *lab)
{
	lab_ask(lab, 1, "want 2");
	lab_ask(lab, 2, "want 1");
	lab_tell_all(lab, "new");
	assert_soon(5000, lab_joined(lab, 1, 2));
}

static void a_tunnel_stands_soon_after_both_start(void **state)
{
	struct lab *lab = *state;
	int64_t took;

	lab_ask(lab, 1, "want 2");
	lab_ask(lab, 2, "want 1");
	lab_tell_all(lab, "new");
	took = wait_until(2000, lab_joined(lab, 1, 2));
	assert_true(took >= 0);
	print_message("up after %lld ms\n", (long long)took);
	assert_string_equal(lab_ask(lab, 1, "plan"), "");
	assert_string_equal(lab_ask(lab, 2, "plan"), "");
	assert_string_not_equal(lab_ask(lab, 1, "carrier 2"), "none");
	assert_stays(1500, lab_joined(lab, 1, 2));
}

static bool has_nothing(struct lab *lab, int host, int peer)
{
	return lab_view(lab, host, peer).ikes == 0;
}

static void simultaneous_starts_end_in_one_tunnel(void **state)
{
	struct lab *lab = *state;
	int rounds = run_long ? 100 : 10;
	int64_t worst = 0;

	lab_ask(lab, 1, "want 2");
	lab_ask(lab, 2, "want 1");
	for (int i = 0; i < rounds; i++) {
		int64_t took;

		lab_tell_all(lab, "new");
		took = wait_until(5000, lab_joined(lab, 1, 2));
		assert_true(took >= 0);
		worst = SN_MAX(worst, took);
		assert_stays(run_long ? 5000 - took : 700, lab_joined(lab, 1, 2));
		lab_tell_all(lab, "stop");
		lab_tell_all(lab, "free");
	}
	print_message("%d starts, slowest %lld ms\n", rounds, (long long)worst);
}

/* Each takes 4 s. */
#define FORCED 3

static void two_forced_initiations_converge(void **state)
{
	struct lab *lab = *state;
	int doubles = 0;

	lab_ask(lab, 1, "want 2");
	lab_ask(lab, 2, "want 1");
	for (int i = 0; i < FORCED; i++) {
		lab_tell_all(lab, "passive");
		lab_tell_all(lab, "new");
		for (int n = 1; n <= 2; n++)
			assert_soon(5000, streq(lab_ask(lab, n, "online"), "yes") &&
						  streq(lab_ask(lab, n, "plan"), ""));
		lab_send(lab, 1, "initiate 2");
		lab_send(lab, 2, "initiate 1");
		assert_string_equal(lab_receive(lab, 1), "ok");
		assert_string_equal(lab_receive(lab, 2), "ok");
		assert_soon(3000, lab_view(lab, 1, 2).established >= 1 &&
					  lab_view(lab, 2, 1).established >= 1);
		doubles += lab_view(lab, 1, 2).ikes == 2;
		lab_tell_all(lab, "active");
		assert_soon(8000, lab_joined(lab, 1, 2));
		assert_stays(1500, lab_joined(lab, 1, 2));
		lab_tell_all(lab, "stop");
		lab_tell_all(lab, "free");
	}
	print_message("%d of %d made two tunnels\n", doubles, FORCED);
	assert_true(doubles > 0);
}

static void a_removed_peer_cannot_come_back(void **state)
{
	struct lab *lab = *state;

	join(lab);
	lab_ask(lab, 2, "want");
	assert_soon(1000, has_nothing(lab, 2, 1));
	/* the owner knows of nothing and tries as hard as it can */
	for (int i = 0; i < 10; i++) {
		lab_ask(lab, 1, "kick 2");
		assert_stays(200, lab_view(lab, 2, 1).established == 0);
	}
	assert_int_equal(lab_view(lab, 1, 2).established, 0);
	assert_string_equal(lab_ask(lab, 2, "plan"), "");
	/* and the same with the owner as the one that removes */
	lab_ask(lab, 2, "want 1");
	assert_soon(7000, lab_joined(lab, 1, 2));
	lab_ask(lab, 1, "want");
	assert_soon(1000, has_nothing(lab, 1, 2));
	lab_ask(lab, 2, "kick 1");
	assert_stays(1500, has_nothing(lab, 1, 2));
}

static void an_sa_of_nobody_wanted_is_ended(void **state)
{
	struct lab *lab = *state;

	join(lab);
	/* the connection stays, but the tunnel is not wanted */
	lab_ask(lab, 1, "untunnel");
	assert_soon(1500, has_nothing(lab, 1, 2));
}

static void a_killed_charon_is_started_again(void **state)
{
	struct lab *lab = *state;
	char boot[32];

	join(lab);
	for (int n = 1; n <= 2; n++) {
		snprintf(boot, sizeof(boot), "%s", lab_ask(lab, n, "boot"));
		lab_ask(lab, n, "signal 9");
		assert_soon(2000, !streq(lab_ask(lab, n, "boot"), boot) &&
					  streq(lab_ask(lab, n, "online"), "yes"));
		/* DPD of the other end takes 8.5 s */
		assert_soon(20000, lab_joined(lab, 1, 2));
	}
}

static void the_news_of_a_boot_ends_void_sas(void **state)
{
	struct lab *lab = *state;

	join(lab);
	lab_ask(lab, 2, "signal 9");
	/* it does not own the pair, and does not wait, for 1 sees no need of another tunnel */
	assert_soon(5000, lab_view(lab, 1, 2).established == 2);
	lab_ask(lab, 1, "booted 2");
	/* not before both ends have sent by the new one for a time */
	assert_soon(5000, lab_joined(lab, 1, 2));
	assert_stays(2000, lab_joined(lab, 1, 2));
}

static void a_new_daemon_adopts_charon_and_its_sas(void **state)
{
	struct lab *lab = *state;
	char pid[16], boot[32];
	struct lab_view before, after;

	join(lab);
	before = lab_view(lab, 1, 2);
	snprintf(pid, sizeof(pid), "%s", lab_ask(lab, 1, "pid"));
	snprintf(boot, sizeof(boot), "%s", lab_ask(lab, 1, "boot"));
	lab_tell_all(lab, "free");
	lab_tell_all(lab, "new");
	assert_soon(3000, lab_joined(lab, 1, 2));
	assert_stays(2500, lab_joined(lab, 1, 2));
	after = lab_view(lab, 1, 2);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_string_equal(lab_ask(lab, 1, "pid"), pid);
	assert_string_equal(lab_ask(lab, 1, "boot"), boot);
	assert_string_equal(lab_ask(lab, 1, "plan"), "");
}

static void a_charon_nobody_adopted_can_be_ended(void **state)
{
	struct lab *lab = *state;
	int pid;

	join(lab);
	pid = atoi(lab_ask(lab, 1, "pid"));
	assert_true(pid > 0);
	lab_ask(lab, 1, "free");
	lab_ask(lab, 1, "new-idle");
	assert_int_equal(kill(pid, 0), 0);
	lab_ask(lab, 1, "stop");
	/* it has become our child */
	assert_soon(1000, waitpid(pid, NULL, WNOHANG) == pid);
	/* it said goodbye */
	assert_soon(2000, lab_view(lab, 2, 1).ikes == 0);
}

static void a_wrong_secret_is_named(void **state)
{
	struct lab *lab = *state;

	lab_ask(lab, 1, "want 2");
	lab_ask(lab, 2, "want 1");
	lab_ask(lab, 2, "secrets B");
	lab_tell_all(lab, "new");
	assert_soon(5000, strstr(lab_ask(lab, 1, "error 2"), "AUTHENTICATION_FAILED"));
	assert_soon(5000, strstr(lab_ask(lab, 2, "error 1"), "MAC mismatched"));
	assert_non_null(strstr(lab_ask(lab, 1, "errors 2"), "h2: received AUTHENTICATION_FAILED"));
	lab_ask(lab, 2, "secrets A");
	assert_soon(7000, lab_joined(lab, 1, 2));
	assert_soon(2000, streq(lab_ask(lab, 1, "error 2"), ""));
}

static void a_silent_peer_is_named(void **state)
{
	struct lab *lab = *state;

	lab_ask(lab, 1, "want 2");
	lab_ask(lab, 1, "new");
	lab_ip(lab, 0, "link set v2 down");
	assert_soon(12000, strstr(lab_ask(lab, 1, "error 2"), "giving up after"));
	lab_ip(lab, 0, "link set v2 up");
	lab_ask(lab, 2, "want 1");
	lab_ask(lab, 2, "new");
	assert_soon(5000, lab_joined(lab, 1, 2));
}

/*
 * A new IKE_SA, which proves itself with the keys of now. One that did not live
 * PAIR_STABLE_MS counts as a failure, so the back-off can be at its longest here.
 */
static void prove_anew(struct lab *lab)
{
	struct lab_view before = lab_view(lab, 1, 2);

	lab_ask(lab, 1, "terminate 2");
	assert_soon(9000, lab_joined(lab, 1, 2) && lab_view(lab, 1, 2).spi_i != before.spi_i);
}

static void set_secrets(struct lab *lab, int host, const char *secrets)
{
	struct lab_view before = lab_view(lab, 1, 2);

	lab_ask(lab, host, "secrets %s", secrets);
	assert_soon(2000, streq(lab_ask(lab, host, "plan"), ""));
	assert_int_equal(lab_view(lab, 1, 2).spi_i, before.spi_i);
	assert_true(lab_joined(lab, 1, 2));
}

static void secrets_rotate_without_loss(void **state)
{
	struct lab *lab = *state;

	join(lab);
	/* second everywhere; h2 does not know it yet: h1 must not use it */
	set_secrets(lab, 1, "A C B");
	prove_anew(lab);
	set_secrets(lab, 2, "A B C");
	prove_anew(lab);
	/* first; the other end still uses the old one */
	set_secrets(lab, 1, "B A");
	prove_anew(lab);
	/* h2 does not know the old one any more: h1 must use the new one */
	set_secrets(lab, 2, "B");
	prove_anew(lab);
	set_secrets(lab, 1, "B");
	prove_anew(lab);
	/* a new charon loads its keys in the plan's order */
	set_secrets(lab, 1, "B A C");
	lab_ask(lab, 1, "signal 9");
	assert_soon(3000, has_nothing(lab, 1, 2));
	assert_soon(5000, lab_joined(lab, 1, 2) || lab_view(lab, 2, 1).ikes == 2);
}

static void selectors_change_without_loss_of_the_sa(void **state)
{
	struct lab *lab = *state;
	struct lab_view before, narrowed;

	join(lab);
	before = lab_view(lab, 1, 2);
	/* the owner is told first and narrowed by the other's old connection */
	lab_ask(lab, 1, "extra");
	assert_soon(4000, lab_joined(lab, 1, 2) && lab_view(lab, 1, 2).spi_in != before.spi_in);
	assert_null(strstr(lab_ask(lab, 1, "selectors 2"), "10.42.101.0/24"));
	narrowed = lab_view(lab, 1, 2);
	lab_ask(lab, 2, "extra-of 1");
	assert_soon(8000, lab_joined(lab, 1, 2) && lab_view(lab, 1, 2).spi_in != narrowed.spi_in);
	assert_stays(2000, lab_joined(lab, 1, 2));
	for (int n = 1; n <= 2; n++) {
		assert_non_null(strstr(lab_ask(lab, n, "selectors %d", 3 - n), "10.42.101.0/24"));
		assert_string_equal(lab_ask(lab, n, "plan"), "");
	}
	assert_int_equal(before.spi_i, lab_view(lab, 1, 2).spi_i);
}

static void rekeying_is_left_alone(void **state)
{
	struct lab *lab = *state;
	struct lab_view first, last;

	lab_tell_all(lab, "rekey-times 6 3");
	join(lab);
	first = lab_view(lab, 1, 2);
	assert_stays(14000, streq(lab_ask(lab, 1, "carrier 2"), "none") == 0 &&
				    streq(lab_ask(lab, 2, "carrier 1"), "none") == 0);
	last = lab_view(lab, 1, 2);
	assert_int_not_equal(first.spi_i, last.spi_i);
	assert_int_not_equal(first.spi_in, last.spi_in);
	assert_string_equal(lab_ask(lab, 1, "errors 2"), "");
	assert_string_equal(lab_ask(lab, 2, "errors 1"), "");
	lab_tell_all(lab, "rekey-times 3600 1200");
	assert_soon(12000, lab_joined(lab, 1, 2));
}

static void a_stopped_charon_is_said_and_kept(void **state)
{
	struct lab *lab = *state;
	char pid[16];

	join(lab);
	snprintf(pid, sizeof(pid), "%s", lab_ask(lab, 1, "pid"));
	lab_ask(lab, 1, "signal %d", SIGSTOP);
	assert_soon(13000, streq(lab_ask(lab, 1, "online"), "no"));
	assert_non_null(strstr(lab_ask(lab, 1, "why"), "no answer"));
	lab_ask(lab, 1, "signal %d", SIGCONT);
	assert_soon(15000, streq(lab_ask(lab, 1, "online"), "yes"));
	assert_string_equal(lab_ask(lab, 1, "pid"), pid);
	assert_soon(20000, lab_joined(lab, 1, 2));
}

static void three_hosts_make_a_mesh(void **state)
{
	struct lab *lab = *state;

	lab_ask(lab, 1, "want 2 3");
	lab_ask(lab, 2, "want 1 3");
	lab_ask(lab, 3, "want 1 2");
	lab_tell_all(lab, "new");
	assert_soon(3000, lab_joined(lab, 1, 2) && lab_joined(lab, 1, 3) && lab_joined(lab, 2, 3));
	/* one goes, the others do not notice */
	lab_ask(lab, 3, "stop");
	assert_stays(2000, lab_joined(lab, 1, 2));
	assert_soon(2000, lab_view(lab, 1, 3).established == 0);
}

#define WITH(setup, test) cmocka_unit_test_setup_teardown(test, setup, end_hosts)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH(two_hosts, a_tunnel_stands_soon_after_both_start),
		WITH(two_hosts, simultaneous_starts_end_in_one_tunnel),
		WITH(two_hosts, two_forced_initiations_converge),
		WITH(two_hosts, a_removed_peer_cannot_come_back),
		WITH(two_hosts, an_sa_of_nobody_wanted_is_ended),
		WITH(two_hosts, a_killed_charon_is_started_again),
		WITH(two_hosts, the_news_of_a_boot_ends_void_sas),
		WITH(two_hosts, a_new_daemon_adopts_charon_and_its_sas),
		WITH(two_hosts, a_charon_nobody_adopted_can_be_ended),
		WITH(two_hosts, a_wrong_secret_is_named),
		WITH(two_hosts, a_silent_peer_is_named),
		WITH(two_hosts, secrets_rotate_without_loss),
		WITH(two_hosts, selectors_change_without_loss_of_the_sa),
		WITH(two_hosts, rekeying_is_left_alone),
		WITH(two_hosts, a_stopped_charon_is_said_and_kept),
		WITH(three_hosts, three_hosts_make_a_mesh),
	};

	for (int i = 1; i < argc; i++) {
		if (streq(argv[i], "--long"))
			run_long = true;
		else
			cmocka_set_test_filter(argv[i]);
	}
	if (geteuid() != 0 || access("/usr/sbin/charon-systemd", X_OK) < 0)
		return SKIPPED;
	return cmocka_run_group_tests_name("ike", tests, NULL, NULL);
}
