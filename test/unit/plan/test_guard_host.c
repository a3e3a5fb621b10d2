/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard's table of the host, with packets: TUN devices stand for the bridge, two tunnels,
 * the uplink and a network of others, in a fresh network namespace that forwards everything.
 * A packet is written into one and has left by another, or has not, when write(2) is back. Each
 * case is asked in both families.
 */
#include "plan/guard.h"

#include "mesh.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>
#include <nftables/libnftables.h>

#include "../shell.h"

#define MAX_PACKET 256
#define PORT 7777
#define CHARON_PORT 4500
#define FIRST_FREE_PORT 5000
#define OTHER_PROTOCOL 253 /* for experiments (RFC 3692) */

enum where { CONTAINERS, TUNNEL2, TUNNEL3, UPLINK, OTHERS, HOST, NOWHERE };

static const char *const devices[] = { "snbr0", "snx2", "snx3", "eth0", "oth0" };
static int tuns[SN_ARRAY_SIZE(devices)];

/* Who has an address: by IPv4 and by IPv6. */
enum who { OWN, NEIGHBOUR, GATEWAY, PEER2, PEER3, ASTRAY, STRANGER, OUTSIDE, SELF, OTHER };

static const char *const addresses[][2] = {
	[OWN] = { "10.42.1.2", "fd42:0:0:1::2" },
	[NEIGHBOUR] = { "10.42.1.3", "fd42:0:0:1::3" },
	[GATEWAY] = { "10.42.1.1", "fd42:0:0:1::1" },
	[PEER2] = { "10.42.2.2", "fd42:0:0:2::2" },
	[PEER3] = { "10.42.3.2", "fd42:0:0:3::2" },
	[ASTRAY] = { "10.42.9.2", "fd42:0:0:9::2" },       /* a route of others leads outside */
	[STRANGER] = { "203.0.113.1", "2001:db8:200::1" }, /* one of others leads into a tunnel */
	[OUTSIDE] = { "198.51.100.1", "2001:db8:100::1" },
	[SELF] = { "192.0.2.1", "2001:db8::1" },
	[OTHER] = { "198.18.0.5", "2001:db8:18::5" },
};

struct packet {
	uint8_t b[MAX_PACKET];
	size_t len;
};

static struct nft_ctx *nft;
static bool v6;

static uint8_t family(void)
{
	return v6 ? AF_INET6 : AF_INET;
}

static size_t addr_size(void)
{
	return v6 ? 16 : 4;
}

/* --- packets ------------------------------------------------------------------------ */

static void put(struct packet *p, const void *data, size_t len)
{
	assert_true(p->len + len <= sizeof(p->b));
	memcpy(p->b + p->len, data, len);
	p->len += len;
}

static void put_addr(struct packet *p, enum who who)
{
	uint8_t bytes[16];

	assert_int_equal(inet_pton(family(), addresses[who][v6], bytes), 1);
	put(p, bytes, addr_size());
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t from)
{
	for (size_t i = 0; i < len; i += 2)
		from += (uint32_t)p[i] << 8 | p[i + 1];
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static void put16_at(struct packet *p, size_t at, uint32_t v)
{
	p->b[at] = (uint8_t)(v >> 8);
	p->b[at + 1] = (uint8_t)v;
}

static size_t header_size(void)
{
	return v6 ? 40 : 20;
}

static void put_header(struct packet *p, uint8_t proto, enum who from, enum who to, size_t payload)
{
	if (v6) {
		put(p, "\x60\0\0\0\0\0\0\x40", 8);
		put16_at(p, 4, (uint32_t)payload);
		p->b[6] = proto;
	} else {
		put(p, "\x45\0\0\0\0\0\0\0\x40\0\0\0", 12);
		put16_at(p, 2, (uint32_t)(20 + payload));
		p->b[9] = proto;
	}
	put_addr(p, from);
	put_addr(p, to);
	if (!v6)
		put16_at(p, 10, ~sum(p->b, 20, 0));
}

/* of: "from" and "to" of the header */
static uint32_t pseudo_sum(const struct packet *p, uint8_t proto, size_t payload)
{
	return sum(p->b + header_size() - 2 * addr_size(), 2 * addr_size(),
		   (uint32_t)(proto + payload));
}

/* Each says another word, by which it is known again. */
static struct packet udp_packet(enum who from, enum who to, uint16_t sport)
{
	static uint32_t words;
	uint32_t word = htonl(++words);
	struct packet p = { 0 };
	size_t at;

	put_header(&p, IPPROTO_UDP, from, to, 12);
	at = p.len;
	put(&p, "\0\0\0\0\0\x0c\0\0", 8);
	put16_at(&p, at, sport ? sport : 10000 + words);
	put16_at(&p, at + 2, PORT);
	put(&p, &word, sizeof(word));
	put16_at(&p, at + 6, ~sum(p.b + at, 12, pseudo_sum(&p, IPPROTO_UDP, 12)));
	return p;
}

static const uint8_t *word_of(const struct packet *p)
{
	return p->b + p->len - 4;
}

/* --- the host ------------------------------------------------------------------------- */

static int ear(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

/* Where the packet of this word has come out; got: as it did. */
static enum where came_out(int local, const uint8_t word[static 4], struct packet *got)
{
	enum where found = NOWHERE;
	struct packet p;
	ssize_t n;

	for (size_t i = 0; i < SN_ARRAY_SIZE(tuns); i++) {
		while ((n = read(tuns[i], p.b, sizeof(p.b))) > 0) {
			p.len = (size_t)n;
			if (memcmp(word_of(&p), word, 4) != 0)
				continue;
			found = (enum where)i;
			*got = p;
		}
	}
	while ((n = recv(local, p.b, sizeof(p.b), 0)) > 0) {
		if (n == 4 && memcmp(p.b, word, 4) == 0)
			found = HOST;
	}
	return found;
}

static enum where send_packet(enum where in, const struct packet *p, struct packet *got)
{
	int local = ear();
	enum where out;

	assert_int_equal(write(tuns[in], p->b, p->len), p->len);
	out = came_out(local, word_of(p), got);
	close(local);
	return out;
}

static enum where pass(enum where in, enum who from, enum who to)
{
	struct packet p = udp_packet(from, to, 0), got;

	return send_packet(in, &p, &got);
}

/* The host itself sends. */
static enum where say(enum who from, enum who to)
{
	struct packet p = udp_packet(from, to, 0), got;
	struct sockaddr_storage ends[2] = { 0 };
	int fd = socket(family(), SOCK_DGRAM | SOCK_CLOEXEC, 0), local = ear();
	enum where out;

	for (int i = 0; i < 2; i++) {
		const char *text = addresses[i ? to : from][v6];

		ends[i].ss_family = family();
		if (v6)
			inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&ends[i])->sin6_addr);
		else
			inet_pton(AF_INET, text, &((struct sockaddr_in *)&ends[i])->sin_addr);
	}
	((struct sockaddr_in *)&ends[1])->sin_port = htons(PORT);
	assert_int_equal(bind(fd, (struct sockaddr *)&ends[0], sizeof(ends[0])), 0);
	/* what netfilter drops on its way out is EPERM */
	(void)!sendto(fd, word_of(&p), 4, 0, (struct sockaddr *)&ends[1], sizeof(ends[1]));
	out = came_out(local, word_of(&p), &got);
	close(local);
	close(fd);
	return out;
}

/* --- the guard ------------------------------------------------------------------------ */

static const struct guard_tunnel xfrm = { .group = SENNIT_GROUP_TUNNEL, .kernel_esp = true };

static void load(struct mesh *m)
{
	_cleanup_object_set_ struct object_set set = { 0 };

	guard_add_tables(&m->intent, &xfrm, &set);
	assert_int_equal(nft_run_cmd_from_buffer(nft, "flush ruleset"), 0);
	array_foreach(&set.o, o) {
		if (streq(o->nft.family, "inet"))
			assert_int_equal(nft_run_cmd_from_buffer(nft, o->nft.text), 0);
	}
}

static void init(struct mesh *m)
{
	mesh_init(m, 3, NULL);
	mesh_add_overlay(m, "fd42::/32");
	for (unsigned i = 1; i <= 3; i++) {
		_cleanup_free_ char *prefix = xasprintf("fd42:0:0:%u::/64", i);

		mesh_add_prefix(m, i, prefix);
	}
	mesh_finish(m);
}

#define both_families for (int f = 0; v6 = f, f < 2; f++)

/* --- cases ---------------------------------------------------------------------------- */

static void without_the_guard_all_goes_its_way(void **state)
{
	(void)state;
	assert_int_equal(nft_run_cmd_from_buffer(nft, "flush ruleset"), 0);
	both_families
	{
		assert_int_equal(pass(CONTAINERS, STRANGER, PEER2), TUNNEL2);
		assert_int_equal(pass(CONTAINERS, OWN, ASTRAY), UPLINK);
		assert_int_equal(pass(CONTAINERS, OWN, STRANGER), TUNNEL3);
		assert_int_equal(pass(TUNNEL2, PEER3, OWN), CONTAINERS);
		assert_int_equal(pass(TUNNEL2, PEER2, PEER3), TUNNEL3);
		assert_int_equal(pass(UPLINK, OUTSIDE, GATEWAY), HOST);
		assert_int_equal(pass(UPLINK, OUTSIDE, OTHER), OTHERS);
		assert_int_equal(say(SELF, PEER2), TUNNEL2);
		assert_int_equal(say(GATEWAY, ASTRAY), UPLINK);
	}
}

static void containers_are_themselves(void)
{
	assert_int_equal(pass(CONTAINERS, OWN, PEER2), TUNNEL2);
	assert_int_equal(pass(CONTAINERS, OWN, PEER3), TUNNEL3);
	assert_int_equal(pass(CONTAINERS, OWN, GATEWAY), HOST);
	assert_int_equal(pass(CONTAINERS, PEER3, PEER2), NOWHERE);
	assert_int_equal(pass(CONTAINERS, STRANGER, PEER2), NOWHERE);
	assert_int_equal(pass(CONTAINERS, STRANGER, GATEWAY), NOWHERE);
	assert_int_equal(pass(CONTAINERS, STRANGER, OUTSIDE), NOWHERE);
	assert_int_equal(pass(CONTAINERS, PEER3, OUTSIDE), NOWHERE);
}

static void peers_are_themselves_and_reach_containers_only(void)
{
	assert_int_equal(pass(TUNNEL2, PEER2, OWN), CONTAINERS);
	assert_int_equal(pass(TUNNEL2, PEER2, GATEWAY), HOST);
	assert_int_equal(pass(TUNNEL2, PEER3, OWN), NOWHERE);
	assert_int_equal(pass(TUNNEL2, NEIGHBOUR, OWN), NOWHERE);
	assert_int_equal(pass(TUNNEL3, STRANGER, OWN), NOWHERE);
	assert_int_equal(pass(TUNNEL2, OUTSIDE, OWN), NOWHERE);
	assert_int_equal(pass(TUNNEL2, PEER2, PEER3), NOWHERE);
	assert_int_equal(pass(TUNNEL2, PEER2, OUTSIDE), NOWHERE);
	assert_int_equal(pass(TUNNEL2, PEER2, OTHER), NOWHERE);
	assert_int_equal(pass(TUNNEL2, PEER2, SELF), NOWHERE);
}

static void nothing_of_the_overlay_comes_or_leaves_in_clear(void)
{
	assert_int_equal(pass(UPLINK, OUTSIDE, OWN), NOWHERE);
	assert_int_equal(pass(UPLINK, OUTSIDE, GATEWAY), NOWHERE);
	assert_int_equal(pass(UPLINK, PEER2, OWN), NOWHERE);
	assert_int_equal(pass(UPLINK, PEER2, SELF), NOWHERE);
	assert_int_equal(pass(UPLINK, OUTSIDE, PEER2), NOWHERE);
	assert_int_equal(pass(UPLINK, OUTSIDE, SELF), HOST);
	assert_int_equal(pass(CONTAINERS, OWN, ASTRAY), NOWHERE);
	assert_int_equal(say(GATEWAY, ASTRAY), NOWHERE);
	assert_int_equal(say(SELF, ASTRAY), NOWHERE);
	assert_int_equal(say(SELF, OUTSIDE), UPLINK);
}

static void only_the_overlay_goes_into_a_tunnel(void)
{
	assert_int_equal(say(GATEWAY, PEER2), TUNNEL2);
	assert_int_equal(say(GATEWAY, OWN), CONTAINERS);
	assert_int_equal(say(GATEWAY, GATEWAY), HOST);
	assert_int_equal(say(SELF, PEER2), NOWHERE);
	assert_int_equal(pass(CONTAINERS, OWN, STRANGER), NOWHERE);
	assert_int_equal(say(GATEWAY, STRANGER), NOWHERE);
	assert_int_equal(pass(OTHERS, OTHER, PEER2), NOWHERE);
	assert_int_equal(pass(OTHERS, OTHER, STRANGER), NOWHERE);
}

/* With or without rules of others beside it. */
static void the_guard_holds(void **state)
{
	(void)state;
	for (int alone = 0; alone < 2; alone++) {
		_cleanup_mesh_ struct mesh m;

		init(&m);
		m.intent.alone = alone;
		load(&m);
		both_families
		{
			containers_are_themselves();
			peers_are_themselves_and_reach_containers_only();
			nothing_of_the_overlay_comes_or_leaves_in_clear();
			only_the_overlay_goes_into_a_tunnel();
		}
	}
}

static void swap_ends(struct packet *p)
{
	uint8_t *at = p->b + header_size() - 2 * addr_size(), keep[16];

	memcpy(keep, at, addr_size());
	memcpy(at, at + addr_size(), addr_size());
	memcpy(at + addr_size(), keep, addr_size());
	at = p->b + header_size();
	memcpy(keep, at, 2);
	memcpy(at, at + 2, 2);
	memcpy(at + 2, keep, 2);
}

static bool is_from(const struct packet *p, enum who who)
{
	struct packet want = { 0 };

	put_addr(&want, who);
	return memcmp(p->b + header_size() - 2 * addr_size(), want.b, want.len) == 0;
}

static unsigned source_port(const struct packet *p)
{
	return (unsigned)p->b[header_size()] << 8 | p->b[header_size() + 1];
}

static void containers_reach_the_outside_behind_the_host(void **state)
{
	static const uint16_t ports[] = { 0, CHARON_PORT };
	_cleanup_mesh_ struct mesh m;

	(void)state;
	init(&m);
	load(&m);
	both_families for (size_t i = 0; i < SN_ARRAY_SIZE(ports); i++)
	{
		struct packet p = udp_packet(OWN, OUTSIDE, ports[i]), got = { 0 }, back;

		assert_int_equal(send_packet(CONTAINERS, &p, &got), UPLINK);
		assert_true(is_from(&got, SELF));
		assert_true(source_port(&got) >= FIRST_FREE_PORT);
		back = got;
		swap_ends(&back);
		assert_int_equal(send_packet(UPLINK, &back, &got), CONTAINERS);
		/* nobody has asked for this one */
		assert_int_equal(pass(OTHERS, OTHER, OWN), NOWHERE);
	}
}

/* Its last word is the family, so that each is another one. */
static struct packet raw_packet(uint8_t proto, enum who from, enum who to)
{
	struct packet p = { 0 };

	put_header(&p, proto, from, to, 12);
	put(&p, v6 ? "\1\2\3\4\0\0\0\1raw6" : "\1\2\3\4\0\0\0\1raw4", 12);
	return p;
}

static void no_container_sends_esp_to_the_outside(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	init(&m);
	load(&m);
	both_families
	{
		struct packet esp = raw_packet(IPPROTO_ESP, OWN, OUTSIDE), got = { 0 };
		struct packet other = raw_packet(OTHER_PROTOCOL, OWN, OUTSIDE);

		assert_int_equal(send_packet(CONTAINERS, &esp, &got), NOWHERE);
		assert_int_equal(send_packet(CONTAINERS, &other, &got), UPLINK);
		assert_true(is_from(&got, SELF));
	}
}

/* Rules that send what is for one address to another, in the host's name. */
static void translate(enum who from, enum who to)
{
	const char *ip = v6 ? "ip6" : "ip";
	_cleanup_free_ char *rules = xasprintf(
		"table %s others {\n"
		"chain in { type nat hook prerouting priority dstnat; %s daddr %s dnat to %s\n}\n"
		"chain out { type nat hook postrouting priority srcnat - 1; %s daddr %s snat to "
		"%s\n}"
		"\n}\n",
		ip, ip, addresses[from][v6], addresses[to][v6], ip, addresses[to][v6],
		addresses[to == OTHER || to == OUTSIDE ? SELF : GATEWAY][v6]);

	assert_int_equal(nft_run_cmd_from_buffer(nft, rules), 0);
}

static void expect_translated(enum where in, enum who by, enum who from, enum who to,
			      enum where out)
{
	translate(from, to);
	assert_int_equal(pass(in, by, from), out);
	assert_int_equal(nft_run_cmd_from_buffer(nft, v6 ? "delete table ip6 others"
							 : "delete table ip others"),
			 0);
}

/* The addresses that came in were good, and those that leave are; and the host is a router. */
static void rules_of_others_open_nothing(void **state)
{
	(void)state;
	for (int guarded = 0; guarded < 2; guarded++) {
		_cleanup_mesh_ struct mesh m;

		init(&m);
		m.intent.uplink_forwarding = true;
		m.intent.ipv6_forwarding = true;
		load(&m);
		if (!guarded)
			assert_int_equal(nft_run_cmd_from_buffer(nft, "flush ruleset"), 0);
		both_families
		{
#define WAY(out) (guarded ? NOWHERE : (out))
			expect_translated(UPLINK, OUTSIDE, SELF, PEER2, WAY(TUNNEL2));
			expect_translated(UPLINK, OUTSIDE, SELF, OWN, WAY(CONTAINERS));
			expect_translated(TUNNEL2, PEER2, GATEWAY, PEER3, WAY(TUNNEL3));
			expect_translated(TUNNEL2, PEER2, GATEWAY, OTHER, WAY(OTHERS));
		}
	}
}

static void without_masquerade_nothing_goes_outside(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	init(&m);
	m.config->masquerade = false;
	load(&m);
	both_families
	{
		assert_int_equal(pass(CONTAINERS, OWN, OUTSIDE), NOWHERE);
		assert_int_equal(pass(CONTAINERS, OWN, PEER2), TUNNEL2);
		assert_int_equal(pass(CONTAINERS, OWN, NEIGHBOUR), CONTAINERS);
		assert_int_equal(say(GATEWAY, OUTSIDE), NOWHERE);
		expect_translated(CONTAINERS, OWN, STRANGER, OUTSIDE, NOWHERE);
	}
}

/* What forwards because of us only forwards nothing of others; IPv4 does so by its device. */
static void the_host_becomes_no_router(void **state)
{
	_cleanup_mesh_ struct mesh m;

	(void)state;
	init(&m);
	load(&m);
	both_families
	{
		assert_int_equal(pass(UPLINK, OUTSIDE, OTHER), NOWHERE);
		assert_int_equal(pass(UPLINK, OUTSIDE, OUTSIDE), NOWHERE);
		assert_int_equal(pass(OTHERS, OTHER, OUTSIDE), v6 ? NOWHERE : UPLINK);
	}
}

static void a_host_that_is_a_router_stays_one(void **state)
{
	(void)state;
	for (int bits = 1; bits < 4; bits++) {
		_cleanup_mesh_ struct mesh m;

		init(&m);
		m.intent.uplink_forwarding = bits & 1;
		m.intent.ipv6_forwarding = bits & 2;
		load(&m);
		both_families assert_int_equal(pass(UPLINK, OUTSIDE, OTHER),
					       bits & (v6 ? 2 : 1) ? OTHERS : NOWHERE);
	}
}

/* --- set up --------------------------------------------------------------------------- */

static void make_tun(size_t i)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	tuns[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(tuns[i] >= 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", devices[i]);
	assert_int_equal(ioctl(tuns[i], TUNSETIFF, &r), 0);
}

static int set_up(void **state)
{
	_cleanup_free_ char *groups =
		xasprintf("ip link set snbr0 group %u && ip link set snx2 group %u && "
			  "ip link set snx3 group %u",
			  SENNIT_GROUP_BRIDGE, SENNIT_GROUP_TUNNEL, SENNIT_GROUP_TUNNEL);

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	for (size_t i = 0; i < SN_ARRAY_SIZE(devices); i++)
		make_tun(i);
	sh("%s", groups);
	sh("for d in lo snbr0 snx2 snx3 eth0 oth0; do ip link set $d up || exit 1; done");
	sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
	sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	sh("ip address add 10.42.1.1/24 dev snbr0 && ip address add fd42:0:0:1::1/64 dev snbr0 "
	   "nodad");
	sh("ip address add 192.0.2.1/24 dev eth0 && ip address add 2001:db8::1/64 dev eth0 nodad");
	sh("for n in 2 3; do ip route add 10.42.$n.0/24 dev snx$n && "
	   "ip route add fd42:0:0:$n::/64 dev snx$n || exit 1; done");
	sh("ip route add default dev eth0 && ip -6 route add default dev eth0");
	sh("ip route add 203.0.113.0/24 dev snx3 && ip route add 2001:db8:200::/64 dev snx3");
	sh("ip route add 198.18.0.0/24 dev oth0 && ip route add 2001:db8:18::/64 dev oth0");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nft_ctx_free(nft);
	for (size_t i = 0; i < SN_ARRAY_SIZE(tuns); i++)
		close(tuns[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_guard_all_goes_its_way),
		cmocka_unit_test(the_guard_holds),
		cmocka_unit_test(containers_reach_the_outside_behind_the_host),
		cmocka_unit_test(no_container_sends_esp_to_the_outside),
		cmocka_unit_test(rules_of_others_open_nothing),
		cmocka_unit_test(without_masquerade_nothing_goes_outside),
		cmocka_unit_test(the_host_becomes_no_router),
		cmocka_unit_test(a_host_that_is_a_router_stays_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
