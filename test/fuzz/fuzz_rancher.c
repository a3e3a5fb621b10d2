/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: one JSON object with the documents as members, and perhaps "before"
 * with those of an earlier answer. Beside the rules of a snapshot: the order
 * of arrays does not matter, and what was settled stays settled.
 */
#include "model/rancher.h"

#include "check.h"

#define MAX_READINGS 3

static json_t *reversed(const json_t *list)
{
	json_t *r;

	if (!json_is_array(list))
		return json_incref((json_t *)list);
	r = json_array();
	for (size_t i = json_array_size(list); i-- > 0;)
		json_array_append(r, json_array_get(list, i));
	return r;
}

static struct snapshot *run(const json_t *self, const json_t *hosts, const json_t *containers,
			    const json_t *networks, const struct snapshot *before)
{
	_cleanup_(config_freep) struct config *config = config_new();
	const struct rancher_documents docs = {
		.version = "v",
		.source = "http://metadata/",
		.self_host = self,
		.hosts = hosts,
		.containers = containers,
		.networks = networks,
	};
	struct snapshot *s = NULL;
	struct sn_error e = { 0 };

	if (rancher_snapshot(&docs, config, before, &s, &e) < 0)
		sn_require(!s && e.code < 0 && e.text[0] == '/');
	else
		check_snapshot(s);
	return s;
}

static struct snapshot *run_all(const json_t *doc, const struct snapshot *before)
{
	const json_t *self = json_object_get(doc, "self_host");
	const json_t *networks = json_object_get(doc, "networks");
	const json_t *hosts = json_object_get(doc, "hosts");
	const json_t *containers = json_object_get(doc, "containers");
	_cleanup_json_ json_t *hosts2 = reversed(hosts), *containers2 = reversed(containers);
	struct snapshot *s = run(self, hosts, containers, networks, before);
	_cleanup_(snapshot_freep) struct snapshot *other_order =
		run(self, hosts2, containers2, networks, before);
	_cleanup_(snapshot_freep) struct snapshot *last = NULL;

	sn_require(!s == !other_order && (!s || snapshot_equal(s, other_order)));
	if (!s)
		return NULL;
	/* what is read again and again settles, see snapshot_finish() */
	last = run(self, hosts, containers, networks, s);
	/* by design: single addresses were given, so no list of containers is no answer */
	if (!last && !json_is_array(containers) && snapshot_is_flat(s))
		return s;
	for (int i = 0; i < MAX_READINGS; i++) {
		struct snapshot *next = run(self, hosts, containers, networks, last);
		bool settled = next && snapshot_equal(last, next);

		sn_require(next);
		snapshot_free(last);
		last = next;
		if (settled)
			return s;
	}
	sn_require_failed("it settles", __FILE__, __LINE__);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_(snapshot_freep) struct snapshot *before = NULL, *s = NULL;
	struct sn_error e;

	if (json_parse((const char *)data, size, &doc, &e) < 0)
		return 0;
	before = run_all(json_object_get(doc, "before"), NULL);
	s = run_all(doc, before);
	return 0;
}
