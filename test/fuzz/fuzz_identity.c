/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: identity.json, and, behind a NUL, /etc/machine-id. */
#include "daemon/identity.h"

#include "model/snapshot.h"

#include "scratch.h"

static void check_machine(const uint8_t *data, size_t size)
{
	char id[IDENTITY_MACHINE_SIZE];

	identity_of_machine(scratch_file("machine-id", data, size), id);
	sn_require(strlen(id) == 0 || strlen(id) == IDENTITY_MACHINE_SIZE - 1);
	sn_require(strspn(id, "0123456789abcdef") == strlen(id));
	/* it is told by no more than its hash */
	sn_require(!id[0] || memcmp(id, data, IDENTITY_MACHINE_SIZE - 1) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t len = nul ? (size_t)(nul - data) : size;
	struct identity id = { .machine = "" }, again;
	struct sn_error e = { 0 };

	if (nul)
		check_machine(nul + 1, size - len - 1);
	scratch_file("identity.json", data, len);
	if (identity_load(scratch(), &id, &e) < 0) {
		sn_require(e.code < 0 && scratch_is_place(e.text, "identity.json"));
		sn_require(!id.host[0] && !scratch_has("identity.json"));
		sn_require(scratch_has("identity.json.bad"));
		return 0;
	}
	sn_require(host_id_valid(id.host) && host_id_valid(id.mesh));
	sn_require(identity_save(scratch(), &id, &e) == 0);
	sn_require(identity_load(scratch(), &again, &e) == 0);
	sn_require(streq(id.host, again.host) && streq(id.mesh, again.mesh) &&
		   streq(id.machine, again.machine));
	sn_require(identity_remove(scratch(), &e) == 0 && !scratch_has("identity.json"));
	return 0;
}
