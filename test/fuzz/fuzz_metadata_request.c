/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of sennit-metadata sends: the heads of requests, one after the
 * other as they are taken from a connection. How much came at once makes no difference.
 */
#include "answer.h"
#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_line_end(const char *s)
{
	return s && strpbrk(s, "\r\n");
}

static void check_good(const struct request *r)
{
	static const char *const names[] = { "wait", "value", "maxWait", "since" };

	sn_require(r->path && r->path[0] == '/' && !strpbrk(r->path, "?# \r\n"));
	sn_require(!has_line_end(r->query) && !has_line_end(r->accept));
	sn_require(!has_line_end(r->forwarded_for) && !has_line_end(r->if_none_match));
	for (size_t i = 0; i < SN_ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *value = request_query(r, names[i]);

		/* escapes only get shorter */
		sn_require(!value || strlen(value) < strlen(r->query));
	}
	answer_form_of(r->accept);
	answer_is_changes(r->path);
}

static void check_bad(const struct request *r)
{
	sn_require(r->bad == 400 || r->bad == 431);
	sn_require(!r->path && !r->query && !r->accept && !r->forwarded_for && !r->if_none_match);
}

/* Of what was not yet a request nothing is used; what is one stays so, whatever follows. */
static void check_pieces(const char *text, size_t size, size_t used, int bad)
{
	for (size_t part = size / 4; part > 0 && part < size; part += size / 4 + 1) {
		struct request r;
		size_t n = request_parse(text, part, &r);

		sn_require(n == 0 || r.bad == bad);
		sn_require(n == 0 || n == used || r.bad == 431);
		request_fini(&r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct request r;
	size_t used;

	while (size > 0) {
		used = request_parse(text, size, &r);
		sn_require(used <= size);
		if (used == 0) {
			sn_require(size < (size_t)2 * REQUEST_MAX_BYTES);
			return 0;
		}
		if (r.bad)
			check_bad(&r);
		else
			check_good(&r);
		check_pieces(text, size, used, r.bad);
		request_fini(&r);
		text += used;
		size -= used;
	}
	return 0;
}
