/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The facade: which pair of files serves which kind stands in one table.
 * Kinds that name links by index are read against one table of all links, so
 * a pass asks for them once.
 */
#include "net/net.h"

#include "net/address.h"
#include "net/advertised.h"
#include "net/docker_user.h"
#include "net/esp_table.h"
#include "net/foreign.h"
#include "net/link.h"
#include "net/link_delete.h"
#include "net/link_memory.h"
#include "net/netlink.h"
#include "net/nft.h"
#include "net/route.h"
#include "net/sysctl.h"
#include "net/watch.h"
#include "net/xfrm.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>

/* A dump that changes under our eyes is read so often, then it is not known. */
#define OBSERVE_TRIES 5

struct net {
	struct loop *loop;
	struct netlink *nl;
	struct netlink *xfrm; /* NULL until it is needed, and so is */
	struct netlink *nf;   /* what belongs to the loop's thread, beside nft */
	struct nft *nft;
	struct sysctls *sysctls;
	struct link_deleter *deleter;
	struct link_memory memory;
	struct watch *watch; /* NULL until net_watch() */
	char failure[256];   /* of the last observation, "" when it read everything */
};

/* What one observation reads against. */
struct scene {
	const struct object_set *also;
	struct link_table links;
};

static int observe_link(struct net *net, const struct scene *scene, struct object_set *ret,
			struct sn_error *e)
{
	(void)e;
	link_observe(&scene->links, net->deleter, ret);
	link_observe_lent(&scene->links, scene->also, ret);
	return 0;
}

static int observe_address(struct net *net, const struct scene *scene, struct object_set *ret,
			   struct sn_error *e)
{
	return address_observe(net->nl, &scene->links, net->deleter, ret, e);
}

static int observe_route(struct net *net, const struct scene *scene, struct object_set *ret,
			 struct sn_error *e)
{
	return route_observe(net->nl, &scene->links, ret, e);
}

static int observe_nft(struct net *net, const struct scene *scene, struct object_set *ret,
		       struct sn_error *e)
{
	(void)scene;
	return nft_observe(net->nft, ret, e);
}

static int observe_rule(struct net *net, const struct scene *scene, struct object_set *ret,
			struct sn_error *e)
{
	(void)scene;
	return docker_user_observe(nft_socket(net->nft), ret, e);
}

static int observe_sysctl(struct net *net, const struct scene *scene, struct object_set *ret,
			  struct sn_error *e)
{
	return sysctl_observe(net->sysctls, scene->also, ret, e);
}

static int apply_link(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	return link_apply(net->nl, net->deleter, &net->memory, step, e);
}

static int apply_address(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	return address_apply(net->nl, step, e);
}

static int apply_route(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	return route_apply(net->nl, step, e);
}

static int apply_nft(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	return nft_apply(net->nft, step, e);
}

static int apply_rule(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	return docker_user_apply(net->nft, step, e);
}

static int apply_sysctl(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	return sysctl_apply(net->sysctls, net->nl, step, e);
}

static const struct {
	/* 0, NETLINK_INTERRUPTED, or a negative errno with e */
	int (*observe)(struct net *net, const struct scene *scene, struct object_set *ret,
		       struct sn_error *e);
	int (*apply)(struct net *net, const struct plan_step *step, struct sn_error *e);
	bool needs_links;
} kinds[OBJECT_KINDS] = {
	[OBJECT_NFT] = { observe_nft, apply_nft, false },
	[OBJECT_RULE] = { observe_rule, apply_rule, false },
	[OBJECT_SYSCTL] = { observe_sysctl, apply_sysctl, false },
	[OBJECT_LINK] = { observe_link, apply_link, true },
	[OBJECT_ADDRESS] = { observe_address, apply_address, true },
	[OBJECT_ROUTE] = { observe_route, apply_route, true },
};

/* Tells of links that have gone as if the kernel had: their names are free now. */
static void links_gone(void *user)
{
	struct net *net = user;

	if (net->watch)
		watch_touch(net->watch, OBJECT_BIT(OBJECT_LINK));
}

int net_new(struct loop *loop, const char *state_dir, struct net **ret, struct sn_error *e)
{
	_cleanup_(net_freep) struct net *net = xcalloc(1, sizeof(*net));
	int r;

	net->loop = loop;
	r = netlink_new(NETLINK_ROUTE, &net->nl, e);
	if (r == 0)
		r = nft_new(&net->nft, e);
	if (r == 0)
		r = sysctls_load(state_dir, &net->sysctls, e);
	if (r < 0)
		return r;
	net->deleter = link_deleter_new(loop, links_gone, net);
	*ret = sn_steal(net);
	return 0;
}

void net_free(struct net *net)
{
	if (!net)
		return;
	watch_free(net->watch);
	net->watch = NULL;
	link_deleter_free(net->deleter);
	link_memory_fini(&net->memory);
	sysctls_free(net->sysctls);
	nft_free(net->nft);
	netlink_free(net->xfrm);
	netlink_free(net->nf);
	netlink_free(net->nl);
	free(net);
}

static void note_failure(struct net *net, const char *what, int r, const struct sn_error *e)
{
	snprintf(net->failure, sizeof(net->failure), "%s: %.200s", what,
		 r < 0 ? e->text : "changed at each try while it was read");
}

static int read_links(struct net *net, struct link_table *ret)
{
	struct sn_error e;
	int r = NETLINK_INTERRUPTED;

	for (int i = 0; i < OBSERVE_TRIES && r == NETLINK_INTERRUPTED; i++)
		r = link_table_read(net->nl, ret, &e);
	if (r != 0)
		note_failure(net, "all links", r, &e);
	else
		link_memory_see(&net->memory, ret);
	return r;
}

/* Reads one kind to the end of ret; true when it is complete and whole. */
static bool observe_kind(struct net *net, enum object_kind kind, const struct scene *scene,
			 struct object_set *ret)
{
	size_t before = ret->o.n;
	struct sn_error e;
	int r = 0;

	for (int i = 0; i < OBSERVE_TRIES; i++) {
		r = kinds[kind].observe(net, scene, ret, &e);
		if (r == 0)
			return true;
		while (ret->o.n > before)
			object_fini(&ret->o.v[--ret->o.n]);
		if (r < 0)
			break;
	}
	note_failure(net, object_kind_to_string(kind), r, &e);
	return false;
}

const char *net_last_failure(const struct net *net)
{
	return net->failure;
}

int net_write_esp_table(struct net *net, uint8_t family, uint16_t port, struct sn_error *e)
{
	if (!net->nf && netlink_new(NETLINK_NETFILTER, &net->nf, e) < 0)
		return e->code;
	return esp_table_write(net->nf, family, port, e);
}

void net_observe(struct net *net, const struct object_set *also, struct object_set *ret,
		 unsigned *ret_known)
{
	struct scene scene = { .also = also };
	bool links_known;

	net->failure[0] = '\0';
	*ret = (struct object_set){ 0 };
	*ret_known = 0;
	links_known = read_links(net, &scene.links) == 0;
	for (enum object_kind kind = 0; kind < OBJECT_KINDS; kind++) {
		if (kinds[kind].observe && (links_known || !kinds[kind].needs_links) &&
		    observe_kind(net, kind, &scene, ret))
			*ret_known |= OBJECT_BIT(kind);
	}
	link_table_fini(&scene.links);
	object_set_sort_found(ret);
}

int net_observe_links(struct net *net, struct object_set *ret)
{
	_cleanup_link_table_ struct link_table links = { 0 };
	int r = read_links(net, &links);

	if (r != 0)
		return r < 0 ? r : -EAGAIN;
	*ret = (struct object_set){ 0 };
	link_observe(&links, NULL, ret);
	return 0;
}

int net_apply(struct net *net, const struct plan_step *step, struct sn_error *e)
{
	enum object_kind kind = (step->wanted ? step->wanted : step->found)->kind;

	sn_require(kinds[kind].apply);
	return kinds[kind].apply(net, step, e);
}

void net_apply_end(struct net *net)
{
	link_deleter_submit(net->deleter);
}

static int open_xfrm(struct net *net, struct sn_error *e)
{
	return net->xfrm ? 0 : netlink_new(NETLINK_XFRM, &net->xfrm, e);
}

int net_xfrm_read(struct net *net, struct net_xfrm *ret, struct sn_error *e)
{
	int r = open_xfrm(net, e);

	if (r < 0)
		return r;
	r = NETLINK_INTERRUPTED;
	for (int i = 0; i < OBSERVE_TRIES && r == NETLINK_INTERRUPTED; i++)
		r = xfrm_read(net->xfrm, ret, e);
	return r <= 0 ? r : sn_error_set(e, -EAGAIN, "changed at each try while it was read");
}

int net_xfrm_delete_sa(struct net *net, const struct net_xfrm_sa *sa, struct sn_error *e)
{
	int r = open_xfrm(net, e);

	return r < 0 ? r : xfrm_delete_sa(net->xfrm, sa, e);
}

int net_xfrm_delete_policy(struct net *net, const struct net_xfrm_policy *policy,
			   struct sn_error *e)
{
	int r = open_xfrm(net, e);

	return r < 0 ? r : xfrm_delete_policy(net->xfrm, policy, e);
}

int net_xfrm_hold(struct net *net, uint32_t if_id, uint32_t spi, unsigned seconds,
		  struct sn_error *e)
{
	int r = open_xfrm(net, e);

	return r < 0 ? r : xfrm_hold(net->xfrm, if_id, spi, seconds, e);
}

int net_xfrm_release(struct net *net, uint32_t if_id, struct sn_error *e)
{
	int r = open_xfrm(net, e);

	return r < 0 ? r : xfrm_release(net->xfrm, if_id, e);
}

int net_watch(struct net *net, net_changed_fn fn, void *user, struct sn_error *e)
{
	int r;

	sn_require(!net->watch);
	r = watch_new(net->loop, WATCH_RECEIVE_BUFFER, fn, user, &net->watch, e);
	if (r == 0)
		watch_set_own(net->watch, netlink_port(net->nl));
	return r;
}

int net_default_device(struct net *net, char ret[static IFNAMSIZ])
{
	struct sn_error e;
	int index = 0;
	int r = NETLINK_INTERRUPTED;

	(void)net;
	for (int i = 0; i < OBSERVE_TRIES && r == NETLINK_INTERRUPTED; i++)
		r = route_default_index(&index, &e);
	if (r != 0)
		return r < 0 ? r : -EAGAIN;
	/* a device that left meanwhile took its route along */
	if (index == 0 || !if_indextoname((unsigned)index, ret))
		ret[0] = '\0';
	return 0;
}

/* Adds the device with this address, unless it is there already. */
static void add_underlay(struct net *net, const struct sn_addr *addr, struct net_underlay *u)
{
	struct link_info link;
	struct sn_error e;
	int index = 0;

	if (address_device(net->nl, addr, &index, &e) != 0 || index == 0 ||
	    link_get_index(net->nl, index, &link, &e) < 0)
		return;
	for (size_t i = 0; i < u->n; i++) {
		if (u->devices[i].index == index)
			return;
	}
	u->devices[u->n++] = (struct net_mtu){ .index = index, .mtu = link.o.mtu };
}

int net_has_address(struct net *net, const struct sn_addr *addr)
{
	struct sn_error e;
	int index = 0;
	int r = NETLINK_INTERRUPTED;

	for (int i = 0; i < OBSERVE_TRIES && r == NETLINK_INTERRUPTED; i++)
		r = address_device(net->nl, addr, &index, &e);
	if (r != 0)
		return r < 0 ? r : -EAGAIN;
	return index != 0;
}

int net_source_towards(struct net *net, const struct sn_addr *dst, struct sn_addr *ret)
{
	struct sn_error e;

	return address_towards(net->nl, dst, ret, &e);
}

void net_underlay_read(struct net *net, const struct sn_addr *addrs, size_t n,
		       const char *otherwise, struct net_underlay *ret)
{
	struct link_info link;
	struct sn_error e;

	*ret = (struct net_underlay){ 0 };
	for (size_t i = 0; i < n && i < NET_UNDERLAY_MAX; i++)
		add_underlay(net, &addrs[i], ret);
	if (ret->n == 0 && otherwise[0] && link_get(net->nl, otherwise, &link, &e) == 0)
		ret->devices[ret->n++] = (struct net_mtu){ .index = link.index, .mtu = link.o.mtu };
	for (size_t i = 0; i < ret->n; i++)
		ret->mtu = i == 0 ? ret->devices[i].mtu : SN_MIN(ret->mtu, ret->devices[i].mtu);
}

void net_watch_underlay(struct net *net, const struct net_underlay *underlay)
{
	if (net->watch)
		watch_set_mtus(net->watch, underlay->devices, underlay->n);
}

int net_has_docker_user(struct net *net)
{
	struct sn_error e;

	return docker_user_exists(nft_socket(net->nft), &e);
}

int net_advertised(struct net *net, struct intent_device ret[static INTENT_ADVERTISED_MAX],
		   bool *ret_forwards)
{
	char value[16];
	struct sn_error e;
	int r = sysctl_original(net->sysctls, "net/ipv6/conf/all/forwarding", value, sizeof(value));
	bool forwards = r == 0 && streq(value, "1");

	/* -ENOENT: no IPv6 */
	if (r < 0 && r != -ENOENT)
		return r;
	r = r < 0 || forwards ? 0 : -EAGAIN;
	for (int i = 0; i < OBSERVE_TRIES && r == -EAGAIN; i++)
		r = advertised_devices(net->nl, net->sysctls, ret, &e);
	if (r >= 0)
		*ret_forwards = forwards;
	return r;
}

int net_foreign(struct net *net, struct intent_foreign *ret)
{
	struct sn_error e;
	int r = -EAGAIN;

	for (int i = 0; i < OBSERVE_TRIES && r == -EAGAIN; i++)
		r = foreign_links(net->nl, ret, &e);
	return r;
}

int net_has_others_rules(struct net *net)
{
	struct sn_error e;

	return nft_has_others(net->nft, &e);
}

int net_sysctl_original(struct net *net, const char *path, char *ret, size_t size)
{
	return sysctl_original(net->sysctls, path, ret, size);
}

bool net_sysctl_is_ours(struct net *net, const char *path)
{
	return sysctl_is_ours(net->sysctls, path);
}

int net_sysctl_read(const char *path, char *ret, size_t size)
{
	return sysctl_read(path, ret, size);
}

bool net_has_ipv6(void)
{
	return access("/proc/sys/net/ipv6/conf", F_OK) == 0;
}

/* By ioctl(2): it does not wait for the kernel's lock. */
int net_device_index(struct net *net, const char *name)
{
	unsigned index = if_nametoindex(name);

	(void)net;
	return index ? (int)index : -ENODEV;
}
