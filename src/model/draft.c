/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/draft.h"

#include <errno.h>
#include <stdio.h>

void draft_init(struct draft *d, const struct draft_words *words)
{
	memset(d, 0, sizeof(*d));
	d->words = words;
	d->snapshot = snapshot_new();
}

void draft_fini(struct draft *d)
{
	snapshot_free(d->snapshot);
	array_free(&d->hosts);
	array_free(&d->singles);
	array_free(&d->refused);
	array_free(&d->singles_stay);
	memset(d, 0, sizeof(*d));
}

struct host *draft_add_host(struct draft *d, const char *id, size_t index)
{
	array_add(&d->hosts)->index = index;
	return snapshot_add_host(d->snapshot, id);
}

void draft_copy_host(struct host *to, const struct host *from)
{
	to->name = xstrdup(from->name);
	to->state = from->state;
	to->created_ms = from->created_ms;
	to->overlay_ip = from->overlay_ip;
	to->behind_nat = from->behind_nat;
	array_foreach(&from->underlay, a) {
		*array_add(&to->underlay) = *a;
	}
}

void draft_refuse_host(struct draft *d, const char *id, const struct sn_addr *addr, size_t index)
{
	struct draft_refused *r = array_add(&d->refused);

	snprintf(r->id, sizeof(r->id), "%s", id ? id : "");
	if (addr)
		r->addr = *addr;
	r->index = index;
}

void draft_refuse_container(struct draft *d, const char *host_id)
{
	if (!host_id)
		d->all_singles_stay = true;
	else if (host_id_valid(host_id))
		snprintf(array_add(&d->singles_stay)->id, SN_ID_SIZE, "%s", host_id);
}

void draft_add_problem(struct draft *d, const char *place, const struct sn_error *e)
{
	if (d->snapshot->problems.n < SNAPSHOT_MAX_PROBLEMS)
		problem_from_error(array_add(&d->snapshot->problems), place, e);
}

char *draft_host_place(const struct draft *d, size_t host, const char *key, bool list, size_t sub)
{
	size_t index = d->hosts.v[host].index;

	return list ? xasprintf("/hosts/%zu/%s/%zu", index, key, sub)
		    : xasprintf("/hosts/%zu/%s", index, key);
}

char *draft_single_place(const struct draft *d, const struct draft_single *single)
{
	if (d->words->containers_in_hosts)
		return xasprintf("/hosts/%zu/containers/%zu/ip", single->host_index, single->index);
	return xasprintf("/containers/%zu/primary_ip", single->index);
}
