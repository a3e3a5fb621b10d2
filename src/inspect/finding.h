/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a doctor's check found, as a value: what was seen, why it matters, what
 * to do about it, and, for the few where nothing can go wrong by it, a fix.
 * Texts are raw: who shows them escapes them.
 */
#pragma once

#include "base/array.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strbuf.h"

#include <sys/types.h>
#include <time.h>

enum severity {
	SEVERITY_OK,      /* looked at, nothing wrong */
	SEVERITY_NOTE,    /* nothing is wrong, but somebody who looks for a fault wants to know */
	SEVERITY_WARNING, /* it may hurt, now or later */
	SEVERITY_FAULT,   /* it does hurt: something cannot work like this */
};
#define SEVERITIES (SEVERITY_FAULT + 1)
/* "ok", "note", "warning", "fault". */
const char *severity_to_string(enum severity severity);

enum fix_kind {
	FIX_NONE,
	FIX_WRITE,  /* value into a file below /proc/sys */
	FIX_REMOVE, /* a file of ours in run_dir that nobody uses; not one that came there since */
	FIX_MODE,   /* chmod */
};

struct fix {
	enum fix_kind kind;
	char *path;
	char value[16]; /* FIX_WRITE */
	mode_t mode;    /* FIX_MODE */
	dev_t device;   /* FIX_REMOVE: the very file that was seen */
	ino_t inode;
	struct timespec changed;
	bool tried;
	struct sn_error error; /* of the try; code 0: it is done */
};

struct finding {
	const char *check; /* "sysctl.forwarding"; borrowed from the table of checks */
	size_t order;      /* the check's place in that table */
	enum severity severity;
	char *seen, *why, *next; /* why and next are "" for SEVERITY_OK */
	struct fix fix;
};

struct findings {
	ARRAY(struct finding) f;
};

void finding_set_next(struct finding *f, const char *fmt, ...) SN_PRINTF(2, 3);
void finding_set_why(struct finding *f, const char *fmt, ...) SN_PRINTF(2, 3);
void finding_set_fix(struct finding *f, enum fix_kind kind, const char *path, const char *value,
		     mode_t mode);
/* True while something is still to be done about it: a fix that worked ends a finding. */
bool finding_stands(const struct finding *f);

void findings_fini(struct findings *all);
#define _cleanup_findings_ _cleanup_(findings_fini)
/* By check, worst first within one. */
void findings_sort(struct findings *all);
/* How many of this severity stand. */
size_t findings_count(const struct findings *all, enum severity severity);

/* What the fix does, in words: "write 1 to /proc/sys/net/…". The caller frees it. */
char *fix_describe(const struct fix *fix);
/* Does it; the outcome is in the fix. */
void fix_apply(struct fix *fix);

/* An array of objects, those that are ok included; a new reference. */
json_t *findings_to_json(const struct findings *all);
