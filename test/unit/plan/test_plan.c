/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planner against sets at random: what it does is played on a copy of the
 * observed set. The order of real plans is in test/golden.
 */
#include "plan/plan.h"

#include "mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ALL (OBJECT_ALL_NET | OBJECT_ALL_IKE)
#define SEED 20261123u
#define ROUNDS 300

static uint32_t dice;

static unsigned roll(unsigned sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 16) % sides;
}

static void roll_link(struct object_link *l, unsigned key)
{
	static const enum link_kind kinds[] = { LINK_BRIDGE, LINK_XFRM, LINK_VETH };

	snprintf(l->name, sizeof(l->name), "sn%u", key);
	/* a veth keeps its name to itself, as "snv…" does */
	l->kind = key == 0 ? LINK_VETH : kinds[roll(2)];
	l->mtu = 1400 + (int)roll(2);
	l->if_id = l->kind == LINK_XFRM ? 1 + roll(2) : 0;
}

/* One of few keys, one of few values. */
static void roll_object(struct object *o, unsigned key)
{
	switch (o->kind) {
	case OBJECT_NFT:
		snprintf(o->nft.name, sizeof(o->nft.name), "t%u", key);
		o->nft.text = xasprintf("%u", roll(2));
		break;
	case OBJECT_RULE:
		snprintf(o->rule->tag, sizeof(o->rule->tag), "r%u", key);
		break;
	case OBJECT_SYSCTL:
		snprintf(o->sysctl->path, sizeof(o->sysctl->path), "s%u", key);
		snprintf(o->sysctl->value, sizeof(o->sysctl->value), "%u", roll(2));
		break;
	case OBJECT_LINK:
		roll_link(o->link, key);
		break;
	case OBJECT_ADDRESS:
		snprintf(o->address.ifname, IFNAMSIZ, "sn%u", key);
		break;
	case OBJECT_ROUTE:
		o->route.metric = key;
		o->route.unreachable = key == 0;
		snprintf(o->route.oif, IFNAMSIZ, "sn%u", roll(2));
		break;
	case OBJECT_IKE_KEY:
		snprintf(o->key->id, sizeof(o->key->id), "k%u", key);
		o->key->order = roll(2);
		break;
	case OBJECT_IKE_CONN:
		snprintf(o->conn->name, sizeof(o->conn->name), "c%u", key);
		snprintf(o->conn->child, sizeof(o->conn->child), "net-%u", roll(2));
		*array_add(&o->conn->local_ts) = (struct sn_prefix){ .len = (uint8_t)key };
		break;
	case OBJECT_KINDS:
		break;
	}
}

static void roll_set(struct object_set *set)
{
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		for (unsigned key = 0; key < 4; key++) {
			if (roll(3))
				roll_object(object_set_add(set, (enum object_kind)kind), key);
		}
	}
	object_set_sort(set);
}

static bool is_veth(const struct object *o)
{
	return o->kind == OBJECT_LINK && o->link->kind == LINK_VETH;
}

static size_t index_of(const struct object_set *set, const struct object *like)
{
	size_t i = 0;

	while (i < set->o.n && object_cmp(&set->o.v[i], like) != 0)
		i++;
	return i;
}

static void take_out(struct object_set *world, const struct object *o)
{
	size_t i = index_of(world, o);

	assert_true(i < world->o.n);
	object_fini(&world->o.v[i]);
	array_remove(&world->o, i);
}

static void put_in(struct object_set *world, const struct object *o)
{
	assert_int_equal(index_of(world, o), world->o.n);
	object_copy(o, array_add(&world->o));
}

static void play(const struct plan *plan, struct object_set *world)
{
	array_foreach(&plan->steps, s) {
		if (s->verb != PLAN_ADD)
			take_out(world, s->found);
		if (s->verb != PLAN_DELETE)
			put_in(world, s->wanted);
	}
	object_set_sort(world);
}

static void copy_set(const struct object_set *set, struct object_set *ret)
{
	array_foreach(&set->o, o)
		object_copy(o, array_add(&ret->o));
}

/* Veths aside, which plans neither make nor delete. */
static void expect_same(const struct object_set *world, const struct object_set *wanted)
{
	array_foreach(&world->o, o) {
		const struct object *w = object_set_find(wanted, o);

		assert_true(is_veth(o) || (w && object_equal(o, w)));
	}
	array_foreach(&wanted->o, o)
		assert_true(is_veth(o) || object_set_find(world, o));
}

static void playing_a_plan_makes_what_is_wanted(void **state)
{
	(void)state;
	dice = SEED;
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 },
						       world = { 0 };
		_cleanup_plan_ struct plan plan = { 0 }, second = { 0 };

		roll_set(&wanted);
		roll_set(&observed);
		copy_set(&observed, &world);
		plan_build(&wanted, &observed, ALL, &plan);
		play(&plan, &world);
		expect_same(&world, &wanted);
		plan_build(&wanted, &world, ALL, &second);
		assert_int_equal(second.steps.n, 0);
	}
}

static bool is_guard(const struct plan_step *s)
{
	const struct object *o = s->wanted ? s->wanted : s->found;

	return o->kind == OBJECT_NFT || (o->kind == OBJECT_ROUTE && o->route.unreachable);
}

/* In any plan: what keeps packets in is made before all else, and taken away after it. */
static void the_guard_comes_first_and_goes_last(void **state)
{
	(void)state;
	dice = SEED;
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 };
		_cleanup_plan_ struct plan plan = { 0 };
		size_t n = 0;

		roll_set(&wanted);
		roll_set(&observed);
		plan_build(&wanted, &observed, ALL, &plan);
		while (n < plan.steps.n && is_guard(&plan.steps.v[n]) &&
		       plan.steps.v[n].verb != PLAN_DELETE)
			n++;
		while (n < plan.steps.n && !is_guard(&plan.steps.v[n]))
			n++;
		while (n < plan.steps.n && is_guard(&plan.steps.v[n]) &&
		       plan.steps.v[n].verb == PLAN_DELETE)
			n++;
		assert_int_equal(n, plan.steps.n);
	}
}

static void unknown_kinds_get_no_step(void **state)
{
	(void)state;
	dice = SEED;
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 };
		_cleanup_plan_ struct plan plan = { 0 };
		unsigned known = roll(1u << OBJECT_KINDS);

		roll_set(&wanted);
		roll_set(&observed);
		plan_build(&wanted, &observed, known, &plan);
		array_foreach(&plan.steps, s)
			assert_true(known & OBJECT_BIT((s->wanted ? s->wanted : s->found)->kind));
	}
}

static void shuffle(struct object_set *set)
{
	for (size_t i = set->o.n; i > 1; i--) {
		size_t j = roll((unsigned)i);
		struct object o = set->o.v[i - 1];

		set->o.v[i - 1] = set->o.v[j];
		set->o.v[j] = o;
	}
}

static char *print_plan(const struct object_set *wanted, const struct object_set *observed)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct strbuf b = STRBUF_INIT;

	plan_build(wanted, observed, ALL, &plan);
	strbuf_adds(&b, "");
	plan_print(&plan, &b);
	return strbuf_steal(&b);
}

static void the_order_things_were_added_in_does_not_matter(void **state)
{
	(void)state;
	dice = SEED;
	for (int i = 0; i < ROUNDS / 10; i++) {
		_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 };
		_cleanup_free_ char *before = NULL, *after = NULL;

		roll_set(&wanted);
		roll_set(&observed);
		before = print_plan(&wanted, &observed);
		shuffle(&wanted);
		shuffle(&observed);
		object_set_sort(&wanted);
		object_set_sort(&observed);
		after = print_plan(&wanted, &observed);
		assert_string_equal(before, after);
	}
}

static void a_plan_never_makes_or_deletes_a_veth(void **state)
{
	(void)state;
	dice = SEED;
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 };
		_cleanup_plan_ struct plan plan = { 0 };

		roll_set(&wanted);
		roll_set(&observed);
		plan_build(&wanted, &observed, ALL, &plan);
		array_foreach(&plan.steps, s)
			assert_true(s->verb == PLAN_CHANGE ||
				    !is_veth(s->wanted ? s->wanted : s->found));
	}
}

static void add_link(struct object_set *set, const char *name, enum link_kind kind,
		     const char *master, uint32_t if_id)
{
	struct object_link *l = object_set_add(set, OBJECT_LINK)->link;

	strcpy(l->name, name);
	strcpy(l->master, master);
	l->kind = kind;
	l->if_id = if_id;
	l->mtu = 1400;
}

static void a_bridge_comes_before_its_ports_whatever_the_names(void **state)
{
	_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_link(&wanted, "snz", LINK_BRIDGE, "", 0);
	add_link(&wanted, "snv1", LINK_VETH, "snz", 0);
	add_link(&observed, "snv1", LINK_VETH, "", 0);
	object_set_sort(&wanted);
	text = print_plan(&wanted, &observed);
	assert_string_equal(text, "+ link snz bridge mtu 1400 down\n"
				  "~ link snv1: master none instead of snz\n");
}

static void add_sysctl(struct object_set *set, const char *path, const char *value)
{
	struct object_sysctl *o = object_set_add(set, OBJECT_SYSCTL)->sysctl;

	strcpy(o->path, path);
	strcpy(o->value, value);
}

/*
 * With accept_ra=1 the kernel takes a device's default route out when forwarding is switched on.
 * By their names the settings would come in between.
 */
static void a_host_hears_its_router_for_as_long_as_it_forwards(void **state)
{
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };
	_cleanup_free_ char *come = NULL, *go = NULL;

	(void)state;
	add_sysctl(&wanted, "net/ipv6/conf/aa0/accept_ra", "2");
	add_sysctl(&wanted, "net/ipv6/conf/all/forwarding", "1");
	add_sysctl(&wanted, "net/ipv6/conf/eth0/accept_ra", "2");
	object_set_sort(&wanted);
	come = print_plan(&wanted, &none);
	assert_string_equal(come, "+ sysctl net/ipv6/conf/aa0/accept_ra = 2\n"
				  "+ sysctl net/ipv6/conf/eth0/accept_ra = 2\n"
				  "+ sysctl net/ipv6/conf/all/forwarding = 1\n");
	go = print_plan(&none, &wanted);
	assert_string_equal(go, "- sysctl net/ipv6/conf/all/forwarding\n"
				"- sysctl net/ipv6/conf/aa0/accept_ra\n"
				"- sysctl net/ipv6/conf/eth0/accept_ra\n");
}

static void a_link_with_another_number_is_made_anew(void **state)
{
	_cleanup_object_set_ struct object_set wanted = { 0 }, observed = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_link(&wanted, "snx1", LINK_XFRM, "", 1);
	add_link(&observed, "snx1", LINK_XFRM, "", 2);
	text = print_plan(&wanted, &observed);
	assert_string_equal(text, "- link snx1\n+ link snx1 xfrm if_id 1 mtu 1400 down\n");
}

static void a_removal_takes_all_and_the_guard_last(void **state)
{
	_cleanup_object_set_ struct object_set observed = { 0 };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_plan_ struct plan plan = { 0 };
	struct object_route *r;

	(void)state;
	strcpy(object_set_add(&observed, OBJECT_NFT)->nft.name, "sennit");
	add_link(&observed, "snv1", LINK_VETH, "snbr0", 0);
	add_link(&observed, "snbr0", LINK_BRIDGE, "", 0);
	r = &object_set_add(&observed, OBJECT_ROUTE)->route;
	r->dst.addr.family = AF_INET;
	r->table = 254;
	r->unreachable = true;
	object_set_sort(&observed);
	plan_build_removal(&observed, OBJECT_ALL_NET & ~OBJECT_BIT(OBJECT_SYSCTL), &plan);
	plan_print(&plan, &text);
	assert_string_equal(strbuf_str(&text), "- link snbr0\n- link snv1\n- route 0.0.0.0/0\n"
					       "- table  sennit\n");
	plan_fini(&plan);
	plan_build_removal(&observed, OBJECT_BIT(OBJECT_ROUTE), &plan);
	assert_int_equal(plan.steps.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(playing_a_plan_makes_what_is_wanted),
		cmocka_unit_test(the_guard_comes_first_and_goes_last),
		cmocka_unit_test(unknown_kinds_get_no_step),
		cmocka_unit_test(the_order_things_were_added_in_does_not_matter),
		cmocka_unit_test(a_plan_never_makes_or_deletes_a_veth),
		cmocka_unit_test(a_bridge_comes_before_its_ports_whatever_the_names),
		cmocka_unit_test(a_host_hears_its_router_for_as_long_as_it_forwards),
		cmocka_unit_test(a_link_with_another_number_is_made_anew),
		cmocka_unit_test(a_removal_takes_all_and_the_guard_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
