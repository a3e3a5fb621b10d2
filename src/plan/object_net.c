/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of objects that the kernel keeps. */
#include "plan/object_kind.h"

#include <inttypes.h>
#include <linux/rtnetlink.h>

/* --- nftables table ---------------------------------------------------------- */

static int nft_cmp(const struct object *a, const struct object *b)
{
	int c = sn_cmp_str(a->nft.family, b->nft.family);

	return c ? c : sn_cmp_str(a->nft.name, b->nft.name);
}

static void nft_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_addf(b, "%s %s", o->nft.family, o->nft.name);
}

static bool nft_equal(const struct object *a, const struct object *b)
{
	return streq_null(a->nft.text, b->nft.text);
}

static void nft_add_content(const struct object *o, struct strbuf *b)
{
	const char *text = o->nft.text ? o->nft.text : "";
	size_t lines = 0;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	strbuf_addf(b, "%zu lines %016" PRIx64, lines, object_hash(text, strlen(text)));
}

static void nft_copy(const struct object *o, struct object *ret)
{
	ret->nft.text = xstrdup_null(o->nft.text);
}

static void nft_fini(struct object *o)
{
	free(o->nft.text);
}

const struct object_ops object_nft_ops = {
	.name = "table",
	.cmp = nft_cmp,
	.add_key = nft_add_key,
	.equal = nft_equal,
	.fields = (const struct object_field[]){ { "", nft_add_content }, { 0 } },
	.copy = nft_copy,
	.fini = nft_fini,
};

/* --- rule in Docker's chain --------------------------------------------------- */

static int rule_cmp(const struct object *a, const struct object *b)
{
	return sn_cmp_str(a->rule->tag, b->rule->tag);
}

static void rule_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_addf(b, "DOCKER-USER %s", o->rule->tag);
}

/* All of it is key. */
static bool rule_equal(const struct object *a, const struct object *b)
{
	(void)a;
	(void)b;
	return true;
}

static void rule_add_text(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->rule->text);
}

const struct object_ops object_rule_ops = {
	.name = "rule",
	.size = sizeof(struct object_rule),
	.cmp = rule_cmp,
	.add_key = rule_add_key,
	.equal = rule_equal,
	.fields = (const struct object_field[]){ { "", rule_add_text, true }, { 0 } },
};

/* --- sysctl ------------------------------------------------------------------ */

static int sysctl_cmp(const struct object *a, const struct object *b)
{
	return sn_cmp_str(a->sysctl->path, b->sysctl->path);
}

static void sysctl_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->sysctl->path);
}

static bool sysctl_equal(const struct object *a, const struct object *b)
{
	return streq(a->sysctl->value, b->sysctl->value);
}

static void sysctl_add_value(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->sysctl->value);
}

const struct object_ops object_sysctl_ops = {
	.name = "sysctl",
	.size = sizeof(struct object_sysctl),
	.cmp = sysctl_cmp,
	.add_key = sysctl_add_key,
	.equal = sysctl_equal,
	.fields = (const struct object_field[]){ { "=", sysctl_add_value }, { 0 } },
};

/* --- link -------------------------------------------------------------------- */

static int link_cmp(const struct object *a, const struct object *b)
{
	return sn_cmp_str(a->link->name, b->link->name);
}

static void link_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->link->name);
}

/* An address the wanted link leaves to the kernel is never a difference. */
static bool link_mac_equal(const struct object_link *a, const struct object_link *b)
{
	return !a->has_mac || !b->has_mac || memcmp(a->mac, b->mac, SN_MAC_SIZE) == 0;
}

static bool link_equal(const struct object *a, const struct object *b)
{
	const struct object_link *x = a->link, *y = b->link;

	return x->kind == y->kind && x->mtu == y->mtu && x->up == y->up && x->if_id == y->if_id &&
	       x->group == y->group && streq(x->alias, y->alias) && streq(x->master, y->master) &&
	       link_mac_equal(x, y);
}

static void link_add_kind(const struct object *o, struct strbuf *b)
{
	static const char *const names[] = {
		[LINK_BRIDGE] = "bridge",
		[LINK_VETH] = "veth",
		[LINK_XFRM] = "xfrm",
		[LINK_TUN] = "tun",
	};

	strbuf_adds(b, names[o->link->kind]);
}

static void link_add_if_id(const struct object *o, struct strbuf *b)
{
	if (o->link->if_id)
		strbuf_addf(b, "%" PRIu32, o->link->if_id);
}

static void link_add_group(const struct object *o, struct strbuf *b)
{
	if (o->link->group)
		strbuf_addf(b, "%" PRIu32, o->link->group);
}

static void link_add_master(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->link->master);
}

static void link_add_mtu(const struct object *o, struct strbuf *b)
{
	if (o->link->mtu)
		strbuf_addf(b, "%d", o->link->mtu);
}

static void link_add_mac(const struct object *o, struct strbuf *b)
{
	const uint8_t *m = o->link->mac;

	if (o->link->has_mac)
		strbuf_addf(b, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void link_add_up(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->link->up ? "up" : "down");
}

static void link_add_alias(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->link->alias);
}

const struct object_ops object_link_ops = {
	.name = "link",
	.size = sizeof(struct object_link),
	.cmp = link_cmp,
	.add_key = link_add_key,
	.equal = link_equal,
	.fields =
		(const struct object_field[]){
			{ "", link_add_kind },
			{ "if_id", link_add_if_id },
			{ "group", link_add_group },
			{ "master", link_add_master },
			{ "mtu", link_add_mtu },
			{ "mac", link_add_mac, true },
			{ "", link_add_up },
			{ "alias", link_add_alias },
			{ 0 },
		},
};

/* --- address ----------------------------------------------------------------- */

static int address_cmp(const struct object *a, const struct object *b)
{
	int c = sn_cmp_str(a->address.ifname, b->address.ifname);

	return c ? c : sn_prefix_cmp(&a->address.addr, &b->address.addr);
}

static void address_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_addf(b, "%s dev %s", SN_PREFIX_STR(&o->address.addr), o->address.ifname);
}

/* All of it is key. */
static bool address_equal(const struct object *a, const struct object *b)
{
	(void)a;
	(void)b;
	return true;
}

const struct object_ops object_address_ops = {
	.name = "address",
	.cmp = address_cmp,
	.add_key = address_add_key,
	.equal = address_equal,
	.fields = (const struct object_field[]){ { 0 } },
};

/* --- route ------------------------------------------------------------------- */

static int route_cmp(const struct object *a, const struct object *b)
{
	int c = sn_prefix_cmp(&a->route.dst, &b->route.dst);

	if (c)
		return c;
	c = sn_cmp_num(a->route.table, b->route.table);
	return c ? c : sn_cmp_num(a->route.metric, b->route.metric);
}

static void route_add_key(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, SN_PREFIX_STR(&o->route.dst));
	if (o->route.table != RT_TABLE_MAIN)
		strbuf_addf(b, " table %" PRIu32, o->route.table);
	if (o->route.metric)
		strbuf_addf(b, " metric %" PRIu32, o->route.metric);
}

static bool route_equal(const struct object *a, const struct object *b)
{
	const struct object_route *x = &a->route, *y = &b->route;

	return x->unreachable == y->unreachable && streq(x->oif, y->oif) &&
	       sn_addr_cmp(&x->src, &y->src) == 0;
}

static void route_add_type(const struct object *o, struct strbuf *b)
{
	if (o->route.unreachable)
		strbuf_adds(b, "unreachable");
}

static void route_add_oif(const struct object *o, struct strbuf *b)
{
	strbuf_adds(b, o->route.oif);
}

static void route_add_src(const struct object *o, struct strbuf *b)
{
	if (sn_addr_is_set(&o->route.src))
		strbuf_adds(b, SN_ADDR_STR(&o->route.src));
}

const struct object_ops object_route_ops = {
	.name = "route",
	.cmp = route_cmp,
	.add_key = route_add_key,
	.equal = route_equal,
	.fields =
		(const struct object_field[]){
			{ "", route_add_type },
			{ "dev", route_add_oif },
			{ "src", route_add_src },
			{ 0 },
		},
};
