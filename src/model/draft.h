/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A draft: what a parser read, before the claims in it are settled. Private
 * to the module; the parsers fill it, draft_settle() makes the snapshot.
 *
 * A parser checks types and forms, entry by entry: a good host goes to
 * snapshot->hosts (with its own prefixes) and `hosts`, a single address of a
 * container to `singles`; a wrong entry becomes a problem and, if it may be
 * an entry of before, a `refused` one, so that its last good form can stay.
 */
#pragma once

#include "model/snapshot.h"

/* How the source spells places, for problems. */
struct draft_words {
	const char *overlay; /* "/overlay" */
	/* members of a host's entry */
	const char *id, *address, *prefix;
	bool address_list, prefix_list; /* arrays: the place ends with an index */
	/* "/hosts/3/containers/2/ip", else "/containers/2/primary_ip" */
	bool containers_in_hosts;
};

struct draft_host {
	size_t index; /* in the source's array */
	bool out;     /* refused, or beaten by another claim to its id */
	bool kept;    /* not of the source: a last good form */
};

/* One container's address. */
struct draft_single {
	struct sn_addr addr;
	char host_id[SN_ID_SIZE];
	size_t host_index; /* with containers_in_hosts */
	size_t index;
	bool router; /* of the network's own router: the host's overlay address in the flat plan */
};

struct draft_refused {
	char id[SN_ID_SIZE]; /* "" when it could not be read */
	struct sn_addr addr; /* its underlay address, unset when it could not be read */
	size_t index;
};

struct draft {
	struct snapshot *snapshot;
	const struct draft_words *words;
	struct sn_addr metadata;        /* literal address of the metadata service, or unset */
	ARRAY(struct draft_host) hosts; /* beside snapshot->hosts */
	ARRAY(struct draft_single) singles;
	ARRAY(struct draft_refused) refused;
	/*
	 * Hosts with a container that was refused: single addresses they had
	 * stay. all_singles_stay: it could not be read of which host.
	 */
	ARRAY(struct draft_refused) singles_stay;
	bool all_singles_stay;
};

void draft_init(struct draft *d, const struct draft_words *words);
void draft_fini(struct draft *d);
/* A new host of the source; fill it. */
struct host *draft_add_host(struct draft *d, const char *id, size_t index);
/* id NULL: could not be read. addr may be NULL. The problem is the caller's to add. */
void draft_refuse_host(struct draft *d, const char *id, const struct sn_addr *addr, size_t index);
void draft_refuse_container(struct draft *d, const char *host_id);

/* Moves e (from a json_read function: "/place: text") into the problems. */
void draft_problem(struct draft *d, const struct sn_error *e);

/*
 * See snapshot_finish(). On success the snapshot is complete and still
 * d's; take it with sn_steal(d->snapshot).
 */
int draft_settle(struct draft *d, const struct snapshot *before, struct sn_error *e);

/* NULL, or why no host can be reached there: "a loopback address". */
const char *underlay_unusable(const struct sn_addr *a);
