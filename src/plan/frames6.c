/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbour discovery (RFC 4861) is ICMPv6, so a packet with a good source may still claim
 * another's address by its target, or another's MAC by its option:
 *
 *	bytes of ICMPv6	0	8	24	26
 *			type	target	option	its MAC
 *
 * A solicitation and an advertisement have one option, or none: 24 or 32 bytes behind the
 * IPv6 header. With headers in between, or more options, they end here: no kernel sends them
 * so, but for the search for a double address (RFC 4862), which has no source and is not
 * needed. A container is no router and no DHCPv6 server, and asks neither for one.
 *
 * A link-local source may only be the one that follows from the MAC: a kernel needs it to
 * see whether its gateway is still there.
 *
 * nft 1.0.6 has no words for these fields, and does not compare raw ones with typed ones,
 * hence one set for each. It writes what it reads there as numbers, and elements as it does
 * those of the set of containers: ordered from their last byte (plan/guard.c).
 */
#include "plan/frames6.h"

#include <inttypes.h>
#include <stdio.h>

struct sn_addr frames6_link_local(const uint8_t mac[static SN_MAC_SIZE])
{
	return (struct sn_addr){ AF_INET6,
				 { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff,
				   0xfe, mac[3], mac[4], mac[5] } };
}

/* What may stand in a frame of this veth. */
struct holder {
	char veth[IFNAMSIZ];
	uint8_t mac[SN_MAC_SIZE];
	struct sn_addr ip;
};

struct holders {
	ARRAY(struct holder) v;
};

static int cmp_from_the_end(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	while (size-- > 0) {
		if (x[size] != y[size])
			return x[size] < y[size] ? -1 : 1;
	}
	return 0;
}

static int cmp_macs(const void *pa, const void *pb)
{
	const struct holder *a = pa, *b = pb;
	int c = cmp_from_the_end(a->mac, b->mac, sizeof(a->mac));

	return c ? c : cmp_from_the_end(a->veth, b->veth, sizeof(a->veth));
}

static int cmp_holders(const void *pa, const void *pb)
{
	const struct holder *a = pa, *b = pb;
	int c = cmp_from_the_end(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));

	return c ? c : cmp_macs(a, b);
}

static void add_holder(const struct attachment *a, const struct sn_addr *ip, struct holders *ret)
{
	struct holder *h = array_add(&ret->v);

	snprintf(h->veth, sizeof(h->veth), "%s", a->veth);
	memcpy(h->mac, a->mac, sizeof(h->mac));
	h->ip = *ip;
}

/* One of each container, with its own address or its link-local one. */
static void collect(const struct intent *intent, bool own, bool local, struct holders *ret)
{
	for (size_t i = 0; i < intent->n_attachments; i++) {
		const struct attachment *a = &intent->attachments[i];
		const struct sn_prefix *addr = sn_prefix_pair_get(&a->addr, AF_INET6);
		struct sn_addr link_local = frames6_link_local(a->mac);

		if (!a->ready || !addr)
			continue;
		if (own)
			add_holder(a, &addr->addr, ret);
		if (local)
			add_holder(a, &link_local, ret);
	}
}

static void add_source(const struct holder *h, struct strbuf *b)
{
	strbuf_addf(b, "\"%s\" . %02x:%02x:%02x:%02x:%02x:%02x . %s", h->veth, h->mac[0], h->mac[1],
		    h->mac[2], h->mac[3], h->mac[4], h->mac[5], SN_ADDR_STR(&h->ip));
}

/* A number of so many bytes, without leading zeros. */
static void add_number(const uint8_t *bytes, size_t n, struct strbuf *b)
{
	size_t i = 0;

	while (i + 1 < n && !bytes[i])
		i++;
	strbuf_addf(b, "0x%x", bytes[i]);
	while (++i < n)
		strbuf_addf(b, "%02x", bytes[i]);
}

static void add_target(const struct holder *h, struct strbuf *b)
{
	strbuf_addf(b, "\"%s\" . ", h->veth);
	add_number(h->ip.bytes, sizeof(h->ip.bytes), b);
}

static void add_mac(const struct holder *h, struct strbuf *b)
{
	strbuf_addf(b, "\"%s\" . ", h->veth);
	add_number(h->mac, sizeof(h->mac), b);
}

static void add_set(const char *name, const char *type, const struct holders *holders,
		    void (*add)(const struct holder *, struct strbuf *), struct strbuf *b)
{
	strbuf_addf(b, "\tset %s {\n\t\t%s\n", name, type);
	array_foreach(&holders->v, h) {
		strbuf_adds(b, h == holders->v.v ? "\t\telements = { " : ",\n\t\t\t     ");
		add(h, b);
	}
	strbuf_adds(b, holders->v.n ? " }\n\t}\n" : "\t}\n");
}

void frames6_add_sets(const struct intent *intent, struct strbuf *b)
{
	struct holders addresses = { 0 }, macs = { 0 };

	collect(intent, true, true, &addresses);
	array_sort(&addresses.v, cmp_holders);
	collect(intent, true, false, &macs);
	array_sort(&macs.v, cmp_macs);
	add_set("sources6", "type ifname . ether_addr . ipv6_addr", &addresses, add_source, b);
	strbuf_adds(b, "\n");
	add_set("targets6", "typeof iifname . @th,64,128", &addresses, add_target, b);
	strbuf_adds(b, "\n");
	add_set("macs6", "typeof iifname . @th,208,48", &macs, add_mac, b);
	array_free(&addresses.v);
	array_free(&macs.v);
}

void frames6_add_chains(bool alone, struct strbuf *b)
{
	strbuf_addf(b, "\n\tchain container%s {\n", alone ? "" : "6");
	/* what nft asks next may be behind a VLAN tag */
	if (alone)
		strbuf_adds(b, "\t\tether type != ip6 drop\n");
	strbuf_adds(b, "\t\tiifname . ether saddr . ip6 saddr != @sources6 drop\n"
		       "\t\ticmpv6 type nd-neighbor-solicit goto solicitation\n"
		       "\t\ticmpv6 type nd-neighbor-advert goto advertisement\n"
		       "\t\ticmpv6 type { mld-listener-query, nd-router-solicit, "
		       "nd-router-advert, nd-redirect } drop\n"
		       "\t\tudp sport 547 drop\n"
		       "\t\taccept\n"
		       "\t}\n"
		       "\n\tchain solicitation {\n"
		       "\t\tip6 length 24 accept\n"
		       "\t\tip6 length 32 @th,192,16 0x101 iifname . @th,208,48 @macs6 accept\n"
		       "\t\tdrop\n"
		       "\t}\n"
		       "\n\tchain advertisement {\n"
		       "\t\tiifname . @th,64,128 != @targets6 drop\n"
		       "\t\tip6 length 24 accept\n"
		       "\t\tip6 length 32 @th,192,16 0x201 iifname . @th,208,48 @macs6 accept\n"
		       "\t\tdrop\n"
		       "\t}\n");
}
