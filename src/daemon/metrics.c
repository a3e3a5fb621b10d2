/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The values of /metrics, taken from the daemon when somebody asks; and what has to
 * be done each second for them to be true: the traffic of CHILD_SAs that end
 * between two questions, and log lines that were counted.
 */
#include "daemon/metrics.h"

#include "base/file.h"
#include "base/log.h"
#include "daemon/daemon.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>

#define TICK_MS 1000
/* The wall clock is followed when it was set; else a timestamp of the past would tremble. */
#define CLOCK_SET_MS 1000

static void on_tick(void *user)
{
	struct daemon *d = user;
	const struct ike_sa *sas;
	size_t n;

	loop_timer_set(d->tick, TICK_MS);
	if (d->ike && ike_is_online(d->ike)) {
		sas = ike_sas(d->ike, &n);
		traffic_look(d->traffic, sas, n, loop_now(d->loop));
	}
	log_tick();
}

void metrics_start(struct daemon *d)
{
	d->traffic = traffic_new(loop_now(d->loop));
	d->tick = loop_timer_new(d->loop, on_tick, d);
	loop_timer_set(d->tick, TICK_MS);
}

void metrics_stop(struct daemon *d)
{
	loop_timer_free(d->tick);
	traffic_free(d->traffic);
}

/* --- times -------------------------------------------------------------------- */

/* sn_wall_ms() of a moment of sn_now_ms(), in seconds. */
static double timestamp(struct daemon *d, int64_t at_ms)
{
	int64_t offset = sn_wall_ms() - sn_now_ms();

	if (llabs(offset - d->wall_offset_ms) > CLOCK_SET_MS)
		d->wall_offset_ms = offset;
	return (double)(at_ms + d->wall_offset_ms) / 1000;
}

/* 0 stands for never. */
static double wall_timestamp(int64_t wall_ms)
{
	return wall_ms ? (double)wall_ms / 1000 : NAN;
}

/* --- this host ---------------------------------------------------------------- */

static void take_health(struct daemon *d, struct metrics *m)
{
	struct host_problem problems[HOST_PROBLEMS_MAX];
	size_t n = problems_collect(d, problems);

	m->healthy = n == 0;
	m->ready = daemon_is_ready(d);
	m->down = d->down;
	for (size_t i = 0; host_problem_names[i]; i++)
		metrics_set_add(&m->problems, host_problem_names[i], 0);
	for (size_t i = 0; i < n; i++)
		metrics_set_add(&m->problems, problems[i].what, 1);
}

static void take_metadata(struct daemon *d, struct metrics *m)
{
	struct metadata_status s = { 0 };

	if (d->metadata)
		metadata_get_status(d->metadata, &s);
	m->metadata_ok = !d->metadata_error && d->self.doubt != IDENTITY_HEARSAY;
	m->metadata_stored = d->from_store;
	m->metadata_success = wall_timestamp(s.last_ok_ms);
	m->metadata_change = wall_timestamp(s.last_change_ms);
	m->metadata_reads = (double)s.reads;
	m->metadata_failures = (double)s.failures;
	m->metadata_torn = (double)s.torn;
}

static void take_snapshot(struct daemon *d, struct metrics *m)
{
	const struct snapshot *s = d->snapshot;

	if (!s)
		return;
	m->host = s->self_id;
	m->mesh = s->mesh_id;
	m->dataplane = d->dataplane->name;
	m->refused = (double)s->problems.n;
	metrics_set_add(&m->hosts, "present", 0);
	metrics_set_add(&m->hosts, "gone", 0);
	array_foreach(&s->hosts, h)
		metrics_set_add(&m->hosts, h->state == HOST_GONE ? "gone" : "present", 1);
}

static void take_reconcile(struct daemon *d, struct metrics *m)
{
	const struct reconcile_status *s = reconcile_get_status(d->reconcile);

	if (d->snapshot)
		m->guard = !s->guard_missing && s->passes > 0;
	m->passes = (double)s->passes;
	m->settled = s->settled;
	m->failing = m->waiting = 0;
	array_foreach(&s->troubles.all, t)
		*(t->text ? &m->failing : &m->waiting) += 1;
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		const char *name = object_kind_to_string((enum object_kind)kind);

		metrics_set_add(&m->changes, name, (double)s->kinds[kind].changes);
		metrics_set_add(&m->repairs, name, (double)s->kinds[kind].repairs);
		metrics_set_add(&m->step_failures, name, (double)s->kinds[kind].failures);
	}
}

static void take_attachments(struct daemon *d, struct metrics *m)
{
	size_t n;
	const struct attachment *all = attachments_all(d->attachments, &n);

	metrics_set_add(&m->attachments, "ready", 0);
	metrics_set_add(&m->attachments, "unfinished", 0);
	for (size_t i = 0; i < n; i++)
		metrics_set_add(&m->attachments, all[i].ready ? "ready" : "unfinished", 1);
	m->misplaced = (double)attachments_misplaced(d->attachments);
}

static void take_ike(struct daemon *d, struct metrics *m)
{
	const struct ike_stats *s;

	m->charon_online = d->ike && ike_is_online(d->ike) && ike_silent_since(d->ike) == 0;
	if (!d->ike)
		return;
	s = ike_get_stats(d->ike);
	m->charon_outages = (double)s->outages;
	m->charon_restarts = (double)s->restarts;
	m->ike_initiations = (double)s->initiations;
	m->ike_failures = (double)s->failures;
}

static void take_probe(struct daemon *d, struct metrics *m)
{
	const struct probe_stats *s = probe_get_stats(d->probe);

	m->beats_sent = (double)s->sent;
	m->beats_received = (double)s->received;
	m->echoes_sent = (double)s->echoes_sent;
	m->echoes_answered = (double)s->echoes_answered;
	m->send_errors = (double)s->send_errors;
	metrics_set_add(&m->beats_refused, "malformed", (double)s->bad);
	metrics_set_add(&m->beats_refused, "bad-mac", (double)s->bad_mac);
	metrics_set_add(&m->beats_refused, "unknown-peer", (double)s->unknown_peer);
	metrics_set_add(&m->beats_refused, "replayed", (double)s->replayed);
}

static void take_loop(struct daemon *d, struct metrics *m)
{
	const struct loop_stats *s = loop_get_stats(d->loop);

	m->slow_turns = (double)s->slow_turns;
	m->slowest_turn = (double)s->slowest_turn_ms / 1000;
	m->stalls = (double)s->stalls;
	m->last_stall = (double)s->last_stall_ms / 1000;
}

/* --- the process --------------------------------------------------------------- */

static double seconds(const struct timeval *tv)
{
	return (double)tv->tv_sec + (double)tv->tv_usec / 1e6;
}

static double resident_bytes(void)
{
	_cleanup_free_ char *text = NULL;
	unsigned long pages;
	size_t len;

	if (file_read("/proc/self/statm", 256, &text, &len) < 0 ||
	    sscanf(text, "%*u %lu", &pages) != 1)
		return NAN;
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	if (!dir)
		return NAN;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the one that reads */
}

static void take_process(struct daemon *d, struct metrics *m)
{
	struct rusage used;

	m->start = wall_timestamp(d->started_wall_ms);
	if (getrusage(RUSAGE_SELF, &used) == 0)
		m->cpu = seconds(&used.ru_utime) + seconds(&used.ru_stime);
	m->resident = resident_bytes();
	m->fds = open_fds();
}

/* --- the peers ------------------------------------------------------------------ */

static void take_verdict(struct daemon *d, struct metrics_peer *p)
{
	struct verdict v = { 0 };

	health_get(d->health, p->id, loop_now(d->loop), &v);
	p->state = v.state;
	p->cause = v.cause;
	p->since = timestamp(d, v.since_ms ? v.since_ms : d->started_ms);
	/* to the microsecond */
	p->rtt = v.has_rtt ? (double)(int64_t)(v.rtt_ms * 1000) / 1e6 : NAN;
	p->loss = v.loss;
	p->last_heard = v.last_heard_ms ? timestamp(d, v.last_heard_ms) : NAN;
}

static void take_tunnel(struct daemon *d, struct metrics_peer *p)
{
	const struct traffic_totals carried = traffic_get(d->traffic, p->id);
	const struct ike_child *c = NULL;
	const struct ike_sa *sa = d->ike ? ike_peer_sa(d->ike, p->id, &c) : NULL;

	p->bytes_in = (double)carried.bytes_in;
	p->bytes_out = (double)carried.bytes_out;
	p->packets_in = (double)carried.packets_in;
	p->packets_out = (double)carried.packets_out;
	p->tunnel = sa && c;
	if (!sa || !c)
		return;
	p->ike_age = sa->age_s >= 0 ? (double)sa->age_s : NAN;
	p->ike_rekey = sa->rekey_in_s >= 0 ? (double)sa->rekey_in_s : NAN;
	p->child_age = (double)c->age_s;
	p->child_rekey = c->rekey_in_s >= 0 ? (double)c->rekey_in_s : NAN;
}

static void take_peer(struct daemon *d, const struct wanted_peer *w, struct metrics *m)
{
	struct metrics_peer *p = metrics_add_peer(m, w->id);
	const struct host *h = snapshot_find(d->snapshot, w->id);
	const struct peer_boot *boot = peers_find(d, w->id);

	p->name = h ? h->name : NULL;
	if (h)
		sn_addr_format(&h->underlay.v[0], p->address);
	sn_addr_format(&w->overlay_ip, p->overlay_ip);
	take_verdict(d, p);
	take_tunnel(d, p);
	p->state_changes = boot ? (double)boot->state_changes : 0;
	p->ike_failures = boot ? (double)boot->ike_failures : 0;
	metrics_set_add(&m->peers_by_state, peer_state_to_string(p->state), 1);
}

static void take_peers(struct daemon *d, struct metrics *m)
{
	for (int state = 0; state < PEER_GONE; state++)
		metrics_set_add(&m->peers_by_state, peer_state_to_string((enum peer_state)state),
				0);
	array_foreach(&d->wanted.peers, w)
		take_peer(d, w, m);
}

int metrics_page(struct strbuf *body, void *user)
{
	struct daemon *d = user;
	struct metrics m;

	metrics_init(&m);
	m.version = SENNIT_VERSION;
	take_health(d, &m);
	take_metadata(d, &m);
	take_snapshot(d, &m);
	take_reconcile(d, &m);
	take_attachments(d, &m);
	take_ike(d, &m);
	take_probe(d, &m);
	take_loop(d, &m);
	take_process(d, &m);
	take_peers(d, &m);
	metrics_write(&m, body);
	metrics_fini(&m);
	return 200;
}
