/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sennit doctor`: what on this host keeps, or may keep, the overlay from
 * working. With the daemon and without it; changes nothing but by doctor_fix().
 */
#pragma once

#include "inspect/finding.h"
#include "model/config.h"

struct doctor_options {
	const struct config *config; /* defaults when the file is wrong, which is then a finding */
	const char *config_path;
	const struct sn_error *config_error; /* NULL: it was read, or is not there */
	/* Before each check, and when all that is left is waiting (looks is then what for). NULL:
	 * none. */
	void (*progress)(const char *looks, size_t done, size_t all, void *user);
	void *user;
};

struct doctor_result {
	struct findings findings; /* sorted */
	char *unseen;             /* lines; "" */
	size_t checks;            /* how many were made */
	int64_t took_ms;
};

/* At most some 9 s (inspect/exam.h), on a host where all is well under one. */
void doctor_run(const struct doctor_options *o, struct doctor_result *ret);
void doctor_result_fini(struct doctor_result *r);
/* { "findings": […], "unseen": […], "checks", "took_ms", "summary": { "fault": 1, … } }; new. */
json_t *doctor_result_to_json(const struct doctor_result *r);
/* Applies the fixes that findings have; each tells its outcome. */
void doctor_fix(struct doctor_result *r);
