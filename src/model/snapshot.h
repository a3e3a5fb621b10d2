/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot: one complete, validated state of the mesh, as one host sees it.
 * Built by a parser (model/rancher.h, model/mesh_file.h, model/stored.h),
 * immutable afterwards. Pure data: nothing here reads a file or a clock.
 *
 * Rules that hold for every snapshot, whatever it was built from:
 *  - hosts are sorted by id, ids are unique and valid (host_id_valid());
 *  - there is an overlay of IPv4, of IPv6, or of each;
 *  - prefixes are networks (host bits clear), sorted, inside the overlay of their
 *    family, and overlap with those of no other host that is not gone;
 *  - overlay_ip of a host lies in one of its prefixes and is unique;
 *  - self_id names a host that is not gone.
 * What broke one of them was left out and stands in problems.
 */
#pragma once

#include "base/addr.h"
#include "base/array.h"
#include "base/error.h"
#include "base/json.h"
#include "base/pair.h"

/* Limits on what a source may bring; over one of them it is refused whole. */
#define SNAPSHOT_MAX_HOSTS 4096
#define SNAPSHOT_MAX_CONTAINERS 65536
/* Over one of these the host is wrong. */
#define HOST_MAX_ADDRESSES 16
#define HOST_MAX_PREFIXES 256
/* Longer names are cut. */
#define HOST_MAX_NAME 255
/* Problems that are kept; later ones of the same document are not told. */
#define SNAPSHOT_MAX_PROBLEMS 256
/* The widest overlay (design §5.10). */
#define OVERLAY_MIN_LEN_V4 8
#define OVERLAY_MIN_LEN_V6 32

enum host_state {
	HOST_ACTIVE,
	HOST_INACTIVE,
	HOST_RECONNECTING,
	HOST_DISCONNECTED,
	HOST_GONE, /* replaced by another host of the same address; no peer */
};
/* "active", "inactive", "reconnecting", "disconnected", "gone". */
const char *host_state_to_string(enum host_state state);
/* 0, or -EINVAL for a name that is no state. */
int host_state_from_string(const char *name, enum host_state *ret);

struct host {
	char id[SN_ID_SIZE];
	char *name; /* for people, raw text; never NULL */
	enum host_state state;
	char replaced_by[SN_ID_SIZE];   /* when gone */
	int64_t created_ms;             /* wall clock if the source knows it, else 0 */
	ARRAY(struct sn_addr) underlay; /* at least one; the first is used */
	/*
	 * None of them need reach it, nor need it come by one of them: it begins its
	 * tunnels, and those of it are accepted from anywhere.
	 */
	bool behind_nat;
	ARRAY(struct sn_prefix) prefixes;
	/* design §1 "host overlay address"; it has none of a family of which it has no subnet */
	struct sn_addr_pair overlay_ip;
};

/* An entry of the source that was refused, alone. */
struct problem {
	char *place; /* RFC 6901 pointer into the source's document, "/hosts/3/agent_ip" */
	char *text;
};
void problem_fini(struct problem *p);
/*
 * From what a reader of base/json.h says: "/hosts/3/x: text". place is where
 * the reader was, "/hosts/3", for texts that are cut.
 */
void problem_from_error(struct problem *p, const char *place, const struct sn_error *e);

struct snapshot {
	char mesh_id[SN_ID_SIZE];
	char *mesh_name;
	struct sn_prefix_pair overlay;
	char self_id[SN_ID_SIZE];
	char *revision; /* opaque; equal means nothing changed */
	char *source;   /* where it came from, for people: an URL without user or password */
	ARRAY(struct host) hosts;
	ARRAY(struct problem) problems;
};

/* [A-Za-z0-9][A-Za-z0-9._-]{0,62} (design §1). */
bool host_id_valid(const char *id);
/* True when some prefix of some host is a single address: Rancher's flat plan. */
bool snapshot_is_flat(const struct snapshot *s);

/* The mesh's overlay of this family (AF_INET, AF_INET6); NULL when it has none. Borrowed. */
const struct sn_prefix *snapshot_overlay(const struct snapshot *s, uint8_t family);
/* As snapshot_overlay(): the host's own address of it, NULL when it has none. */
const struct sn_addr *host_overlay_ip(const struct host *h, uint8_t family);
/* Some prefix of the host is of this family. */
bool host_has_family(const struct host *h, uint8_t family);

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *s);
SN_DEFINE_CLEANUP(struct snapshot *, snapshot_free);
/* All of it; the copy is the caller's. */
struct snapshot *snapshot_copy(const struct snapshot *s);
void host_fini(struct host *h);
/* A new, zeroed host at the end; the id is copied. */
struct host *snapshot_add_host(struct snapshot *s, const char *id);
/* NULL when there is none. Borrowed. */
const struct host *snapshot_find(const struct snapshot *s, const char *id);
const struct host *snapshot_self(const struct snapshot *s);
void snapshot_add_problem(struct snapshot *s, const char *place, const char *fmt, ...)
	SN_PRINTF(3, 4);

/*
 * Sorts, settles double addresses (below), computes overlay_ip where it is
 * unset, checks every rule above and the bounds of design §5.10; entries that
 * break one are left out and noted as problems. before is the last good
 * snapshot or NULL (one of another mesh counts as NULL): of two claims to one
 * id, address or prefix its holder keeps it, and a wrong entry's last good
 * form stays. Without a holder subnets go before single addresses, then self,
 * then the smaller id.
 *
 * Of two hosts with one underlay address the active one wins, then the newer
 * (created_ms, then the one that `before` does not have, then the greater
 * id); self always wins. The loser becomes HOST_GONE and has no prefixes. But a
 * host that `before` has at another address, and that comes to one which an
 * active host had (or to our own), is wrong: it keeps the address it had.
 *
 * An underlay address inside the overlay: the overlay is refused, and all
 * with it, when it is our own address or one that the host had before this
 * overlay came; else the host is, alone. A new overlay that leaves out a prefix
 * which a host had and still says it has is refused as well, and so is a mesh
 * where no host has a prefix any more and one of them had a subnet; with two overlays
 * each for itself. A host without a prefix of one family has nothing of that, and is right.
 *
 * Equal for every order of hosts and prefixes, but for the problems' places.
 * Done again with its own result as before it changes nothing; only a refusal
 * that went with the claim it was for (A's because of B's, B's because of what
 * A had) takes one reading more to settle.
 *
 * 0, or -EINVAL with e: no host, no self, overlay out of bounds, no prefixes
 * where there were some. s stays the
 * caller's, and is then of no further use.
 */
int snapshot_finish(struct snapshot *s, const struct snapshot *before, struct sn_error *e);

/* Same mesh, hosts and prefixes; revision, source and problems do not count. */
bool snapshot_equal(const struct snapshot *a, const struct snapshot *b);

/*
 * The stored form: versioned JSON of our own ("sennit_snapshot": 1), for
 * /var/lib/sennit/snapshot.json. from_json validates like any input.
 */
json_t *snapshot_to_json(const struct snapshot *s);
int snapshot_from_json(const json_t *v, struct snapshot **ret, struct sn_error *e);
