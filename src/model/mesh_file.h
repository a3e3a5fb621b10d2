/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mesh.json, our own description of a mesh (conf/mesh.schema.json):
 *
 *	{ "mesh": "m1", "name": "production", "overlay": "10.42.0.0/16",
 *	  "hosts": [ { "id": "h1", "name": "node1", "state": "active",
 *	               "addresses": ["192.0.2.11"], "prefixes": ["10.42.1.0/24"],
 *	               "overlay_ip": "10.42.1.1", "created": "2026-11-23T07:00:00Z",
 *	               "containers": [ { "name": "web", "ip": "10.42.1.7" } ] } ] }
 *
 * overlay and overlay_ip may be a list of two, one of each family.
 * name, state, overlay_ip, created and containers are optional; prefixes too
 * when there are containers (then each is a /32: the flat plan).
 * Unknown keys are errors. Pure.
 */
#pragma once

#include "base/json.h"
#include "model/config.h"
#include "model/snapshot.h"

#define MESH_FILE_MAX_BYTES (32 << 20)

struct mesh_container {
	char *name; /* the address when it has none */
	struct sn_addr ip;
	char host_id[SN_ID_SIZE];
	size_t host_index, index; /* in the file's arrays */
};

/* A host or container that was left out, so that its last good form can stay. */
struct mesh_refused {
	char id[SN_ID_SIZE]; /* of the host; "" when it could not be read */
	size_t index;        /* of the host, in the file's array */
};

struct mesh_file {
	char mesh_id[SN_ID_SIZE];
	char *name;
	struct sn_prefix_pair overlay;
	const char *overlay_place[SN_FAMILIES]; /* "/overlay", "/overlay/1" */
	char revision[17];                      /* a hash of the text, in hex */
	ARRAY(struct host) hosts; /* in the file's order, forms checked, claims not settled */
	ARRAY(size_t) indexes;    /* beside hosts: where they stand in the file's array */
	ARRAY(struct mesh_container) containers;
	ARRAY(struct problem) problems; /* hosts and containers left out */
	ARRAY(struct mesh_refused) refused_hosts, refused_containers;
};

/* 0, or -EINVAL with e that begins with name. */
int mesh_file_parse(const char *name, const char *text, size_t len, struct mesh_file **ret,
		    struct sn_error *e);
void mesh_file_free(struct mesh_file *m);
SN_DEFINE_CLEANUP(struct mesh_file *, mesh_file_free);
/*
 * The snapshot of the host config->host_id; when that is "" the only host
 * with one of the `own` underlay addresses. Revision: a hash of the content.
 */
int mesh_file_snapshot(const struct mesh_file *m, const struct config *config,
		       const struct sn_addr *own, size_t n_own, const struct snapshot *before,
		       const char *source, struct snapshot **ret, struct sn_error *e);
