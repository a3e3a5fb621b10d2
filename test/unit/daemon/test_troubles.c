/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Troubles against a table that anybody can read: named, cleared, and over at the end of a pass. */
#include "daemon/troubles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define OBJECTS 300
#define STEPS 20000
#define MANY 50000

static struct object objects[OBJECTS];

static void name(int i, char ret[32])
{
	snprintf(ret, 32, "object %d", i);
}

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < OBJECTS; i++)
		objects[i].kind = i % 2 ? OBJECT_ROUTE : OBJECT_LINK;
	return 0;
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* What should be there: 0 not, 1 waits, 2 fails; and whether this pass has named it. */
struct model {
	int state[OBJECTS];
	bool named[OBJECTS];
};

static void check(const struct troubles *t, const struct model *m)
{
	size_t n = 0;

	for (int i = 0; i < OBJECTS; i++) {
		char object[32];
		const struct trouble *found;

		name(i, object);
		found = troubles_find(t, object);
		assert_int_equal(found != NULL, m->state[i] != 0);
		n += found != NULL;
		if (found)
			assert_int_equal(found->text != NULL, m->state[i] == 2);
	}
	assert_int_equal(t->all.n, n);
}

static void one_step(struct troubles *t, struct model *m, unsigned *seed)
{
	int i = (int)(next_random(seed) % OBJECTS);
	int what = (int)(next_random(seed) % 5);
	char object[32];

	name(i, object);
	if (what < 2) {
		troubles_clear(t, object);
		m->state[i] = 0;
		return;
	}
	what = what == 2 ? 1 : 2;
	assert_int_equal(
		troubles_note(t, &objects[i], object, what == 2 ? "others have it" : NULL, 7),
		m->state[i] != what);
	m->state[i] = what;
	m->named[i] = true;
}

static void end_pass(struct troubles *t, struct model *m, unsigned kinds)
{
	troubles_end_pass(t, kinds);
	for (int i = 0; i < OBJECTS; i++) {
		if (!m->named[i] && (kinds & OBJECT_BIT(objects[i].kind)))
			m->state[i] = 0;
		m->named[i] = false;
	}
}

static void a_random_walk_keeps_what_the_table_says(void **state)
{
	struct troubles t = { 0 };
	struct model m = { 0 };
	unsigned seed = 11;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		one_step(&t, &m, &seed);
		if (step % 500 == 499)
			end_pass(&t, &m,
				 step % 1000 == 999 ? OBJECT_ALL_NET : OBJECT_BIT(OBJECT_ROUTE));
		if (step % 100 == 0)
			check(&t, &m);
	}
	check(&t, &m);
	troubles_fini(&t);
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double note_all(struct troubles *t)
{
	double start = cpu_s();

	for (int i = 0; i < MANY; i++) {
		char object[32];

		name(i, object);
		troubles_note(t, &objects[0], object, NULL, 7);
	}
	return cpu_s() - start;
}

/* Each of them looked for in a list would be minutes. */
static void fifty_thousand_cost_little(void **state)
{
	struct troubles t = { 0 };

	(void)state;
	assert_true(note_all(&t) + note_all(&t) < 2);
	assert_int_equal(t.all.n, MANY);
	troubles_end_pass(&t, OBJECT_ALL_NET);
	assert_int_equal(t.all.n, MANY);
	troubles_end_pass(&t, OBJECT_ALL_NET);
	assert_int_equal(t.all.n, 0);
	troubles_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_random_walk_keeps_what_the_table_says, setup),
		cmocka_unit_test_setup(fifty_thousand_cost_little, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
