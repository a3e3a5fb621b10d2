/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service manager is told (sd_notify(3): datagrams to NOTIFY_SOCKET) and
 * the watchdog's heartbeat, which is worth something because the loop sends it.
 */
#pragma once

#include "loop/loop.h"

#define NOTIFY_STATUS_MS 5000
#define NOTIFY_STATUS_SIZE 256

/* One line for `systemctl status`. */
typedef void (*notify_status_fn)(char ret[static NOTIFY_STATUS_SIZE], void *user);

struct notify;

/*
 * NULL when nobody asked (no NOTIFY_SOCKET, or none that can be used); all functions
 * below take that. Takes the variables out of the environment. status is asked for from
 * time to time.
 */
struct notify *notify_new(struct loop *loop, notify_status_fn status, void *user);
void notify_free(struct notify *n);
SN_DEFINE_CLEANUP(struct notify *, notify_free);
/* READY=1, at the first call and after notify_reloading(). */
void notify_ready(struct notify *n);
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n);
