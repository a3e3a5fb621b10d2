/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of attachments and its file, state_dir/attachments.json:
 *
 *	{ "sennit_attachments": 1, "last": "10.42.1.7",
 *	  "attachments": [ { "id": "0123456789abcdef", "ifname": "eth0",
 *	    "address": "10.42.1.7/24", "mac": "02:5a:0a:2a:01:07",
 *	    "netns": [4, 4026532281], "created_ms": 1795420800000,
 *	    "label": "web", "ready": true } ] }
 *
 * "last" is the address given last, held by somebody or not (null: none). Where there
 * is one of each family, it and "address" are lists of two.
 * Written whole, and there for whoever comes after a kill, without waiting for
 * the disk: a power cut ends all containers anyway, and an empty file is what it
 * may leave. Else what cannot be read is an error, never an empty table: that
 * would give addresses twice.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "model/intent.h"

/* More than any host carries; bounds the file, which each change writes anew, and the look-ups. */
#define ATTACH_MAX 1024
#define ATTACH_MAX_LABEL 128

struct attach_table {
	struct sn_addr_pair last;
	ARRAY(struct attachment) items; /* in the order they were made */
};

struct attach_table *attach_table_new(void);
void attach_table_free(struct attach_table *t);
SN_DEFINE_CLEANUP(struct attach_table *, attach_table_free);
/* Takes item i out and frees what it owns. */
void attach_table_remove(struct attach_table *t, size_t i);

/* A name Linux takes for an interface, "lo" and path-like ones excepted. */
bool attach_ifname_valid(const char *name);
/* The host end's name that belongs to this id. */
void attach_veth_name(const char *id, char ret[static IFNAMSIZ]);

/* Pure. 0, or -EINVAL with e and the place. */
int attach_table_parse(const char *text, size_t len, struct attach_table **ret, struct sn_error *e);
/* A new reference. */
json_t *attach_table_to_json(const struct attach_table *t);

/* 0 (no such file, or an empty one: an empty table), or a negative errno with e. */
int attach_store_read(const char *path, struct attach_table **ret, struct sn_error *e);
/* Outlives this process when it returns 0; else the old file is untouched. */
int attach_store_write(const char *path, const struct attach_table *t, struct sn_error *e);
