/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers: a namespace, its pair, and a packet through it.
 *
 *	container --- veth pair --- bridge snbr0 10.42.1.1 (this test)
 */
#include "net/netns.h"

#include "net/container_mtu.h"

#include "netns_fixture.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/stat.h>

#define ALIAS "sennit:test:attachment"
#define MTU 1400

struct container {
	int fd; /* its namespace */
	struct attachment a;
	struct sn_addr_pair gateways;
};

/* A new namespace that lives as long as its descriptor. */
static int new_namespace(void)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	assert_true(home >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	/* inherited by nsenter */
	fd = open("/proc/thread-self/ns/net", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

static void container_init(struct container *c, unsigned number)
{
	memset(c, 0, sizeof(*c));
	c->fd = new_namespace();
	snprintf(c->a.id, sizeof(c->a.id), "%08x00000000", number);
	snprintf(c->a.veth, sizeof(c->a.veth), "snv%08x", number);
	snprintf(c->a.ifname, sizeof(c->a.ifname), "eth0");
	c->a.addr.of[0] = (struct sn_prefix){ { AF_INET, { 10, 42, 1, (uint8_t)number } }, 24 };
	memcpy(c->a.mac, (uint8_t[]){ 2, 0x42, 10, 42, 1, (uint8_t)number }, SN_MAC_SIZE);
	assert_int_equal(sn_addr_parse("10.42.1.1", &c->gateways.of[0]), 0);
}

static void container_fini(struct container *c)
{
	close(c->fd);
}
#define _cleanup_container_ _cleanup_(container_fini)

static void make_bridge(struct fixture *f)
{
	_cleanup_object_set_ struct object_set wanted = { 0 };

	want_bridge(&wanted, "snbr0");
	want_address(&wanted, "snbr0", "10.42.1.1/24");
	object_set_sort(&wanted);
	fixture_converge(f, &wanted);
}

static int attach(struct container *c, struct sn_error *e)
{
	return netns_attach(c->fd, &c->a, ALIAS, "snbr0", MTU, &c->gateways, e);
}

static void must_attach(struct container *c)
{
	struct sn_error e;

	if (attach(c, &e) < 0)
		fail_msg("%s", e.text);
}

/* A shell command inside. */
static bool inside(const struct container *c, const char *command)
{
	return sh_ok("nsenter --net=/proc/self/fd/%d sh -c '%s'", c->fd, command);
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* One echo of this size to the container; true when it answers. */
static bool ping(const struct container *c, size_t payload)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t packet[2048] = { ICMP_ECHO, 0, 0, 0, 0x53, 0x4e, 0, 1 };
	uint16_t sum = checksum(packet, 8 + payload);

	memcpy(&packet[2], &sum, sizeof(sum));
	memcpy(&to.sin_addr, c->a.addr.of[0].addr.bytes, 4);
	if (sendto(fd, packet, 8 + payload, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return false;
	while (poll(&p, 1, FIXTURE_LIMIT_MS) == 1) {
		ssize_t n = recv(fd, packet, sizeof(packet), 0);

		if (n == (ssize_t)(20 + 8 + payload) && packet[20] == ICMP_ECHOREPLY)
			return true;
	}
	return false;
}

static void only_foreign_network_namespaces_are_taken(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	_cleanup_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int other = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int device = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct netns_id id, again;
	struct sn_error e;
	struct stat st;

	(void)f;
	container_init(&c, 7);
	assert_int_equal(netns_check(c.fd, &id, &e), 0);
	assert_int_equal(fstat(c.fd, &st), 0);
	assert_true(id.dev == st.st_dev && id.ino == st.st_ino);
	assert_int_equal(netns_check(c.fd, &again, &e), 0);
	assert_true(id.dev == again.dev && id.ino == again.ino);
	assert_int_equal(netns_check(own, &id, &e), -EINVAL);
	assert_non_null(strstr(e.text, "own"));
	assert_int_equal(netns_check(other, &id, &e), -EINVAL);
	assert_int_equal(netns_check(file, &id, &e), -EINVAL);
	assert_int_equal(netns_check(device, &id, &e), -EINVAL);
	assert_int_equal(netns_check(-1, &id, &e), -EINVAL);
}

static void attached_container_answers(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;

	make_bridge(f);
	container_init(&c, 7);
	assert_false(netns_attached(&c.a));
	must_attach(&c);
	assert_true(netns_attached(&c.a));
	assert_true(
		inside(&c, "ip -o link show eth0 | grep -q \"UP.*mtu 1400.*02:42:0a:2a:01:07\""));
	assert_true(inside(&c, "ip -o addr show eth0 | grep -q \"10.42.1.7/24\""));
	assert_true(inside(&c, "ip route | grep -q \"default via 10.42.1.1 dev eth0\""));
	sh("ip -o link show snv00000007 | grep -q 'UP.*mtu 1400.*master snbr0.*group "
	   "default.*alias " ALIAS "'");
	assert_true(ping(&c, 56));
	/* a full packet, unfragmented, and one that is cut */
	assert_true(ping(&c, MTU - 28));
	assert_true(ping(&c, MTU + 100));
}

/* As container engines leave a namespace whose own network has no IPv6. */
static void container_with_an_ipv6_address_answers_at_once(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_container_ struct container c;

	want_bridge(&wanted, "snbr0");
	want_address(&wanted, "snbr0", "fd42:0:0:1::1/64");
	object_set_sort(&wanted);
	fixture_converge(f, &wanted);
	container_init(&c, 7);
	c.a.addr.of[0] = (struct sn_prefix){ 0 };
	assert_int_equal(sn_prefix_parse("fd42:0:0:1::7/64", &c.a.addr.of[1]), 0);
	assert_int_equal(sn_addr_parse("fd42:0:0:1::1", &c.gateways.of[1]), 0);
	assert_true(inside(&c, "for s in all default; do "
			       "echo 1 >/proc/sys/net/ipv6/conf/$s/disable_ipv6; done"));
	must_attach(&c);
	/* neither address is tentative: nobody waits for anything */
	assert_true(inside(&c, "ip -o -6 addr show eth0 | grep -v tentative | "
			       "grep -q fd42:0:0:1::7/64"));
	assert_true(inside(&c, "ip -o -6 addr show eth0 | grep -v tentative | "
			       "grep -q fe80::42:aff:fe2a:107/64"));
	assert_true(inside(&c, "ip -6 route | grep -q \"default via fd42:0:0:1::1 dev eth0\""));
	assert_true(inside(&c, "ping -n -c 1 -W 5 fd42:0:0:1::1"));
	/* lo is the owner's */
	assert_true(inside(&c, "grep -q 1 /proc/sys/net/ipv6/conf/lo/disable_ipv6"));
	must_attach(&c);
}

static void attached_twice_is_attached_once(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	int index;

	make_bridge(f);
	container_init(&c, 7);
	must_attach(&c);
	index = net_device_index(f->net, c.a.veth);
	must_attach(&c);
	assert_int_equal(net_device_index(f->net, c.a.veth), index);
	/* what went missing meanwhile comes back */
	assert_true(inside(&c, "ip addr flush dev eth0 && ip link set eth0 down"));
	sh("ip link set snv00000007 nomaster down");
	must_attach(&c);
	assert_int_equal(net_device_index(f->net, c.a.veth), index);
	assert_true(ping(&c, 56));
}

static void detach_removes_both_ends_and_is_done_once_more(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct sn_error e;

	make_bridge(f);
	container_init(&c, 7);
	must_attach(&c);
	assert_int_equal(netns_detach(&c.a, &e), 0);
	assert_false(netns_attached(&c.a));
	assert_false(inside(&c, "ip link show eth0"));
	assert_int_equal(netns_detach(&c.a, &e), 0);
	/* the name is free at once */
	must_attach(&c);
	assert_true(ping(&c, 56));
}

static void name_taken_in_the_namespace_is_told(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct sn_error e;

	make_bridge(f);
	container_init(&c, 7);
	assert_true(inside(&c, "ip link add eth0 type bridge"));
	assert_int_equal(attach(&c, &e), -EEXIST);
	assert_non_null(strstr(e.text, "eth0"));
	assert_false(netns_attached(&c.a));
	assert_true(inside(&c, "ip -d link show eth0 | grep -q bridge"));
}

static void name_taken_on_the_host_is_told(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct sn_error e;

	make_bridge(f);
	container_init(&c, 7);
	sh("ip link add snv00000007 type bridge");
	assert_int_equal(attach(&c, &e), -EEXIST);
	assert_false(inside(&c, "ip link show eth0"));
	assert_true(netns_detach(&c.a, &e) < 0);
	sh("ip -d link show snv00000007 | grep -q bridge");
}

static int mtu_inside(const struct container *c)
{
	for (int mtu = 1000; mtu <= 1500; mtu++) {
		char command[64];

		snprintf(command, sizeof(command), "ip -o link show eth0 | grep -q \"mtu %d\"",
			 mtu);
		if (inside(c, command))
			return mtu;
	}
	return -1;
}

static void set_mtu(const struct container *c, int before, int mtu, bool visited)
{
	struct container_end end = { .netns_dev = c->a.netns_dev, .netns_ino = c->a.netns_ino };

	snprintf(end.ifname, sizeof(end.ifname), "%s", c->a.ifname);
	memcpy(end.mac, c->a.mac, SN_MAC_SIZE);
	container_mtu_set(&end, 1, before, mtu);
	assert_int_equal(end.visited, visited);
	if (visited)
		assert_int_equal(end.e.code, 0);
}

/* Until the process is in the container's namespace. */
static void wait_for_entry(const struct container *c, pid_t pid)
{
	int64_t limit = sn_now_ms() + FIXTURE_LIMIT_MS;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	do
		assert_true(sn_now_ms() < limit);
	while (stat(path, &st) < 0 || st.st_ino != c->a.netns_ino);
}

static void namespaces_are_found_again_for_another_mtu(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct netns_id id;
	struct sn_error e;
	char path[128];
	pid_t child;

	container_init(&c, 7);
	make_bridge(f);
	must_attach(&c);
	assert_int_equal(netns_check(c.fd, &id, &e), 0);
	c.a.netns_dev = id.dev;
	c.a.netns_ino = id.ino;
	set_mtu(&c, MTU, 1238, false); /* nobody but a descriptor holds it */
	child = fork();
	if (child == 0) {
		setns(c.fd, CLONE_NEWNET);
		pause();
	}
	wait_for_entry(&c, child);
	set_mtu(&c, MTU, 1238, true);
	assert_int_equal(mtu_inside(&c), 1238);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* as ip netns and the engines keep theirs */
	snprintf(path, sizeof(path), "%s/net ns", f->state_dir);
	close(open(path, O_CREAT | O_CLOEXEC, 0600));
	sh("mount --bind /proc/self/fd/%d '%s'", c.fd, path);
	set_mtu(&c, 1238, 1300, true);
	assert_int_equal(mtu_inside(&c), 1300);
	/* smaller by its owner's wish */
	assert_true(inside(&c, "ip link set eth0 mtu 1200"));
	set_mtu(&c, 1300, 1400, true);
	assert_int_equal(mtu_inside(&c), 1200);
	/* somebody else's interface */
	c.a.mac[5]++;
	set_mtu(&c, 0, 1100, true);
	assert_int_equal(mtu_inside(&c), 1200);
	sh("umount '%s'", path);
	unlink(path);
}

/* One interface and MAC for both; each its own gateway, a single address among them. */
static void one_address_of_each_family(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_container_ struct container c;

	want_bridge(&wanted, "snbr0");
	want_address(&wanted, "snbr0", "10.42.1.1/24");
	want_address(&wanted, "snbr0", "fd42:0:0:1::1/64");
	object_set_sort(&wanted);
	fixture_converge(f, &wanted);
	container_init(&c, 7);
	assert_int_equal(sn_prefix_parse("fd42:0:0:2::7/128", &c.a.addr.of[1]), 0);
	assert_int_equal(sn_addr_parse("fd42:0:0:1::1", &c.gateways.of[1]), 0);
	must_attach(&c);
	must_attach(&c);
	sh("ip -6 route add fd42:0:0:2::7/128 dev snbr0");
	assert_true(inside(&c, "ip -o addr show eth0 | grep -q \"10.42.1.7/24\""));
	assert_true(inside(&c, "ip -o addr show eth0 | grep -q \"fd42:0:0:2::7/128\""));
	assert_true(inside(&c, "ip route | grep -q \"default via 10.42.1.1 dev eth0\""));
	assert_true(inside(&c, "ip -6 route | grep -q \"default via fd42:0:0:1::1 dev eth0\""));
	assert_true(ping(&c, 56));
	assert_true(inside(&c, "ping -n -c 1 -W 5 fd42:0:0:1::1"));
	netns_detach(&c.a, NULL);
	assert_false(inside(&c, "ip link show eth0"));
}

/* As in the flat plan: nothing but a route leads to it, and nothing but the wire to its gateway. */
static void single_address_answers(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;

	make_bridge(f);
	container_init(&c, 7);
	c.a.addr.of[0].len = 32;
	must_attach(&c);
	must_attach(&c);
	assert_true(inside(&c, "ip -o addr show eth0 | grep -q \"10.42.1.7/32\""));
	assert_true(inside(&c, "ip route | grep -q \"default via 10.42.1.1 dev eth0.*onlink\""));
	sh("ip route add 10.42.1.7/32 dev snbr0 src 10.42.1.1");
	assert_true(ping(&c, 56));
}

static void half_made_attach_is_undone(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct sn_error e;

	make_bridge(f);
	container_init(&c, 7);
	/* no such gateway in the container's subnet: the last of all steps fails */
	assert_int_equal(sn_addr_parse("192.0.2.1", &c.gateways.of[0]), 0);
	assert_true(attach(&c, &e) < 0);
	assert_non_null(strstr(e.text, "default route by 192.0.2.1"));
	assert_false(netns_attached(&c.a));
	assert_false(inside(&c, "ip link show eth0"));
	assert_int_equal(net_device_index(f->net, c.a.veth), -ENODEV);
}

static void other_default_route_is_not_taken_over(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct sn_error e;

	make_bridge(f);
	container_init(&c, 7);
	assert_true(inside(&c, "ip link set lo up && ip route add default dev lo"));
	assert_int_equal(attach(&c, &e), -EEXIST);
	assert_false(netns_attached(&c.a));
	assert_true(inside(&c, "ip route | grep -q \"default dev lo\""));
}

static void pair_whose_other_end_was_moved_away_is_made_anew(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;

	make_bridge(f);
	container_init(&c, 7);
	must_attach(&c);
	assert_true(inside(&c, "ip link set eth0 down && ip link set eth0 name gone0"));
	must_attach(&c);
	assert_true(ping(&c, 56));
	assert_false(inside(&c, "ip link show gone0"));
}

static void attach_needs_the_bridge(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct sn_error e;

	(void)f;
	container_init(&c, 7);
	assert_int_equal(attach(&c, &e), -ENODEV);
	assert_non_null(strstr(e.text, "bridge snbr0"));
}

static void end_of_the_namespace_is_the_end_of_the_pair(void **state)
{
	struct fixture *f = fixture_get(state);
	struct container c;
	struct sn_error e;

	make_bridge(f);
	container_init(&c, 7);
	must_attach(&c);
	container_fini(&c);
	fixture_wait_gone(f, c.a.veth);
	assert_false(netns_attached(&c.a));
	assert_int_equal(netns_detach(&c.a, &e), 0);
}

static void loop_thread_stays_at_home(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_container_ struct container c;
	struct stat before, after;

	make_bridge(f);
	container_init(&c, 7);
	assert_int_equal(stat("/proc/thread-self/ns/net", &before), 0);
	must_attach(&c);
	assert_int_equal(stat("/proc/thread-self/ns/net", &after), 0);
	assert_true(before.st_ino == after.st_ino);
}

static void attach_and_detach_are_short(void **state)
{
	struct fixture *f = fixture_get(state);
	int64_t best_attach = 1000, best_detach = 1000;
	struct sn_error e;

	make_bridge(f);
	for (unsigned i = 2; i < 7; i++) {
		_cleanup_container_ struct container c;
		int64_t t0, t1, t2;

		container_init(&c, i);
		t0 = sn_now_ms();
		must_attach(&c);
		t1 = sn_now_ms();
		assert_int_equal(netns_detach(&c.a, &e), 0);
		t2 = sn_now_ms();
		best_attach = SN_MIN(best_attach, t1 - t0);
		best_detach = SN_MIN(best_detach, t2 - t1);
	}
	print_message("attach %d ms, detach %d ms\n", (int)best_attach, (int)best_detach);
	assert_true(best_attach < LOOP_SLOW_TURN_MS);
	assert_true(best_detach < LOOP_SLOW_TURN_MS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(only_foreign_network_namespaces_are_taken),
		T(attached_container_answers),
		T(container_with_an_ipv6_address_answers_at_once),
		T(attached_twice_is_attached_once),
		T(detach_removes_both_ends_and_is_done_once_more),
		T(name_taken_in_the_namespace_is_told),
		T(name_taken_on_the_host_is_told),
		T(single_address_answers),
		T(one_address_of_each_family),
		T(half_made_attach_is_undone),
		T(namespaces_are_found_again_for_another_mtu),
		T(other_default_route_is_not_taken_over),
		T(pair_whose_other_end_was_moved_away_is_made_anew),
		T(attach_needs_the_bridge),
		T(end_of_the_namespace_is_the_end_of_the_pair),
		T(loop_thread_stays_at_home),
		T(attach_and_detach_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
