/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sennit cleanup`: takes everything of sennit off this host, in the order of
 * a plan whose wish is nothing: traffic before machinery, the guard last.
 * Works without the daemon, and refuses beside a running one.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "model/config.h"

struct cleanup_options {
	const struct config *config; /* its run_dir, state_dir and bridge */
	bool dry_run;                /* report only */
	bool force;                  /* detach containers first */
};

/*
 * 0 with what was (or would be) removed as lines in report; -EBUSY with e
 * when the daemon runs or attachments live and force is not set; another
 * negative errno with e when something could not be removed: the report then
 * says what was.
 */
int cleanup_run(const struct cleanup_options *o, struct strbuf *report, struct sn_error *e);
