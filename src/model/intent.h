/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intent: what this host should look like. Everything a data plane may
 * know stands here; nothing of it is a secret.
 */
#pragma once

#include "model/config.h"
#include "model/if_ids.h"
#include "model/snapshot.h"

#include <net/if.h>

#define SN_MAC_SIZE 6
/* 16 hex digits, names an attachment for ever. */
#define ATTACHMENT_ID_SIZE 17

/* One container interface on this host. */
struct attachment {
	char id[ATTACHMENT_ID_SIZE];
	char veth[IFNAMSIZ];           /* the host's end: "snv" + the first 8 digits of the id */
	char ifname[IFNAMSIZ];         /* the container's end, in its namespace */
	struct sn_prefix_pair addr;    /* addresses with the length of their subnet: 10.42.1.7/24 */
	uint8_t mac[SN_MAC_SIZE];      /* of the container's end */
	uint64_t netns_dev, netns_ino; /* the namespace's identity, as fstat(2) tells */
	int64_t created_ms;            /* wall clock */
	char *label;                   /* what the caller called it; may be NULL */
	bool ready; /* false: being made or unmade; its addresses are taken all the same */
};

/* A mesh secret as the plan may see it: its name, never its value. */
struct intent_secret {
	char id[SECRET_ID_SIZE]; /* 16 hex digits, secret_id() in secret/secret.h */
};

/* The addresses that a tunnel is to be built between, where there is a choice. */
struct intent_path {
	char peer[SN_ID_SIZE];
	struct sn_addr local, remote;
};

/* The ports of the sockets that stand in for charon's (net/esp_socket.h). */
struct intent_stand_in {
	uint16_t port, port6; /* of the loopback; 0: none */
};

/* More are not looked for: a host has few devices that are no container's. */
#define INTENT_ADVERTISED_MAX 32

struct intent_device {
	char name[IFNAMSIZ];
};

/* More are not looked for. */
#define INTENT_FOREIGN_MAX 64

/* Links of others that the guard has to know, each list sorted by name. */
struct intent_foreign {
	struct intent_device bridges[INTENT_FOREIGN_MAX];
	size_t n_bridges;
	/* in a link group of ours: the guard takes them for our bridge, or our tunnels */
	struct intent_device in_our_groups[INTENT_FOREIGN_MAX];
	size_t n_in_our_groups;
};

struct intent {
	const struct config *config;
	const struct snapshot *snapshot;
	const struct attachment *attachments; /* only ready ones are wired */
	size_t n_attachments;
	const struct intent_secret *secrets; /* all accepted; the first is used */
	size_t n_secrets;
	/*
	 * The numbers given so far, kept in the state file. A peer without one gets
	 * the lowest that is not listed; the entry of a host that left holds its
	 * number until the caller drops it, best when its link is gone.
	 */
	const struct if_ids *if_ids; /* NULL: none */
	/*
	 * What was found to work, one a peer, by its id; of a peer that has none here the first
	 * pair is used.
	 */
	const struct intent_path *paths;
	size_t n_paths;
	/* what the host had before us, from observation, kept in the state file */
	char uplink[IFNAMSIZ];  /* device of the default route; "" when there is none */
	bool uplink_forwarding; /* it forwarded before we asked it to */
	bool docker_user;       /* Docker's chain DOCKER-USER is there */
	/*
	 * Bit i: no device has our i-th underlay address (of those of the snapshot's self).
	 * It is our NAT's, or is not there yet.
	 */
	uint32_t underlay_away;
	/* netfilter has no rules of others, who might need to know the overlay's connections */
	bool alone;
	int underlay_mtu; /* of the device with our underlay address, bytes of IP; 0: not known */
	bool no_ipv6;     /* the kernel has none: nothing of it can be set */
	struct intent_stand_in stand_in;
	bool ipv6_forwarding; /* it forwarded IPv6 before we asked it to */
	/*
	 * Devices of others that hear router advertisements, and would not as those of a
	 * router. None where the host is one already.
	 */
	const struct intent_device *advertised;
	size_t n_advertised;
	const struct intent_foreign *foreign; /* NULL: none */
};
