/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints like `wg genkey`, so that it can go wherever the operator keeps
 * secrets; written past stdio, which would leave a copy in its buffer.
 */
#include "cli/verbs.h"
#include "secret/secret.h"

#include <errno.h>
#include <sys/stat.h>

static bool others_may_read(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077);
}

static int write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cli_fail(CLI_FAILED, "cannot write to standard output: %s",
					sn_strerror(-errno));
		text += n;
		len -= (size_t)n;
	}
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	int code = cli_simple_options(cli, argc, argv, 0, NULL);
	char secret[64];

	if (code != CLI_OK)
		return code;
	if (others_may_read(STDOUT_FILENO))
		cli_fail(0, "warning: others can read that file; chmod 600 it (umask 077 before "
			    "it is made)");
	secret_protect_process();
	secret_generate(secret);
	code = write_all(secret, strlen(secret));
	explicit_bzero(secret, sizeof(secret));
	return code;
}

const struct cli_verb verb_genkey = {
	"genkey",
	"",
	"Print a new secret for a mesh.",
	"Every host of the mesh gets the same file, readable by root only. To change it:\n"
	"add the new line second everywhere, then make it first everywhere, then remove\n"
	"the old one everywhere, with 'sennit reload' after each step.\n"
	"\n"
	"Example:\n"
	"  (umask 077; sennit genkey > /etc/sennit/secret)\n",
	run,
};
