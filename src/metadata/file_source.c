/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mesh.json as source. Read when it changes; while it cannot be read, or
 * does not say who we are, also again and again: an address that names us may
 * come to this host later than the file did. It is read by a worker: of a mesh
 * of five hundred hosts with a hundred containers each that takes 0.1 s.
 *
 * Who we are, where the configuration does not say: the host with one of our
 * own addresses.
 */
#include "metadata/source.h"

#include "metadata/backoff.h"
#include "metadata/look_around.h"

#include "base/file.h"
#include "loop/file_watch.h"
#include "model/mesh_file.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>

#define WATCH_POLL_MS 5000
#define MAX_OWN_ADDRESSES 1024

struct source {
	struct metadata *m;
	struct loop *loop;
	const struct config *config;
	char *path;
	struct file_watch *watch;
	struct loop_timer *retry;
	struct backoff backoff;
	struct loop_worker *worker;
	bool reading, again; /* a job is under way; another is wanted after it */
	bool closing;
};

/* One reading, in the worker; nobody replaces the last snapshot meanwhile. */
struct reading {
	struct source *source;
	const struct snapshot *before;
	struct snapshot *snapshot; /* NULL: see error */
	struct sn_error error;
};

struct own {
	ARRAY(struct sn_addr) addr;
};

static void own_fini(struct own *own)
{
	array_free(&own->addr);
}

/* Loopback addresses are those of every host. */
static int own_addresses(struct own *ret, struct sn_error *e)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return sn_error_set(e, -errno, "own addresses: %s", sn_strerror(-errno));
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct sn_addr a;

		if (i->ifa_addr && !(i->ifa_flags & IFF_LOOPBACK) &&
		    ret->addr.n < MAX_OWN_ADDRESSES &&
		    sn_addr_from_sockaddr(i->ifa_addr, &a, NULL) == 0)
			*array_add(&ret->addr) = a;
	}
	freeifaddrs(list);
	return 0;
}

static int read_snapshot(const struct source *s, const struct snapshot *before,
			 struct snapshot **ret, struct sn_error *e)
{
	_cleanup_(mesh_file_freep) struct mesh_file *mesh = NULL;
	_cleanup_(own_fini) struct own own = { .addr = { 0 } };
	_cleanup_(snapshot_freep) struct snapshot *made = NULL;
	struct surroundings around = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(s->path, (size_t)MESH_FILE_MAX_BYTES, &text, &len);

	if (r < 0)
		return sn_error_set(e, r, "%s: %s", s->path, sn_strerror(r));
	r = mesh_file_parse(s->path, text, len, &mesh, e);
	if (r == 0)
		r = own_addresses(&own, e);
	if (r == 0)
		r = mesh_file_snapshot(mesh, s->config, own.addr.v, own.addr.n, before,
				       s->config->metadata_url, &made, e);
	if (r < 0)
		return r;
	look_around(s->config, &around);
	r = surroundings_check(&around, made, before, mesh->overlay_place, e);
	if (r < 0)
		return sn_error_wrap(e, "%s", s->path);
	*ret = sn_steal(made);
	return 0;
}

static void run_reading(void *job)
{
	struct reading *r = job;

	read_snapshot(r->source, r->before, &r->snapshot, &r->error);
}

static void reading_done(void *job, bool finished)
{
	_cleanup_free_ struct reading *r = job;
	struct source *s = r->source;

	s->reading = false;
	if (!finished || s->closing) {
		snapshot_free(r->snapshot);
		return;
	}
	loop_timer_cancel(s->retry);
	if (r->snapshot)
		backoff_reset(&s->backoff);
	if (s->again)
		loop_timer_set(s->retry, 0);
	else if (!r->snapshot)
		loop_timer_set(s->retry, backoff_next(&s->backoff, sn_random_below(UINT32_MAX)));
	if (r->snapshot)
		metadata_got(s->m, r->snapshot);
	else
		metadata_failed(s->m, r->error.text);
}

static void read_file(void *user)
{
	struct source *s = user;
	struct reading *r;

	s->again = s->reading;
	if (s->reading)
		return;
	r = xcalloc(1, sizeof(*r));
	r->source = s;
	r->before = metadata_last(s->m);
	s->reading = true;
	loop_worker_submit(s->worker, r, run_reading, reading_done);
}

static void source_start(struct source *s)
{
	/* the watch first, so that no change is missed between the two */
	s->watch = file_watch_new(s->loop, s->path, WATCH_POLL_MS, read_file, s);
	loop_timer_set(s->retry, 0);
}

static void source_free(struct source *s)
{
	s->closing = true;
	loop_worker_free(s->worker);
	file_watch_free(s->watch);
	loop_timer_free(s->retry);
	free(s->path);
	free(s);
}

struct source *file_source_new(struct metadata *m, struct loop *loop, const struct config *config,
			       const char *path)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->m = m;
	s->loop = loop;
	s->config = config;
	s->path = xstrdup(path);
	s->retry = loop_timer_new(loop, read_file, s);
	s->worker = loop_worker_new(loop);
	return s;
}

const struct source_ops file_source_ops = { .start = source_start, .free = source_free };
