/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sennitd --dry-run: one look at the metadata (or the stored snapshot when
 * the service is away) and at the kernel, and the plan on standard output.
 * Changes nothing, starts nothing, writes nothing. charon's objects count as
 * absent: a running daemon is asked with `sennit plan` instead.
 */
#pragma once

#include "base/error.h"
#include "model/config.h"

/* 0 or a negative errno with e. */
int dry_run(const struct config *config, struct sn_error *e);
