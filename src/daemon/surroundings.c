/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be read is as it was: containers must not lose their way out, nor Docker's
 * chain our rules, because the kernel was busy.
 */
#include "daemon/surroundings.h"

#include <stdio.h>

#define AWAY_MS 2000
#define AWAY_LOOK_MS 1500 /* until the look that finds it away has surely been */

static const struct surroundings_own *find_own(const struct surroundings *s,
					       const struct sn_addr *addr)
{
	for (size_t i = 0; i < s->n_own; i++)
		if (sn_addr_cmp(&s->own[i].addr, addr) == 0)
			return &s->own[i];
	return NULL;
}

/*
 * Which of self's underlay addresses no device has, as struct intent wants them: of
 * a NAT in front of us. One that is missed while we run may be back soon (a lease that
 * is renewed), and counts only when it stays away.
 */
static uint32_t away(const struct surroundings *s, const struct host *self)
{
	uint32_t missing = 0;

	for (size_t i = 0; i < self->underlay.n; i++) {
		const struct surroundings_own *own = find_own(s, &self->underlay.v[i]);

		if (own && own->missing_ms && sn_now_ms() - own->missing_ms >= AWAY_MS)
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

bool surroundings_are_unsure(const struct surroundings *s)
{
	int64_t now = sn_now_ms();

	for (size_t i = 0; i < s->n_own; i++) {
		int64_t missing = s->own[i].missing_ms;

		if (missing && now - missing < AWAY_MS + AWAY_LOOK_MS)
			return true;
	}
	return false;
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

/* At the first look who is missing is not expected. */
static void look_at_own(struct surroundings *s, struct net *net, bool first)
{
	for (size_t i = 0; i < s->n_own; i++) {
		struct surroundings_own *own = &s->own[i];
		int r = net_has_address(net, &own->addr);

		if (r == 1)
			own->missing_ms = 0;
		else if (r == 0 && own->missing_ms == 0)
			own->missing_ms = sn_now_ms() - (first ? AWAY_MS : 0);
	}
}

void surroundings_look_init(struct surroundings_look *look, const struct config *config,
			    const struct snapshot *s, const struct surroundings *before)
{
	const struct host *self = snapshot_self(s);

	*look = (struct surroundings_look){ .seen = *before,
					    .first = before->n_own == 0,
					    .ipv6 = snapshot_overlay(s, AF_INET6) != NULL };
	set_own(&look->seen, self, before);
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
	look_at_own(&look->seen, net, look->first);
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
