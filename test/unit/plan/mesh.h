/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small mesh to plan for: hosts h1 (this one), h2, … with 10.42.<n>.0/24 at 192.0.2.<n>. */
#pragma once

#include "plan/object.h"

#define MESH_MAX_ATTACHMENTS 300

struct mesh {
	struct config *config;
	struct snapshot *snapshot;
	struct attachment attachments[MESH_MAX_ATTACHMENTS];
	struct intent_secret secrets[2];
	struct intent intent; /* of all this */
};

struct sn_addr mesh_addr(const char *s);
struct sn_prefix mesh_prefix(const char *s);
/* Hosts h1 … hn. overlay: NULL is 10.42.0.0/16. */
void mesh_init(struct mesh *m, unsigned n, const char *overlay);
/* The one of its other family. */
void mesh_add_overlay(struct mesh *m, const char *overlay);
/* One more prefix for host h<n>; after mesh_finish() it is not settled any more. */
void mesh_add_prefix(struct mesh *m, unsigned n, const char *prefix);
void mesh_finish(struct mesh *m);
/* A ready attachment of this address; id and hardware address depend on salt only. */
void mesh_attach(struct mesh *m, const char *addr, uint32_t salt);
/* One of its other family. */
void mesh_add_address(struct attachment *a, const char *addr);
void mesh_fini(struct mesh *m);
#define _cleanup_mesh_ _cleanup_(mesh_fini)
