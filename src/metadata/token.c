/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metadata/token.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int check_mode(const char *path, int fd, struct sn_error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return sn_error_set(e, -EINVAL, "%s: not a regular file", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return sn_error_set(
			e, -EPERM,
			"%s: mode %04o, owner %u; only its owner may be able to read it "
			"(chmod 600)",
			path, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
	return 0;
}

/* It goes into a header line: what is visible, and no more than one line. */
static int check_text(const char *path, char *text, size_t len, struct sn_error *e)
{
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return sn_error_set(e, -EINVAL, "%s: not one line of visible characters",
					    path);
	}
	return len ? 0 : sn_error_set(e, -EINVAL, "%s: empty", path);
}

int token_read(const char *path, char **ret, struct sn_error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;
	ssize_t n;
	int r;

	if (fd < 0)
		return sn_error_set(e, -errno, "%s: %s", path, sn_strerror(-errno));
	r = check_mode(path, fd, e);
	if (r < 0)
		return r;
	text = xcalloc(1, TOKEN_MAX_BYTES + 1);
	n = read(fd, text, TOKEN_MAX_BYTES + 1);
	if (n < 0 || n > TOKEN_MAX_BYTES)
		r = sn_error_set(e, n < 0 ? -errno : -EFBIG, "%s: %s", path,
				 n < 0 ? sn_strerror(-errno) : "too long");
	else
		r = check_text(path, text, (size_t)n, e);
	if (r == 0)
		*ret = text;
	else
		token_free(text);
	return r;
}

void token_free(char *token)
{
	if (token)
		explicit_bzero(token, TOKEN_MAX_BYTES);
	free(token);
}
