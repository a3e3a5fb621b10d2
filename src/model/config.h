/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration: one JSON file, SENNIT_* variables over it.
 * The names of the keys are those of the README's reference; unknown keys
 * are errors. Secrets come only as files.
 */
#pragma once

#include "base/addr.h"
#include "base/array.h"
#include "base/error.h"
#include "base/log.h"

/* It is read again in a turn of the loop; a file with all keys is below 4 KiB. */
#define CONFIG_MAX_BYTES (128 << 10)

enum dataplane_choice { DATAPLANE_AUTO, DATAPLANE_XFRM, DATAPLANE_LIBIPSEC };

struct config_listener {
	struct sn_addr addr;
	uint16_t port;
};

struct config {
	char *metadata_url; /* metadata.url, "http://169.254.169.250/2016-07-29" or file:///… */
	/* metadata.urls: of one service, tried in turn; the first is metadata_url too; empty: that
	 */
	ARRAY(char *) metadata_urls;
	char *metadata_ca_file;    /* metadata.ca_file: PEM; NULL = the system's list */
	char *metadata_token_file; /* metadata.token_file: bearer token, 0600; NULL = none */
	bool metadata_proxy;       /* metadata.proxy: heed http_proxy and the like, false */
	int metadata_redirects;    /* metadata.redirects: followed at most, 0..5, 0 */
	int metadata_poll_s;       /* metadata.poll_s: maxWait of the long poll, 1..120, 30 */
	char host_id[SN_ID_SIZE];  /* host.id; "" = what the metadata say of self */
	char *network; /* network: name or uuid of the Rancher network; NULL = the only one */
	char mesh_id[SN_ID_SIZE];        /* mesh.id; "" = from the metadata */
	char *secret_file;               /* secret_file, /etc/sennit/secret */
	enum dataplane_choice dataplane; /* dataplane: auto, xfrm, libipsec */
	bool encap;                      /* ike.encap: UDP encapsulation on 4500, true */
	struct sn_addr
		underlay_address; /* ike.local_address; unset = the snapshot's first of self */
	int ike_rekey_s;          /* ike.rekey_s, 14400 */
	int child_rekey_s;        /* ike.child_rekey_s, 3600 */
	char *charon;             /* ike.charon, /usr/sbin/charon-systemd */
	bool start_charon; /* ike.start, true; false: a unit of its own does (sennit-charon.service)
			    */
	char bridge[16];   /* bridge.name, "snbr0": must begin with "sn" */
	int mtu;           /* mtu; 0 = what the underlay leaves (plan/mtu.h) */
	bool masquerade;   /* masquerade, true */
	ARRAY(struct config_listener) http; /* http.listen, ["127.0.0.1:8111"] */
	int ready_min_up;                   /* ready.min_up, 0 */
	char *run_dir;                      /* run_dir, /run/sennit */
	char *state_dir;                    /* state_dir, /var/lib/sennit */
	enum log_level log_level;           /* log.level, info */
	enum log_format log_format;         /* log.format: text, json; text */
};

/* All defaults. */
struct config *config_new(void);
void config_free(struct config *c);
SN_DEFINE_CLEANUP(struct config *, config_free);

/*
 * text is the file's content (name is for messages), NULL when there is no
 * file: then all is default but for the variables; env the process'
 * variables ("SENNIT_METADATA_URL=…", NULL-terminated; others are ignored,
 * unknown SENNIT_ ones are errors). Pure. 0, or -EINVAL with e:
 * "FILE: /http/listen/0: …" or "SENNIT_MTU: …".
 */
int config_parse(const char *name, const char *text, size_t len, char *const *env,
		 struct config **ret, struct sn_error *e);

/*
 * The address in metadata.url, when it is written as one (no name, no
 * file:///): true and *ret. The overlay must not contain it.
 */
bool config_metadata_address(const struct config *c, struct sn_addr *ret);

/* The variable and the key it overrides, for the README and --variables; NULL-terminated by
 * variable. */
struct config_variable {
	const char *variable;
	const char *key;
	const char *what;
};
extern const struct config_variable config_variables[];

/* A key whose value differs between two configurations. */
struct config_change {
	const char *key;
	bool live; /* a running daemon can take the new value over; else it takes a restart */
};
#define CONFIG_KEYS_MAX 64
/* What differs, in the order of config_variables; their number. Pure. */
size_t config_compare(const struct config *a, const struct config *b,
		      struct config_change ret[static CONFIG_KEYS_MAX]);
/* Gives c the values that `from` has for the live keys; the others stay as they are. */
void config_take_live(struct config *c, const struct config *from);
