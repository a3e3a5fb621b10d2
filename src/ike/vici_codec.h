/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vici message format (strongSwan, src/libcharon/plugins/vici/README.md):
 * sections, key/value pairs and lists, names with a one-byte and values with
 * a two-byte length. Pure: bytes in, tree out, and back.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#define VICI_MAX_DEPTH 16
#define VICI_MAX_MESSAGE (512u * 1024) /* charon's own limit of a packet */
#define VICI_MAX_NODES 65536

enum vici_type { VICI_SECTION, VICI_VALUE, VICI_LIST };

/* A parsed element. The root is a section without a name. */
struct vici_node {
	enum vici_type type;
	const char *name;  /* NUL-terminated; "" for the root and for list items */
	const char *value; /* VICI_VALUE: bytes with a NUL after them; may hold NULs */
	size_t len;
	struct vici_node *children; /* VICI_SECTION, VICI_LIST (of VICI_VALUE) */
	size_t n_children;
};

/* 0, or -EBADMSG/-EMSGSIZE with e that says at which byte. Frees with vici_tree_free(). */
int vici_parse(const uint8_t *data, size_t len, struct vici_node **ret, struct sn_error *e);
void vici_tree_free(struct vici_node *root);
SN_DEFINE_CLEANUP(struct vici_node *, vici_tree_free);

/* Direct child by name, NULL when there is none (or parent is NULL). */
const struct vici_node *vici_child(const struct vici_node *parent, const char *name);
/* Text of a direct child that is a value; NULL when there is none or it holds a NUL. */
const char *vici_text(const struct vici_node *parent, const char *name);
/* A decimal / hexadecimal child; fallback when it is absent or no number. */
uint64_t vici_number(const struct vici_node *parent, const char *name, uint64_t fallback);
uint64_t vici_hex(const struct vici_node *parent, const char *name, uint64_t fallback);
/* True only for "yes". */
bool vici_yes(const struct vici_node *parent, const char *name);

/* Builds a message; zeroed it is empty. Errors (too long names or values) stick: see check(). */
struct vici_writer {
	struct strbuf b;
	unsigned depth;
	bool in_list;
	bool failed;
};
void vici_writer_fini(struct vici_writer *w); /* wipes: messages can hold keys */
#define _cleanup_vici_writer_ _cleanup_(vici_writer_fini)
void vici_add_section(struct vici_writer *w, const char *name);
void vici_end_section(struct vici_writer *w);
void vici_add(struct vici_writer *w, const char *name, const char *fmt, ...) SN_PRINTF(3, 4);
void vici_add_bytes(struct vici_writer *w, const char *name, const void *data, size_t len);
void vici_add_list(struct vici_writer *w, const char *name);
void vici_add_item(struct vici_writer *w, const char *fmt, ...) SN_PRINTF(2, 3);
void vici_end_list(struct vici_writer *w);
/* 0, or -EINVAL when something did not fit or a section is open. */
int vici_writer_check(const struct vici_writer *w);
