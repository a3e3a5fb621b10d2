/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line per event on standard error (the journal takes it from there).
 *
 * Levels: error = something the operator must act on; warning = it goes on
 * working, but not as asked; notice = a change of state an operator wants to
 * see at 3 a.m.; info = normal steps; debug = for the authors.
 *
 * base, model, plan and health never log above debug; net, ike, metadata
 * return errors; the layer that knows the operator's words logs, once.
 * Names and texts from outside are escaped here, so a caller passes them raw.
 */
#pragma once

#include "base/util.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* "error", "warning", "notice", "info", "debug". */
const char *log_level_to_string(enum log_level level);
/* 0, or -EINVAL for a name that is no level. */
int log_level_from_string(const char *name, enum log_level *ret);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/*
 * How lines begin: with "<N>" for the journal (LOG_STYLE_JOURNAL, chosen when
 * JOURNAL_STREAM names our stderr), else with wall clock, program and level.
 */
void log_init(const char *program);

void log_write(enum log_level level, const char *fmt, ...) SN_PRINTF(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_get_level() >= LOG_LEVEL_DEBUG)                                            \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                   \
	} while (0)

/*
 * For what a peer or a broken world can cause again and again: true when the
 * event with this key (a static string or object name) may be logged now, at
 * most once in interval_ms; *ret_suppressed gets how many were not.
 */
struct log_limit {
	int64_t last_ms;
	unsigned suppressed;
};
bool log_limit_allow(struct log_limit *limit, int64_t now_ms, int64_t interval_ms,
		     unsigned *ret_suppressed);
