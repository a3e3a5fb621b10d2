/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Rancher's documents say, entry by entry.
 *
 * What may be null in good health is not a problem but "not there": a
 * container's primary_ip (being started) and network_uuid (it has no managed
 * network), a host's labels. Everything else that is not what it should be is
 * a wrong entry; the draft then keeps its last good form.
 *
 * In the flat plan the host overlay address is the router's. Rancher's router
 * is a side-kick in the network namespace of a holder container, which has
 * the address; the router's label names the service, its
 * network_from_container_uuid the holder.
 */
#include "model/rancher_entry.h"

#include "base/strbuf.h"

#include <errno.h>
#include <stdio.h>

#define ADDRESSES_LABEL "io.sennit.addresses"
#define NAT_LABEL "io.sennit.nat"
#define ROUTER_LABEL "io.rancher.container.agent_service.ipsec"
#define SIDEKICKS_LABEL "io.rancher.sidekicks"
#define ROUTER_SIDEKICK "router"
#define BRIDGE_TYPE "rancher-bridge"

/* --- the network --------------------------------------------------------- */

/* The cniConfig entry of a network that has the bridge, NULL when there is none. */
static const json_t *find_bridge(const json_t *network, const char **ret_file)
{
	const json_t *cni = json_object_get(json_object_get(network, "metadata"), "cniConfig");
	const json_t *found = NULL;
	const char *file;
	json_t *v;

	json_object_foreach((json_t *)cni, file, v) {
		const char *type = json_string_value(json_object_get(v, "type"));

		if (!type || !streq(type, BRIDGE_TYPE))
			continue;
		if (!found || strcmp(file, *ret_file) < 0) {
			found = v;
			*ret_file = file;
		}
	}
	return found;
}

static const char *member(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "?";
}

static bool is_wanted(const struct config *config, const json_t *network)
{
	const char *file;

	if (!config->network)
		return find_bridge(network, &file);
	return streq(member(network, "uuid"), config->network) ||
	       streq(member(network, "name"), config->network);
}

static void list_network(struct strbuf *b, const json_t *network)
{
	strbuf_addf(b, "%s%s (%s)", b->len ? ", " : "", member(network, "name"),
		    member(network, "uuid"));
}

/* The index of the own network, or -EINVAL. */
static int choose_network(const struct config *config, const json_t *networks, struct sn_error *e)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT, wanted = STRBUF_INIT;
	size_t n = 0, chosen = 0;

	for (size_t i = 0; i < json_array_size(networks); i++) {
		const json_t *network = json_array_get(networks, i);

		list_network(&all, network);
		if (!is_wanted(config, network))
			continue;
		list_network(&wanted, network);
		chosen = i;
		n++;
	}
	if (n == 1)
		return (int)chosen;
	if (n > 1)
		return sn_error_set(e, -EINVAL,
				    "/networks: %zu fit%s%s: %.300s; set network (SENNIT_NETWORK) "
				    "to the uuid of one of them",
				    n, config->network ? " " : " (type " BRIDGE_TYPE ")",
				    config->network ? config->network : "", strbuf_str(&wanted));
	if (config->network)
		return sn_error_set(
			e, -EINVAL,
			"/networks: none has the configured name or uuid %s; there are: %.300s",
			config->network, strbuf_str(&all));
	return sn_error_set(e, -EINVAL,
			    "/networks: none has a cniConfig of type " BRIDGE_TYPE
			    "; there are: %.300s",
			    all.len ? strbuf_str(&all) : "none at all");
}

static int read_mesh_id(const struct config *config, const char *network,
			const struct json_place *at, char ret[static SN_ID_SIZE],
			struct sn_error *e)
{
	const char *id = config->mesh_id[0] ? config->mesh_id : network;
	struct json_place here = json_key(at, "uuid");

	if (!host_id_valid(id))
		return json_fail(&here, e, "'%s' cannot be the id of a mesh; set mesh.id", id);
	snprintf(ret, SN_ID_SIZE, "%s", id);
	return 0;
}

void rancher_network_fini(struct rancher_network *n)
{
	free(n->uuid);
	free(n->name);
	for (size_t i = 0; i < SN_FAMILIES; i++)
		free(n->overlay_place[i]);
	*n = (struct rancher_network){ 0 };
}

/* What Rancher says by one key, and of the other family what our own key says. */
static int read_subnets(const json_t *v, const struct json_place *at, const char *key,
			enum json_need need, struct sn_prefix_pair *ret, uint8_t *ret_other,
			struct sn_error *e)
{
	struct json_place here = json_key(at, RANCHER_OTHER_SUBNET);
	struct sn_prefix first = { 0 }, other = { 0 };

	if (json_read_prefix(v, at, key, need, &first, e) < 0 ||
	    json_read_prefix(v, at, RANCHER_OTHER_SUBNET, JSON_OPTIONAL, &other, e) < 0)
		return e->code;
	if (sn_addr_is_set(&first.addr) && first.addr.family == other.addr.family)
		return json_fail(&here, e, "%s is of %s, as %s is; expected the other family",
				 SN_PREFIX_STR(&other), sn_family_to_string(other.addr.family),
				 SN_PREFIX_STR(&first));
	if (sn_addr_is_set(&first.addr))
		sn_prefix_pair_put(ret, &first);
	if (sn_addr_is_set(&other.addr))
		sn_prefix_pair_put(ret, &other);
	*ret_other = other.addr.family;
	return 0;
}

int rancher_read_networks(const json_t *networks, const struct config *config,
			  struct rancher_network *ret, struct sn_error *e)
{
	struct json_place list = json_key(NULL, "networks"), at, metadata, cni, bridge_at;
	struct rancher_network n = { 0 };
	uint8_t other;
	const json_t *network, *bridge;
	const char *file = NULL, *uuid = NULL, *name = NULL;
	int i;

	if (!json_is_array(networks))
		return json_fail(&list, e, "not an array");
	i = choose_network(config, networks, e);
	if (i < 0)
		return i;
	network = json_array_get(networks, (size_t)i);
	at = json_index(&list, (size_t)i);
	metadata = json_key(&at, "metadata");
	cni = json_key(&metadata, "cniConfig");
	bridge = find_bridge(network, &file);
	if (!bridge)
		return json_fail(&cni, e, "no entry of type " BRIDGE_TYPE);
	bridge_at = json_key(&cni, file);
	if (json_read_string(network, &at, "uuid", JSON_REQUIRED, &uuid, e) < 0 ||
	    json_read_string(network, &at, "name", JSON_OPTIONAL, &name, e) < 0 ||
	    read_mesh_id(config, uuid, &at, n.mesh_id, e) < 0 ||
	    read_subnets(bridge, &bridge_at, "bridgeSubnet", JSON_REQUIRED, &n.overlay, &other, e) <
		    0)
		return e->code;
	n.uuid = xstrdup(uuid);
	n.name = text_cut(name ? name : uuid, HOST_MAX_NAME);
	for (size_t f = 0; f < SN_FAMILIES; f++)
		n.overlay_place[f] =
			xasprintf("/networks/%d/metadata/cniConfig/%.100s/%s", i, file,
				  sn_families[f] == other ? RANCHER_OTHER_SUBNET : "bridgeSubnet");
	*ret = n;
	return 0;
}

/* --- hosts --------------------------------------------------------------- */

int rancher_read_self(const json_t *self_host, const struct config *config,
		      char ret[static SN_ID_SIZE], struct sn_error *e)
{
	struct json_place self = json_key(NULL, "self"), at = json_key(&self, "host");
	struct json_place at_uuid = json_key(&at, "uuid");
	const char *id = config->host_id;

	if (!id[0] && (json_require_object(self_host, &at, e) < 0 ||
		       json_read_string(self_host, &at, "uuid", JSON_REQUIRED, &id, e) < 0))
		return e->code;
	if (!host_id_valid(id))
		return json_fail(&at_uuid, e, "'%s' is not a host id", id);
	snprintf(ret, SN_ID_SIZE, "%s", id);
	return 0;
}

/* The id and address of a wrong entry, as far as it has them. */
static void read_wrong_host(const json_t *v, struct rancher_host *h)
{
	const char *id = json_string_value(json_object_get(v, "uuid"));
	const char *ip = json_string_value(json_object_get(v, "agent_ip"));

	if (!ip || sn_addr_parse(ip, &h->addr) < 0)
		h->addr = (struct sn_addr){ 0 };
	/* a text that is no id was never one of ours: nothing stays for it */
	h->never_ours = id && !host_id_valid(id);
	snprintf(h->id, sizeof(h->id), "%s", id && !h->never_ours ? id : "");
}

/* Rancher's host has one address; who has more says them here, by commas. */
static int read_more(const json_t *labels, const struct json_place *at, struct rancher_host *h,
		     struct sn_error *e)
{
	struct json_place here = json_key(at, ADDRESSES_LABEL);
	_cleanup_free_ char *copy = NULL;
	const char *text = NULL;
	char *rest = NULL;

	if (json_read_string(labels, at, ADDRESSES_LABEL, JSON_OPTIONAL, &text, e) < 0)
		return e->code;
	copy = xstrdup(text ? text : "");
	for (char *s = strtok_r(copy, ", ", &rest); s; s = strtok_r(NULL, ", ", &rest)) {
		if (h->more.n == HOST_MAX_ADDRESSES - 1)
			return json_fail(&here, e, "more than %d addresses",
					 HOST_MAX_ADDRESSES - 1);
		if (sn_addr_parse(s, array_add(&h->more)) < 0)
			return json_fail(&here, e, "'%.60s' is not an IP address", s);
	}
	return 0;
}

static int read_nat(const json_t *labels, const struct json_place *at, struct rancher_host *h,
		    struct sn_error *e)
{
	struct json_place here = json_key(at, NAT_LABEL);
	const char *text = NULL;

	if (json_read_string(labels, at, NAT_LABEL, JSON_OPTIONAL, &text, e) < 0)
		return e->code;
	if (text && !streq(text, "true") && !streq(text, "false"))
		return json_fail(&here, e, "'%.60s' is neither true nor false", text);
	h->behind_nat = text && streq(text, "true");
	return 0;
}

/* Its subnets as the labels have them; wrong: what the host had stays. */
static void read_labels(const json_t *v, struct rancher_host *h, struct sn_error *e)
{
	struct json_place labels_at = json_key(NULL, "labels");
	const json_t *labels = NULL;

	h->labels_wrong =
		json_read_object(v, NULL, "labels", JSON_OPTIONAL, &labels, e) < 0 ||
		(labels && read_subnets(labels, &labels_at, RANCHER_SUBNET_LABEL, JSON_OPTIONAL,
					&h->subnet, &h->label_family, e) < 0) ||
		(labels && (read_more(labels, &labels_at, h, e) < 0 ||
			    read_nat(labels, &labels_at, h, e) < 0));
	if (h->labels_wrong) {
		h->subnet = (struct sn_prefix_pair){ 0 };
		h->more.n = 0;
	}
}

void rancher_host_fini(struct rancher_host *h)
{
	array_free(&h->more);
	free(h->name);
}

static char *read_name(const json_t *v)
{
	static const char *const keys[] = { "name", "hostname", "uuid" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(keys); i++) {
		const char *s = json_string_value(json_object_get(v, keys[i]));

		if (s && *s)
			return text_cut(s, HOST_MAX_NAME);
	}
	return NULL;
}

static enum entry_kind check_host(const json_t *v, struct rancher_host *h, struct sn_error *e)
{
	struct json_place id_at = json_key(NULL, "uuid");
	const char *state, *id;

	if (json_require_object(v, NULL, e) < 0 ||
	    json_read_string(v, NULL, "state", JSON_REQUIRED, &state, e) < 0)
		return ENTRY_WRONG;
	/* removed, purged, error and what else there is: no peers */
	if (host_state_from_string(state, &h->state) < 0 || h->state == HOST_GONE)
		return ENTRY_NOTHING;
	if (json_read_string(v, NULL, "uuid", JSON_REQUIRED, &id, e) < 0)
		return ENTRY_WRONG;
	if (!host_id_valid(id)) {
		json_fail(&id_at, e,
			  "'%.100s' is not a host id; expected 1 to 63 of A-Z a-z 0-9 . _ -", id);
		return ENTRY_WRONG;
	}
	if (json_read_addr(v, NULL, "agent_ip", JSON_REQUIRED, &h->addr, e) < 0)
		return ENTRY_WRONG;
	snprintf(h->id, sizeof(h->id), "%s", id);
	return ENTRY_GOOD;
}

enum entry_kind rancher_read_host(const json_t *v, struct rancher_host *ret, struct sn_error *e)
{
	enum entry_kind kind;

	*ret = (struct rancher_host){ 0 };
	kind = check_host(v, ret, e);
	if (kind == ENTRY_WRONG)
		read_wrong_host(v, ret);
	if (kind != ENTRY_GOOD)
		return kind;
	ret->name = read_name(v);
	read_labels(v, ret, e);
	return kind;
}

/* --- containers ---------------------------------------------------------- */

static const char *label(const json_t *container, const char *key)
{
	const char *s =
		json_string_value(json_object_get(json_object_get(container, "labels"), key));

	return s ? s : "";
}

/* "router,connectivity-check" has "router". */
static bool list_has(const char *list, const char *word)
{
	for (size_t n = strlen(word); *list; list += strspn(list, ", ")) {
		size_t len = strcspn(list, ", ");

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

static bool is_router(const json_t *v)
{
	return streq(label(v, ROUTER_LABEL), "true") ||
	       list_has(label(v, SIDEKICKS_LABEL), ROUTER_SIDEKICK);
}

static enum entry_kind check_container(const json_t *v, const char *own_network,
				       struct rancher_container *c, struct sn_error *e)
{
	const char *network = NULL, *from = NULL, *state = NULL, *ip = NULL;

	if (json_require_object(v, NULL, e) < 0 ||
	    json_read_string(v, NULL, "network_uuid", JSON_OPTIONAL, &network, e) < 0)
		return ENTRY_WRONG;
	if (!network || !streq(network, own_network))
		return ENTRY_NOTHING;
	if (json_read_string(v, NULL, "network_from_container_uuid", JSON_OPTIONAL, &from, e) < 0 ||
	    json_read_string(v, NULL, "state", JSON_REQUIRED, &state, e) < 0)
		return ENTRY_WRONG;
	if ((from && *from) ||
	    !(streq(state, "running") || streq(state, "starting") || streq(state, "stopping")))
		return ENTRY_NOTHING;
	if (json_read_string(v, NULL, "primary_ip", JSON_OPTIONAL, &ip, e) < 0)
		return ENTRY_WRONG;
	if (!ip || !*ip)
		return ENTRY_NOTHING;
	if (json_read_addr(v, NULL, "primary_ip", JSON_REQUIRED, &c->addr, e) < 0 ||
	    json_read_string(v, NULL, "host_uuid", JSON_REQUIRED, &c->host, e) < 0)
		return ENTRY_WRONG;
	/* of a host that cannot be: lingering entries name such too */
	return host_id_valid(c->host) ? ENTRY_GOOD : ENTRY_NOTHING;
}

enum entry_kind rancher_read_container(const json_t *v, const char *network,
				       struct rancher_container *ret, struct sn_error *e)
{
	const char *holder = json_string_value(json_object_get(v, "network_from_container_uuid"));
	enum entry_kind kind;

	*ret = (struct rancher_container){ .host = NULL };
	if (holder && *holder && streq(label(v, ROUTER_LABEL), "true"))
		ret->holder = holder;
	kind = check_container(v, network, ret, e);
	if (kind == ENTRY_WRONG)
		ret->host = json_string_value(json_object_get(v, "host_uuid"));
	ret->router = kind == ENTRY_GOOD && is_router(v);
	return kind;
}
