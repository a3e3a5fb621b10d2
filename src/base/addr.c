/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

int sn_addr_parse(const char *s, struct sn_addr *ret)
{
	struct sn_addr a = { .family = strchr(s, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, s, a.bytes) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

/* A decimal number without sign, space or leading zero, at most max. */
static int parse_length(const char *s, unsigned max, uint8_t *ret)
{
	unsigned v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = (uint8_t)v;
	return 0;
}

int sn_prefix_parse(const char *s, struct sn_prefix *ret)
{
	const char *slash = strchr(s, '/');
	char host[SN_ADDR_STRLEN];
	struct sn_prefix p;
	size_t n = slash ? (size_t)(slash - s) : strlen(s);

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, n);
	host[n] = '\0';
	if (sn_addr_parse(host, &p.addr) < 0)
		return -EINVAL;
	p.len = (uint8_t)(8 * sn_addr_size(&p.addr));
	if (slash && parse_length(slash + 1, p.len, &p.len) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

const char *sn_addr_format(const struct sn_addr *a, char buf[static SN_ADDR_STRLEN])
{
	if (!sn_addr_is_set(a) || !inet_ntop(a->family, a->bytes, buf, SN_ADDR_STRLEN))
		strcpy(buf, "-");
	return buf;
}

const char *sn_prefix_format(const struct sn_prefix *p, char buf[static SN_PREFIX_STRLEN])
{
	char host[SN_ADDR_STRLEN];

	snprintf(buf, SN_PREFIX_STRLEN, "%s/%u", sn_addr_format(&p->addr, host), p->len);
	return buf;
}

size_t sn_addr_size(const struct sn_addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

bool sn_addr_is_any(const struct sn_addr *a)
{
	static const uint8_t zero[sizeof(a->bytes)];

	return sn_addr_is_set(a) && memcmp(a->bytes, zero, sn_addr_size(a)) == 0;
}

int sn_addr_cmp(const struct sn_addr *a, const struct sn_addr *b)
{
	int c;

	if (a->family != b->family)
		return sn_cmp_num(a->family, b->family);
	c = memcmp(a->bytes, b->bytes, sn_addr_size(a));
	return sn_cmp_num(c, 0);
}

int sn_prefix_cmp(const struct sn_prefix *a, const struct sn_prefix *b)
{
	int c = sn_addr_cmp(&a->addr, &b->addr);

	return c ? c : sn_cmp_num(a->len, b->len);
}

struct sn_prefix sn_prefix_network(const struct sn_prefix *p)
{
	struct sn_prefix n = *p;
	size_t size = sn_addr_size(&p->addr);

	for (size_t i = 0; i < size; i++) {
		int keep = (int)p->len - (int)(8 * i);

		if (keep <= 0)
			n.addr.bytes[i] = 0;
		else if (keep < 8)
			n.addr.bytes[i] &= (uint8_t)(0xff << (8 - keep));
	}
	return n;
}

struct sn_prefix sn_prefix_of(const struct sn_addr *a)
{
	return (struct sn_prefix){ .addr = *a, .len = (uint8_t)(8 * sn_addr_size(a)) };
}

bool sn_prefix_contains(const struct sn_prefix *p, const struct sn_addr *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (p->addr.family != a->family || !sn_addr_is_set(a) ||
	    memcmp(p->addr.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || (p->addr.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

bool sn_prefix_covers(const struct sn_prefix *outer, const struct sn_prefix *inner)
{
	return outer->len <= inner->len && sn_prefix_contains(outer, &inner->addr);
}

bool sn_prefix_overlaps(const struct sn_prefix *a, const struct sn_prefix *b)
{
	return sn_prefix_covers(a, b) || sn_prefix_covers(b, a);
}

uint64_t sn_prefix_count(const struct sn_prefix *p)
{
	unsigned host_bits = (unsigned)(8 * sn_addr_size(&p->addr)) - p->len;

	return host_bits >= 64 ? UINT64_MAX : 1ULL << host_bits;
}

struct sn_addr sn_prefix_nth(const struct sn_prefix *p, uint64_t n)
{
	struct sn_addr a = sn_prefix_network(p).addr;

	if (n >= sn_prefix_count(p))
		return (struct sn_addr){ .family = AF_UNSPEC };
	/* the host bits are zero, so adding never carries over the prefix */
	for (size_t i = sn_addr_size(&a); i-- > 0 && n; n >>= 8)
		a.bytes[i] |= (uint8_t)(n & 0xff);
	return a;
}

struct sn_addr sn_prefix_first_usable(const struct sn_prefix *p)
{
	if (sn_prefix_is_single(p))
		return p->addr;
	if (sn_prefix_count(p) < 4)
		return (struct sn_addr){ .family = AF_UNSPEC };
	return sn_prefix_nth(p, 1);
}

struct sn_addr sn_prefix_gateway(const struct sn_prefix *p, const struct sn_addr *own)
{
	if (sn_prefix_contains(p, own))
		return *own;
	if (sn_prefix_is_single(p))
		return (struct sn_addr){ .family = AF_UNSPEC };
	return sn_prefix_first_usable(p);
}

socklen_t sn_addr_to_sockaddr(const struct sn_addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, a->bytes, 16);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, a->bytes, 4);
	return sizeof(*in);
}

int sn_addr_from_sockaddr(const struct sockaddr *sa, struct sn_addr *ret, uint16_t *ret_port)
{
	struct sn_addr a = { .family = AF_UNSPEC };
	uint16_t port;

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		a.family = AF_INET;
		memcpy(a.bytes, &in->sin_addr, 4);
		port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		a.family = AF_INET6;
		memcpy(a.bytes, &in6->sin6_addr, 16);
		port = ntohs(in6->sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret = a;
	if (ret_port)
		*ret_port = port;
	return 0;
}
