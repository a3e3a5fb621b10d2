/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sorted sets are walked side by side: only wanted is an add, only
 * observed a delete, both and unequal a change. What order the steps are
 * taken in is one number per step, from the table below.
 */
#include "plan/plan.h"

/*
 * When to come (add, change) and when to go, per kind; smaller is sooner. The
 * unreachable routes are guards, not traffic, and have a row of their own; so has what
 * lets a host keep its default route when forwarding is switched on (plan/wire.c).
 */
enum { GUARD_ROUTE = OBJECT_KINDS, ACCEPT_RA, RANKS };
static const struct {
	int come, go;
} ranks[RANKS] = {
	[OBJECT_NFT] = { 0, 41 },    [OBJECT_RULE] = { 36, 9 },      [GUARD_ROUTE] = { 1, 40 },
	[OBJECT_ROUTE] = { 35, 10 }, [OBJECT_IKE_CONN] = { 34, 11 }, [OBJECT_IKE_KEY] = { 33, 12 },
	[ACCEPT_RA] = { 29, 16 },    [OBJECT_SYSCTL] = { 31, 13 },   [OBJECT_ADDRESS] = { 32, 14 },
	[OBJECT_LINK] = { 30, 15 },
};

static const struct object *subject(const struct plan_step *s)
{
	return s->wanted ? s->wanted : s->found;
}

static bool is_accept_ra(const struct object_sysctl *s)
{
	const char *name = strrchr(s->path, '/');

	return name && streq(name, "/accept_ra");
}

static int row_of(const struct object *o)
{
	if (o->kind == OBJECT_ROUTE && o->route.unreachable)
		return GUARD_ROUTE;
	if (o->kind == OBJECT_SYSCTL && is_accept_ra(o->sysctl))
		return ACCEPT_RA;
	return (int)o->kind;
}

static int rank_of(const struct plan_step *s)
{
	int row = row_of(subject(s));

	return s->verb == PLAN_DELETE ? ranks[row].go : ranks[row].come;
}

/* Ports come after their master, whatever their names. */
static int port_cmp(const struct object *a, const struct object *b)
{
	if (a->kind != OBJECT_LINK || b->kind != OBJECT_LINK)
		return 0;
	return sn_cmp_num(a->link->master[0] != '\0', b->link->master[0] != '\0');
}

static int cmp_steps(const void *pa, const void *pb)
{
	const struct plan_step *a = pa, *b = pb;
	int c = sn_cmp_num(rank_of(a), rank_of(b));

	if (c)
		return c;
	c = port_cmp(subject(a), subject(b));
	return c ? c : object_cmp(subject(a), subject(b));
}

static void add_step(struct plan *plan, enum plan_verb verb, const struct object *found,
		     const struct object *wanted)
{
	*array_add(&plan->steps) =
		(struct plan_step){ .verb = verb, .found = found, .wanted = wanted };
}

static bool made_by_attach(const struct object *o)
{
	return o->kind == OBJECT_LINK && o->link->kind == LINK_VETH;
}

/* Some attributes are fixed when the kernel makes the thing. */
static bool changeable(const struct object *found, const struct object *wanted)
{
	return found->kind != OBJECT_LINK || (found->link->kind == wanted->link->kind &&
					      found->link->if_id == wanted->link->if_id);
}

static void add_steps(struct plan *plan, const struct object *found, const struct object *wanted)
{
	if (found && wanted && object_equal(found, wanted))
		return;
	if (found && wanted && changeable(found, wanted)) {
		add_step(plan, PLAN_CHANGE, found, wanted);
		return;
	}
	if (found && !made_by_attach(found))
		add_step(plan, PLAN_DELETE, found, NULL);
	if (wanted && !made_by_attach(wanted))
		add_step(plan, PLAN_ADD, NULL, wanted);
}

void plan_build(const struct object_set *wanted, const struct object_set *observed, unsigned known,
		struct plan *ret)
{
	size_t w = 0, f = 0;

	memset(ret, 0, sizeof(*ret));
	while (w < wanted->o.n || f < observed->o.n) {
		const struct object *want = w < wanted->o.n ? &wanted->o.v[w] : NULL;
		const struct object *found = f < observed->o.n ? &observed->o.v[f] : NULL;
		int c = !want ? 1 : !found ? -1 : object_cmp(want, found);

		w += c <= 0;
		f += c >= 0;
		if (known & OBJECT_BIT((c <= 0 ? want : found)->kind))
			add_steps(ret, c >= 0 ? found : NULL, c <= 0 ? want : NULL);
	}
	array_sort(&ret->steps, cmp_steps);
}

void plan_build_removal(const struct object_set *observed, unsigned known, struct plan *ret)
{
	memset(ret, 0, sizeof(*ret));
	array_foreach(&observed->o, o) {
		if (known & OBJECT_BIT(o->kind))
			add_step(ret, PLAN_DELETE, o, NULL);
	}
	array_sort(&ret->steps, cmp_steps);
}

void plan_fini(struct plan *plan)
{
	array_free(&plan->steps);
}

void plan_step_print(const struct plan_step *step, struct strbuf *out)
{
	switch (step->verb) {
	case PLAN_ADD:
		strbuf_adds(out, "+ ");
		object_add_text(step->wanted, out);
		break;
	case PLAN_CHANGE:
		strbuf_adds(out, "~ ");
		object_add_name(step->wanted, out);
		strbuf_adds(out, ": ");
		object_add_difference(step->found, step->wanted, out);
		break;
	case PLAN_DELETE:
		strbuf_adds(out, "- ");
		object_add_name(step->found, out);
		break;
	}
}

void plan_print(const struct plan *plan, struct strbuf *out)
{
	array_foreach(&plan->steps, s) {
		plan_step_print(s, out);
		strbuf_addc(out, '\n');
	}
}
