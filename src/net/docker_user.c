/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read by libmnl, this one chain: libnftables would read the whole table first, and
 * on a busy host that has thousands of rules. Written by libnftables.
 */
#include "net/docker_user.h"

#include "net/net.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>

/* NFTA_RULE_USERDATA holds type, length, value; libnftnl's number of the comment. */
#define UDATA_COMMENT 0

static void begin(union netlink_request *req, uint8_t type, uint16_t flags)
{
	struct nfgenmsg *nfg = netlink_begin(req, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
					     flags, sizeof(*nfg));

	nfg->nfgen_family = NFPROTO_IPV4;
}

int docker_user_exists(struct netlink *nl, struct sn_error *e)
{
	union netlink_request req;
	int r;

	begin(&req, NFT_MSG_GETCHAIN, 0);
	mnl_attr_put_strz(&req.h, NFTA_CHAIN_TABLE, DOCKER_USER_TABLE);
	mnl_attr_put_strz(&req.h, NFTA_CHAIN_NAME, DOCKER_USER_CHAIN);
	r = netlink_ask(nl, &req.h, NULL, NULL, e);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* iptables(8) writes a comment as a match, also when it restores what it has saved. */
static void read_match(const struct nlattr *expression, char *ret, size_t size)
{
	const struct nlattr *a[NFTA_EXPR_DATA + 1], *data[NFTA_MATCH_INFO + 1];
	char name[16];

	netlink_attrs_nested(expression, NFTA_EXPR_DATA, a);
	netlink_attr_string(a[NFTA_EXPR_NAME], name, sizeof(name));
	if (!streq(name, "match") || !a[NFTA_EXPR_DATA])
		return;
	netlink_attrs_nested(a[NFTA_EXPR_DATA], NFTA_MATCH_INFO, data);
	netlink_attr_string(data[NFTA_MATCH_NAME], name, sizeof(name));
	/* struct xt_comment_info is the text alone */
	if (streq(name, "comment"))
		netlink_attr_string(data[NFTA_MATCH_INFO], ret, size);
}

/* The comment that nft(8) has put beside a rule. */
static void read_userdata(const struct nlattr *userdata, char *ret, size_t size)
{
	size_t left = mnl_attr_get_payload_len(userdata);
	const uint8_t *p = mnl_attr_get_payload(userdata);

	while (left >= 2 && (size_t)p[1] + 2 <= left) {
		if (p[0] == UDATA_COMMENT)
			snprintf(ret, size, "%.*s", p[1], (const char *)p + 2);
		left -= (size_t)p[1] + 2;
		p += (size_t)p[1] + 2;
	}
}

/* "" when there is none. */
static void read_comment(const struct nlattr *const *a, char *ret, size_t size)
{
	const struct nlattr *expression;

	*ret = '\0';
	if (a[NFTA_RULE_EXPRESSIONS])
		mnl_attr_for_each_nested(expression, a[NFTA_RULE_EXPRESSIONS])
			read_match(expression, ret, size);
	if (a[NFTA_RULE_USERDATA])
		read_userdata(a[NFTA_RULE_USERDATA], ret, size);
}

static int on_rule(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *a[NFTA_RULE_USERDATA + 1];
	struct object_set *set = user;
	struct object_rule *o;
	char chain[64], tag[sizeof(o->tag)];

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return 0;
	netlink_attrs(nlh, sizeof(struct nfgenmsg), NFTA_RULE_USERDATA, a);
	netlink_attr_string(a[NFTA_RULE_CHAIN], chain, sizeof(chain));
	read_comment(a, tag, sizeof(tag));
	/* a kernel that does not know how to choose sends all rules */
	if (!streq(chain, DOCKER_USER_CHAIN) || !sn_startswith(tag, DOCKER_USER_TAG) ||
	    !a[NFTA_RULE_HANDLE] || mnl_attr_get_payload_len(a[NFTA_RULE_HANDLE]) != 8)
		return 0;
	o = object_set_add(set, OBJECT_RULE)->rule;
	memcpy(o->tag, tag, sizeof(o->tag));
	o->handle = be64toh(mnl_attr_get_u64(a[NFTA_RULE_HANDLE]));
	return 0;
}

int docker_user_observe(struct netlink *nl, struct object_set *ret, struct sn_error *e)
{
	union netlink_request req;
	int r;

	begin(&req, NFT_MSG_GETRULE, NLM_F_DUMP);
	mnl_attr_put_strz(&req.h, NFTA_RULE_TABLE, DOCKER_USER_TABLE);
	mnl_attr_put_strz(&req.h, NFTA_RULE_CHAIN, DOCKER_USER_CHAIN);
	r = netlink_ask(nl, &req.h, on_rule, ret, e);
	return r == -ENOENT ? 0 : r;
}

/* Numbers begin anew with the table, and then one of others may have this one. */
static bool is_still_there(struct nft *nft, const struct object_rule *rule)
{
	_cleanup_object_set_ struct object_set now = { 0 };
	struct sn_error ignored;

	if (docker_user_observe(nft_socket(nft), &now, &ignored) != 0)
		return false;
	array_foreach(&now.o, o) {
		if (o->rule->handle == rule->handle && streq(o->rule->tag, rule->tag))
			return true;
	}
	return false;
}

static int drop(struct nft *nft, const struct object_rule *rule, struct sn_error *e)
{
	_cleanup_free_ char *command = xasprintf("delete rule ip " DOCKER_USER_TABLE
						 " " DOCKER_USER_CHAIN " handle %" PRIu64 "\n",
						 rule->handle);
	struct sn_error ignored;
	int r = is_still_there(nft, rule) ? nft_run(nft, command, e) : 0;

	/* somebody was faster */
	return r < 0 && docker_user_exists(nft_socket(nft), &ignored) == 0 ? 0 : r;
}

/* Before what is there: the chain may end with what Docker puts in, a return. */
static int add(struct nft *nft, const struct object_rule *rule, struct sn_error *e)
{
	_cleanup_free_ char *command = xasprintf("insert rule ip " DOCKER_USER_TABLE
						 " " DOCKER_USER_CHAIN " %s comment \"%s\"\n",
						 rule->text, rule->tag);
	int r = docker_user_exists(nft_socket(nft), e);

	return r < 0 ? r : r == 0 ? NET_NOT_READY : nft_run(nft, command, e);
}

int docker_user_apply(struct nft *nft, const struct plan_step *step, struct sn_error *e)
{
	return step->verb == PLAN_DELETE ? drop(nft, step->found->rule, e)
					 : add(nft, step->wanted->rule, e);
}
