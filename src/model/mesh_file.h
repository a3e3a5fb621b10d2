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
 * name, state, overlay_ip, created and containers are optional; prefixes too
 * when there are containers (then each is a /32: the flat plan).
 * Unknown keys are errors. Pure.
 */
#pragma once

#include "base/json.h"
#include "model/config.h"
#include "model/snapshot.h"

struct mesh_container {
	char *name;
	struct sn_addr ip;
	char host_id[SN_ID_SIZE];
};

struct mesh_file {
	char mesh_id[SN_ID_SIZE];
	char *name;
	struct sn_prefix overlay;
	ARRAY(struct host) hosts; /* in the file's order */
	ARRAY(struct mesh_container) containers;
	ARRAY(struct problem) problems; /* hosts and containers left out */
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
