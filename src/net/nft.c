/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One context for the life of the daemon: making one parses the databases
 * of names in /etc. Each command reads the kernel's state anew (libnftables
 * checks the ruleset's generation), so what others changed is seen.
 *
 * Which tables there are is asked by libmnl: `list tables` of libnftables
 * 1.0.6 reads every rule of everybody first (5,000 rules: 140 ms, and 25 ms
 * more for the next command, which frees them). Listing or writing one table
 * by name reads that table alone (0.5 ms, whatever else there is).
 *
 * libnftables has a list of interfaces for the whole process, without a lock, which every
 * command of every context fills and empties: contexts_lock is for that.
 */
#include "net/nft.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "net/netlink.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdio.h>

#define LEGACY_NAMES_LIMIT 4096

static pthread_mutex_t contexts_lock = PTHREAD_MUTEX_INITIALIZER;

struct nft {
	struct netlink *nl;
	struct nft_ctx *ctx;
};

static const char *const families[] = {
	[NFPROTO_INET] = "inet",     [NFPROTO_IPV4] = "ip",       [NFPROTO_ARP] = "arp",
	[NFPROTO_NETDEV] = "netdev", [NFPROTO_BRIDGE] = "bridge", [NFPROTO_IPV6] = "ip6",
};

/* As libnftables says; errno is what it left. */
static int run(struct nft_ctx *ctx, const char *command)
{
	int r, left;

	pthread_mutex_lock(&contexts_lock);
	errno = 0;
	r = nft_run_cmd_from_buffer(ctx, command);
	left = errno;
	pthread_mutex_unlock(&contexts_lock);
	errno = left;
	return r;
}

static struct nft_ctx *new_context(void)
{
	struct nft_ctx *ctx;

	pthread_mutex_lock(&contexts_lock);
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	pthread_mutex_unlock(&contexts_lock);
	return ctx;
}

static void free_context(struct nft_ctx *ctx)
{
	if (!ctx)
		return;
	pthread_mutex_lock(&contexts_lock);
	nft_ctx_free(ctx);
	pthread_mutex_unlock(&contexts_lock);
}
SN_DEFINE_CLEANUP(struct nft_ctx *, free_context);

/*
 * libnftables tells no errno, but text for people: of its several lines (the
 * words, the command, a row of ^^^) the first says what is wrong.
 */
int nft_run(struct nft *nft, const char *command, struct sn_error *e)
{
	const char *words;
	int r = run(nft->ctx, command);

	words = nft_ctx_get_error_buffer(nft->ctx);
	if (r == 0)
		return 0;
	r = errno == EPERM || errno == ENOBUFS || errno == ENOMEM ? -errno : -EINVAL;
	return sn_error_set(e, r, "nftables: %.*s", (int)strcspn(words, "\n"), words);
}

int nft_try(const char *commands, struct sn_error *e)
{
	_cleanup_(free_contextp) struct nft_ctx *ctx = new_context();
	const char *words;

	if (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
		return sn_error_set(e, -ENOMEM, "libnftables cannot be started");
	if (run(ctx, commands) == 0)
		return 0;
	words = nft_ctx_get_error_buffer(ctx);
	return sn_error_set(e, -EOPNOTSUPP, "%.*s", (int)strcspn(words, "\n"), words);
}

int nft_new(struct nft **ret, struct sn_error *e)
{
	_cleanup_(nft_freep) struct nft *nft = xcalloc(1, sizeof(*nft));
	struct sn_error ignored;
	int r = netlink_new(NETLINK_NETFILTER, &nft->nl, e);

	if (r < 0)
		return r;
	nft->ctx = new_context();
	if (!nft->ctx || nft_ctx_buffer_output(nft->ctx) || nft_ctx_buffer_error(nft->ctx))
		return sn_error_set(e, -ENOMEM, "libnftables cannot be started");
	nft_ctx_output_set_flags(nft->ctx, NFT_CTX_OUTPUT_STATELESS);
	/*
	 * The first command costs 15 ms and more, for the library's own tables; here no
	 * loop turns yet. What it says of a table that may not be there is no matter.
	 */
	nft_run(nft, "list table inet sennit", &ignored);
	/* it stays in the buffer until it is fetched, before the next answer */
	nft_ctx_get_output_buffer(nft->ctx);
	*ret = sn_steal(nft);
	return 0;
}

void nft_free(struct nft *nft)
{
	if (!nft)
		return;
	free_context(nft->ctx);
	netlink_free(nft->nl);
	free(nft);
}

struct netlink *nft_socket(struct nft *nft)
{
	return nft->nl;
}

static int on_table(const struct nlmsghdr *nlh, void *user)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[NFTA_TABLE_NAME + 1];
	struct object_set *set = user;
	struct object_nft *o;
	char name[sizeof(o->name)];

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg) ||
	    nfg->nfgen_family >= SN_ARRAY_SIZE(families) || !families[nfg->nfgen_family])
		return 0;
	netlink_attrs(nlh, sizeof(*nfg), NFTA_TABLE_NAME, a);
	netlink_attr_string(a[NFTA_TABLE_NAME], name, sizeof(name));
	if (!streq(name, NFT_TABLE_NAME))
		return 0;
	o = &object_set_add(set, OBJECT_NFT)->nft;
	snprintf(o->family, sizeof(o->family), "%s", families[nfg->nfgen_family]);
	snprintf(o->name, sizeof(o->name), "%s", name);
	return 0;
}

static int list_table(struct nft *nft, struct object_nft *table, struct sn_error *e)
{
	char command[80];
	int r;

	snprintf(command, sizeof(command), "list table %s %s", table->family, table->name);
	r = nft_run(nft, command, e);
	if (r == 0)
		table->text = xstrdup(nft_ctx_get_output_buffer(nft->ctx));
	return r;
}

int nft_observe(struct nft *nft, struct object_set *ret, struct sn_error *e)
{
	size_t first = ret->o.n;
	union netlink_request req;
	int r;

	netlink_begin(&req, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_DUMP,
		      sizeof(struct nfgenmsg));
	r = netlink_ask(nft->nl, &req.h, on_table, ret, e);
	for (size_t i = first; r == 0 && i < ret->o.n; i++)
		r = list_table(nft, &ret->o.v[i].nft, e);
	return r;
}

static int on_others(const struct nlmsghdr *nlh, void *user)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[NFTA_TABLE_NAME + 1];
	char name[sizeof(NFT_TABLE_NAME) + 1];
	bool *ret = user;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg) ||
	    (nfg->nfgen_family != NFPROTO_IPV4 && nfg->nfgen_family != NFPROTO_IPV6 &&
	     nfg->nfgen_family != NFPROTO_INET))
		return 0;
	netlink_attrs(nlh, sizeof(*nfg), NFTA_TABLE_NAME, a);
	netlink_attr_string(a[NFTA_TABLE_NAME], name, sizeof(name));
	*ret |= !streq(name, NFT_TABLE_NAME);
	return 0;
}

/* The kernel names there the tables of legacy iptables that this namespace has. */
static bool has_legacy(void)
{
	static const char *const files[] = { "/proc/net/ip_tables_names",
					     "/proc/net/ip6_tables_names" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *names = NULL;
		size_t len = 0;

		if (file_read(files[i], LEGACY_NAMES_LIMIT, &names, &len) == 0 && len > 0)
			return true;
	}
	return false;
}

int nft_has_others(struct nft *nft, struct sn_error *e)
{
	union netlink_request req;
	bool found = false;
	int r;

	netlink_begin(&req, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_DUMP,
		      sizeof(struct nfgenmsg));
	r = netlink_ask(nft->nl, &req.h, on_others, &found, e);
	if (r > 0)
		return sn_error_set(e, -EAGAIN, "nftables changes too often to be read");
	return r < 0 ? r : found || has_legacy();
}

int nft_apply(struct nft *nft, const struct plan_step *step, struct sn_error *e)
{
	const struct object *o = step->verb == PLAN_DELETE ? step->found : step->wanted;
	_cleanup_strbuf_ struct strbuf command = STRBUF_INIT;

	if (!streq(o->nft.name, NFT_TABLE_NAME))
		return sn_error_set(e, -EPERM, "only tables named " NFT_TABLE_NAME " are ours");
	/* delete fails where there is none; after an add there always is one */
	strbuf_addf(&command, "add table %s %s\ndelete table %s %s\n", o->nft.family, o->nft.name,
		    o->nft.family, o->nft.name);
	if (step->verb != PLAN_DELETE)
		strbuf_adds(&command, o->nft.text);
	return nft_run(nft, strbuf_str(&command), e);
}

/* Without rights libnftables writes to standard error by itself: ask before it does. */
static int may_read(struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	union netlink_request req;

	netlink_begin(&req, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0, sizeof(struct nfgenmsg));
	if (netlink_new(NETLINK_NETFILTER, &nl, e) < 0 ||
	    netlink_ask(nl, &req.h, NULL, NULL, e) < 0)
		return sn_error_wrap(e, "nftables");
	return 0;
}

int nft_read_ruleset(json_t **ret, struct sn_error *e)
{
	_cleanup_(free_contextp) struct nft_ctx *ctx = NULL;
	struct nft nft = { 0 };
	const char *text;
	int r = may_read(e);

	if (r < 0)
		return r;
	nft.ctx = ctx = new_context();
	if (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
		return sn_error_set(e, -ENOMEM, "libnftables cannot be started");
	nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON);
	r = nft_run(&nft, "list ruleset", e);
	if (r < 0)
		return r;
	text = nft_ctx_get_output_buffer(ctx);
	return json_parse(text, strlen(text), ret, e);
}
