/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/if_ids.h"

#include "base/json.h"

#include <stdio.h>

#define STORED_VERSION 1

void if_ids_fini(struct if_ids *ids)
{
	array_free(&ids->v);
	memset(ids->taken, 0, sizeof(ids->taken));
}

void if_ids_copy(const struct if_ids *ids, struct if_ids *ret)
{
	*ret = *ids;
	ret->v.v = xreallocarray(NULL, SN_MAX(ids->v.n, (size_t)1), sizeof(*ids->v.v));
	ret->v.size = SN_MAX(ids->v.n, (size_t)1);
	if (ids->v.n)
		memcpy(ret->v.v, ids->v.v, ids->v.n * sizeof(*ids->v.v));
}

bool if_ids_equal(const struct if_ids *a, const struct if_ids *b)
{
	if (a->v.n != b->v.n)
		return false;
	for (size_t i = 0; i < a->v.n; i++)
		if (a->v.v[i].number != b->v.v[i].number || !streq(a->v.v[i].peer, b->v.v[i].peer))
			return false;
	return true;
}

static void set_taken(struct if_ids *ids, uint32_t number, bool taken)
{
	uint64_t bit = UINT64_C(1) << number % 64;

	if (taken)
		ids->taken[number / 64] |= bit;
	else
		ids->taken[number / 64] &= ~bit;
}

static bool is_taken(const struct if_ids *ids, uint32_t number)
{
	return ids->taken[number / 64] >> number % 64 & 1;
}

/* Where the peer is, or would be. */
static size_t place_of(const struct if_ids *ids, const char *peer)
{
	size_t low = 0, high = ids->v.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(ids->v.v[middle].peer, peer) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct if_ids *ids, size_t i, const char *peer)
{
	return i < ids->v.n && streq(ids->v.v[i].peer, peer);
}

uint32_t if_ids_find(const struct if_ids *ids, const char *peer)
{
	size_t i = place_of(ids, peer);

	return is_at(ids, i, peer) ? ids->v.v[i].number : 0;
}

static void insert(struct if_ids *ids, size_t i, const char *peer, uint32_t number)
{
	array_add(&ids->v);
	memmove(&ids->v.v[i + 1], &ids->v.v[i], (ids->v.n - 1 - i) * sizeof(*ids->v.v));
	snprintf(ids->v.v[i].peer, sizeof(ids->v.v[i].peer), "%s", peer);
	ids->v.v[i].number = number;
	set_taken(ids, number, true);
}

bool if_ids_add(struct if_ids *ids, const char *peer, uint32_t number)
{
	size_t i = place_of(ids, peer);

	if (is_at(ids, i, peer))
		return ids->v.v[i].number == number;
	if (number == 0 || number >= IF_IDS_MAX || is_taken(ids, number))
		return false;
	insert(ids, i, peer, number);
	return true;
}

static uint32_t lowest_free(const struct if_ids *ids)
{
	for (uint32_t n = 1; n < IF_IDS_MAX; n++) {
		if (n % 64 == 0 && ids->taken[n / 64] == UINT64_MAX)
			n += 63;
		else if (!is_taken(ids, n))
			return n;
	}
	return 0;
}

uint32_t if_ids_give(struct if_ids *ids, const char *peer)
{
	size_t i = place_of(ids, peer);
	uint32_t number;

	if (is_at(ids, i, peer))
		return ids->v.v[i].number;
	number = lowest_free(ids);
	if (number)
		insert(ids, i, peer, number);
	return number;
}

void if_ids_remove(struct if_ids *ids, size_t i)
{
	set_taken(ids, ids->v.v[i].number, false);
	array_remove(&ids->v, i);
}

/* --- stored --------------------------------------------------------------- */

json_t *if_ids_to_json(const struct if_ids *ids, const char *mesh_id)
{
	json_t *peers = json_object();

	array_foreach(&ids->v, k)
		json_object_set_new(peers, k->peer, json_integer(k->number));
	return json_pack("{s:i, s:s, s:o}", "sennit_if_ids", STORED_VERSION, "mesh", mesh_id,
			 "peers", peers);
}

/* A file of our own that is wrong anywhere is not trusted anywhere. */
static int check_peers(const json_t *peers, struct sn_error *e)
{
	struct json_place at = json_key(NULL, "peers");
	_cleanup_if_ids_ struct if_ids seen = { 0 };
	const char *peer;
	json_t *v;

	json_object_foreach((json_t *)peers, peer, v) {
		struct json_place here = json_key(&at, peer);
		int64_t number;

		if (!host_id_valid(peer))
			return json_fail(&here, e, "no host id");
		if (json_read_int(peers, &at, peer, JSON_REQUIRED, 1, IF_IDS_MAX - 1, &number, e) <
		    0)
			return e->code;
		if (!if_ids_add(&seen, peer, (uint32_t)number))
			return json_fail(&here, e, "%d is another peer's", (int)number);
	}
	return 0;
}

int if_ids_from_json(const json_t *doc, const char *mesh_id, struct if_ids *ids, struct sn_error *e)
{
	const char *mesh, *peer;
	const json_t *peers;
	int64_t version;
	json_t *v;

	if (json_require_object(doc, NULL, e) < 0 ||
	    json_read_int(doc, NULL, "sennit_if_ids", JSON_REQUIRED, STORED_VERSION, STORED_VERSION,
			  &version, e) < 0 ||
	    json_read_string(doc, NULL, "mesh", JSON_REQUIRED, &mesh, e) < 0 ||
	    json_read_object(doc, NULL, "peers", JSON_REQUIRED, &peers, e) < 0 ||
	    check_peers(peers, e) < 0)
		return e->code;
	if (!streq(mesh, mesh_id))
		return 0;
	json_object_foreach((json_t *)peers, peer, v)
		(void)if_ids_add(ids, peer, (uint32_t)json_integer_value(v));
	return 0;
}
