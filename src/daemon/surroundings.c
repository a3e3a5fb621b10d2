/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be read is as it was: containers must not lose their way out, nor Docker's
 * chain our rules, because the kernel was busy.
 */
#include "daemon/surroundings.h"

#include <stdio.h>

static const struct surroundings_own *find_own(const struct surroundings *s,
					       const struct sn_addr *addr)
{
	for (size_t i = 0; i < s->n_own; i++)
		if (sn_addr_cmp(&s->own[i].addr, addr) == 0)
			return &s->own[i];
	return NULL;
}

/* Which of self's underlay addresses are not to be begun from, as struct intent wants them. */
static uint32_t away(const struct surroundings *s, const struct host *self)
{
	uint32_t missing = 0;

	for (size_t i = 0; i < self->underlay.n; i++) {
		const struct surroundings_own *own = find_own(s, &self->underlay.v[i]);

		if (own && own->away)
			missing |= 1u << i;
	}
	return missing;
}

void surroundings_tell(const struct surroundings *s, const struct host *self, struct intent *ret)
{
	memcpy(ret->uplink, s->uplink, sizeof(ret->uplink));
	ret->uplink_forwarding = s->uplink_forwarding;
	ret->docker_user = s->docker_user;
	ret->underlay_away = self ? away(s, self) : 0;
	ret->alone = s->alone;
	ret->underlay_mtu = s->underlay.mtu;
	ret->no_ipv6 = !net_has_ipv6();
	ret->ipv6_forwarding = s->ipv6_forwarding;
	ret->advertised = s->advertised;
	ret->n_advertised = s->n_advertised;
	ret->foreign = &s->foreign;
}

bool surroundings_moved(const struct surroundings *before, const struct surroundings *now)
{
	for (size_t i = 0; i < now->n_own; i++) {
		const struct surroundings_own *known = find_own(before, &now->own[i].addr);

		if (known && known->away != now->own[i].away)
			return true;
	}
	return now->n_lost > 0 &&
	       (now->n_lost != before->n_lost ||
		memcmp(now->lost, before->lost, now->n_lost * sizeof(now->lost[0])) != 0);
}

static void set_own(struct surroundings *s, const struct host *self,
		    const struct surroundings *before)
{
	s->n_own = SN_MIN(self->underlay.n, SN_ARRAY_SIZE(s->own));
	for (size_t i = 0; i < s->n_own; i++) {
		const struct surroundings_own *known = find_own(before, &self->underlay.v[i]);

		s->own[i] =
			known ? *known : (struct surroundings_own){ .addr = self->underlay.v[i] };
	}
}

static const struct surroundings_way *find_way(const struct surroundings_look *look,
					       const struct sn_addr *local)
{
	for (size_t i = 0; i < look->n_ways; i++)
		if (sn_addr_cmp(&look->ways[i].local, local) == 0)
			return &look->ways[i];
	return NULL;
}

static bool has_source(const struct surroundings_look *look, const struct sn_addr *remote,
		       struct net *net)
{
	struct sn_addr source;

	if (!sn_addr_is_set(remote) || net_source_towards(net, remote, &source) < 0 ||
	    !sn_addr_is_set(&source))
		return false;
	for (size_t i = 0; i < SN_ARRAY_SIZE(look->overlays); i++)
		if (sn_prefix_contains(&look->overlays[i], &source))
			return false; /* for want of any other on the device */
	return true;
}

/*
 * What left from it leaves from another address: a new lease, a host that moved. Where a tunnel
 * goes is surely on the underlay. Without one some host tells that packets reach: an entry of the
 * metadata can be anything, an address that each host has itself (docker0's) too.
 */
static bool is_replaced(const struct surroundings_look *look, const struct sn_addr *local,
			struct net *net)
{
	const struct surroundings_way *way = find_way(look, local);
	const struct sn_addr *remotes = look->remotes[sn_family_index(local->family)];

	if (way)
		return has_source(look, &way->remote, net);
	for (size_t i = 0; i < SURROUNDINGS_ASKED_MAX; i++)
		if (has_source(look, &remotes[i], net))
			return true;
	return false;
}

/*
 * One that no device has is that of a NAT in front of us, when nobody had it since the start, or
 * another one has taken its place. While nothing takes it, it may be back soon (a lease that is
 * renewed), and until then there is nothing else to begin from.
 */
static void look_at_own(struct surroundings_look *look, struct net *net)
{
	struct surroundings *s = &look->seen;

	for (size_t i = 0; i < s->n_own; i++) {
		struct surroundings_own *own = &s->own[i];
		int r = net_has_address(net, &own->addr);

		if (r == 1)
			own->away = false;
		else if (r == 0 && (look->first || is_replaced(look, &own->addr, net)))
			own->away = true;
	}
}

static void look_at_ways(struct surroundings_look *look, struct net *net)
{
	struct surroundings *s = &look->seen;

	s->n_lost = 0;
	for (size_t i = 0; i < look->n_ways; i++) {
		const struct sn_addr *local = &look->ways[i].local;

		if (net_has_address(net, local) == 0 && is_replaced(look, local, net))
			s->lost[s->n_lost++] = *local;
	}
}

void surroundings_look_add_way(struct surroundings_look *look, const struct sn_addr *local,
			       const struct sn_addr *remote)
{
	if (look->n_ways < SN_ARRAY_SIZE(look->ways) && !find_way(look, local))
		look->ways[look->n_ways++] =
			(struct surroundings_way){ .local = *local, .remote = *remote };
}

static const struct sn_addr *first_of(const struct host *h, uint8_t family)
{
	array_foreach(&h->underlay, addr)
		if (addr->family == family)
			return addr;
	return NULL;
}

static void add_remotes(struct surroundings_look *look, const struct snapshot *s, size_t family)
{
	size_t n = 0;

	array_foreach(&s->hosts, h) {
		const struct sn_addr *addr = first_of(h, sn_families[family]);

		if (n == SURROUNDINGS_ASKED_MAX)
			return;
		if (addr && !streq(h->id, s->self_id) && h->state != HOST_GONE)
			look->remotes[family][n++] = *addr;
	}
}

void surroundings_look_init(struct surroundings_look *look, const struct config *config,
			    const struct snapshot *s, const struct surroundings *before)
{
	const struct sn_prefix *overlay = snapshot_overlay(s, AF_INET);
	const struct host *self = snapshot_self(s);

	*look = (struct surroundings_look){ .seen = *before,
					    .first = before->n_own == 0,
					    .ipv6 = snapshot_overlay(s, AF_INET6) != NULL };
	if (overlay)
		look->overlays[0] = *overlay;
	overlay = snapshot_overlay(s, AF_INET6);
	if (overlay)
		look->overlays[1] = *overlay;
	set_own(&look->seen, self, before);
	for (size_t i = 0; i < SN_FAMILIES; i++)
		add_remotes(look, s, i);
	if (sn_addr_is_set(&config->underlay_address)) {
		look->addrs[look->n++] = config->underlay_address;
		return;
	}
	for (; look->n < SN_MIN(self->underlay.n, (size_t)NET_UNDERLAY_MAX); look->n++)
		look->addrs[look->n] = self->underlay.v[look->n];
}

static bool reads_one(const char *value)
{
	return streq(value, "1");
}

/*
 * The device of the default route, and whether it forwards without us: it did
 * before we came, or somebody (a Docker that started later) has switched on
 * forwarding for all since. Then what else it forwards is not ours to drop.
 */
static void look_at_uplink(struct surroundings *s, struct net *net)
{
	char path[96], before[16] = "0", all[16] = "0";
	char device[IFNAMSIZ];

	if (net_default_device(net, device) == 0)
		memcpy(s->uplink, device, sizeof(s->uplink));
	if (!s->uplink[0])
		return;
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", s->uplink);
	if (net_sysctl_original(net, path, before, sizeof(before)) < 0)
		before[0] = '\0';
	if (net_sysctl_read("net/ipv4/conf/all/forwarding", all, sizeof(all)) < 0)
		all[0] = '\0';
	s->uplink_forwarding = reads_one(before) || reads_one(all);
}

static void look_at_advertised(struct surroundings *s, struct net *net)
{
	struct intent_device found[INTENT_ADVERTISED_MAX] = { 0 };
	bool forwarding;
	int n = net_advertised(net, found, &forwarding);

	if (n < 0)
		return;
	memcpy(s->advertised, found, sizeof(found));
	s->n_advertised = (size_t)n;
	s->ipv6_forwarding = forwarding;
}

void surroundings_look_run(struct surroundings_look *look, struct net *net)
{
	struct net_underlay underlay;
	int docker_user, others;

	look_at_uplink(&look->seen, net);
	net_underlay_read(net, look->addrs, look->n, look->seen.uplink, &underlay);
	if (underlay.mtu > 0)
		look->seen.underlay = underlay;
	look_at_own(look, net);
	look_at_ways(look, net);
	docker_user = net_has_docker_user(net);
	if (docker_user >= 0)
		look->seen.docker_user = docker_user == 1;
	if (look->ipv6)
		look_at_advertised(&look->seen, net);
	net_foreign(net, &look->seen.foreign);
	others = net_has_others_rules(net);
	if (others >= 0)
		look->seen.alone = others == 0;
}
