/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources of snapshots. A source watches a metadata service (or a file) and
 * hands on each new, valid snapshot. It never hands on an empty or torn one,
 * and never blocks the loop.
 *
 * Below it: metadata/source.h (what a source is), rancher_source.c over loop/http.h,
 * file_source.c over loop/file_watch.h, and store.c (the last good snapshot on disk).
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"
#include "model/config.h"
#include "model/snapshot.h"

struct metadata;

struct metadata_handlers {
	/*
	 * The first, then each that differs from the one before in the mesh or
	 * in what had to be left out of it. The callee owns it. False: it is of no
	 * use here (another host's, another mesh's), and the one before holds.
	 */
	bool (*snapshot)(struct snapshot *s, void *user);
	/*
	 * The service could not be read; text says the step: "look-up of …",
	 * "connect to …", "TLS with …", "GET …/hosts: status 500",
	 * "GET …/hosts: /3/agent_ip: …". Each different text comes once; ok()
	 * comes when it is over. The documents changing while they are read is
	 * no failure, unless again and again.
	 */
	void (*failed)(const char *text, void *user);
	void (*ok)(void *user);
	/* Something that is not wrong, but not right either. May be NULL. */
	void (*warning)(const char *text, void *user);
	void *user;
};

/*
 * config decides the kind by its URL, and outlives this (a worker thread
 * reads it). last is the stored snapshot or NULL: what snapshot_finish() takes
 * as `before`; copied. Handlers are called from the loop, never from these
 * functions; they must not free the metadata. -EINVAL for an URL of no kind, and
 * for a token that would go over the network in clear.
 */
int metadata_new(struct loop *loop, const struct config *config, const struct snapshot *last,
		 const struct metadata_handlers *handlers, struct metadata **ret,
		 struct sn_error *e);
void metadata_start(struct metadata *m);
void metadata_free(struct metadata *m);
SN_DEFINE_CLEANUP(struct metadata *, metadata_free);

/* For status and metrics. Times are sn_wall_ms(), 0 = never. */
struct metadata_status {
	int64_t last_ok_ms;      /* last complete, untorn answer */
	int64_t last_ok_mono_ms; /* the same by sn_now_ms(), for its age */
	int64_t last_change_ms;
	const char *error; /* the failure that lasts; NULL when there is none. Borrowed. */
	uint64_t reads, failures, torn; /* torn: /version changed while reading */
};
void metadata_get_status(const struct metadata *m, struct metadata_status *ret);

/*
 * The last good snapshot on disk: state_dir/snapshot.json, 0600. load: 0, or a
 * negative errno with e; -ENOENT when there is none. One that can be read but
 * not understood is put aside as snapshot.json.bad, and e says so. save makes
 * the folder (0700) and waits for the disk: it is fit for a worker thread.
 */
int store_load(const char *state_dir, struct snapshot **ret, struct sn_error *e);
int store_save(const char *state_dir, const struct snapshot *s, struct sn_error *e);
