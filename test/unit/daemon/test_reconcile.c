/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reconcile loop against a kernel of our own: a set of objects, and what
 * it says to reading and applying; and against a charon that is not there,
 * hangs, or answers.
 *
 * The kernel is asked in a thread: `lock` guards what that reads and writes.
 */
#include "daemon/reconcile.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define LIMIT_MS 10000
#define FOREIGN "10.42.9.0/24" /* a route that the kernel refuses */
#define REFUSED "sennit-a"     /* a connection that charon refuses */

struct world {
	struct loop *loop;
	struct reconcile *r;
	struct wanted wanted;
	struct reconcile_news news; /* told once */
	struct object_set kernel;
	unsigned unknown; /* kinds that cannot be read */
	const char *failure;
	unsigned kernel_looks;
	unsigned around_looks;
	bool held_around;    /* a look around does not end */
	bool held;           /* a look at the kernel does not end */
	unsigned turns;      /* of the timer, while it is */
	bool refuses_tables; /* nftables is there, but not what the guard needs */
	bool refuses_ip;     /* nor what tables of the family ip need, which are no guard */
	bool charon_hangs;   /* it is asked and does not answer */
	bool charon_answers;
	bool charon_blind; /* its answer is that it cannot tell what it has */
	struct object_set charon;
	unsigned looks;               /* at charon */
	unsigned orders;              /* to charon */
	struct loop_deferred *answer; /* to these: */
	ike_observed_fn observed;
	void *observer;
	ike_done_fn done;
	void *orderer;
	int result;        /* of the order */
	bool asked_within; /* somebody asks for looks at charon all the time */
	unsigned tries;    /* of FOREIGN */
	unsigned others;   /* objects made that are no guard */
	bool flush_within; /* somebody attaches when a look has begun, once */
	unsigned flushes;
	bool other_within;   /* what is wanted is another thing than was looked around for, once */
	bool preview_within; /* somebody previews when a look around has begun, once */
	int previewed;       /* what that was told */
	struct loop_deferred *preview;
	struct loop_deferred *flush;
	bool (*until)(struct world *w);
	int64_t limit;
	struct loop_timer *look;
};
static struct world w;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;

/* --- stand-ins --------------------------------------------------------------- */

/* As for a kernel whose lock somebody else has. */
static void wait_while(const bool *held)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += LIMIT_MS / 1000;
	pthread_mutex_lock(&lock);
	while (*held && pthread_cond_timedwait(&released, &lock, &limit) == 0)
		;
	pthread_mutex_unlock(&lock);
}

void net_observe(struct net *net, const struct object_set *also, struct object_set *ret,
		 unsigned *ret_known)
{
	(void)net;
	(void)also;
	pthread_mutex_lock(&lock);
	w.kernel_looks++;
	*ret_known = OBJECT_ALL_NET & ~w.unknown;
	w.failure = w.unknown ? "table: nftables is not there" : "";
	array_foreach(&w.kernel.o, o)
		if (*ret_known & OBJECT_BIT(o->kind))
			object_set_add_copy(ret, o);
	pthread_mutex_unlock(&lock);
	object_set_sort(ret);
	wait_while(&w.held);
}

const char *net_last_failure(const struct net *net)
{
	(void)net;
	return w.failure;
}

static int apply(const struct object *o, struct sn_error *e)
{
	if (o->kind == OBJECT_ROUTE && streq(SN_PREFIX_STR(&o->route.dst), FOREIGN)) {
		w.tries++;
		return sn_error_set(e, -EEXIST, "others have a route there");
	}
	if (o->kind == OBJECT_NFT && w.refuses_tables)
		return sn_error_set(e, -EOPNOTSUPP, "no fib expression");
	if (o->kind == OBJECT_NFT && !object_is_guard(o) && w.refuses_ip)
		return sn_error_set(e, -EOPNOTSUPP, "no tproxy expression");
	w.others += !object_is_guard(o);
	object_set_add_copy(&w.kernel, o);
	return 0;
}

int net_apply(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	int r;

	(void)net;
	assert_int_equal(step->verb, PLAN_ADD);
	pthread_mutex_lock(&lock);
	r = apply(step->wanted, e);
	pthread_mutex_unlock(&lock);
	return r;
}

void net_apply_end(struct net *net)
{
	(void)net;
}

bool ike_is_online(const struct ike *ike)
{
	(void)ike;
	return w.charon_hangs || w.charon_answers;
}

void ike_observe(struct ike *ike, ike_observed_fn fn, void *user)
{
	(void)ike;
	assert_true(w.charon_hangs || w.charon_answers);
	if (w.charon_hangs)
		return;
	w.looks++;
	w.observed = fn;
	w.observer = user;
	loop_deferred_schedule(w.answer);
}

void ike_apply(struct ike *ike, const struct plan_step *step, ike_done_fn fn, void *user)
{
	(void)ike;
	assert_true(w.charon_answers);
	assert_int_equal(step->verb, PLAN_ADD);
	w.orders++;
	w.result = streq(step->wanted->conn->name, REFUSED) ? -EINVAL : 0;
	if (w.result == 0)
		object_set_add_copy(&w.charon, step->wanted);
	w.done = fn;
	w.orderer = user;
	loop_deferred_schedule(w.answer);
}

static void tell_what_charon_has(ike_observed_fn observed)
{
	struct object_set set = { 0 };

	array_foreach(&w.charon.o, o)
		if (!w.charon_blind)
			object_set_add_copy(&set, o);
	observed(!w.charon_blind, &set, w.observer);
}

static void on_answer(void *user)
{
	ike_observed_fn observed = sn_steal(w.observed);
	ike_done_fn done = sn_steal(w.done);
	struct sn_error e = { 0 };

	(void)user;
	if (w.result < 0)
		sn_error_set(&e, w.result, "charon does not want it");
	if (observed)
		tell_what_charon_has(observed);
	if (done)
		done(w.result, &e, w.orderer);
}

static bool hook_prepare(void *user)
{
	(void)user;
	if (w.preview_within)
		loop_deferred_schedule(w.preview);
	return true;
}

static void hook_look_around(void *user)
{
	(void)user;
	pthread_mutex_lock(&lock);
	w.around_looks++;
	pthread_mutex_unlock(&lock);
	wait_while(&w.held_around);
}

static const struct wanted *hook_wanted(void *user, struct reconcile_news *ret_news)
{
	(void)user;
	if (w.other_within) {
		w.other_within = false;
		reconcile_wanted_changed(w.r);
		return NULL;
	}
	*ret_news = w.news;
	w.news = (struct reconcile_news){ 0 };
	if (w.flush_within)
		loop_deferred_schedule(w.flush);
	return &w.wanted;
}

static struct ike *hook_ike(void *user)
{
	(void)user;
	return w.charon_hangs || w.charon_answers ? (struct ike *)&w : NULL;
}

static void hook_settled(void *user)
{
	(void)user;
}

static void on_flush(void *user)
{
	(void)user;
	if (!w.flush_within)
		return;
	w.flush_within = false;
	w.flushes++;
	reconcile_flush(w.r);
	assert_true(w.kernel.o.n == w.wanted.objects.o.n);
}

static void on_preview(void *user)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct sn_error e;
	size_t steps;

	(void)user;
	w.preview_within = false;
	w.previewed = reconcile_preview(w.r, &text, &steps, &e);
}

/* --- fixture ----------------------------------------------------------------- */

static void want_route(const char *dst, bool unreachable)
{
	struct object_route *route = &object_set_add(&w.wanted.objects, OBJECT_ROUTE)->route;

	assert_int_equal(sn_prefix_parse(dst, &route->dst), 0);
	route->table = RT_TABLE_MAIN;
	route->metric = unreachable ? SENNIT_UNREACHABLE_METRIC : 0;
	route->unreachable = unreachable;
	snprintf(route->oif, sizeof(route->oif), "%s", unreachable ? "" : "ipsec0");
}

static void add_table(struct object_set *set, const char *family)
{
	struct object_nft *table = &object_set_add(set, OBJECT_NFT)->nft;

	snprintf(table->family, sizeof(table->family), "%s", family);
	snprintf(table->name, sizeof(table->name), "sennit");
	table->text = xasprintf("table %s sennit {\n}\n", family);
}

static void want_guard(void)
{
	add_table(&w.wanted.objects, "inet");
	want_route("10.42.0.0/16", true);
}

static void want_conn(struct object_set *set, const char *name)
{
	struct object_ike_conn *conn = object_set_add(set, OBJECT_IKE_CONN)->conn;

	snprintf(conn->name, sizeof(conn->name), "%s", name);
}

static void look(void *user)
{
	bool is_so;

	(void)user;
	if (w.asked_within)
		reconcile_request(w.r, OBJECT_ALL_IKE, false);
	pthread_mutex_lock(&lock);
	w.turns += w.held;
	is_so = w.until(&w);
	pthread_mutex_unlock(&lock);
	if (is_so || sn_now_ms() > w.limit)
		loop_stop(w.loop);
	else
		loop_timer_set(w.look, 5);
}

/* Runs until it is so; the time it took. */
static int64_t run_until(bool (*until)(struct world *w))
{
	int64_t start = sn_now_ms();

	w.until = until;
	w.limit = start + LIMIT_MS;
	loop_timer_set(w.look, 0);
	loop_run(w.loop);
	pthread_mutex_lock(&lock);
	assert_true(until(&w));
	pthread_mutex_unlock(&lock);
	return sn_now_ms() - start;
}

static int setup(void **state)
{
	const struct reconcile_hooks hooks = { hook_prepare, hook_look_around, hook_wanted,
					       hook_ike,     hook_settled,     NULL };

	(void)state;
	w = (struct world){ .loop = loop_new() };
	w.look = loop_timer_new(w.loop, look, NULL);
	w.answer = loop_deferred_new(w.loop, on_answer, NULL);
	w.flush = loop_deferred_new(w.loop, on_flush, NULL);
	w.preview = loop_deferred_new(w.loop, on_preview, NULL);
	w.r = reconcile_new(w.loop, NULL, &hooks);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reconcile_free(w.r);
	loop_timer_free(w.look);
	loop_deferred_free(w.answer);
	loop_deferred_free(w.flush);
	loop_deferred_free(w.preview);
	loop_free(w.loop);
	wanted_fini(&w.wanted);
	object_set_fini(&w.kernel);
	object_set_fini(&w.charon);
	return 0;
}

static void begin(void)
{
	object_set_sort(&w.wanted.objects);
	reconcile_request(w.r, OBJECT_ALL_NET | OBJECT_ALL_IKE, true);
}

static bool has_table(struct world *world)
{
	array_foreach(&world->kernel.o, o)
		if (o->kind == OBJECT_NFT)
			return true;
	return false;
}

/* Counted a turn of the loop after the kernel has it. */
static bool has_repaired(struct world *world)
{
	return reconcile_get_status(world->r)->repairs == 1;
}

static bool tried_often(struct world *world)
{
	return world->tries >= 4;
}

static bool tried_twice(struct world *world)
{
	return world->tries >= 2;
}

static bool passed_twice(struct world *world)
{
	return reconcile_get_status(world->r)->passes >= 2;
}

static bool looked_twice(struct world *world)
{
	return world->looks >= 2 && !world->observed;
}

static bool turned_often(struct world *world)
{
	return world->turns >= 20;
}

static bool has_conn(struct world *world)
{
	return world->charon.o.n > 0;
}

static bool is_looking(struct world *world)
{
	return world->kernel_looks > 0;
}

static bool looked_once_more(struct world *world)
{
	return world->kernel_looks > 1 && reconcile_get_status(world->r)->settled;
}

static bool is_around(struct world *world)
{
	return world->around_looks > 0;
}

static void hold(bool *what, bool held)
{
	pthread_mutex_lock(&lock);
	*what = held;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&lock);
}

/* As `nft flush ruleset` does. */
static void flush_tables(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = w.kernel.o.n; i-- > 0;)
		if (w.kernel.o.v[i].kind == OBJECT_NFT) {
			object_fini(&w.kernel.o.v[i]);
			array_remove(&w.kernel.o, i);
		}
	pthread_mutex_unlock(&lock);
	reconcile_request(w.r, OBJECT_BIT(OBJECT_NFT), false);
}

/* --- tests ------------------------------------------------------------------- */

static void a_flushed_guard_does_not_wait_for_an_object_that_fails(void **state)
{
	(void)state;
	want_guard();
	want_route(FOREIGN, false);
	begin();
	/* the tries are two seconds apart by now */
	run_until(tried_often);
	assert_true(has_table(&w));
	flush_tables();
	/* and it is somebody's doing, whatever else is not done yet */
	assert_true(run_until(has_repaired) < 1000);
	assert_true(has_table(&w));
}

/* What is being looked at is not what the kernel has by now, nor is what is wanted. */
static void what_was_changed_ahead_of_a_pass_is_not_undone_by_it(void **state)
{
	uint64_t changes;
	size_t tables;

	(void)state;
	want_guard();
	add_table(&w.wanted.objects, "ip");
	object_set_sort(&w.wanted.objects);
	begin();
	run_until(passed_twice);
	changes = reconcile_get_status(w.r)->changes;
	/* the look does not find it */
	hold(&w.held, true);
	w.kernel_looks = 0;
	flush_tables();
	run_until(is_looking);
	array_foreach(&w.wanted.objects.o, o)
		if (o->kind == OBJECT_NFT)
			object_set_add_copy(&w.kernel, o);
	reconcile_overtaken(w.r, OBJECT_BIT(OBJECT_NFT));
	tables = w.kernel.o.n;
	hold(&w.held, false);
	run_until(looked_once_more);
	assert_int_equal(reconcile_get_status(w.r)->changes, changes);
	assert_int_equal(w.kernel.o.n, tables);
}

static bool has_a_route(struct world *world)
{
	array_foreach(&world->kernel.o, o)
		if (o->kind == OBJECT_ROUTE && !o->route.unreachable)
			return true;
	return false;
}

/* What it needs of nftables is none of the guard's business. */
static void without_a_table_that_is_no_guard_the_rest_is_made(void **state)
{
	(void)state;
	w.refuses_ip = true;
	want_guard();
	add_table(&w.wanted.objects, "ip");
	want_route("10.42.9.0/25", false);
	begin();
	run_until(has_a_route);
}

static void a_flushed_guard_does_not_wait_for_a_charon_that_hangs(void **state)
{
	(void)state;
	w.charon_hangs = true;
	want_guard();
	begin();
	run_until(passed_twice);
	flush_tables();
	assert_true(run_until(has_table) < 1000);
}

static void what_failed_is_tried_again_though_others_asked_for_less(void **state)
{
	(void)state;
	w.asked_within = true;
	want_guard();
	want_route(FOREIGN, false);
	begin();
	run_until(tried_twice);
	assert_int_not_equal(reconcile_get_status(w.r)->failing_since_ms, 0);
}

static void nothing_is_made_before_the_guard_stands(void **state)
{
	(void)state;
	w.refuses_tables = true;
	want_guard();
	want_route("10.42.2.0/24", false);
	begin();
	run_until(passed_twice);
	assert_int_equal(w.others, 0);
	assert_true(reconcile_get_status(w.r)->guard_missing);
	w.refuses_tables = false;
	run_until(has_table);
	run_until(passed_twice);
	assert_int_equal(w.others, 1);
}

static void a_guard_that_cannot_be_read_is_missing_and_told(void **state)
{
	(void)state;
	w.unknown = OBJECT_BIT(OBJECT_NFT);
	want_guard();
	want_route("10.42.2.0/24", false);
	begin();
	run_until(passed_twice);
	assert_int_equal(w.others, 0);
	assert_true(reconcile_get_status(w.r)->guard_missing);
	assert_non_null(strstr(reconcile_get_status(w.r)->unread, "nftables is not there"));
}

static void an_object_that_fails_keeps_no_other_from_being_made(void **state)
{
	(void)state;
	want_guard();
	want_route(FOREIGN, false);
	want_route("10.42.99.0/24", false);
	begin();
	run_until(tried_twice);
	assert_int_equal(w.others, 1);
}

static void a_peer_that_charon_refuses_keeps_no_other_from_its_tunnel(void **state)
{
	(void)state;
	w.charon_answers = true;
	want_guard();
	want_conn(&w.wanted.objects, REFUSED);
	want_conn(&w.wanted.objects, "sennit-b");
	begin();
	run_until(has_conn);
	assert_string_equal(w.charon.o.v[0].conn->name, "sennit-b");
}

static void a_charon_that_cannot_tell_what_it_has_is_left_as_it_is(void **state)
{
	(void)state;
	w.charon_answers = w.charon_blind = true;
	want_guard();
	want_conn(&w.wanted.objects, "sennit-b");
	want_conn(&w.charon, "sennit-z");
	begin();
	run_until(looked_twice);
	assert_int_equal(w.orders, 0);
}

/* A look that has begun is of a time before what is to be answered. */
static void a_flush_within_a_look_does_all_at_once(void **state)
{
	(void)state;
	want_guard();
	begin();
	w.flush_within = true;
	run_until(has_table);
	assert_int_equal(w.flushes, 1);
	/* nothing that was to be looked at is forgotten */
	run_until(passed_twice);
	assert_false(reconcile_get_status(w.r)->guard_missing);
}

/* Somebody takes a namespace with many devices apart: seconds. */
static void the_loop_turns_while_the_kernel_makes_wait(void **state)
{
	(void)state;
	want_guard();
	hold(&w.held, true);
	begin();
	run_until(is_looking);
	run_until(turned_often);
	assert_false(has_table(&w));
	hold(&w.held, false);
	run_until(has_table);
}

/* An address may have come behind the moment at which it was asked for. */
static void what_changes_within_a_look_around_is_looked_at(void **state)
{
	(void)state;
	want_guard();
	begin();
	run_until(passed_twice);
	w.around_looks = 0;
	hold(&w.held_around, true);
	reconcile_request(w.r, OBJECT_BIT(OBJECT_ADDRESS), false);
	run_until(is_around);
	reconcile_request(w.r, OBJECT_BIT(OBJECT_ADDRESS), false);
	hold(&w.held_around, false);
	w.around_looks = 0;
	/* not only when the next look of all is due */
	assert_true(run_until(is_around) < RECONCILE_IKE_MS / 2);
}

/* As when the metadata tell of IPv6 meanwhile: who hears advertisements was not asked then. */
static void what_is_wanted_anew_is_looked_around_for(void **state)
{
	(void)state;
	want_guard();
	begin();
	run_until(passed_twice);
	flush_tables();
	w.around_looks = 0;
	w.other_within = true;
	/* and what was asked for is not forgotten */
	assert_true(run_until(has_table) < RECONCILE_IKE_MS / 2);
	assert_true(w.around_looks >= 2);
}

static bool has_not_read(struct world *world)
{
	return reconcile_get_status(world->r)->unread[0] != '\0';
}

static void a_preview_says_what_is_not_known(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct sn_error e;
	size_t steps;

	(void)state;
	want_guard();
	w.preview_within = true;
	begin();
	run_until(passed_twice);
	assert_int_equal(w.previewed, -EAGAIN);
	w.unknown = OBJECT_BIT(OBJECT_NFT);
	assert_int_equal(reconcile_preview(w.r, &text, &steps, &e), 0);
	assert_int_equal(steps, 0);
	assert_string_equal(strbuf_str(&text),
			    "not known: what the kernel has (table: nftables is not there)\n"
			    "not known: what charon has, which has not told it\n");
}

static void a_preview_hides_no_failure_from_a_pass(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct sn_error e;
	size_t steps;

	(void)state;
	want_guard();
	begin();
	run_until(passed_twice);
	w.kernel_looks = 0;
	w.unknown = OBJECT_BIT(OBJECT_NFT);
	hold(&w.held, true);
	reconcile_request(w.r, OBJECT_BIT(OBJECT_ADDRESS), false);
	run_until(is_looking);
	w.unknown = 0;
	hold(&w.held, false);
	assert_int_equal(reconcile_preview(w.r, &text, &steps, &e), 0);
	run_until(has_not_read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_changed_ahead_of_a_pass_is_not_undone_by_it, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_table_that_is_no_guard_the_rest_is_made,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_flushed_guard_does_not_wait_for_an_object_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_flushed_guard_does_not_wait_for_a_charon_that_hangs, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_failed_is_tried_again_though_others_asked_for_less, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_made_before_the_guard_stands, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_guard_that_cannot_be_read_is_missing_and_told,
						setup, teardown),
		cmocka_unit_test_setup_teardown(an_object_that_fails_keeps_no_other_from_being_made,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_peer_that_charon_refuses_keeps_no_other_from_its_tunnel, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_charon_that_cannot_tell_what_it_has_is_left_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_within_a_look_does_all_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_loop_turns_while_the_kernel_makes_wait, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_wanted_anew_is_looked_around_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_preview_says_what_is_not_known, setup, teardown),
		cmocka_unit_test_setup_teardown(a_preview_hides_no_failure_from_a_pass, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_changes_within_a_look_around_is_looked_at,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
