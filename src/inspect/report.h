/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file for a bug report: what doctor found, what sennitd says of itself, the
 * configuration, versions, the kernel's objects, the end of charon's log. As JSON, for
 * root alone (0600), and without secrets: every text goes through inspect/redact.h.
 */
#pragma once

#include "base/json.h"
#include "inspect/doctor.h"
#include "model/config.h"

struct report_input {
	const char *version; /* of sennit */
	const struct config *config;
	const char *config_text; /* the file as it is; NULL: there is none */
	const struct doctor_result *result;
	/* what the daemon answered; NULL: nothing */
	const json_t *status, *plan;
};

/* 0, or a negative errno with e. A file of that name is replaced; a device or a pipe never. */
int report_write(const struct report_input *in, const char *path, struct sn_error *e);
