/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test is the service manager: it has the socket and reads what comes. */
#include "daemon/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

struct manager {
	struct loop *loop;
	int fd;
	char path[64];
	const char *status;
	int wanted; /* datagrams until the loop stops */
	char got[16][256];
	int n;
};

static void say_status(char ret[static NOTIFY_STATUS_SIZE], void *user)
{
	snprintf(ret, NOTIFY_STATUS_SIZE, "%s", ((struct manager *)user)->status);
}

static void listen_at(struct manager *m, const char *address)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(address);

	memcpy(sa.sun_path, address, len);
	if (address[0] == '@')
		sa.sun_path[0] = '\0';
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(m->fd >= 0);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	setenv("NOTIFY_SOCKET", address, 1);
}

static int set_up(void **state)
{
	struct manager *m = xcalloc(1, sizeof(*m));

	m->loop = loop_new();
	m->fd = -1;
	m->status = "";
	snprintf(m->path, sizeof(m->path), "/tmp/sennit-test-notify-%d", getpid());
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct manager *m = *state;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (m->fd >= 0)
		close(m->fd);
	unlink(m->path);
	loop_free(m->loop);
	free(m);
	return 0;
}

/* What is there; "" when nothing is. */
static const char *read_one(struct manager *m)
{
	static char text[256];
	ssize_t n = recv(m->fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void on_datagram(int fd, unsigned events, void *user)
{
	struct manager *m = user;

	(void)fd;
	(void)events;
	snprintf(m->got[m->n++], sizeof(m->got[0]), "%s", read_one(m));
	if (m->n == m->wanted)
		loop_stop(m->loop);
}

static void on_limit(void *user)
{
	loop_stop(((struct manager *)user)->loop);
}

/* Runs the loop until so many datagrams came. */
static void receive(struct manager *m, int n)
{
	struct loop_io *io = loop_io_new(m->loop, m->fd, LOOP_READ, on_datagram, m);
	struct loop_timer *limit = loop_timer_new(m->loop, on_limit, m);

	m->n = 0;
	m->wanted = n;
	loop_timer_set(limit, 10000);
	loop_run(m->loop);
	loop_timer_free(limit);
	loop_io_free(io);
	assert_int_equal(m->n, n);
}

static void nobody_asked_is_no_error(void **state)
{
	struct manager *m = *state;
	static const char *const odd[] = { "", "x", "/", "@", "vsock:2:1", "/tmp/sennit-nobody" };

	assert_null(notify_new(m->loop, say_status, m));
	for (size_t i = 0; i < SN_ARRAY_SIZE(odd); i++) {
		setenv("NOTIFY_SOCKET", odd[i], 1);
		assert_null(notify_new(m->loop, say_status, m));
		assert_null(getenv("NOTIFY_SOCKET"));
	}
	notify_ready(NULL);
	notify_reloading(NULL);
	notify_stopping(NULL);
	notify_free(NULL);
}

static void ready_is_said_once_and_again_after_a_reload(void **state)
{
	struct manager *m = *state;
	struct notify *n;

	listen_at(m, m->path);
	n = notify_new(m->loop, say_status, m);
	assert_non_null(n);
	notify_ready(n);
	assert_string_equal(read_one(m), "READY=1");
	notify_ready(n);
	assert_string_equal(read_one(m), "");
	notify_reloading(n);
	assert_int_equal(strncmp(read_one(m), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	notify_ready(n);
	assert_string_equal(read_one(m), "READY=1");
	notify_stopping(n);
	assert_string_equal(read_one(m), "STOPPING=1");
	notify_free(n);
}

static void an_abstract_socket_works(void **state)
{
	struct manager *m = *state;
	_cleanup_free_ char *address = xasprintf("@sennit-test-notify-%d", getpid());
	struct notify *n;

	listen_at(m, address);
	n = notify_new(m->loop, say_status, m);
	notify_ready(n);
	assert_string_equal(read_one(m), "READY=1");
	notify_free(n);
}

static void a_status_is_told_when_it_changes(void **state)
{
	struct manager *m = *state;
	struct notify *n;

	m->status = "1 of 2 peers up";
	listen_at(m, m->path);
	n = notify_new(m->loop, say_status, m);
	notify_ready(n);
	assert_string_equal(read_one(m), "STATUS=1 of 2 peers up");
	assert_string_equal(read_one(m), "READY=1");
	notify_reloading(n);
	read_one(m);
	notify_ready(n);
	assert_string_equal(read_one(m), "READY=1");
	notify_free(n);
}

/* As many datagrams as its socket holds; their number. */
static int fill(struct manager *m)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), n = 0;

	memcpy(sa.sun_path, m->path, sizeof(m->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	while (send(fd, "other", 5, 0) == 5)
		n++;
	close(fd);
	return n;
}

static void drain(struct manager *m, int n)
{
	while (n-- > 0)
		assert_string_equal(read_one(m), "other");
}

static void a_manager_that_is_behind_is_told_later(void **state)
{
	struct manager *m = *state;
	struct notify *n;
	int others;

	listen_at(m, m->path);
	n = notify_new(m->loop, say_status, m);
	others = fill(m);
	notify_ready(n);
	notify_reloading(n);
	notify_ready(n);
	m->status = "1 of 2 peers up";
	notify_reloading(n);
	notify_ready(n);
	drain(m, others);
	assert_string_equal(read_one(m), "");
	receive(m, 3);
	assert_int_equal(strncmp(m->got[0], "RELOADING=1", 11), 0);
	assert_string_equal(m->got[1], "READY=1");
	assert_string_equal(m->got[2], "STATUS=1 of 2 peers up");
	/* in their order, too */
	others = fill(m);
	notify_reloading(n);
	drain(m, others);
	notify_ready(n);
	assert_int_equal(strncmp(read_one(m), "RELOADING=1", 11), 0);
	assert_string_equal(read_one(m), "READY=1");
	notify_free(n);
}

static void the_loop_feeds_the_watchdog(void **state)
{
	struct manager *m = *state;
	struct notify *n;
	char pid[16];

	listen_at(m, m->path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_USEC", "80000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	n = notify_new(m->loop, say_status, m);
	receive(m, 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(m->got[i], "WATCHDOG=1");
	notify_free(n);
}

static void another_process_watchdog_is_not_fed(void **state)
{
	struct manager *m = *state;
	struct notify *n;

	m->status = "x";
	listen_at(m, m->path);
	setenv("WATCHDOG_USEC", "80000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	n = notify_new(m->loop, say_status, m);
	receive(m, 1);
	assert_string_equal(m->got[0], "STATUS=x");
	notify_free(n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_asked_is_no_error),
		TEST(ready_is_said_once_and_again_after_a_reload),
		TEST(an_abstract_socket_works),
		TEST(a_status_is_told_when_it_changes),
		TEST(a_manager_that_is_behind_is_told_later),
		TEST(the_loop_feeds_the_watchdog),
		TEST(another_process_watchdog_is_not_fed),
	};

	return cmocka_run_group_tests_name("daemon/notify", tests, NULL, NULL);
}
