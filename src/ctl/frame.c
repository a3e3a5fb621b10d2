/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format: frames, requests, replies, names of errors. Pure, so that
 * every truncation of every message can be tried without a socket.
 */
#include "ctl/ctl.h"

#include <errno.h>

/* Beyond the last errno of any Linux architecture. */
#define ERRNO_END 512

int ctl_frame(const uint8_t *buf, size_t n, size_t max, const char **ret_payload, size_t *ret_len)
{
	size_t len;

	if (n < CTL_HEADER_SIZE)
		return CTL_FRAME_MORE;
	len = (size_t)buf[0] << 24 | (size_t)buf[1] << 16 | (size_t)buf[2] << 8 | buf[3];
	if (len > max)
		return -EMSGSIZE;
	if (n - CTL_HEADER_SIZE < len)
		return CTL_FRAME_MORE;
	*ret_payload = (const char *)buf + CTL_HEADER_SIZE;
	*ret_len = len;
	return CTL_FRAME_DONE;
}

uint8_t *ctl_frame_new(const json_t *message, size_t *ret_len)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t len = json_dumpb(message, NULL, 0, flags);
	uint8_t *buf;

	if (len == 0 || len > CTL_MAX_MESSAGE)
		return NULL;
	buf = xmalloc(CTL_HEADER_SIZE + len);
	for (int i = 0; i < CTL_HEADER_SIZE; i++)
		buf[i] = (uint8_t)(len >> (24 - 8 * i));
	json_dumpb(message, (char *)buf + CTL_HEADER_SIZE, len, flags);
	*ret_len = CTL_HEADER_SIZE + len;
	return buf;
}

void ctl_request_fini(struct ctl_request *req)
{
	json_decref(req->root);
	*req = (struct ctl_request){ 0 };
}

static int read_request(json_t *root, struct ctl_request *ret, struct sn_error *e)
{
	static const char *const keys[] = { "verb", "args", NULL };
	const json_t *args = NULL;
	int r = json_require_object(root, NULL, e);

	if (r == 0)
		r = json_check_keys(root, NULL, keys, e);
	if (r == 0)
		r = json_read_string(root, NULL, "verb", JSON_REQUIRED, &ret->verb, e);
	if (r == 0)
		r = json_read_object(root, NULL, "args", JSON_OPTIONAL, &args, e);
	if (r < 0)
		return r;
	if (!args)
		json_object_set_new(root, "args", json_object());
	ret->args = json_object_get(root, "args");
	return 0;
}

int ctl_request_parse(const char *payload, size_t len, struct ctl_request *ret, struct sn_error *e)
{
	_cleanup_json_ json_t *root = NULL;
	struct ctl_request req = { 0 };
	int r = json_parse(payload, len, &root, e);

	if (r == 0)
		r = read_request(root, &req, e);
	if (r < 0)
		return sn_error_wrap(e, "the request");
	req.root = sn_steal(root);
	*ret = req;
	return 0;
}

json_t *ctl_reply_ok(json_t *result)
{
	return json_pack("{s:b, s:o}", "ok", 1, "result", result ? result : json_null());
}

/* jansson takes UTF-8 only; words of others (a file's name, charon's) need not be. */
static json_t *string_of(const char *text)
{
	json_t *v = json_string(text);
	char *copy;

	if (v)
		return v;
	copy = xstrdup(text);
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	v = json_string(copy);
	free(copy);
	return v;
}

json_t *ctl_reply_error(const struct sn_error *e)
{
	return json_pack("{s:b, s:{s:s, s:o}}", "ok", 0, "error", "code", ctl_errno_name(e->code),
			 "text", string_of(e->text));
}

/* The daemon's refusal, or what is wrong with it. Never 0. */
static int read_error(const json_t *root, struct sn_error *e)
{
	struct json_place place = json_key(NULL, "error");
	const char *code = NULL, *text = NULL;
	const json_t *error = NULL;
	int r = json_read_object(root, NULL, "error", JSON_REQUIRED, &error, e);

	if (r == 0)
		r = json_read_string(error, &place, "code", JSON_REQUIRED, &code, e);
	if (r == 0)
		r = json_read_string(error, &place, "text", JSON_REQUIRED, &text, e);
	return r < 0 ? r : sn_error_set(e, ctl_errno_from_name(code), "%s", text);
}

int ctl_reply_parse(const char *payload, size_t len, json_t **ret, struct sn_error *e)
{
	_cleanup_json_ json_t *root = NULL;
	struct sn_error own = { 0 };
	bool ok = false;
	int r = json_parse(payload, len, &root, &own);

	if (r == 0)
		r = json_require_object(root, NULL, &own);
	if (r == 0)
		r = json_read_bool(root, NULL, "ok", JSON_REQUIRED, &ok, &own);
	if (r < 0)
		return sn_error_set(e, -EPROTO, "the daemon's answer is not understood: %s",
				    own.text);
	if (!ok)
		return read_error(root, e);
	*ret = json_object_get(root, "result") ? json_incref(json_object_get(root, "result"))
					       : json_null();
	return 0;
}

const char *ctl_errno_name(int negative_errno)
{
	const char *name = negative_errno < 0 ? strerrorname_np(-negative_errno) : NULL;

	return name ? name : "EIO";
}

int ctl_errno_from_name(const char *name)
{
	for (int i = 1; i < ERRNO_END; i++) {
		const char *known = strerrorname_np(i);

		if (known && streq(known, name))
			return -i;
	}
	return -EIO;
}
