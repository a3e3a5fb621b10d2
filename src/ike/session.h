/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A charon that runs and a vici connection to it, kept so: adopts the one
 * that answers on our socket, else starts one; starts it again when it dies
 * and connects again when only the socket was lost. It never kills a charon
 * that is merely silent (stopped, swapping): it says so and goes on asking. One
 * whose socket file is gone can never be reached again; it is ended and started anew.
 * One that others start (charon_settings.external) is waited for instead of started.
 */
#pragma once

#include "ike/charon.h"
#include "ike/vici.h"

#define SESSION_CONNECT_MS 20        /* between tries while charon starts */
#define SESSION_PATIENCE_MS 5000     /* then charon "does not answer", or is cut off */
#define SESSION_BIRTH_MS 20000       /* charon may take so long to make its socket */
#define SESSION_SLOW_CONNECT_MS 1000 /* between tries after that */
#define SESSION_ANSWER_MS 3000       /* for the first answer on a new connection */
#define SESSION_BACKOFF_MIN_MS 100   /* before charon is started again */
#define SESSION_BACKOFF_MAX_MS 5000
#define SESSION_STABLE_MS 10000 /* a charon that lives so long clears the back-off */

struct session;

/* Each may be called inside session_start(); none inside session_new(). */
struct session_handlers {
	void (*up)(void *user);                    /* vici answered */
	void (*down)(const char *why, void *user); /* once per reason; also when it was never up */
	/* None of ours runs, as far as can be seen: it ended, or nobody was found. Until up() */
	void (*absent)(void *user);
	void (*event)(const char *name, const struct vici_node *message, void *user);
	void (*ended)(void *user); /* after session_shutdown(): no charon runs any more */
	void *user;
};

int session_new(struct loop *loop, const struct charon_settings *settings,
		const struct session_handlers *handlers, struct session **ret, struct sn_error *e);
/* Leaves charon running; no callback comes any more, not even to calls that wait. */
void session_free(struct session *s);
SN_DEFINE_CLEANUP(struct session *, session_free);
void session_start(struct session *s);
void session_shutdown(struct session *s);
/* NULL unless it is up. */
struct vici *session_vici(const struct session *s);
/* 0: no charon of ours runs. */
int session_pid(const struct session *s);
uint64_t session_boot_id(const struct session *s);
