/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/path.h"

#include <stdio.h>

static void add(struct intent_path *ret, size_t *n, const struct host *peer,
		const struct sn_addr *local, const struct sn_addr *remote)
{
	struct intent_path *p;

	if (*n == PATHS_MAX)
		return;
	p = &ret[(*n)++];
	*p = (struct intent_path){ .local = *local, .remote = *remote };
	snprintf(p->peer, sizeof(p->peer), "%s", peer->id);
}

/* Our addresses that packets to this one can leave from. */
static void add_locals(const struct intent *intent, const struct host *peer,
		       const struct sn_addr *remote, struct intent_path *ret, size_t *n)
{
	const struct host *self = snapshot_self(intent->snapshot);
	const struct sn_addr any = { .family = remote->family };
	bool away = false, here = false;

	for (size_t i = 0; i < self->underlay.n; i++) {
		const struct sn_addr *local = &self->underlay.v[i];

		if (local->family != remote->family)
			continue;
		if (intent->underlay_away >> i & 1) {
			away = true;
			continue;
		}
		here = true;
		add(ret, n, peer, local, remote);
	}
	if (away && !here)
		add(ret, n, peer, &any, remote);
}

size_t path_list(const struct intent *intent, const struct host *peer,
		 struct intent_path ret[static PATHS_MAX])
{
	const struct sn_addr *configured = &intent->config->underlay_address;
	size_t n = 0;

	array_foreach(&peer->underlay, remote) {
		if (configured->family == remote->family)
			add(ret, &n, peer, configured, remote);
		else
			add_locals(intent, peer, remote, ret, &n);
	}
	return n;
}

static int cmp_peer(const void *id, const void *path)
{
	return strcmp(id, ((const struct intent_path *)path)->peer);
}

size_t path_chosen(const struct intent *intent, const struct intent_path *paths, size_t n)
{
	const struct intent_path *p = NULL;

	if (n > 0 && intent->n_paths > 0)
		p = bsearch(paths[0].peer, intent->paths, intent->n_paths, sizeof(*p), cmp_peer);
	for (size_t j = 0; p && j < n; j++) {
		if (sn_addr_cmp(&p->local, &paths[j].local) == 0 &&
		    sn_addr_cmp(&p->remote, &paths[j].remote) == 0)
			return j;
	}
	return 0;
}
