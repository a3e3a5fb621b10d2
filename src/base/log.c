/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include "base/strbuf.h"

#include <errno.h>
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

static void add_prefix(struct strbuf *line, enum log_level level)
{
	int64_t now = sn_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	char stamp[32];
	struct tm tm;

	if (to_journal) {
		strbuf_addf(line, "<%d>", journal_levels[level]);
		return;
	}
	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	strbuf_addf(line, "%s.%03dZ %s %s: ", stamp, (int)(now % 1000), program_name,
		    level_names[level]);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	if (level > current_level)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	add_prefix(&line, level);
	strbuf_add_escaped(&line, text);
	strbuf_addc(&line, '\n');
	/* one write, so that lines of several writers do not mix */
	if (write(STDERR_FILENO, line.data, line.len) < 0)
		return; /* nobody is left to tell */
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
