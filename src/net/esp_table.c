/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libnftables makes of the text, expression by expression (nft --debug=netlink). A test
 * holds the two against each other: the kernel's listing has to be the text.
 */
#include "net/esp_table.h"

#include "net/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#define CHAIN "prerouting"
#define PRIORITY (-150) /* mangle */
#define ESP_PORT 4500
#define PORT_OFFSET 2 /* in UDP's header: the destination's */
#define SPI_OFFSET 8  /* behind it */

static struct nlmsghdr *add_order(struct netlink_transaction *t, uint16_t message, uint16_t flags,
				  uint8_t family)
{
	struct nlmsghdr *h = netlink_transaction_add(t, message, flags, family);

	/* attribute 1 of tables, chains and rules is the name of the table */
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	return h;
}

static void add_chain(struct netlink_transaction *t, uint8_t family)
{
	struct nlmsghdr *h = add_order(t, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family);
	struct nlattr *hook;

	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, CHAIN);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(NF_INET_PRE_ROUTING));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY));
	mnl_attr_nest_end(h, hook);
}

/* --- expressions ---------------------------------------------------------------- */

struct expr {
	struct nlattr *elem, *data;
};

static struct expr begin(struct nlmsghdr *h, const char *name)
{
	struct expr x = { .elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	x.data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return x;
}

static void end(struct nlmsghdr *h, struct expr x)
{
	mnl_attr_nest_end(h, x.data);
	mnl_attr_nest_end(h, x.elem);
}

static void put_number(struct nlmsghdr *h, uint16_t type, uint32_t number)
{
	mnl_attr_put_u32(h, type, htonl(number));
}

static void put_value(struct nlmsghdr *h, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(h, nest);
}

static void add_meta(struct nlmsghdr *h, uint32_t key)
{
	struct expr x = begin(h, "meta");

	put_number(h, NFTA_META_DREG, NFT_REG_1);
	put_number(h, NFTA_META_KEY, key);
	end(h, x);
}

static void add_payload(struct nlmsghdr *h, uint32_t offset, uint32_t len)
{
	struct expr x = begin(h, "payload");

	put_number(h, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_number(h, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put_number(h, NFTA_PAYLOAD_OFFSET, offset);
	put_number(h, NFTA_PAYLOAD_LEN, len);
	end(h, x);
}

static void add_fib_type(struct nlmsghdr *h)
{
	struct expr x = begin(h, "fib");

	put_number(h, NFTA_FIB_DREG, NFT_REG_1);
	put_number(h, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	put_number(h, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	end(h, x);
}

static void add_cmp(struct nlmsghdr *h, uint32_t op, const void *value, size_t len)
{
	struct expr x = begin(h, "cmp");

	put_number(h, NFTA_CMP_SREG, NFT_REG_1);
	put_number(h, NFTA_CMP_OP, op);
	put_value(h, NFTA_CMP_DATA, value, len);
	end(h, x);
}

static void add_immediate(struct nlmsghdr *h, uint32_t reg, const void *value, size_t len)
{
	struct expr x = begin(h, "immediate");

	put_number(h, NFTA_IMMEDIATE_DREG, reg);
	put_value(h, NFTA_IMMEDIATE_DATA, value, len);
	end(h, x);
}

static void add_tproxy(struct nlmsghdr *h, uint8_t family)
{
	struct expr x = begin(h, "tproxy");

	put_number(h, NFTA_TPROXY_FAMILY, family);
	put_number(h, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
	put_number(h, NFTA_TPROXY_REG_PORT, NFT_REG_2);
	end(h, x);
}

static void add_matches(struct nlmsghdr *h)
{
	const uint16_t esp_port = htons(ESP_PORT);
	const uint32_t no_spi = 0, local = RTN_LOCAL; /* this in the byte order of the host */
	const uint8_t udp = IPPROTO_UDP;

	add_meta(h, NFT_META_L4PROTO);
	add_cmp(h, NFT_CMP_EQ, &udp, sizeof(udp));
	add_payload(h, PORT_OFFSET, sizeof(esp_port));
	add_cmp(h, NFT_CMP_EQ, &esp_port, sizeof(esp_port));
	add_payload(h, SPI_OFFSET, sizeof(no_spi));
	add_cmp(h, NFT_CMP_NEQ, &no_spi, sizeof(no_spi));
	add_fib_type(h);
	add_cmp(h, NFT_CMP_EQ, &local, sizeof(local));
}

static void add_rule(struct netlink_transaction *t, uint8_t family, uint16_t port)
{
	struct nlmsghdr *h = add_order(t, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family);
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	const uint16_t to = htons(port);
	struct nlattr *list;

	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, CHAIN);
	list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	add_matches(h);
	if (family == NFPROTO_IPV6)
		add_immediate(h, NFT_REG_1, &in6addr_loopback, sizeof(in6addr_loopback));
	else
		add_immediate(h, NFT_REG_1, &loopback, sizeof(loopback));
	add_immediate(h, NFT_REG_2, &to, sizeof(to));
	add_tproxy(h, family);
	mnl_attr_nest_end(h, list);
}

int esp_table_write(struct netlink *nl, uint8_t family, uint16_t port, struct sn_error *e)
{
	const uint8_t nf = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	struct netlink_transaction t;

	netlink_transaction_begin(&t);
	/* after an add there always is one to delete */
	add_order(&t, NFT_MSG_NEWTABLE, NLM_F_CREATE, nf);
	add_order(&t, NFT_MSG_DELTABLE, 0, nf);
	add_order(&t, NFT_MSG_NEWTABLE, NLM_F_CREATE, nf);
	add_chain(&t, nf);
	add_rule(&t, nf, port);
	return netlink_transaction_run(nl, &t, e);
}
