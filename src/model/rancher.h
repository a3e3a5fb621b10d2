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
 * Hosts count in state active, inactive, reconnecting, disconnected with an
 * agent_ip; others (removed, purged, error) are not there.
 * Design §1's flat case: the overlay_ip is the primary_ip of the network's own router container.
 *
 * 0, or -EINVAL with e ("/hosts: not an array"); a wrong host or container
 * alone becomes a problem. before: see snapshot_finish().
 */
int rancher_snapshot(const struct rancher_documents *docs, const struct config *config,
		     const struct snapshot *before, struct snapshot **ret, struct sn_error *e);
