/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes over the tunnels to learn whether they carry: heartbeats (UDP
 * SENNIT_HEARTBEAT_PORT, between host overlay addresses) and ICMP echoes. With overlays
 * of both families one is asked, IPv4 where both hosts have it: the tunnel, its SAs and the
 * way there are the same for both.
 * Sockets are bound to the tunnel's device: what comes or goes elsewhere does
 * not count. The wire form of a heartbeat is probe/heartbeat.h (pure).
 *
 * One pair of sockets for a device and an address of ours (a "leg"): with libipsec all
 * peers of one family share one.
 */
#pragma once

#include "base/addr.h"
#include "base/error.h"
#include "loop/loop.h"
#include "plan/dataplane.h"
#include "probe/heartbeat.h"
#include "secret/secret.h"

struct probe;

struct probe_handlers {
	/* A heartbeat with a good MAC from this peer, new by sequence; valid during the call. */
	void (*heartbeat)(const char *peer, const struct heartbeat *hb, void *user);
	void (*echo_reply)(const char *peer, uint32_t token, int64_t rtt_us, void *user);
	void *user;
};

struct probe_settings {
	char mesh_id[SN_ID_SIZE];
	char self[SN_ID_SIZE];
	int heartbeat_ms; /* between heartbeats to one peer */
};

/* secrets stays the caller's and outlives the probe. Sends from the first probe_set_peers() on. */
struct probe *probe_new(struct loop *loop, const struct secrets *secrets,
			const struct probe_handlers *handlers);
void probe_free(struct probe *p);
SN_DEFINE_CLEANUP(struct probe *, probe_free);
/*
 * The peers, sorted by id, and their devices; what is known of those that stay (sequence,
 * view) stays. Heartbeats to many peers are spread over the interval.
 */
void probe_set_peers(struct probe *p, const struct probe_settings *settings,
		     const struct wanted_peer *peers, size_t n);
/* A device came, went or is another one: its sockets are made anew. */
void probe_device_changed(struct probe *p, const char *device);
/* What heartbeats carry from now on. */
void probe_set_secrets(struct probe *p, const struct secrets *secrets);
void probe_set_view(struct probe *p, const char *peer, unsigned view);
void probe_set_ike_boot(struct probe *p, uint64_t ike_boot);
/*
 * All SAs that stood with this peer are void on our side, as if our charon were a new one: the
 * heartbeats tell it so. To be said before a new SA carries them.
 */
void probe_renew(struct probe *p, const char *peer);
/* Whether this host has no charon that answers: told to all peers at once when it changes. */
void probe_set_ike_away(struct probe *p, bool away);
void probe_send_echo(struct probe *p, const char *peer, uint32_t token);

/*
 * Why no probe can be sent or heard though its device is there ("the heartbeat
 * port: Address already in use"), since when; NULL: nothing is in the way. A
 * device that is not there is no trouble of the probe's.
 */
const char *probe_trouble(const struct probe *p, int64_t *ret_since);

struct probe_stats {
	uint64_t sent, received, bad, bad_mac, unknown_peer, replayed; /* heartbeats */
	uint64_t echoes_sent, echoes_answered;
	uint64_t send_errors; /* of both */
};
const struct probe_stats *probe_get_stats(const struct probe *p);
