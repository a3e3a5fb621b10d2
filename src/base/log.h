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
 *
 * As text a line is the message. As JSON (one object a line) it has "time",
 * "level", "program", "message" and the fields that the caller gave, which in text
 * are left out: the message says the same in words.
 *
 * For one thread: the one of the loop.
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

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
/* 0, or -EINVAL for anything but "text" and "json". */
int log_format_from_string(const char *name, enum log_format *ret);
const char *log_format_to_string(enum log_format format);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/*
 * How lines begin: with "<N>" for the journal (LOG_STYLE_JOURNAL, chosen when
 * JOURNAL_STREAM names our stderr), else with wall clock, program and level.
 */
void log_init(const char *program);
void log_set_format(enum log_format format);
enum log_format log_get_format(void);
/*
 * From now on equal lines above debug are counted (base/log_repeat.h): "… 41
 * times in 60 s". Call log_tick() about every second, log_flush() at the end.
 */
void log_count_repeats(void);
void log_tick(void);
void log_flush(void);

void log_write(enum log_level level, const char *fmt, ...) SN_PRINTF(2, 3);

/*
 * What the line is about, for who reads it by program: "peer", "object",
 * "state", … Keys are ours, other than those above; a NULL value leaves its field out.
 */
struct log_field {
	const char *key, *value;
};
#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__, { NULL, NULL } })
void log_write_fields(enum log_level level, const struct log_field *fields, const char *fmt, ...)
	SN_PRINTF(3, 4);

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
