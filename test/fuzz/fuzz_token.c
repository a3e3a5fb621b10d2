/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: the file of the bearer token, which goes into a header line. */
#include "metadata/token.h"

#include "scratch.h"

#include <errno.h>
#include <sys/stat.h>

static int load(const char *path)
{
	struct sn_error e = { 0 };
	char *token = NULL;
	int r = token_read(path, &token, &e);

	sn_require(!token == (r < 0) && e.code == (r < 0 ? r : 0));
	token_free(token);
	return r;
}

/* What is refused, whatever it holds. */
static void check_files(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	sn_require(load(scratch()) == -EINVAL && load("/none") == -ENOENT);
	sn_require(load(scratch_file("other", "x", 1)) == 0);
	sn_require(chmod(scratch_file("other", "x", 1), 0604) == 0);
	sn_require(load(scratch_file("other", "x", 1)) == -EPERM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path;
	struct sn_error e = { 0 };
	char *token = NULL;

	check_files();
	path = scratch_file("token", data, size);
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
