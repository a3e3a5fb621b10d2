/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/identity.h"

#include "base/file.h"
#include "base/json.h"
#include "model/snapshot.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define IDENTITY_LIMIT 4096
#define IDENTITY_VERSION 1
#define MACHINE_ID_LEN 32

static char *file_of(const char *state_dir, const char *name)
{
	return xasprintf("%s/%s", state_dir, name);
}

void identity_of_machine(const char *path, char ret[static IDENTITY_MACHINE_SIZE])
{
	static const char key[] = "sennit-identity-v1";
	uint8_t hash[(IDENTITY_MACHINE_SIZE - 1) / 2];
	_cleanup_free_ char *text = NULL;
	size_t len;

	ret[0] = '\0';
	if (file_read(path, IDENTITY_LIMIT, &text, &len) < 0)
		return;
	len = strspn(text, "0123456789abcdef");
	/* "uninitialized" and an empty file are what images are made with */
	if (len != MACHINE_ID_LEN || (text[len] && text[len] != '\n'))
		return;
	sn_require(crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, len,
				      (const uint8_t *)key, sizeof(key) - 1) == 0);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}

static int read_id(const json_t *doc, const char *key, char ret[static SN_ID_SIZE],
		   struct sn_error *e)
{
	const char *id;

	if (json_read_string(doc, NULL, key, JSON_REQUIRED, &id, e) < 0)
		return e->code;
	if (!host_id_valid(id))
		return sn_error_set(e, -EINVAL, "/%s: no id", key);
	snprintf(ret, SN_ID_SIZE, "%s", id);
	return 0;
}

static int parse(const char *text, size_t len, struct identity *ret, struct sn_error *e)
{
	_cleanup_json_ json_t *doc = NULL;
	struct identity id = { 0 };
	const char *machine;
	int64_t version;

	if (json_parse(text, len, &doc, e) < 0 || json_require_object(doc, NULL, e) < 0 ||
	    json_read_int(doc, NULL, "sennit_identity", JSON_REQUIRED, IDENTITY_VERSION,
			  IDENTITY_VERSION, &version, e) < 0 ||
	    json_read_string(doc, NULL, "machine", JSON_REQUIRED, &machine, e) < 0 ||
	    read_id(doc, "host", id.host, e) < 0 || read_id(doc, "mesh", id.mesh, e) < 0)
		return e->code;
	if (*machine && (strlen(machine) != IDENTITY_MACHINE_SIZE - 1 ||
			 strspn(machine, "0123456789abcdef") != IDENTITY_MACHINE_SIZE - 1))
		return sn_error_set(e, -EINVAL, "/machine: not 32 hex digits");
	snprintf(id.machine, sizeof(id.machine), "%s", machine);
	*ret = id;
	return 0;
}

int identity_load(const char *state_dir, struct identity *ret, struct sn_error *e)
{
	_cleanup_free_ char *path = file_of(state_dir, "identity.json");
	_cleanup_free_ char *bad = file_of(state_dir, "identity.json.bad");
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, IDENTITY_LIMIT, &text, &len);

	if (r < 0)
		return sn_error_set(e, r, "%s: %s", path, sn_strerror(r));
	r = parse(text, len, ret, e);
	if (r == 0)
		return 0;
	rename(path, bad);
	return sn_error_wrap(e, "%s (put aside as identity.json.bad)", path);
}

int identity_save(const char *state_dir, const struct identity *id, struct sn_error *e)
{
	_cleanup_free_ char *path = file_of(state_dir, "identity.json");
	_cleanup_free_ char *text =
		xasprintf("{\"sennit_identity\": %d, \"machine\": \"%s\", \"host\": \"%s\", "
			  "\"mesh\": \"%s\"}\n",
			  IDENTITY_VERSION, id->machine, id->host, id->mesh);
	int r = file_write_atomic(path, text, strlen(text), 0600);

	return r < 0 ? sn_error_set(e, r, "%s: %s", path, sn_strerror(r)) : 0;
}

int identity_remove(const char *state_dir, struct sn_error *e)
{
	/* the identity last: without it the snapshot would be believed */
	static const char *const names[] = { "if_ids.json", "snapshot.json", "identity.json" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = file_of(state_dir, names[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return sn_error_set(e, -errno, "%s: %s", path, sn_strerror(-errno));
	}
	return 0;
}
