/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ESP in the kernel: an XFRM interface per peer, which an if_id ties to that
 * peer's SAs. Selectors are 0.0.0.0/0 or ::/0; which peer gets a packet is a matter
 * of routes alone, so single addresses are carried like subnets and IKE never
 * hears of a container.
 *
 *  - What the selectors leave open, the guard closes: a peer's source must be
 *    one that we would reach through the same interface, and a packet from a
 *    tunnel goes to the bridge or nowhere. rp_filter cannot do that here, the
 *    kernel leaves it out for packets that came by ESP.
 *  - An interface needs no underlay device, so it knows no MTU of its own; it
 *    has that of the containers (plan/mtu.h), and nothing is fragmented.
 *  - A peer keeps its number while it is a peer, whoever else comes or goes.
 */
#include "plan/dataplane.h"
#include "plan/guard.h"
#include "plan/mtu.h"
#include "plan/stand_in.h"
#include "plan/tunnel.h"
#include "plan/wire.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_MTU 65535
#define REPLAY_WINDOW 1024

static const struct guard_tunnel guard_tunnel = {
	.group = SENNIT_GROUP_TUNNEL,
	.kernel_esp = true,
};

/* Those given so far, then the new peers. */
static void number_peers(const struct intent *intent, struct if_ids *ret)
{
	const struct snapshot *s = intent->snapshot;

	if (intent->if_ids)
		if_ids_copy(intent->if_ids, ret);
	array_foreach(&s->hosts, h) {
		if (tunnel_is_peer(s, h))
			if_ids_give(ret, h->id);
	}
}

static void add_link(const struct intent *intent, const struct host *peer, const char *device,
		     uint32_t if_id, int mtu, struct object_set *set)
{
	struct object_link *l = wire_add_link(device, LINK_XFRM, mtu, set);

	l->if_id = if_id;
	l->group = SENNIT_GROUP_TUNNEL;
	snprintf(l->alias, sizeof(l->alias), "sennit:%s:peer:%s", intent->snapshot->mesh_id,
		 peer->id);
	wire_add_forwarding(intent, device, set);
	wire_set_ipv6(intent, device, set);
}

static void add_conn(const struct intent *intent, const struct host *peer, uint32_t if_id,
		     struct wanted *w)
{
	struct object_ike_conn *c = tunnel_add_conn(intent, peer, w);

	if (!c)
		return;
	sn_prefix_pair_foreach(&intent->snapshot->overlay, overlay) {
		const struct sn_prefix all = { .addr = { .family = overlay->addr.family } };

		if (!wire_carries(intent, overlay->addr.family))
			continue;
		*array_add(&c->local_ts) = all;
		*array_add(&c->remote_ts) = all;
	}
	c->if_id = if_id;
	/* the policies of a new charon accept what still comes by the SAs that one left */
	c->reqid = if_id;
	c->esn = true;
	c->replay_window = REPLAY_WINDOW;
	object_conn_seal(c);
	tunnel_add_keys(intent, peer, &w->objects);
}

static void add_peer(const struct intent *intent, const struct host *peer, uint32_t if_id, int mtu,
		     struct wanted *w)
{
	char device[IFNAMSIZ];

	if (!if_id) {
		tunnel_remark(w, "no number is left for peer %s, it gets no tunnel", peer->id);
		return;
	}
	snprintf(device, sizeof(device), WIRE_XFRM_PREFIX "%" PRIu32, if_id);
	tunnel_add_peer(intent, peer, device, if_id, w);
	add_link(intent, peer, device, if_id, mtu, &w->objects);
	add_conn(intent, peer, if_id, w);
	wire_foreach_prefix(peer, p)
		tunnel_add_route(intent, p, device, &w->objects);
}

static void want_guard(const struct intent *intent, struct wanted *ret)
{
	memset(ret, 0, sizeof(*ret));
	guard_add_tables(intent, &guard_tunnel, &ret->objects);
	wire_add_unreachable(intent, &ret->objects);
	object_set_sort(&ret->objects);
}

static int want(const struct intent *intent, struct wanted *ret, struct sn_error *e)
{
	const struct snapshot *s = intent->snapshot;
	_cleanup_if_ids_ struct if_ids numbers = { 0 };
	int mtu, r = wire_check(intent, e);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	mtu = mtu_of_containers(intent, MAX_MTU, ret);
	guard_add_tables(intent, &guard_tunnel, &ret->objects);
	guard_add_remarks(intent, ret);
	wire_add_remarks(intent, ret);
	stand_in_add_tables(intent, &ret->objects);
	wire_add_unreachable(intent, &ret->objects);
	wire_add_bridge(intent, mtu, &ret->objects);
	number_peers(intent, &numbers);
	array_foreach(&s->hosts, h) {
		if (tunnel_is_peer(s, h))
			add_peer(intent, h, if_ids_find(&numbers, h->id), mtu, ret);
	}
	object_set_sort(&ret->objects);
	return 0;
}

const struct dataplane dataplane_xfrm = {
	.name = "xfrm",
	.default_mtu = MTU_UNKNOWN,
	.kernel_esp = true,
	.charon_plugins = "load = random nonce aesni chapoly openssl kdf kernel-netlink "
			  "socket-default vici\n"
			  "install_routes = no\n"
			  /* nor the rule that leads to them: a killed charon would leave it */
			  "routing_table = 0\n"
			  "plugins {\n"
			  "	kernel-netlink {\n"
			  /* charon writes it to /proc: the kernel's own default leaves no trace */
			  "		xfrm_acq_expires = 30\n"
			  "	}\n"
			  "}\n",
	.want = want,
	.want_guard = want_guard,
	.want_route = tunnel_add_route,
};
