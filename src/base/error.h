/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error for people: a negative errno and one sentence that says what was
 * wrong and where. Functions that read input from outside take a
 * `struct sn_error *` (never NULL) and fill it when they return negative.
 */
#pragma once

#include "base/util.h"

struct sn_error {
	int code;       /* negative errno, 0 when there is none */
	char text[512]; /* without a full stop or a line feed at the end; raw, escape it for display
			 */
};

/* Sets both and returns code, so that `return sn_error_set(...)` reads well. */
int sn_error_set(struct sn_error *e, int code, const char *fmt, ...) SN_PRINTF(3, 4);
/* Puts "text: " before the sentence that is there; returns e->code. */
int sn_error_wrap(struct sn_error *e, const char *fmt, ...) SN_PRINTF(2, 3);
/* strerror() of a negative errno, thread-safe, static storage. */
const char *sn_strerror(int negative_errno);
