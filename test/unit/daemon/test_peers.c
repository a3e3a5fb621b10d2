/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What heartbeats, and their absence, make the daemon do beside its verdicts: with a charon,
 * a prober and a clock of our own, and the files of the state as they are.
 */
#include "daemon/daemon.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PEER "h2"
#define MAX_TIMERS 8
#define BOOT_A UINT64_C(0x1122334455667700)
#define BOOT_B UINT64_C(0x9922334455667700)

struct loop_timer {
	loop_timer_fn fn;
	void *user;
	bool set;
	int64_t due;
};

static struct world {
	char state_dir[64];
	int64_t now;
	struct loop_timer *timers[MAX_TIMERS];
	struct loop_stats stats;
	struct probe_handlers handlers;
	uint32_t seq;
	unsigned looks;  /* at the kernel's SAs, asked for */
	unsigned booted; /* charon was told that a peer's is a new one */
} w;

/* --- stand-ins --------------------------------------------------------------- */

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn fn, void *user)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));
	size_t i = 0;

	(void)loop;
	t->fn = fn;
	t->user = user;
	while (i < MAX_TIMERS && w.timers[i])
		i++;
	assert_in_range(i, 0, MAX_TIMERS - 1);
	w.timers[i] = t;
	return t;
}

void loop_timer_free(struct loop_timer *t)
{
	for (size_t i = 0; i < MAX_TIMERS; i++)
		if (w.timers[i] == t)
			w.timers[i] = NULL;
	free(t);
}

void loop_timer_set(struct loop_timer *t, int64_t delay_ms)
{
	t->set = true;
	t->due = w.now + SN_MAX(delay_ms, (int64_t)0);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->set;
}

int64_t loop_now(struct loop *loop)
{
	(void)loop;
	return w.now;
}

const struct loop_stats *loop_get_stats(const struct loop *loop)
{
	(void)loop;
	return &w.stats;
}

struct probe *probe_new(struct loop *loop, const struct secrets *secrets,
			const struct probe_handlers *handlers)
{
	(void)loop;
	(void)secrets;
	w.handlers = *handlers;
	return NULL;
}

void probe_free(struct probe *p)
{
	(void)p;
}

void probe_set_peers(struct probe *p, const struct probe_settings *settings,
		     const struct wanted_peer *peers, size_t n)
{
	(void)p;
	(void)settings;
	(void)peers;
	(void)n;
}

void probe_set_view(struct probe *p, const char *peer, unsigned view)
{
	(void)p;
	(void)peer;
	(void)view;
}

void probe_send_echo(struct probe *p, const char *peer, uint32_t token)
{
	(void)p;
	(void)peer;
	(void)token;
}

void ike_peer_booted(struct ike *ike, const char *peer, int64_t old_seen)
{
	(void)ike;
	(void)old_seen;
	assert_string_equal(peer, PEER);
	w.booted++;
}

const struct ike_sa *ike_peer_sa(const struct ike *ike, const char *peer,
				 const struct ike_child **ret_child)
{
	static const struct ike_child child = { .unique_id = 1, .installed = true };
	static const struct ike_sa sa = { .unique_id = 1, .state = IKE_SA_ESTABLISHED };

	(void)ike;
	(void)peer;
	*ret_child = &child;
	return &sa;
}

int64_t ike_silent_since(const struct ike *ike)
{
	(void)ike;
	return 0;
}

void leftovers_look(struct daemon *d)
{
	(void)d;
	w.looks++;
}

void hold_peer_ike(struct daemon *d, const char *peer, bool away)
{
	(void)d;
	(void)peer;
	(void)away;
}

void ports_forget(struct ports *p, const char *peer)
{
	(void)p;
	(void)peer;
}

void traffic_forget(struct traffic *t, const char *peer)
{
	(void)t;
	(void)peer;
}

/* --- the scene ----------------------------------------------------------------- */

struct scene {
	struct config config;
	struct daemon d;
};

static void run_timers(void)
{
	for (size_t i = 0; i < MAX_TIMERS; i++) {
		struct loop_timer *t = w.timers[i];

		if (!t || !t->set || t->due > w.now)
			continue;
		t->set = false;
		t->fn(t->user);
	}
}

static void pass(int64_t ms)
{
	for (int64_t end = w.now + ms; w.now < end; w.now++)
		run_timers();
}

/* A sennitd with one peer, whose tunnel stands. */
static void begin(struct scene *s)
{
	static int any_charon;
	struct host *peer;

	memset(s, 0, sizeof(*s));
	s->config.state_dir = w.state_dir;
	s->d.config = &s->config;
	s->d.ike = (struct ike *)&any_charon;
	s->d.snapshot = snapshot_new();
	strcpy(s->d.snapshot->self_id, "h1");
	snapshot_add_host(s->d.snapshot, "h1");
	peer = snapshot_add_host(s->d.snapshot, PEER);
	peer->name = xstrdup("two");
	*array_add(&peer->underlay) = (struct sn_addr){ .family = AF_INET };
	strcpy(array_add(&s->d.wanted.peers)->id, PEER);
	s->d.wanted.peers.v[0].overlay_ip.family = AF_INET;
	peers_init(&s->d);
	peers_update(&s->d);
}

static void end(struct scene *s)
{
	peers_fini(&s->d);
	snapshot_free(s->d.snapshot);
	wanted_fini(&s->d.wanted);
}

static void hear_of(uint64_t daemon_boot, uint64_t ike_boot, enum peer_state view)
{
	const struct heartbeat hb = { .view = (uint8_t)view,
				      .daemon_boot = daemon_boot,
				      .ike_boot = ike_boot,
				      .seq = ++w.seq };

	w.handlers.heartbeat(PEER, &hb, w.handlers.user);
}

static void hear(uint64_t ike_boot, enum peer_state view)
{
	hear_of(1, ike_boot, view);
}

static void hear_for(int64_t ms)
{
	for (int64_t i = 0; i < ms; i += HEALTH_BEAT_MS) {
		hear(BOOT_A, PEER_UP);
		pass(HEALTH_BEAT_MS);
	}
}

static enum peer_state state_of(const struct scene *s)
{
	struct verdict v;

	assert_true(health_get(s->d.health, PEER, w.now, &v));
	return v.state;
}

static char *kept_path(void)
{
	return xasprintf("%s/boots.json", w.state_dir);
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.now = 1000000;
	strcpy(w.state_dir, "/tmp/sennit-test-peers-XXXXXX");
	return mkdtemp(w.state_dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	_cleanup_free_ char *path = kept_path();

	(void)state;
	unlink(path);
	return rmdir(w.state_dir);
}

/* --- SAs that the kernel lost ---------------------------------------------------- */

/*
 * Of our outgoing SA the peer alone knows: it is heard, and says that it does not hear us.
 * Unasked, the kernel is looked at every 30 s.
 */
static void who_hears_us_no_more_makes_us_look(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	hear_for(3000);
	assert_int_equal(state_of(&s), PEER_UP);
	assert_int_equal(w.looks, 0);
	hear(BOOT_A, PEER_DOWN);
	assert_int_equal(w.looks, 1);
	hear(BOOT_A, PEER_DOWN);
	assert_int_equal(w.looks, 1);
	hear(BOOT_A, PEER_UP);
	hear(BOOT_A, PEER_DOWN);
	assert_int_equal(w.looks, 2);
	end(&s);
}

static void who_falls_silent_makes_us_look(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	hear_for(3000);
	assert_int_equal(state_of(&s), PEER_UP);
	pass(2000);
	assert_int_equal(state_of(&s), PEER_DOWN);
	assert_int_equal(w.looks, 1);
	end(&s);
}

/* --- a peer's charon --------------------------------------------------------------- */

static void a_new_charon_voids_the_older_tunnels_once(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	hear(BOOT_A, PEER_UP);
	hear(BOOT_A, PEER_UP);
	assert_int_equal(w.booted, 0);
	hear(BOOT_B, PEER_UP);
	hear(BOOT_B, PEER_UP);
	assert_int_equal(w.booted, 1);
	end(&s);
}

/* It is counted by the peer's sennitd, which may have begun while we did not hear it. */
static void a_new_address_voids_them_as_well(void **state)
{
	static const struct {
		uint64_t daemon_boot;
		unsigned moves;
		bool restart; /* ours, before */
		unsigned booted;
	} rows[] = { { 1, 0, false, 0 }, { 1, 1, false, 1 }, { 1, 1, false, 1 }, { 2, 0, false, 1 },
		     { 3, 1, false, 2 }, { 3, 1, false, 2 }, { 4, 1, false, 3 }, { 4, 1, true, 3 },
		     { 4, 2, true, 4 },  { 5, 0, true, 4 },  { 6, 1, true, 5 } };
	struct scene s;

	(void)state;
	begin(&s);
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		if (rows[i].restart) {
			end(&s);
			begin(&s);
		}
		hear_of(rows[i].daemon_boot, BOOT_A | rows[i].moves, PEER_UP);
		assert_int_equal(w.booted, rows[i].booted);
	}
	end(&s);
}

/* kill -9: nothing is written at the end, so it has to be there before. */
static void a_killed_sennitd_leaves_what_the_next_one_compares_with(void **state)
{
	static const uint64_t boots[] = { BOOT_A, BOOT_B };
	_cleanup_free_ char *path = kept_path(), *text = NULL;
	struct scene s;
	size_t len;

	(void)state;
	begin(&s);
	hear(BOOT_A, PEER_UP);
	pass(2000);
	assert_int_equal(file_read(path, 4096, &text, &len), 0);
	end(&s);
	for (unsigned i = 0; i < SN_ARRAY_SIZE(boots); i++) {
		assert_int_equal(file_replace(path, text, len, 0600), 0);
		begin(&s);
		hear(boots[i], PEER_UP);
		assert_int_equal(w.booted, i);
		end(&s);
	}
}

static void one_that_ends_keeps_the_last_word_too(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	hear(BOOT_A, PEER_UP);
	end(&s);
	begin(&s);
	hear(BOOT_B, PEER_UP);
	assert_int_equal(w.booted, 1);
	end(&s);
}

static void who_comes_again_is_not_compared_with_the_file(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	hear(BOOT_A, PEER_UP);
	end(&s);
	begin(&s);
	hear(BOOT_B, PEER_UP);
	assert_int_equal(w.booted, 1);
	s.d.wanted.peers.n = 0;
	peers_update(&s.d);
	s.d.wanted.peers.n = 1;
	peers_update(&s.d);
	hear(BOOT_B, PEER_UP);
	assert_int_equal(w.booted, 1);
	end(&s);
}

static void a_damaged_file_makes_nothing_void(void **state)
{
	static const char *const texts[] = { "",
					     "{",
					     "[]",
					     "{\"sennit_boots\": 2, \"boots\": {}}",
					     "{\"sennit_boots\": 1, \"boots\": []}",
					     "{\"sennit_boots\": 1, \"boots\": {\"h2\": 7}}" };
	_cleanup_free_ char *path = kept_path();
	struct scene s;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(texts); i++) {
		assert_int_equal(file_replace(path, texts[i], strlen(texts[i]), 0600), 0);
		begin(&s);
		hear(BOOT_A, PEER_UP);
		assert_int_equal(w.booted, 0);
		end(&s);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_hears_us_no_more_makes_us_look),
		TEST(who_falls_silent_makes_us_look),
		TEST(a_new_charon_voids_the_older_tunnels_once),
		TEST(a_new_address_voids_them_as_well),
		TEST(a_killed_sennitd_leaves_what_the_next_one_compares_with),
		TEST(one_that_ends_keeps_the_last_word_too),
		TEST(who_comes_again_is_not_compared_with_the_file),
		TEST(a_damaged_file_makes_nothing_void),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
