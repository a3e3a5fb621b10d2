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

static void try_reply(const char *payload, size_t len)
{
	_cleanup_json_ json_t *result = NULL;
	struct sn_error e = { 0 };

	if (ctl_reply_parse(payload, len, &result, &e) < 0)
		sn_require(e.code < 0);
	else
		sn_require(result);
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
