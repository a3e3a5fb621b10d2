/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rancher 1.x metadata documents (version 2016-07-29) to a snapshot. Pure.
 * What the documents look like, and how they lie: nulls anywhere, unstable
 * order of arrays, host-network containers with the host's address.
 */
#pragma once

#include "base/json.h"
#include "model/config.h"
#include "model/snapshot.h"

/* The documents of one consistent read: /self/host, /hosts, /containers, /networks. Borrowed. */
struct rancher_documents {
	const char *version; /* /version, equal before and after the read */
	const char *source;  /* the URL, for people */
	const json_t *self_host, *hosts, *containers, *networks;
};

/*
 * Own id: config's host.id, else self_host's uuid. Own network: the one config
 * names (name or uuid), else the only one whose cniConfig has an entry of type
 * rancher-bridge; several are -EINVAL with their names, and bridgeSubnet of that entry
 * is the overlay. mesh id: config's mesh.id, else the network's uuid.
 * A host's id is its uuid; its prefixes are the label
 * io.rancher.network.per_host_subnet.subnet, or the single addresses of its
 * overlay endpoints (containers that are running, starting or stopping, on the
 * own network, with a primary_ip, without network_from_container_uuid), or
 * both: a single address inside a host's own subnet adds nothing, one outside is a /32.
 * Rancher knows one overlay, and one subnet of a host. Those of the other family are
 * "io.sennit.subnet": beside bridgeSubnet, and among the host's labels.
 * Hosts count in state active, inactive, reconnecting, disconnected with an
 * agent_ip; others (removed, purged, error) are not there.
 * Design §1's flat case: the overlay_ip is the primary_ip of the network's own router container.
 *
 * 0, or -EINVAL with e ("/hosts: not an array"); a wrong host or container
 * alone becomes a problem. before: see snapshot_finish().
 */
int rancher_snapshot(const struct rancher_documents *docs, const struct config *config,
		     const struct snapshot *before, struct snapshot **ret, struct sn_error *e);

/*
 * The same, kept from one reading to the next: what the entries said, not
 * their texts. An entry whose text is known already is not parsed again (it is
 * known by a keyed hash, whatever its place in the array); the changes of
 * sennit-metadata are put in one by one. What they hold is a state of the service
 * only between complete readings: after one that failed, read all again.
 */
struct rancher_facts;

enum rancher_list { RANCHER_HOSTS, RANCHER_CONTAINERS, RANCHER_LISTS };

/* Of a version, in bytes. */
#define RANCHER_MAX_VERSION 1024

/* One entry's text; no host or container is this large. */
#define RANCHER_MAX_ENTRY ((size_t)256 * 1024)

/* config outlives it; key: random bytes. */
struct rancher_facts *rancher_facts_new(const struct config *config, const uint8_t key[static 16]);
void rancher_facts_free(struct rancher_facts *f);
SN_DEFINE_CLEANUP(struct rancher_facts *, rancher_facts_free);

/*
 * 0, or -EINVAL with e. The networks come before the containers, which depend on
 * them: 1 when another network than before is ours, and the containers are forgotten.
 */
int rancher_facts_self(struct rancher_facts *f, const json_t *self_host, struct sn_error *e);
int rancher_facts_networks(struct rancher_facts *f, const json_t *networks, struct sn_error *e);

/* A whole array: begin, take its entries in order, end. What was not taken is gone then. */
void rancher_facts_begin(struct rancher_facts *f, enum rancher_list list);
/* 0, or -EINVAL with e ("/hosts/3: line 1, column 4: not JSON: …"): begin anew. */
int rancher_facts_take(struct rancher_facts *f, enum rancher_list list, const char *text,
		       size_t len, struct sn_error *e);
/* is_null: there was no array, but null. */
void rancher_facts_end(struct rancher_facts *f, enum rancher_list list, bool is_null);

/* One that is new, or other than the one of its uuid; one that is gone. */
void rancher_facts_put(struct rancher_facts *f, enum rancher_list list, const json_t *entry);
void rancher_facts_remove(struct rancher_facts *f, enum rancher_list list, const char *uuid);
/* Who we are, as the changes say it; config's host.id goes before. -EINVAL with e. */
int rancher_facts_self_id(struct rancher_facts *f, const char *id, struct sn_error *e);

/* What an answer of /changes (tools/metadata/history.h) says. */
enum rancher_change_kind {
	RANCHER_CHANGE_NONE, /* the version that is held */
	RANCHER_CHANGE_SOME, /* another one: they are put in */
	RANCHER_CHANGE_ALL,  /* read all: nothing is put in */
};

struct rancher_change {
	enum rancher_change_kind kind;
	char *version; /* that it leads to; the caller frees it */
};

/*
 * Takes one answer in. held: the version that the facts are of. -EINVAL with e when
 * it is none: nothing is put in then.
 */
int rancher_facts_change(struct rancher_facts *f, const char *text, size_t len, const char *held,
			 struct rancher_change *ret, struct sn_error *e);

/* "/networks/0/…/bridgeSubnet", of the networks that were read; of that family's overlay.
 * Borrowed. */
const char *rancher_facts_overlay_place(const struct rancher_facts *f, uint8_t family);

/* Entries parsed since it was made: work that was not saved. */
uint64_t rancher_facts_parsed(const struct rancher_facts *f);

/* Snapshots that were made by settling all claims, and those that followed one before. */
struct rancher_work {
	uint64_t settled, followed;
};
struct rancher_work rancher_facts_work(const struct rancher_facts *f);

/* See rancher_snapshot(). Fit for a worker while nobody else touches it. */
int rancher_facts_snapshot(struct rancher_facts *f, const char *version, const char *source,
			   const struct snapshot *before, struct snapshot **ret,
			   struct sn_error *e);
