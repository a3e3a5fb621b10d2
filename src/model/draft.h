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
	/* members of a host's entry */
	const char *id, *address, *prefix;
	bool address_list, prefix_list; /* arrays: the place ends with an index */
	/*
	 * "/hosts/3/containers/2/ip", so that a wrong host's single addresses are
	 * lost with it; else "/containers/2/primary_ip", known apart.
	 */
	bool containers_in_hosts;
};

struct draft_host {
	size_t index; /* in the source's array */
	bool out;     /* refused, or beaten by another claim to its id */
	bool kept;    /* not of the source: its last good form */
	/* of before, what the source says of them now was refused */
	bool subnets_stay, singles_stay;
	/* By family: where its prefix is said, if not at words->prefix. Borrowed. */
	const char *prefix_at[SN_FAMILIES];
	bool further_stay; /* the addresses behind the first, and whether it is behind a NAT */
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

struct draft_id {
	char id[SN_ID_SIZE];
};

struct draft {
	struct snapshot *snapshot;
	const struct draft_words *words;
	const char *overlay_place[SN_FAMILIES]; /* "/overlay"; borrowed */
	struct sn_addr metadata;        /* literal address of the metadata service, or unset */
	ARRAY(struct draft_host) hosts; /* beside snapshot->hosts */
	ARRAY(struct draft_single) singles;
	ARRAY(struct draft_refused) refused;
	/* The source had a wrong container of a host that could not be read. */
	bool all_singles_stay;
	ARRAY(struct draft_id) singles_stay; /* hosts that had a wrong container */
};

void draft_init(struct draft *d, const struct draft_words *words);
void draft_fini(struct draft *d);
/* A new host of the source; fill it before the next is added. */
struct host *draft_add_host(struct draft *d, const char *id, size_t index);
/* All that a host says of itself but its prefixes and its id; to is as draft_add_host() made it. */
void draft_copy_host(struct host *to, const struct host *from);
/* Of a wrong entry; id and addr as far as they could be read, else NULL. */
void draft_refuse_host(struct draft *d, const char *id, const struct sn_addr *addr, size_t index);
void draft_refuse_container(struct draft *d, const char *host_id);
/* e of a json_read function, "/place/…: text", becomes a problem; place is where its reader was. */
void draft_add_problem(struct draft *d, const char *place, const struct sn_error *e);

/* "/hosts/3/KEY", and "/SUB" after it when list; the caller frees it. */
char *draft_host_place(const struct draft *d, size_t host, const char *key, bool list, size_t sub);
char *draft_single_place(const struct draft *d, const struct draft_single *single);

/*
 * See snapshot_finish(). On success the snapshot is complete; it is the
 * draft's until it is taken with sn_steal(d->snapshot).
 */
int draft_settle(struct draft *d, const struct snapshot *before, struct sn_error *e);

/*
 * The second half of it (model/claims.c): gives every host its prefixes and
 * its overlay_ip. before is of the same mesh, or NULL. 0, or -EINVAL with e when
 * the overlay is new and leaves out what a host had and still says it has.
 */
int draft_settle_claims(struct draft *d, const struct snapshot *before, struct sn_error *e);

/* The living host (neither out nor gone) of this id in a finished snapshot; NULL too for s NULL. */
const struct host *snapshot_find_living(const struct snapshot *s, const char *id);

/* NULL, or why no host can be reached there: "a loopback address". */
const char *underlay_unusable(const struct sn_addr *a);

/* At most max bytes of it, without what is no UTF-8: a text cut inside a character is no JSON. */
char *text_cut(const char *s, size_t max);
/* A copy of the URL without "user:password@". */
char *url_without_user(const char *url);
