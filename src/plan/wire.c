/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the kernel are per interface, never global: a host that did
 * not forward goes on not forwarding but for what the guard lets through.
 *
 * Two settings one may miss here, on purpose:
 *  - rp_filter: no path of ours is asymmetric. What a bridge or tunnel takes
 *    in has its route back through the same device, so even strict mode (by
 *    conf/all, of which the kernel takes the maximum) drops nothing good, and
 *    what it would drop beyond that the guard drops already.
 *  - send_redirects: the kernel sends them when conf/all OR the device says
 *    so, and conf/all is on by default; off on the device does nothing. None
 *    is sent anyway: no packet leaves by the tunnel that came by it, and
 *    containers of one subnet reach each other without us.
 */
#include "plan/wire.h"

#include "plan/tunnel.h"

#include <ctype.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#define WITHOUT_IPV6 "this kernel has not (ipv6.disable=1 on its command line?)"

/* They are sorted, so what a prefix covers stands right after it. */
const struct sn_prefix *wire_next_prefix(const struct host *h, const struct sn_prefix *after)
{
	size_t i = after ? (size_t)(after - h->prefixes.v) + 1 : 0;

	while (after && i < h->prefixes.n && sn_prefix_covers(after, &h->prefixes.v[i]))
		i++;
	return i < h->prefixes.n ? &h->prefixes.v[i] : NULL;
}

/* In a rule a name stands in quotes, and a star at its end would match more. */
bool wire_name_is_plain(const char *name)
{
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-@", *p))
			return false;
	}
	return *name && strlen(name) < IFNAMSIZ;
}

const char *wire_uplink(const struct intent *intent)
{
	return intent->config->masquerade && wire_name_is_plain(intent->uplink) ? intent->uplink
										: NULL;
}

const struct sn_prefix *wire_next_own(const struct intent *intent, const struct sn_prefix *after)
{
	const struct host *self = snapshot_self(intent->snapshot);

	do
		after = wire_next_prefix(self, after);
	while (after && !wire_carries(intent, after->addr.family));
	return after;
}

int wire_check(const struct intent *intent, struct sn_error *e)
{
	const char *bridge = intent->config->bridge;

	if (intent->no_ipv6 && wire_carries(intent, AF_INET6))
		return sn_error_set(e, -EOPNOTSUPP,
				    "the overlay %s is IPv6, which " WITHOUT_IPV6
				    "; give it IPv6, or the mesh an IPv4 overlay",
				    SN_PREFIX_STR(snapshot_overlay(intent->snapshot, AF_INET6)));
	if (!wire_name_is_plain(bridge) || !sn_startswith(bridge, SENNIT_LINK_PREFIX) ||
	    sn_startswith(bridge, WIRE_VETH_PREFIX) || sn_startswith(bridge, WIRE_XFRM_PREFIX))
		return sn_error_set(e, -EINVAL,
				    "bridge.name '%s': must begin with '%s', but neither with '%s' "
				    "nor '%s', and have letters, digits and ._-@ only",
				    bridge, SENNIT_LINK_PREFIX, WIRE_VETH_PREFIX, WIRE_XFRM_PREFIX);
	return 0;
}

bool wire_carries(const struct intent *intent, uint8_t family)
{
	if (family == AF_INET6 && intent->no_ipv6 && snapshot_overlay(intent->snapshot, AF_INET))
		return false;
	return snapshot_overlay(intent->snapshot, family) != NULL;
}

void wire_add_remarks(const struct intent *intent, struct wanted *w)
{
	if (intent->no_ipv6 && host_has_family(snapshot_self(intent->snapshot), AF_INET6))
		tunnel_remark(
			w,
			"this host has nothing of the overlay %s: it is IPv6, which " WITHOUT_IPV6
			"; give it IPv6, or this host no prefix of it",
			SN_PREFIX_STR(snapshot_overlay(intent->snapshot, AF_INET6)));
}

void wire_add_unreachable(const struct intent *intent, struct object_set *set)
{
	sn_prefix_pair_foreach(&intent->snapshot->overlay, overlay) {
		struct object_route *r;

		if (!wire_carries(intent, overlay->addr.family))
			continue;
		r = &object_set_add(set, OBJECT_ROUTE)->route;
		r->dst = sn_prefix_network(overlay);
		r->table = RT_TABLE_MAIN;
		r->metric = SENNIT_UNREACHABLE_METRIC;
		r->unreachable = true;
	}
}

struct object_route *wire_add_route(const struct intent *intent, const struct sn_prefix *dst,
				    const char *device, struct object_set *set)
{
	struct object_route *r = &object_set_add(set, OBJECT_ROUTE)->route;
	const struct sn_addr *src =
		host_overlay_ip(snapshot_self(intent->snapshot), dst->addr.family);

	r->dst = *dst;
	r->table = RT_TABLE_MAIN;
	r->metric = dst->addr.family == AF_INET6 ? SENNIT_IPV6_METRIC : 0;
	/* without it our own packets would carry the underlay's address */
	if (src)
		r->src = *src;
	snprintf(r->oif, sizeof(r->oif), "%s", device);
	return r;
}

static void add_sysctl(const char *family, const char *device, const char *name, const char *value,
		       struct object_set *set)
{
	struct object_sysctl *s = object_set_add(set, OBJECT_SYSCTL)->sysctl;

	snprintf(s->path, sizeof(s->path), "net/%s/conf/%s/%s", family, device, name);
	snprintf(s->value, sizeof(s->value), "%s", value);
}

static bool has_forwarding(const char *device, const struct object_set *set)
{
	_cleanup_free_ char *path = xasprintf("net/ipv4/conf/%s/forwarding", device);

	array_foreach(&set->o, o) {
		if (o->kind == OBJECT_SYSCTL && streq(o->sysctl->path, path))
			return true;
	}
	return false;
}

/* The uplink can be any device, even one that is in the set already; of others there is one. */
void wire_add_forwarding(const struct intent *intent, const char *device, struct object_set *set)
{
	const char *uplink = wire_uplink(intent);

	if (!wire_carries(intent, AF_INET) ||
	    (uplink && streq(device, uplink) && has_forwarding(device, set)))
		return;
	add_sysctl("ipv4", device, "forwarding", "1", set);
}

void wire_set_ipv6(const struct intent *intent, const char *device, struct object_set *set)
{
	if (!intent->no_ipv6)
		add_sysctl("ipv6", device, "disable_ipv6",
			   wire_carries(intent, AF_INET6) ? "0" : "1", set);
}

/*
 * IPv6 is forwarded by a host or it is not, per device there is no such setting (6.17 brings
 * one). What has to go on not being forwarded the guard drops. And a router hears no
 * advertisements of other routers: the kernel takes the default routes that it learned so
 * out in the moment it becomes one, but those of devices with accept_ra=2.
 */
static void add_ipv6_forwarding(const struct intent *intent, struct object_set *set)
{
	if (!wire_carries(intent, AF_INET6))
		return;
	for (size_t i = 0; i < intent->n_advertised; i++)
		add_sysctl("ipv6", intent->advertised[i].name, "accept_ra", "2", set);
	add_sysctl("ipv6", "all", "forwarding", "1", set);
	/* our addresses are unique by allocation; the link-local one is needed at once */
	add_sysctl("ipv6", intent->config->bridge, "accept_dad", "0", set);
}

/*
 * The bridge's hardware address: fixed, because a bridge else takes the
 * lowest of its ports', and every container that comes or goes would make the
 * others look for their gateway anew (measured: half of the packets lost).
 */
static void bridge_mac(const struct snapshot *s, uint8_t ret[static SN_MAC_SIZE])
{
	_cleanup_free_ char *who = xasprintf("bridge %s %s", s->mesh_id, s->self_id);
	uint64_t h = object_hash(who, strlen(who));

	for (int i = 0; i < SN_MAC_SIZE; i++)
		ret[i] = (uint8_t)(h >> (8 * i));
	ret[0] = (ret[0] & 0xfc) | 0x02; /* locally administered, one station */
}

struct object_link *wire_add_link(const char *name, enum link_kind kind, int mtu,
				  struct object_set *set)
{
	struct object_link *l = object_set_add(set, OBJECT_LINK)->link;

	snprintf(l->name, sizeof(l->name), "%s", name);
	l->kind = kind;
	l->mtu = mtu;
	l->up = true;
	return l;
}

static void add_veth(const struct intent *intent, const struct attachment *a, int mtu,
		     struct object_set *set)
{
	struct object_link *l = wire_add_link(a->veth, LINK_VETH, mtu, set);

	snprintf(l->master, sizeof(l->master), "%s", intent->config->bridge);
	snprintf(l->alias, sizeof(l->alias), "sennit:%s:attachment:%s", intent->snapshot->mesh_id,
		 a->id);
}

static void add_address(const char *device, const struct sn_addr *addr, uint8_t len,
			struct object_set *set)
{
	struct object_address *a = &object_set_add(set, OBJECT_ADDRESS)->address;

	snprintf(a->ifname, sizeof(a->ifname), "%s", device);
	a->addr = (struct sn_prefix){ .addr = *addr, .len = len };
}

/* The gateway of each own subnet is the bridge. */
static void add_addresses(const struct intent *intent, struct object_set *set)
{
	const struct host *self = snapshot_self(intent->snapshot);
	const char *bridge = intent->config->bridge;
	const struct sn_addr none = { 0 };

	wire_foreach_own(intent, p) {
		const struct sn_addr *own = host_overlay_ip(self, p->addr.family);
		struct sn_addr gateway = sn_prefix_gateway(p, own ? own : &none);

		if (sn_addr_is_set(&gateway))
			add_address(bridge, &gateway, p->len, set);
		else if (sn_prefix_is_single(p))
			/* a container's: no subnet leads to it */
			wire_add_route(intent, p, bridge, set);
	}
}

static void add_rule(const struct intent *intent, const char *direction, const char *match,
		     struct object_set *set)
{
	struct object_rule *r = object_set_add(set, OBJECT_RULE)->rule;

	snprintf(r->tag, sizeof(r->tag), "sennit:%s:%s:%s", intent->snapshot->mesh_id, direction,
		 intent->config->bridge);
	snprintf(r->text, sizeof(r->text), "%s \"%s\" counter accept", match,
		 intent->config->bridge);
}

/*
 * Docker drops what is forwarded and not its own, and bridged packets with it. What of
 * ours may pass the guard decides, which sees every packet all the same.
 */
static void add_docker_user(const struct intent *intent, struct object_set *set)
{
	/* its rules for IPv6 stand in another table */
	if (!intent->docker_user || !wire_carries(intent, AF_INET))
		return;
	add_rule(intent, "from", "iifname", set);
	add_rule(intent, "to", "oifname", set);
}

void wire_add_bridge(const struct intent *intent, int mtu, struct object_set *set)
{
	const char *bridge = intent->config->bridge, *uplink = wire_uplink(intent);
	struct object_link *l = wire_add_link(bridge, LINK_BRIDGE, mtu, set);

	l->has_mac = true;
	bridge_mac(intent->snapshot, l->mac);
	l->group = SENNIT_GROUP_BRIDGE;
	snprintf(l->alias, sizeof(l->alias), "sennit:%s:bridge", intent->snapshot->mesh_id);
	add_addresses(intent, set);
	add_docker_user(intent, set);
	wire_add_forwarding(intent, bridge, set);
	wire_set_ipv6(intent, bridge, set);
	add_ipv6_forwarding(intent, set);
	if (uplink)
		wire_add_forwarding(intent, uplink, set);
	for (size_t i = 0; i < intent->n_attachments; i++) {
		if (intent->attachments[i].ready)
			add_veth(intent, &intent->attachments[i], mtu, set);
	}
}
