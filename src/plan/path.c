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

size_t path_list(const struct intent *intent, const struct host *peer,
		 struct intent_path ret[static PATHS_MAX])
{
	const struct sn_addr *configured = &intent->config->underlay_address;
	const struct host *self = snapshot_self(intent->snapshot);
	size_t n = 0;

	array_foreach(&peer->underlay, remote) {
		if (configured->family == remote->family) {
			add(ret, &n, peer, configured, remote);
			continue;
		}
		array_foreach(&self->underlay, local) {
			if (local->family == remote->family)
				add(ret, &n, peer, local, remote);
		}
	}
	return n;
}

size_t path_chosen(const struct intent *intent, const struct intent_path *paths, size_t n)
{
	for (size_t i = 0; i < intent->n_paths; i++) {
		const struct intent_path *p = &intent->paths[i];

		if (n == 0 || !streq(p->peer, paths[0].peer))
			continue;
		for (size_t j = 0; j < n; j++) {
			if (sn_addr_cmp(&p->local, &paths[j].local) == 0 &&
			    sn_addr_cmp(&p->remote, &paths[j].remote) == 0)
				return j;
		}
	}
	return 0;
}
