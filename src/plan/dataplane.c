/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/dataplane.h"

void wanted_fini(struct wanted *w)
{
	object_set_fini(&w->objects);
	array_free(&w->peers);
	array_foreach(&w->remarks, r)
		free(*r);
	array_free(&w->remarks);
}

static int cmp_peer(const void *id, const void *peer)
{
	return strcmp(id, ((const struct wanted_peer *)peer)->id);
}

const struct wanted_peer *wanted_find_peer(const struct wanted *w, const char *id)
{
	return w->peers.n ? bsearch(id, w->peers.v, w->peers.n, sizeof(*w->peers.v), cmp_peer)
			  : NULL;
}

const struct object_ike_conn *wanted_find_conn(const struct wanted *w, const char *peer)
{
	struct object_ike_conn conn = { .owner = false };
	const struct object like = { .kind = OBJECT_IKE_CONN, .conn = &conn }, *found;

	if (!w->objects.o.n)
		return NULL;
	snprintf(conn.name, sizeof(conn.name), SENNIT_IKE_PREFIX "%s", peer);
	found = object_set_find(&w->objects, &like);
	return found ? found->conn : NULL;
}
