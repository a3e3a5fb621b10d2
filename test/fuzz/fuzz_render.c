/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: what the daemon answers to the `sennit` tool. Names of others are in
 * it: no control character of theirs gets to the terminal, in no verb.
 */
#include "cli/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	while (*text) {
		size_t n = strbuf_utf8_length(text);

		sn_require(n > 0 &&
			   ((unsigned char)*text >= 0x20 || *text == '\n' || *text == '\t'));
		sn_require(*text != 0x7f);
		text += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const renderers[])(const json_t *, const struct face *, struct strbuf *) = {
		render_status, render_peers, render_attachments, render_attached, render_plan,
	};
	static const struct face faces[] = { { .width = 0 }, { .width = 100 }, { .width = 20 } };
	_cleanup_json_ json_t *v = NULL;
	struct sn_error e;

	if (json_parse((const char *)data, size, &v, &e) < 0)
		return 0;
	for (size_t i = 0; i < SN_ARRAY_SIZE(renderers); i++) {
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

		renderers[i](v, &faces[size % SN_ARRAY_SIZE(faces)], &b);
		check_text(strbuf_str(&b));
	}
	return 0;
}
