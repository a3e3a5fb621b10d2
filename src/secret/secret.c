/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each secret lives in an allocation of sodium_malloc(): guard pages around
 * it, locked, left out of core files, zeroed on free. The file's text passes
 * through such memory too; no copy of a secret is ever on the ordinary heap.
 */
#include "secret/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define FILE_LIMIT 4096

struct secret {
	uint8_t *bytes; /* sodium_malloc() */
	size_t len;
};

struct secrets {
	struct secret v[SECRET_MAX_COUNT];
	size_t n;
};

static void require_sodium(void)
{
	sn_require(sodium_init() >= 0);
}

void *secret_alloc(size_t size)
{
	void *p;

	require_sodium();
	p = sodium_malloc(size);
	sn_require(p);
	sodium_memzero(p, size);
	return p;
}

void secret_wipe_free(void *p)
{
	sodium_free(p);
}

void secrets_free(struct secrets *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		secret_wipe_free(s->v[i].bytes);
	free(s);
}

/* Checks who may read the file, then reads it into secret memory. */
static int read_file(const char *path, char **ret, struct sn_error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	struct stat st;
	char *text;
	ssize_t n;

	if (fd < 0)
		return sn_error_set(e, -errno, "%s: %s; make one with `sennit genkey`", path,
				    sn_strerror(-errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return sn_error_set(e, -EINVAL, "%s: not a regular file", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return sn_error_set(e, -EPERM,
				    "%s: others can read it (mode %03o, owner %u); "
				    "chown root and chmod 600 it",
				    path, (unsigned)(st.st_mode & 0777), (unsigned)st.st_uid);
	text = secret_alloc(FILE_LIMIT + 1);
	while ((n = read(fd, text + len, FILE_LIMIT + 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0 || len > FILE_LIMIT) {
		secret_wipe_free(text);
		return n < 0 ? sn_error_set(e, -errno, "%s: %s", path, sn_strerror(-errno))
			     : sn_error_set(e, -EFBIG, "%s: longer than %d bytes", path,
					    FILE_LIMIT);
	}
	text[len] = '\0';
	*ret = text;
	return 0;
}

/* One line of base64; the error never quotes it. */
static int add_line(struct secrets *s, const char *path, unsigned line, const char *text,
		    size_t len, struct sn_error *e)
{
	uint8_t *bytes;
	size_t n;

	if (s->n == SECRET_MAX_COUNT)
		return sn_error_set(e, -E2BIG, "%s, line %u: more than %d secrets", path, line,
				    SECRET_MAX_COUNT);
	bytes = secret_alloc(SECRET_MAX_BYTES);
	if (sodium_base642bin(bytes, SECRET_MAX_BYTES, text, len, " \t\r", &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0) {
		secret_wipe_free(bytes);
		return sn_error_set(e, -EINVAL,
				    "%s, line %u: not base64 of at most %d bytes; "
				    "make one with `sennit genkey`",
				    path, line, SECRET_MAX_BYTES);
	}
	if (n < SECRET_MIN_BYTES) {
		secret_wipe_free(bytes);
		return sn_error_set(e, -EINVAL,
				    "%s, line %u: %zu bytes, at least %d are needed; make one with "
				    "`sennit genkey`",
				    path, line, n, SECRET_MIN_BYTES);
	}
	s->v[s->n++] = (struct secret){ .bytes = bytes, .len = n };
	return 0;
}

static int parse(struct secrets *s, const char *path, const char *text, struct sn_error *e)
{
	unsigned line = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t skip = strspn(text, " \t\r");
		int r;

		line++;
		if (skip < len && text[skip] != '#') {
			r = add_line(s, path, line, text, len, e);
			if (r < 0)
				return r;
		}
		text += len + (text[len] == '\n');
	}
	if (s->n == 0)
		return sn_error_set(e, -EINVAL,
				    "%s: holds no secret; make one with `sennit genkey`", path);
	return 0;
}

int secrets_load(const char *path, struct secrets **ret, struct sn_error *e)
{
	_cleanup_(secrets_freep) struct secrets *s = xcalloc(1, sizeof(*s));
	char *text = NULL;
	int r;

	require_sodium();
	r = read_file(path, &text, e);
	if (r < 0)
		return r;
	r = parse(s, path, text, e);
	secret_wipe_free(text);
	if (r < 0)
		return r;
	*ret = sn_steal(s);
	return 0;
}

size_t secrets_count(const struct secrets *s)
{
	return s->n;
}

/* Hash state over length-prefixed strings, keyed. */
static void hash_begin(crypto_generichash_state *h, const uint8_t *key, size_t key_len)
{
	sn_require(crypto_generichash_init(h, key, key_len, crypto_generichash_BYTES) == 0);
}

static void hash_string(crypto_generichash_state *h, const char *s)
{
	size_t len = strlen(s);
	uint8_t prefix = (uint8_t)len;

	sn_require(len <= UINT8_MAX);
	crypto_generichash_update(h, &prefix, 1);
	crypto_generichash_update(h, (const uint8_t *)s, len);
}

static void hash_end(crypto_generichash_state *h, uint8_t ret[static crypto_generichash_BYTES])
{
	crypto_generichash_final(h, ret, crypto_generichash_BYTES);
	sodium_memzero(h, sizeof(*h));
}

void secrets_id(const struct secrets *s, size_t i, char ret[static SECRET_ID_SIZE])
{
	static const char purpose[] = "sennit-secret-id-v1";
	uint8_t hash[crypto_generichash_BYTES];

	sn_require(i < s->n);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)purpose, sizeof(purpose) - 1,
			   s->v[i].bytes, s->v[i].len);
	sodium_bin2hex(ret, SECRET_ID_SIZE, hash, (SECRET_ID_SIZE - 1) / 2);
	sodium_memzero(hash, sizeof(hash));
}

int secrets_find(const struct secrets *s, const char *id)
{
	char each[SECRET_ID_SIZE];

	for (size_t i = 0; i < s->n; i++) {
		secrets_id(s, i, each);
		if (streq(each, id))
			return (int)i;
	}
	return -ENOENT;
}

void secrets_pair_key(const struct secrets *s, size_t i, const char *mesh_id, const char *host_a,
		      const char *host_b, uint8_t ret[static PAIR_KEY_SIZE])
{
	bool a_first = strcmp(host_a, host_b) < 0;
	crypto_generichash_state h;

	sn_require(i < s->n);
	hash_begin(&h, s->v[i].bytes, s->v[i].len);
	hash_string(&h, "sennit-psk-v1");
	hash_string(&h, mesh_id);
	hash_string(&h, a_first ? host_a : host_b);
	hash_string(&h, a_first ? host_b : host_a);
	hash_end(&h, ret);
}

/* The key of one direction of one pair, into secret memory of the caller. */
static void heartbeat_key(const struct secrets *s, size_t i, const char *mesh_id,
			  const char *sender, const char *receiver, uint8_t *ret)
{
	crypto_generichash_state h;

	hash_begin(&h, s->v[i].bytes, s->v[i].len);
	hash_string(&h, "sennit-heartbeat-v1");
	hash_string(&h, mesh_id);
	hash_string(&h, sender);
	hash_string(&h, receiver);
	hash_end(&h, ret);
}

void secrets_heartbeat_mac(const struct secrets *s, size_t i, const char *mesh_id,
			   const char *sender, const char *receiver, const void *data, size_t len,
			   uint8_t ret[static SECRET_MAC_SIZE])
{
	uint8_t key[crypto_generichash_BYTES], mac[crypto_generichash_BYTES];

	sn_require(i < s->n);
	heartbeat_key(s, i, mesh_id, sender, receiver, key);
	crypto_generichash(mac, sizeof(mac), data, len, key, sizeof(key));
	memcpy(ret, mac, SECRET_MAC_SIZE);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(mac, sizeof(mac));
}

bool secrets_heartbeat_check(const struct secrets *s, const char *mesh_id, const char *sender,
			     const char *receiver, const void *data, size_t len,
			     const uint8_t mac[static SECRET_MAC_SIZE])
{
	uint8_t want[SECRET_MAC_SIZE];
	bool good = false;

	for (size_t i = 0; i < s->n; i++) {
		secrets_heartbeat_mac(s, i, mesh_id, sender, receiver, data, len, want);
		good |= sodium_memcmp(want, mac, sizeof(want)) == 0;
	}
	return good;
}

void secret_generate(char ret[static 64])
{
	uint8_t *bytes = secret_alloc(SECRET_MIN_BYTES);

	randombytes_buf(bytes, SECRET_MIN_BYTES);
	sodium_bin2base64(ret, 63, bytes, SECRET_MIN_BYTES, sodium_base64_VARIANT_ORIGINAL);
	strcat(ret, "\n");
	secret_wipe_free(bytes);
}

void secret_protect_process(void)
{
	/* 1, not 0: stops a core_pattern pipe, too. charon inherits it, and may not raise it */
	const struct rlimit none = { 1, 1 };

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}
