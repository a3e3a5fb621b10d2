/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a peer is held to its old SA and when it is let go: with a charon, a kernel and a clock of
 * our own. */
#include "daemon/daemon.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PEER "h2"
#define IF_ID 7
#define OLD 0x100
#define NEW 0x200

struct loop_timer {
	loop_timer_fn fn;
	void *user;
	bool set;
	int64_t due;
};

static struct world {
	struct loop_timer timer;
	int64_t now;
	bool online;
	struct ike_child children[2];
	struct ike_sa sas[2]; /* the last one is the best */
	size_t n_sas;
	uint32_t policy;   /* the SA that charon's names */
	uint32_t held;     /* in the kernel; 0: none is */
	int64_t forgotten; /* when it lets go */
} w;

/* --- stand-ins --------------------------------------------------------------- */

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn fn, void *user)
{
	(void)loop;
	w.timer = (struct loop_timer){ .fn = fn, .user = user };
	return &w.timer;
}

void loop_timer_free(struct loop_timer *t)
{
	(void)t;
}

void loop_timer_set(struct loop_timer *t, int64_t delay_ms)
{
	t->set = true;
	t->due = w.now + delay_ms;
}

int64_t loop_now(struct loop *loop)
{
	(void)loop;
	return w.now;
}

bool ike_is_online(const struct ike *ike)
{
	(void)ike;
	return w.online;
}

int64_t ike_listed_at(const struct ike *ike)
{
	(void)ike;
	return w.now;
}

const struct ike_sa *ike_peer_sas(const struct ike *ike, const char *peer, size_t *ret_n)
{
	(void)ike;
	assert_string_equal(peer, PEER);
	*ret_n = w.n_sas;
	return w.sas;
}

const struct ike_sa *ike_peer_sa(const struct ike *ike, const char *peer,
				 const struct ike_child **ret_child)
{
	(void)ike;
	assert_string_equal(peer, PEER);
	if (w.n_sas == 0)
		return NULL;
	*ret_child = &w.sas[w.n_sas - 1].children.v[0];
	return &w.sas[w.n_sas - 1];
}

int net_xfrm_hold(struct net *net, uint32_t if_id, uint32_t spi, unsigned seconds,
		  struct sn_error *e)
{
	(void)net;
	assert_int_equal(if_id, IF_ID);
	if (spi != w.policy)
		return sn_error_set(e, -ESTALE, "another SA");
	w.held = spi;
	w.forgotten = w.now + 1000 * (int64_t)seconds;
	return 0;
}

int net_xfrm_release(struct net *net, uint32_t if_id, struct sn_error *e)
{
	(void)net;
	(void)e;
	assert_int_equal(if_id, IF_ID);
	w.held = 0;
	return 0;
}

/* --- the scene ------------------------------------------------------------------ */

/* A tunnel of charon's, which sends by the newest. */
static void add_tunnel(uint32_t spi)
{
	struct ike_child *child = &w.children[w.n_sas];

	*child = (struct ike_child){ .installed = true, .spi_out = spi };
	w.sas[w.n_sas] = (struct ike_sa){ .children = { .v = child, .n = 1 } };
	w.n_sas++;
	w.policy = spi;
}

static void begin(struct daemon *d)
{
	struct wanted_peer *peer;

	memset(&w, 0, sizeof(w));
	memset(d, 0, sizeof(*d));
	w.now = 1000000;
	w.online = true;
	d->ike = (struct ike *)&w; /* never looked into */
	peer = array_add(&d->wanted.peers);
	snprintf(peer->id, sizeof(peer->id), "%s", PEER);
	peer->if_id = IF_ID;
	hold_init(d);
	add_tunnel(OLD);
}

static void end(struct daemon *d)
{
	hold_fini(d);
	array_free(&d->wanted.peers);
}

static void pass(int64_t ms)
{
	int64_t until = w.now + ms;

	while (w.timer.set && w.timer.due <= until) {
		w.now = w.timer.due;
		w.timer.set = false;
		w.held = w.now >= w.forgotten ? 0 : w.held;
		w.timer.fn(w.timer.user);
	}
	w.now = until;
	w.held = w.now >= w.forgotten ? 0 : w.held;
}

/* --- tests ---------------------------------------------------------------------- */

static void a_peer_is_held_as_long_as_its_charon_is_away(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, false);
	assert_int_equal(w.held, 0);
	hold_peer_ike(&d, PEER, true);
	assert_int_equal(w.held, OLD);
	assert_true(hold_is(&d, IF_ID));
	assert_false(hold_is(&d, IF_ID + 1));
	pass(600000);
	assert_int_equal(w.held, OLD);
	end(&d);
	assert_int_equal(w.held, 0);
}

static void a_packet_by_the_new_tunnel_lets_it_go(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, true);
	pass(3000);
	hold_peer_ike(&d, PEER, false);
	pass(1000);
	add_tunnel(NEW);
	pass(500);
	assert_int_equal(w.held, OLD);
	w.children[1].packets_in = 1;
	pass(250);
	assert_int_equal(w.held, 0);
	assert_false(hold_is(&d, IF_ID));
	end(&d);
}

/* The old one, which is ended after PAIR_VOID_MS, must not be held to then. */
static void a_silent_new_tunnel_lets_it_go_in_time(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, true);
	pass(3000);
	add_tunnel(NEW);
	pass(1500);
	assert_int_equal(w.held, OLD);
	pass(1000);
	assert_int_equal(w.held, 0);
	end(&d);
}

static void an_sa_that_is_gone_is_not_held_to(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, true);
	w.n_sas = 0;
	pass(250);
	assert_int_equal(w.held, 0);
	end(&d);
}

/* Our charon's absence says nothing of its SAs; the next one has others. */
static void what_charon_cannot_say_changes_nothing(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, true);
	w.online = false;
	w.n_sas = 0;
	pass(60000);
	assert_int_equal(w.held, OLD);
	w.online = true;
	pass(250);
	assert_int_equal(w.held, 0);
	end(&d);
}

/* It was not heard for a moment, and has its SAs. */
static void a_charon_that_is_back_with_its_tunnel_lets_it_go(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, true);
	hold_peer_ike(&d, PEER, false);
	pass(5000);
	/* and is away again */
	hold_peer_ike(&d, PEER, true);
	pass(20000);
	assert_int_equal(w.held, OLD);
	hold_peer_ike(&d, PEER, false);
	pass(10250);
	assert_int_equal(w.held, 0);
	end(&d);
}

static void who_is_no_peer_is_let_go(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	hold_peer_ike(&d, PEER, true);
	d.wanted.peers.n = 0;
	pass(250);
	assert_int_equal(w.held, 0);
	hold_peer_ike(&d, PEER, true);
	assert_int_equal(w.held, 0);
	end(&d);
}

static void without_a_tunnel_nobody_is_held(void **state)
{
	struct daemon d;

	(void)state;
	begin(&d);
	w.n_sas = 0;
	hold_peer_ike(&d, PEER, true);
	assert_int_equal(w.held, 0);
	assert_false(hold_is(&d, IF_ID));
	/* charon's policy names another one already */
	w.n_sas = 1;
	w.policy = NEW;
	hold_peer_ike(&d, PEER, true);
	assert_false(hold_is(&d, IF_ID));
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_held_as_long_as_its_charon_is_away),
		cmocka_unit_test(a_packet_by_the_new_tunnel_lets_it_go),
		cmocka_unit_test(a_silent_new_tunnel_lets_it_go_in_time),
		cmocka_unit_test(an_sa_that_is_gone_is_not_held_to),
		cmocka_unit_test(what_charon_cannot_say_changes_nothing),
		cmocka_unit_test(a_charon_that_is_back_with_its_tunnel_lets_it_go),
		cmocka_unit_test(who_is_no_peer_is_let_go),
		cmocka_unit_test(without_a_tunnel_nobody_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
