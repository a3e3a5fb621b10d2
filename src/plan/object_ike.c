/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of objects that charon keeps.
 *
 * charon does not tell all it knows of a connection, so an observed one has
 * gaps. What it does tell is the name of the child, and that is a hash of all
 * attributes (object_conn_seal()): two connections are equal when their
 * children's names are, and what else was observed. A difference is shown for
 * what was observed.
 */
#include "plan/object_kind.h"

#include <inttypes.h>
#include <stdio.h>

/* --- shared key -------------------------------------------------------------- */

static int key_cmp(const struct object *a, const struct object *b)
{
	return sn_cmp_str(a->key->id, b->key->id);
}

static void key_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->key->id);
}

/* Which is the first matters (ike/conn.h); among the others charon has its own order. */
static bool key_equal(const struct object *a, const struct object *b)
{
	return streq(a->key->peer, b->key->peer) && streq(a->key->secret, b->key->secret) &&
	       (a->key->order == 0) == (b->key->order == 0);
}

static void key_add_peer(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->key->peer);
}

static void key_add_secret(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->key->secret);
}

static void key_add_order(const struct object *o, struct strbuf *b)
{
	strbuf_addf(b, "%u", o->key->order);
}

const struct object_ops object_ike_key_ops = {
	.name = "key",
	.size = sizeof(struct object_ike_key),
	.cmp = key_cmp,
	.add_key = key_add_key,
	.equal = key_equal,
	.fields =
		(const struct object_field[]){
			{ "peer", key_add_peer },
			{ "secret", key_add_secret },
			{ "order", key_add_order },
			{ 0 },
		},
};

/* --- connection -------------------------------------------------------------- */

static int conn_cmp(const struct object *a, const struct object *b)
{
	return sn_cmp_str(a->conn->name, b->conn->name);
}

static void conn_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->conn->name);
}

/* An address that was not observed agrees with any. */
static bool addr_agrees(const struct sn_addr *a, const struct sn_addr *b)
{
	return !sn_addr_is_set(a) || !sn_addr_is_set(b) || sn_addr_cmp(a, b) == 0;
}

static bool selectors_agree(const struct sn_prefix *a, size_t na, const struct sn_prefix *b,
			    size_t nb)
{
	if (na == 0 || nb == 0)
		return true;
	for (size_t i = 0; i < na && na == nb; i++)
		if (sn_prefix_cmp(&a[i], &b[i]) != 0)
			return false;
	return na == nb;
}

/* What is told must fit the child's name: somebody may have loaded something else by our names. */
static bool conn_equal(const struct object *a, const struct object *b)
{
	const struct object_ike_conn *x = a->conn, *y = b->conn;

	return streq(x->child, y->child) && addr_agrees(&x->local_addr, &y->local_addr) &&
	       addr_agrees(&x->remote_addr, &y->remote_addr) &&
	       selectors_agree(x->local_ts.v, x->local_ts.n, y->local_ts.v, y->local_ts.n) &&
	       selectors_agree(x->remote_ts.v, x->remote_ts.n, y->remote_ts.v, y->remote_ts.n);
}

static void conn_add_local(const struct object *o, struct strbuf *b)
{
	if (sn_addr_is_set(&o->conn->local_addr))
		strbuf_adds(b, SN_ADDR_STR(&o->conn->local_addr));
	array_foreach(&o->conn->local_others.a, a)
		strbuf_addf(b, ",%s", SN_ADDR_STR(a));
}

static void conn_add_remote(const struct object *o, struct strbuf *b)
{
	if (sn_addr_is_set(&o->conn->remote_addr))
		strbuf_adds(b, SN_ADDR_STR(&o->conn->remote_addr));
	array_foreach(&o->conn->remote_others.a, a)
		strbuf_addf(b, ",%s", SN_ADDR_STR(a));
}

static void add_selectors(const struct sn_prefix *v, size_t n, struct strbuf *b)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(b, "%s%s", i ? "," : "", SN_PREFIX_STR(&v[i]));
}

static void conn_add_local_ts(const struct object *o, struct strbuf *b)
{
	add_selectors(o->conn->local_ts.v, o->conn->local_ts.n, b);
}

static void conn_add_remote_ts(const struct object *o, struct strbuf *b)
{
	add_selectors(o->conn->remote_ts.v, o->conn->remote_ts.n, b);
}

static void conn_add_settings(const struct object *o, struct strbuf *b)
{
	const struct object_ike_conn *c = o->conn;

	/* observed without: charon does not list these */
	if (!c->replay_window)
		return;
	strbuf_addf(b, "%s%s%s replay %" PRIu32, c->owner ? "owner" : "responder",
		    c->encap ? " encap" : "", c->esn ? " esn" : "", c->replay_window);
	if (c->if_id)
		strbuf_addf(b, " if_id %" PRIu32, c->if_id);
	if (c->reqid)
		strbuf_addf(b, " reqid %" PRIu32, c->reqid);
	strbuf_addf(b, " rekey %d/%d", c->ike_rekey_s, c->child_rekey_s);
}

static void conn_add_child(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->conn->child);
}

static void conn_copy(const struct object *o, struct object *ret)
{
	memset(&ret->conn->local_ts, 0, sizeof(ret->conn->local_ts));
	memset(&ret->conn->remote_ts, 0, sizeof(ret->conn->remote_ts));
	memset(&ret->conn->local_others, 0, sizeof(ret->conn->local_others));
	memset(&ret->conn->remote_others, 0, sizeof(ret->conn->remote_others));
	array_foreach(&o->conn->local_others.a, a)
		*array_add(&ret->conn->local_others.a) = *a;
	array_foreach(&o->conn->remote_others.a, a)
		*array_add(&ret->conn->remote_others.a) = *a;
	array_foreach(&o->conn->local_ts, p)
		*array_add(&ret->conn->local_ts) = *p;
	array_foreach(&o->conn->remote_ts, p)
		*array_add(&ret->conn->remote_ts) = *p;
}

static void conn_fini(struct object *o)
{
	array_free(&o->conn->local_ts);
	array_free(&o->conn->remote_ts);
	array_free(&o->conn->local_others.a);
	array_free(&o->conn->remote_others.a);
}

static const struct object_field conn_fields[] = {
	{ "local", conn_add_local, true },
	{ "remote", conn_add_remote, true },
	{ "local_ts", conn_add_local_ts, true },
	{ "remote_ts", conn_add_remote_ts, true },
	{ "", conn_add_settings, true },
	{ "child", conn_add_child },
	{ 0 },
};

const struct object_ops object_ike_conn_ops = {
	.name = "conn",
	.size = sizeof(struct object_ike_conn),
	.cmp = conn_cmp,
	.add_key = conn_add_key,
	.equal = conn_equal,
	.fields = conn_fields,
	.copy = conn_copy,
	.fini = conn_fini,
};

void object_conn_seal(struct object_ike_conn *conn)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct object_ike_conn bare = *conn;
	struct object o = { .kind = OBJECT_IKE_CONN, .conn = &bare };

	sn_require(conn->replay_window > 0);
	bare.child[0] = '\0';
	strbuf_addf(&b, "%s %s", conn->self, conn->peer);
	for (const struct object_field *f = conn_fields; f->add; f++) {
		strbuf_addf(&b, " %s ", f->name);
		f->add(&o, &b);
	}
	snprintf(conn->child, sizeof(conn->child), "net-%016" PRIx64, object_hash(b.data, b.len));
}
