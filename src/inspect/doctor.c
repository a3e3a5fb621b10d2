/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of checks, and how they run: first those that need no mesh, in
 * their order; what waits is waited for together; those that need the mesh
 * when the metadata service has answered or has not. Findings are told in the
 * order of the table, whatever came first.
 */
#include "inspect/doctor.h"

#include "inspect/exam.h"
#include "inspect/look.h"

#include <stdarg.h>
#include <stdio.h>

/* What others stand on comes first: a reader begins with what is most likely the cause. */
static const struct check checks[] = {
	{ "config", "the configuration", check_config, CHECK_AT_ONCE },
	{ "secret", "the secret file", check_secret, CHECK_AT_ONCE },
	{ "state.folder", "the state directory", check_state_dir, CHECK_AT_ONCE },
	{ "state.snapshot", "the stored state of the mesh", check_state_snapshot, CHECK_AT_ONCE },
	{ "kernel.dataplane", "ESP in the kernel", check_kernel_dataplane, CHECK_AT_ONCE },
	{ "kernel.tun", "TUN devices", check_kernel_tun, CHECK_AT_ONCE },
	{ "kernel.links", "bridges and veths", check_kernel_links, CHECK_AT_ONCE },
	{ "kernel.nftables", "what the guard needs of nftables", check_kernel_nft, CHECK_AT_ONCE },
	{ "charon.binary", "charon's program and version", check_charon_binary, CHECK_AT_ONCE },
	{ "charon.plugins", "charon's plugins", check_charon_plugins, CHECK_AT_ONCE },
	{ "charon.apparmor", "charon's AppArmor profile", check_charon_apparmor, CHECK_AT_ONCE },
	{ "charon.process", "charon's process", check_charon_process, CHECK_AT_ONCE },
	{ "runtime", "sennitd and its runtime files", check_runtime, CHECK_AT_ONCE },
	{ "ports.ike", "who has UDP 500 and 4500", check_ports_ike, CHECK_AT_ONCE },
	{ "ports.own", "who has our other ports", check_ports_other, CHECK_AT_ONCE },
	{ "sysctl.accept-ra", "router advertisements", check_accept_ra, CHECK_AT_ONCE },
	{ "sysctl.conntrack", "the table of connections", check_conntrack, CHECK_AT_ONCE },
	{ "resolver", "/etc/resolv.conf and its servers", check_resolv_conf, CHECK_AT_ONCE },
	{ "metadata", "the metadata service", check_metadata, CHECK_AT_ONCE },
	{ "firewall.nftables", "nftables rules of others", check_firewall_nft, CHECK_AFTER_MESH },
	{ "firewall.legacy", "legacy iptables rules", check_firewall_legacy, CHECK_AT_ONCE },
	{ "groups", "interfaces of others in our link groups", check_groups, CHECK_AT_ONCE },
	{ "leftovers.others", "what other overlays left", check_leftovers_others, CHECK_AT_ONCE },
	{ "sysctl.forwarding", "forwarding of our interfaces", check_forwarding, CHECK_WITH_MESH },
	{ "kernel.ipv6", "IPv6 in the kernel", check_kernel_ipv6, CHECK_WITH_MESH },
	{ "objects", "routes, links and tables of ours", check_objects, CHECK_WITH_MESH },
	{ "overlap", "addresses and routes of others in the overlay", check_overlap,
	  CHECK_WITH_MESH },
	{ "mtu", "the MTU of the underlay", check_mtu, CHECK_WITH_MESH },
	{ "leftovers.own", "what an older sennit left", check_leftovers_own, CHECK_WITH_MESH },
	{ "leftovers.xfrm", "IPsec policies of others", check_leftovers_xfrm, CHECK_WITH_MESH },
	{ "peers", "UDP 500 and 4500 of the peers", check_peers, CHECK_WITH_MESH },
};

struct exam_wait {
	struct exam *x;
	const struct check *check;
	size_t order;
	void (*late)(void *user);
	void (*end)(void *user);
	void *user;
	bool done;
};

/* --- for the checks ------------------------------------------------------------------ */

struct finding *exam_find(struct exam *x, enum severity severity, const char *why, const char *next,
			  const char *fmt, ...)
{
	struct finding *f = array_add(&x->findings->f);
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&f->seen, fmt, ap) >= 0);
	va_end(ap);
	f->check = x->current->name;
	f->order = x->current_order;
	f->severity = severity;
	f->why = xstrdup(why ? why : "");
	f->next = xstrdup(next ? next : "");
	return f;
}

void exam_unseen(struct exam *x, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	strbuf_addf(&x->unseen, "%s: %s\n", x->current->name, text);
}

struct exam_wait *exam_wait(struct exam *x, void (*late)(void *user), void (*end)(void *user),
			    void *user)
{
	struct exam_wait *w = xcalloc(1, sizeof(*w));

	*w = (struct exam_wait){ x, x->current, x->current_order, late, end, user, false };
	*array_add(&x->waits) = w;
	return w;
}

void exam_resume(struct exam_wait *w)
{
	w->x->current = w->check;
	w->x->current_order = w->order;
}

void exam_done(struct exam_wait *w)
{
	w->done = true;
	loop_stop(w->x->loop);
}

void exam_mesh_settled(struct exam *x, struct snapshot *s)
{
	x->mesh_settled = true;
	if (s) {
		snapshot_free(x->snapshot);
		x->snapshot = s;
		x->snapshot_is_stored = false;
	}
	loop_stop(x->loop);
}

/* --- running ------------------------------------------------------------------------- */

struct run {
	const struct doctor_options *o;
	struct exam x;
	struct loop_timer *limit;
	bool over;
	size_t done;
};

static void on_limit(void *user)
{
	struct run *run = user;

	run->over = true;
	loop_stop(run->x.loop);
}

static void tell(const struct run *run, const char *looks)
{
	if (run->o->progress)
		run->o->progress(looks, run->done, SN_ARRAY_SIZE(checks), run->o->user);
}

static void run_check(struct run *run, size_t i)
{
	struct exam *x = &run->x;

	tell(run, checks[i].looks);
	x->current = &checks[i];
	x->current_order = i;
	checks[i].run(x);
	run->done++;
}

static void run_checks(struct run *run, enum check_when when)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(checks); i++)
		if (checks[i].when == when)
			run_check(run, i);
}

static const struct exam_wait *waiting(const struct exam *x)
{
	array_foreach(&x->waits, w)
		if (!(*w)->done)
			return *w;
	return NULL;
}

static void wait_for_mesh(struct run *run)
{
	if (!run->x.mesh_settled)
		tell(run, "an answer of the metadata service");
	while (!run->x.mesh_settled && !run->over)
		loop_run(run->x.loop);
}

static void wait_for_all(struct run *run)
{
	const struct exam_wait *w;

	while (!run->over && (w = waiting(&run->x))) {
		tell(run, w->check->looks);
		loop_run(run->x.loop);
	}
	array_foreach(&run->x.waits, late) {
		if ((*late)->done)
			continue;
		exam_resume(*late);
		(*late)->late((*late)->user);
	}
}

static void end_waits(struct exam *x)
{
	array_foreach(&x->waits, w) {
		(*w)->end((*w)->user);
		free(*w);
	}
	array_free(&x->waits);
}

static void run_all(struct run *run)
{
	struct exam *x = &run->x;

	loop_timer_set(run->limit, EXAM_LIMIT_MS);
	exam_look(x);
	run_checks(run, CHECK_AT_ONCE);
	wait_for_mesh(run);
	run_checks(run, CHECK_AFTER_MESH);
	if (x->snapshot) {
		exam_look_at_mesh(x);
		run_checks(run, CHECK_WITH_MESH);
	} else {
		strbuf_addf(&x->unseen,
			    "peers, MTU, routes and what is ours: the mesh is not known (no "
			    "answer of the metadata service, no stored copy)\n");
	}
	wait_for_all(run);
	end_waits(x);
}

void doctor_run(const struct doctor_options *o, struct doctor_result *ret)
{
	struct run run = { .o = o };
	struct exam *x = &run.x;
	int64_t begin = sn_now_ms();

	memset(ret, 0, sizeof(*ret));
	x->loop = loop_new();
	x->config = o->config;
	x->config_path = o->config_path;
	x->config_error = o->config_error;
	x->findings = &ret->findings;
	run.limit = loop_timer_new(x->loop, on_limit, &run);
	run_all(&run);
	loop_timer_free(run.limit);
	ret->unseen = xstrdup(strbuf_str(&x->unseen));
	ret->checks = run.done;
	exam_fini(x);
	loop_free(x->loop);
	findings_sort(&ret->findings);
	ret->took_ms = sn_now_ms() - begin;
}

void doctor_result_fini(struct doctor_result *r)
{
	findings_fini(&r->findings);
	free(r->unseen);
}

void doctor_fix(struct doctor_result *r)
{
	array_foreach(&r->findings.f, f)
		fix_apply(&f->fix);
}

json_t *doctor_result_to_json(const struct doctor_result *r)
{
	json_t *summary = json_object(), *unseen = json_array();
	_cleanup_free_ char *lines = xstrdup(r->unseen);
	char *save = NULL;

	for (unsigned s = 0; s < SEVERITIES; s++)
		json_object_set_new(summary, severity_to_string(s),
				    json_integer((json_int_t)findings_count(&r->findings, s)));
	for (char *l = strtok_r(lines, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		json_array_append_new(unseen, json_from_text(l));
	return json_pack("{s:o, s:o, s:I, s:I, s:o}", "findings", findings_to_json(&r->findings),
			 "unseen", unseen, "checks", (json_int_t)r->checks, "took_ms",
			 (json_int_t)r->took_ms, "summary", summary);
}
