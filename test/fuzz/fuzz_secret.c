/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: the secrets' file. What is wrong with it is told without a word of it. */
#include "secret/secret.h"

#include "scratch.h"

/* A line of the file that the error repeats would be a secret in a log. */
static void check_error(const struct sn_error *e, const char *text)
{
	sn_require(e->code < 0 && scratch_is_place(e->text, "secret"));
	for (const char *line = text; *line; line += strspn(line, "\n")) {
		size_t len = strcspn(line, "\n");
		_cleanup_free_ char *copy = xstrndup(line, len);

		/* shorter ones may be words of ours */
		sn_require(len < SECRET_MIN_BYTES || !strstr(e->text, copy));
		line += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(secrets_freep) struct secrets *s = NULL;
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	const char *path = scratch_file("secret", data, size);
	char id[SECRET_ID_SIZE];
	struct sn_error e = { 0 };

	if (secrets_load(path, &s, &e) < 0) {
		sn_require(!s);
		check_error(&e, text);
		return 0;
	}
	sn_require(secrets_count(s) >= 1 && secrets_count(s) <= SECRET_MAX_COUNT);
	for (size_t i = 0; i < secrets_count(s); i++) {
		secrets_id(s, i, id);
		sn_require(strspn(id, "0123456789abcdef") == SECRET_ID_SIZE - 1);
		/* the same secret twice is found where it is first */
		sn_require(secrets_find(s, id) >= 0 && secrets_find(s, id) <= (int)i);
	}
	sn_require(secrets_find(s, "0") < 0);
	return 0;
}
