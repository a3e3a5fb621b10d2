/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/unix_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

int unix_socket_look(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EAGAIN)
		return 1; /* or its queue is full: somebody has it */
	return errno == ECONNREFUSED ? 0 : -errno;
}
