/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a source under test handed on, for the tests to wait for and look at. */
#pragma once

#include "metadata/metadata.h"

struct recorder {
	struct loop *loop;
	struct config *config;
	struct metadata *metadata;
	struct snapshot *last;
	int snapshots, failures, oks;
	int64_t snapshot_ms;  /* when the last came */
	bool got, failed, ok; /* since recorder_expect() */
	char text[512];       /* of the last failure */
};

/* A loop and a configuration with this URL; the recorder makes no metadata yet. */
void recorder_init(struct recorder *r, const char *url);
void recorder_start(struct recorder *r, const struct snapshot *before);
void recorder_fini(struct recorder *r);
/* Forgets what came, so that one can wait for what comes. */
void recorder_expect(struct recorder *r);
bool recorder_wait(struct recorder *r, const bool *flag);
struct metadata_status recorder_status(const struct recorder *r);
