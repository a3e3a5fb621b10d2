/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sd_notify without libsystemd: a state is a datagram of lines. Nothing here
 * waits, and nothing that fails matters: a manager that does not listen will
 * find out by its own time-outs. But one that is behind (its socket holds
 * net.unix.max_dgram_qlen of them) is told later what it waits for.
 */
#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define LATER_MAX 2 /* RELOADING and READY: a further reload takes their place */
#define LATER_MS 100

struct notify {
	struct loop *loop;
	struct loop_timer *timer;
	notify_status_fn status;
	void *user;
	int fd;
	bool ready;
	int64_t interval_ms;
	bool watchdog;
	char told[NOTIFY_STATUS_SIZE]; /* the last status */
	char later[LATER_MAX][64];     /* what there was no room for, in its order */
	unsigned n_later;
};

/* False: not now. */
static bool tell(struct notify *n, const char *state)
{
	return send(n->fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS);
}

static bool tell_late(struct notify *n)
{
	while (n->n_later > 0) {
		if (!tell(n, n->later[0]))
			return false;
		memmove(n->later[0], n->later[1], sizeof(n->later) - sizeof(n->later[0]));
		n->n_later--;
	}
	return true;
}

/* What the manager waits for. */
static void tell_surely(struct notify *n, const char *state)
{
	if (tell_late(n) && tell(n, state))
		return;
	sn_require(n->n_later < LATER_MAX);
	snprintf(n->later[n->n_later++], sizeof(n->later[0]), "%s", state);
	loop_timer_set(n->timer, LATER_MS);
}

static void tell_status(struct notify *n)
{
	char status[NOTIFY_STATUS_SIZE] = "", text[sizeof("STATUS=") + sizeof(status)];

	n->status(status, n->user);
	if (streq(status, n->told))
		return;
	snprintf(text, sizeof(text), "STATUS=%s", status);
	if (tell(n, text))
		memcpy(n->told, status, sizeof(status));
}

static void on_timer(void *user)
{
	struct notify *n = user;

	loop_timer_set(n->timer, tell_late(n) ? n->interval_ms : LATER_MS);
	if (n->watchdog)
		(void)tell(n, "WATCHDOG=1");
	tell_status(n);
}

/* A path, or '@' and a name of the abstract name space. */
static int open_socket(const char *address)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(address);
	_cleanup_close_ int fd = -1;

	if ((address[0] != '/' && address[0] != '@') || len < 2 || len >= sizeof(sa.sun_path))
		return -1;
	memcpy(sa.sun_path, address, len);
	if (address[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -1;
	return sn_steal_fd(&fd);
}

/* Milliseconds; 0: nobody wants a heartbeat of this process. */
static int64_t read_watchdog(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	return SN_MAX(strtoll(usec, NULL, 10) / 1000, 0LL);
}

struct notify *notify_new(struct loop *loop, notify_status_fn status, void *user)
{
	const char *address = getenv("NOTIFY_SOCKET");
	int fd = address ? open_socket(address) : -1;
	int64_t watchdog_ms = read_watchdog();
	struct notify *n = NULL;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	if (fd < 0)
		return NULL;
	n = xcalloc(1, sizeof(*n));
	*n = (struct notify){
		.loop = loop, .status = status, .user = user, .fd = fd, .watchdog = watchdog_ms > 0
	};
	/* three may be lost before the manager acts */
	n->interval_ms = NOTIFY_STATUS_MS;
	if (n->watchdog)
		n->interval_ms = SN_MAX(SN_MIN(n->interval_ms, watchdog_ms / 4), 1);
	n->timer = loop_timer_new(loop, on_timer, n);
	loop_timer_set(n->timer, 0);
	return n;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	loop_timer_free(n->timer);
	close(n->fd);
	free(n);
}

void notify_ready(struct notify *n)
{
	if (!n || n->ready)
		return;
	n->ready = true;
	tell_status(n);
	tell_surely(n, "READY=1");
}

void notify_reloading(struct notify *n)
{
	struct timespec t;
	char text[64];

	if (!n)
		return;
	n->ready = false;
	n->n_later = 0;
	/* the time lets a manager tell this reload from one that it missed */
	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		 (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	tell_surely(n, text);
}

void notify_stopping(struct notify *n)
{
	if (n)
		(void)tell(n, "STOPPING=1");
}
