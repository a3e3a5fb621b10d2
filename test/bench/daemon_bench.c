/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sennitd as it is, with figures, and on any kernel:
 *
 *	daemon-bench CONFIG [xfrm]	for each line on stdin it prints a line of JSON
 *
 * With "xfrm" it has the objects of the xfrm data plane, the flat plan's
 * 50,000 routes among them, on a kernel without XFRM: each peer's interface
 * is a bridge without ports. So all is real but for ESP itself and for what
 * the kernel does when it makes an XFRM interface.
 */
#include "base/file.h"
#include "base/log.h"
#include "daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static double ms_of(const struct timeval *tv)
{
	return (double)tv->tv_sec * 1e3 + (double)tv->tv_usec / 1e3;
}

static double cpu_ms(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return ms_of(&u.ru_utime) + ms_of(&u.ru_stime);
}

static long status_kb(const char *key)
{
	_cleanup_free_ char *text = NULL;
	const char *at;
	size_t len;

	if (file_read("/proc/self/status", 1 << 16, &text, &len) < 0)
		return -1;
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void print_figures(struct daemon *d)
{
	const struct reconcile_status *r = reconcile_get_status(d->reconcile);
	const struct loop_stats *loop = loop_get_stats(d->loop);
	struct metadata_status m;

	metadata_get_status(d->metadata, &m);
	printf("{\"cpu_ms\": %.3f, \"loop_cpu_ms\": %.3f, \"rss_kb\": %ld, \"peak_kb\": %ld, "
	       "\"reads\": %llu, \"passes\": %llu, \"changes\": %llu, \"settled\": %s, "
	       "\"troubles\": %zu, \"charon\": %s, \"slowest_turn_ms\": %lld, "
	       "\"slow_turns\": %llu, \"since_start_ms\": %lld}\n",
	       cpu_ms(RUSAGE_SELF), cpu_ms(RUSAGE_THREAD), status_kb("VmRSS:"), status_kb("VmHWM:"),
	       (unsigned long long)m.reads, (unsigned long long)r->passes,
	       (unsigned long long)r->changes, r->settled ? "true" : "false", r->troubles.all.n,
	       d->ike && ike_is_online(d->ike) ? "true" : "false", (long long)loop->slowest_turn_ms,
	       (unsigned long long)loop->slow_turns,
	       (long long)(loop_now(d->loop) - d->started_ms));
	fflush(stdout);
}

static void on_stdin(int fd, unsigned events, void *user)
{
	struct daemon *d = user;
	char line[64];

	(void)events;
	if (read(fd, line, sizeof(line)) <= 0)
		loop_stop(d->loop);
	else
		print_figures(d);
}

/* --- xfrm without XFRM ----------------------------------------------------- */

static int want_bridges(const struct intent *intent, struct wanted *ret, struct sn_error *e)
{
	int r = dataplane_xfrm.want(intent, ret, e);

	array_foreach(&ret->objects.o, o) {
		if (o->kind != OBJECT_LINK || o->link->kind != LINK_XFRM)
			continue;
		o->link->kind = LINK_BRIDGE;
		o->link->if_id = 0;
	}
	return r;
}

static void use_bridges(struct daemon *d)
{
	static struct dataplane bridges;

	bridges = dataplane_xfrm;
	bridges.charon_plugins = dataplane_libipsec.charon_plugins;
	bridges.want = want_bridges;
	d->dataplane = &bridges;
}

/* --- main ------------------------------------------------------------------ */

static int run(const char *file, bool xfrm, struct sn_error *e)
{
	const struct config_source source = { .file = file, .named = true };
	_cleanup_(daemon_freep) struct daemon *d = NULL;
	struct config *config = NULL;
	struct loop_io *io;
	int r = config_source_read(&source, &config, e);

	if (r < 0)
		return r;
	log_set_level(config->log_level);
	r = daemon_new(&source, config, &d, e);
	if (r < 0)
		return r;
	if (xfrm)
		use_bridges(d);
	io = loop_io_new(d->loop, STDIN_FILENO, LOOP_READ, on_stdin, d);
	r = daemon_run(d);
	loop_io_free(io);
	return r;
}

int main(int argc, char **argv)
{
	struct sn_error e = { 0 };
	int r;

	if (argc < 2 || argc > 3)
		return 2;
	log_init("sennitd");
	secret_protect_process();
	signal(SIGPIPE, SIG_IGN);
	r = run(argv[1], argc == 3 && streq(argv[2], "xfrm"), &e);
	if (r < 0)
		log_error("%s", e.text);
	log_flush();
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
