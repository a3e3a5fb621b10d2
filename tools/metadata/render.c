/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By hand, for speed and memory: fifty thousand containers are rendered at
 * every change. Addresses, uuids and ids need no escapes.
 */
#include "render.h"

#include <ctype.h>

#define ADDRESSES_LABEL "io.sennit.addresses"
#define NAT_LABEL "io.sennit.nat"
#define SUBNET_LABEL "io.rancher.network.per_host_subnet.subnet"
/* Of the family that Rancher's own overlay is not of; the bridge's configuration has it, too. */
#define OTHER_SUBNET "io.sennit.subnet"
#define IP_LABEL "io.rancher.container.ip"
/* Of the container whose address is its host's overlay address, in the flat plan. */
#define ROUTER_LABEL "io.rancher.container.agent_service.ipsec"

void render_string(const char *s, struct strbuf *b)
{
	strbuf_addc(b, '"');
	for (const char *p = s; *s; s = p) {
		while (*p && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
			p++;
		strbuf_add(b, s, (size_t)(p - s));
		if (!*p)
			break;
		if (*p == '"' || *p == '\\')
			strbuf_addf(b, "\\%c", *p);
		else
			strbuf_addf(b, "\\u%04x", (unsigned char)*p);
		p++;
	}
	strbuf_addc(b, '"');
}

#define LITERAL(b, s) strbuf_add((b), (s), sizeof(s) - 1)

/* A member of an object, after a comma unless it is the first. */
static void render_label(const char *key, const char *value, bool *first, struct strbuf *b)
{
	strbuf_addf(b, "%s\"%s\":\"%s\"", *first ? "" : ",", key, value);
	*first = false;
}

/* The overlay that goes for Rancher's. */
static const struct sn_prefix *main_overlay(const struct document *d)
{
	return sn_prefix_pair_first(&d->overlay);
}

static void render_host_labels(const struct document *d, const struct document_host *h,
			       struct strbuf *b)
{
	bool first = true;

	sn_prefix_pair_foreach(&h->subnet, p)
		render_label(p->addr.family == main_overlay(d)->addr.family ? SUBNET_LABEL
									    : OTHER_SUBNET,
			     SN_PREFIX_STR(p), &first, b);
	if (h->more)
		render_label(ADDRESSES_LABEL, h->more, &first, b);
	if (h->behind_nat)
		render_label(NAT_LABEL, "true", &first, b);
}

void render_host(const struct document *d, size_t i, enum api_version v, struct strbuf *b)
{
	const struct document_host *h = &d->hosts.v[i];

	LITERAL(b, "{\"agent_ip\":\"");
	strbuf_adds(b, SN_ADDR_STR(&h->addr));
	LITERAL(b, "\",\"agent_state\":\"active\",\"environment_uuid\":\"");
	strbuf_adds(b, d->mesh_id);
	if (v < API_2016_07)
		strbuf_addf(b, "\",\"hostId\":%zu,\"hostname\":", i + 1);
	else
		LITERAL(b, "\",\"hostname\":");
	render_string(h->name, b);
	LITERAL(b, ",\"labels\":{");
	render_host_labels(d, h, b);
	LITERAL(b, "},\"local_storage_mb\":null,\"memory\":null,\"metadata_kind\":\"host\","
		   "\"milli_cpu\":null,\"name\":");
	render_string(h->name, b);
	LITERAL(b, ",\"state\":\"");
	strbuf_adds(b, host_state_to_string(h->state));
	LITERAL(b, "\",\"uuid\":\"");
	strbuf_adds(b, h->id);
	LITERAL(b, "\"}");
}

char *render_container_name(const struct document *d, size_t i, enum api_version v)
{
	char *name = xstrdup(d->containers.v[i].name);

	for (char *p = name; v == API_2016_07 && *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	}
	return name;
}

static void add_labels(const struct document *d, const struct document_container *c, const char *ip,
		       struct strbuf *b)
{
	LITERAL(b, "],\"labels\":{");
	if (c->router)
		LITERAL(b, "\"" ROUTER_LABEL "\":\"true\",");
	LITERAL(b, "\"" IP_LABEL "\":\"");
	strbuf_adds(b, ip);
	strbuf_addf(b, "/%u\"}", d->overlay.of[sn_family_index(c->ip.family)].len);
}

void render_container(const struct document *d, size_t i, enum api_version v, struct strbuf *b)
{
	const struct document_container *c = &d->containers.v[i];
	_cleanup_free_ char *name = render_container_name(d, i, v);
	char ip[SN_ADDR_STRLEN], uuid[37];

	sn_addr_format(&c->ip, ip);
	document_format_uuid(c->uuid, uuid);
	LITERAL(b, "{\"create_index\":null,\"dns\":[],\"dns_search\":[],\"environment_uuid\":\"");
	strbuf_adds(b, d->mesh_id);
	LITERAL(b, "\",\"external_id\":null,\"health_check_hosts\":[],\"health_state\":null,"
		   "\"host_uuid\":\"");
	strbuf_adds(b, d->hosts.v[c->host].id);
	LITERAL(b, "\",\"ips\":[\"");
	strbuf_adds(b, ip);
	strbuf_addc(b, '"');
	add_labels(d, c, ip, b);
	LITERAL(b, ",\"links\":null,\"metadata_kind\":\"container\",\"name\":");
	render_string(name, b);
	LITERAL(b, ",\"network_from_container_uuid\":null,\"network_uuid\":\"");
	strbuf_adds(b, d->mesh_id);
	strbuf_adds(b, v == API_2016_07 ? "\",\"ports\":null" : "\",\"ports\":[]");
	LITERAL(b, ",\"primary_ip\":\"");
	strbuf_adds(b, ip);
	LITERAL(b, "\",\"primary_mac_address\":null,\"service_index\":null,\"service_name\":null,"
		   "\"service_uuid\":null,\"stack_name\":null,\"stack_uuid\":null,"
		   "\"start_count\":1,\"state\":\"running\",\"system\":false,\"uuid\":\"");
	strbuf_add(b, uuid, 36);
	LITERAL(b, "\"}");
}

void render_key(const char *key, struct strbuf *b)
{
	for (; *key; key++) {
		if (isalnum((unsigned char)*key) || strchr("-_.~", *key))
			strbuf_addc(b, *key);
		else
			strbuf_addf(b, "%%%02X", (unsigned char)*key);
	}
}

void render_container_line(const struct document *d, size_t i, enum api_version v, struct strbuf *b)
{
	_cleanup_free_ char *name = render_container_name(d, i, v);

	strbuf_addf(b, "%zu=", i);
	render_key(name, b);
	strbuf_addc(b, '\n');
}

void render_host_line(const struct document *d, size_t i, struct strbuf *b)
{
	strbuf_addf(b, "%zu=", i);
	render_key(d->hosts.v[i].name, b);
	strbuf_addc(b, '\n');
}

/* The defaults of Rancher's ipsec stack, with the mesh's overlay. */
static json_t *cni_config(const struct document *d)
{
	const struct sn_prefix *overlay = main_overlay(d);
	const struct sn_prefix *other = sn_prefix_pair_next(&d->overlay, overlay);
	_cleanup_free_ char *prefix_len = xasprintf("/%u", overlay->len);

	return json_pack("{ss ss ss* sb sb s{ss ss} sb si si ss sb ss}", "bridge", "docker0",
			 "bridgeSubnet", SN_PREFIX_STR(overlay), OTHER_SUBNET,
			 other ? SN_PREFIX_STR(other) : NULL, "hairpinMode", 0, "hostNat", 1,
			 "ipam", "subnetPrefixSize", prefix_len, "type", "rancher-cni-ipam",
			 "isDefaultGateway", 1, "linkMTUOverhead", 98, "mtu", 1500, "name",
			 "rancher-cni-network", "promiscMode", 1, "type", "rancher-bridge");
}

static json_t *network(const struct document *d)
{
	return json_pack("{ss ss sb sb s{s{so}} ss ss sn ss}", "default_policy_action", "allow",
			 "environment_uuid", d->mesh_id, "host_ports", 1, "is_default", 1,
			 "metadata", "cniConfig", "10-rancher.conf", cni_config(d), "metadata_kind",
			 "network", "name", DOCUMENT_NETWORK_NAME, "policy", "uuid", d->mesh_id);
}

json_t *render_rest(const struct document *d)
{
	json_t *v = json_pack("{sn ss s[o] ss s[] s[] sb ss ss}", "environments", "name", d->name,
			      "networks", network(d), "region_name", "", "services", "stacks",
			      "system", 0, "uuid", d->mesh_id, "version", d->version);

	sn_require(v);
	return v;
}
