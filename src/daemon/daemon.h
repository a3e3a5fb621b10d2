/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: all modules, wired. Private to src/daemon.
 *
 *	daemon.c	made, started, ended; snapshots in, intent out
 *	self.c		who this host is, and what is done when that changes
 *	reload.c	configuration and secrets read again
 *	numbers.c	the numbers of peers' XFRM interfaces
 *	leftovers.c	SAs and policies that charon or the kernel alone has
 *	hold.c		packets to peers whose charon is away, and the SA they go by
 *	stand_in.c	who takes ESP out of UDP while there is no charon
 *	notify.c	what the service manager is told
 *	containers.c	running containers and the MTU
 *	surroundings.c	what the intent has to know of the host
 *	reconcile.c	observe, plan, apply
 *	troubles.c	what cannot be applied, for reconcile.c
 *	peers.c		health: probes and IKE events in, verdicts out
 *	boots.c		which charon each peer had, over restarts
 *	paths.c		which addresses each tunnel goes by
 *	ports.c		what UDP 500 and 4500 of silent peers answer
 *	problems.c	what is wrong with this host itself
 *	status.c	all of it as JSON
 *	metrics.c	all of it as metrics (metrics.h, metrics_text.c, traffic.h)
 *	verbs.c		the control socket's verbs
 *	pages.c		HTTP
 */
#pragma once

#include "api/api.h"
#include "attach/attach.h"
#include "daemon/identity.h"
#include "daemon/notify.h"
#include "daemon/numbers.h"
#include "daemon/reconcile.h"
#include "daemon/surroundings.h"
#include "daemon/traffic.h"
#include "health/health.h"
#include "ike/ike.h"
#include "metadata/metadata.h"
#include "model/intent.h"
#include "net/esp_socket.h"
#include "net/net.h"
#include "plan/dataplane.h"
#include "probe/probe.h"
#include "secret/secret.h"

/* Where the configuration is read. */
struct config_source {
	const char *file;
	bool named; /* it has to be there */
};

enum identity_doubt {
	IDENTITY_SURE,
	IDENTITY_OTHER_MACHINE, /* no tunnels */
	IDENTITY_OTHER_ID,      /* no tunnels; by the configuration */
	IDENTITY_HEARSAY,       /* by the metadata */
};

/* See self.c. */
struct self {
	bool known; /* id is; else it is what the first snapshot says */
	struct identity id;
	char machine[IDENTITY_MACHINE_SIZE]; /* of the machine we run on */
	enum identity_doubt doubt;
	char *text; /* NULL: no doubt */
	int64_t since_ms;
	struct loop_timer *end_timer; /* not NULL: another one was accepted, we end */
};

struct daemon {
	struct config_source source;
	struct config *config;
	struct loop *loop;
	struct loop_worker *worker; /* for what waits for the disk */
	struct loop_signal *sigterm, *sigint, *sighup;
	struct notify *notify; /* NULL: no service manager asked */
	struct self self;
	struct secrets *secrets;
	ARRAY(struct intent_secret) secret_ids;

	struct metadata *metadata;
	struct snapshot *snapshot; /* NULL: none yet */
	bool from_store;           /* the service has not confirmed it yet */
	bool stored, storing;      /* it is, or will be when the worker has done it */
	struct loop_timer *store_timer;
	int64_t stored_ms;    /* when the stored one was written; 0: not known */
	char *metadata_error; /* the failure that lasts, NULL: none */

	const struct dataplane *dataplane;
	struct wanted wanted; /* of the last pass */
	uint64_t wanted_of;   /* hash of what it was made of besides the snapshot; 0: of less */
	struct snapshot *wanted_at; /* the snapshot it was made of; NULL: the one that holds */
	bool wanted_is_new;         /* the peers were not told to others yet */
	unsigned configs;           /* taken over, one after the other */
	char *refusal;              /* why the data plane refuses the intent; NULL: it does not */
	bool down;                  /* `sennit down`: no tunnels, until `sennit up` */

	struct net *net;
	struct ike *ike; /* NULL before the first snapshot */
	struct attachments *attachments;
	struct object_set first_links; /* of ours that were there at the start */
	struct numbers *numbers;       /* NULL before the first snapshot */
	struct reconcile *reconcile;
	struct leftovers {
		struct loop_timer *timer;
		ARRAY(struct leftover_sa {
			uint32_t spi;
			struct sn_addr dst;
			int64_t since;
		})
		unknown; /* as of the last look, and so is lost */
		ARRAY(struct lost_child {
			uint32_t spi; /* the incoming one */
			int64_t since;
		})
		lost;
		bool soon; /* a look within LOOK_MS is on its way */
	} leftovers;
	struct {
		struct loop_timer *timer;
		ARRAY(struct hold {
			char peer[SN_ID_SIZE];
			uint32_t if_id;
			uint32_t spi; /* the outgoing one */
			int64_t refresh_at;
			int64_t whole_since; /* there is another one; 0: there is none */
			int64_t back_since;  /* its charon; 0: it is away */
		})
		v;
	} holds;
	struct {
		struct esp_socket *socket; /* NULL: charon has its own */
		bool tried;                /* whether this kernel can */
		bool failed;               /* it cannot */
	} stand_in;
	struct surroundings around;
	struct surroundings_look look_around; /* for the next pass */
	bool moved;          /* it has other addresses than before, and that was not followed yet */
	unsigned snapshots;  /* taken over, one after the other */
	unsigned looked_for; /* the one of them that look_around is for */
	int containers_mtu;  /* that containers were told of; 0: none since the start */

	struct probe *probe;
	struct health *health;
	struct loop_timer *health_timer;
	/* by id */
	ARRAY(struct peer_boot {
		char id[SN_ID_SIZE];
		uint64_t ike_boot;     /* of its charon, as heartbeats tell; 0: not known yet */
		uint64_t daemon_boot;  /* the same of its sennitd */
		int64_t ike_boot_seen; /* when a heartbeat told that last, sn_now_ms() */
		unsigned view;         /* what it thinks of us, as heartbeats tell */
		char said[128]; /* charon's last words on it that were logged, since it was up */
		/* of paths.c */
		int64_t path_since_ms; /* when another one was tried last; 0: never */
		unsigned paths_tried;  /* others, since the peer was up */
		bool nat_seen;         /* its last tunnel came by a port that is not charon's */
		int64_t asked_ms;      /* of ports.c: when its ports were asked last; 0: never */
		/* for metrics */
		uint64_t state_changes;
		uint64_t ike_failures;
	})
	boots;
	struct loop_timer *boots_timer; /* of boots.c */
	json_t *boots_before;
	/* see paths.c */
	ARRAY(struct intent_path) paths; /* other than the first of a peer */
	struct loop_timer *paths_timer;
	struct ports *ports;
	int64_t stall_seen; /* the last of the loop's stalls that health was told of */

	struct traffic *traffic;
	struct loop_timer *tick; /* of metrics.c, each second */
	int64_t wall_offset_ms;  /* from sn_now_ms() to sn_wall_ms(), for timestamps that stay */

	struct ctl_server *ctl;
	struct http_server *http;
	int64_t started_ms, started_wall_ms;
};

/* 0, or a negative errno with e. The configuration, which was read from source, is taken over. */
int daemon_new(const struct config_source *source, struct config *config, struct daemon **ret,
	       struct sn_error *e);
void daemon_free(struct daemon *d);
SN_DEFINE_CLEANUP(struct daemon *, daemon_free);
/* Runs until SIGTERM or SIGINT. Tunnels, guard and charon stay. */
int daemon_run(struct daemon *d);
/* The intent as of now; borrows from the daemon. */
void daemon_get_intent(struct daemon *d, struct intent *ret);
/* Of the bridge and the containers, as the data plane has it. */
int daemon_mtu(const struct daemon *d);
/* An attachment came or went, or down/up was said. */
void daemon_intent_changed(struct daemon *d);
/* `sennit down` and `up`; kept over restarts. */
int daemon_set_down(struct daemon *d, bool down, struct sn_error *e);

/* Reads the metadata as the configuration says now. */
int daemon_open_metadata(struct daemon *d, struct sn_error *e);

/* self.c */
void self_init(struct daemon *d);
void self_fini(struct daemon *d);
/* Whether the snapshot is that of the host that this is. The first one decides who that is. */
bool self_admit(struct daemon *d, const struct snapshot *s);
bool self_may_have_tunnels(const struct daemon *d);
/* The identity in question holds from now on; *ret_text says what follows. -ENOENT: none is. */
int self_accept(struct daemon *d, const char **ret_text, struct sn_error *e);

/* reload.c */
int config_source_read(const struct config_source *source, struct config **ret, struct sn_error *e);
/* Adds to text what changed, a line each. A negative errno with e: nothing did. */
int daemon_reload(struct daemon *d, struct strbuf *text, struct sn_error *e);
/* They are the daemon's from now on. */
void daemon_set_secrets(struct daemon *d, struct secrets *s);

/* containers.c: tells running containers when daemon_mtu() is another one. */
void containers_follow_mtu(struct daemon *d);

/* peers.c */
void peers_init(struct daemon *d);
void peers_fini(struct daemon *d);
/* The wanted peers may have changed. */
void peers_update(struct daemon *d);
/* The SAs of this peer; NULL: of any. */
void peers_ike_changed(struct daemon *d, const char *peer);
/* NULL when it is none. */
struct peer_boot *peers_find(const struct daemon *d, const char *peer);
void peers_ike_error(struct daemon *d, const char *peer, const char *text);

/* boots.c */
void boots_start(struct daemon *d);
void boots_stop(struct daemon *d);
/* The peer's charon as of the last sennitd, once; 0: not known. */
uint64_t boots_recall(const struct daemon *d, const char *peer);
/* What is to be kept of d->boots has changed. */
void boots_changed(struct daemon *d);

/* leftovers.c */
void leftovers_init(struct daemon *d);
void leftovers_fini(struct daemon *d);
/*
 * charon came or went, who is a peer has changed, one fell silent or says that we are: looks
 * soon, and until charon and the kernel agree.
 */
void leftovers_look(struct daemon *d);

/* hold.c */
void hold_init(struct daemon *d);
void hold_fini(struct daemon *d);
/* As the peer says of its charon. */
void hold_peer_ike(struct daemon *d, const char *peer, bool away);
/* Whether the peer with this number is held. */
bool hold_is(const struct daemon *d, uint32_t if_id);

/* stand_in.c: charon is not there, or is again. */
void stand_in_prepare(struct daemon *d);
void stand_in_begin(struct daemon *d);
void stand_in_end(struct daemon *d);
void stand_in_ports(const struct daemon *d, struct intent_stand_in *ret);

/* paths.c */
void paths_start(struct daemon *d);
void paths_stop(struct daemon *d);

/* ports.c */
struct ports *ports_new(struct daemon *d);
void ports_free(struct ports *p);
/* It is up: whatever is under way does not matter, and its next silence is asked about at once. */
void ports_forget(struct ports *p, const char *peer);

/* problems.c: what is wrong with this host itself; never a peer. */
struct host_problem {
	const char *what; /* one of host_problem_names */
	char text[384];
	const char *next;
	int64_t since_ms;
};
/* "charon-gone", "guard-missing", …; NULL-terminated. */
extern const char *const host_problem_names[];
#define HOST_PROBLEMS_MAX 8
size_t problems_collect(struct daemon *d, struct host_problem ret[static HOST_PROBLEMS_MAX]);
bool daemon_is_ready(struct daemon *d);

/* status.c: a new reference. */
json_t *status_to_json(struct daemon *d);
json_t *status_attachment(struct daemon *d, const struct attachment *a);
json_t *status_attachments(struct daemon *d);

/* metrics.c: the page, and the work of each second. */
void metrics_start(struct daemon *d);
void metrics_stop(struct daemon *d);
int metrics_page(struct strbuf *body, void *user);

/* verbs.c, pages.c: the tables. */
extern const struct ctl_verb daemon_verbs[];
extern const size_t daemon_n_verbs;
extern const struct http_route daemon_pages[];
extern const size_t daemon_n_pages;
