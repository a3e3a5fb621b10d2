/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static void *or_abort(void *p)
{
	if (!p)
		sn_require_failed("out of memory", __FILE__, __LINE__);
	return p;
}

void *xmalloc(size_t size)
{
	return or_abort(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return or_abort(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	return or_abort(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return or_abort(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return or_abort(strndup(s, n));
}

char *xstrdup_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		sn_require_failed("out of memory", __FILE__, __LINE__);
	return s;
}

void sn_require_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "sennit: bug: %s:%d: broken contract: %s\n", file, line, cond);
	abort();
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t sn_now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t sn_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void sn_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0)
			continue; /* EINTR is all that can happen here */
		p += n;
		len -= (size_t)n;
	}
}

uint32_t sn_random_below(uint32_t bound)
{
	uint32_t limit, r;

	sn_require(bound > 0);
	limit = UINT32_MAX - UINT32_MAX % bound;
	do {
		sn_random(&r, sizeof(r));
	} while (r >= limit);
	return r % bound;
}

uint64_t sn_hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}
