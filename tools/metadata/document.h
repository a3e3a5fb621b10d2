/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The documents that are served, as one tree, made of a mesh: what Rancher's
 * metadata service calls the answers. Pure but for the random version.
 *
 * Arrays have the mesh file's order. What a mesh file does not say is null,
 * so that the keys are those of the original.
 */
#pragma once

#include "model/mesh_file.h"

#include <jansson.h>

/* The networks' entry of ours. */
#define DOCUMENT_NETWORK_NAME "ipsec"

struct document_host {
	struct sn_addr addr;
	bool active;
	int64_t created_ms;
	json_t *host; /* borrowed from the tree */
};

struct document {
	json_t *root; /* "self" in it is empty, see document_for() */
	char version[37];
	ARRAY(struct document_host) callers; /* every address of every host */
};

/* With a new, random version. */
struct document *document_new(const struct mesh_file *mesh);
void document_free(struct document *d);
SN_DEFINE_CLEANUP(struct document *, document_free);
/* The same but for the version. */
bool document_equal(const struct document *a, const struct document *b);
/* The tree as this caller sees it: with its host as /self/host, if it is one. A new reference. */
json_t *document_for(const struct document *d, const struct sn_addr *caller);
