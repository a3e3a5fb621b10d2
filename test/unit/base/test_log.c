/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard error is a pipe here, and each test reads what was written to it. */
#include "base/json.h"
#include "base/log_repeat.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int pipe_fds[2], real_stderr;
static char text[8192];

static int begin(void **state)
{
	(void)state;
	real_stderr = dup(STDERR_FILENO);
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0)
		return -1;
	unsetenv("JOURNAL_STREAM");
	log_init("test");
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int let_go(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	log_set_format(LOG_FORMAT_TEXT);
	return 0;
}

static const char *written(void)
{
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static json_t *written_json(void)
{
	struct sn_error e = { 0 };
	json_t *v = NULL;

	written();
	if (json_parse(text, strlen(text), &v, &e) < 0)
		fail_msg("%s: %s", e.text, text);
	return v;
}

static void assert_field(const json_t *line, const char *key, const char *value)
{
	const char *found = json_string_value(json_object_get(line, key));

	if (!streq_null(found, value))
		fail_msg("%s is %s, not %s", key, found ? found : "missing", value);
}

static void text_is_a_stamp_the_level_and_the_message(void **state)
{
	(void)state;
	log_write_fields(LOG_LEVEL_WARNING, LOG_FIELDS({ "peer", "h2" }), "peer %s\n\033[2J", "h2");
	assert_non_null(strstr(written(), "Z test warning: peer h2\\n\\x1b[2J\n"));
	assert_null(strstr(text, "{"));
	log_debug("not this one");
	assert_string_equal(written(), "");
}

static void json_is_one_object_a_line_with_the_fields(void **state)
{
	_cleanup_json_ json_t *line = NULL;

	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	log_write_fields(LOG_LEVEL_NOTICE,
			 LOG_FIELDS({ "peer", "h\"2" }, { "cause", NULL }, { "state", "up" }),
			 "a \"quoted\" line\nand \033 \302\233 more");
	line = written_json();
	assert_int_equal(strlen(text) - 1, strcspn(text, "\n"));
	assert_int_equal(strspn(text, "\n"), 0);
	for (const char *p = text; *p != '\n'; p++)
		assert_in_range(*p, 0x20, 0x7e);
	assert_field(line, "level", "notice");
	assert_field(line, "program", "test");
	assert_field(line, "message", "a \"quoted\" line\nand \033 \302\233 more");
	assert_field(line, "peer", "h\"2");
	assert_field(line, "state", "up");
	assert_null(json_object_get(line, "cause"));
	assert_int_equal(json_string_length(json_object_get(line, "time")),
			 strlen("2026-11-23T08:37:32.000Z"));
}

static void bytes_that_are_no_utf8_are_escaped_in_json(void **state)
{
	_cleanup_json_ json_t *line = NULL;

	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	log_write_fields(LOG_LEVEL_ERROR, LOG_FIELDS({ "object", "\377" }), "x\376y");
	line = written_json();
	assert_field(line, "message", "x\\xfey");
	assert_field(line, "object", "\\xff");
}

static void repeats_are_counted_and_told_at_the_end(void **state)
{
	size_t lines = 0;

	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	log_count_repeats();
	for (int i = 0; i < 41; i++)
		log_info("again");
	for (const char *p = strchr(written(), '\n'); p; p = strchr(p + 1, '\n'))
		lines++;
	assert_int_equal(lines, LOG_REPEAT_BURST);
	log_tick();
	assert_string_equal(written(), "");
	log_flush();
	assert_non_null(strstr(written(), "info: again … 41 times in 0 s\n"));
	for (int i = 0; i < 10; i++)
		log_debug("again");
	lines = 0;
	for (const char *p = strchr(written(), '\n'); p; p = strchr(p + 1, '\n'))
		lines++;
	assert_int_equal(lines, 10);
}

static void repeats_in_json_have_the_number_as_fields(void **state)
{
	const char *sum;

	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	log_count_repeats();
	for (int i = 0; i < 7; i++)
		log_write_fields(LOG_LEVEL_INFO, LOG_FIELDS({ "peer", "h2" }), "again");
	log_flush();
	sum = strstr(written(), "\"times\"");
	assert_non_null(sum);
	assert_non_null(strstr(text, "\"message\":\"again\",\"peer\":\"h2\",\"times\":7,"
				     "\"seconds\":0}\n"));
}

static void names_of_levels_and_formats_are_read_as_they_are_written(void **state)
{
	enum log_format f = LOG_FORMAT_TEXT;
	enum log_level l = LOG_LEVEL_ERROR;

	(void)state;
	assert_int_equal(log_format_from_string("json", &f), 0);
	assert_string_equal(log_format_to_string(f), "json");
	assert_int_equal(log_format_from_string("JSON", &f), -EINVAL);
	assert_int_equal(log_level_from_string("notice", &l), 0);
	assert_string_equal(log_level_to_string(l), "notice");
	assert_int_equal(log_level_from_string("", &l), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_is_a_stamp_the_level_and_the_message, begin,
						let_go),
		cmocka_unit_test_setup_teardown(json_is_one_object_a_line_with_the_fields, begin,
						let_go),
		cmocka_unit_test_setup_teardown(bytes_that_are_no_utf8_are_escaped_in_json, begin,
						let_go),
		cmocka_unit_test_setup_teardown(repeats_are_counted_and_told_at_the_end, begin,
						let_go),
		cmocka_unit_test_setup_teardown(repeats_in_json_have_the_number_as_fields, begin,
						let_go),
		cmocka_unit_test(names_of_levels_and_formats_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
