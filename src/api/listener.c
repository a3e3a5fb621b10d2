/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/listener.h"

#include <errno.h>
#include <sys/socket.h>

/* Connections taken in one turn; the rest waits in the kernel's queue for the next. */
#define ACCEPTS_PER_TURN 16
/* Without a descriptor for it a connection stays readable: look away so long. */
#define PAUSE_MS 500

struct listener {
	int fd;
	struct loop_io *io;
	struct loop_timer *pause;
	listener_fn fn;
	void *user;
};

static void on_pause_over(void *user)
{
	struct listener *l = user;

	loop_io_set(l->io, LOOP_READ);
}

static void on_readable(int fd, unsigned events, void *user)
{
	struct listener *l = user;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			l->fn(conn, l->user);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_io_set(l->io, 0);
			loop_timer_set(l->pause, PAUSE_MS);
		}
		/* whatever else it was (ECONNABORTED, EPROTO) concerned that connection only */
		return;
	}
}

struct listener *listener_new(struct loop *loop, int fd, listener_fn fn, void *user)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	*l = (struct listener){ .fd = fd, .fn = fn, .user = user };
	l->pause = loop_timer_new(loop, on_pause_over, l);
	l->io = loop_io_new(loop, fd, LOOP_READ, on_readable, l);
	return l;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	loop_io_free(l->io);
	loop_timer_free(l->pause);
	close(l->fd);
	free(l);
}
