/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small files of the state directory that are a convenience: what one says spares a
 * search, and without it everything works. NAME.json is
 * { "sennit_NAME": 1, "NAME": content }, replaced whole.
 */
#pragma once

#include "daemon/daemon.h"

/* Takes the content out of the document; 0, or a negative errno with e. */
typedef int (*kept_fn)(struct daemon *d, const json_t *doc, struct sn_error *e);

/*
 * 0 when it was taken or there is none. A negative errno when it cannot be read: that is
 * logged, with what comes of it.
 */
int kept_load(struct daemon *d, const char *name, kept_fn take, const char *consequence);
/* The content is taken over. A failure is logged, with what comes of it. */
void kept_save(const struct daemon *d, const char *name, json_t *content, const char *consequence);
