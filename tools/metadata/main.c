/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sennit-metadata: a metadata service for those who have none. It serves
 * Rancher's HTTP API from a mesh.json, which it reads again when it changes.
 * A mesh.json that is wrong leaves the last good one served.
 */
#include "document.h"
#include "server.h"

#include "base/file.h"
#include "base/log.h"
#include "loop/file_watch.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define MESH_POLL_MS 2000

static const char usage[] =
	"Usage: sennit-metadata --mesh FILE [--listen ADDR:PORT]... [--xff]\n"
	"\n"
	"Serves Rancher's metadata API (2016-07-29, latest) from a mesh.json, which it\n"
	"reads again when it changes.\n"
	"\n"
	"  --mesh FILE         the mesh (conf/mesh.schema.json)\n"
	"  --listen ADDR:PORT  where to listen, [ADDR]:PORT for IPv6; may be given more\n"
	"                      than once; default 127.0.0.1:8080\n"
	"  --xff               believe X-Forwarded-For: for use behind a proxy only\n"
	"  --help, --version\n";

struct listener {
	struct sn_addr addr;
	uint16_t port;
};

struct options {
	const char *mesh;
	bool xff;
	ARRAY(struct listener) listen;
};

struct program {
	const char *path;
	struct document *document; /* the server's */
	struct server *server;
};

static int parse_listener(const char *text, struct listener *ret)
{
	const char *colon = strrchr(text, ':');
	_cleanup_free_ char *addr = NULL;
	size_t len = colon ? (size_t)(colon - text) : 0;
	char *end = NULL;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!colon || end == colon + 1 || *end || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		addr = xstrndup(text + 1, len - 2);
	else
		addr = xstrndup(text, len);
	ret->port = (uint16_t)port;
	return sn_addr_parse(addr, &ret->addr);
}

/* 0, 1 = done (help, version), or -EINVAL after it said why. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "mesh", required_argument, NULL, 'm' },
		{ "listen", required_argument, NULL, 'l' },
		{ "xff", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'm') {
			o->mesh = optarg;
		} else if (c == 'x') {
			o->xff = true;
		} else if (c == 'l' && parse_listener(optarg, array_add(&o->listen)) < 0) {
			fprintf(stderr, "sennit-metadata: --listen %s: not ADDR:PORT\n", optarg);
			return -EINVAL;
		} else if (c == 'h' || c == 'V') {
			fputs(c == 'h' ? usage : "sennit-metadata " SENNIT_VERSION "\n", stdout);
			return 1;
		} else if (c == '?') {
			return -EINVAL;
		}
	}
	if (!o->mesh || optind < argc) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	if (o->listen.n == 0)
		parse_listener("127.0.0.1:8080", array_add(&o->listen));
	return 0;
}

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
static bool has_problems(const struct mesh_file *mesh, const char *path)
{
	array_foreach(&mesh->problems, p)
		log_error("%s: %s: %s", path, p->place, p->text);
	return mesh->problems.n > 0;
}

/* What a mesh.json can say and Rancher's API cannot. */
static void say_limits(const struct mesh_file *mesh)
{
	array_foreach(&mesh->hosts, h) {
		size_t subnets = 0;

		array_foreach(&h->prefixes, p)
			subnets += !sn_prefix_is_single(p);
		if (h->underlay.n > 1)
			log_warning("host %s: only the first address is served", h->id);
		if (subnets > 1)
			log_warning("host %s: only the first subnet is served", h->id);
		if (subnets > 0 && sn_addr_is_set(&h->overlay_ip))
			log_warning("host %s: overlay_ip is not served, clients take the first "
				    "usable address of the subnet",
				    h->id);
	}
}

/* True when there is something else to serve than before. */
static bool read_document(struct program *p)
{
	_cleanup_(mesh_file_freep) struct mesh_file *mesh = NULL;
	const char *rest = p->document ? "the last good mesh stays served" : "nothing is served";
	struct document *d;
	struct sn_error e;

	if (read_mesh(p->path, &mesh, &e) < 0) {
		log_error("%s; %s", e.text, rest);
		return false;
	}
	if (has_problems(mesh, p->path)) {
		log_error("%s: %zu wrong entries; %s", p->path, mesh->problems.n, rest);
		return false;
	}
	d = document_new(mesh);
	if (p->document && document_equal(d, p->document)) {
		document_free(d);
		return false;
	}
	say_limits(mesh);
	log_info("version %s: %zu hosts, %zu containers", d->version, mesh->hosts.n,
		 mesh->containers.n);
	p->document = d;
	return true;
}

static void reload(void *user)
{
	struct program *p = user;

	if (read_document(p))
		server_set_document(p->server, p->document);
}

static void on_signal(int signo, void *user)
{
	(void)signo;
	loop_stop(user);
}

static int run(struct options *o)
{
	_cleanup_(loop_freep) struct loop *loop = loop_new();
	_cleanup_(server_freep) struct server *server = server_new(loop, o->xff);
	_cleanup_(file_watch_freep) struct file_watch *watch = NULL;
	struct program p = { .path = o->mesh, .server = server };
	struct loop_signal *term, *interrupt;
	struct sn_error e;
	int r;

	array_foreach(&o->listen, l) {
		if (server_listen(server, &l->addr, l->port, &e) < 0) {
			log_error("%s", e.text);
			return EXIT_FAILURE;
		}
	}
	term = loop_signal_new(loop, SIGTERM, on_signal, loop);
	interrupt = loop_signal_new(loop, SIGINT, on_signal, loop);
	/* first the watch, then the reading: no change is missed between them */
	watch = file_watch_new(loop, o->mesh, MESH_POLL_MS, reload, &p);
	reload(&p);
	r = loop_run(loop);
	loop_signal_free(interrupt);
	loop_signal_free(term);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int r;

	log_init("sennit-metadata");
	signal(SIGPIPE, SIG_IGN);
	r = parse_options(argc, argv, &o);
	if (r == 0)
		r = run(&o);
	else
		r = r < 0 ? 2 : EXIT_SUCCESS;
	array_free(&o.listen);
	return r;
}
