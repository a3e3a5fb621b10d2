/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of a pair: single rules as scripts of looks, and all of them together
 * in a simulation of two ends with slow and lossy messages between them.
 */
#include "ike/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CHILD "net-1"
#define START 1000000

/* ================================= scripts ==================================== */

struct script {
	struct pair pair;
	ARRAY(struct ike_sa) sas;
	struct pair_steps steps;
	int64_t now, next;
};

static void begin(struct script *s, bool owner)
{
	*s = (struct script){ .now = START };
	pair_init(&s->pair, owner, CHILD);
}

static void clear(struct script *s)
{
	array_foreach(&s->sas, sa)
		array_free(&sa->children);
	s->sas.n = 0;
}

static void end(struct script *s)
{
	clear(s);
	array_free(&s->sas);
	pair_fini(&s->pair);
}

static struct ike_sa *add_sa(struct script *s, uint32_t id, enum ike_sa_state state, bool initiator)
{
	struct ike_sa *sa = array_add(&s->sas);

	sa->unique_id = id;
	sa->state = state;
	sa->initiator = initiator;
	sa->spi_i = id;
	sa->age_s = state == IKE_SA_ESTABLISHED ? 100 - (int64_t)id : -1;
	return sa;
}

static struct ike_child *add_child(struct ike_sa *sa, uint32_t id, const char *name)
{
	struct ike_child *c = array_add(&sa->children);

	c->unique_id = id;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->installed = true;
	return c;
}

/* Looks after that time, with a die that makes every random time its shortest. */
static void look_after(struct script *s, int64_t ms)
{
	s->now += ms;
	s->next = pair_look(&s->pair, s->sas.v, s->sas.n, s->now, 0, &s->steps);
}

static void assert_step(const struct script *s, enum pair_verb verb, uint32_t id)
{
	assert_int_equal(s->steps.n, 1);
	assert_int_equal(s->steps.v[0].verb, verb);
	assert_int_equal(s->steps.v[0].id, id);
}

#define assert_quiet(s) assert_int_equal((s)->steps.n, 0)

static void the_owner_initiates_at_once_and_the_other_waits(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	look_after(&s, 0);
	assert_step(&s, PAIR_INITIATE, 0);
	end(&s);

	begin(&s, false);
	look_after(&s, 0);
	assert_quiet(&s);
	assert_int_equal(s.next, s.now + PAIR_OTHER_WAIT_MS);
	look_after(&s, PAIR_OTHER_WAIT_MS - 1);
	assert_quiet(&s);
	look_after(&s, 1);
	assert_step(&s, PAIR_INITIATE, 0);
	/* it failed: the whole time again */
	look_after(&s, 100);
	look_after(&s, PAIR_OTHER_WAIT_MS - 1);
	assert_quiet(&s);
	/* an SA in any state, and it begins to wait anew */
	add_sa(&s, 1, IKE_SA_DELETING, false);
	look_after(&s, 1);
	assert_quiet(&s);
	clear(&s);
	look_after(&s, 1000);
	assert_int_equal(s.next, s.now + PAIR_OTHER_WAIT_MS);
	end(&s);
}

static void failures_back_off(void **state)
{
	static const int expected[] = { 250, 500, 1000, 2000, 4000, 5000, 5000 };
	struct script s;

	(void)state;
	begin(&s, true);
	look_after(&s, 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(expected); i++) {
		assert_step(&s, PAIR_INITIATE, 0);
		assert_int_equal(s.next - s.now, expected[i] * 3 / 4);
		look_after(&s, s.next - s.now - 1);
		assert_quiet(&s);
		look_after(&s, 1);
	}
	/* a tunnel that lives clears it */
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, true), 1, CHILD);
	look_after(&s, 1000);
	look_after(&s, PAIR_STABLE_MS);
	clear(&s);
	look_after(&s, 1000);
	assert_step(&s, PAIR_INITIATE, 0);
	assert_int_equal(s.next - s.now, expected[0] * 3 / 4);
	end(&s);
}

static void nobody_initiates_beside_a_connecting_one(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	add_sa(&s, 7, IKE_SA_CONNECTING, true);
	look_after(&s, 0);
	assert_quiet(&s);
	look_after(&s, PAIR_HANG_MS - 1);
	assert_quiet(&s);
	look_after(&s, 1);
	assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE_FORCE);
	assert_int_equal(s.steps.v[0].id, 7);
	end(&s);
}

/* charon tries the old address for ever, and beside that nobody would try the new one. */
static void what_the_old_connection_began_does_not_last(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	add_sa(&s, 7, IKE_SA_CONNECTING, true);
	add_sa(&s, 8, IKE_SA_CONNECTING, false);
	look_after(&s, 0);
	pair_set(&s.pair, true, "net-2");
	look_after(&s, 0);
	/* the other end's is its own matter */
	assert_step(&s, PAIR_END_IKE_FORCE, 7);
	clear(&s);
	look_after(&s, 100);
	assert_step(&s, PAIR_INITIATE, 0);
	add_sa(&s, 9, IKE_SA_CONNECTING, true);
	look_after(&s, PAIR_HANG_MS - 1);
	assert_quiet(&s);
	end(&s);
}

/* DPD gave up a tunnel by the old address after the connection was changed, and begins it anew. */
static void what_dpd_begins_by_an_old_address_does_not_last(void **state)
{
	struct sn_addr first, second;
	struct script s;

	(void)state;
	assert_int_equal(sn_addr_parse("192.0.2.2", &first), 0);
	assert_int_equal(sn_addr_parse("2001:db8::2", &second), 0);
	begin(&s, true);
	pair_set_remote(&s.pair, &first);
	add_sa(&s, 7, IKE_SA_ESTABLISHED, true)->remote = first;
	look_after(&s, 0);
	pair_set(&s.pair, true, "net-2");
	pair_set_remote(&s.pair, &second);
	look_after(&s, 0);
	clear(&s);
	add_sa(&s, 8, IKE_SA_CONNECTING, true)->remote = first;
	look_after(&s, 900);
	assert_int_equal(s.steps.n, 2);
	assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE_FORCE);
	assert_int_equal(s.steps.v[0].id, 8);
	assert_int_equal(s.steps.v[1].verb, PAIR_INITIATE);
	clear(&s);
	add_sa(&s, 9, IKE_SA_CONNECTING, true)->remote = second;
	look_after(&s, PAIR_HANG_MS - 1);
	assert_quiet(&s);
	end(&s);
}

static void a_connecting_one_beside_a_tunnel_is_needless(void **state)
{
	struct script s;

	(void)state;
	begin(&s, false);
	add_child(add_sa(&s, 3, IKE_SA_ESTABLISHED, false), 4, CHILD);
	add_sa(&s, 7, IKE_SA_CONNECTING, true);
	look_after(&s, 0);
	assert_quiet(&s);
	look_after(&s, PAIR_NEEDLESS_MS - 1);
	assert_quiet(&s);
	look_after(&s, 1);
	assert_step(&s, PAIR_END_IKE_FORCE, 7);
	end(&s);
}

static void a_kick_does_not_wait(void **state)
{
	struct script s;

	(void)state;
	begin(&s, false);
	add_sa(&s, 7, IKE_SA_CONNECTING, false);
	look_after(&s, 0);
	pair_kick(&s.pair);
	look_after(&s, PAIR_KICK_MS);
	assert_step(&s, PAIR_END_IKE_FORCE, 7);
	clear(&s);
	look_after(&s, 100);
	pair_kick(&s.pair);
	look_after(&s, 100);
	assert_step(&s, PAIR_INITIATE, 0);
	/* once */
	look_after(&s, 100);
	assert_quiet(&s);
	end(&s);
}

static void a_duplicate_that_lasts_is_ended_by_the_owner(void **state)
{
	struct script s;

	(void)state;
	for (int owner = 0; owner <= 1; owner++) {
		begin(&s, owner);
		/* 1 was initiated by the other end, 2 and 3 by the owner: 2 has the lower SPI */
		add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, !owner), 1, CHILD);
		add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, owner), 2, CHILD);
		add_child(add_sa(&s, 3, IKE_SA_ESTABLISHED, owner), 3, CHILD);
		assert_int_equal(pair_best(&s.pair, s.sas.v, s.sas.n)->unique_id, 2);
		look_after(&s, 0);
		assert_quiet(&s);
		look_after(&s, PAIR_SETTLE_MS - 1);
		assert_quiet(&s);
		look_after(&s, 1);
		assert_int_equal(s.steps.n, owner ? 2 : 0);
		if (owner) {
			assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE);
			assert_int_equal(s.steps.v[0].id, 1);
			assert_int_equal(s.steps.v[1].id, 3);
			/* asked once, then forced */
			s.sas.v[0].state = IKE_SA_DELETING;
			look_after(&s, PAIR_FORCE_MS - 1);
			assert_quiet(&s);
			look_after(&s, 1);
			assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE_FORCE);
			assert_int_equal(s.steps.v[0].id, 1);
		}
		end(&s);
	}
}

static void one_without_the_child_yields(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	add_sa(&s, 1, IKE_SA_ESTABLISHED, true);
	add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, false), 2, CHILD);
	look_after(&s, 0);
	look_after(&s, PAIR_SETTLE_MS);
	assert_step(&s, PAIR_END_IKE, 1);
	end(&s);
}

static void rekeying_is_no_duplicate(void **state)
{
	struct script s;
	struct ike_sa *old, *fresh;

	(void)state;
	begin(&s, true);
	old = add_sa(&s, 1, IKE_SA_ESTABLISHED, true);
	add_child(old, 1, CHILD);
	look_after(&s, 0);
	/* the moment in which both are ESTABLISHED, then the old one dies slowly */
	fresh = add_sa(&s, 2, IKE_SA_ESTABLISHED, false);
	add_child(fresh, 1, CHILD);
	s.sas.v[0].children.n = 0;
	look_after(&s, 400);
	assert_quiet(&s);
	s.sas.v[0].state = IKE_SA_REKEYING;
	look_after(&s, 400);
	assert_quiet(&s);
	s.sas.v[0].state = IKE_SA_DELETING;
	look_after(&s, 5000);
	assert_quiet(&s);
	/* a child: the old one is REKEYING, then it is not installed any more */
	add_child(&s.sas.v[1], 9, CHILD);
	s.sas.v[1].children.v[0].rekeying = true;
	look_after(&s, 5000);
	assert_quiet(&s);
	s.sas.v[1].children.v[0].installed = s.sas.v[1].children.v[0].rekeying = false;
	look_after(&s, 5000);
	assert_quiet(&s);
	end(&s);
}

static void a_boot_leaves_the_newest(void **state)
{
	struct script s;

	(void)state;
	begin(&s, false);
	add_child(add_sa(&s, 1, IKE_SA_REKEYING, true), 1, CHILD);
	add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, true), 2, CHILD);
	add_child(add_sa(&s, 3, IKE_SA_ESTABLISHED, true), 3, CHILD);
	pair_booted(&s.pair, 0, s.now);
	look_after(&s, 0);
	assert_quiet(&s);
	assert_int_equal(pair_best(&s.pair, s.sas.v, s.sas.n)->unique_id, 3);
	look_after(&s, PAIR_LOST_MS - 1);
	assert_quiet(&s);
	look_after(&s, 1);
	assert_int_equal(s.steps.n, 2);
	assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE_FORCE);
	assert_int_equal(s.steps.v[0].id, 1);
	assert_int_equal(s.steps.v[1].id, 2);
	look_after(&s, 100);
	assert_quiet(&s);
	end(&s);
}

static void what_came_after_the_old_charon_was_heard_of_last_stays(void **state)
{
	struct script s;

	(void)state;
	begin(&s, false);
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, false), 1, CHILD);
	look_after(&s, 0);
	add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, false), 2, CHILD);
	look_after(&s, 10);
	pair_booted(&s.pair, s.now - 10, s.now);
	look_after(&s, 10);
	look_after(&s, PAIR_LOST_MS);
	assert_step(&s, PAIR_END_IKE_FORCE, 1);
	end(&s);
}

/* It carries on in the kernel, whoever owns the pair, until another has taken its place. */
static void a_lost_one_stays_until_another_carries(void **state)
{
	(void)state;
	for (int owner = 0; owner <= 1; owner++) {
		struct script s;

		begin(&s, owner);
		add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, owner), 1, CHILD);
		look_after(&s, 0);
		look_after(&s, 60000);
		pair_booted(&s.pair, s.now - 100, s.now);
		look_after(&s, 0);
		look_after(&s, PAIR_LOST_ALONE_MS - 5000);
		assert_quiet(&s);
		/* beside it the other end's takes its time */
		add_sa(&s, 2, IKE_SA_CONNECTING, false);
		look_after(&s, 0);
		look_after(&s, PAIR_NEEDLESS_MS - 1);
		assert_quiet(&s);
		s.sas.v[1].state = IKE_SA_ESTABLISHED;
		s.sas.v[1].age_s = 0;
		add_child(&s.sas.v[1], 2, CHILD);
		look_after(&s, 0);
		look_after(&s, PAIR_LOST_MS - 1);
		assert_quiet(&s);
		look_after(&s, 1);
		assert_step(&s, PAIR_END_IKE_FORCE, 1);
		end(&s);
	}
}

static void a_lost_one_that_nobody_replaces_goes(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, true), 1, CHILD);
	look_after(&s, 0);
	look_after(&s, 60000);
	pair_booted(&s.pair, s.now - 100, s.now);
	look_after(&s, 0);
	assert_int_equal(s.next, s.now + PAIR_LOST_ALONE_MS);
	look_after(&s, PAIR_LOST_ALONE_MS);
	assert_step(&s, PAIR_END_IKE_FORCE, 1);
	clear(&s);
	look_after(&s, 50);
	assert_step(&s, PAIR_INITIATE, 0);
	/* the new one stands alone, and nobody takes it for lost */
	add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, true), 2, CHILD);
	for (int i = 0; i < 60; i++) {
		look_after(&s, 1000);
		assert_quiet(&s);
	}
	end(&s);
}

/* Of two by which the owner sends nothing but by one, that one stays, whatever the claims are. */
static void what_the_owner_does_not_know_of_is_ended_by_the_other_end(void **state)
{
	struct script s;

	(void)state;
	for (unsigned heard = 0; heard < 2; heard++) {
		struct ike_child *child;

		begin(&s, false);
		add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, false), 1, CHILD);
		add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, false), 2, CHILD);
		look_after(&s, 0);
		child = &s.sas.v[heard].children.v[0];
		for (int64_t t = 1000; t < PAIR_STRAY_MS; t += 1000) {
			child->packets_in++;
			look_after(&s, 1000);
			assert_quiet(&s);
		}
		child->packets_in++;
		look_after(&s, 1000);
		assert_step(&s, PAIR_END_IKE, 2 - heard);
		/* who has it not does not answer */
		s.sas.v[!heard].state = IKE_SA_DELETING;
		look_after(&s, PAIR_FORCE_MS);
		assert_step(&s, PAIR_END_IKE_FORCE, 2 - heard);
		end(&s);
	}
	/* one that was silent before there was another is none */
	begin(&s, false);
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, false), 1, CHILD);
	look_after(&s, 0);
	add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, false), 2, CHILD);
	look_after(&s, 2 * PAIR_STRAY_MS);
	assert_quiet(&s);
	s.sas.v[1].children.v[0].packets_in++;
	look_after(&s, 1000);
	assert_quiet(&s);
	end(&s);
	/* when nothing comes by either, or by what is to be replaced alone, that says nothing */
	for (unsigned heard = 0; heard < 2; heard++) {
		begin(&s, false);
		add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, false), 1, "net-0");
		add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, false), 2, CHILD);
		for (int64_t t = 0; t <= 2 * PAIR_STRAY_MS; t += 1000) {
			s.sas.v[0].children.v[0].packets_in += heard;
			look_after(&s, 1000);
			assert_quiet(&s);
		}
		end(&s);
	}
}

static void what_has_lost_its_address_is_begun_anew_by_either_end(void **state)
{
	struct script s;

	(void)state;
	for (int owner = 0; owner < 2; owner++) {
		struct ike_sa *sa;

		begin(&s, owner);
		sa = add_sa(&s, 1, IKE_SA_ESTABLISHED, !owner);
		add_child(sa, 1, CHILD);
		look_after(&s, 0);
		assert_quiet(&s);
		sa->stranded = true;
		assert_true(pair_strands(&s.pair, sa));
		look_after(&s, 1000);
		assert_int_equal(s.steps.n, 2);
		assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE_FORCE);
		assert_int_equal(s.steps.v[0].id, 1);
		assert_int_equal(s.steps.v[1].verb, PAIR_INITIATE);
		/* that is told once, and asked again only when it does not go */
		assert_false(pair_strands(&s.pair, sa));
		look_after(&s, 1);
		assert_quiet(&s);
		look_after(&s, PAIR_FORCE_MS);
		assert_int_equal(s.steps.v[0].verb, PAIR_END_IKE_FORCE);
		end(&s);
	}
	/* what still connects from there does not keep the next one waiting */
	begin(&s, true);
	add_sa(&s, 1, IKE_SA_CONNECTING, true)->stranded = true;
	look_after(&s, 0);
	assert_int_equal(s.steps.n, 2);
	assert_int_equal(s.steps.v[1].verb, PAIR_INITIATE);
	end(&s);
}

static void an_orphan_initiates_like_an_owner(void **state)
{
	struct script s;

	(void)state;
	begin(&s, false);
	look_after(&s, 0);
	assert_quiet(&s);
	/* told later than it is alone */
	pair_orphaned(&s.pair);
	look_after(&s, 0);
	assert_step(&s, PAIR_INITIATE, 0);
	/* before its connection is loaded, so it failed */
	look_after(&s, PAIR_BACKOFF_MIN_MS);
	assert_step(&s, PAIR_INITIATE, 0);
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, true), 1, CHILD);
	look_after(&s, 0);
	/* from then on it waits as ever */
	clear(&s);
	look_after(&s, 0);
	look_after(&s, PAIR_OTHER_WAIT_MS - 1);
	assert_quiet(&s);
	end(&s);
}

static void a_broken_one_is_ended_and_the_owner_builds_another(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, true), 1, CHILD);
	look_after(&s, 0);
	pair_broken(&s.pair, 1);
	look_after(&s, 0);
	assert_step(&s, PAIR_END_IKE, 1);
	s.sas.v[0].state = IKE_SA_DELETING;
	look_after(&s, 10);
	assert_step(&s, PAIR_INITIATE, 0);
	/* nobody answers the DELETE */
	add_sa(&s, 2, IKE_SA_CONNECTING, true);
	look_after(&s, PAIR_FORCE_MS);
	assert_step(&s, PAIR_END_IKE_FORCE, 1);
	end(&s);

	/* news of one that is gone meanwhile are none */
	begin(&s, true);
	add_child(add_sa(&s, 2, IKE_SA_ESTABLISHED, true), 1, CHILD);
	pair_broken(&s.pair, 1);
	look_after(&s, 0);
	assert_quiet(&s);
	end(&s);
}

static void a_changed_child_replaces_the_old_one(void **state)
{
	struct script s;

	(void)state;
	for (int owner = 0; owner <= 1; owner++) {
		int wait = owner ? PAIR_CHILD_WAIT_MS : PAIR_OTHER_CHILD_WAIT_MS;
		int patience = owner ? PAIR_SETTLE_MS : PAIR_HELP_MS;

		begin(&s, owner);
		add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, owner), 1, CHILD);
		look_after(&s, 0);
		pair_set(&s.pair, owner, "net-2");
		look_after(&s, 0);
		assert_quiet(&s);
		look_after(&s, wait - 1);
		assert_quiet(&s);
		look_after(&s, 1);
		assert_step(&s, PAIR_INITIATE, 0);
		add_child(&s.sas.v[0], 2, "net-2");
		look_after(&s, 100);
		look_after(&s, patience - 1);
		assert_quiet(&s);
		look_after(&s, 1);
		assert_step(&s, PAIR_END_CHILD, 1);
		end(&s);
	}
}

/* The owner keeps ending the IKE_SA that the other end's new connection made. */
static void the_other_end_gives_the_old_sa_up(void **state)
{
	struct script s;

	(void)state;
	/* also when the owner takes its time to end what this end made */
	for (int64_t stood = 0; stood <= PAIR_NEWER_MS + 2000; stood += 500) {
		begin(&s, false);
		add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, false), 1, "net-old");
		for (uint32_t i = 0; i < PAIR_OTHER_TRIES; i++) {
			look_after(&s, 100);
			look_after(&s, PAIR_OTHER_CHILD_WAIT_MS + PAIR_OTHER_CHILD_SPREAD_MS);
			assert_step(&s, PAIR_INITIATE, 0);
			if (stood == 0)
				continue;
			add_child(add_sa(&s, 2 + i, IKE_SA_ESTABLISHED, true), 2 + i, CHILD);
			for (int64_t t = 0; t <= stood; t += 500) {
				look_after(&s, 500);
				assert_quiet(&s);
			}
			clear(&s);
			add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, false), 1, "net-old");
		}
		look_after(&s, 100);
		look_after(&s, PAIR_OTHER_CHILD_WAIT_MS + PAIR_OTHER_CHILD_SPREAD_MS);
		assert_step(&s, PAIR_END_IKE, 1);
		end(&s);
	}
}

/* ================================ simulation ================================== */

/*
 * Two charons as the rules see them. An SA has a half at each end; a message
 * takes 1 to 50 ms, one in five is lost and comes 1 s later (retransmission), save
 * the DELETE of a forced end, which is lost for good. A half without its other
 * half is found dead after 8.5 s; the owner's charon then starts again by itself.
 */
#define SIM_MAX_SAS 24
#define SIM_MAX_MESSAGES 64
#define SIM_STEP_MS 10
#define SIM_DPD_MS 8500

enum half { ABSENT, CONNECTING, ESTABLISHED, DELETING };
struct sim_sa {
	uint64_t spi;
	int initiator;
	enum half half[2];
	bool child[2];
	bool stranded[2];
	int64_t established[2], lonely_since[2];
};

enum message_kind { REQUEST, RESPONSE, REFUSAL, DELETE, DELETED, CHILD_REQUEST, CHILD_RESPONSE };
struct message {
	int64_t due;
	enum message_kind kind;
	int to;
	size_t sa;
};

struct sim {
	uint64_t seed;
	int64_t now;
	struct sim_sa sa[SIM_MAX_SAS];
	size_t n_sas;
	struct message message[SIM_MAX_MESSAGES];
	size_t n_messages;
	struct pair pair[2]; /* 0 owns it */
	bool no_dpd;         /* the kernel's packets go on, so nobody asks */
	int64_t look_at[2], online_at[2];
	size_t steps;
};

static uint32_t dice(struct sim *sim)
{
	sim->seed = sim->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(sim->seed >> 32);
}

static void post(struct sim *sim, enum message_kind kind, int to, size_t sa, bool retransmitted)
{
	bool lost = dice(sim) % 5 == 0;

	if (lost && !retransmitted)
		return;
	assert_true(sim->n_messages < SIM_MAX_MESSAGES);
	sim->message[sim->n_messages++] = (struct message){
		.due = sim->now + 1 + dice(sim) % 50 + (lost ? 1000 : 0),
		.kind = kind,
		.to = to,
		.sa = sa,
	};
}

static void establish(struct sim *sim, size_t i, int end_)
{
	sim->sa[i].half[end_] = ESTABLISHED;
	sim->sa[i].child[end_] = true;
	sim->sa[i].established[end_] = sim->now;
}

static void deliver(struct sim *sim, const struct message *m)
{
	struct sim_sa *sa = &sim->sa[m->sa];
	bool online = sim->now >= sim->online_at[m->to];

	if (sa->stranded[0] || sa->stranded[1])
		return;

	switch (m->kind) {
	case REQUEST:
		if (online)
			establish(sim, m->sa, m->to);
		post(sim, online ? RESPONSE : REFUSAL, !m->to, m->sa, true);
		break;
	case RESPONSE:
		if (sa->half[m->to] == CONNECTING)
			establish(sim, m->sa, m->to);
		break;
	case REFUSAL:
		sa->half[m->to] = ABSENT;
		break;
	case DELETE:
		sa->half[m->to] = ABSENT;
		post(sim, DELETED, !m->to, m->sa, true);
		break;
	case DELETED:
		sa->half[m->to] = ABSENT;
		break;
	case CHILD_REQUEST:
		if (sa->half[m->to] != ESTABLISHED)
			break;
		sa->child[m->to] = true;
		post(sim, CHILD_RESPONSE, !m->to, m->sa, true);
		break;
	case CHILD_RESPONSE:
		sa->child[m->to] = sa->half[m->to] == ESTABLISHED;
		break;
	}
}

static void deliver_due(struct sim *sim)
{
	for (size_t i = 0; i < sim->n_messages;) {
		struct message m = sim->message[i];

		if (m.due > sim->now) {
			i++;
			continue;
		}
		sim->message[i] = sim->message[--sim->n_messages];
		deliver(sim, &m);
	}
}

/* As charon: a child in the first usable IKE_SA, else a new one. force: always a new one. */
static void sim_initiate(struct sim *sim, int end_, bool force)
{
	struct sim_sa *sa;

	for (size_t i = 0; i < sim->n_sas && !force; i++)
		if (sim->sa[i].half[end_] == ESTABLISHED) {
			post(sim, CHILD_REQUEST, !end_, i, true);
			return;
		}
	assert_true(sim->n_sas < SIM_MAX_SAS);
	sa = &sim->sa[sim->n_sas++];
	*sa = (struct sim_sa){ .spi = (uint64_t)dice(sim) << 32 | dice(sim), .initiator = end_ };
	sa->half[end_] = CONNECTING;
	post(sim, REQUEST, !end_, sim->n_sas - 1, true);
}

static void find_dead(struct sim *sim)
{
	if (sim->no_dpd)
		return;
	for (size_t i = 0; i < sim->n_sas; i++)
		for (int e = 0; e < 2; e++) {
			struct sim_sa *sa = &sim->sa[i];

			if (sa->half[e] == ABSENT || sa->half[!e] != ABSENT ||
			    sa->half[e] == CONNECTING) {
				sa->lonely_since[e] = sim->now;
				continue;
			}
			if (sim->now < sa->lonely_since[e] + SIM_DPD_MS)
				continue;
			sa->half[e] = ABSENT;
			if (e == 0)
				sim_initiate(sim, e, true);
		}
}

static size_t list_sas(const struct sim *sim, int end_, struct ike_sa *ret)
{
	static const enum ike_sa_state states[] = { IKE_SA_OTHER, IKE_SA_CONNECTING,
						    IKE_SA_ESTABLISHED, IKE_SA_DELETING };
	size_t n = 0;

	for (size_t i = 0; i < sim->n_sas; i++) {
		const struct sim_sa *sa = &sim->sa[i];
		struct ike_sa *out = &ret[n];

		if (sa->half[end_] == ABSENT)
			continue;
		n++;
		*out = (struct ike_sa){ .stranded = sa->stranded[end_],
					.unique_id = (uint32_t)i + 1,
					.state = states[sa->half[end_]],
					.initiator = sa->initiator == end_,
					.spi_i = sa->spi,
					.age_s = (sim->now - sa->established[end_]) / 1000 };
		if (sa->child[end_])
			add_child(out, (uint32_t)i + 1, CHILD);
	}
	return n;
}

static void free_list(struct ike_sa *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		array_free(&v[i].children);
}

static void obey(struct sim *sim, int end_, const struct pair_step *step)
{
	struct sim_sa *sa = step->id ? &sim->sa[step->id - 1] : NULL;

	switch (step->verb) {
	case PAIR_INITIATE:
		sim_initiate(sim, end_, false);
		break;
	case PAIR_END_IKE:
		if (sa->half[end_] != ESTABLISHED)
			break;
		sa->half[end_] = DELETING;
		post(sim, DELETE, !end_, step->id - 1, true);
		break;
	case PAIR_END_IKE_FORCE:
		sa->half[end_] = ABSENT;
		post(sim, DELETE, !end_, step->id - 1, false);
		break;
	case PAIR_END_CHILD:
		break;
	}
}

static void sim_look(struct sim *sim, int end_)
{
	struct ike_sa list[SIM_MAX_SAS];
	struct pair_steps steps;
	size_t n;
	int64_t next;

	if (sim->now < sim->look_at[end_] || sim->now < sim->online_at[end_])
		return;
	n = list_sas(sim, end_, list);
	next = pair_look(&sim->pair[end_], list, n, sim->now, dice(sim), &steps);
	free_list(list, n);
	for (size_t i = 0; i < steps.n; i++)
		obey(sim, end_, &steps.v[i]);
	sim->steps += steps.n;
	sim->look_at[end_] = SN_MAX(sim->now + 20, SN_MIN(next, sim->now + 1000));
	if (steps.n > 0)
		sim->look_at[end_] = sim->now + 50;
}

static void run(struct sim *sim, int64_t until, const int64_t forced[2])
{
	for (; sim->now < until; sim->now += SIM_STEP_MS) {
		deliver_due(sim);
		find_dead(sim);
		for (int e = 0; e < 2; e++) {
			if (sim->now == forced[e])
				sim_initiate(sim, e, true);
			sim_look(sim, e);
		}
	}
}

static size_t standing(const struct sim *sim, int end_, uint64_t *ret_spi)
{
	struct ike_sa list[SIM_MAX_SAS];
	size_t n = list_sas(sim, end_, list), standing = 0;
	const struct ike_sa *best = pair_best(&sim->pair[end_], list, n);

	*ret_spi = best ? best->spi_i : 0;
	for (size_t i = 0; i < n; i++)
		standing += list[i].state == IKE_SA_ESTABLISHED && list[i].children.n == 1;
	free_list(list, n);
	return n == standing ? n : SIZE_MAX;
}

static void two_ends_come_to_one_tunnel(void **state)
{
	size_t most = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct sim *sim = xcalloc(1, sizeof(*sim));
		int64_t forced[2];
		uint64_t spi[2];
		size_t before;

		*sim = (struct sim){ .seed = seed * 977, .now = START };
		for (int e = 0; e < 2; e++) {
			pair_init(&sim->pair[e], e == 0, CHILD);
			sim->online_at[e] = START + dice(sim) % 300 * SIM_STEP_MS;
			/* two times in three somebody initiates past the rules, often both at once
			 */
			forced[e] = dice(sim) % 3 ? START + 3000 + dice(sim) % 20 * SIM_STEP_MS : 0;
		}
		run(sim, START + 45000, forced);
		before = sim->steps;
		run(sim, START + 75000, forced);
		for (int e = 0; e < 2; e++)
			if (standing(sim, e, &spi[e]) != 1)
				fail_msg("seed %d: end %d has not one tunnel", (int)seed, e);
		assert_true(spi[0] == spi[1]);
		assert_int_equal(sim->steps, before);
		most = SN_MAX(most, sim->n_sas);
		pair_fini(&sim->pair[0]);
		pair_fini(&sim->pair[1]);
		free(sim);
	}
	print_message("at most %zu IKE_SAs in one run\n", most);
	assert_true(most > 2);
}

static bool is_whole(const struct sim *sim, size_t i)
{
	const struct sim_sa *sa = &sim->sa[i];

	return sa->half[0] == ESTABLISHED && sa->half[1] == ESTABLISHED && sa->child[0] &&
	       sa->child[1];
}

/*
 * The end has another address: nothing of the SAs that were gets through, and what
 * their other end knows of it comes by the first one that does.
 */
static void move(struct sim *sim, int end_)
{
	for (size_t i = 0; i < sim->n_sas; i++)
		sim->sa[i].stranded[end_] = true;
	sim->no_dpd = true;
}

static void who_moves_begins_the_new_tunnel(void **state)
{
	static const int64_t nobody[2] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct sim *sim = xcalloc(1, sizeof(*sim));
		int mover = seed % 2;
		int64_t told = 0, moved;
		uint64_t spi[2];
		size_t old;

		*sim = (struct sim){ .seed = seed * 977, .now = START };
		for (int e = 0; e < 2; e++)
			pair_init(&sim->pair[e], e == 0, CHILD);
		run(sim, START + 20000, nobody);
		old = sim->n_sas;
		move(sim, mover);
		moved = sim->now;
		while (sim->now < START + 60000) {
			for (size_t i = old; i < sim->n_sas && !told; i++)
				if (is_whole(sim, i))
					told = sim->now + dice(sim) % 100 * SIM_STEP_MS;
			if (told == sim->now)
				pair_booted(&sim->pair[!mover], moved, told);
			run(sim, sim->now + SIM_STEP_MS, nobody);
		}
		/* at once, whoever owns the pair, but for the messages that were lost */
		assert_true(told && told < moved + 5000);
		for (int e = 0; e < 2; e++)
			if (standing(sim, e, &spi[e]) != 1)
				fail_msg("seed %d: end %d has not one tunnel", (int)seed, e);
		assert_true(spi[0] == spi[1]);
		assert_int_equal(sim->n_sas, old + 1);
		pair_fini(&sim->pair[0]);
		pair_fini(&sim->pair[1]);
		free(sim);
	}
}

/* The end's charon dies and returns. *ret: the SA by which the kernels go on. */
static void lose_charon(struct sim *sim, int end_, size_t *ret)
{
	*ret = SIM_MAX_SAS;
	for (size_t i = 0; i < sim->n_sas; i++) {
		if (is_whole(sim, i))
			*ret = i;
		sim->sa[i].half[end_] = ABSENT;
	}
	pair_fini(&sim->pair[end_]);
	pair_init(&sim->pair[end_], end_ == 0, CHILD);
	pair_orphaned(&sim->pair[end_]);
	sim->online_at[end_] = sim->now + 300;
}

/*
 * The old SA stays at the other end until both have a new one: whatever comes first, the
 * news that its charon is another, or the new IKE_SA.
 */
static void a_new_charon_takes_over_without_a_gap(void **state)
{
	static const int64_t nobody[2] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct sim *sim = xcalloc(1, sizeof(*sim));
		int lost = seed % 2;
		int64_t told;
		uint64_t spi[2];
		bool replaced = false;
		size_t old;

		*sim = (struct sim){ .seed = seed * 977, .now = START };
		for (int e = 0; e < 2; e++)
			pair_init(&sim->pair[e], e == 0, CHILD);
		run(sim, START + 20000, nobody);
		lose_charon(sim, lost, &old);
		assert_true(old < SIM_MAX_SAS);
		sim->no_dpd = true;
		told = sim->now + 300 + dice(sim) % 60 * SIM_STEP_MS;
		while (sim->now < START + 60000) {
			if (sim->now == told)
				pair_booted(&sim->pair[!lost], told - 500, told);
			run(sim, sim->now + SIM_STEP_MS, nobody);
			for (size_t i = old + 1; i < sim->n_sas; i++)
				replaced |= is_whole(sim, i);
			if (!replaced && sim->sa[old].half[!lost] != ESTABLISHED)
				fail_msg("seed %d: nothing carries", (int)seed);
		}
		for (int e = 0; e < 2; e++)
			if (standing(sim, e, &spi[e]) != 1)
				fail_msg("seed %d: end %d has not one tunnel", (int)seed, e);
		assert_true(spi[0] == spi[1] && spi[0] != sim->sa[old].spi);
		pair_fini(&sim->pair[0]);
		pair_fini(&sim->pair[1]);
		free(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_initiates_at_once_and_the_other_waits),
		cmocka_unit_test(failures_back_off),
		cmocka_unit_test(nobody_initiates_beside_a_connecting_one),
		cmocka_unit_test(what_the_old_connection_began_does_not_last),
		cmocka_unit_test(what_dpd_begins_by_an_old_address_does_not_last),
		cmocka_unit_test(a_connecting_one_beside_a_tunnel_is_needless),
		cmocka_unit_test(a_kick_does_not_wait),
		cmocka_unit_test(a_duplicate_that_lasts_is_ended_by_the_owner),
		cmocka_unit_test(one_without_the_child_yields),
		cmocka_unit_test(rekeying_is_no_duplicate),
		cmocka_unit_test(a_boot_leaves_the_newest),
		cmocka_unit_test(what_came_after_the_old_charon_was_heard_of_last_stays),
		cmocka_unit_test(a_lost_one_stays_until_another_carries),
		cmocka_unit_test(a_lost_one_that_nobody_replaces_goes),
		cmocka_unit_test(an_orphan_initiates_like_an_owner),
		cmocka_unit_test(a_broken_one_is_ended_and_the_owner_builds_another),
		cmocka_unit_test(a_changed_child_replaces_the_old_one),
		cmocka_unit_test(the_other_end_gives_the_old_sa_up),
		cmocka_unit_test(two_ends_come_to_one_tunnel),
		cmocka_unit_test(a_new_charon_takes_over_without_a_gap),
		cmocka_unit_test(what_the_owner_does_not_know_of_is_ended_by_the_other_end),
		cmocka_unit_test(what_has_lost_its_address_is_begun_anew_by_either_end),
		cmocka_unit_test(who_moves_begins_the_new_tunnel),
	};

	return cmocka_run_group_tests_name("ike/pair", tests, NULL, NULL);
}
