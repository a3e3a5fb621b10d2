/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include "base/json.h"
#include "base/log_repeat.h"
#include "base/strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

/* What sd-daemon(3) calls SD_ERR, SD_WARNING, SD_NOTICE, SD_INFO, SD_DEBUG. */
static const int journal_levels[] = {
	[LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARNING] = 4, [LOG_LEVEL_NOTICE] = 5,
	[LOG_LEVEL_INFO] = 6,  [LOG_LEVEL_DEBUG] = 7,
};

static enum log_level current_level = LOG_LEVEL_INFO;
static const char *program_name = "sennit";
static bool to_journal;
static enum log_format format;
static bool count_repeats;
static struct log_repeat repeats;

const char *log_level_to_string(enum log_level level)
{
	return level_names[level];
}

int log_level_from_string(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(level_names); i++) {
		if (streq(name, level_names[i])) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const format_names[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
};

const char *log_format_to_string(enum log_format f)
{
	return format_names[f];
}

int log_format_from_string(const char *name, enum log_format *ret)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(format_names); i++) {
		if (streq(name, format_names[i])) {
			*ret = (enum log_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_format(enum log_format f)
{
	format = f;
}

enum log_format log_get_format(void)
{
	return format;
}

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_get_level(void)
{
	return current_level;
}

/* JOURNAL_STREAM holds device:inode of the stream that goes to the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program)
{
	program_name = program;
	to_journal = stderr_is_journal();
}

/* --- a line ---------------------------------------------------------------- */

static void add_stamp(struct strbuf *line)
{
	int64_t now = sn_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	char stamp[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	strbuf_addf(line, "%s.%03dZ", stamp, (int)(now % 1000));
}

/* What is no UTF-8 is no JSON either; then it is escaped as in text. */
static void add_json_string(struct strbuf *b, const char *s)
{
	_cleanup_strbuf_ struct strbuf escaped = STRBUF_INIT;
	_cleanup_json_ json_t *v = json_string(s);
	_cleanup_free_ char *text = NULL;

	if (!v) {
		strbuf_add_escaped(&escaped, s);
		v = json_string(strbuf_str(&escaped));
	}
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	strbuf_adds(b, text ? text : "\"\"");
}

/* What two equal lines have in common. */
static void add_body(struct strbuf *b, const struct log_field *fields, const char *message)
{
	if (format == LOG_FORMAT_TEXT) {
		strbuf_add_escaped(b, message);
		return;
	}
	strbuf_adds(b, "\"message\":");
	add_json_string(b, message);
	for (; fields && fields->key; fields++) {
		if (!fields->value)
			continue;
		strbuf_addf(b, ",\"%s\":", fields->key);
		add_json_string(b, fields->value);
	}
}

static void add_times(struct strbuf *line, const struct log_repeat_sum *sum)
{
	strbuf_addf(line,
		    format == LOG_FORMAT_TEXT ? " … %u times in %" PRId64 " s"
					      : ",\"times\":%u,\"seconds\":%" PRId64,
		    sum->times, sum->seconds);
}

/* sum NULL: the line itself. */
static void put(enum log_level level, const char *body, const struct log_repeat_sum *sum)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	if (to_journal)
		strbuf_addf(&line, "<%d>", journal_levels[level]);
	if (format == LOG_FORMAT_JSON) {
		strbuf_adds(&line, "{\"time\":\"");
		add_stamp(&line);
		strbuf_addf(&line, "\",\"level\":\"%s\",\"program\":\"%s\",", level_names[level],
			    program_name);
	} else if (!to_journal) {
		add_stamp(&line);
		strbuf_addf(&line, " %s %s: ", program_name, level_names[level]);
	}
	strbuf_adds(&line, body);
	if (sum)
		add_times(&line, sum);
	strbuf_adds(&line, format == LOG_FORMAT_JSON ? "}\n" : "\n");
	/* one write, so that lines of several writers do not mix */
	if (write(STDERR_FILENO, line.data, line.len) < 0)
		return; /* nobody is left to tell */
}

/* --- counting -------------------------------------------------------------- */

static void tell_counted(bool all)
{
	struct log_repeat_sum sum;

	while (log_repeat_next(&repeats, sn_now_ms(), all, &sum))
		put(sum.level, sum.body, &sum);
}

void log_count_repeats(void)
{
	count_repeats = true;
}

void log_tick(void)
{
	tell_counted(false);
}

void log_flush(void)
{
	tell_counted(true);
	log_repeat_fini(&repeats);
}

/* --- writing --------------------------------------------------------------- */

static void SN_PRINTF(3, 0) write_line(enum log_level level, const struct log_field *fields,
				       const char *fmt, va_list ap)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	_cleanup_free_ char *message = NULL;

	if (vasprintf(&message, fmt, ap) < 0)
		message = xstrdup(fmt);
	add_body(&body, fields, message);
	/* who asks for debug wants all, in its order */
	if (count_repeats && level < LOG_LEVEL_DEBUG) {
		tell_counted(false);
		if (!log_repeat_note(&repeats, level, strbuf_str(&body), sn_now_ms()))
			return;
	}
	put(level, strbuf_str(&body), NULL);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > current_level)
		return;
	va_start(ap, fmt);
	write_line(level, NULL, fmt, ap);
	va_end(ap);
}

void log_write_fields(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
	va_list ap;

	if (level > current_level)
		return;
	va_start(ap, fmt);
	write_line(level, fields, fmt, ap);
	va_end(ap);
}

bool log_limit_allow(struct log_limit *limit, int64_t now_ms, int64_t interval_ms,
		     unsigned *ret_suppressed)
{
	if (limit->last_ms && now_ms - limit->last_ms < interval_ms) {
		limit->suppressed++;
		return false;
	}
	limit->last_ms = now_ms ? now_ms : 1;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
