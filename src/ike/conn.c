/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of options and values: src/libcharon/plugins/vici/README.md and
 * vici_config.c of strongSwan 5.9.8, which refuses what it does not know.
 *
 * Life times. Both ends would rekey at the same moment if both had the same
 * times; so the end that does not own the pair takes half as long again, and
 * in fact only steps in when the owner fails. Hard limits are twice the soft
 * ones of the slower end: a life time near the rekey time ends an SA while it
 * is being replaced (measured).
 */
#include "ike/conn.h"

#include "ike/sa.h"

#include <errno.h>
#include <stdio.h>

#define DPD_DELAY_S 2

static void add_yes(struct vici_writer *w, const char *name, bool yes)
{
	vici_add(w, name, "%s", yes ? "yes" : "no");
}

static void add_proposals(struct vici_writer *w, const char *name, const char *suffix)
{
	vici_add_list(w, name);
	vici_add_item(w, "aes128gcm16-%s", suffix);
	vici_add_item(w, "chacha20poly1305-%s", suffix);
	vici_end_list(w);
}

/* charon initiates between the first ones, and lets the peer come by all. */
static void add_addrs(struct vici_writer *w, const char *name, const struct sn_addr *first,
		      const struct conn_others *others)
{
	if (!sn_addr_is_set(first))
		return;
	vici_add_list(w, name);
	vici_add_item(w, "%s", SN_ADDR_STR(first));
	array_foreach(&others->a, addr)
		vici_add_item(w, "%s", SN_ADDR_STR(addr));
	vici_end_list(w);
}

static void add_auth(struct vici_writer *w, const char *name, const char *host_id)
{
	vici_add_section(w, name);
	vici_add(w, "auth", "psk");
	/* keyid: a plain id would be read: "10.0.0.1" as an address, "*" as anybody */
	vici_add(w, "id", "keyid:%s", host_id);
	vici_end_section(w);
}

static int rekey_time(const struct object_ike_conn *conn, int seconds)
{
	return conn->owner ? seconds : seconds + seconds / 2;
}

static int life_time(int seconds)
{
	return 3 * seconds;
}

static void add_selectors(struct vici_writer *w, const char *name, const struct sn_prefix *v,
			  size_t n)
{
	vici_add_list(w, name);
	for (size_t i = 0; i < n; i++)
		vici_add_item(w, "%s", SN_PREFIX_STR(&v[i]));
	vici_end_list(w);
}

static void add_child(struct vici_writer *w, const struct object_ike_conn *conn)
{
	vici_add_section(w, conn->child);
	vici_add(w, "mode", "tunnel");
	add_selectors(w, "local_ts", conn->local_ts.v, conn->local_ts.n);
	add_selectors(w, "remote_ts", conn->remote_ts.v, conn->remote_ts.n);
	add_proposals(w, "esp_proposals", conn->esn ? "x25519-esn-noesn" : "x25519");
	vici_add(w, "start_action", "none");
	vici_add(w, "close_action", "none");
	vici_add(w, "dpd_action", "%s", conn->owner ? "start" : "clear");
	vici_add(w, "rekey_time", "%ds", rekey_time(conn, conn->child_rekey_s));
	vici_add(w, "life_time", "%ds", life_time(conn->child_rekey_s));
	vici_add(w, "rand_time", "%ds", conn->child_rekey_s / 10);
	if (conn->if_id) {
		vici_add(w, "if_id_in", "%u", conn->if_id);
		vici_add(w, "if_id_out", "%u", conn->if_id);
	}
	if (conn->reqid)
		vici_add(w, "reqid", "%u", conn->reqid);
	if (conn->replay_window)
		vici_add(w, "replay_window", "%u", conn->replay_window);
	vici_add(w, "hw_offload", "no");
	add_yes(w, "policies", true);
	vici_end_section(w);
}

void conn_write(const struct object_ike_conn *conn, struct vici_writer *w)
{
	vici_add_section(w, conn->name);
	vici_add(w, "version", "2");
	add_addrs(w, "local_addrs", &conn->local_addr, &conn->local_others);
	add_addrs(w, "remote_addrs", &conn->remote_addr, &conn->remote_others);
	add_proposals(w, "proposals", "prfsha256-x25519");
	add_auth(w, "local", conn->self);
	add_auth(w, "remote", conn->peer);
	add_yes(w, "encap", conn->encap);
	/*
	 * With MOBIKE charon tells every peer of each address that this host gets, its containers'
	 * too (measured: one exchange for each IKE_SA and each new veth), takes the hosts' overlay
	 * addresses for further ends of the tunnel, and holds on to an IKE_SA whose address went
	 * for 25 s. A changed address is followed by a new IKE_SA: ike_set_lost_addrs().
	 */
	add_yes(w, "mobike", false);
	vici_add(w, "unique", "never");
	vici_add(w, "dpd_delay", "%ds", DPD_DELAY_S);
	vici_add(w, "keyingtries", "%d", conn->owner ? 0 : 1);
	vici_add(w, "rekey_time", "%ds", rekey_time(conn, conn->ike_rekey_s));
	vici_add(w, "over_time", "%ds",
		 life_time(conn->ike_rekey_s) - rekey_time(conn, conn->ike_rekey_s));
	vici_add(w, "rand_time", "%ds", conn->ike_rekey_s / 10);
	vici_add(w, "reauth_time", "0s");
	vici_add(w, "send_cert", "never");
	add_yes(w, "send_certreq", false);
	vici_add_section(w, "children");
	add_child(w, conn);
	vici_end_section(w);
	vici_end_section(w);
}

int conn_write_key(const struct object_ike_key *key, const struct secrets *secrets,
		   const char *mesh_id, const char *self, struct vici_writer *w, struct sn_error *e)
{
	_cleanup_(secret_wipe_freep) uint8_t *psk = secret_alloc(PAIR_KEY_SIZE);
	int i = secrets_find(secrets, key->secret);

	if (i < 0)
		return sn_error_set(e, -ENOENT,
				    "the mesh secret %s is not in secret_file any more; 'sennit "
				    "reload' reads it again",
				    key->secret);
	secrets_pair_key(secrets, (size_t)i, mesh_id, self, key->peer, psk);
	vici_add(w, "id", "%s", key->id);
	vici_add(w, "type", "IKE");
	vici_add_bytes(w, "data", psk, PAIR_KEY_SIZE);
	vici_add_list(w, "owners");
	vici_add_item(w, "keyid:%s", self);
	vici_add_item(w, "keyid:%s", key->peer);
	vici_end_list(w);
	return 0;
}

void conn_first_key(const char *peer, const struct secrets *secrets, struct object_ike_key *ret)
{
	*ret = (struct object_ike_key){ .order = 0 };
	secrets_id(secrets, 0, ret->secret);
	snprintf(ret->peer, sizeof(ret->peer), "%s", peer);
	snprintf(ret->id, sizeof(ret->id), SENNIT_IKE_PREFIX "%s-%s", peer, ret->secret);
}

/* The first item of a list; unset when there is none or it is a name. */
static void read_addr(const struct vici_node *list, struct sn_addr *ret)
{
	if (list && list->type == VICI_LIST && list->n_children > 0)
		(void)sn_addr_parse(list->children[0].value, ret);
}

#define read_selectors(list, array)                                                                \
	do {                                                                                       \
		const struct vici_node *_l = (list);                                               \
		for (size_t _i = 0; _l && _l->type == VICI_LIST && _i < _l->n_children; _i++) {    \
			struct sn_prefix _p;                                                       \
			if (sn_prefix_parse(_l->children[_i].value, &_p) == 0)                     \
				*array_add(array) = _p;                                            \
		}                                                                                  \
	} while (0)

static void read_children(const struct vici_node *children, struct object_ike_conn *conn)
{
	const struct vici_node *child;
	const char *action;

	if (!children || children->n_children != 1)
		return;
	child = &children->children[0];
	snprintf(conn->child, sizeof(conn->child), "%s", child->name);
	read_selectors(vici_child(child, "local-ts"), &conn->local_ts);
	read_selectors(vici_child(child, "remote-ts"), &conn->remote_ts);
	action = vici_text(child, "dpd_action");
	conn->owner = action && (streq(action, "start") || streq(action, "restart"));
}

/* The id of the section remote-1: never trusted, only shown. */
static void read_self(const struct vici_node *local, struct object_ike_conn *conn)
{
	const char *id = vici_text(local, "id");

	if (id)
		snprintf(conn->self, sizeof(conn->self), "%s", id);
}

void conn_read(const struct vici_node *item, struct object_set *set)
{
	const struct vici_node *node;
	struct object_ike_conn *conn;
	const char *peer;

	if (item->n_children != 1 || item->children[0].type != VICI_SECTION)
		return;
	node = &item->children[0];
	peer = sa_peer_of(node->name);
	if (!peer)
		return;
	conn = object_set_add(set, OBJECT_IKE_CONN)->conn;
	snprintf(conn->name, sizeof(conn->name), "%s", node->name);
	snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
	read_self(vici_child(node, "local-1"), conn);
	read_addr(vici_child(node, "local_addrs"), &conn->local_addr);
	read_addr(vici_child(node, "remote_addrs"), &conn->remote_addr);
	read_children(vici_child(node, "children"), conn);
}

/* "sennit-<peer>-<16 hex digits>"; a peer's id may hold dashes itself. */
static bool read_key(const char *id, struct object_ike_key *key)
{
	size_t len = strlen(id), tail = SECRET_ID_SIZE; /* with the dash instead of the NUL */
	_cleanup_free_ char *name = NULL;
	const char *peer;

	if (len <= tail || len >= sizeof(key->id) || id[len - tail] != '-')
		return false;
	name = xstrndup(id, len - tail);
	peer = sa_peer_of(name);
	if (!peer)
		return false;
	snprintf(key->id, sizeof(key->id), "%s", id);
	snprintf(key->peer, sizeof(key->peer), "%s", peer);
	snprintf(key->secret, sizeof(key->secret), "%s", id + len - tail + 1);
	return true;
}

/* By peer; of one in charon's order. */
static int cmp_keys(const void *a, const void *b)
{
	const struct object_ike_key *x = a, *y = b;
	int c = strcmp(x->peer, y->peer);

	return c ? c : sn_cmp_num(x->order, y->order);
}

void conn_read_keys(const struct vici_node *reply, struct object_set *set)
{
	const struct vici_node *list = vici_child(reply, "keys");
	ARRAY(struct object_ike_key) keys = { 0 };
	unsigned order = 0;

	for (size_t i = 0; list && list->type == VICI_LIST && i < list->n_children; i++) {
		struct object_ike_key key = { .order = (unsigned)i };

		if (read_key(list->children[i].value, &key))
			*array_add(&keys) = key;
	}
	array_sort(&keys, cmp_keys);
	for (size_t i = 0; i < keys.n; i++) {
		order = i > 0 && streq(keys.v[i - 1].peer, keys.v[i].peer) ? order + 1 : 0;
		keys.v[i].order = order;
		*object_set_add(set, OBJECT_IKE_KEY)->key = keys.v[i];
	}
	array_free(&keys);
}
