/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data planes: pure functions from the intent to everything this host should
 * have. They are all the rest of the program knows of how ESP is carried.
 */
#pragma once

#include "base/error.h"
#include "plan/object.h"

/* A peer as the daemon's other modules need it. */
struct wanted_peer {
	char id[SN_ID_SIZE];
	char device[IFNAMSIZ]; /* its packets leave and come in by: "ipsec0", "snx3" */
	uint32_t if_id;        /* to be kept for the next struct intent; 0 = none */
	/*
	 * Between which heartbeats and echoes go: its overlay address and ours, of IPv4 where
	 * both hosts have one, else of IPv6. Both unset: they have no family in common.
	 */
	struct sn_addr overlay_ip, own_overlay_ip;
	bool owner;                   /* this host owns the pair (design §7) */
	struct sn_addr local, remote; /* its tunnel's, on the underlay; unset: there is no pair */
	unsigned n_paths;             /* pairs there are to choose from (plan/path.h) */
};

struct wanted {
	struct object_set objects;       /* sorted */
	ARRAY(struct wanted_peer) peers; /* sorted by id: every host but self and the gone */
	/*
	 * Set by who asked want_guard() for lack of more: other objects of ours are not
	 * unwanted, only unknown, so none is deleted.
	 */
	bool guard_only;
	ARRAY(char *) remarks; /* what this data plane cannot do of the intent, for people */
};
void wanted_fini(struct wanted *w);
/* NULL when it is none. Borrowed. */
const struct wanted_peer *wanted_find_peer(const struct wanted *w, const char *id);
/* The connection with this peer, likewise. */
const struct object_ike_conn *wanted_find_conn(const struct wanted *w, const char *peer);

struct dataplane {
	const char *name; /* "xfrm", "libipsec" */
	int default_mtu;
	/* The kernel carries ESP, as long as it has its SAs: charon's end stops no packet. */
	bool kernel_esp;
	/*
	 * Lines for strongswan.conf inside charon-systemd { }. They may hold a section
	 * plugins { }; strongSwan merges sections of one name, so others may too.
	 */
	const char *charon_plugins;
	/*
	 * Everything. 0, or -EINVAL/-EOPNOTSUPP with e when the whole intent is
	 * impossible here (the flat plan on libipsec): nothing is then wanted,
	 * and the caller keeps what is there.
	 */
	int (*want)(const struct intent *intent, struct wanted *ret, struct sn_error *e);
	/*
	 * The least that keeps promises 1 and 2: guard tables and unreachable
	 * routes, the very same as want() has, so that start and `sennit down`
	 * load nothing twice. For start, `sennit down` and removal.
	 */
	void (*want_guard)(const struct intent *intent, struct wanted *ret);
	/*
	 * What want() makes of a prefix of a peer that leaves by this device, where that
	 * is one route (or none) and all that depends on the peer's prefixes; else NULL.
	 */
	void (*want_route)(const struct intent *intent, const struct sn_prefix *prefix,
			   const char *device, struct object_set *set);
};

extern const struct dataplane dataplane_xfrm;
extern const struct dataplane dataplane_libipsec;
