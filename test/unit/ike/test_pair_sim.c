/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of a pair all together: two ends, with slow and lossy messages between them.
 *
 * Two charons as the rules see them. An SA has a half at each end; a message
 * takes 1 to 50 ms, one in five is lost and comes 1 s later (retransmission), save
 * the DELETE of a forced end, which is lost for good. A half without its other
 * half is found dead after 8.5 s; the owner's charon then starts again by itself.
 */
#include "ike/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CHILD "net-1"
#define START 1000000

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
	uint8_t address[2];
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
	uint8_t address[2];
	bool no_dpd; /* the kernel's packets go on, so nobody asks */
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
	memcpy(sa->address, sim->address, sizeof(sa->address));
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
					.remote = { AF_INET, { sa->address[!end_] } },
					.age_s = (sim->now - sa->established[end_]) / 1000 };
		if (sa->child[end_])
			*array_add(&out->children) = (struct ike_child){
				.unique_id = (uint32_t)i + 1, .name = CHILD, .installed = true
			};
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
 * their other end knows of it comes by the first one that does, and with it.
 */
static void move(struct sim *sim, int end_)
{
	for (size_t i = 0; i < sim->n_sas; i++)
		sim->sa[i].stranded[end_] = true;
	sim->address[end_]++;
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
			/* some have a sennitd that began since and knows of no move */
			if (told == sim->now && seed % 4 < 2)
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
		cmocka_unit_test(two_ends_come_to_one_tunnel),
		cmocka_unit_test(a_new_charon_takes_over_without_a_gap),
		cmocka_unit_test(who_moves_begins_the_new_tunnel),
	};

	return cmocka_run_group_tests_name("ike/pair_sim", tests, NULL, NULL);
}
