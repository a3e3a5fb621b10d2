/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /metrics tells. The lists below are the one place of every metric: its
 * name, type, help and the member that holds its value. metrics.c fills the values
 * from the daemon, metrics_text.c (pure) writes them. The README has the
 * same names; a test compares.
 *
 * Conventions: https://prometheus.io/docs/practices/naming/. A value that is
 * not known is NAN here and absent on the page. Series a peer: one of each of
 * METRICS_PEER, four states, one cause at most, one info; so some 20 times the
 * number of peers, all named by the peer's id, which never changes.
 */
#pragma once

#include "api/exposition.h"
#include "base/array.h"
#include "health/health.h"
#include "model/snapshot.h"

/* X(member, type, name, help): one value of this host. */
#define METRICS_HOST(X)                                                                            \
	X(healthy, GAUGE, "sennit_healthy",                                                        \
	  "1 while nothing is wrong with this host itself (/healthz).")                            \
	X(ready, GAUGE, "sennit_ready", "1 while the host is ready (/readyz).")                    \
	X(down, GAUGE, "sennit_down", "1 while `sennit down` keeps the tunnels away.")             \
	X(guard, GAUGE, "sennit_guard_loaded",                                                     \
	  "1 while the nftables guard is there, as of the last look.")                             \
	X(metadata_ok, GAUGE, "sennit_metadata_ok", "1 while the metadata service answers.")       \
	X(metadata_stored, GAUGE, "sennit_metadata_from_store",                                    \
	  "1 while the state of the mesh is the stored one, not confirmed since the start.")       \
	X(metadata_success, GAUGE, "sennit_metadata_last_success_timestamp_seconds",               \
	  "When the metadata were last read whole.")                                               \
	X(metadata_change, GAUGE, "sennit_metadata_last_change_timestamp_seconds",                 \
	  "When the metadata last changed the mesh.")                                              \
	X(metadata_reads, COUNTER, "sennit_metadata_reads_total",                                  \
	  "Readings of the metadata that were whole.")                                             \
	X(metadata_failures, COUNTER, "sennit_metadata_read_failures_total",                       \
	  "Readings of the metadata that failed.")                                                 \
	X(metadata_torn, COUNTER, "sennit_metadata_torn_reads_total",                              \
	  "Readings of the metadata that were void because they changed meanwhile.")               \
	X(refused, GAUGE, "sennit_metadata_refused_entries",                                       \
	  "Entries of the metadata that are refused.")                                             \
	X(passes, COUNTER, "sennit_reconcile_passes_total", "Passes of the reconcile loop.")       \
	X(settled, GAUGE, "sennit_reconcile_settled",                                              \
	  "1 when the last pass found this host as it should be.")                                 \
	X(failing, GAUGE, "sennit_reconcile_failing_objects", "Objects that cannot be applied.")   \
	X(waiting, GAUGE, "sennit_reconcile_waiting_objects",                                      \
	  "Objects that wait for something else.")                                                 \
	X(misplaced, GAUGE, "sennit_attachments_misplaced",                                        \
	  "Attachments whose address is not this host's to give any more.")                        \
	X(charon_online, GAUGE, "sennit_charon_online", "1 while charon answers.")                 \
	X(charon_outages, COUNTER, "sennit_charon_outages_total",                                  \
	  "Times that charon stopped answering.")                                                  \
	X(charon_restarts, COUNTER, "sennit_charon_restarts_total",                                \
	  "Times that charon came back as a new process.")                                         \
	X(ike_initiations, COUNTER, "sennit_ike_initiations_total",                                \
	  "Negotiations that charon was asked for.")                                               \
	X(ike_failures, COUNTER, "sennit_ike_failures_total",                                      \
	  "Negotiations that failed, whoever began them.")                                         \
	X(beats_sent, COUNTER, "sennit_heartbeats_sent_total", "Heartbeats sent.")                 \
	X(beats_received, COUNTER, "sennit_heartbeats_received_total",                             \
	  "Heartbeats received and believed.")                                                     \
	X(echoes_sent, COUNTER, "sennit_echoes_sent_total", "ICMP echoes sent through tunnels.")   \
	X(echoes_answered, COUNTER, "sennit_echoes_answered_total", "Answers to these echoes.")    \
	X(send_errors, COUNTER, "sennit_probe_send_errors_total",                                  \
	  "Heartbeats and echoes that could not be sent.")                                         \
	X(slow_turns, COUNTER, "sennit_loop_slow_turns_total",                                     \
	  "Turns of the event loop over 20 ms.")                                                   \
	X(slowest_turn, GAUGE, "sennit_loop_slowest_turn_seconds",                                 \
	  "The slowest turn of the event loop since the start.")                                   \
	X(stalls, COUNTER, "sennit_loop_stalls_total",                                             \
	  "Times that the event loop came back over 250 ms late.")                                 \
	X(last_stall, GAUGE, "sennit_loop_last_stall_seconds", "How late it was the last time.")   \
	X(start, GAUGE, "process_start_time_seconds", "When sennitd was started.")                 \
	X(cpu, COUNTER, "process_cpu_seconds_total", "CPU time that sennitd has used.")            \
	X(resident, GAUGE, "process_resident_memory_bytes", "Resident memory of sennitd.")         \
	X(fds, GAUGE, "process_open_fds", "Descriptors that sennitd has open.")

/* X(member, type, name, label, help): values of this host by a label of ours. */
#define METRICS_SETS(X)                                                                            \
	X(problems, GAUGE, "sennit_host_problems", "problem",                                      \
	  "What is wrong with this host itself, by kind.")                                         \
	X(peers_by_state, GAUGE, "sennit_peers", "state", "Peers by state.")                       \
	X(hosts, GAUGE, "sennit_mesh_hosts", "state",                                              \
	  "Hosts of the mesh, this one too; gone: replaced by another of its address.")            \
	X(attachments, GAUGE, "sennit_attachments", "state", "Containers' interfaces by state.")   \
	X(changes, COUNTER, "sennit_reconcile_changes_total", "kind",                              \
	  "Objects made, changed or removed, by kind; repairs among them.")                        \
	X(repairs, COUNTER, "sennit_reconcile_repairs_total", "kind",                              \
	  "Objects set right after somebody else changed them, by kind.")                          \
	X(step_failures, COUNTER, "sennit_reconcile_failures_total", "kind",                       \
	  "Tries to make, change or remove an object that failed, by kind.")                       \
	X(beats_refused, COUNTER, "sennit_heartbeats_refused_total", "reason",                     \
	  "Heartbeats received and not believed, by reason.")

/* X(member, type, name, help): one value of each peer, with label peer. */
#define METRICS_PEER(X)                                                                            \
	X(since, GAUGE, "sennit_peer_state_since_timestamp_seconds",                               \
	  "When the peer entered its state.")                                                      \
	X(state_changes, COUNTER, "sennit_peer_state_changes_total",                               \
	  "Times that the peer's state or cause changed.")                                         \
	X(rtt, GAUGE, "sennit_peer_rtt_seconds", "Round trip through the tunnel, smoothed.")       \
	X(loss, GAUGE, "sennit_peer_heartbeat_loss_ratio",                                         \
	  "Part of the last 64 heartbeats that is missing, 0 to 1.")                               \
	X(last_heard, GAUGE, "sennit_peer_last_heard_timestamp_seconds",                           \
	  "When the tunnel last brought an answer of the peer.")                                   \
	X(tunnel, GAUGE, "sennit_tunnel_installed", "1 while a CHILD_SA with the peer stands.")    \
	X(bytes_in, COUNTER, "sennit_tunnel_receive_bytes_total",                                  \
	  "Bytes out of the tunnel as charon counts them, over all its CHILD_SAs.")                \
	X(bytes_out, COUNTER, "sennit_tunnel_transmit_bytes_total",                                \
	  "Bytes into the tunnel as charon counts them, over all its CHILD_SAs.")                  \
	X(packets_in, COUNTER, "sennit_tunnel_receive_packets_total",                              \
	  "Packets out of the tunnel.")                                                            \
	X(packets_out, COUNTER, "sennit_tunnel_transmit_packets_total",                            \
	  "Packets into the tunnel.")                                                              \
	X(ike_age, GAUGE, "sennit_ike_sa_age_seconds", "Age of the IKE_SA.")                       \
	X(ike_rekey, GAUGE, "sennit_ike_sa_rekey_in_seconds",                                      \
	  "Time until the IKE_SA is due for new keys; 0: overdue.")                                \
	X(child_age, GAUGE, "sennit_child_sa_age_seconds", "Age of the CHILD_SA.")                 \
	X(child_rekey, GAUGE, "sennit_child_sa_rekey_in_seconds",                                  \
	  "Time until the CHILD_SA is due for new keys; 0: overdue.")                              \
	X(ike_failures, COUNTER, "sennit_peer_ike_failures_total",                                 \
	  "Negotiations with the peer that failed.")

#define METRICS_SET_MAX 16
struct metrics_set {
	struct {
		const char *value; /* of the label; static */
		double number;
	} v[METRICS_SET_MAX];
	size_t n;
};

/* Texts are borrowed; they may come from outside. */
struct metrics_peer {
	const char *id, *name;
	char address[SN_ADDR_STRLEN], overlay_ip[SN_ADDR_STRLEN];
	enum peer_state state;
	enum peer_cause cause;
#define X(member, type, name, help) double member;
	METRICS_PEER(X)
#undef X
};

struct metrics {
	const char *version;
	const char *host, *mesh, *dataplane; /* host NULL: not known yet */
#define X(member, type, name, help) double member;
	METRICS_HOST(X)
#undef X
#define X(member, type, name, label, help) struct metrics_set member;
	METRICS_SETS(X)
#undef X
	ARRAY(struct metrics_peer) peers;
};

/* All values unknown, no peers. */
void metrics_init(struct metrics *m);
void metrics_fini(struct metrics *m);
struct metrics_peer *metrics_add_peer(struct metrics *m, const char *id);
/* Adds to the number at this value of the label; what finds no place is left out. */
void metrics_set_add(struct metrics_set *set, const char *value, double number);
/* The page. */
void metrics_write(const struct metrics *m, struct strbuf *b);
