/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which log lines are told and which are only counted. Pure: time is an
 * argument.
 *
 * The first LOG_REPEAT_BURST equal lines within LOG_REPEAT_WINDOW_MS are
 * told: two repairs of one route are two events with times of their own. What comes
 * beyond that is counted and told once, when the window ends. A line that was
 * counted goes on being counted, window after window, until one passes without it.
 *
 * Memory is bounded: LOG_REPEAT_LINES lines are remembered, none longer than
 * LOG_REPEAT_BYTES. What finds no place is told.
 */
#pragma once

#include "base/log.h"

#define LOG_REPEAT_WINDOW_MS 60000
#define LOG_REPEAT_BURST 5
#define LOG_REPEAT_LINES 64
#define LOG_REPEAT_BYTES 1024

struct log_repeat_line {
	char *body; /* NULL: a free place */
	enum log_level level;
	int64_t begin_ms; /* of its window */
	unsigned times;   /* in this window */
	unsigned told;    /* of these */
	bool counted;     /* the window before had some that were not told */
};

/* Zero-initialised is empty. */
struct log_repeat {
	struct log_repeat_line lines[LOG_REPEAT_LINES];
};

void log_repeat_fini(struct log_repeat *r);
/* Whether this line is to be told now. */
bool log_repeat_note(struct log_repeat *r, enum log_level level, const char *body, int64_t now);

struct log_repeat_sum {
	const char *body; /* borrowed until the next call with r */
	enum log_level level;
	unsigned times; /* all in its window, with those that were told */
	int64_t seconds;
};
/* The next line whose window is over (all: or is not) and that was counted; call until it is false.
 */
bool log_repeat_next(struct log_repeat *r, int64_t now, bool all, struct log_repeat_sum *ret);
