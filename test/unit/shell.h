/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of foreign hands, others than us: ip(8), nft(8).
 *
 * Needs cmocka: include this behind it.
 */
#pragma once

#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* It has to work. */
static inline void SN_PRINTF(1, 0) vsh(const char *fmt, va_list ap)
{
	_cleanup_free_ char *command = NULL;

	assert_true(vasprintf(&command, fmt, ap) >= 0);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static inline void SN_PRINTF(1, 2) sh(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsh(fmt, ap);
	va_end(ap);
}

/* True when it works. */
static inline bool SN_PRINTF(1, 2) sh_ok(const char *fmt, ...)
{
	_cleanup_free_ char *command = NULL, *quiet = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&command, fmt, ap) >= 0);
	va_end(ap);
	quiet = xasprintf("{ %s ; } >/dev/null 2>&1", command);
	return system(quiet) == 0;
}
