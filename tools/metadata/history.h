/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What changed from one document to the next, for as long as it is worth
 * telling: the answers of /VERSION/changes?since=V, our own addition to
 * Rancher's API.
 *
 *	{ "self": "h1", "version": "…",
 *	  "hosts": { "added": [HOST…], "changed": [HOST…], "removed": ["h7"…] },
 *	  "containers": { "added": […], "changed": […], "removed": ["UUID"…] } }
 *
 * where self is the id of the caller's host or null (the server adds it), the
 * entries are those of /VERSION/hosts and /VERSION/containers, and everything
 * together leads from version V to "version". When V is not known (any more),
 * or reading all is cheaper, or more than hosts and containers changed:
 *
 *	{ "self": "h1", "version": "…", "all": true }
 */
#pragma once

#include "document.h"

/* Documents that are remembered, and changed entries in all of them together. */
#define HISTORY_MAX_STEPS 512
#define HISTORY_MAX_CHANGES 16384
/* With more than these in one answer it says "all". */
#define HISTORY_MAX_TOLD 4096

struct history;

struct history *history_new(void);
void history_free(struct history *h);
SN_DEFINE_CLEANUP(struct history *, history_free);
/* from is NULL for the first. */
void history_add(struct history *h, const struct document *from, const struct document *to);
/*
 * The answer's text from `"version"` on; a reference. now is the last
 * document added. Rendered once for all who ask the same.
 */
struct piece *history_changes(struct history *h, const struct document *now, enum api_version v,
			      const char *since);
