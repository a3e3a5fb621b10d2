/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "document.h"

#include "base/strbuf.h"

#include <stdio.h>

#define SUBNET_LABEL "io.rancher.network.per_host_subnet.subnet"
#define IP_LABEL "io.rancher.container.ip"
/* Of the container whose address is its host's overlay address, in the flat plan. */
#define ROUTER_LABEL "io.rancher.container.agent_service.ipsec"

static void set(json_t *obj, const char *key, json_t *value)
{
	sn_require(json_object_set_new(obj, key, value) == 0);
}

static void set_string(json_t *obj, const char *key, const char *s)
{
	set(obj, key, json_string(s));
}

static void set_nulls(json_t *obj, const char *const *keys)
{
	for (; *keys; keys++)
		set(obj, *keys, json_null());
}

static void format_uuid(uint8_t b[static 16], unsigned version, char ret[static 37])
{
	b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

static uint64_t hash(uint64_t h, const char *s)
{
	/* FNV-1a with the NUL, so that "a", "bc" is not "ab", "c" */
	do
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	while (*s++);
	return h;
}

/*
 * A mesh file gives containers no id. This one (RFC 9562 version 8: our own
 * making) lives as long as the container's host, name and address.
 */
static void container_uuid(const struct mesh_file *mesh, const struct mesh_container *c,
			   char ret[static 37])
{
	uint8_t bytes[16];

	for (unsigned half = 0; half < 2; half++) {
		uint64_t h = 0xcbf29ce484222325u ^ half;

		h = hash(h, mesh->mesh_id);
		h = hash(h, c->host_id);
		h = hash(h, c->name);
		h = hash(h, SN_ADDR_STR(&c->ip));
		memcpy(bytes + (size_t)8 * half, &h, sizeof(h));
	}
	format_uuid(bytes, 8, ret);
}

static json_t *host_labels(const struct host *h)
{
	json_t *labels = json_object();

	array_foreach(&h->prefixes, p) {
		if (sn_prefix_is_single(p))
			continue;
		set_string(labels, SUBNET_LABEL, SN_PREFIX_STR(p));
		break;
	}
	return labels;
}

static json_t *host_to_json(const struct mesh_file *mesh, const struct host *h)
{
	static const char *const unknown[] = { "local_storage_mb", "memory", "milli_cpu", NULL };
	json_t *v = json_object();

	set_nulls(v, unknown);
	set_string(v, "agent_ip", SN_ADDR_STR(&h->underlay.v[0]));
	set_string(v, "agent_state", "active");
	set_string(v, "environment_uuid", mesh->mesh_id);
	set_string(v, "hostname", h->name);
	set(v, "labels", host_labels(h));
	set_string(v, "metadata_kind", "host");
	set_string(v, "name", h->name);
	set_string(v, "state", host_state_to_string(h->state));
	set_string(v, "uuid", h->id);
	return v;
}

static json_t *container_to_json(const struct mesh_file *mesh, const struct mesh_container *c,
				 bool router)
{
	static const char *const unknown[] = { "create_index",
					       "external_id",
					       "health_state",
					       "links",
					       "ports",
					       "network_from_container_uuid",
					       "service_index",
					       "service_name",
					       "service_uuid",
					       "stack_name",
					       "stack_uuid",
					       "primary_mac_address",
					       NULL };
	static const char *const empty[] = { "dns", "dns_search", "health_check_hosts" };
	struct sn_prefix with_len = { .addr = c->ip, .len = mesh->overlay.len };
	char uuid[37];
	json_t *v = json_object();

	container_uuid(mesh, c, uuid);
	set_nulls(v, unknown);
	for (size_t i = 0; i < SN_ARRAY_SIZE(empty); i++)
		set(v, empty[i], json_array());
	set_string(v, "environment_uuid", mesh->mesh_id);
	set_string(v, "host_uuid", c->host_id);
	set(v, "ips", json_pack("[s]", SN_ADDR_STR(&c->ip)));
	set(v, "labels", json_pack("{ss}", IP_LABEL, SN_PREFIX_STR(&with_len)));
	if (router)
		set_string(json_object_get(v, "labels"), ROUTER_LABEL, "true");
	set_string(v, "metadata_kind", "container");
	set_string(v, "name", c->name);
	set_string(v, "network_uuid", mesh->mesh_id);
	set_string(v, "primary_ip", SN_ADDR_STR(&c->ip));
	set(v, "start_count", json_integer(1));
	set_string(v, "state", "running");
	set(v, "system", json_false());
	set_string(v, "uuid", uuid);
	return v;
}

/* The defaults of Rancher's ipsec stack, with the mesh's overlay. */
static json_t *cni_config(const struct mesh_file *mesh)
{
	_cleanup_free_ char *prefix_len = xasprintf("/%u", mesh->overlay.len);

	return json_pack("{ss ss sb sb s{ss ss} sb si si ss sb ss}", "bridge", "docker0",
			 "bridgeSubnet", SN_PREFIX_STR(&mesh->overlay), "hairpinMode", 0, "hostNat",
			 1, "ipam", "subnetPrefixSize", prefix_len, "type", "rancher-cni-ipam",
			 "isDefaultGateway", 1, "linkMTUOverhead", 98, "mtu", 1500, "name",
			 "rancher-cni-network", "promiscMode", 1, "type", "rancher-bridge");
}

static json_t *network_to_json(const struct mesh_file *mesh)
{
	return json_pack("{ss ss sb sb s{s{so}} ss ss sn ss}", "default_policy_action", "allow",
			 "environment_uuid", mesh->mesh_id, "host_ports", 1, "is_default", 1,
			 "metadata", "cniConfig", "10-rancher.conf", cni_config(mesh),
			 "metadata_kind", "network", "name", DOCUMENT_NETWORK_NAME, "policy",
			 "uuid", mesh->mesh_id);
}

static void add_callers(struct document *d, const struct host *h, json_t *v)
{
	array_foreach(&h->underlay, addr)
		*array_add(&d->callers) = (struct document_host){
			.addr = *addr,
			.active = h->state == HOST_ACTIVE,
			.created_ms = h->created_ms,
			.host = v,
		};
}

static json_t *hosts_to_json(struct document *d, const struct mesh_file *mesh)
{
	json_t *hosts = json_array();

	array_foreach(&mesh->hosts, h) {
		json_t *v = host_to_json(mesh, h);

		json_array_append_new(hosts, v);
		add_callers(d, h, v);
	}
	return hosts;
}

static bool is_flat(const struct host *h)
{
	array_foreach(&h->prefixes, p) {
		if (!sn_prefix_is_single(p))
			return false;
	}
	return true;
}

/* The containers of one host as they are served. */
struct endpoints {
	const struct mesh_file *mesh;
	const struct host *host;
	const struct mesh_container *own; /* from the file */
	size_t n_own;
	json_t *list;
};

static void add_endpoint(const struct endpoints *ep, const struct mesh_container *c)
{
	bool router = is_flat(ep->host) && sn_addr_cmp(&c->ip, &ep->host->overlay_ip) == 0;

	json_array_append_new(ep->list, container_to_json(ep->mesh, c, router));
}

/* An address that the mesh gives the host itself; the API has no other place for it. */
static void add_bare(const struct endpoints *ep, const struct sn_addr *addr)
{
	struct mesh_container c = { .name = (char[SN_ADDR_STRLEN]){ 0 }, .ip = *addr };

	for (size_t i = 0; i < ep->n_own; i++) {
		if (sn_addr_cmp(&ep->own[i].ip, addr) == 0)
			return;
	}
	sn_addr_format(addr, c.name);
	memcpy(c.host_id, ep->host->id, sizeof(c.host_id));
	add_endpoint(ep, &c);
}

static void add_endpoints(const struct endpoints *ep)
{
	bool has_overlay_ip = false;

	for (size_t i = 0; i < ep->n_own; i++)
		add_endpoint(ep, &ep->own[i]);
	array_foreach(&ep->host->prefixes, p) {
		if (!sn_prefix_is_single(p))
			continue;
		has_overlay_ip |= sn_addr_cmp(&p->addr, &ep->host->overlay_ip) == 0;
		add_bare(ep, &p->addr);
	}
	if (is_flat(ep->host) && sn_addr_is_set(&ep->host->overlay_ip) && !has_overlay_ip)
		add_bare(ep, &ep->host->overlay_ip);
}

/* The mesh file has them in the order of its hosts. */
static json_t *containers_to_json(const struct mesh_file *mesh)
{
	json_t *list = json_array();
	size_t at = 0;

	for (size_t i = 0; i < mesh->hosts.n; i++) {
		struct endpoints ep = { .mesh = mesh, .host = &mesh->hosts.v[i], .list = list };

		while (at + ep.n_own < mesh->containers.n &&
		       streq(mesh->containers.v[at + ep.n_own].host_id, ep.host->id))
			ep.n_own++;
		ep.own = mesh->containers.v + at;
		at += ep.n_own;
		add_endpoints(&ep);
	}
	return list;
}

struct document *document_new(const struct mesh_file *mesh)
{
	struct document *d = xcalloc(1, sizeof(*d));
	uint8_t random[16];

	sn_random(random, sizeof(random));
	format_uuid(random, 4, d->version);
	d->root =
		json_pack("{so so sn ss s[o] ss s{} s[] s[] sb ss ss}", "containers",
			  containers_to_json(mesh), "hosts", hosts_to_json(d, mesh), "environments",
			  "name", mesh->name ? mesh->name : mesh->mesh_id, "networks",
			  network_to_json(mesh), "region_name", "", "self", "services", "stacks",
			  "system", 0, "uuid", mesh->mesh_id, "version", d->version);
	sn_require(d->root);
	return d;
}

void document_free(struct document *d)
{
	if (!d)
		return;
	json_decref(d->root);
	array_free(&d->callers);
	free(d);
}

bool document_equal(const struct document *a, const struct document *b)
{
	_cleanup_json_ json_t *x = json_copy(a->root);
	_cleanup_json_ json_t *y = json_copy(b->root);

	json_object_del(x, "version");
	json_object_del(y, "version");
	return json_equal(x, y);
}

/*
 * Of two with one address (a re-deployed host whose old entry lingers) the
 * active, then the newer; when nobody wrote when they were made, the later in
 * the file, for people append. a comes after b.
 */
static bool is_better(const struct document_host *a, const struct document_host *b)
{
	return a->active != b->active ? a->active : a->created_ms >= b->created_ms;
}

static json_t *find_caller(const struct document *d, const struct sn_addr *caller)
{
	const struct document_host *best = NULL;

	array_foreach(&d->callers, c) {
		if (sn_addr_cmp(&c->addr, caller) == 0 && (!best || is_better(c, best)))
			best = c;
	}
	return best ? best->host : NULL;
}

json_t *document_for(const struct document *d, const struct sn_addr *caller)
{
	json_t *root = json_copy(d->root);
	json_t *host = find_caller(d, caller);

	if (host)
		set(root, "self", json_pack("{sO}", "host", host));
	return root;
}
