/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_truncation_wants_more(void **state)
{
	_cleanup_json_ json_t *message = json_pack("{s:s, s:{s:i}}", "verb", "x", "args", "n", 7);
	_cleanup_json_ json_t *back = NULL;
	_cleanup_free_ uint8_t *frame = NULL;
	struct sn_error e;
	const char *payload;
	size_t n, len;

	(void)state;
	frame = ctl_frame_new(message, &n);
	assert_non_null(frame);
	for (size_t i = 0; i < n; i++) {
		/* a copy of just that size, for the sanitizer's sake */
		uint8_t *cut = xmalloc(i + 1);

		memcpy(cut, frame, i);
		assert_int_equal(ctl_frame(cut, i, CTL_MAX_REQUEST, &payload, &len),
				 CTL_FRAME_MORE);
		free(cut);
	}
	assert_int_equal(ctl_frame(frame, n, CTL_MAX_REQUEST, &payload, &len), CTL_FRAME_DONE);
	assert_ptr_equal(payload, frame + CTL_HEADER_SIZE);
	assert_int_equal(len, n - CTL_HEADER_SIZE);
	assert_int_equal(json_parse(payload, len, &back, &e), 0);
	assert_true(json_equal(message, back));
}

static void what_follows_a_frame_is_not_part_of_it(void **state)
{
	const uint8_t buf[] = { 0, 0, 0, 2, '{', '}', 'x', 'y' };
	const char *payload;
	size_t len;

	(void)state;
	assert_int_equal(ctl_frame(buf, sizeof(buf), 2, &payload, &len), CTL_FRAME_DONE);
	assert_int_equal(len, 2);
}

static void a_long_frame_is_refused_by_its_header_alone(void **state)
{
	const uint8_t just[] = { 0, 1, 0, 0 }, over[] = { 0, 1, 0, 1 };
	const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff };
	const char *payload;
	size_t len;

	(void)state;
	assert_int_equal(CTL_MAX_REQUEST, 0x10000);
	assert_int_equal(ctl_frame(just, 4, CTL_MAX_REQUEST, &payload, &len), CTL_FRAME_MORE);
	assert_int_equal(ctl_frame(over, 4, CTL_MAX_REQUEST, &payload, &len), -EMSGSIZE);
	assert_int_equal(ctl_frame(huge, 4, CTL_MAX_MESSAGE, &payload, &len), -EMSGSIZE);
}

static void a_message_over_the_limit_makes_no_frame(void **state)
{
	_cleanup_free_ char *text = xmalloc(CTL_MAX_MESSAGE + 1);
	_cleanup_json_ json_t *message = NULL;
	size_t len;

	(void)state;
	memset(text, 'a', CTL_MAX_MESSAGE);
	text[CTL_MAX_MESSAGE] = '\0';
	message = json_string(text);
	assert_null(ctl_frame_new(message, &len));
}

static void requests_are_checked(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"7",
		"{}",
		"{\"verb\": 1}",
		"{\"verb\": \"x\", \"args\": []}",
		"{\"verb\": \"x\", \"verb\": \"y\"}",
		"{\"verb\": \"x\", \"arg\": {}}",
		"{\"verb\": \"x\\u0000y\"}",
		"{\"verb\": \"x\"} {}",
	};
	struct ctl_request req;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++)
		assert_int_equal(ctl_request_parse(bad[i], strlen(bad[i]), &req, &e), -EINVAL);
	assert_int_equal(ctl_request_parse("{\"verb\": \"x\"}", 13, &req, &e), 0);
	assert_string_equal(req.verb, "x");
	assert_true(json_is_object(req.args));
	ctl_request_fini(&req);
}

static int parse_reply(const char *text, json_t **ret, struct sn_error *e)
{
	return ctl_reply_parse(text, strlen(text), ret, e);
}

static void replies_tell_result_or_error(void **state)
{
	_cleanup_json_ json_t *result = NULL, *none = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(parse_reply("{\"ok\": true, \"result\": [1]}", &result, &e), 0);
	assert_int_equal(json_array_size(result), 1);
	assert_int_equal(parse_reply("{\"ok\": true}", &none, &e), 0);
	assert_true(json_is_null(none));
	assert_int_equal(parse_reply("{\"ok\": false, \"error\": {\"code\": \"ENOSPC\", "
				     "\"text\": \"full\"}}",
				     &result, &e),
			 -ENOSPC);
	assert_string_equal(e.text, "full");
	assert_int_equal(e.code, -ENOSPC);
	assert_int_equal(parse_reply("{\"ok\": false}", &result, &e), -EINVAL);
	assert_int_equal(parse_reply("{\"ok\": 1}", &result, &e), -EPROTO);
	assert_int_equal(parse_reply("hello", &result, &e), -EPROTO);
}

static void an_error_with_bytes_that_are_no_text_still_arrives(void **state)
{
	struct sn_error e, back;
	_cleanup_json_ json_t *reply = NULL, *result = NULL;
	_cleanup_free_ uint8_t *frame = NULL;
	size_t n;

	(void)state;
	sn_error_set(&e, -EIO, "file \xff\xfe");
	reply = ctl_reply_error(&e);
	frame = ctl_frame_new(reply, &n);
	assert_non_null(frame);
	assert_int_equal(ctl_reply_parse((char *)frame + 4, n - 4, &result, &back), -EIO);
	assert_string_equal(back.text, "file ??");
}

static void errors_keep_their_names(void **state)
{
	(void)state;
	assert_string_equal(ctl_errno_name(-EADDRINUSE), "EADDRINUSE");
	assert_string_equal(ctl_errno_name(-99999), "EIO");
	assert_string_equal(ctl_errno_name(0), "EIO");
	for (int i = 1; i < 134; i++)
		if (strerrorname_np(i))
			assert_int_equal(ctl_errno_from_name(ctl_errno_name(-i)), -i);
	assert_int_equal(ctl_errno_from_name("ENOSUCHTHING"), -EIO);
	assert_int_equal(ctl_errno_from_name(""), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_wants_more),
		cmocka_unit_test(what_follows_a_frame_is_not_part_of_it),
		cmocka_unit_test(a_long_frame_is_refused_by_its_header_alone),
		cmocka_unit_test(a_message_over_the_limit_makes_no_frame),
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(replies_tell_result_or_error),
		cmocka_unit_test(an_error_with_bytes_that_are_no_text_still_arrives),
		cmocka_unit_test(errors_keep_their_names),
	};

	return cmocka_run_group_tests_name("ctl/frame", tests, NULL, NULL);
}
