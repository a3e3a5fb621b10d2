/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charon as a process of ours: its strongswan.conf, its start in a session
 * of its own, its adoption after a restart of the daemon, its end.
 *
 * run_dir/strongswan.conf	written before each start (0600)
 * run_dir/charon.vici		its socket
 * run_dir/charon.log		its log (level 1; never above 2), cut when it is long: the last 2 MB
 *				before that are in charon.log.1
 * run_dir/charon.json		{"pid", "start_time" (field 22 of /proc/PID/stat),
 *				"boot_id" (16 hex digits)}
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"

struct charon;

struct charon_settings {
	const char *path;    /* of charon-systemd, absolute */
	const char *run_dir; /* absolute, exists; see charon_conf_write() for what it may hold */
	const char *plugins; /* the data plane's lines of strongswan.conf, in charon-systemd { } */
	bool external;       /* somebody else (systemd) starts it; here it is adopted only */
};

struct charon_handlers {
	/* Its process ended (or the adopted one did, by pidfd); charon_pid() is 0 already. */
	void (*exited)(const char *how, void *user);
	/* After CHARON_STARTING: it runs (e is NULL), or why it does not. */
	void (*started)(const struct sn_error *e, void *user);
	void *user;
};

int charon_new(struct loop *loop, const struct charon_settings *settings,
	       const struct charon_handlers *handlers, struct charon **ret, struct sn_error *e);
/* Forgets it; the process goes on, also one that is being started. In a handler, too. */
void charon_free(struct charon *c);
SN_DEFINE_CLEANUP(struct charon *, charon_free);

enum charon_prepared { CHARON_CONF_SAME = 0, CHARON_CONF_NEW = 1, CHARON_CONF_CHANGED = 2 };
/*
 * Writes run_dir/strongswan.conf for who starts charon instead of us, unless it is there
 * word for word: CHARON_CONF_CHANGED when another stood there, with which a charon may
 * run. Negative with e.
 */
int charon_prepare(const struct charon_settings *settings, struct sn_error *e);

enum charon_outcome { CHARON_ADOPTED = 0, CHARON_NONE = 1, CHARON_STARTING = 2 };
/*
 * Looks for a charon of ours that runs: the record, the process' start time and
 * executable, and the socket's peer (peer_pid, from vici_peer_pid()) must agree.
 * A lost record is made anew with another boot id; a binary that an upgrade has replaced
 * is ours by the record alone. CHARON_ADOPTED (also when it is watched already),
 * CHARON_NONE (it is gone: start one), or negative with e: somebody else's process
 * answers on our socket, or ours in another network namespace.
 */
int charon_adopt(struct charon *c, int peer_pid, struct sn_error *e);
/*
 * Starts one: own session, no inherited descriptors, standard streams to /dev/null and
 * its log, environment of PATH and STRONGSWAN_CONF only. The parent is not
 * needed any more afterwards. A thread does it, for forks and exec make wait:
 * CHARON_STARTING, and started() tells how it went (-EADDRINUSE when somebody listens on
 * the socket, exec's errno, …). Negative with e when that is clear at once: -EALREADY
 * when one is watched or being started.
 *
 * It does not wait for the socket (some 30 ms). The process that the record names, when
 * it lives, is taken over (CHARON_ADOPTED) instead of a second one being started, as it has ports
 * 500 and 4500; whoever finds that it never answers stops it and starts again after exited(). An
 * external one that the record does not name is waited for: -EAGAIN with e.
 */
int charon_start(struct charon *c, struct sn_error *e);
/* Between CHARON_STARTING and started(). */
bool charon_is_starting(const struct charon *c);
/* SIGTERM, after 5 s SIGKILL; exited() comes. Nothing when there is no process. */
void charon_stop(struct charon *c);
int64_t charon_age_ms(const struct charon *c); /* since it was started, by whomever; 0: none runs */
int charon_pid(const struct charon *c);        /* 0: none */
/* Of the running or, when there is none, the last one; 0: never one. */
uint64_t charon_boot_id(const struct charon *c);
