/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: mesh.json, as the host with 192.0.2.1 reads it. */
#include "model/mesh_file.h"

#include "check.h"

static struct snapshot *run(const struct mesh_file *m, const struct snapshot *before)
{
	_cleanup_(config_freep) struct config *config = config_new();
	struct snapshot *s = NULL;
	struct sn_error e = { 0 };
	struct sn_addr own;

	sn_require(sn_addr_parse("192.0.2.1", &own) == 0);
	if (mesh_file_snapshot(m, config, &own, 1, before, "file:///mesh.json", &s, &e) < 0)
		sn_require(!s && e.code < 0 && e.text[0] == '/');
	else
		check_snapshot(s);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(mesh_file_freep) struct mesh_file *m = NULL;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL, *again = NULL;
	struct sn_error e = { 0 };

	if (mesh_file_parse("FILE", (const char *)data, size, &m, &e) < 0) {
		sn_require(!m && e.code < 0 && sn_startswith(e.text, "FILE: "));
		return 0;
	}
	s = run(m, NULL);
	if (!s)
		return 0;
	/* what was settled stays settled */
	again = run(m, s);
	sn_require(again && snapshot_equal(s, again));
	return 0;
}
