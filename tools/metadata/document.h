/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is served: a mesh, in the form that is cheap to keep and to render.
 * No JSON of it is held; entries are rendered as they are sent (render.h),
 * in pieces that all clients share (document_piece()).
 *
 * Immutable once made, but for its count and the pieces it keeps. Arrays
 * have the mesh file's order.
 */
#pragma once

#include "piece.h"

#include "model/mesh_file.h"

/* The networks' entry of ours. */
#define DOCUMENT_NETWORK_NAME "ipsec"

/* In the order in which Rancher made them. */
enum api_version { API_2015_07, API_2015_12, API_2016_07, API_VERSIONS };

/* The parts of an answer that are as long as the mesh is large. */
enum section {
	SECTION_CONTAINERS,
	SECTION_HOSTS,
	/* in the text form */
	SECTION_CONTAINER_LIST,
	SECTION_HOST_LIST,
	SECTIONS
};

struct document_host {
	char id[SN_ID_SIZE];
	char *name;
	struct sn_addr addr; /* the first underlay address */
	char *more;          /* the others, by commas; NULL: none */
	bool behind_nat;
	struct sn_prefix_pair subnet; /* the first of each family */
	enum host_state state;
	uint64_t hash;
};

struct document_container {
	char *name;
	struct sn_addr ip;
	uint32_t host; /* index in hosts */
	bool router;   /* its address is its host's overlay address, where that has no subnet */
	uint8_t uuid[16];
	uint64_t hash;
};

/* Who asks from this address. */
struct document_caller {
	struct sn_addr addr;
	uint32_t host;
	uint32_t container; /* index, UINT32_MAX: the host itself */
	bool active;
	int64_t created_ms;
};

struct document_pieces {
	struct piece **v;
	size_t n;
};

struct document {
	unsigned refs;
	uint64_t serial; /* the server's: one more than that of the document before */
	char version[37];
	char mesh_id[SN_ID_SIZE];
	char *name;
	struct sn_prefix_pair overlay;
	ARRAY(struct document_host) hosts;
	ARRAY(struct document_container) containers;
	ARRAY(struct document_caller) callers;           /* sorted by address, the best one first */
	ARRAY(uint32_t) hosts_by_id, containers_by_uuid; /* sorted */
	bool unique; /* no two hosts of one id, no two containers of one uuid */
	/* Of the content; equal texts have equal hashes, also after a restart of the program. */
	uint64_t mesh_hash, hosts_hash, containers_hash;
	struct document_pieces pieces[API_VERSIONS][SECTIONS];
	size_t kept; /* bytes in pieces */
};

/* With a new, random version and one reference. Fit for a worker thread. */
struct document *document_new(const struct mesh_file *mesh);
struct document *document_ref(struct document *d);
/* Takes NULL. */
void document_unref(struct document *d);
SN_DEFINE_CLEANUP(struct document *, document_unref);
/* The same but for the version. */
bool document_equal(const struct document *a, const struct document *b);

/* NULL when the address is nobody's. */
const struct document_caller *document_caller(const struct document *d, const struct sn_addr *addr);
/* An index, or -1. */
long document_find_host(const struct document *d, const char *id);
long document_find_container(const struct document *d, const uint8_t uuid[static 16]);
void document_format_uuid(const uint8_t uuid[static 16], char ret[static 37]);

/* The pieces of a section, its brackets included. Never 0. */
size_t document_piece_count(const struct document *d, enum section section);
/*
 * A reference to one of them. Rendered when it is first asked for; kept for
 * the next who asks until DOCUMENT_KEEP_BYTES are, else rendered anew.
 */
#define DOCUMENT_KEEP_BYTES ((size_t)24 << 20)
struct piece *document_piece(struct document *d, enum api_version v, enum section section,
			     size_t n);
