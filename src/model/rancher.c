/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rancher's metadata documents to a draft.
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
#include "model/rancher.h"

#include "base/strbuf.h"
#include "model/draft.h"

#include <errno.h>
#include <stdio.h>

#define SUBNET_LABEL "io.rancher.network.per_host_subnet.subnet"
#define ROUTER_LABEL "io.rancher.container.agent_service.ipsec"
#define SIDEKICKS_LABEL "io.rancher.sidekicks"
#define ROUTER_SIDEKICK "router"
#define BRIDGE_TYPE "rancher-bridge"

static const struct draft_words rancher_words = {
	.id = "uuid",
	.address = "agent_ip",
	.prefix = "labels/" SUBNET_LABEL,
};

struct reader {
	const struct config *config;
	struct draft d;
	char *overlay_place;
	const char *network;         /* its uuid, borrowed from the document */
	ARRAY(const char *) holders; /* uuids of the routers' holders, sorted; borrowed */
};

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

static int read_mesh_id(struct reader *r, const struct json_place *at, struct sn_error *e)
{
	const char *id = r->config->mesh_id[0] ? r->config->mesh_id : r->network;
	struct json_place here = json_key(at, "uuid");

	if (!host_id_valid(id))
		return json_fail(&here, e, "'%s' cannot be the id of a mesh; set mesh.id", id);
	snprintf(r->d.snapshot->mesh_id, SN_ID_SIZE, "%s", id);
	return 0;
}

static int read_network(struct reader *r, const json_t *networks, struct sn_error *e)
{
	struct json_place list = json_key(NULL, "networks"), at, metadata, cni, bridge_at;
	const json_t *network, *bridge;
	struct snapshot *s = r->d.snapshot;
	const char *file = NULL, *name = NULL;
	int i;

	if (!json_is_array(networks))
		return json_fail(&list, e, "not an array");
	i = choose_network(r->config, networks, e);
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
	if (json_read_string(network, &at, "uuid", JSON_REQUIRED, &r->network, e) < 0 ||
	    json_read_string(network, &at, "name", JSON_OPTIONAL, &name, e) < 0 ||
	    read_mesh_id(r, &at, e) < 0 ||
	    json_read_prefix(bridge, &bridge_at, "bridgeSubnet", JSON_REQUIRED, &s->overlay, e) < 0)
		return e->code;
	s->mesh_name = text_cut(name ? name : r->network, HOST_MAX_NAME);
	r->overlay_place =
		xasprintf("/networks/%d/metadata/cniConfig/%.100s/bridgeSubnet", i, file);
	r->d.overlay_place = r->overlay_place;
	return 0;
}

/* --- hosts --------------------------------------------------------------- */

static int read_self(struct reader *r, const json_t *self_host, struct sn_error *e)
{
	struct json_place self = json_key(NULL, "self"), at = json_key(&self, "host");
	struct json_place at_uuid = json_key(&at, "uuid");
	const char *id = r->config->host_id;

	if (!id[0] && (json_require_object(self_host, &at, e) < 0 ||
		       json_read_string(self_host, &at, "uuid", JSON_REQUIRED, &id, e) < 0))
		return e->code;
	if (!host_id_valid(id))
		return json_fail(&at_uuid, e, "'%s' is not a host id", id);
	snprintf(r->d.snapshot->self_id, SN_ID_SIZE, "%s", id);
	return 0;
}

/* The id and address of a wrong entry, as far as it has them. */
static void refuse_host(struct reader *r, const json_t *v, size_t i, const struct sn_error *e)
{
	const char *id = json_string_value(json_object_get(v, "uuid"));
	const char *ip = json_string_value(json_object_get(v, "agent_ip"));
	_cleanup_free_ char *place = xasprintf("/hosts/%zu", i);
	struct sn_addr a = { 0 };

	draft_add_problem(&r->d, place, e);
	if (ip && sn_addr_parse(ip, &a) < 0)
		a = (struct sn_addr){ 0 };
	/* a text that is no id was never one of ours: nothing stays for it */
	if (!id || host_id_valid(id))
		draft_refuse_host(&r->d, id, &a, i);
}

/* Its subnet as the label has it; wrong: what the host had stays. */
static void read_labels(struct reader *r, const json_t *v, const struct json_place *at,
			struct host *h)
{
	struct json_place labels_at = json_key(at, "labels");
	_cleanup_free_ char *place = xasprintf("/hosts/%zu", at->index);
	const json_t *labels = NULL;
	struct sn_prefix p = { 0 };
	struct sn_error e;

	if (json_read_object(v, at, "labels", JSON_OPTIONAL, &labels, &e) < 0 ||
	    (labels &&
	     json_read_prefix(labels, &labels_at, SUBNET_LABEL, JSON_OPTIONAL, &p, &e) < 0)) {
		draft_add_problem(&r->d, place, &e);
		r->d.hosts.v[r->d.hosts.n - 1].subnets_stay = true;
		return;
	}
	if (sn_addr_is_set(&p.addr))
		*array_add(&h->prefixes) = p;
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

/* 1: a good entry with *ret_id and *ret_addr; 0: no peer; -EINVAL: wrong. */
static int check_host(const json_t *v, const struct json_place *at, const char **ret_id,
		      struct sn_addr *ret_addr, enum host_state *ret_state, struct sn_error *e)
{
	struct json_place id_at = json_key(at, "uuid");
	const char *state;

	if (json_require_object(v, at, e) < 0 ||
	    json_read_string(v, at, "state", JSON_REQUIRED, &state, e) < 0)
		return e->code;
	/* removed, purged, error and what else there is: no peers */
	if (host_state_from_string(state, ret_state) < 0 || *ret_state == HOST_GONE)
		return 0;
	if (json_read_string(v, at, "uuid", JSON_REQUIRED, ret_id, e) < 0)
		return e->code;
	if (!host_id_valid(*ret_id))
		return json_fail(&id_at, e,
				 "'%.100s' is not a host id; expected 1 to 63 of A-Z a-z 0-9 . _ -",
				 *ret_id);
	if (json_read_addr(v, at, "agent_ip", JSON_REQUIRED, ret_addr, e) < 0)
		return e->code;
	return 1;
}

static void read_host(struct reader *r, const json_t *v, const struct json_place *at)
{
	enum host_state state;
	struct sn_addr addr;
	struct sn_error e;
	const char *id;
	struct host *h;
	int ok = check_host(v, at, &id, &addr, &state, &e);

	if (ok < 0)
		refuse_host(r, v, at->index, &e);
	if (ok <= 0)
		return;
	h = draft_add_host(&r->d, id, at->index);
	h->state = state;
	h->name = read_name(v);
	*array_add(&h->underlay) = addr;
	read_labels(r, v, at, h);
}

static int read_hosts(struct reader *r, const json_t *hosts, struct sn_error *e)
{
	struct json_place list = json_key(NULL, "hosts");

	if (!json_is_array(hosts))
		return json_fail(&list, e, "not an array");
	if (json_array_size(hosts) > SNAPSHOT_MAX_HOSTS)
		return json_fail(&list, e, "%zu hosts; at most %d are allowed",
				 json_array_size(hosts), SNAPSHOT_MAX_HOSTS);
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		struct json_place at = json_index(&list, i);

		read_host(r, json_array_get(hosts, i), &at);
	}
	return 0;
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

static int cmp_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void find_holders(struct reader *r, const json_t *containers)
{
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *v = json_array_get(containers, i);
		const char *holder =
			json_string_value(json_object_get(v, "network_from_container_uuid"));

		if (holder && *holder && streq(label(v, ROUTER_LABEL), "true"))
			*array_add(&r->holders) = holder;
	}
	array_sort(&r->holders, cmp_text);
}

static bool is_router(const struct reader *r, const json_t *v)
{
	const char *uuid = json_string_value(json_object_get(v, "uuid"));

	return streq(label(v, ROUTER_LABEL), "true") ||
	       list_has(label(v, SIDEKICKS_LABEL), ROUTER_SIDEKICK) ||
	       (uuid && r->holders.n &&
		bsearch(&uuid, r->holders.v, r->holders.n, sizeof(uuid), cmp_text));
}

/* 1: an overlay endpoint with its address and host; 0: none; -EINVAL: wrong. */
static int check_container(const struct reader *r, const json_t *v, const struct json_place *at,
			   struct sn_addr *ret_addr, const char **ret_host, struct sn_error *e)
{
	const char *network = NULL, *from = NULL, *state = NULL, *ip = NULL;

	if (json_require_object(v, at, e) < 0 ||
	    json_read_string(v, at, "network_uuid", JSON_OPTIONAL, &network, e) < 0)
		return e->code;
	if (!network || !streq(network, r->network))
		return 0;
	if (json_read_string(v, at, "network_from_container_uuid", JSON_OPTIONAL, &from, e) < 0 ||
	    json_read_string(v, at, "state", JSON_REQUIRED, &state, e) < 0)
		return e->code;
	if ((from && *from) ||
	    !(streq(state, "running") || streq(state, "starting") || streq(state, "stopping")))
		return 0;
	if (json_read_string(v, at, "primary_ip", JSON_OPTIONAL, &ip, e) < 0)
		return e->code;
	if (!ip || !*ip)
		return 0;
	if (json_read_addr(v, at, "primary_ip", JSON_REQUIRED, ret_addr, e) < 0 ||
	    json_read_string(v, at, "host_uuid", JSON_REQUIRED, ret_host, e) < 0)
		return e->code;
	return 1;
}

static void read_container(struct reader *r, const json_t *v, const struct json_place *at)
{
	const char *host = NULL;
	struct sn_addr addr;
	struct draft_single *d;
	struct sn_error e;
	int ok = check_container(r, v, at, &addr, &host, &e);

	if (ok < 0) {
		_cleanup_free_ char *place = xasprintf("/containers/%zu", at->index);

		draft_add_problem(&r->d, place, &e);
		draft_refuse_container(&r->d, json_string_value(json_object_get(v, "host_uuid")));
	}
	/* of a host that cannot be: lingering entries name such too */
	if (ok <= 0 || !host_id_valid(host))
		return;
	d = array_add(&r->d.singles);
	d->addr = addr;
	snprintf(d->host_id, sizeof(d->host_id), "%s", host);
	d->index = at->index;
	d->router = is_router(r, v);
}

static int read_containers(struct reader *r, const json_t *containers,
			   const struct snapshot *before, struct sn_error *e)
{
	struct json_place list = json_key(NULL, "containers");

	/* Go writes an empty list so; but not where there were some, it is no answer then */
	if (!containers || json_is_null(containers)) {
		if (before && snapshot_is_flat(before))
			return json_fail(&list, e, "is null, and there were containers before");
		return 0;
	}
	if (!json_is_array(containers))
		return json_fail(&list, e, "not an array");
	if (json_array_size(containers) > SNAPSHOT_MAX_CONTAINERS)
		return json_fail(&list, e, "%zu containers; at most %d are allowed",
				 json_array_size(containers), SNAPSHOT_MAX_CONTAINERS);
	find_holders(r, containers);
	for (size_t i = 0; i < json_array_size(containers); i++) {
		struct json_place at = json_index(&list, i);

		read_container(r, json_array_get(containers, i), &at);
	}
	return 0;
}

/* --- all together -------------------------------------------------------- */

static void reader_fini(struct reader *r)
{
	draft_fini(&r->d);
	free(r->overlay_place);
	array_free(&r->holders);
}

int rancher_snapshot(const struct rancher_documents *docs, const struct config *config,
		     const struct snapshot *before, struct snapshot **ret, struct sn_error *e)
{
	_cleanup_(reader_fini) struct reader r = { .config = config };

	draft_init(&r.d, &rancher_words);
	r.d.snapshot->revision = xstrdup(docs->version);
	r.d.snapshot->source = url_without_user(docs->source);
	config_metadata_address(config, &r.d.metadata);
	if (read_self(&r, docs->self_host, e) < 0 || read_network(&r, docs->networks, e) < 0 ||
	    read_hosts(&r, docs->hosts, e) < 0 ||
	    read_containers(&r, docs->containers, before, e) < 0 ||
	    draft_settle(&r.d, before, e) < 0)
		return e->code;
	*ret = sn_steal(r.d.snapshot);
	return 0;
}
