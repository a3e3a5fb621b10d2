/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charon, seen from the daemon: the process, its connections and keys as
 * objects, its SAs as what they are. Below it: ike/vici_codec.h (pure),
 * ike/vici.h (client), ike/charon.h (process), ike/conn.h (objects to and
 * from vici messages), ike/pair.h (pure: which SA of a pair stays, who
 * initiates when, design §7).
 */
#pragma once

#include "base/error.h"
#include "ike/arrivals.h"
#include "loop/loop.h"
#include "plan/dataplane.h"
#include "plan/object.h"
#include "plan/plan.h"
#include "secret/secret.h"

struct ike;

/* An IKE_SA with its children, as list-sas and the events tell. */
enum ike_sa_state {
	IKE_SA_CONNECTING,
	IKE_SA_ESTABLISHED,
	IKE_SA_REKEYING,
	IKE_SA_DELETING,
	IKE_SA_OTHER
};
struct ike_child {
	uint32_t unique_id;
	char name[24];
	bool installed;           /* INSTALLED or REKEYING: it carries packets */
	bool rekeying;            /* REKEYING: another one is about to replace it */
	uint32_t spi_in, spi_out; /* host byte order */
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
	int64_t age_s;      /* since it was installed */
	int64_t rekey_in_s; /* -1: none is due */
};
struct ike_sa {
	uint32_t unique_id;
	char peer[SN_ID_SIZE];
	enum ike_sa_state state;
	bool initiator; /* this host initiated it */
	uint64_t spi_i, spi_r;
	int64_t age_s;                /* since established; -1 while it is not ESTABLISHED */
	int64_t rekey_in_s;           /* -1: none is due */
	struct sn_addr local, remote; /* as of now: NAT changes them */
	uint16_t local_port, remote_port;
	bool stranded; /* its local address is not this host's any more: ike_set_lost_addrs() */
	ARRAY(struct ike_child) children;
};

struct ike_settings {
	const char *charon;  /* path of the binary */
	const char *run_dir; /* strongswan.conf, charon.vici, charon.log, charon.json */
	const char *plugins; /* struct dataplane's charon_plugins */
	const char *mesh_id; /* for the pair keys */
	const char *self;
	bool external; /* charon is started by others; charon_prepare() writes its strongswan.conf
			*/
};

/*
 * What happened; each comes in a turn of its own. Names are valid during the
 * call. peer_error: charon's own words why a negotiation with this peer failed.
 */
struct ike_handlers {
	void (*online)(void *user);                   /* vici answers: objects can be observed */
	void (*offline)(const char *why, void *user); /* charon or its socket went away */
	void (*absent)(void *user); /* no charon of ours runs; until online(). May come again */
	void (*sas_changed)(const char *peer, void *user); /* peer NULL: any */
	void (*peer_error)(const char *peer, const char *text, void *user);
	/* A tunnel that began at this lost address of ours is ended, and a new one is begun. */
	void (*moved)(const char *peer, const struct sn_addr *lost, void *user);
	void *user;
};

/* secrets stays the caller's and outlives ike; see ike_set_secrets(). */
int ike_new(struct loop *loop, const struct ike_settings *settings, const struct secrets *secrets,
	    const struct ike_handlers *handlers, struct ike **ret, struct sn_error *e);
/* Leaves charon running. No callback comes any more, also for what was asked. */
void ike_free(struct ike *ike);
SN_DEFINE_CLEANUP(struct ike *, ike_free);
/* Other secrets from now on; keys that are loaded stay until the plan changes them. */
void ike_set_secrets(struct ike *ike, const struct secrets *secrets);
/*
 * Adopts the charon that answers on our socket (its peer credentials, its
 * executable and the record in run_dir agree), else starts one in a session
 * of its own; restarts it with back-off when it dies, connects again when only the
 * socket was lost.
 */
void ike_start(struct ike *ike);
/*
 * Ends charon in order, also one that was not adopted yet (ike_start() is not
 * needed before); done(user) when it is gone. For `sennit down` and cleanup.
 */
void ike_shutdown(struct ike *ike, void (*done)(void *user), void *user);
bool ike_is_online(const struct ike *ike);
/* Since when offline (sn_now_ms), 0 when online. */
int64_t ike_offline_since(const struct ike *ike);
/*
 * Since when charon says nothing: offline, or online with a question that has been
 * unanswered for IKE_SILENT_MS (stopped, starved, stuck). 0: it answers.
 */
#define IKE_SILENT_MS 1000
int64_t ike_silent_since(const struct ike *ike);
/*
 * When charon was asked for what ike_sas() tells; 0: the one that runs has not answered yet.
 * With many SAs, or on a busy machine, that is more than a few seconds ago.
 */
int64_t ike_listed_at(const struct ike *ike);
/* Random, of the running charon: changes when and only when charon is a new process. */
uint64_t ike_boot_id(const struct ike *ike);
int ike_charon_pid(const struct ike *ike);

/*
 * Keys and connections of ours in charon. ok = false: it went away meanwhile,
 * set is then empty and says nothing. Its content is the callee's, who frees it with
 * object_set_fini() or moves it; the struct is valid during the call only.
 */
typedef void (*ike_observed_fn)(bool ok, struct object_set *set, void *user);
void ike_observe(struct ike *ike, ike_observed_fn fn, void *user);
/*
 * One step on a key or connection. Deleting a connection unloads it, then
 * terminates all SAs of the peer by force; deleting a key unloads it. done
 * gets 0 or a negative errno with charon's words in e.
 */
typedef void (*ike_done_fn)(int result, const struct sn_error *e, void *user);
void ike_apply(struct ike *ike, const struct plan_step *step, ike_done_fn fn, void *user);

/*
 * The tunnels that should stand: for each a conn object of that peer is
 * loaded. ike initiates (owner at once, else after 10 s + 0..5 s without any
 * IKE_SA), retries with back-off, and lets exactly one SA pair stand (§7).
 * SAs of ours with peers that are not in the list are terminated by force.
 */
struct ike_tunnel {
	char peer[SN_ID_SIZE];
	char child[24];
	bool owner;
	struct sn_addr remote; /* the connection's first */
};
void ike_set_tunnels(struct ike *ike, const struct ike_tunnel *tunnels, size_t n);
/*
 * The peer told (by heartbeat) that its charon is a new one: those of its SAs that stood at the
 * time old_seen (sn_now_ms()), when it was the old one, go when others have taken their place.
 */
void ike_peer_booted(struct ike *ike, const char *peer, int64_t old_seen);
/* The kernel has SAs of the peer that our charon does not know: initiates without waiting. */
void ike_peer_orphaned(struct ike *ike, const char *peer);
/*
 * Addresses that were this host's and are not, while packets can leave from another one: what
 * begins at them carries nothing, so it is ended, and begun anew at once, whoever owns the pair.
 */
#define IKE_LOST_ADDRS_MAX 16
void ike_set_lost_addrs(struct ike *ike, const struct sn_addr *addrs, size_t n);
/*
 * What charon says of this IKE_SA (ike_peer_sa()) is not so in the kernel: it is ended, by
 * both hosts, and a new one is built.
 */
void ike_peer_broken(struct ike *ike, const char *peer, const struct ike_sa *sa);
/* Negotiate with this peer now, whatever the back-off says. */
void ike_kick(struct ike *ike, const char *peer);

/* The SAs as of the last look (at most 1 s old, at once after an event), by peer. Borrowed until
 * the next turn. */
const struct ike_sa *ike_sas(const struct ike *ike, size_t *ret_n);
/* Those of them that are this peer's; without a walk through all. */
const struct ike_sa *ike_peer_sas(const struct ike *ike, const char *peer, size_t *ret_n);
/* The one that carries this peer's packets, or NULL. */
const struct ike_sa *ike_peer_sa(const struct ike *ike, const char *peer,
				 const struct ike_child **ret_child);
/* Since ike_new(). */
struct ike_stats {
	uint64_t initiations; /* asked of charon */
	uint64_t failures;    /* negotiations that charon said have failed */
	uint64_t outages;     /* online, then not */
	uint64_t restarts;    /* online with another process than before */
};
const struct ike_stats *ike_get_stats(const struct ike *ike);

/* Probes that charon answered. */
const struct arrivals *ike_arrivals(const struct ike *ike);
/* The last thing charon said about why it has no tunnel with the peer; "" = nothing. */
const char *ike_peer_last_error(const struct ike *ike, const char *peer);
