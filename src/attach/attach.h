/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attachments: containers' interfaces and their addresses. The pure core is
 * attach/pool.h (which address next); attach/store.h keeps the table on disk
 * before anything is made in the kernel, so that no address is given twice,
 * kill -9 or not, and half-made ones are undone at the next start.
 */
#pragma once

#include "base/error.h"
#include "model/intent.h"
#include "model/snapshot.h"

struct attachments;

/* Reads state_dir/attachments.json. Entries not ready are undone (host end deleted, address freed).
 */
int attachments_load(const char *state_dir, struct attachments **ret, struct sn_error *e);
/* The same without touching disk or kernel, to look only. */
int attachments_peek(const char *state_dir, struct attachments **ret, struct sn_error *e);
void attachments_free(struct attachments *as);
SN_DEFINE_CLEANUP(struct attachments *, attachments_free);

/* Where new ones go; from self of the snapshot. Call when it changes. NULL prefixes: refuse new
 * ones. */
struct attach_place {
	char mesh_id[SN_ID_SIZE];
	char bridge[IFNAMSIZ];
	int mtu;
	const struct sn_prefix *prefixes; /* copied */
	size_t n_prefixes;
	struct sn_addr_pair host_overlay_ip; /* never given away */
};
void attachments_set_place(struct attachments *as, const struct attach_place *place);

struct attach_request {
	int netns_fd;       /* borrowed */
	const char *ifname; /* "eth0" */
	/* Of a family with none here: any, where this host has a subnet of it. */
	struct sn_addr_pair want;
	const char *label; /* NULL: none */
};
enum attach_outcome { ATTACH_MADE = 0, ATTACH_WAS_THERE = 1 };
/*
 * An address of each family of which this host has a subnet, or that was asked for.
 *
 * ATTACH_MADE, ATTACH_WAS_THERE (same namespace and ifname, and the
 * addresses that were asked for), or a negative errno with e: -EADDRINUSE with
 * the holder, -EADDRNOTAVAIL outside the subnet, -ENOSPC when it is full,
 * -EEXIST, -EINVAL, -EAGAIN while the place is unknown. On success *ret is
 * borrowed until the next change. An entry whose host end is gone is not
 * there: inodes of namespaces are used again, so it is made anew.
 */
int attachments_attach(struct attachments *as, const struct attach_request *req,
		       const struct attachment **ret, struct sn_error *e);
/* By namespace and ifname. 0, or 1 when there was none. */
int attachments_detach(struct attachments *as, int netns_fd, const char *ifname,
		       struct sn_error *e);
/* By id, for namespaces that are gone. 0, or -ENOENT with e. */
int attachments_detach_id(struct attachments *as, const char *id, struct sn_error *e);
/*
 * Drops those whose host end vanished (their namespace ended), and tries again
 * what could not be undone before; how many. Their addresses rest.
 */
size_t attachments_sweep(struct attachments *as);

const struct attachment *attachments_all(const struct attachments *as, size_t *ret_n);
/* Of each of its addresses: the bridge's in its subnet; the host's overlay address for a single
 * one. */
struct sn_addr_pair attachment_gateways(const struct attachments *as, const struct attachment *a);
/*
 * Attachments with an address that this host may not give any more, since its
 * prefixes or its own address changed. They go on as they are; somebody must make
 * them anew. false while the place is unknown.
 */
bool attachment_is_misplaced(const struct attachments *as, const struct attachment *a);
size_t attachments_misplaced(const struct attachments *as);
