/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sennit-metadata: a metadata service for those who have none. It serves
 * Rancher's HTTP API from a mesh.json, which it reads again when it changes.
 * A mesh.json that is wrong leaves the last good one served. It is read in a
 * worker, so that nobody who waits for an answer waits for that.
 */
#include "address.h"
#include "arguments.h"
#include "document.h"
#include "server.h"

#include "base/file.h"
#include "base/log.h"
#include "loop/file_watch.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define MESH_POLL_MS 2000
/* Beside the connections: listeners, the loop, files. */
#define SPARE_DESCRIPTORS 64u

struct program {
	const char *path;
	struct document *document; /* the server's; NULL: none yet */
	struct server *server;
	struct loop_worker *worker;
	bool reading, again; /* a job is under way; another is wanted after it */
};

/* One reading of the file, in the worker. */
struct reading {
	struct program *program;
	struct document *document; /* NULL: see error */
	struct mesh_file *mesh;    /* without document: for what is wrong in it */
	struct sn_error error;
};

static int read_mesh(const char *path, struct mesh_file **ret, struct sn_error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, (size_t)MESH_FILE_MAX_BYTES, &text, &len);

	if (r < 0)
		return sn_error_set(e, r, "%s: %s", path, sn_strerror(r));
	return mesh_file_parse(path, text, len, ret, e);
}

/*
 * A mesh with a wrong entry is not served without it: to the clients the host
 * would be removed, which nobody asked for.
 */
static void say_problems(const struct mesh_file *mesh, const char *path)
{
	array_foreach(&mesh->problems, p)
		log_error("%s: %s: %s", path, p->place, p->text);
}

/* What a mesh.json can say and Rancher's API cannot. */
static void say_limits_of_family(const struct host *h, uint8_t family)
{
	size_t subnets = 0;

	array_foreach(&h->prefixes, p)
		subnets += p->addr.family == family && !sn_prefix_is_single(p);
	if (subnets > 1)
		log_warning("host %s: only the first subnet of %s is served", h->id,
			    sn_family_to_string(family));
	if (subnets > 0 && host_overlay_ip(h, family))
		log_warning("host %s: overlay_ip is not served, clients take the first "
			    "usable address of the subnet",
			    h->id);
}

static void say_limits(const struct mesh_file *mesh)
{
	array_foreach(&mesh->hosts, h) {
		for (size_t i = 0; i < SN_FAMILIES; i++)
			say_limits_of_family(h, sn_families[i]);
	}
}

/* In the worker: a large mesh takes a while. */
static void run_reading(void *job)
{
	struct reading *r = job;

	if (read_mesh(r->program->path, &r->mesh, &r->error) < 0 || r->mesh->problems.n > 0)
		return;
	r->document = document_new(r->mesh);
}

/* Why there is nothing new to serve, said once: with where it is wrong. A new string. */
static char *say_wrong(const struct reading *r)
{
	const struct program *p = r->program;
	const char *rest = p->document ? "the last good mesh stays served" : "nothing is served";
	char *text;

	if (!r->mesh) {
		text = xasprintf("%s; %s", r->error.text, rest);
	} else {
		say_problems(r->mesh, p->path);
		text = xasprintf("%s: %zu wrong entries, the first %s: %s; %s", p->path,
				 r->mesh->problems.n, r->mesh->problems.v[0].place,
				 r->mesh->problems.v[0].text, rest);
	}
	log_error("%s", text);
	return text;
}

static void serve(struct program *p, const struct reading *r)
{
	if (p->document && document_equal(r->document, p->document)) {
		document_unref(r->document);
		return;
	}
	say_limits(r->mesh);
	log_info("version %s: %zu hosts, %zu containers", r->document->version, r->mesh->hosts.n,
		 r->mesh->containers.n);
	p->document = r->document;
	server_set_document(p->server, r->document);
}

static void reload(void *user);

static void reading_done(void *job, bool finished)
{
	_cleanup_free_ struct reading *r = job;
	_cleanup_free_ char *error = NULL;
	struct program *p = r->program;

	p->reading = false;
	if (!finished || !p->server)
		document_unref(r->document);
	else if (r->document)
		serve(p, r);
	else
		error = say_wrong(r);
	mesh_file_free(r->mesh);
	/* what the parser took comes back to the system */
	malloc_trim(0);
	if (!p->server || !finished)
		return;
	if (p->again)
		reload(p);
	else
		server_reloaded(p->server, error);
}

static struct reading *reading_new(struct program *p)
{
	struct reading *r = xcalloc(1, sizeof(*r));

	p->reading = true;
	r->program = p;
	return r;
}

static void reload(void *user)
{
	struct program *p = user;

	p->again = p->reading;
	if (!p->reading)
		loop_worker_submit(p->worker, reading_new(p), run_reading, reading_done);
}

/* The first time: nobody is to be told that there is nothing, only because it is not read yet. */
static void read_now(struct program *p)
{
	struct reading *r = reading_new(p);

	run_reading(r);
	reading_done(r, true);
}

static void on_signal(int signo, void *user)
{
	(void)signo;
	loop_stop(user);
}

static void on_hangup(int signo, void *user)
{
	(void)signo;
	reload(user);
}

/* As many descriptors as connections, if we may; else fewer connections. */
static void raise_limits(struct server_options *o)
{
	unsigned want = (o->max_connections ? o->max_connections : SERVER_MAX_CONNECTIONS);
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	if (l.rlim_cur < want + SPARE_DESCRIPTORS) {
		l.rlim_cur = SN_MIN(l.rlim_max, want + SPARE_DESCRIPTORS);
		setrlimit(RLIMIT_NOFILE, &l);
	}
	if (l.rlim_cur < want + SPARE_DESCRIPTORS) {
		o->max_connections =
			(unsigned)SN_MAX(l.rlim_cur, 2 * SPARE_DESCRIPTORS) - SPARE_DESCRIPTORS;
		log_warning("the limit on open files allows %u connections only",
			    o->max_connections);
	}
}

static int listen_all(struct server *server, const struct arguments *o)
{
	struct sn_error e;

	array_foreach(&o->listen, l) {
		if (server_listen(server, &l->addr, l->port, l->reload, &e) < 0) {
			log_error("%s", e.text);
			return e.code;
		}
	}
	return 0;
}

static int serve_until_signal(struct arguments *o, struct loop *loop)
{
	_cleanup_(file_watch_freep) struct file_watch *watch = NULL;
	struct program p = { .path = o->mesh };
	struct loop_signal *term, *interrupt, *hangup;
	int r;

	o->server.reload = reload;
	o->server.user = &p;
	p.server = server_new(loop, &o->server);
	p.worker = loop_worker_new(loop);
	r = listen_all(p.server, o);
	if (r == 0) {
		term = loop_signal_new(loop, SIGTERM, on_signal, loop);
		interrupt = loop_signal_new(loop, SIGINT, on_signal, loop);
		hangup = loop_signal_new(loop, SIGHUP, on_hangup, &p);
		/* first the watch, then the reading: no change is missed between them */
		watch = file_watch_new(loop, o->mesh, MESH_POLL_MS, reload, &p);
		read_now(&p);
		r = loop_run(loop);
		loop_signal_free(hangup);
		loop_signal_free(interrupt);
		loop_signal_free(term);
	}
	server_free(sn_steal(p.server));
	loop_worker_free(p.worker);
	return r;
}

static int run(struct arguments *o)
{
	_cleanup_(loop_freep) struct loop *loop = loop_new();
	struct sn_error e;
	int r, added = 0;

	raise_limits(&o->server);
	if (o->add_address)
		added = local_address_add(&e);
	if (added < 0) {
		log_error("%s", e.text);
		return EXIT_FAILURE;
	}
	if (o->add_address && !added)
		log_notice(LOCAL_ADDRESS " was there before, and stays");
	r = serve_until_signal(o, loop);
	if (added)
		local_address_remove();
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments o;
	int r;

	log_init("sennit-metadata");
	signal(SIGPIPE, SIG_IGN);
	r = arguments_parse(argc, argv, &o);
	if (r < 0)
		r = 2;
	else if (r == ARGUMENTS_RUN)
		r = run(&o);
	else
		r = fputs(r == ARGUMENTS_HELP ? arguments_usage
					      : "sennit-metadata " SENNIT_VERSION "\n",
			  stdout) < 0;
	arguments_fini(&o);
	return r;
}
