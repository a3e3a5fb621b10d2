/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections and shared keys: objects to vici messages, and back from what
 * list-conns and get-shared tell. Pure but for the key material, which goes
 * from secret memory into a message that is wiped.
 *
 * Which of several keys of a pair charon uses for its own proof (measured with
 * 5.9.8): the one that was loaded last; load-shared of a known id moves it there.
 * The other end tries them all. get-shared lists them in this order, so
 * the first of a peer's keys is the one in use.
 */
#pragma once

#include "ike/vici_codec.h"
#include "plan/object.h"
#include "secret/secret.h"

/* load-conn. All attributes of conn; conn->child names the child. */
void conn_write(const struct object_ike_conn *conn, struct vici_writer *w);
/*
 * load-shared: the pair key of self and key->peer by the secret that key
 * names. 0, or -ENOENT with e when it is not among the secrets.
 */
int conn_write_key(const struct object_ike_key *key, const struct secrets *secrets,
		   const char *mesh_id, const char *self, struct vici_writer *w,
		   struct sn_error *e);
/* The key of this peer that is to be the first, by the order of the secrets. */
void conn_first_key(const char *peer, const struct secrets *secrets, struct object_ike_key *ret);

/*
 * Adds what a list-conn item tells, if it is ours. What charon does not list
 * is zero; child is the name of the only child, "" when there is none or several.
 */
void conn_read(const struct vici_node *item, struct object_set *set);
/* Adds the keys of ours in a reply to get-shared; order counts up per peer. */
void conn_read_keys(const struct vici_node *reply, struct object_set *set);
