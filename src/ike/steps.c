/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations under way wait in one list. One that needs no answer any more
 * (refused, or its connection is gone) is marked over and ended by a deferred
 * call, one a turn; a callback may free everything.
 */
#include "ike/steps.h"

#include "ike/conn.h"

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>

struct operation {
	TAILQ_ENTRY(operation) link;
	struct steps *all;
	unsigned pending; /* answers to come */
	bool over;
	int result;
	struct sn_error e;
	struct object_set set;
	ike_observed_fn observed; /* one of the two */
	ike_done_fn done;
	void *user;
};

struct steps {
	struct steps_settings settings;
	struct loop_deferred *ender;
	TAILQ_HEAD(, operation) operations;
};

static void operation_free(struct operation *op)
{
	object_set_fini(&op->set);
	free(op);
}

/* charon lists nothing twice; but the set must not, whatever it says. */
static void sort_and_unite(struct object_set *set)
{
	size_t kept = 0;

	array_sort(&set->o, (int (*)(const void *, const void *))object_cmp);
	for (size_t i = 0; i < set->o.n; i++) {
		if (kept > 0 && object_cmp(&set->o.v[kept - 1], &set->o.v[i]) == 0)
			object_fini(&set->o.v[i]);
		else
			set->o.v[kept++] = set->o.v[i];
	}
	set->o.n = kept;
}

static void finish(struct operation *op)
{
	TAILQ_REMOVE(&op->all->operations, op, link);
	if (op->observed) {
		if (op->result < 0)
			object_set_fini(&op->set);
		sort_and_unite(&op->set);
		op->observed(op->result == 0, &op->set, op->user);
		memset(&op->set, 0, sizeof(op->set)); /* it is the callee's */
	} else {
		op->done(op->result, &op->e, op->user);
	}
	operation_free(op);
}

static void end_one(void *user)
{
	struct steps *s = user;
	struct operation *op, *over = NULL;

	TAILQ_FOREACH(op, &s->operations, link)
	{
		if (!op->over)
			continue;
		if (over) {
			loop_deferred_schedule(s->ender);
			break;
		}
		over = op;
	}
	if (over)
		finish(over);
}

struct steps *steps_new(struct loop *loop, const struct steps_settings *settings)
{
	struct steps *s = xcalloc(1, sizeof(*s));

	s->settings = *settings;
	s->ender = loop_deferred_new(loop, end_one, s);
	TAILQ_INIT(&s->operations);
	return s;
}

void steps_free(struct steps *s)
{
	struct operation *op;

	if (!s)
		return;
	while ((op = TAILQ_FIRST(&s->operations))) {
		TAILQ_REMOVE(&s->operations, op, link);
		operation_free(op);
	}
	loop_deferred_free(s->ender);
	free(s);
}

void steps_set_secrets(struct steps *s, const struct secrets *secrets)
{
	s->settings.secrets = secrets;
}

static struct operation *operation_new(struct steps *s, void *user)
{
	struct operation *op = xcalloc(1, sizeof(*op));

	op->all = s;
	op->user = user;
	TAILQ_INSERT_TAIL(&s->operations, op, link);
	return op;
}

static void set_over(struct operation *op)
{
	op->over = true;
	loop_deferred_schedule(op->all->ender);
}

static void refuse(struct operation *op, int result, const char *why)
{
	if (op->result == 0)
		op->result = sn_error_set(&op->e, result, "%s", why);
	set_over(op);
}

void steps_fail(struct steps *s, const char *why)
{
	struct operation *op;

	TAILQ_FOREACH(op, &s->operations, link)
	if (!op->over)
		refuse(op, -ECONNRESET, why);
}

static void answered(struct operation *op, int result, const char *why)
{
	if (result < 0 && op->result == 0)
		op->result = sn_error_set(&op->e, result, "%s", why);
	if (--op->pending == 0)
		finish(op);
}

static void on_reply(int result, const struct vici_node *reply, void *user)
{
	struct sn_error e = { 0 };

	if (result < 0)
		sn_error_set(&e, result, "charon: %s", sn_strerror(result));
	else
		result = vici_reply_error(reply, &e);
	answered(user, result, e.text);
}

/* For what is as good when there was nothing to do: charon's "no" is no error. */
static void on_indifferent_reply(int result, const struct vici_node *reply, void *user)
{
	(void)reply;
	answered(user, result, "charon does not answer");
}

static void call(struct operation *op, struct vici *vici, const char *command,
		 struct vici_writer *w, vici_done_fn done)
{
	op->pending++;
	vici_call(vici, command, w, NULL, 0, NULL, done, op);
}

/* --- observe ----------------------------------------------------------------- */

static void on_keys(int result, const struct vici_node *reply, void *user)
{
	struct operation *op = user;

	if (result == 0)
		conn_read_keys(reply, &op->set);
	on_indifferent_reply(result, reply, op);
}

static void on_conn(const struct vici_node *item, void *user)
{
	struct operation *op = user;

	conn_read(item, &op->set);
}

void steps_observe(struct steps *s, struct vici *vici, ike_observed_fn fn, void *user)
{
	struct operation *op = operation_new(s, user);

	op->observed = fn;
	if (!vici) {
		refuse(op, -ENOTCONN, "charon is away");
		return;
	}
	op->pending = 2;
	vici_call(vici, "get-shared", NULL, NULL, 0, NULL, on_keys, op);
	vici_call(vici, "list-conns", NULL, "list-conn", 0, on_conn, on_indifferent_reply, op);
}

/* --- apply ------------------------------------------------------------------- */

static void load_key(struct operation *op, struct vici *vici, const struct object_ike_key *key)
{
	const struct steps_settings *set = &op->all->settings;
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	if (op->result == 0)
		op->result = conn_write_key(key, set->secrets, set->mesh_id, set->self, &w, &op->e);
	if (op->result == 0)
		call(op, vici, "load-shared", &w, on_reply);
}

/*
 * The last one loaded is used for our own proof (ike/conn.h): another than
 * the first is loaded, and the first again at once.
 */
static void load_keys(struct operation *op, struct vici *vici, const struct object_ike_key *key)
{
	struct object_ike_key first;

	conn_first_key(key->peer, op->all->settings.secrets, &first);
	load_key(op, vici, key);
	if (!streq(first.id, key->id))
		load_key(op, vici, &first);
}

static void unload(struct operation *op, struct vici *vici, const char *command, const char *field,
		   const char *name)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	vici_add(&w, field, "%s", name);
	call(op, vici, command, &w, on_indifferent_reply);
}

/* Unloaded first: an SA that comes up in between is found by the second. */
static void unload_conn(struct operation *op, struct vici *vici, const char *name)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	unload(op, vici, "unload-conn", "name", name);
	vici_add(&w, "ike", "%s", name);
	vici_add(&w, "force", "yes");
	vici_add(&w, "timeout", "-1");
	call(op, vici, "terminate", &w, on_indifferent_reply);
}

static void load_conn(struct operation *op, struct vici *vici, const struct object_ike_conn *conn)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	conn_write(conn, &w);
	call(op, vici, "load-conn", &w, on_reply);
}

void steps_apply(struct steps *s, struct vici *vici, const struct plan_step *step, ike_done_fn fn,
		 void *user)
{
	const struct object *o = step->verb == PLAN_DELETE ? step->found : step->wanted;
	struct operation *op = operation_new(s, user);

	op->done = fn;
	sn_require(OBJECT_BIT(o->kind) & OBJECT_ALL_IKE);
	if (!vici)
		refuse(op, -ENOTCONN, "charon is away");
	else if (o->kind == OBJECT_IKE_KEY && step->verb == PLAN_DELETE)
		unload(op, vici, "unload-shared", "id", o->key->id);
	else if (o->kind == OBJECT_IKE_KEY)
		load_keys(op, vici, o->key);
	else if (step->verb == PLAN_DELETE)
		unload_conn(op, vici, o->conn->name);
	else
		load_conn(op, vici, o->conn);
	if (op->pending == 0)
		set_over(op);
}
