/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server in a process of its own, for tests that are its client: forked,
 * ready when serve_start() returns, ended with SIGTERM, and its exit status
 * tells whether it was well to its end (a sanitizer's complaint included).
 */
#pragma once

#include "loop/loop.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#define WAIT_MS 5000

struct served {
	pid_t pid;
	uint16_t port; /* what start() gave */
};

/* Makes the server on the loop; what it returns goes to stop(). port goes to the parent. */
typedef void *(*serve_start_fn)(struct loop *loop, const char *arg, uint16_t *ret_port);
typedef void (*serve_stop_fn)(void *server);

static void serve_on_term(int signo, void *user)
{
	(void)signo;
	loop_stop(user);
}

static inline int serve_run(const char *arg, int ready, serve_start_fn start, serve_stop_fn stop)
{
	struct loop *loop = loop_new();
	struct loop_signal *term = loop_signal_new(loop, SIGTERM, serve_on_term, loop);
	uint16_t port = 0;
	void *server = start(loop, arg, &port);

	if (!server || write(ready, &port, sizeof(port)) != sizeof(port))
		return 1;
	close(ready);
	loop_run(loop);
	stop(server);
	loop_signal_free(term);
	loop_free(loop);
	return 0;
}

static inline struct served serve_start(const char *arg, serve_start_fn start, serve_stop_fn stop)
{
	struct served s = { 0 };
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid == 0) {
		close(ready[0]);
		exit(serve_run(arg, ready[1], start, stop));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &s.port, sizeof(s.port)), sizeof(s.port));
	close(ready[0]);
	return s;
}

static inline void serve_stop(struct served *s)
{
	int status;

	assert_int_equal(kill(s->pid, SIGTERM), 0);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Reads until the end or len bytes, at most WAIT_MS for each piece; -1 when that was too long. */
static inline ssize_t read_until_end(int fd, char *buf, size_t len)
{
	size_t n = 0;

	while (n < len) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, WAIT_MS) != 1)
			return -1;
		got = read(fd, buf + n, len - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}
