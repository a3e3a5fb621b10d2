/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sennit's processes on this host, found without any file of ours: by what /proc tells of
 * each process. One host is one network namespace: others' are not looked at.
 *
 *	sennitd, sennit-metadata	by the name of the executable
 *	charon		by that, and by STRONGSWAN_CONF in its environment, which names
 *			the run_dir; it is ours when that is ours, or has a strongswan.conf
 *			that sennitd wrote
 */
#pragma once

#include "base/array.h"
#include "base/error.h"

/* More processes of these names are not looked at. */
#define PROCESSES_MAX 256

enum process_kind { PROCESS_SENNITD, PROCESS_METADATA, PROCESS_CHARON };

struct our_process {
	enum process_kind kind;
	int pid;
	int pidfd;     /* held: the pid is no other's meanwhile */
	bool ours;     /* of a charon: see above */
	char *run_dir; /* of a charon: the folder of its strongswan.conf; NULL: none is named */
};

struct our_processes {
	ARRAY(struct our_process) p;
};

/* run_dir: as configured; charon: path of the program. 0 or a negative errno with e. */
int processes_find(const char *run_dir, const char *charon, struct our_processes *ret,
		   struct sn_error *e);
void processes_fini(struct our_processes *ps);
/* The first of the kind; NULL: none. */
const struct our_process *processes_first(const struct our_processes *ps, enum process_kind kind);
/* SIGTERM, after limit_ms SIGKILL; waits for the end. 0 or a negative errno with e. */
int process_end(const struct our_process *p, int limit_ms, struct sn_error *e);
/* Whether that folder's strongswan.conf is one that sennitd wrote. */
bool is_run_dir(const char *folder);
