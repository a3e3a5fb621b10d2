/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest helpers, used everywhere: allocation that cannot fail, the
 * cleanup attribute, contracts, time.
 *
 * Memory: small, fixed-size allocations abort the program when there is no
 * memory (x*alloc). Whatever takes its size from a wire or a file is bounded
 * first by its reader.
 *
 * Return values, in the whole project: 0, a negative errno, or a positive
 * outcome that the function's own header names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SN_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SN_MAX(a, b) ((a) > (b) ? (a) : (b))
#define SN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* 16 hex digits and a NUL: names a mesh secret, see secret/secret.h. */
#define SECRET_ID_SIZE 17

/* Length of a host id with its NUL: [A-Za-z0-9][A-Za-z0-9._-]{0,62}. */
#define SN_ID_SIZE 64

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xreallocarray(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) SN_PRINTF(1, 2) __attribute__((malloc, returns_nonnull));

/* strdup that passes NULL through. */
char *xstrdup_null(const char *s);

/*
 * A contract of the caller, broken only by a bug: aborts in every build,
 * with the place. Never for input from outside.
 */
#define sn_require(cond)                                                                           \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			sn_require_failed(#cond, __FILE__, __LINE__);                              \
	} while (0)
void sn_require_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

/* Hands an owned pointer on: returns it and leaves NULL behind. */
#define sn_steal(ptr)                                                                              \
	({                                                                                         \
		__typeof__(ptr) *_p = &(ptr);                                                      \
		__typeof__(ptr) _v = *_p;                                                          \
		*_p = NULL;                                                                        \
		_v;                                                                                \
	})

/* The same for a descriptor: leaves -1 behind. */
static inline int sn_steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/*
 * Every local that owns something says so with _cleanup_(function). The
 * function gets the address of the variable.
 */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void sn_freep(void *p)
{
	free(*(void **)p);
}

static inline void sn_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ _cleanup_(sn_freep)
#define _cleanup_close_ _cleanup_(sn_closep)

/* Defines func_p() beside a destructor, for _cleanup_(). */
#define SN_DEFINE_CLEANUP(type, func)                                                              \
	static inline void func##p(type *p)                                                        \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}                                                                                          \
	struct sn_swallow_semicolon

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* NULL is equal to NULL only. */
static inline bool streq_null(const char *a, const char *b)
{
	return a == b || (a && b && streq(a, b));
}

static inline bool sn_startswith(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* CLOCK_BOOTTIME in milliseconds: goes on during suspend, never jumps back. */
int64_t sn_now_ms(void);
/* CLOCK_REALTIME in milliseconds since 1970, for what people and files see. */
int64_t sn_wall_ms(void);
/* Fills from getrandom(2); never fails. */
void sn_random(void *buf, size_t len);
/* Uniform in [0, bound); bound > 0. */
uint32_t sn_random_below(uint32_t bound);

/*
 * FNV-1a, 64 bits, over one more piece: start with SN_HASH_INIT. Tells contents
 * apart that differ by accident; protects nothing.
 */
#define SN_HASH_INIT 0xcbf29ce484222325u
uint64_t sn_hash(uint64_t h, const void *data, size_t len);

/* Orders by bytes, like strcmp, as -1, 0, 1. */
static inline int sn_cmp_str(const char *a, const char *b)
{
	int c = strcmp(a, b);

	return (c > 0) - (c < 0);
}
#define sn_cmp_num(a, b) (((a) > (b)) - ((a) < (b)))
