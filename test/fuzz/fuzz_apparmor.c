/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: a profile, and behind a NUL a glob. What is not written is not allowed. */
#include "inspect/apparmor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	size_t len = strlen(text);
	_cleanup_free_ char *glob =
		len < size ? xstrndup((const char *)data + len + 1, size - len - 1) : NULL;
	static const char path[] = "/run/sennit/charon.vici";
	bool rw = apparmor_allows(text, path, "rw");

	/* together is each alone */
	sn_require(rw == (apparmor_allows(text, path, "r") && apparmor_allows(text, path, "w")));
	sn_require(!rw || strchr(text, '/'));
	sn_require(apparmor_mode_in(text, "charon") <= APPARMOR_ENFORCE);
	/* without wildcards it is the path itself */
	if (glob && !strpbrk(glob, "*?[{\\"))
		sn_require(apparmor_glob(glob, path) == streq(glob, path));
	else if (glob)
		apparmor_glob(glob, path);
	return 0;
}
