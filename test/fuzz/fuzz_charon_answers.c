/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: a vici message of charon, taken for each of those that we read: SAs,
 * connections, keys, events, log lines. A connection that was read can be written.
 */
#include "ike/conn.h"
#include "ike/sa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sa(const struct vici_node *item)
{
	struct ike_sa sa = { 0 };

	if (sa_parse(item, &sa) < 0) {
		sn_require(!sa.children.v);
		return;
	}
	sn_require(host_id_valid(sa.peer) && sa.unique_id && sa.children.n <= SA_MAX_CHILDREN);
	sn_require(sa.age_s >= -1 && sa.rekey_in_s >= -1);
	sn_require(sa_cmp(&sa, &sa) == 0 && sa_same(&sa, &sa));
	array_foreach(&sa.children, c) {
		sn_require(c->age_s >= 0 && (c->installed || !c->rekeying));
		sn_require(memchr(c->name, '\0', sizeof(c->name)));
	}
	sa_fini(&sa);
}

/* As to be loaded: a message that we can read ourselves. */
static void check_written(const struct object_ike_conn *conn)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	_cleanup_object_set_ struct object_set set = { 0 };
	struct sn_error e;

	if (!sn_addr_is_set(&conn->local_addr) || !sn_addr_is_set(&conn->remote_addr))
		return;
	conn_write(conn, &w);
	sn_require(vici_writer_check(&w) == 0);
	sn_require(vici_parse((const uint8_t *)w.b.data, w.b.len, &root, &e) == 0);
	conn_read(root, &set);
	sn_require(set.o.n == 1 && streq(set.o.v[0].conn->name, conn->name));
	sn_require(sn_addr_cmp(&set.o.v[0].conn->remote_addr, &conn->remote_addr) == 0);
}

static void check_objects(const struct vici_node *root)
{
	_cleanup_object_set_ struct object_set set = { 0 };

	conn_read(root, &set);
	sn_require(set.o.n <= 1);
	conn_read_keys(root, &set);
	array_foreach(&set.o, o) {
		sn_require(o->kind == OBJECT_IKE_CONN || o->kind == OBJECT_IKE_KEY);
		if (o->kind == OBJECT_IKE_CONN)
			check_written(o->conn);
		sn_require(
			host_id_valid(o->kind == OBJECT_IKE_CONN ? o->conn->peer : o->key->peer));
	}
	object_set_sort_found(&set);
}

static void check_event(const struct vici_node *root)
{
	const char *peer = sa_event_peer(root), *of = NULL;
	const char *words = sa_failure(root, &of);
	struct sn_addr from;

	sn_require(!peer || host_id_valid(peer));
	sn_require(!words == !of && (!of || host_id_valid(of)));
	if (sa_probe(root, &from))
		sn_require(sn_addr_is_set(&from));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	struct sn_error e;

	if (vici_parse(data, size, &root, &e) < 0)
		return 0;
	check_sa(root);
	check_objects(root);
	check_event(root);
	return 0;
}
