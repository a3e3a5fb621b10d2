/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mesh.h"

#include <stdio.h>

struct sn_addr mesh_addr(const char *s)
{
	struct sn_addr a;

	sn_require(sn_addr_parse(s, &a) == 0);
	return a;
}

struct sn_prefix mesh_prefix(const char *s)
{
	struct sn_prefix p;

	sn_require(sn_prefix_parse(s, &p) == 0);
	return p;
}

void mesh_add_overlay(struct mesh *m, const char *overlay)
{
	struct sn_prefix p = mesh_prefix(overlay);

	sn_prefix_pair_put(&m->snapshot->overlay, &p);
}

void mesh_add_address(struct attachment *a, const char *addr)
{
	struct sn_prefix p = mesh_prefix(addr);

	sn_prefix_pair_put(&a->addr, &p);
}

void mesh_init(struct mesh *m, unsigned n, const char *overlay)
{
	memset(m, 0, sizeof(*m));
	m->config = config_new();
	m->snapshot = snapshot_new();
	snprintf(m->snapshot->mesh_id, sizeof(m->snapshot->mesh_id), "m1");
	snprintf(m->snapshot->self_id, sizeof(m->snapshot->self_id), "h1");
	free(m->snapshot->revision);
	free(m->snapshot->source);
	m->snapshot->revision = xstrdup("1");
	m->snapshot->source = xstrdup("test");
	mesh_add_overlay(m, overlay ? overlay : "10.42.0.0/16");
	for (unsigned i = 1; i <= n; i++) {
		_cleanup_free_ char *id = xasprintf("h%u", i);
		_cleanup_free_ char *underlay = xasprintf("192.0.2.%u", i);
		_cleanup_free_ char *prefix = xasprintf("10.42.%u.0/24", i);
		struct host *h = snapshot_add_host(m->snapshot, id);

		free(h->name);
		h->name = xstrdup(id);
		*array_add(&h->underlay) = mesh_addr(underlay);
		if (!overlay)
			*array_add(&h->prefixes) = mesh_prefix(prefix);
	}
	snprintf(m->secrets[0].id, SECRET_ID_SIZE, "0123456789abcdef");
	m->intent = (struct intent){ .config = m->config,
				     .snapshot = m->snapshot,
				     .attachments = m->attachments,
				     .secrets = m->secrets,
				     .n_secrets = 1,
				     .uplink = "eth0" };
}

void mesh_add_prefix(struct mesh *m, unsigned n, const char *prefix)
{
	*array_add(&m->snapshot->hosts.v[n - 1].prefixes) = mesh_prefix(prefix);
}

void mesh_finish(struct mesh *m)
{
	struct sn_error e = { 0 };

	if (snapshot_finish(m->snapshot, NULL, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		sn_require(!"a valid mesh");
	}
	array_foreach(&m->snapshot->problems, p)
		fprintf(stderr, "%s: %s\n", p->place, p->text);
	sn_require(m->snapshot->problems.n == 0);
}

void mesh_attach(struct mesh *m, const char *addr, uint32_t salt)
{
	uint64_t hash = object_hash(&salt, sizeof(salt));
	struct attachment *a;

	sn_require(m->intent.n_attachments < MESH_MAX_ATTACHMENTS);
	a = &m->attachments[m->intent.n_attachments++];
	snprintf(a->id, sizeof(a->id), "%016llx", (unsigned long long)hash);
	snprintf(a->veth, sizeof(a->veth), "snv%08x", (unsigned)(hash >> 32));
	mesh_add_address(a, addr);
	a->mac[0] = 0x02;
	memcpy(a->mac + 1, &hash, 5);
	a->ready = true;
}

void mesh_fini(struct mesh *m)
{
	config_free(m->config);
	snapshot_free(m->snapshot);
}
