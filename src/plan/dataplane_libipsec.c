/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ESP in user space: charon's kernel-libipsec plugin and its one TUN device.
 *
 * What carries a packet to a peer is our route to the TUN, then libipsec's
 * search through its policies: the selectors must be the hosts' subnets, and
 * no two peers' may overlap. Facts behind the oddities, of strongSwan 5.9.8:
 *  - each local selector needs an address of this host inside, else charon
 *    refuses it: single addresses of containers cannot be carried;
 *  - the number of selectors has one byte in IKE, and nobody warns;
 *  - it installs routes of its own in table 220 whatever install_routes says;
 *    a mark that no packet has makes the rule that leads there inert;
 *  - UDP encapsulation is always on; the replay window is 128, without ESN;
 *  - the TUN has an MTU of 1400, and larger packets vanish if it is raised.
 * It fails open by itself: the guard and the unreachable route make it safe.
 */
#include "plan/dataplane.h"
#include "plan/guard.h"
#include "plan/mtu.h"
#include "plan/tunnel.h"
#include "plan/wire.h"

#include <errno.h>

#define DEVICE "ipsec0"
#define MAX_MTU 1400
#define MAX_SELECTORS 255
#define REPLAY_WINDOW 128

#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

static const struct guard_tunnel guard_tunnel = { .device = DEVICE };

#define HOW_TO_HELP                                                                                \
	"the data plane libipsec carries subnets only: give each host one (label "                 \
	"io.rancher.network.per_host_subnet.subnet, or \"prefixes\" in mesh.json), or run a "      \
	"kernel with ESP"

/* Not the single addresses of the flat plan, nor a subnet without an address for its host. */
static bool is_carried(const struct sn_prefix *p)
{
	struct sn_addr usable = sn_prefix_first_usable(p);

	return !sn_prefix_is_single(p) && sn_addr_is_set(&usable);
}

/* i-th prefix of a host; what is not carried is left out the same way on both ends. */
static const struct sn_prefix *next_selector(const struct host *h, const struct sn_prefix *after,
					     size_t i)
{
	if (i >= MAX_SELECTORS)
		return NULL;
	do
		after = wire_next_prefix(h, after);
	while (after && !is_carried(after));
	return after;
}

static bool is_carried_at_all(const struct host *h)
{
	return next_selector(h, NULL, 0) != NULL;
}

/* The first prefix that is not carried, or NULL. */
static const struct sn_prefix *find_stray(const struct host *h)
{
	wire_foreach_prefix(h, p)
		if (!is_carried(p))
			return p;
	return NULL;
}

/* Of another host that cannot be carried only its own tunnel suffers. */
static int check_self(const struct host *self, struct sn_error *e)
{
	const struct sn_prefix *stray = find_stray(self);

	if (!stray || is_carried_at_all(self))
		return 0;
	return sn_error_set(e, -EOPNOTSUPP,
			    "host %s has %s outside of any subnet of its own, and " HOW_TO_HELP,
			    self->id, SN_PREFIX_STR(stray));
}

static int want_mtu(const struct intent *intent, struct wanted *w)
{
	int mtu = intent->config->mtu;

	if (mtu > MAX_MTU)
		tunnel_remark(w, "mtu %d is more than libipsec carries: %d is used", mtu, MAX_MTU);
	return mtu_of_containers(intent, MAX_MTU, w);
}

static size_t count_prefixes(const struct host *h)
{
	size_t n = 0;

	wire_foreach_prefix(h, p)
		n += is_carried(p);
	return n;
}

static void add_selectors(const struct intent *intent, const struct host *peer,
			  struct object_ike_conn *c)
{
	const struct host *self = snapshot_self(intent->snapshot);
	const struct sn_prefix *p = NULL;

	while ((p = next_selector(self, p, c->local_ts.n)))
		if (wire_carries(intent, p->addr.family))
			*array_add(&c->local_ts) = *p;
	while ((p = next_selector(peer, p, c->remote_ts.n)))
		*array_add(&c->remote_ts) = *p;
}

static void add_routes(const struct intent *intent, const struct host *peer, struct wanted *w)
{
	const struct sn_prefix *p = NULL;

	for (size_t i = 0; (p = next_selector(peer, p, i)); i++)
		tunnel_add_route(intent, p, DEVICE, &w->objects);
}

/* Numbers that have been given. */
struct numbers {
	ARRAY(uint32_t) v;
};

static bool is_given(const struct numbers *given, uint32_t number)
{
	array_foreach(&given->v, n)
		if (*n == number)
			return true;
	return false;
}

/*
 * The number by which libipsec finds the SA of a policy. charon's own choice
 * is not unique: a CHILD_SA that DPD restarts keeps the number of the dead one,
 * which another peer may have got meanwhile, and then one's packets go to the
 * other (5.9.8, kernel_interface.c: "we don't require a traffic selector match
 * for explicit reqids"). So each peer has its own for good, from its id.
 */
static uint32_t give_reqid(struct numbers *given, const struct host *peer)
{
	uint32_t number = (uint32_t)object_hash(peer->id, strlen(peer->id)) & INT32_MAX;

	while (number == 0 || is_given(given, number))
		number = (number + 1) & INT32_MAX;
	*array_add(&given->v) = number;
	return number;
}

/* Bits by sn_family_index(): of which it has subnets that are carried. */
static unsigned families_of(const struct host *h)
{
	const struct sn_prefix *p = NULL;
	unsigned bits = 0;

	while ((p = next_selector(h, p, 0)))
		bits |= 1u << sn_family_index(p->addr.family);
	return bits;
}

/* The same of this host, without what its kernel has not. */
static unsigned own_families(const struct intent *intent)
{
	unsigned bits = families_of(snapshot_self(intent->snapshot));

	return wire_carries(intent, AF_INET6) ? bits : bits & ~(1u << sn_family_index(AF_INET6));
}

/* A connection without selectors would mean the underlay addresses: rather none. */
static void add_tunnel(const struct intent *intent, const struct host *peer, struct numbers *given,
		       struct wanted *w)
{
	unsigned own = own_families(intent);
	struct object_ike_conn *c;

	if (!is_carried_at_all(peer) || !own)
		return;
	/* policies are made for pairs of selectors of one family */
	if (!(own & families_of(peer))) {
		tunnel_remark(w,
			      "no tunnel with host %s: its subnets are of the other family than "
			      "this host's",
			      peer->id);
		return;
	}
	c = tunnel_add_conn(intent, peer, w);
	if (!c)
		return;
	c->encap = true;
	c->replay_window = REPLAY_WINDOW;
	c->reqid = give_reqid(given, peer);
	add_selectors(intent, peer, c);
	object_conn_seal(c);
	tunnel_add_keys(intent, peer, &w->objects);
	add_routes(intent, peer, w);
}

static void remark_host(const struct host *h, struct wanted *w)
{
	const struct sn_prefix *stray = find_stray(h);

	if (count_prefixes(h) > MAX_SELECTORS)
		tunnel_remark(w, "host %s has %zu subnets: only the first %d are carried", h->id,
			      count_prefixes(h), MAX_SELECTORS);
	if (stray)
		tunnel_remark(w, "host %s has %s outside of any subnet of its own, which %s: %s",
			      h->id, SN_PREFIX_STR(stray),
			      is_carried_at_all(h) ? "is not carried" : "leaves it no tunnel",
			      HOW_TO_HELP);
}

static void remark_limits(const struct intent *intent, struct wanted *w)
{
	const struct snapshot *s = intent->snapshot;

	tunnel_remark(w,
		      "user space carries ESP (libipsec): the replay window is %d, the MTU at most "
		      "%d, and each packet costs more with every peer",
		      REPLAY_WINDOW, MAX_MTU);
	if (!intent->config->encap)
		tunnel_remark(w, "ike.encap is off, but libipsec always encapsulates in UDP");
	if (snapshot_self(s)->prefixes.n == 0)
		tunnel_remark(w, "this host has no subnet yet: no tunnels");
	array_foreach(&s->hosts, h) {
		if (h->state != HOST_GONE)
			remark_host(h, w);
	}
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
	struct numbers given = { 0 };
	int r = wire_check(intent, e);

	if (r == 0)
		r = check_self(snapshot_self(s), e);
	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	remark_limits(intent, ret);
	guard_add_remarks(intent, ret);
	wire_add_remarks(intent, ret);
	guard_add_tables(intent, &guard_tunnel, &ret->objects);
	wire_add_unreachable(intent, &ret->objects);
	wire_add_bridge(intent, want_mtu(intent, ret), &ret->objects);
	wire_add_link(DEVICE, LINK_TUN, 0, &ret->objects);
	wire_add_forwarding(intent, DEVICE, &ret->objects);
	if (wire_carries(intent, AF_INET6))
		wire_set_ipv6(intent, DEVICE, &ret->objects);
	array_foreach(&s->hosts, h) {
		if (!tunnel_is_peer(s, h))
			continue;
		tunnel_add_peer(intent, h, DEVICE, 0, ret);
		add_tunnel(intent, h, &given, ret);
	}
	array_free(&given.v);
	object_set_sort(&ret->objects);
	return 0;
}

const struct dataplane dataplane_libipsec = {
	.name = "libipsec",
	.default_mtu = MAX_MTU,
	.charon_plugins =
		"load = random nonce aesni chapoly openssl kdf kernel-libipsec "
		"kernel-netlink socket-default vici\n"
		"routing_table = " TEXT_OF(
			SENNIT_CHARON_TABLE) "\n"
					     "routing_table_prio = " TEXT_OF(
						     SENNIT_CHARON_TABLE) "\n"
									  "plugins {\n"
									  "	kernel-netlink {\n"
									  "		fwmark "
									  "= " TEXT_OF(
										  SENNIT_CHARON_MARK) "\n"
												      /* charon writes it to /proc: the kernel's own default leaves no trace */
												      "		xfrm_acq_expires = 30\n"
												      "	}\n"
												      "}\n",
	.want = want,
	.want_guard = want_guard,
};
