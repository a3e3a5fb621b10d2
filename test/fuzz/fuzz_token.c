/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: the file of the bearer token, which goes into a header line. */
#include "metadata/token.h"

#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = scratch_file("token", data, size);
	struct sn_error e = { 0 };
	char *token = NULL;

	if (token_read(path, &token, &e) < 0) {
		sn_require(!token && e.code < 0 && scratch_is_place(e.text, "token"));
		return 0;
	}
	sn_require(*token && strlen(token) <= TOKEN_MAX_BYTES);
	for (const char *p = token; *p; p++)
		sn_require(*p > ' ' && *p <= '~');
	token_free(token);
	return 0;
}
