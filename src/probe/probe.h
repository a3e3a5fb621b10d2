/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes over the tunnels to learn whether they carry: heartbeats (UDP,
 * SENNIT_HEARTBEAT_PORT, between host overlay addresses) and ICMP echoes.
 * Sockets are bound to the tunnel's device: a heartbeat that comes or goes
 * elsewhere does not count. The wire form of a heartbeat is probe/heartbeat.h
 * (pure).
 */
#pragma once

#include "base/addr.h"
#include "base/error.h"
#include "loop/loop.h"
#include "plan/dataplane.h"
#include "secret/secret.h"

struct probe;

struct probe_handlers {
	/*
	 * A heartbeat with a good MAC from this peer, new by sequence. its_state is what the
	 * sender thinks of us (enum peer_state of health.h as number), ike_boot its charon's boot id.
	 */
	void (*heartbeat)(const char *peer, uint64_t daemon_boot, uint64_t ike_boot, uint32_t seq,
			  unsigned its_state, int64_t now, void *user);
	void (*echo_reply)(const char *peer, uint32_t token, int64_t now, void *user);
	void *user;
};

struct probe_settings {
	const char *mesh_id;
	const char *self;
	struct sn_addr self_overlay_ip;
};

int probe_new(struct loop *loop, const struct probe_settings *settings, const struct secrets *secrets,
	      const struct probe_handlers *handlers, struct probe **ret, struct sn_error *e);
void probe_free(struct probe *p);
SN_DEFINE_CLEANUP(struct probe *, probe_free);
/*
 * The peers and their devices. Devices may come and go: a socket is (re)bound
 * when probe_device_changed() names it.
 */
void probe_set_peers(struct probe *p, const struct wanted_peer *peers, size_t n);
void probe_device_changed(struct probe *p, const char *device);
/* What the heartbeats to this peer carry from now on. */
void probe_set_view(struct probe *p, const char *peer, unsigned my_state, uint64_t ike_boot);
/* One heartbeat to every peer with an overlay address, spread over `within_ms`. */
void probe_send_heartbeats(struct probe *p, int64_t within_ms);
void probe_send_echo(struct probe *p, const char *peer, uint32_t token);

struct probe_stats {
	uint64_t sent, received, bad_mac, unknown_peer, replayed, send_errors;
};
const struct probe_stats *probe_get_stats(const struct probe *p);
