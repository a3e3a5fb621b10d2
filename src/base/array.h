/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A typed, growing array: ARRAY(struct thing) things; Zero-initialised is
 * empty. Elements move when it grows: keep indexes, not pointers.
 *
 *	array_add(&a)		address of a new, zeroed element at the end
 *	array_remove(&a, i)	takes element i out, keeps the order
 *	array_trim(&a)		gives room back that growing has left over
 *	array_free(&a)		frees the storage; what elements own is the
 *				caller's to free first
 */
#pragma once

#include "base/util.h"

#define ARRAY(type)                                                                                \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n;                                                                          \
		size_t size;                                                                       \
	}

/* Large ones grow by a quarter: there realloc(3) moves pages, not bytes, and room is dear. */
static inline size_t array_grown(size_t size)
{
	return size < 4096 ? SN_MAX(size * 2, (size_t)8) : size + size / 4;
}

#define array_add(a)                                                                               \
	({                                                                                         \
		__typeof__(a) _a = (a);                                                            \
		if (_a->n == _a->size) {                                                           \
			_a->size = array_grown(_a->size);                                          \
			_a->v = xreallocarray(_a->v, _a->size, sizeof(*_a->v));                    \
		}                                                                                  \
		memset(&_a->v[_a->n], 0, sizeof(*_a->v));                                          \
		&_a->v[_a->n++];                                                                   \
	})

#define array_remove(a, i)                                                                         \
	do {                                                                                       \
		__typeof__(a) _a = (a);                                                            \
		size_t _i = (i);                                                                   \
		_a->n--;                                                                           \
		memmove(&_a->v[_i], &_a->v[_i + 1], (_a->n - _i) * sizeof(*_a->v));                \
	} while (0)

#define array_trim(a)                                                                              \
	do {                                                                                       \
		__typeof__(a) _t = (a);                                                            \
		if (_t->n > 0 && _t->n < _t->size) {                                               \
			_t->v = xreallocarray(_t->v, _t->n, sizeof(*_t->v));                       \
			_t->size = _t->n;                                                          \
		}                                                                                  \
	} while (0)

#define array_free(a)                                                                              \
	do {                                                                                       \
		__typeof__(a) _f = (a);                                                            \
		free(_f->v);                                                                       \
		memset(_f, 0, sizeof(*_f));                                                        \
	} while (0)

#define array_foreach(a, item)                                                                     \
	for (__typeof__(*(a)->v) *item = (a)->v; item && item < (a)->v + (a)->n; item++)

#define array_sort(a, cmp)                                                                         \
	do {                                                                                       \
		if ((a)->n > 1)                                                                    \
			qsort((a)->v, (a)->n, sizeof(*(a)->v), (cmp));                             \
	} while (0)
