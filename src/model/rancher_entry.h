/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the module: what one entry of Rancher's arrays says. rancher.c
 * reads them, rancher_facts.c keeps them.
 *
 * Errors have the place inside the entry: "/agent_ip: …", or "/: …" for the entry itself.
 */
#pragma once

#include "model/draft.h"
#include "model/rancher.h"

enum entry_kind {
	ENTRY_NOTHING, /* it says nothing of the overlay */
	ENTRY_GOOD,
	ENTRY_WRONG, /* see the error */
};

struct rancher_host {
	char id[SN_ID_SIZE]; /* of a wrong entry "" when it could not be read */
	struct sn_addr addr; /* the same: unset */
	bool never_ours;     /* of a wrong entry: its id was never one of ours */
	bool labels_wrong;   /* of a good entry: see the error; what it had stays */
	enum host_state state;
	struct sn_prefix_pair subnet;
	uint8_t label_family; /* of the one that the label io.sennit.subnet gave; 0: none */
	/* besides addr, as the label io.sennit.addresses says: "192.0.2.12, 2001:db8::2" */
	ARRAY(struct sn_addr) more;
	bool behind_nat; /* the label io.sennit.nat is "true" */
	char *name;
};
void rancher_host_fini(struct rancher_host *h);

struct rancher_container {
	struct sn_addr addr;
	const char *host; /* borrowed; NULL of a wrong entry when it could not be read */
	bool router;
	const char *holder; /* borrowed; of a router: in whose network namespace it is */
};

enum entry_kind rancher_read_host(const json_t *v, struct rancher_host *ret, struct sn_error *e);
enum entry_kind rancher_read_container(const json_t *v, const char *network,
				       struct rancher_container *ret, struct sn_error *e);

/* Rancher's subnet, and ours: a key of both the bridge's configuration and a host's labels. */
#define RANCHER_SUBNET_LABEL "io.rancher.network.per_host_subnet.subnet"
#define RANCHER_OTHER_SUBNET "io.sennit.subnet"

/* What is said of the own network; what it points to is the caller's to free. */
struct rancher_network {
	char mesh_id[SN_ID_SIZE];
	char *uuid, *name;
	char *overlay_place[SN_FAMILIES]; /* NULL: none */
	struct sn_prefix_pair overlay;
};
void rancher_network_fini(struct rancher_network *n);
int rancher_read_networks(const json_t *networks, const struct config *config,
			  struct rancher_network *ret, struct sn_error *e);
int rancher_read_self(const json_t *self_host, const struct config *config,
		      char ret[static SN_ID_SIZE], struct sn_error *e);
