/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole state as JSON: what `sennit status` and /v1/status show. The keys
 * are an interface: they are added to, not changed. Times are seconds before
 * now ("age", "since") or milliseconds of the wall clock ("_ms"). Of what there may be one
 * of each family a singular is IPv4's, else IPv6's, and its plural a list of all
 * ("overlay", "overlays").
 */
#include "daemon/daemon.h"

#include <inttypes.h>
#include <stdio.h>

/* Of one host: in the flat plan each container is one, and there may be 50,000 of them. */
#define SHOWN_PREFIXES 16
/* Objects that wait, and as many that fail. */
#define SHOWN_TROUBLES 100

static json_t *text_or_null(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

static json_t *hex(uint64_t v, int digits)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%0*" PRIx64, digits, v);
	return json_string(buf);
}

static json_t *ago(const struct daemon *d, int64_t at_ms)
{
	return json_real((double)(loop_now(d->loop) - at_ms) / 1000);
}

/* The first of them; how many there are stands beside, as "n_prefixes". */
static json_t *prefixes_json(const struct host *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < SN_MIN(h->prefixes.n, (size_t)SHOWN_PREFIXES); i++)
		json_array_append_new(list, json_string(SN_PREFIX_STR(&h->prefixes.v[i])));
	return list;
}

static json_t *host_json(const struct daemon *d)
{
	const struct host *self = d->snapshot ? snapshot_self(d->snapshot) : NULL;

	if (!self)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "id", self->id, "name",
			 json_from_text(self->name), "overlay_ip",
			 json_from_addr(sn_addr_pair_first(&self->overlay_ip)), "overlay_ips",
			 json_list_addr_pair(&self->overlay_ip), "underlay",
			 json_from_addr(&self->underlay.v[0]), "prefixes", prefixes_json(self),
			 "n_prefixes", (json_int_t)self->prefixes.n);
}

static json_t *mesh_json(const struct daemon *d)
{
	const struct snapshot *s = d->snapshot;

	if (!s)
		return json_null();
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "id", s->mesh_id, "name",
			 json_from_text(s->mesh_name ? s->mesh_name : s->mesh_id), "overlay",
			 SN_PREFIX_STR(sn_prefix_pair_first(&s->overlay)), "overlays",
			 json_list_prefix_pair(&s->overlay), "revision",
			 json_from_text(s->revision ? s->revision : ""), "source",
			 json_from_text(s->source ? s->source : ""));
}

static json_t *dataplane_json(const struct daemon *d)
{
	json_t *remarks = json_array();

	array_foreach(&d->wanted.remarks, r)
		json_array_append_new(remarks, json_string(*r));
	return json_pack("{s:s, s:o, s:i}", "name", d->dataplane->name, "remarks", remarks, "mtu",
			 daemon_mtu(d));
}

static json_t *problems_json(struct daemon *d, bool *ret_healthy)
{
	struct host_problem problems[HOST_PROBLEMS_MAX];
	size_t n = problems_collect(d, problems);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:s, s:o}", "what", problems[i].what, "text",
					json_from_text(problems[i].text), "next", problems[i].next,
					"since_s", ago(d, problems[i].since_ms)));
	*ret_healthy = n == 0;
	return list;
}

static json_t *metadata_json(const struct daemon *d)
{
	struct metadata_status s = { 0 };
	json_t *last_ok = json_null(), *stored = json_null();
	const char *error;

	if (d->metadata)
		metadata_get_status(d->metadata, &s);
	if (s.last_ok_ms)
		last_ok = json_real((double)(sn_now_ms() - s.last_ok_mono_ms) / 1000);
	if (d->from_store && d->stored_ms)
		/* the clock may have been set since */
		stored = json_real((double)SN_MAX(sn_wall_ms() - d->stored_ms, 0) / 1000);
	/* metadata_error is the last one that was logged, the status has the last one of all */
	error = d->self.doubt == IDENTITY_HEARSAY ? d->self.text
		: d->metadata_error && s.error    ? s.error
						  : d->metadata_error;
	return json_pack("{s:b, s:o, s:o, s:b, s:o, s:I, s:I, s:I}", "ok", error == NULL, "error",
			 error ? json_from_text(error) : json_null(), "last_ok_s", last_ok,
			 "from_store", d->from_store, "stored_s", stored, "reads",
			 (json_int_t)s.reads, "failures", (json_int_t)s.failures, "torn",
			 (json_int_t)s.torn);
}

static json_t *charon_json(const struct daemon *d)
{
	if (!d->ike)
		return json_pack("{s:b, s:i, s:n}", "online", 0, "pid", 0, "boot_id");
	return json_pack("{s:b, s:i, s:o}", "online",
			 ike_is_online(d->ike) && ike_silent_since(d->ike) == 0, "pid",
			 ike_charon_pid(d->ike), "boot_id", hex(ike_boot_id(d->ike), 16));
}

static json_t *apply_json(const struct daemon *d)
{
	const struct reconcile_status *s = reconcile_get_status(d->reconcile);
	json_t *waiting = json_array(), *failing = json_array();
	json_int_t n_waiting = 0, n_failing = 0;

	array_foreach(&s->troubles.all, t) {
		if (++*(t->text ? &n_failing : &n_waiting) > SHOWN_TROUBLES)
			continue;
		if (!t->text)
			json_array_append_new(waiting, json_from_text(t->object));
		else
			json_array_append_new(failing, json_pack("{s:o, s:o, s:o}", "object",
								 json_from_text(t->object), "error",
								 json_from_text(t->text), "since_s",
								 ago(d, t->since_ms)));
	}
	return json_pack("{s:o, s:I, s:o, s:I, s:b, s:I, s:I, s:I}", "waiting", waiting,
			 "n_waiting", n_waiting, "failing", failing, "n_failing", n_failing,
			 "settled", s->settled, "passes", (json_int_t)s->passes, "changes",
			 (json_int_t)s->changes, "repairs", (json_int_t)s->repairs);
}

static json_t *tunnel_json(const struct daemon *d, const char *peer)
{
	const struct ike_child *c = NULL;
	const struct ike_sa *sa = d->ike ? ike_peer_sa(d->ike, peer, &c) : NULL;

	if (!sa || !c)
		return json_null();
	return json_pack("{s:b, s:o, s:i, s:o, s:i, s:o, s:o, s:I, s:I, "
			 "s:{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}}",
			 "initiator", sa->initiator, "local_address", json_from_addr(&sa->local),
			 "local_port", sa->local_port, "remote_address",
			 json_from_addr(&sa->remote), "remote_port", sa->remote_port, "spi_i",
			 hex(sa->spi_i, 16), "spi_r", hex(sa->spi_r, 16), "age_s",
			 (json_int_t)sa->age_s, "rekey_in_s", (json_int_t)sa->rekey_in_s, "child",
			 "spi_in", hex(c->spi_in, 8), "spi_out", hex(c->spi_out, 8), "age_s",
			 (json_int_t)c->age_s, "rekey_in_s", (json_int_t)c->rekey_in_s, "bytes_in",
			 (json_int_t)c->bytes_in, "bytes_out", (json_int_t)c->bytes_out,
			 "packets_in", (json_int_t)c->packets_in, "packets_out",
			 (json_int_t)c->packets_out);
}

static json_t *verdict_json(struct daemon *d, const char *peer)
{
	struct verdict v = { 0 };

	health_get(d->health, peer, loop_now(d->loop), &v);
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:f, s:o}", "state",
			 peer_state_to_string(v.state), "cause", peer_cause_to_string(v.cause),
			 "since_s", ago(d, v.since_ms ? v.since_ms : d->started_ms), "evidence",
			 v.evidence, "not_excluded", peer_cause_not_excluded(v.cause), "next",
			 peer_cause_next_step(v.cause), "rtt_ms",
			 v.has_rtt ? json_real(v.rtt_ms) : json_null(), "loss", v.loss,
			 "last_heard_s", v.last_heard_ms ? ago(d, v.last_heard_ms) : json_null());
}

/* The one that is measured; of a host with none of our families the one it has. */
static const struct sn_addr *overlay_ip_of(const struct wanted_peer *w, const struct host *h)
{
	return sn_addr_is_set(&w->overlay_ip) || !h ? &w->overlay_ip
						    : sn_addr_pair_first(&h->overlay_ip);
}

static json_t *peer_json(struct daemon *d, const struct wanted_peer *w)
{
	const struct host *h = snapshot_find(d->snapshot, w->id);
	json_t *peer = verdict_json(d, w->id);
	const char *error = d->ike ? ike_peer_last_error(d->ike, w->id) : "";

	json_object_set_new(peer, "id", json_string(w->id));
	json_object_set_new(peer, "name", h ? json_from_text(h->name) : json_null());
	json_object_set_new(peer, "address",
			    sn_addr_is_set(&w->remote) ? json_from_addr(&w->remote)
			    : h                        ? json_from_addr(&h->underlay.v[0])
						       : json_null());
	json_object_set_new(peer, "local_address",
			    sn_addr_is_any(&w->local) ? json_null() : json_from_addr(&w->local));
	json_object_set_new(peer, "paths", json_integer(w->n_paths));
	json_object_set_new(peer, "overlay_ip", json_from_addr(overlay_ip_of(w, h)));
	json_object_set_new(peer, "overlay_ips",
			    h ? json_list_addr_pair(&h->overlay_ip) : json_array());
	json_object_set_new(peer, "prefixes", h ? prefixes_json(h) : json_array());
	json_object_set_new(peer, "n_prefixes", json_integer(h ? (json_int_t)h->prefixes.n : 0));
	json_object_set_new(peer, "owner", json_boolean(w->owner));
	json_object_set_new(peer, "device", json_string(w->device));
	json_object_set_new(peer, "tunnel", tunnel_json(d, w->id));
	json_object_set_new(peer, "last_error", *error ? json_from_text(error) : json_null());
	return peer;
}

static json_t *peers_json(struct daemon *d)
{
	json_t *list = json_array();

	array_foreach(&d->wanted.peers, w)
		json_array_append_new(list, peer_json(d, w));
	return list;
}

/* Probes that reached charon: what `sennit-probe --from` asks for. */
static json_t *probes_json(const struct daemon *d)
{
	const struct arrivals *a = d->ike ? ike_arrivals(d->ike) : NULL;
	json_t *list = json_array();

	for (size_t i = 0; a && i < a->n; i++)
		json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "address",
						      json_from_addr(&a->v[i].from), "count",
						      (json_int_t)a->v[i].count, "last_s",
						      ago(d, a->v[i].last_ms)));
	return list;
}

static json_t *gone_json(const struct daemon *d)
{
	json_t *list = json_array();

	if (!d->snapshot)
		return list;
	array_foreach(&d->snapshot->hosts, h)
		if (h->state == HOST_GONE)
			json_array_append_new(list,
					      json_pack("{s:s, s:o, s:o}", "id", h->id, "name",
							json_from_text(h->name), "replaced_by",
							text_or_null(h->replaced_by)));
	return list;
}

static json_t *refused_json(const struct daemon *d)
{
	json_t *list = json_array();

	if (!d->snapshot)
		return list;
	array_foreach(&d->snapshot->problems, p)
		json_array_append_new(list,
				      json_pack("{s:o, s:o}", "place", json_from_text(p->place),
						"text", json_from_text(p->text)));
	return list;
}

json_t *status_attachment(struct daemon *d, const struct attachment *a)
{
	struct sn_addr_pair gateways = attachment_gateways(d->attachments, a);
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", a->mac[0], a->mac[1], a->mac[2],
		 a->mac[3], a->mac[4], a->mac[5]);
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:i, s:s, s:s, s:s, s:b, s:b, s:f}", "id",
			 a->id, "label", a->label ? json_from_text(a->label) : json_null(),
			 "address", SN_PREFIX_STR(sn_prefix_pair_first(&a->addr)), "addresses",
			 json_list_prefix_pair(&a->addr), "gateway",
			 json_from_addr(sn_addr_pair_first(&gateways)), "gateways",
			 json_list_addr_pair(&gateways), "mtu", daemon_mtu(d), "mac", mac, "ifname",
			 a->ifname, "veth", a->veth, "ready", a->ready, "misplaced",
			 attachment_is_misplaced(d->attachments, a), "age_s",
			 (double)(sn_wall_ms() - a->created_ms) / 1000);
}

json_t *status_attachments(struct daemon *d)
{
	json_t *list = json_array();
	size_t n;
	const struct attachment *all = attachments_all(d->attachments, &n);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, status_attachment(d, &all[i]));
	return list;
}

static json_t *loop_json(const struct daemon *d)
{
	const struct loop_stats *s = loop_get_stats(d->loop);

	return json_pack("{s:I, s:I, s:I}", "slowest_turn_ms", (json_int_t)s->slowest_turn_ms,
			 "slow_turns", (json_int_t)s->slow_turns, "stalls", (json_int_t)s->stalls);
}

json_t *status_to_json(struct daemon *d)
{
	bool healthy;
	json_t *problems = problems_json(d, &healthy);
	json_t *status =
		json_pack("{s:s, s:I, s:I, s:s, s:b, s:b, s:o}", "version", SENNIT_VERSION,
			  "now_ms", (json_int_t)sn_wall_ms(), "started_ms",
			  (json_int_t)d->started_wall_ms, "mode", d->down ? "down" : "up",
			  "healthy", healthy, "ready", daemon_is_ready(d), "problems", problems);

	json_object_set_new(status, "host", host_json(d));
	json_object_set_new(status, "mesh", mesh_json(d));
	json_object_set_new(status, "dataplane", dataplane_json(d));
	json_object_set_new(status, "metadata", metadata_json(d));
	json_object_set_new(status, "charon", charon_json(d));
	json_object_set_new(status, "apply", apply_json(d));
	json_object_set_new(status, "peers", peers_json(d));
	json_object_set_new(status, "probes", probes_json(d));
	json_object_set_new(status, "gone", gone_json(d));
	json_object_set_new(status, "refused", refused_json(d));
	json_object_set_new(status, "attachments", status_attachments(d));
	json_object_set_new(status, "loop", loop_json(d));
	json_object_set_new(status, "log",
			    json_pack("{s:s, s:s}", "level", log_level_to_string(log_get_level()),
				      "format", log_format_to_string(log_get_format())));
	return status;
}
