/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page /metrics from its values (metrics.h); pure. */
#include "daemon/metrics.h"

#include <math.h>
#include <stddef.h>

struct family {
	const char *name, *label, *help;
	enum exposition_type type;
	size_t offset; /* of the value */
};

#define X(member, type, name, help)                                                                \
	{ name, NULL, help, EXPOSITION_##type, offsetof(struct metrics, member) },
static const struct family host_families[] = { METRICS_HOST(X) };
#undef X
#define X(member, type, name, label, help)                                                         \
	{ name, label, help, EXPOSITION_##type, offsetof(struct metrics, member) },
static const struct family set_families[] = { METRICS_SETS(X) };
#undef X
#define X(member, type, name, help)                                                                \
	{ name, "peer", help, EXPOSITION_##type, offsetof(struct metrics_peer, member) },
static const struct family peer_families[] = { METRICS_PEER(X) };
#undef X

/* Those of a peer; who is gone is no peer. */
static const enum peer_state states[] = { PEER_CONNECTING, PEER_UP, PEER_DEGRADED, PEER_DOWN };

#define MEMBER(base, family, type) ((type *)((char *)(base) + (family)->offset))
#define CONST_MEMBER(base, family, type) ((const type *)((const char *)(base) + (family)->offset))

void metrics_init(struct metrics *m)
{
	*m = (struct metrics){ 0 };
	for (size_t i = 0; i < SN_ARRAY_SIZE(host_families); i++)
		*MEMBER(m, &host_families[i], double) = NAN;
}

void metrics_fini(struct metrics *m)
{
	array_free(&m->peers);
}

struct metrics_peer *metrics_add_peer(struct metrics *m, const char *id)
{
	struct metrics_peer *p = array_add(&m->peers);

	p->id = id;
	for (size_t i = 0; i < SN_ARRAY_SIZE(peer_families); i++)
		*MEMBER(p, &peer_families[i], double) = NAN;
	return p;
}

void metrics_set_add(struct metrics_set *set, const char *value, double number)
{
	for (size_t i = 0; i < set->n; i++) {
		if (streq(set->v[i].value, value)) {
			set->v[i].number += number;
			return;
		}
	}
	if (set->n == METRICS_SET_MAX)
		return;
	set->v[set->n].value = value;
	set->v[set->n++].number = number;
}

static void add_head(struct strbuf *b, const struct family *f)
{
	exposition_head(b, f->name, f->type, f->help);
}

static void add_host(struct strbuf *b, const struct metrics *m)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(host_families); i++) {
		const struct family *f = &host_families[i];
		double value = *CONST_MEMBER(m, f, double);

		if (isnan(value))
			continue;
		add_head(b, f);
		exposition_sample(b, f->name, NULL, 0, value);
	}
}

static void add_sets(struct strbuf *b, const struct metrics *m)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(set_families); i++) {
		const struct family *f = &set_families[i];
		const struct metrics_set *set = CONST_MEMBER(m, f, struct metrics_set);

		if (set->n == 0)
			continue;
		add_head(b, f);
		for (size_t k = 0; k < set->n; k++) {
			const struct exposition_label label = { f->label, set->v[k].value };

			exposition_sample(b, f->name, &label, 1, set->v[k].number);
		}
	}
}

static void add_infos(struct strbuf *b, const struct metrics *m)
{
	const struct exposition_label build[] = { { "version", m->version } };
	const struct exposition_label host[] = {
		{ "host", m->host },
		{ "mesh", m->mesh },
		{ "dataplane", m->dataplane },
	};

	exposition_head(b, "sennit_build_info", EXPOSITION_GAUGE, "The release; always 1.");
	exposition_sample(b, "sennit_build_info", build, SN_ARRAY_SIZE(build), 1);
	if (!m->host)
		return;
	exposition_head(b, "sennit_host_info", EXPOSITION_GAUGE,
			"This host, its mesh and what carries ESP; always 1.");
	exposition_sample(b, "sennit_host_info", host, SN_ARRAY_SIZE(host), 1);
}

/* The name of a peer, for joins on peer: a label that may change stands nowhere else. */
static void add_peer_infos(struct strbuf *b, const struct metrics *m)
{
	exposition_head(b, "sennit_peer_info", EXPOSITION_GAUGE,
			"Name and addresses of the peer; always 1.");
	array_foreach(&m->peers, p) {
		const struct exposition_label labels[] = {
			{ "peer", p->id },
			{ "name", p->name ? p->name : "" },
			{ "address", p->address },
			{ "overlay_ip", p->overlay_ip },
		};

		exposition_sample(b, "sennit_peer_info", labels, SN_ARRAY_SIZE(labels), 1);
	}
}

/* A state set: 1 at the state that the peer is in, 0 at the others. */
static void add_peer_states(struct strbuf *b, const struct metrics *m)
{
	exposition_head(b, "sennit_peer_state", EXPOSITION_GAUGE,
			"1 at the state that the peer is in, 0 at the others.");
	array_foreach(&m->peers, p) {
		for (size_t i = 0; i < SN_ARRAY_SIZE(states); i++) {
			const struct exposition_label labels[] = {
				{ "peer", p->id },
				{ "state", peer_state_to_string(states[i]) },
			};

			exposition_sample(b, "sennit_peer_state", labels, SN_ARRAY_SIZE(labels),
					  p->state == states[i]);
		}
	}
}

/* Only the cause that is: a set of all twenty would be most of the page. */
static void add_peer_causes(struct strbuf *b, const struct metrics *m)
{
	bool headed = false;

	array_foreach(&m->peers, p) {
		const struct exposition_label labels[] = {
			{ "peer", p->id },
			{ "cause", peer_cause_to_string(p->cause) },
		};

		if (p->cause == CAUSE_NONE)
			continue;
		if (!headed)
			exposition_head(b, "sennit_peer_cause", EXPOSITION_GAUGE,
					"1 at the cause why the peer is not simply up; absent "
					"when there is none.");
		headed = true;
		exposition_sample(b, "sennit_peer_cause", labels, SN_ARRAY_SIZE(labels), 1);
	}
}

static void add_peer_values(struct strbuf *b, const struct metrics *m)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(peer_families); i++) {
		const struct family *f = &peer_families[i];
		bool headed = false;

		array_foreach(&m->peers, p) {
			const struct exposition_label label = { f->label, p->id };
			double value = *CONST_MEMBER(p, f, double);

			if (isnan(value))
				continue;
			if (!headed)
				add_head(b, f);
			headed = true;
			exposition_sample(b, f->name, &label, 1, value);
		}
	}
}

void metrics_write(const struct metrics *m, struct strbuf *b)
{
	add_infos(b, m);
	add_host(b, m);
	add_sets(b, m);
	if (m->peers.n == 0)
		return;
	add_peer_infos(b, m);
	add_peer_states(b, m);
	add_peer_causes(b, m);
	add_peer_values(b, m);
}
