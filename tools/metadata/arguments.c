/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arguments.h"

#include "address.h"

#include "base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_NUMBER 1000000u

const char arguments_usage[] =
	"usage: sennit-metadata --mesh FILE [--listen ADDR:PORT]... [OPTION]...\n"
	"\n"
	"Serves Rancher's metadata API (2015-07-25, 2015-12-19, 2016-07-29, latest) from\n"
	"a mesh.json, which it reads again when it changes, and on SIGHUP.\n"
	"\n"
	"  --mesh FILE           the mesh, mesh.json(5)\n"
	"  --listen ADDR:PORT    where to listen, [ADDR]:PORT for IPv6; may be given more\n"
	"                        than once; default 127.0.0.1:8080\n"
	"  --add-address         put " LOCAL_ADDRESS " on lo, where containers of this host\n"
	"                        look for metadata, and take it away at the end unless\n"
	"                        it was there before; listens on its port 80\n"
	"  --reload ADDR:PORT    listen there for POST /v1/reload, answered when done\n"
	"  --xff                 believe X-Forwarded-For: for use behind a proxy only\n"
	"  --max-connections N   of all clients; default 8192\n"
	"  --max-per-client N    of one address, but not with --xff; default 256\n"
	"  --help, --version\n"
	"\n"
	"Example:\n"
	"  sennit-metadata --mesh /etc/sennit/mesh.json --listen 192.0.2.11:8080\n";

static int parse_listener(const char *text, struct arguments_listener *ret)
{
	const char *colon = strrchr(text, ':');
	_cleanup_free_ char *addr = NULL;
	size_t len = colon ? (size_t)(colon - text) : 0;
	char *end = NULL;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!colon || !isdigit((unsigned char)colon[1]) || *end || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		addr = xstrndup(text + 1, len - 2);
	else
		addr = xstrndup(text, len);
	ret->port = (uint16_t)port;
	return sn_addr_parse(addr, &ret->addr);
}

static int add_listener(struct arguments *o, const char *text, bool reload)
{
	struct arguments_listener l = { .reload = reload };

	if (parse_listener(text, &l) < 0) {
		fprintf(stderr,
			"sennit-metadata: --%s %s: not ADDR:PORT, like 192.0.2.11:8080 or "
			"[2001:db8::1]:8080\n",
			reload ? "reload" : "listen", text);
		return -EINVAL;
	}
	*array_add(&o->listen) = l;
	return 0;
}

static int parse_number(const char *name, const char *text, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || v == 0 || v > MAX_NUMBER) {
		fprintf(stderr, "sennit-metadata: --%s %s: not a number from 1 to %u\n", name, text,
			MAX_NUMBER);
		return -EINVAL;
	}
	*ret = (unsigned)v;
	return 0;
}

static int take_option(int c, struct arguments *o)
{
	switch (c) {
	case 'm':
		o->mesh = optarg;
		return 0;
	case 'x':
		o->server.believe_xff = true;
		return 0;
	case 'a':
		o->add_address = true;
		return add_listener(o, LOCAL_ADDRESS ":80", false);
	case 'l':
	case 'r':
		return add_listener(o, optarg, c == 'r');
	case 'c':
		return parse_number("max-connections", optarg, &o->server.max_connections);
	case 'p':
		return parse_number("max-per-client", optarg, &o->server.max_per_client);
	case 'h':
		return ARGUMENTS_HELP;
	case 'V':
		return ARGUMENTS_VERSION;
	default:
		return -EINVAL;
	}
}

/* Of the whole command line. */
static int SN_PRINTF(1, 2) refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("sennit-metadata: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see 'sennit-metadata --help'\n", stderr);
	return -EINVAL;
}

static bool has_service(const struct arguments *o)
{
	array_foreach(&o->listen, l) {
		if (!l->reload)
			return true;
	}
	return false;
}

int arguments_parse(int argc, char **argv, struct arguments *o)
{
	static const struct option longs[] = {
		{ "mesh", required_argument, NULL, 'm' },
		{ "listen", required_argument, NULL, 'l' },
		{ "add-address", no_argument, NULL, 'a' },
		{ "reload", required_argument, NULL, 'r' },
		{ "xff", no_argument, NULL, 'x' },
		{ "max-connections", required_argument, NULL, 'c' },
		{ "max-per-client", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct sn_error e;
	int c;

	*o = (struct arguments){ 0 };
	/* glibc's word for beginning anew: who calls this twice is a test */
	optind = 0;
	while ((c = options_next(argc, argv, ":h", longs, &e)) != -1) {
		int r = c == '?' ? refuse("%s", e.text) : take_option(c, o);

		if (r != 0)
			return r;
	}
	if (optind < argc)
		return refuse("'%s' is no option", argv[optind]);
	if (!o->mesh)
		return refuse("which mesh? --mesh FILE names it");
	return has_service(o) ? 0 : add_listener(o, "127.0.0.1:8080", false);
}

void arguments_fini(struct arguments *o)
{
	array_free(&o->listen);
}
