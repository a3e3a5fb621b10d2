/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/icmp_watch.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>

#define READS_PER_TURN 64
#define WORD_MAX 1280 /* RFC 4443, 2.4: no longer than that; what is cut is no word */

struct icmp_watch {
	icmp_word_fn fn;
	void *user;
	int v4, v6; /* -1: none */
	struct loop_io *io_v4, *io_v6;
};

static int parse(const uint8_t *data, size_t len, const struct sockaddr_storage *from,
		 struct icmp_word *ret)
{
	struct sn_addr sender;

	if (from->ss_family == AF_INET)
		return icmp_word_parse_v4(data, len, ret);
	if (sn_addr_from_sockaddr((const struct sockaddr *)from, &sender, NULL) < 0)
		return -1;
	return icmp_word_parse_v6(data, len, &sender, ret);
}

static void on_readable(int fd, unsigned events, void *user)
{
	struct icmp_watch *w = user;

	(void)events;
	for (int i = 0; i < READS_PER_TURN; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t from_len = sizeof(from);
		uint8_t data[WORD_MAX];
		struct icmp_word word;
		ssize_t n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);

		if (n < 0)
			return;
		if (parse(data, (size_t)n, &from, &word) == 0)
			w->fn(&word, w->user);
	}
}

/* A filter that cannot be set costs time and nothing else. */
static int open_v4(void)
{
	const struct icmp_filter filter = { .data = ~(1u << ICMP_DEST_UNREACH) };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	if (fd >= 0)
		(void)setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	return fd;
}

static int open_v6(void)
{
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	struct icmp6_filter filter;

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
	return fd;
}

struct icmp_watch *icmp_watch_new(struct loop *loop, icmp_word_fn fn, void *user)
{
	struct icmp_watch *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->user = user;
	w->v4 = open_v4();
	w->v6 = open_v6();
	if (w->v4 >= 0)
		w->io_v4 = loop_io_new(loop, w->v4, LOOP_READ, on_readable, w);
	if (w->v6 >= 0)
		w->io_v6 = loop_io_new(loop, w->v6, LOOP_READ, on_readable, w);
	return w;
}

void icmp_watch_free(struct icmp_watch *w)
{
	if (!w)
		return;
	loop_io_free(w->io_v4);
	loop_io_free(w->io_v6);
	sn_closep(&w->v4);
	sn_closep(&w->v6);
	free(w);
}
