/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: a secret that is known, and behind a line feed a text (that may be
 * JSON) on its way into a report. What is known is not in it any more.
 */
#include "inspect/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Shorter ones are in every text. */
#define LEAST 8

static void check_json(const char *text, char *const *known)
{
	_cleanup_json_ json_t *v = NULL, *made = NULL;
	struct sn_error e;

	if (json_parse(text, strlen(text), &v, &e) < 0)
		return;
	made = redact_json(v, known);
	sn_require(made && json_typeof(made) == json_typeof(v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *input = xstrndup((const char *)data, size);
	size_t len = strcspn(input, "\n");
	_cleanup_free_ char *secret = xstrndup(input, len);
	const char *text = input + len + (input[len] == '\n');
	char *known[] = { secret, NULL };
	_cleanup_free_ char *made = redact_text(text, known);
	_cleanup_free_ char *url = redact_url(text), *again = redact_text(text, NULL);

	sn_require(made && url && again);
	sn_require(strlen(url) <= strlen(text));
	if (sn_startswith(text, "http://"))
		sn_require(!strchr(url, '?') || url[strcspn(url, "?") + 1] == '\0');
	if (strlen(secret) >= LEAST && !strstr(secret, "redacted") && !strpbrk(secret, "[]"))
		sn_require(!strstr(made, secret));
	check_json(text, known);
	return 0;
}
