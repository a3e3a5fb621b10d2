/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log_repeat.h"

static void line_fini(struct log_repeat_line *line)
{
	free(line->body);
	*line = (struct log_repeat_line){ 0 };
}

void log_repeat_fini(struct log_repeat *r)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(r->lines); i++)
		line_fini(&r->lines[i]);
}

static struct log_repeat_line *find(struct log_repeat *r, enum log_level level, const char *body)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(r->lines); i++) {
		struct log_repeat_line *line = &r->lines[i];

		if (line->body && line->level == level && streq(line->body, body))
			return line;
	}
	return NULL;
}

/* A free place, or that of the oldest line of which all was told; NULL: none. */
static struct log_repeat_line *find_place(struct log_repeat *r)
{
	struct log_repeat_line *oldest = NULL;

	for (size_t i = 0; i < SN_ARRAY_SIZE(r->lines); i++) {
		struct log_repeat_line *line = &r->lines[i];

		if (!line->body)
			return line;
		if (line->times == line->told && (!oldest || line->begin_ms < oldest->begin_ms))
			oldest = line;
	}
	if (oldest)
		line_fini(oldest);
	return oldest;
}

bool log_repeat_note(struct log_repeat *r, enum log_level level, const char *body, int64_t now)
{
	struct log_repeat_line *line = find(r, level, body);

	if (!line) {
		line = strlen(body) <= LOG_REPEAT_BYTES ? find_place(r) : NULL;
		if (!line)
			return true;
		line->body = xstrdup(body);
		line->level = level;
		line->begin_ms = now;
	}
	line->times++;
	if (line->counted || line->told == LOG_REPEAT_BURST)
		return false;
	line->told++;
	return true;
}

bool log_repeat_next(struct log_repeat *r, int64_t now, bool all, struct log_repeat_sum *ret)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(r->lines); i++) {
		struct log_repeat_line *line = &r->lines[i];

		if (!line->body || (!all && now - line->begin_ms < LOG_REPEAT_WINDOW_MS))
			continue;
		if (line->times == line->told) {
			line_fini(line);
			continue;
		}
		*ret = (struct log_repeat_sum){
			.body = line->body,
			.level = line->level,
			.times = line->times,
			.seconds = (now - line->begin_ms) / 1000,
		};
		line->begin_ms = now;
		line->times = line->told = 0;
		line->counted = true;
		return true;
	}
	return false;
}
