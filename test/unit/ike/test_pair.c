/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of a pair, each as a script of looks; all of them together: test_pair_sim.c. */
#include "ike/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CHILD "net-1"
#define START 1000000

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
	look_after(&s, PAIR_VOID_MS - 1);
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
	look_after(&s, PAIR_VOID_MS);
	assert_step(&s, PAIR_END_IKE_FORCE, 1);
	end(&s);
}

/* It carries on in the kernel, whoever owns the pair, until another has taken its place. */
static void who_begins_one_from_elsewhere_has_moved(void **state)
{
	static const struct {
		uint8_t address;
		uint16_t port;
		bool initiator; /* this end began the newer one */
		bool moved;
	} rows[] = { { 1, 4500, false, false },
		     { 2, 4500, false, true },
		     { 1, 7, false, true },
		     { 2, 4500, true, false } };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		struct script s;
		struct ike_sa *sa;

		begin(&s, true);
		for (uint32_t id = 1; id <= 2; id++) {
			sa = add_sa(&s, id, IKE_SA_ESTABLISHED, id == 1 || rows[i].initiator);
			sa->remote = (struct sn_addr){ AF_INET, { id == 1 ? 1 : rows[i].address } };
			sa->remote_port = id == 1 ? 4500 : rows[i].port;
			add_child(sa, 10 + id, CHILD);
			look_after(&s, 5000);
		}
		look_after(&s, PAIR_VOID_MS);
		/* else the one that the owner began stays */
		assert_step(&s, rows[i].moved ? PAIR_END_IKE_FORCE : PAIR_END_IKE,
			    rows[i].moved ? 1 : 2);
		end(&s);
	}
}

static void a_void_one_stays_until_another_carries(void **state)
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
		look_after(&s, PAIR_VOID_ALONE_MS - 5000);
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
		look_after(&s, PAIR_VOID_MS - 1);
		assert_quiet(&s);
		look_after(&s, 1);
		assert_step(&s, PAIR_END_IKE_FORCE, 1);
		end(&s);
	}
}

static void a_void_one_that_nobody_replaces_goes(void **state)
{
	struct script s;

	(void)state;
	begin(&s, true);
	add_child(add_sa(&s, 1, IKE_SA_ESTABLISHED, true), 1, CHILD);
	look_after(&s, 0);
	look_after(&s, 60000);
	pair_booted(&s.pair, s.now - 100, s.now);
	look_after(&s, 0);
	assert_int_equal(s.next, s.now + PAIR_VOID_ALONE_MS);
	look_after(&s, PAIR_VOID_ALONE_MS);
	assert_step(&s, PAIR_END_IKE_FORCE, 1);
	clear(&s);
	look_after(&s, 50);
	assert_step(&s, PAIR_INITIATE, 0);
	/* the new one stands alone, and nobody takes it for void */
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
		cmocka_unit_test(who_begins_one_from_elsewhere_has_moved),
		cmocka_unit_test(a_void_one_stays_until_another_carries),
		cmocka_unit_test(a_void_one_that_nobody_replaces_goes),
		cmocka_unit_test(an_orphan_initiates_like_an_owner),
		cmocka_unit_test(a_broken_one_is_ended_and_the_owner_builds_another),
		cmocka_unit_test(a_changed_child_replaces_the_old_one),
		cmocka_unit_test(the_other_end_gives_the_old_sa_up),
		cmocka_unit_test(what_the_owner_does_not_know_of_is_ended_by_the_other_end),
		cmocka_unit_test(what_has_lost_its_address_is_begun_anew_by_either_end),
	};

	return cmocka_run_group_tests_name("ike/pair", tests, NULL, NULL);
}
