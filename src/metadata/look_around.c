/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/net/route and ipv6_route (proc(5); the columns are those of
 * net/ipv4/fib_trie.c and net/ipv6/route.c), and resolv.conf(5). Of a route in /proc/net/route
 * the numbers are in network byte order as they lie in memory.
 */
#include "metadata/look_around.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <stdio.h>

#define MOST_BYTES ((size_t)1 << 20)

static const char gateway[] = "the gateway of this host";
static const char resolver[] = "a name server of this host";
static const char service[] = "the address of the metadata service";

/* The next line of *text, without its end; NULL after the last. At most size - 1 bytes of it. */
static const char *next_line(const char **text, char *line, size_t size)
{
	size_t n = strcspn(*text, "\n");

	if (!**text)
		return NULL;
	snprintf(line, size, "%.*s", (int)SN_MIN(n, size - 1), *text);
	*text += n + ((*text)[n] == '\n');
	return line;
}

void look_around_resolv_conf(const char *text, struct surroundings *ret)
{
	char line[256], name[64];

	while (next_line(&text, line, sizeof(line))) {
		struct sn_addr a;

		if (sscanf(line, " nameserver %63[0-9a-fA-F.:]", name) == 1 &&
		    sn_addr_parse(name, &a) == 0)
			surroundings_add(ret, &a, resolver);
	}
}

void look_around_route(const char *text, struct surroundings *ret)
{
	char line[256];

	while (next_line(&text, line, sizeof(line))) {
		unsigned to, by, mask;
		struct sn_addr a = { .family = AF_INET };

		/* Iface Destination Gateway Flags RefCnt Use Metric Mask */
		if (sscanf(line, "%*s %x %x %*x %*d %*d %*d %x", &to, &by, &mask) != 3 || to ||
		    mask || !by)
			continue;
		memcpy(a.bytes, &by, 4);
		surroundings_add(ret, &a, gateway);
	}
}

static bool parse_hex(const char *hex, struct sn_addr *ret)
{
	*ret = (struct sn_addr){ .family = AF_INET6 };
	if (strlen(hex) != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		ret->bytes[i] = (uint8_t)byte;
	}
	return true;
}

void look_around_ipv6_route(const char *text, struct surroundings *ret)
{
	static const uint8_t none[16];
	char line[256];

	while (next_line(&text, line, sizeof(line))) {
		char to[33], by[33];
		unsigned len;
		struct sn_addr a, b;

		/* destination, its length, source, its length, next hop */
		if (sscanf(line, "%32s %x %*s %*x %32s", to, &len, by) != 3 || len ||
		    !parse_hex(to, &a) || !parse_hex(by, &b) || memcmp(a.bytes, none, 16) != 0 ||
		    memcmp(b.bytes, none, 16) == 0)
			continue;
		surroundings_add(ret, &b, gateway);
	}
}

static void read_with(const char *path, void (*parse)(const char *text, struct surroundings *ret),
		      struct surroundings *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file_read(path, MOST_BYTES, &text, &len) == 0 && text)
		parse(text, ret);
}

static void add_url(const char *url, struct surroundings *ret)
{
	struct config c = { .metadata_url = (char *)url };
	struct sn_addr a;

	if (config_metadata_address(&c, &a))
		surroundings_add(ret, &a, service);
}

void look_around(const struct config *config, struct surroundings *ret)
{
	if (!config->metadata_urls.n)
		add_url(config->metadata_url, ret);
	array_foreach(&config->metadata_urls, url)
		add_url(*url, ret);
	read_with("/proc/net/route", look_around_route, ret);
	read_with("/proc/net/ipv6_route", look_around_ipv6_route, ret);
	read_with("/etc/resolv.conf", look_around_resolv_conf, ret);
}
