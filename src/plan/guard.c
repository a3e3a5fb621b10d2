/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every table is written exactly as `nft -s list table` of nftables 1.0.6
 * prints it, so that what the kernel has is compared as text. The listing
 * follows rules of its own, which test_guard_roundtrip.c holds against the
 * real thing:
 *  - elements of the interval set of prefixes: ascending, two in a line (IPv6: one);
 *  - elements of the set of containers: one in a line, ordered by their
 *    bytes read as one little-endian number, so that the last byte of the
 *    address counts most; a set of device names would be ordered likewise,
 *    that is why there is none;
 *  - no rule states what nft implies by itself (`ether type ip`).
 *
 * "accept" ends our own chain only, other tables still see the packet;
 * "drop" is final. So nobody can open what is closed here, and we close
 * nothing to others but what is written.
 *
 * Every packet pays for every expression on its way, a name of a device or a
 * look-up in a set several times what a comparison of addresses costs: what
 * containers and tunnels exchange comes first in each chain and meets as few
 * as can be (test/bench/kernel.py counts them).
 *
 * Priorities: prerouting before connection tracking (raw); postrouting after
 * source NAT (300), where a masqueraded packet has no overlay source any more.
 */
#include "plan/guard.h"

#include "plan/frames6.h"
#include "plan/tunnel.h"
#include "plan/wire.h"

#include <inttypes.h>
#include <stdio.h>

#define CHAIN_END "\t}\n"
/* "group 4294967295", or "name" and a name in quotes. */
#define DEVICE_WORDS (IFNAMSIZ + 8)

/* Of one overlay, in nft's words. */
struct guard_family {
	const char *ip; /* "ip" or "ip6" */
	char overlay[SN_PREFIX_STRLEN];
	char own[SN_PREFIX_STRLEN]; /* this host's prefixes */
};

/* What the rules of the host's table are made of; devices are in nft's words. */
struct guard {
	const struct intent *intent;
	const struct guard_tunnel *tunnel;
	struct guard_family family[SN_FAMILIES];
	size_t n_families;
	/* "group 1936613890", "name \"ipsec0\"": after "iif" and "oif" */
	char bridge[DEVICE_WORDS], devices[DEVICE_WORDS];
	struct strbuf *b;
};

#define each_family(g, f)                                                                          \
	for (const struct guard_family *f = (g)->family; f < (g)->family + (g)->n_families; f++)

/* An empty line before all but a table's first. */
static void title(struct strbuf *b, const char *what, const char *name)
{
	const char *before = strbuf_str(b);
	bool first = streq(strrchr(before, '{'), "{\n");

	strbuf_addf(b, "%s\t%s %s {\n", first ? "" : "\n", what, name);
}

static void chain_title(struct strbuf *b, const char *name)
{
	title(b, "chain", name);
}

static void chain_begin(struct strbuf *b, const char *name, const char *type, const char *hook,
			const char *priority)
{
	chain_title(b, name);
	strbuf_addf(b, "\t\ttype %s hook %s priority %s; policy accept;\n", type, hook, priority);
}

#define RULE(g, fmt, ...) strbuf_addf((g)->b, "\t\t" fmt "\n", ##__VA_ARGS__)

static const char *prefix_text(const struct sn_prefix *p, char buf[static SN_PREFIX_STRLEN])
{
	return sn_prefix_is_single(p) ? sn_addr_format(&p->addr, buf) : sn_prefix_format(p, buf);
}

/* This host's prefixes of a family. */
static const struct sn_prefix *next_own(const struct guard *g, uint8_t family,
					const struct sn_prefix *after)
{
	do
		after = wire_next_own(g->intent, after);
	while (after && after->addr.family != family);
	return after;
}

/*
 * This host's prefixes: a set, for the flat plan can have many. Where there is one, as on most
 * hosts, it is compared by itself, which costs a fifth of a look-up.
 */
static void add_own(struct guard *g, struct guard_family *f, uint8_t family)
{
	const struct sn_prefix *first = next_own(g, family, NULL);
	const char *name = f == g->family ? "own" : "own6";
	bool v6 = family == AF_INET6;
	char text[SN_PREFIX_STRLEN];
	size_t n = 0;

	if (first && !next_own(g, family, first)) {
		prefix_text(first, f->own);
		return;
	}
	snprintf(f->own, sizeof(f->own), "@%s", name);
	title(g->b, "set", name);
	strbuf_addf(g->b, "\t\ttype ipv%c_addr\n\t\tflags interval\n", v6 ? '6' : '4');
	for (const struct sn_prefix *p = first; p; p = next_own(g, family, p)) {
		strbuf_adds(g->b, n == 0         ? "\t\telements = { "
				  : n % 2 && !v6 ? ", "
						 : ",\n\t\t\t     ");
		strbuf_adds(g->b, prefix_text(p, text));
		n++;
	}
	strbuf_adds(g->b, n ? " }\n\t}\n" : "\t}\n");
}

/*
 * Masquerading has the kernel track every connection, for a twelfth of the price of a packet's
 * whole way from a container into a tunnel. Of what is not masqueraded only rules of others can
 * want that: to translate addresses (published ports, Kubernetes' services), or to let answers
 * pass. Where there are none it is not tracked.
 */
static bool untracked(const struct intent *intent)
{
	return intent->config->masquerade && intent->alone;
}

/*
 * The tunnels' own packets: ESP, and UDP of charon's port with ESP in it. Nothing else comes to
 * that port or leaves by it: no connection of a container's gets it, see add_srcnat().
 */
static void add_notrack_esp(struct guard *g, const char *port)
{
	RULE(g, "meta l4proto esp notrack accept");
	RULE(g, "udp %s 4500 notrack", port);
}

/*
 * Of a peer's own sources only. Where its device says who it is, the way back to them has to lead
 * there: so they are no others', nor ours.
 */
static void add_from_tunnel(struct guard *g)
{
	const char *notrack = untracked(g->intent) ? "notrack " : "";

	chain_title(g->b, "from_tunnel");
	each_family(g, f) {
		if (g->tunnel->kernel_esp)
			RULE(g, "%s saddr %s %s daddr %s fib saddr . iif oif exists %saccept",
			     f->ip, f->overlay, f->ip, f->own, notrack);
		else
			RULE(g, "%s saddr %s %s saddr != %s %s daddr %s %saccept", f->ip,
			     f->overlay, f->ip, f->own, f->ip, f->own, notrack);
	}
	RULE(g, "drop");
	strbuf_adds(g->b, CHAIN_END);
}

/* What comes in: from containers and tunnels their own only, from elsewhere no overlay at all. */
static void add_prerouting(struct guard *g)
{
	chain_begin(g->b, "prerouting", "filter", "prerouting", "raw");
	RULE(g, "iif%s goto from_container", g->bridge);
	RULE(g, "iif%s goto from_tunnel", g->devices);
	RULE(g, "iif \"lo\" accept");
	each_family(g, f) {
		RULE(g, "%s saddr %s drop", f->ip, f->overlay);
		RULE(g, "%s daddr %s drop", f->ip, f->overlay);
	}
	if (untracked(g->intent))
		add_notrack_esp(g, "dport");
	strbuf_adds(g->b, CHAIN_END);

	chain_title(g->b, "from_container");
	each_family(g, f) {
		if (untracked(g->intent))
			RULE(g, "%s saddr %s %s daddr %s notrack accept", f->ip, f->own, f->ip,
			     f->overlay);
		RULE(g, "%s saddr %s accept", f->ip, f->own);
	}
	/* neighbours of ours: what may stand in it the bridge's table has seen to */
	if (wire_carries(g->intent, AF_INET6))
		RULE(g, "ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-solicit, "
			"nd-neighbor-advert } accept");
	RULE(g, "drop");
	strbuf_adds(g->b, CHAIN_END);

	add_from_tunnel(g);
}

/* True when forwarding on the uplink is our doing: for the containers' answers only. */
static bool uplink_is_ours(const struct intent *intent)
{
	return wire_uplink(intent) && !intent->uplink_forwarding && wire_carries(intent, AF_INET);
}

/* The same of IPv6, which all devices forward or none. */
static bool ipv6_is_ours(const struct intent *intent)
{
	return wire_carries(intent, AF_INET6) && !intent->ipv6_forwarding;
}

/*
 * What a bridge of others carries from port to port br_netfilter shows as forwarded, from the
 * bridge to the bridge. It is none of ours, whether the host forwards or not.
 */
static void add_foreign_bridges(struct guard *g)
{
	const struct intent_foreign *foreign = g->intent->foreign;

	for (size_t i = 0; foreign && i < foreign->n_bridges; i++) {
		const char *name = foreign->bridges[i].name;

		if (wire_name_is_plain(name))
			RULE(g, "iifname \"%s\" oifname \"%s\" accept", name, name);
	}
}

/* What passes through: containers and tunnels, and with masquerade containers to the outside. */
static void add_forward(struct guard *g)
{
	const struct config *config = g->intent->config;

	chain_begin(g->b, "forward", "filter", "forward", "filter");
	RULE(g, "iif%s oif%s goto into_tunnel", g->bridge, g->devices);
	RULE(g, "oif%s drop", g->devices);
	RULE(g, "iif%s oif%s accept", g->devices, g->bridge);
	RULE(g, "iif%s drop", g->devices);
	/* bridged packets, where br_netfilter shows them here */
	RULE(g, "iif%s oif%s accept", g->bridge, g->bridge);
	/* behind this host's address it would be for whose ESP comes back, see add_srcnat() */
	if (config->masquerade)
		RULE(g, "iif%s meta l4proto esp drop", g->bridge);
	RULE(g, "iif%s %s", g->bridge, config->masquerade ? "accept" : "drop");
	if (config->masquerade)
		RULE(g, "oif%s ct state established,related accept", g->bridge);
	RULE(g, "oif%s drop", g->bridge);
	if (uplink_is_ours(g->intent) || ipv6_is_ours(g->intent))
		add_foreign_bridges(g);
	/* forwarding IPv6 may be the host's own all the same */
	if (uplink_is_ours(g->intent))
		RULE(g, "meta nfproto ipv4 iifname \"%s\" drop", wire_uplink(g->intent));
	if (ipv6_is_ours(g->intent))
		RULE(g, "meta nfproto ipv6 drop");
	strbuf_adds(g->b, CHAIN_END);

	chain_title(g->b, "into_tunnel");
	/* `rt mtu` is what the path to the peer carries, as far as the kernel has learned it */
	RULE(g, "tcp flags syn / syn,rst tcp option maxseg size set rt mtu");
	RULE(g, "accept");
	strbuf_adds(g->b, CHAIN_END);
}

static void add_output(struct guard *g)
{
	chain_begin(g->b, "output", "filter", "output", "raw");
	add_notrack_esp(g, "sport");
	strbuf_adds(g->b, CHAIN_END);
}

/*
 * A container's UDP must not leave by a port of charon's: what a peer sends to that one would be
 * taken for its answers, and charon hear nothing of the peer.
 */
static void add_srcnat(struct guard *g)
{
	chain_begin(g->b, "srcnat", "nat", "postrouting", "srcnat");
	RULE(g, "oif%s return", g->devices);
	RULE(g, "oif%s return", g->bridge);
	RULE(g, "oif \"lo\" return");
	each_family(g, f) {
		RULE(g, "%s saddr %s %s daddr != %s meta l4proto udp masquerade to :5000-65535",
		     f->ip, f->own, f->ip, f->overlay);
		RULE(g, "%s saddr %s %s daddr != %s masquerade", f->ip, f->own, f->ip, f->overlay);
	}
	strbuf_adds(g->b, CHAIN_END);
}

/*
 * What leaves: nothing of the overlay in clear, nothing but the overlay into a tunnel. Where
 * the kernel encrypts, a packet comes here three times: on its way to the tunnel's device, to
 * the underlay's with its encryption ahead (`rt ipsec`), and as ESP.
 */
static void add_postrouting(struct guard *g)
{
	chain_begin(g->b, "postrouting", "filter", "postrouting", "300");
	RULE(g, "oif%s goto to_tunnel", g->devices);
	if (g->tunnel->kernel_esp)
		RULE(g, "rt ipsec exists accept");
	each_family(g, f)
		RULE(g, "%s saddr != %s %s daddr != %s accept", f->ip, f->overlay, f->ip,
		     f->overlay);
	RULE(g, "oif%s accept", g->bridge);
	RULE(g, "oif \"lo\" accept");
	each_family(g, f) {
		RULE(g, "%s saddr %s drop", f->ip, f->overlay);
		RULE(g, "%s daddr %s drop", f->ip, f->overlay);
	}
	strbuf_adds(g->b, CHAIN_END);

	chain_title(g->b, "to_tunnel");
	each_family(g, f)
		RULE(g, "%s saddr %s %s daddr %s accept", f->ip, f->own, f->ip, f->overlay);
	RULE(g, "drop");
	strbuf_adds(g->b, CHAIN_END);
}

static void add_families(struct guard *g)
{
	sn_prefix_pair_foreach(&g->intent->snapshot->overlay, overlay) {
		struct guard_family *f = &g->family[g->n_families];

		if (!wire_carries(g->intent, overlay->addr.family))
			continue;
		g->n_families++;
		f->ip = overlay->addr.family == AF_INET6 ? "ip6" : "ip";
		prefix_text(overlay, f->overlay);
		add_own(g, f, overlay->addr.family);
	}
}

static void host_table(const struct intent *intent, const struct guard_tunnel *tunnel,
		       struct strbuf *b)
{
	struct guard g = { .intent = intent, .tunnel = tunnel, .b = b };

	snprintf(g.bridge, DEVICE_WORDS, "group %u", SENNIT_GROUP_BRIDGE);
	if (tunnel->group)
		snprintf(g.devices, DEVICE_WORDS, "group %" PRIu32, tunnel->group);
	else
		snprintf(g.devices, DEVICE_WORDS, "name \"%s\"", tunnel->device);
	strbuf_adds(b, "table inet sennit {\n");
	add_families(&g);
	add_prerouting(&g);
	add_forward(&g);
	if (untracked(intent))
		add_output(&g);
	if (intent->config->masquerade)
		add_srcnat(&g);
	add_postrouting(&g);
	strbuf_adds(b, "}\n");
}

/* An element of the set of containers: what may stand in a frame of this veth. */
struct holder {
	char veth[IFNAMSIZ];
	uint8_t mac[SN_MAC_SIZE];
	uint8_t ip[4];
};

struct holders {
	ARRAY(struct holder) v;
};

static int cmp_bytes_from_the_end(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	while (size-- > 0) {
		if (x[size] != y[size])
			return x[size] < y[size] ? -1 : 1;
	}
	return 0;
}

static int cmp_holders(const void *pa, const void *pb)
{
	const struct holder *a = pa, *b = pb;
	int c = cmp_bytes_from_the_end(a->ip, b->ip, sizeof(a->ip));

	if (!c)
		c = cmp_bytes_from_the_end(a->mac, b->mac, sizeof(a->mac));
	return c ? c : cmp_bytes_from_the_end(a->veth, b->veth, sizeof(a->veth));
}

static void add_holder(const struct holder *h, struct strbuf *b)
{
	strbuf_addf(b, "\"%s\" . %02x:%02x:%02x:%02x:%02x:%02x . %u.%u.%u.%u", h->veth, h->mac[0],
		    h->mac[1], h->mac[2], h->mac[3], h->mac[4], h->mac[5], h->ip[0], h->ip[1],
		    h->ip[2], h->ip[3]);
}

/* nft writes what it reads by place as numbers. */
static void add_frame(const struct holder *h, struct strbuf *b)
{
	uint64_t mac_type = 0;
	uint32_t ip = 0;

	for (size_t i = 0; i < SN_MAC_SIZE; i++)
		mac_type = mac_type << 8 | h->mac[i];
	for (size_t i = 0; i < sizeof(h->ip); i++)
		ip = ip << 8 | h->ip[i];
	strbuf_addf(b, "\"%s\" . 0x%" PRIx64 " . 0x%" PRIx32, h->veth, mac_type << 16 | 0x0800, ip);
}

static void add_holders(const char *name, const char *type, const struct holders *holders,
			void (*add)(const struct holder *, struct strbuf *), struct strbuf *b)
{
	title(b, "set", name);
	strbuf_addf(b, "\t\t%s\n", type);
	array_foreach(&holders->v, h) {
		strbuf_adds(b, h == holders->v.v ? "\t\telements = { " : ",\n\t\t\t     ");
		add(h, b);
	}
	strbuf_adds(b, holders->v.n ? " }\n\t}\n" : "\t}\n");
}

static void add_containers(const struct intent *intent, struct strbuf *b)
{
	struct holders holders = { 0 };

	for (size_t i = 0; i < intent->n_attachments; i++) {
		const struct attachment *a = &intent->attachments[i];
		const struct sn_prefix *addr = sn_prefix_pair_get(&a->addr, AF_INET);
		struct holder *h;

		if (!a->ready || !addr)
			continue;
		h = array_add(&holders.v);
		snprintf(h->veth, sizeof(h->veth), "%s", a->veth);
		memcpy(h->mac, a->mac, sizeof(h->mac));
		memcpy(h->ip, addr->addr.bytes, sizeof(h->ip));
	}
	array_sort(&holders.v, cmp_holders);
	add_holders("frames", "typeof iifname . @ll,48,64 . @nh,96,32", &holders, add_frame, b);
	add_holders("containers", "type ifname . ether_addr . ipv4_addr", &holders, add_holder, b);
	array_free(&holders.v);
}

/*
 * IPv4 and ARP with the veth's own addresses pass; so does the probe for a
 * double address (RFC 5227), which has no sender address yet. Everything else
 * ends here: VLAN tags, other types.
 *
 * IPv4 is nearly all there is, and one look-up decides it: by the frame's
 * source and type, which are one field of eight bytes then, and by the place
 * of the source address. With words nft would first ask `meta protocol`, which
 * the kernel answers for what is behind a VLAN tag. (Of ARP it asks the
 * frame's own type.)
 */
static void add_accept_ipv4(struct strbuf *b)
{
	strbuf_adds(b, "\t\tiifname . @ll,48,64 . @nh,96,32 @frames accept\n");
}

/* v6: beside an overlay of IPv6, whose frames have a chain of their own. */
static void add_others4(bool v6, struct strbuf *b)
{
	chain_title(b, "container");
	if (v6)
		strbuf_adds(b, "\t\tether type ip6 goto container6\n");
	strbuf_adds(b, "\t\tiifname . ether saddr . arp saddr ip @containers "
		       "iifname . arp saddr ether . arp saddr ip @containers accept\n");
	strbuf_adds(b, "\t\tarp operation request arp saddr ip 0.0.0.0 "
		       "iifname . ether saddr . arp daddr ip @containers "
		       "iifname . arp saddr ether . arp daddr ip @containers accept\n");
	strbuf_adds(b, "\t\tdrop\n" CHAIN_END);
}

static void bridge_table(const struct intent *intent, struct strbuf *b)
{
	bool v4 = wire_carries(intent, AF_INET), v6 = wire_carries(intent, AF_INET6);

	strbuf_adds(b, "table bridge sennit {\n");
	if (v4)
		add_containers(intent, b);
	if (v4 && v6)
		strbuf_addc(b, '\n');
	if (v6)
		frames6_add_sets(intent, b);
	chain_begin(b, "prerouting", "filter", "prerouting", "dstnat");
	if (v4)
		add_accept_ipv4(b);
	strbuf_addf(b, "\t\tiifname \"%s*\" goto container\n", WIRE_VETH_PREFIX);
	strbuf_adds(b, CHAIN_END);
	if (v4)
		add_others4(v6, b);
	if (v6)
		frames6_add_chains(!v4, b);
	strbuf_adds(b, "}\n");
}

static struct object_nft *add_table(struct object_set *set, const char *family)
{
	struct object_nft *t = &object_set_add(set, OBJECT_NFT)->nft;

	snprintf(t->family, sizeof(t->family), "%s", family);
	snprintf(t->name, sizeof(t->name), "sennit");
	return t;
}

void guard_add_tables(const struct intent *intent, const struct guard_tunnel *tunnel,
		      struct object_set *set)
{
	struct strbuf host = STRBUF_INIT, bridge = STRBUF_INIT;

	host_table(intent, tunnel, &host);
	bridge_table(intent, &bridge);
	add_table(set, "inet")->text = strbuf_steal(&host);
	add_table(set, "bridge")->text = strbuf_steal(&bridge);
}

void guard_add_remarks(const struct intent *intent, struct wanted *w)
{
	const struct intent_foreign *foreign = intent->foreign;

	for (size_t i = 0; foreign && i < foreign->n_in_our_groups; i++) {
		const char *name = foreign->in_our_groups[i].name;

		tunnel_remark(w,
			      "%s is not ours, but in a link group of ours: the guard takes it for "
			      "our bridge or a tunnel; ip link set %s group default",
			      name, name);
	}
}
