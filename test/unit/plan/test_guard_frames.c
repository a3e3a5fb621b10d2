/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard at the veths, with frames: two TAP devices, named like veths of
 * containers, on a bridge in a fresh network namespace. What one sends is
 * read at the other. After each frame a good one is sent as a mark: what has
 * not come before it was dropped, and nobody waits for nothing to happen.
 */
#include "plan/guard.h"

#include "mesh.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

#include <cmocka.h>
#include <nftables/libnftables.h>

#define BRIDGE "sn0"
#define MAX_FRAME 256
#define MARK_LIMIT_MS 5000

static int ctl, sender, receiver;
static struct mesh mesh;

static void request(unsigned long what, const char *name, short flags, int index)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (index)
		r.ifr_ifindex = index;
	else
		r.ifr_flags = flags;
	assert_int_equal(ioctl(ctl, what, &r), 0);
}

static int make_port(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	request(SIOCBRADDIF, BRIDGE, 0, (int)if_nametoindex(name));
	request(SIOCSIFFLAGS, name, IFF_UP, 0);
	return fd;
}

static void load_guard(void)
{
	const struct guard_tunnel tunnel = { .device = "ipsec0" };
	_cleanup_object_set_ struct object_set set = { 0 };
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

	guard_add_tables(&mesh.intent, &tunnel, &set);
	array_foreach(&set.o, o) {
		if (streq(o->nft.family, "bridge"))
			assert_int_equal(nft_run_cmd_from_buffer(nft, o->nft.text), 0);
	}
	nft_ctx_free(nft);
}

/* --- frames -------------------------------------------------------------- */

struct frame {
	uint8_t b[MAX_FRAME];
	size_t len;
};

static void put(struct frame *f, const void *data, size_t len)
{
	assert_true(f->len + len <= sizeof(f->b));
	memcpy(f->b + f->len, data, len);
	f->len += len;
}

static void put16(struct frame *f, uint16_t v)
{
	v = htons(v);
	put(f, &v, sizeof(v));
}

static void put_ip(struct frame *f, const char *s)
{
	struct sn_addr a = mesh_addr(s);

	put(f, a.bytes, sn_addr_size(&a));
}

/* Broadcast, so that the bridge sends it to every port; wrong (if not 0) spoils the source. */
static void put_ethernet(struct frame *f, uint8_t wrong)
{
	uint8_t source[SN_MAC_SIZE];

	memcpy(source, mesh.attachments[0].mac, sizeof(source));
	source[5] ^= wrong;
	put(f, "\xff\xff\xff\xff\xff\xff", SN_MAC_SIZE);
	put(f, source, sizeof(source));
}

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_ipv4(struct frame *f, const char *source)
{
	uint8_t *header = f->b + f->len;
	uint16_t sum;

	put16(f, ETHERTYPE_IP);
	put(f, "\x45\0\0\x1c\0\1\0\0\x40\x11\0\0", 12);
	put_ip(f, source);
	put_ip(f, "10.42.1.8");
	sum = htons(checksum(header + 2, 20));
	memcpy(header + 2 + 10, &sum, sizeof(sum));
	put(f, "\0\x09\0\x09\0\x08\0\0", 8);
}

static void put_arp(struct frame *f, uint8_t wrong, const char *source, const char *target)
{
	uint8_t mac[SN_MAC_SIZE];

	memcpy(mac, mesh.attachments[0].mac, sizeof(mac));
	mac[5] ^= wrong;
	put16(f, ETHERTYPE_ARP);
	put(f, "\0\1\x08\0\6\4\0\1", 8);
	put(f, mac, sizeof(mac));
	put_ip(f, source);
	put(f, "\0\0\0\0\0\0", SN_MAC_SIZE);
	put_ip(f, target);
}

static void send_frame(const struct frame *f)
{
	assert_int_equal(write(sender, f->b, f->len), f->len);
}

static void receive(struct frame *ret)
{
	struct pollfd p = { .fd = receiver, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&p, 1, MARK_LIMIT_MS), 1);
	n = read(receiver, ret->b, sizeof(ret->b));
	assert_true(n > 0);
	ret->len = (size_t)n;
}

static bool same(const struct frame *a, const struct frame *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* Whether f, or what the bridge made of it, arrives before the mark. */
static bool arrives(const struct frame *f)
{
	static uint8_t count;
	struct frame mark = { 0 }, got = { 0 };
	_cleanup_free_ char *target = xasprintf("10.42.9.%u", ++count);
	bool arrived = false;

	put_ethernet(&mark, 0);
	put_arp(&mark, 0, "10.42.1.7", target);
	send_frame(f);
	send_frame(&mark);
	for (receive(&got); !same(&got, &mark); receive(&got))
		arrived |= memcmp(got.b + SN_MAC_SIZE, f->b + SN_MAC_SIZE, SN_MAC_SIZE) == 0;
	return arrived;
}

/* --- what passes --------------------------------------------------------- */

static bool ipv4_arrives(uint8_t wrong, const char *source)
{
	struct frame f = { 0 };

	put_ethernet(&f, wrong);
	put_ipv4(&f, source);
	return arrives(&f);
}

static void ipv4_passes_with_the_containers_own_addresses_only(void **state)
{
	(void)state;
	assert_true(ipv4_arrives(0, "10.42.1.7"));
	assert_false(ipv4_arrives(0, "10.42.1.9"));
	assert_false(ipv4_arrives(0, "10.42.1.8")); /* of the other veth */
	assert_false(ipv4_arrives(0, "10.42.1.1"));
	assert_false(ipv4_arrives(0, "0.0.0.0"));
	assert_false(ipv4_arrives(1, "10.42.1.7"));
}

static bool arp_arrives(uint8_t frame_wrong, uint8_t arp_wrong, const char *source,
			const char *target)
{
	struct frame f = { 0 };

	put_ethernet(&f, frame_wrong);
	put_arp(&f, arp_wrong, source, target);
	return arrives(&f);
}

static void arp_tells_the_containers_own_addresses_only(void **state)
{
	(void)state;
	assert_true(arp_arrives(0, 0, "10.42.1.7", "10.42.1.1"));
	assert_false(arp_arrives(0, 0, "10.42.1.1", "10.42.1.1"));
	assert_false(arp_arrives(0, 0, "10.42.1.8", "10.42.1.1"));
	assert_false(arp_arrives(0, 1, "10.42.1.7", "10.42.1.1"));
	assert_false(arp_arrives(1, 0, "10.42.1.7", "10.42.1.1"));
}

static void a_container_may_probe_for_its_own_address_only(void **state)
{
	(void)state;
	assert_true(arp_arrives(0, 0, "0.0.0.0", "10.42.1.7"));
	assert_false(arp_arrives(0, 0, "0.0.0.0", "10.42.1.8"));
	assert_false(arp_arrives(0, 1, "0.0.0.0", "10.42.1.7"));
	assert_false(arp_arrives(1, 0, "0.0.0.0", "10.42.1.7"));
	/* to ask who is at it, in the name of another */
	assert_false(arp_arrives(0, 0, "10.42.1.1", "10.42.1.7"));
}

/* One of no next header: the guard asks for addresses, and for kinds of ICMPv6. */
static bool ipv6_arrives(uint8_t wrong, uint16_t tag, const char *source)
{
	struct frame f = { 0 };

	put_ethernet(&f, wrong);
	if (tag) {
		put16(&f, 0x8100);
		put16(&f, tag);
	}
	put16(&f, ETHERTYPE_IPV6);
	put(&f, "\x60\0\0\0\0\0\x3b\x40", 8);
	put_ip(&f, source);
	put_ip(&f, "fd42:0:0:1::8");
	return arrives(&f);
}

static void ipv6_passes_beside_ipv4(void **state)
{
	(void)state;
	assert_true(ipv6_arrives(0, 0, "fd42:0:0:1::7"));
	assert_false(ipv6_arrives(0, 0, "fd42:0:0:1::8"));
	assert_false(ipv6_arrives(0, 0, "fd42:0:0:1::1"));
	assert_false(ipv6_arrives(0, 0, "::"));
	assert_false(ipv6_arrives(1, 0, "fd42:0:0:1::7"));
	assert_false(ipv6_arrives(0, 5, "fd42:0:0:1::7"));
}

/* IPv4 or ARP, as it would pass without the tag. */
static bool tagged_arrives(uint16_t type, uint16_t tag)
{
	struct frame ipv4 = { 0 }, arp = { 0 };

	put_ethernet(&ipv4, 0);
	put16(&ipv4, type);
	put16(&ipv4, tag);
	put_ethernet(&arp, 0);
	put16(&arp, type);
	put16(&arp, tag);
	put_ipv4(&ipv4, "10.42.1.7");
	put_arp(&arp, 0, "10.42.1.7", "10.42.1.1");
	return arrives(&ipv4) || arrives(&arp);
}

/* All that the other veth's container may send, from this one. */
static void nothing_of_another_veth_passes(void **state)
{
	struct frame ipv4 = { 0 }, arp = { 0 };
	uint8_t own[SN_MAC_SIZE];

	(void)state;
	memcpy(own, mesh.attachments[0].mac, sizeof(own));
	memcpy(mesh.attachments[0].mac, mesh.attachments[1].mac, sizeof(own));
	put_ethernet(&ipv4, 0);
	put_ipv4(&ipv4, "10.42.1.8");
	put_ethernet(&arp, 0);
	put_arp(&arp, 0, "10.42.1.8", "10.42.1.1");
	memcpy(mesh.attachments[0].mac, own, sizeof(own));
	assert_false(arrives(&ipv4));
	assert_false(arrives(&arp));
}

static void vlan_tags_do_not_pass(void **state)
{
	(void)state;
	assert_false(tagged_arrives(0x8100, 5));
	assert_false(tagged_arrives(0x8100, 0));
	assert_false(tagged_arrives(0x88a8, 5));
}

static void other_types_do_not_pass(void **state)
{
	static const char payload[] = "\x60\0\0\0\0\0\x3b\x40 the rest of some other protocol";
	static const uint16_t types[] = { 0x86dd, 0x88b5, 0x8847, 0x8864, 0x0032, 0x0027 };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(types); i++) {
		struct frame f = { 0 };

		put_ethernet(&f, 0);
		put16(&f, types[i]);
		put(&f, payload, sizeof(payload));
		assert_false(arrives(&f));
	}
}

static int set_up_with(bool dual)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	mesh_init(&mesh, 1, NULL);
	if (dual) {
		mesh_add_overlay(&mesh, "fd42::/32");
		mesh_add_prefix(&mesh, 1, "fd42:0:0:1::/64");
	}
	mesh_finish(&mesh);
	mesh_attach(&mesh, "10.42.1.7/24", 1);
	mesh_attach(&mesh, "10.42.1.8/24", 2);
	if (dual) {
		mesh_add_address(&mesh.attachments[0], "fd42:0:0:1::7/64");
		mesh_add_address(&mesh.attachments[1], "fd42:0:0:1::8/64");
	}
	ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(ctl, SIOCBRADDBR, BRIDGE) < 0)
		return -1;
	request(SIOCSIFFLAGS, BRIDGE, IFF_UP, 0);
	sender = make_port(mesh.attachments[0].veth);
	receiver = make_port(mesh.attachments[1].veth);
	load_guard();
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return set_up_with(false);
}

static int set_up_dual(void **state)
{
	(void)state;
	return set_up_with(true);
}

static int tear_down(void **state)
{
	(void)state;
	close(sender);
	close(receiver);
	close(ctl);
	mesh_fini(&mesh);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_passes_with_the_containers_own_addresses_only),
		cmocka_unit_test(arp_tells_the_containers_own_addresses_only),
		cmocka_unit_test(a_container_may_probe_for_its_own_address_only),
		cmocka_unit_test(nothing_of_another_veth_passes),
		cmocka_unit_test(vlan_tags_do_not_pass),
		cmocka_unit_test(other_types_do_not_pass),
	};

	const struct CMUnitTest dual[] = {
		cmocka_unit_test(ipv4_passes_with_the_containers_own_addresses_only),
		cmocka_unit_test(arp_tells_the_containers_own_addresses_only),
		cmocka_unit_test(a_container_may_probe_for_its_own_address_only),
		cmocka_unit_test(nothing_of_another_veth_passes),
		cmocka_unit_test(vlan_tags_do_not_pass),
		cmocka_unit_test(other_types_do_not_pass),
		cmocka_unit_test(ipv6_passes_beside_ipv4),
	};
	int failed = cmocka_run_group_tests(tests, set_up, tear_down);

	return failed + cmocka_run_group_tests(dual, set_up_dual, tear_down);
}
