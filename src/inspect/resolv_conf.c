/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glibc (res_init.c): a keyword stands at the begin of its line with a blank
 * after it; '#' and ';' there make a comment; what follows the address is
 * ignored; of servers that are addresses the first three count.
 */
#include "inspect/resolv_conf.h"

#include <errno.h>
#include <stdio.h>

#define KEYWORD "nameserver"
#define DNS_HEADER 12
#define DNS_FLAG_ANSWER 0x80
#define DNS_FLAG_RECURSE 0x01
#define DNS_TYPE_NS 2
#define DNS_CLASS_IN 1

static bool is_link_local(const struct sn_addr *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static void parse_server(const char *word, size_t len, unsigned line, struct resolv_conf *ret)
{
	_cleanup_free_ char *copy = xstrndup(word, len);
	struct resolv_server *s;
	char *zone;

	if (ret->servers.n == RESOLV_MAX_SERVERS)
		return;
	s = array_add(&ret->servers);
	s->line = line;
	snprintf(s->text, sizeof(s->text), "%s", copy);
	zone = strchr(copy, '%');
	if (zone) {
		*zone++ = '\0';
		/* a longer name is none: it stays no address */
		if (!*zone || strlen(zone) >= sizeof(s->zone))
			return;
		snprintf(s->zone, sizeof(s->zone), "%s", zone);
	}
	sn_addr_parse(copy, &s->addr);
}

static void parse_line(const char *p, size_t len, unsigned line, struct resolv_conf *ret)
{
	const char *end = p + len;
	size_t word = 0;

	if (len <= strlen(KEYWORD) || memcmp(p, KEYWORD, strlen(KEYWORD)) != 0)
		return;
	p += strlen(KEYWORD);
	if (*p != ' ' && *p != '\t')
		return;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p + word < end && !strchr(" \t\r\v\f", p[word]))
		word++;
	if (word > 0)
		parse_server(p, word, line, ret);
}

void resolv_conf_parse(const char *text, size_t len, struct resolv_conf *ret)
{
	unsigned line = 1;

	memset(ret, 0, sizeof(*ret));
	for (const char *p = text; p < text + len; line++) {
		const char *end = memchr(p, '\n', (size_t)(text + len - p));
		size_t n = end ? (size_t)(end - p) : (size_t)(text + len - p);

		parse_line(p, n, line, ret);
		p += n + 1;
	}
}

void resolv_conf_fini(struct resolv_conf *c)
{
	array_free(&c->servers);
}

enum resolv_verdict resolv_judge(const struct resolv_server *s, size_t index,
				 const struct sn_addr *own)
{
	static const struct sn_addr metadata = { AF_INET, { 169, 254, 169, 250 } };

	if (!sn_addr_is_set(&s->addr))
		return RESOLV_NO_ADDRESS;
	if (s->zone[0] && !is_link_local(&s->addr))
		return RESOLV_ZONE_NEEDLESS;
	if (!s->zone[0] && is_link_local(&s->addr))
		return RESOLV_ZONE_MISSING;
	if (index >= RESOLV_USED)
		return RESOLV_SURPLUS;
	if (sn_addr_cmp(&s->addr, &metadata) == 0 || (own && sn_addr_cmp(&s->addr, own) == 0))
		return RESOLV_LOOP;
	return RESOLV_FINE;
}

void resolv_query(uint16_t id, uint8_t ret[static RESOLV_QUERY_SIZE])
{
	memset(ret, 0, RESOLV_QUERY_SIZE);
	ret[0] = (uint8_t)(id >> 8);
	ret[1] = (uint8_t)id;
	ret[2] = DNS_FLAG_RECURSE;
	ret[5] = 1; /* one question: the root (a zero byte), its type and class */
	ret[DNS_HEADER + 2] = DNS_TYPE_NS;
	ret[DNS_HEADER + 4] = DNS_CLASS_IN;
}

int resolv_answer(const uint8_t *data, size_t len, uint16_t id)
{
	if (len < DNS_HEADER || data[0] != id >> 8 || data[1] != (id & 0xff) ||
	    !(data[2] & DNS_FLAG_ANSWER))
		return -EBADMSG;
	return data[3] & 0x0f;
}
