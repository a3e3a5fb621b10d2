/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects: everything sennit can make on a host, as values. The wanted and
 * the observed state are sets of the same type, and the planner compares
 * them. Each kind has an identity (its key) and attributes.
 *
 * Ownership: strings that are pointers belong to the object.
 */
#pragma once

#include "base/addr.h"
#include "base/array.h"
#include "base/strbuf.h"
#include "model/intent.h"

#include <net/if.h>

/* The routes of ours carry this protocol number ('S'); see rtnetlink(7). */
#define SENNIT_RTPROT 83
/* Metric of the overlay's unreachable route: after every specific one. */
#define SENNIT_UNREACHABLE_METRIC 4278198272u
/* Of the other routes in IPv6, which knows no metric 0. */
#define SENNIT_IPV6_METRIC 1024
/* Links of ours begin so and carry an alias "sennit:<mesh>:<object>". */
#define SENNIT_LINK_PREFIX "sn"
/*
 * The groups of our bridge ("snb\2") and of the XFRM interfaces ("snx\2"): a rule compares a
 * group at less than half the price of a name.
 */
#define SENNIT_GROUP_BRIDGE 0x736e6202u
#define SENNIT_GROUP_TUNNEL 0x736e7802u
/* Connections and shared keys of ours in charon begin so. */
#define SENNIT_IKE_PREFIX "sennit-"
/*
 * The routes that charon makes by itself stand in this table, and the rule that leads there
 * (of this priority, too) has a mark that no packet has: see dataplane_libipsec.c.
 */
#define SENNIT_CHARON_TABLE 220
#define SENNIT_CHARON_MARK 0x7777
/* UDP port of the heartbeats, between host overlay addresses. */
#define SENNIT_HEARTBEAT_PORT 8112

enum object_kind {
	OBJECT_NFT,
	OBJECT_RULE,
	OBJECT_SYSCTL,
	OBJECT_LINK,
	OBJECT_ADDRESS,
	OBJECT_ROUTE,
	OBJECT_IKE_KEY,
	OBJECT_IKE_CONN,
	OBJECT_KINDS,
};
#define OBJECT_BIT(kind) (1u << (kind))
#define OBJECT_ALL_NET                                                                             \
	(OBJECT_BIT(OBJECT_NFT) | OBJECT_BIT(OBJECT_RULE) | OBJECT_BIT(OBJECT_SYSCTL) |            \
	 OBJECT_BIT(OBJECT_LINK) | OBJECT_BIT(OBJECT_ADDRESS) | OBJECT_BIT(OBJECT_ROUTE))
#define OBJECT_ALL_IKE (OBJECT_BIT(OBJECT_IKE_KEY) | OBJECT_BIT(OBJECT_IKE_CONN))

/* One nftables table. Key: family and name. */
struct object_nft {
	char family[8]; /* "inet", "ip", "bridge" */
	char name[32];
	/*
	 * The whole table exactly as `nft -s list table` (1.0.6) prints it:
	 * tabs, its names of priorities, its order. So text equality is
	 * equality of the table.
	 */
	char *text;
};

/*
 * A rule of ours in DOCKER-USER, Docker's nftables chain for the rules of others.
 * Key: tag, which says all of it.
 */
struct object_rule {
	char tag[128];   /* its comment: "sennit:<mesh>:from:<bridge>" */
	char text[64];   /* what it does, in nft(8)'s words; "" of an observed one */
	uint64_t handle; /* of an observed one: the kernel's number */
};

/* A setting in /proc/sys. Key: path. Deleting one restores the recorded old value. */
struct object_sysctl {
	char path[96]; /* below /proc/sys, with slashes */
	char value[16];
};

enum link_kind {
	LINK_BRIDGE,
	LINK_VETH, /* made by attach, which has the namespace; the plan only keeps it attached */
	LINK_XFRM,
	LINK_TUN, /* charon makes it; the plan only keeps it up, and says nothing else of it */
};

/* Key: name. */
struct object_link {
	char name[IFNAMSIZ];
	enum link_kind kind;
	char alias[160];
	char master[IFNAMSIZ]; /* "" = none */
	int mtu;
	bool up;
	bool has_mac; /* false: whatever the kernel chose */
	uint8_t mac[SN_MAC_SIZE];
	uint32_t group; /* by which the guard knows it; 0: none */
	uint32_t if_id; /* LINK_XFRM */
};

/* Key: ifname and addr. Only on links of ours. */
struct object_address {
	char ifname[IFNAMSIZ];
	struct sn_prefix addr; /* address with the subnet's length */
};

/* Key: dst, table, metric. Protocol SENNIT_RTPROT. */
struct object_route {
	struct sn_prefix dst;
	uint32_t table;
	uint32_t metric;
	bool unreachable;
	char oif[IFNAMSIZ]; /* "" when unreachable */
	struct sn_addr src; /* preferred source; unset = none */
};

/* A shared key in charon. Key: id. */
struct object_ike_key {
	char id[SN_ID_SIZE + SECRET_ID_SIZE + 8]; /* "sennit-<peer>-<secret id>" */
	char peer[SN_ID_SIZE];
	char secret[SECRET_ID_SIZE]; /* which mesh secret it is derived from */
	unsigned order;              /* 0 = the one used for our own proof; all others are equal */
};

struct conn_others {
	ARRAY(struct sn_addr) a;
};

/* A connection in charon: one peer. Key: name. */
struct object_ike_conn {
	char name[SN_ID_SIZE + 8]; /* "sennit-<peer>" */
	/*
	 * Name of the only child: "net-" and 16 hex digits of a hash over all
	 * attributes below, so that list-conns shows whether charon has these
	 * very attributes, which it does not list itself.
	 */
	char child[24];
	char peer[SN_ID_SIZE];
	char self[SN_ID_SIZE];
	struct sn_addr local_addr, remote_addr;
	/* by which the peer may come, too; those above are not among them */
	struct conn_others local_others, remote_others;
	ARRAY(struct sn_prefix) local_ts;
	ARRAY(struct sn_prefix) remote_ts;
	bool owner; /* this host initiates and retries; the peer only answers */
	bool encap;
	bool esn;
	uint32_t replay_window;
	uint32_t if_id; /* 0 = none */
	uint32_t reqid; /* of all its CHILD_SAs; 0 = charon chooses */
	int ike_rekey_s, child_rekey_s;
};

/*
 * The large kinds stand behind a pointer, which belongs to the object: of routes the flat plan
 * has tens of thousands, of the others a host has a few per peer.
 */
struct object {
	enum object_kind kind;
	union {
		struct object_nft nft;
		struct object_rule *rule;
		struct object_sysctl *sysctl;
		struct object_link *link;
		struct object_address address;
		struct object_route route;
		struct object_ike_key *key;
		struct object_ike_conn *conn;
		void *behind;
	};
};

struct object_set {
	ARRAY(struct object) o;
};

/* A new, zeroed object of this kind at the end of the set; valid until the next add. */
struct object *object_set_add(struct object_set *set, enum object_kind kind);
/* The same, a deep copy of o. */
void object_set_add_copy(struct object_set *set, const struct object *o);
/* Sorts by kind and key; two of one key are a bug of the caller (aborts). */
void object_set_sort(struct object_set *set);
/*
 * The same for what was found. A dump may meet something twice, a record that somebody
 * edited too, and the kernel holds apart (two addresses by their peer) what is one to us.
 * One is shown; when it is gone the other is.
 */
void object_set_sort_found(struct object_set *set);
/* The object with the same kind and key, or NULL. The set is sorted. */
const struct object *object_set_find(const struct object_set *set, const struct object *like);
void object_set_fini(struct object_set *set);
#define _cleanup_object_set_ _cleanup_(object_set_fini)

/* A zeroed object of this kind. */
void object_init(struct object *o, enum object_kind kind);
void object_fini(struct object *o);
/* Deep copy into an uninitialised *ret. */
void object_copy(const struct object *o, struct object *ret);
/* Orders by kind, then key. */
int object_cmp(const struct object *a, const struct object *b);
/*
 * All attributes of two objects with the same key. Connections: the name of
 * the child, which stands for all of them, and those that both sides have: an observed
 * one may have gaps.
 * Links: a hardware address only where both sides have one.
 */
bool object_equal(const struct object *a, const struct object *b);
const char *object_kind_to_string(enum object_kind kind);
/* What keeps packets in: the tables "inet" and "bridge", the unreachable routes. */
bool object_is_guard(const struct object *o);
/* "route 10.42.2.0/24": kind and key. Table and metric are told unless 254 and 0. */
void object_add_name(const struct object *o, struct strbuf *b);
/* "route 10.42.2.0/24 dev ipsec0 src 10.42.1.1": all of it, one line. An nft
 * table shows the number of its lines and the hash of its text. */
void object_add_text(const struct object *o, struct strbuf *b);
/* What differs, "mtu 1500 instead of 1400", for log and plan. */
void object_add_difference(const struct object *found, const struct object *wanted,
			   struct strbuf *b);
/* Sets conn->child from all other attributes; replay_window is never 0, selectors are sorted. */
void object_conn_seal(struct object_ike_conn *conn);
/* FNV-1a, 64 bits: names content, protects nothing. */
uint64_t object_hash(const void *data, size_t len);
