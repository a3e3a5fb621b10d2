/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's frames, requests and replies: what a caller of group
 * sennit may send to root's daemon, and a daemon to root's tool. A request
 * that is taken is taken again after it was written.
 */
#include "ctl/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(const char *payload, size_t len)
{
	struct ctl_request req, again;
	_cleanup_free_ uint8_t *frame = NULL;
	struct sn_error e = { 0 };
	const char *back;
	size_t n, back_len;

	if (ctl_request_parse(payload, len, &req, &e) < 0) {
		sn_require(e.code < 0 && e.text[0]);
		return;
	}
	sn_require(req.verb && json_is_object(req.args));
	frame = ctl_frame_new(req.root, &n);
	sn_require(frame);
	sn_require(ctl_frame(frame, n, CTL_MAX_MESSAGE, &back, &back_len) == CTL_FRAME_DONE);
	sn_require(ctl_request_parse(back, back_len, &again, &e) == 0);
	sn_require(streq(req.verb, again.verb) && json_equal(req.args, again.args));
	ctl_request_fini(&req);
	ctl_request_fini(&again);
}

/* What was told comes back, whatever bytes are in the words. */
static void check_error(const struct sn_error *e)
{
	_cleanup_json_ json_t *reply = ctl_reply_error(e), *result = NULL;
	_cleanup_free_ char *text = json_dumps(reply, JSON_COMPACT);
	struct sn_error told = { 0 };

	sn_require(text);
	sn_require(ctl_reply_parse(text, strlen(text), &result, &told) == told.code);
	sn_require(!result && told.code == ctl_errno_from_name(ctl_errno_name(e->code)));
	sn_require(strlen(told.text) == strlen(e->text));
}

static void check_result(json_t *result)
{
	_cleanup_json_ json_t *reply = ctl_reply_ok(json_incref(result)), *again = NULL;
	_cleanup_free_ char *text = json_dumps(reply, JSON_COMPACT);
	struct sn_error e = { 0 };

	sn_require(text && ctl_reply_parse(text, strlen(text), &again, &e) == 0);
	sn_require(json_equal(result, again));
}

static void try_reply(const char *payload, size_t len)
{
	_cleanup_json_ json_t *result = NULL;
	struct sn_error e = { 0 }, raw = { .code = -(int)(len % 200) - 1 };

	if (ctl_reply_parse(payload, len, &result, &e) == 0) {
		check_result(result);
	} else {
		sn_require(e.code < 0);
	}
	/* names of errors are looked up one by one, in hundreds */
	if (len % 16 != 0)
		return;
	memcpy(raw.text, payload, SN_MIN(len, sizeof(raw.text) - 1));
	check_error(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *payload;
	size_t len;

	if (ctl_frame(data, size, CTL_MAX_REQUEST, &payload, &len) == CTL_FRAME_DONE) {
		sn_require(len <= CTL_MAX_REQUEST && (const uint8_t *)payload + len <= data + size);
		try_request(payload, len);
	}
	/* without the header too: a fuzzer finds it hard to keep lengths right */
	try_request((const char *)data, size);
	try_reply((const char *)data, size);
	return 0;
}
