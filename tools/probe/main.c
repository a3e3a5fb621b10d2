/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sennit-probe: asks UDP ports, as `nc -u -z -v` does, whether an IKE daemon is
 * there, and tells the truth. Needs neither root nor sennitd nor charon.
 *
 * All hosts are looked up and asked at the same time; their lines come in the
 * order of the command line.
 */
#include "lookup.h"
#include "report.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>

#define PROGRESS_MS 250

struct host {
	struct program *program;
	const char *name;
	struct lookup *lookup;
	char trouble[512]; /* it has no address */
	ARRAY(struct target *) targets;
	size_t told; /* targets that were printed */
};

struct program {
	struct options o;
	struct loop *loop;
	struct ike_prober *prober;
	struct http_client *http;
	struct loop_timer *progress;
	struct host *hosts;
	size_t told; /* hosts that were printed */
	bool shown;  /* a progress line stands there */
	bool stopping;
	bool good;
	json_t *all; /* --json */
};

/* --- progress --------------------------------------------------------------- */

static void clear_progress(struct program *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

/* What is waited for, in short; false: nothing. */
static bool describe(const struct host *h, char *buf, size_t size)
{
	if (h->lookup) {
		snprintf(buf, size, "looking up %.60s", h->name);
		return true;
	}
	array_foreach(&h->targets, t) {
		const char *doing = target_is_done(*t) ? "" : target_doing(*t);

		if (!*doing)
			continue;
		if (target_rounds(*t) > 0)
			snprintf(buf, size, "%.40s %s, %u rounds done", target_address(*t), doing,
				 target_rounds(*t));
		else
			snprintf(buf, size, "waiting for %.40s %s", target_address(*t), doing);
		return true;
	}
	return false;
}

static void on_progress(void *user)
{
	struct program *p = user;
	char text[128];

	for (size_t i = p->told; i < p->o.hosts.n; i++) {
		if (!describe(&p->hosts[i], text, sizeof(text)))
			continue;
		if (p->o.hosts.n > 1)
			fprintf(stderr, "\r\033[K[%zu of %zu] %s", i + 1, p->o.hosts.n, text);
		else
			fprintf(stderr, "\r\033[K%s", text);
		p->shown = true;
		break;
	}
	fflush(stderr);
	loop_timer_set(p->progress, PROGRESS_MS);
}

/* --- results ---------------------------------------------------------------- */

static void tell_target(struct program *p, struct target *t)
{
	size_t n;
	const struct port_result *ports = target_ports(t, &n);

	for (size_t i = 0; i < n; i++) {
		p->good = p->good && report_is_good(&ports[i]);
		if (p->all)
			json_array_append_new(p->all, report_port_json(t, &ports[i], &p->o));
		else if (!p->o.quiet)
			report_port(stdout, t, &ports[i], &p->o, false);
	}
	if (target_leg(t) && !p->all && !p->o.quiet)
		report_leg(stdout, t);
}

static void tell_trouble(struct program *p, const struct host *h)
{
	p->good = false;
	if (p->all)
		json_array_append_new(p->all, report_lookup_json(h->name, h->trouble));
	else if (!p->o.quiet)
		report_lookup(stdout, h->name, h->trouble);
}

/* Whether all of the host is told. */
static bool tell_host(struct program *p, struct host *h)
{
	if (h->lookup)
		return false;
	while (h->told < h->targets.n && target_is_done(h->targets.v[h->told]))
		tell_target(p, h->targets.v[h->told++]);
	if (h->told < h->targets.n)
		return false;
	if (h->trouble[0])
		tell_trouble(p, h);
	return true;
}

static void tell(struct program *p)
{
	clear_progress(p);
	while (p->told < p->o.hosts.n && tell_host(p, &p->hosts[p->told]))
		p->told++;
	if (p->told == p->o.hosts.n)
		loop_stop(p->loop);
}

static void on_round(struct target *t, void *user)
{
	struct program *p = user;
	size_t n;
	const struct port_result *ports = target_ports(t, &n);
	bool endless = options_rounds(&p->o) == UINT_MAX;

	if (options_rounds(&p->o) == 1 || p->o.quiet || p->all || !(endless || p->o.verbose))
		return;
	clear_progress(p);
	for (size_t i = 0; i < n; i++)
		report_port(stdout, t, &ports[i], &p->o, true);
}

static void on_target_done(struct target *t, void *user)
{
	(void)t;
	tell(user);
}

/* --- hosts ------------------------------------------------------------------ */

static void add_target(struct host *h, const struct sockaddr_storage *address)
{
	struct program *p = h->program;
	const struct target_handlers handlers = { on_round, on_target_done, p };
	struct target *t =
		target_new(p->loop, p->prober, p->http, &p->o, h->name, address, &handlers);

	*array_add(&h->targets) = t;
	target_start(t);
	if (p->stopping)
		target_stop(t);
}

static void on_lookup(const struct sockaddr_storage *addresses, size_t n, const struct sn_error *e,
		      void *user)
{
	struct host *h = user;
	struct program *p = h->program;

	for (size_t i = 0; i < n; i++) {
		const char *never = ike_never_asked((const struct sockaddr *)&addresses[i]);

		if (never)
			snprintf(h->trouble, sizeof(h->trouble), "%s, which is never asked", never);
		else
			add_target(h, &addresses[i]);
	}
	if (n == 0)
		snprintf(h->trouble, sizeof(h->trouble), "%s", e->text);
	lookup_free(sn_steal(h->lookup));
	tell(p);
}

static void start_hosts(struct program *p)
{
	p->hosts = xcalloc(p->o.hosts.n, sizeof(*p->hosts));
	for (size_t i = 0; i < p->o.hosts.n; i++) {
		struct host *h = &p->hosts[i];

		h->program = p;
		h->name = p->o.hosts.v[i];
		h->lookup = lookup_new(p->loop, h->name, p->o.family, p->o.numeric, on_lookup, h);
	}
}

static void free_hosts(struct program *p)
{
	for (size_t i = 0; i < p->o.hosts.n; i++) {
		struct host *h = &p->hosts[i];

		lookup_free(h->lookup);
		array_foreach(&h->targets, t)
			target_free(*t);
		array_free(&h->targets);
	}
	free(p->hosts);
}

/* What is known by now is told; a second one ends it at once. */
static void on_signal(int signo, void *user)
{
	struct program *p = user;

	if (p->stopping)
		_exit(128 + signo);
	p->stopping = true;
	for (size_t i = 0; i < p->o.hosts.n; i++) {
		struct host *h = &p->hosts[i];

		if (h->lookup) {
			lookup_free(sn_steal(h->lookup));
			snprintf(h->trouble, sizeof(h->trouble), "not asked, stopped before");
		}
		array_foreach(&h->targets, t)
			target_stop(*t);
	}
	tell(p);
}

static int run(struct program *p)
{
	_cleanup_(loop_freep) struct loop *loop = loop_new();
	struct loop_signal *interrupt, *term;

	p->loop = loop;
	p->good = true;
	p->all = p->o.json ? json_array() : NULL;
	p->prober = ike_prober_new(loop, &p->o.prober);
	p->http = http_client_new(loop);
	p->progress = loop_timer_new(loop, on_progress, p);
	interrupt = loop_signal_new(loop, SIGINT, on_signal, p);
	term = loop_signal_new(loop, SIGTERM, on_signal, p);
	if (isatty(STDERR_FILENO) && !p->o.quiet)
		loop_timer_set(p->progress, PROGRESS_MS);
	start_hosts(p);
	loop_run(loop);
	clear_progress(p);
	if (p->all && !p->o.quiet) {
		/* ASCII: what others call themselves does a terminal no harm */
		json_dumpf(p->all, stdout,
			   JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(p->all);
	free_hosts(p);
	loop_signal_free(term);
	loop_signal_free(interrupt);
	loop_timer_free(p->progress);
	http_client_free(p->http);
	ike_prober_free(p->prober);
	return p->good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct program p = { 0 };
	int r = options_parse(argc, argv, &p.o);

	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = run(&p);
	else
		r = r < 0 ? 2 : EXIT_SUCCESS;
	options_fini(&p.o);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("sennit-probe: cannot write to standard output\n", stderr);
		return EXIT_FAILURE;
	}
	return r;
}
