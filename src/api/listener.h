/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening socket on the loop. What every server must get right once:
 * accepting until there is no more, and not spinning when the process or the
 * machine has no descriptor left for a connection that waits.
 */
#pragma once

#include "loop/loop.h"

struct listener;

/* Gets a non-blocking, close-on-exec descriptor that is its own from now on. */
typedef void (*listener_fn)(int fd, void *user);
/* Takes fd, which listens already and is non-blocking. */
struct listener *listener_new(struct loop *loop, int fd, listener_fn fn, void *user);
/* Closes it. */
void listener_free(struct listener *l);
SN_DEFINE_CLEANUP(struct listener *, listener_free);
