/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/tunnel.h"

#include "plan/path.h"
#include "plan/wire.h"

#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>

bool tunnel_is_peer(const struct snapshot *s, const struct host *h)
{
	return h->state != HOST_GONE && !streq(h->id, s->self_id);
}

void tunnel_remark(struct wanted *w, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	*array_add(&w->remarks) = text;
}

/*
 * The smaller id, by bytes, owns the pair (design §7): it initiates. But whoever cannot be
 * reached has to; both ends have that from the metadata.
 */
static bool owns(const struct intent *intent, const struct host *peer)
{
	bool behind_nat = snapshot_self(intent->snapshot)->behind_nat;

	if (behind_nat != peer->behind_nat)
		return behind_nat;
	return strcmp(intent->snapshot->self_id, peer->id) < 0;
}

static void set_overlay_ips(const struct intent *intent, const struct host *peer,
			    struct wanted_peer *p)
{
	const struct host *self = snapshot_self(intent->snapshot);

	sn_addr_pair_foreach(&peer->overlay_ip, a) {
		const struct sn_addr *own = host_overlay_ip(self, a->family);

		if (!own || !wire_carries(intent, a->family))
			continue;
		p->overlay_ip = *a;
		p->own_overlay_ip = *own;
		return;
	}
}

void tunnel_add_peer(const struct intent *intent, const struct host *peer, const char *device,
		     uint32_t if_id, struct wanted *w)
{
	struct intent_path paths[PATHS_MAX];
	struct wanted_peer *p = array_add(&w->peers);
	size_t n = path_list(intent, peer, paths), used = path_chosen(intent, paths, n);

	snprintf(p->id, sizeof(p->id), "%s", peer->id);
	snprintf(p->device, sizeof(p->device), "%s", device);
	p->if_id = if_id;
	set_overlay_ips(intent, peer, p);
	p->owner = owns(intent, peer);
	p->n_paths = (unsigned)n;
	if (n > 0) {
		p->local = paths[used].local;
		p->remote = paths[used].remote;
	}
}

/* A secret file may name one secret twice. */
static bool is_repeated(const struct intent *intent, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (streq(intent->secrets[j].id, intent->secrets[i].id))
			return true;
	}
	return false;
}

void tunnel_add_keys(const struct intent *intent, const struct host *peer, struct object_set *set)
{
	for (size_t i = 0; i < intent->n_secrets; i++) {
		struct object_ike_key *k;

		if (is_repeated(intent, i))
			continue;
		k = object_set_add(set, OBJECT_IKE_KEY)->key;
		snprintf(k->id, sizeof(k->id), SENNIT_IKE_PREFIX "%s-%s", peer->id,
			 intent->secrets[i].id);
		snprintf(k->peer, sizeof(k->peer), "%s", peer->id);
		snprintf(k->secret, sizeof(k->secret), "%s", intent->secrets[i].id);
		k->order = (unsigned)i;
	}
}

/* Each once, and not the one in use. */
static void add_other(struct conn_others *others, const struct sn_addr *used,
		      const struct sn_addr *addr)
{
	if (sn_addr_cmp(used, addr) == 0)
		return;
	array_foreach(&others->a, o) {
		if (sn_addr_cmp(o, addr) == 0)
			return;
	}
	*array_add(&others->a) = *addr;
}

static void set_addresses(const struct intent *intent, const struct host *peer,
			  struct object_ike_conn *c)
{
	struct intent_path paths[PATHS_MAX];
	size_t n = path_list(intent, peer, paths), used = path_chosen(intent, paths, n);

	c->local_addr = paths[used].local;
	c->remote_addr = paths[used].remote;
	for (size_t i = 0; i < n; i++) {
		add_other(&c->local_others, &c->local_addr, &paths[i].local);
		add_other(&c->remote_others, &c->remote_addr, &paths[i].remote);
	}
	/*
	 * Who it is its key says, and not where it comes from: behind NAT that is never known,
	 * and after a new lease or a move the metadata do not know it yet.
	 */
	for (size_t i = 0; i < n; i++) {
		const struct sn_addr any = { .family = paths[i].remote.family };

		add_other(&c->remote_others, &c->remote_addr, &any);
	}
}

struct object_ike_conn *tunnel_add_conn(const struct intent *intent, const struct host *peer,
					struct wanted *w)
{
	struct intent_path paths[PATHS_MAX];
	struct object_ike_conn *c;

	if (path_list(intent, peer, paths) == 0) {
		tunnel_remark(w,
			      "no tunnel with host %s: this host has no underlay address of the "
			      "family of %s",
			      peer->id, SN_ADDR_STR(&peer->underlay.v[0]));
		return NULL;
	}
	c = object_set_add(&w->objects, OBJECT_IKE_CONN)->conn;
	snprintf(c->name, sizeof(c->name), SENNIT_IKE_PREFIX "%s", peer->id);
	snprintf(c->peer, sizeof(c->peer), "%s", peer->id);
	snprintf(c->self, sizeof(c->self), "%s", intent->snapshot->self_id);
	set_addresses(intent, peer, c);
	c->owner = owns(intent, peer);
	c->encap = intent->config->encap;
	c->ike_rekey_s = intent->config->ike_rekey_s;
	c->child_rekey_s = intent->config->child_rekey_s;
	return c;
}

/* It has prefixes, but not of this one. */
static bool lacks_family(const struct host *h, uint8_t family)
{
	return h->prefixes.n > 0 && !host_has_family(h, family);
}

void tunnel_add_route(const struct intent *intent, const struct sn_prefix *dst, const char *device,
		      struct object_set *set)
{
	/* we could only send to it with an address that nobody answers: rather unreachable */
	if (lacks_family(snapshot_self(intent->snapshot), dst->addr.family) ||
	    !wire_carries(intent, dst->addr.family))
		return;
	wire_add_route(intent, dst, device, set);
}
