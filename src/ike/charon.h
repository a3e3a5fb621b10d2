/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charon as a process of ours: its strongswan.conf, its start in a session
 * of its own, its adoption after a restart of the daemon, its end.
 *
 * run_dir/strongswan.conf	written before each start (0600)
 * run_dir/charon.vici		its socket
 * run_dir/charon.log		its log (level 1; never above 2)
 * run_dir/charon.json		{"pid", "start_time" (field 22 of /proc/PID/stat), "boot_id" (16 hex digits)}
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"

struct charon;

struct charon_settings {
	const char *path;    /* of charon-systemd */
	const char *run_dir;
	const char *plugins; /* lines for strongswan.conf of the data plane, inside charon-systemd { } */
};

struct charon_handlers {
	/* Its process ended (or the adopted one did, by pidfd). */
	void (*exited)(const char *how, void *user);
	void *user;
};

int charon_new(struct loop *loop, const struct charon_settings *settings,
	       const struct charon_handlers *handlers, struct charon **ret, struct sn_error *e);
/* Forgets it; the process goes on. */
void charon_free(struct charon *c);

enum charon_outcome { CHARON_ADOPTED = 0, CHARON_NONE = 1 };
/*
 * Looks for a charon of ours that runs: the record, the process' start time and
 * executable, and the socket's peer (peer_pid, from vici_peer_pid()) must agree.
 * CHARON_ADOPTED, CHARON_NONE (start one), or negative with e: somebody else's
 * process answers on our socket.
 */
int charon_adopt(struct charon *c, int peer_pid, struct sn_error *e);
/*
 * Starts one: own session, no inherited descriptors, standard streams to /dev/null and
 * its log, environment of PATH and STRONGSWAN_CONF only. The parent is not
 * needed any more afterwards. 0 or a negative errno with e.
 */
int charon_start(struct charon *c, struct sn_error *e);
/* SIGTERM, after 5 s SIGKILL; exited() comes. */
void charon_stop(struct charon *c);
int charon_pid(const struct charon *c); /* 0: none */
uint64_t charon_boot_id(const struct charon *c);
