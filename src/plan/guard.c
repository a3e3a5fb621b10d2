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
 * Priorities: prerouting before connection tracking (raw); postrouting after
 * source NAT (300), where a masqueraded packet has no overlay source any more.
 */
#include "plan/guard.h"

#include "plan/wire.h"

#include <stdio.h>

#define CHAIN_END "\t}\n"

static const char *ip_word(const struct intent *intent)
{
	return intent->snapshot->overlay.addr.family == AF_INET6 ? "ip6" : "ip";
}

static void chain_begin(struct strbuf *b, const char *name, const char *type, const char *hook,
			const char *priority)
{
	strbuf_addf(b, "\n\tchain %s {\n\t\ttype %s hook %s priority %s; policy accept;\n", name,
		    type, hook, priority);
}

/* This host's prefixes, as a set: the flat plan can have many. */
static void add_own(const struct intent *intent, struct strbuf *b)
{
	const struct host *self = snapshot_self(intent->snapshot);
	bool v6 = intent->snapshot->overlay.addr.family == AF_INET6;
	size_t n = 0;

	strbuf_addf(b, "\tset own {\n\t\ttype ipv%c_addr\n\t\tflags interval\n", v6 ? '6' : '4');
	wire_foreach_prefix(self, p) {
		strbuf_adds(b, n == 0         ? "\t\telements = { "
			       : n % 2 && !v6 ? ", "
					      : ",\n\t\t\t     ");
		strbuf_adds(b, sn_prefix_is_single(p) ? SN_ADDR_STR(&p->addr) : SN_PREFIX_STR(p));
		n++;
	}
	strbuf_adds(b, n ? " }\n\t}\n" : "\t}\n");
}

/* What comes in: from containers and tunnels their own only, from elsewhere no overlay at all. */
static void add_prerouting(const struct intent *intent, const struct guard_tunnel *tunnel,
			   struct strbuf *b)
{
	const char *ip = ip_word(intent), *bridge = intent->config->bridge;
	const struct sn_prefix *overlay = &intent->snapshot->overlay;

	chain_begin(b, "prerouting", "filter", "prerouting", "raw");
	strbuf_adds(b, "\t\tiifname \"lo\" accept\n");
	strbuf_addf(b, "\t\tiifname \"%s\" %s saddr @own accept\n", bridge, ip);
	strbuf_addf(b, "\t\tiifname \"%s\" drop\n", bridge);
	if (tunnel->kernel_esp)
		strbuf_addf(b, "\t\tiifname \"%s\" fib saddr . iif oif missing drop\n",
			    tunnel->devices);
	strbuf_addf(b, "\t\tiifname \"%s\" %s saddr @own drop\n", tunnel->devices, ip);
	strbuf_addf(b, "\t\tiifname \"%s\" %s saddr %s %s daddr @own accept\n", tunnel->devices, ip,
		    SN_PREFIX_STR(overlay), ip);
	strbuf_addf(b, "\t\tiifname \"%s\" drop\n", tunnel->devices);
	strbuf_addf(b, "\t\t%s saddr %s drop\n", ip, SN_PREFIX_STR(overlay));
	strbuf_addf(b, "\t\t%s daddr %s drop\n", ip, SN_PREFIX_STR(overlay));
	strbuf_adds(b, CHAIN_END);
}

/* True when forwarding on the uplink is our doing: for the containers' answers only. */
static bool uplink_is_ours(const struct intent *intent)
{
	return wire_uplink(intent) && !intent->uplink_forwarding;
}

/* What passes through: containers and tunnels, and with masquerade containers to the outside. */
static void add_forward(const struct intent *intent, const struct guard_tunnel *tunnel,
			struct strbuf *b)
{
	const char *bridge = intent->config->bridge, *devices = tunnel->devices;

	chain_begin(b, "forward", "filter", "forward", "filter");
	/* `rt mtu` is what the path to the peer carries, as far as the kernel has learned it */
	strbuf_addf(b,
		    "\t\tiifname \"%s\" oifname \"%s\" tcp flags syn / syn,rst "
		    "tcp option maxseg size set rt mtu\n",
		    bridge, devices);
	strbuf_addf(b, "\t\tiifname \"%s\" oifname \"%s\" accept\n", devices, bridge);
	strbuf_addf(b, "\t\tiifname \"%s\" drop\n", devices);
	strbuf_addf(b, "\t\tiifname \"%s\" oifname \"%s\" accept\n", bridge, devices);
	strbuf_addf(b, "\t\toifname \"%s\" drop\n", devices);
	/* bridged packets, where br_netfilter shows them here */
	strbuf_addf(b, "\t\tiifname \"%s\" oifname \"%s\" accept\n", bridge, bridge);
	strbuf_addf(b, "\t\tiifname \"%s\" %s\n", bridge,
		    intent->config->masquerade ? "accept" : "drop");
	if (intent->config->masquerade)
		strbuf_addf(b, "\t\toifname \"%s\" ct state established,related accept\n", bridge);
	strbuf_addf(b, "\t\toifname \"%s\" drop\n", bridge);
	if (uplink_is_ours(intent))
		strbuf_addf(b, "\t\tiifname \"%s\" drop\n", wire_uplink(intent));
	strbuf_adds(b, CHAIN_END);
}

static void add_srcnat(const struct intent *intent, const struct guard_tunnel *tunnel,
		       struct strbuf *b)
{
	const char *ip = ip_word(intent);

	chain_begin(b, "srcnat", "nat", "postrouting", "srcnat");
	strbuf_addf(b,
		    "\t\t%s saddr @own %s daddr != %s oifname != \"lo\" oifname != \"%s\" "
		    "oifname != \"%s\" masquerade\n",
		    ip, ip, SN_PREFIX_STR(&intent->snapshot->overlay), intent->config->bridge,
		    tunnel->devices);
	strbuf_adds(b, CHAIN_END);
}

/* What leaves: nothing of the overlay in clear, nothing but the overlay into a tunnel. */
static void add_postrouting(const struct intent *intent, const struct guard_tunnel *tunnel,
			    struct strbuf *b)
{
	const struct sn_prefix *overlay = &intent->snapshot->overlay;
	const char *clear = tunnel->kernel_esp ? " rt ipsec missing" : "";
	const char *ip = ip_word(intent);

	chain_begin(b, "postrouting", "filter", "postrouting", "300");
	strbuf_adds(b, "\t\toifname \"lo\" accept\n");
	strbuf_addf(b, "\t\toifname \"%s\" accept\n", intent->config->bridge);
	strbuf_addf(b, "\t\toifname \"%s\" %s saddr @own %s daddr %s accept\n", tunnel->devices, ip,
		    ip, SN_PREFIX_STR(overlay));
	strbuf_addf(b, "\t\toifname \"%s\" drop\n", tunnel->devices);
	strbuf_addf(b, "\t\t%s saddr %s%s drop\n", ip, SN_PREFIX_STR(overlay), clear);
	strbuf_addf(b, "\t\t%s daddr %s%s drop\n", ip, SN_PREFIX_STR(overlay), clear);
	strbuf_adds(b, CHAIN_END);
}

static void host_table(const struct intent *intent, const struct guard_tunnel *tunnel,
		       struct strbuf *b)
{
	strbuf_adds(b, "table inet sennit {\n");
	add_own(intent, b);
	add_prerouting(intent, tunnel, b);
	add_forward(intent, tunnel, b);
	if (intent->config->masquerade)
		add_srcnat(intent, tunnel, b);
	add_postrouting(intent, tunnel, b);
	strbuf_adds(b, "}\n");
}

/* An element of the set of containers: what may stand in a frame of this veth. */
struct holder {
	char veth[IFNAMSIZ];
	uint8_t mac[SN_MAC_SIZE];
	uint8_t ip[4];
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

static void add_containers(const struct intent *intent, struct strbuf *b)
{
	ARRAY(struct holder) holders = { 0 };

	for (size_t i = 0; i < intent->n_attachments; i++) {
		const struct attachment *a = &intent->attachments[i];
		struct holder *h;

		if (!a->ready || a->addr.addr.family != AF_INET)
			continue;
		h = array_add(&holders);
		snprintf(h->veth, sizeof(h->veth), "%s", a->veth);
		memcpy(h->mac, a->mac, sizeof(h->mac));
		memcpy(h->ip, a->addr.addr.bytes, sizeof(h->ip));
	}
	array_sort(&holders, cmp_holders);
	strbuf_adds(b, "\tset containers {\n\t\ttype ifname . ether_addr . ipv4_addr\n");
	array_foreach(&holders, h) {
		strbuf_adds(b, h == holders.v ? "\t\telements = { " : ",\n\t\t\t     ");
		add_holder(h, b);
	}
	strbuf_adds(b, holders.n ? " }\n\t}\n" : "\t}\n");
	array_free(&holders);
}

/*
 * IPv4 and ARP with the veth's own addresses pass; so does the probe for a
 * double address (RFC 5227), which has no sender address yet. Everything else
 * ends here: IPv6, VLAN tags, other types. The first rule looks like what the
 * next ones imply, but nft asks `meta protocol` there, which the kernel
 * answers for what is behind a VLAN tag.
 */
static void bridge_table(const struct intent *intent, struct strbuf *b)
{
	strbuf_adds(b, "table bridge sennit {\n");
	add_containers(intent, b);
	chain_begin(b, "prerouting", "filter", "prerouting", "dstnat");
	strbuf_addf(b, "\t\tiifname \"%s*\" goto container\n", WIRE_VETH_PREFIX);
	strbuf_adds(b, CHAIN_END "\n\tchain container {\n");
	strbuf_adds(b, "\t\tether type != { ip, arp } drop\n");
	strbuf_adds(b, "\t\tiifname . ether saddr . ip saddr @containers accept\n");
	strbuf_adds(b, "\t\tiifname . ether saddr . arp saddr ip @containers "
		       "iifname . arp saddr ether . arp saddr ip @containers accept\n");
	strbuf_adds(b, "\t\tarp operation request arp saddr ip 0.0.0.0 "
		       "iifname . ether saddr . arp daddr ip @containers "
		       "iifname . arp saddr ether . arp daddr ip @containers accept\n");
	strbuf_adds(b, "\t\tdrop\n" CHAIN_END "}\n");
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
