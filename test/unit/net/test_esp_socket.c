/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stand-in's sockets and their table, as far as a kernel without ESP shows it: where
 * packets to port 4500 go. That ESP then comes out of UDP shows the lab (test_xfrm_survive.py).
 */
#include "net/esp_socket.h"

#include "net/esp_table.h"
#include "plan/stand_in.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "netns_fixture.h"

#define ESP_PORT 4500

static const uint8_t an_esp_packet[16] = { 0, 0, 0x10, 1 };
static const uint8_t an_ike_message[16] = { 0, 0, 0, 0, 1 };

static int open_udp(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (port)
		assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Whether the packet, sent to port 4500, arrives in that socket; on the loopback it is there at
 * once. */
static bool arrives(int to, const uint8_t *packet, size_t len)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(ESP_PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int from = open_udp(0);
	uint8_t got[64];

	assert_int_equal(sendto(from, packet, len, 0, (struct sockaddr *)&sa, sizeof(sa)), len);
	return recv(to, got, sizeof(got), 0) == (ssize_t)len;
}

static void load_table(struct fixture *f, const struct esp_socket *s)
{
	struct sn_addr addr;
	ARRAY(struct sn_addr) underlay = { 0 };
	struct host self = { .id = "h1" };
	struct snapshot snapshot = { .self_id = "h1" };
	struct config config = { 0 };
	struct intent intent = { .snapshot = &snapshot,
				 .config = &config,
				 .stand_in = { esp_socket_port(s), esp_socket_port6(s) } };
	_cleanup_object_set_ struct object_set set = { 0 };
	struct plan_step step = { .verb = PLAN_ADD };
	struct sn_error e;

	assert_int_equal(sn_addr_parse("192.0.2.1", &addr), 0);
	*array_add(&underlay) = addr;
	memcpy(&self.underlay, &underlay, sizeof(self.underlay));
	*array_add(&snapshot.hosts) = self;
	stand_in_add_tables(&intent, &set);
	assert_int_equal(set.o.n, 1);
	step.wanted = &set.o.v[0];
	if (net_apply(f->net, &step, &e) != 0)
		fail_msg("%s", e.text);
	array_free(&underlay);
	array_free(&snapshot.hosts);
}

static void esp_goes_to_the_stand_in_and_ike_to_charon(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_(esp_socket_freep) struct esp_socket *s = NULL;
	_cleanup_close_ int charon = open_udp(ESP_PORT);
	struct sn_error e;

	if (esp_socket_new(&s, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(arrives(charon, an_esp_packet, sizeof(an_esp_packet)));
	load_table(f, s);
	assert_false(arrives(charon, an_esp_packet, sizeof(an_esp_packet)));
	assert_true(arrives(charon, an_ike_message, sizeof(an_ike_message)));
	/* sennitd died, its table is there: charon has everything */
	esp_socket_free(sn_steal(s));
	assert_true(arrives(charon, an_esp_packet, sizeof(an_esp_packet)));
}

static void wanted_table(uint8_t family, uint16_t port, struct object_set *ret)
{
	struct host self = { .id = "h1" };
	struct snapshot snapshot = { .self_id = "h1" };
	struct config config = { .underlay_address.family = family };
	struct intent intent = { .snapshot = &snapshot,
				 .config = &config,
				 .stand_in = { port, port } };

	*array_add(&snapshot.hosts) = self;
	stand_in_add_tables(&intent, ret);
	assert_int_equal(ret->o.n, 1);
	array_free(&snapshot.hosts);
}

/* It is the very table that is wanted: a pass finds nothing to do. */
static void a_table_is_written_at_once(void **state)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct fixture *f = fixture_get(state);
	struct sn_error e;

	for (size_t i = 0; i < SN_ARRAY_SIZE(families); i++) {
		/* the second in the place of the first */
		for (uint16_t port = 41234; port < 41236; port++) {
			_cleanup_object_set_ struct object_set wanted = { 0 };
			_cleanup_pass_ struct pass p;

			if (net_write_esp_table(f->net, families[i], port, &e) < 0)
				fail_msg("%s", e.text);
			wanted_table(families[i], port, &wanted);
			fixture_pass(f, &wanted, &p);
			if (p.steps > 0)
				fail_msg("%s", strbuf_str(&p.text));
		}
		sh("nft delete table %s sennit", i ? "ip6" : "ip");
	}
}

static void a_table_that_cannot_be_written_leaves_the_old(void **state)
{
	struct fixture *f = fixture_get(state);
	struct netlink_transaction t;
	struct sn_error e;

	_cleanup_(netlink_freep) struct netlink *nl = NULL;

	assert_int_equal(net_write_esp_table(f->net, AF_INET, 41234, &e), 0);
	assert_int_equal(netlink_new(NETLINK_NETFILTER, &nl, &e), 0);
	netlink_transaction_begin(&t);
	mnl_attr_put_strz(netlink_transaction_add(&t, NFT_MSG_DELTABLE, 0, NFPROTO_IPV4),
			  NFTA_TABLE_NAME, "sennit");
	mnl_attr_put_strz(netlink_transaction_add(&t, NFT_MSG_DELTABLE, 0, NFPROTO_IPV4),
			  NFTA_TABLE_NAME, "none");
	assert_int_equal(netlink_transaction_run(nl, &t, &e), -ENOENT);
	sh("nft list table ip sennit | grep -q 'tproxy to 127.0.0.1:41234'");
	/* and what is left of the answer is not taken for another one's */
	assert_int_equal(esp_table_write(nl, AF_INET, 41235, &e), 0);
}

/* Nobody has port 4500, and charon may have it at any moment. */
static void the_port_of_charon_stays_free(void **state)
{
	_cleanup_(esp_socket_freep) struct esp_socket *s = NULL;
	struct sn_error e;
	int fd;

	(void)fixture_get(state);
	if (esp_socket_new(&s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_not_equal(esp_socket_port(s), ESP_PORT);
	fd = open_udp(ESP_PORT);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(esp_goes_to_the_stand_in_and_ike_to_charon),
		T(a_table_is_written_at_once),
		T(a_table_that_cannot_be_written_leaves_the_old),
		T(the_port_of_charon_stays_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
