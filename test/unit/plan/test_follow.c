/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows a change is what is made from nothing: walks of chance through
 * meshes whose hosts get and lose prefixes, and sometimes more than that.
 */
#include "plan/follow.h"
#include "plan/plan.h"

#include "mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOSTS 6
#define WALKS 60
#define STEPS 40
#define ADDRESSES 40 /* few, so that they move from host to host */

static uint32_t seed;

static unsigned roll(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Which host has each of the addresses; 0: none. */
struct world {
	unsigned holder[ADDRESSES];
	bool subnet[HOSTS + 1];
	bool other_address; /* of host 2: more than prefixes */
};

static void make_mesh(const struct world *w, struct mesh *m)
{
	mesh_init(m, HOSTS, NULL);
	for (unsigned i = 1; i <= HOSTS; i++) {
		struct host *h = (struct host *)snapshot_find(m->snapshot,
							      (char[]){ 'h', (char)('0' + i), 0 });

		if (!w->subnet[i])
			h->prefixes.n = 0;
		if (i == 2 && w->other_address)
			h->underlay.v[0] = mesh_addr("192.0.2.200");
	}
	for (unsigned i = 0; i < ADDRESSES; i++) {
		char text[SN_PREFIX_STRLEN];

		/* some are inside a subnet: of its own host that is nothing more */
		snprintf(text, sizeof(text), i % 8 ? "10.42.100.%u/32" : "10.42.%u.77/32",
			 i % 8 ? i + 1 : w->holder[i]);
		if (w->holder[i])
			mesh_add_prefix(m, w->holder[i], text);
	}
	mesh_finish(m);
}

static void change(struct world *w)
{
	for (unsigned n = roll(4); n > 0; n--)
		w->holder[roll(ADDRESSES)] = roll(3) ? 2 + roll(HOSTS - 1) : 0;
	if (roll(6) == 0)
		w->subnet[2 + roll(HOSTS - 1)] ^= true;
	if (roll(12) == 0)
		w->holder[1 + roll(7)] = 1;
	if (roll(12) == 0)
		w->other_address ^= true;
}

static void expect_same(const struct object_set *a, const struct object_set *b)
{
	assert_int_equal(a->o.n, b->o.n);
	for (size_t i = 0; i < a->o.n; i++)
		assert_true(object_equal(&a->o.v[i], &b->o.v[i]));
}

static void expect_same_plan(const struct plan *a, const struct plan *b)
{
	_cleanup_strbuf_ struct strbuf x = STRBUF_INIT, y = STRBUF_INIT;

	plan_print(a, &x);
	plan_print(b, &y);
	assert_string_equal(strbuf_str(&x), strbuf_str(&y));
}

static bool only_prefixes(const struct world *a, const struct world *b)
{
	for (unsigned i = 0; i < ADDRESSES; i++)
		if (a->holder[i] != b->holder[i] && (a->holder[i] == 1 || b->holder[i] == 1))
			return false;
	/* a subnet brings its host's overlay address along */
	return memcmp(a->subnet, b->subnet, sizeof(a->subnet)) == 0 &&
	       a->other_address == b->other_address;
}

/* One step: from `before` with what was wanted to `after`; *w goes along. */
static bool follow(const struct mesh *before, const struct mesh *after, struct wanted *w)
{
	struct wanted fresh = { 0 }, old = { 0 };
	_cleanup_plan_ struct plan whole = { 0 }, part = { 0 };
	struct wanted_change c;
	struct sn_error e;
	bool followed;

	assert_int_equal(dataplane_xfrm.want(&before->intent, &old, &e), 0);
	assert_int_equal(dataplane_xfrm.want(&after->intent, &fresh, &e), 0);
	followed = wanted_follow(&dataplane_xfrm, &after->intent, before->snapshot, w, &c);
	if (followed) {
		expect_same(&w->objects, &fresh.objects);
		plan_build(&fresh.objects, &old.objects, OBJECT_ALL_NET | OBJECT_ALL_IKE, &whole);
		plan_build(&c.come, &c.gone, OBJECT_BIT(OBJECT_ROUTE), &part);
		expect_same_plan(&part, &whole);
	} else {
		expect_same(&w->objects, &old.objects);
		assert_int_equal(c.gone.o.n + c.come.o.n, 0);
	}
	wanted_change_fini(&c);
	wanted_fini(&old);
	wanted_fini(w);
	*w = fresh;
	return followed;
}

static void walk(unsigned *ret_followed)
{
	struct world here = { .subnet = { false, true, true, true } };
	struct wanted w = { 0 };
	struct mesh meshes[2], *mesh = &meshes[0], *then = &meshes[1];
	struct sn_error e;

	make_mesh(&here, mesh);
	assert_int_equal(dataplane_xfrm.want(&mesh->intent, &w, &e), 0);
	for (int i = 0; i < STEPS; i++) {
		struct mesh *old = mesh;
		struct world next = here;
		bool followed;

		change(&next);
		make_mesh(&next, then);
		followed = follow(mesh, then, &w);
		if (only_prefixes(&here, &next))
			assert_true(followed);
		*ret_followed += followed;
		mesh_fini(mesh);
		mesh = then;
		then = old;
		here = next;
	}
	wanted_fini(&w);
	mesh_fini(mesh);
}

static void what_follows_is_what_is_made_from_nothing(void **state)
{
	unsigned followed = 0;

	(void)state;
	for (seed = 1; seed <= WALKS; seed++) {
		uint32_t before = seed;

		walk(&followed);
		seed = before;
	}
	/* most steps are of that kind, and not all are */
	assert_in_range(followed, WALKS * STEPS / 4, WALKS * STEPS - 1);
}

static void libipsec_follows_nothing(void **state)
{
	_cleanup_mesh_ struct mesh m;
	struct wanted w = { 0 };
	struct wanted_change c;
	struct sn_error e;

	(void)state;
	mesh_init(&m, 3, NULL);
	mesh_finish(&m);
	assert_int_equal(dataplane_libipsec.want(&m.intent, &w, &e), 0);
	/* its selectors have the prefixes, too */
	assert_false(wanted_follow(&dataplane_libipsec, &m.intent, m.snapshot, &w, &c));
	wanted_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_is_what_is_made_from_nothing),
		cmocka_unit_test(libipsec_follows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
