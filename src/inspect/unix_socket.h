/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/util.h"

/* Whether somebody listens on this Unix socket: 1, 0: nobody does, or a negative errno. Never
 * waits, as connect(2) would while the queue of a daemon that stands still is full. */
int unix_socket_look(const char *path);
