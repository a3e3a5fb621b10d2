/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who this host is, remembered beside the machine it was on (design §9): a disk that
 * was copied to another machine, or a configuration that names another host, must not
 * bring a second host of one id into the mesh. state_dir/identity.json:
 *	{"sennit_identity": 1, "machine": "32 hex digits", "host": "h1", "mesh": "m1"}
 */
#pragma once

#include "base/error.h"
#include "base/util.h"

#define IDENTITY_MACHINE_SIZE 33

struct identity {
	/* a keyed hash of /etc/machine-id, which is no secret but is not ours to tell;
	 * "": the machine has none (some containers), and is not compared */
	char machine[IDENTITY_MACHINE_SIZE];
	char host[SN_ID_SIZE];
	char mesh[SN_ID_SIZE];
};

/* Of the machine-id(5) in this file; "" when there is none. */
void identity_of_machine(const char *path, char ret[static IDENTITY_MACHINE_SIZE]);
/* 0, -ENOENT, or another negative errno with e; what cannot be understood is put aside as .bad. */
int identity_load(const char *state_dir, struct identity *ret, struct sn_error *e);
int identity_save(const char *state_dir, const struct identity *id, struct sn_error *e);
/* Forgets the identity and the snapshot that was seen with it. */
int identity_remove(const char *state_dir, struct sn_error *e);
