/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mesh's secrets: where they are read, what is derived from them, and
 * how they are kept out of core files, logs and arguments (sodium_malloc:
 * guarded, locked, not dumped, zeroed on free).
 *
 * The file: one secret a line as printed by `sennit genkey` (standard base64
 * of at least 32 random bytes); empty lines and lines that begin with # are
 * skipped. It must be a regular file that only its owner can read. The first
 * secret is used, all are accepted, which is how a mesh changes its secret:
 * add the new one as second everywhere, then make it first everywhere, then
 * remove the old one everywhere.
 */
#pragma once

#include "base/error.h"

#define SECRET_MIN_BYTES 32
#define SECRET_MAX_BYTES 64 /* BLAKE2b's longest key; longer secrets are refused */
#define SECRET_MAX_COUNT 8
#define PAIR_KEY_SIZE 32
#define SECRET_MAC_SIZE 16

struct secrets;

/* 0 or a negative errno with e: "/etc/sennit/secret, line 2: …". */
int secrets_load(const char *path, struct secrets **ret, struct sn_error *e);
void secrets_free(struct secrets *s);
SN_DEFINE_CLEANUP(struct secrets *, secrets_free);
size_t secrets_count(const struct secrets *s);
/*
 * 16 hex digits that name a secret and tell nothing of it: the first 8 bytes of
 * BLAKE2b-256 keyed with the secret over "sennit-secret-id-v1".
 */
void secrets_id(const struct secrets *s, size_t i, char ret[static SECRET_ID_SIZE]);
/* Its index, or -ENOENT. */
int secrets_find(const struct secrets *s, const char *id);

/*
 * The pre-shared key of a pair of hosts: BLAKE2b-256 keyed with the secret
 * over the concatenation of length-prefixed (one byte) strings
 *	"sennit-psk-v1", mesh id, smaller host id, larger host id
 * where smaller is by bytes. Test vector: secret = bytes 00 01 … 1f, mesh
 * "m1", hosts "h1" and "h2", in either order:
 *	8e249f47f1a8eb4a60c28897f84a120b615abe8a3a3c7450100d822656904061
 * ret should be secret_alloc() memory, wiped when charon has it.
 */
void secrets_pair_key(const struct secrets *s, size_t i, const char *mesh_id, const char *host_a,
		      const char *host_b, uint8_t ret[static PAIR_KEY_SIZE]);
/*
 * MAC of a heartbeat: the first 16 bytes of BLAKE2b-256 keyed with a key that is
 * BLAKE2b-256 keyed with the secret over the length-prefixed strings
 *	"sennit-heartbeat-v1", mesh id, sender's id, receiver's id
 * so that it holds for the pair and the direction.
 */
void secrets_heartbeat_mac(const struct secrets *s, size_t i, const char *mesh_id,
			   const char *sender, const char *receiver, const void *data, size_t len,
			   uint8_t ret[static SECRET_MAC_SIZE]);
/* True when the MAC is that of any of the secrets; constant time for each. */
bool secrets_heartbeat_check(const struct secrets *s, const char *mesh_id, const char *sender,
			     const char *receiver, const void *data, size_t len,
			     const uint8_t mac[static SECRET_MAC_SIZE]);

/* Locked, zeroed memory; never NULL. Free with secret_wipe_free(), which takes NULL. */
void *secret_alloc(size_t size);
void secret_wipe_free(void *p);
SN_DEFINE_CLEANUP(uint8_t *, secret_wipe_free);
/* A new secret in the file's form, with a line feed, for `sennit genkey`. The caller wipes it. */
void secret_generate(char ret[static 64]);
/* No core file of this process, no ptrace by others: prctl(PR_SET_DUMPABLE, 0), RLIMIT_CORE 1. */
void secret_protect_process(void);
