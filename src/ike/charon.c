/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charon must outlive the daemon: it is started as a grandchild, leader of its own
 * session, with nothing inherited but what charon.h says. Daemon and grandchild
 * talk over a socket pair in three steps:
 *
 *	grandchild	its pid, as it knows it
 *	daemon		has opened a pidfd on it (the pid cannot be another's yet, the
 *			grandchild waits) and written the record: "go"
 *	grandchild	exec; its errno when that fails, else the end of the stream
 *
 * So there is never a charon without a record, and a daemon that dies in between
 * leaves none. From then on the pidfd tells the end of the process, whoever its
 * parent is. Where that is us (process 1 of a container, a subreaper) it is reaped.
 */
#include "ike/charon.h"

#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "ike/charon_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define STOP_TIMEOUT_MS 5000
#define RECORD_LIMIT 4096
#define CONF_LIMIT 65536
#define PROC_STAT_LIMIT 4096
#define LOG_CHECK_MS 30000
#define LOG_MAX (2u << 20)
#define CHILD_FD_BASE 16
#define CHARON_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct charon {
	struct loop *loop;
	struct charon_handlers handlers;
	char *path, *run_dir, *plugins;
	bool external;
	char *conf_path, *socket_path, *log_path, *record_path;
	uint64_t boot_id;
	int pid; /* 0: none */
	int pidfd;
	bool stopping;
	struct loop_worker *starter; /* NULL: none is being started */
	struct loop_io *watch;
	struct loop_timer *kill_timer;
	struct loop_timer *log_timer;
};

/* A line of charon.json. */
struct record {
	int pid;
	uint64_t start_time;
	uint64_t boot_id;
};

/* --- what /proc tells ------------------------------------------------------ */

/* start time (clock ticks since boot) of a process that has not ended; 0 or a negative errno */
static int read_start_time(int pid, uint64_t *ret)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/stat", pid);
	_cleanup_free_ char *text = NULL;
	const char *p;
	size_t len;
	char state;
	int r = file_read(path, PROC_STAT_LIMIT, &text, &len);

	if (r < 0)
		return r;
	/* field 2 is the program's name in brackets and may hold anything */
	p = strrchr(text, ')');
	if (!p || sscanf(p,
			 ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			 "%*d %*d %" SCNu64,
			 &state, ret) != 2)
		return -EBADMSG;
	return state == 'Z' || state == 'X' ? -ESRCH : 0;
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static bool runs_our_binary(const struct charon *c, int pid)
{
	_cleanup_free_ char *exe = xasprintf("/proc/%d/exe", pid);

	return same_file(exe, c->path);
}

/* It did until the file was replaced by an upgrade. */
static bool ran_our_binary(const struct charon *c, int pid)
{
	_cleanup_free_ char *exe = xasprintf("/proc/%d/exe", pid);
	_cleanup_free_ char *real = realpath(c->path, NULL);
	_cleanup_free_ char *gone = xasprintf("%s (deleted)", real ? real : c->path);
	char target[4096];
	ssize_t n = readlink(exe, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return streq(target, gone);
}

static bool in_our_network(int pid)
{
	_cleanup_free_ char *ns = xasprintf("/proc/%d/ns/net", pid);

	return same_file(ns, "/proc/self/ns/net");
}

/* --- the record ------------------------------------------------------------ */

static int record_write(const struct charon *c, const struct record *rec)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "{\"pid\": %d, \"start_time\": %" PRIu64 ", \"boot_id\": \"%016" PRIx64
			 "\"}\n",
			 rec->pid, rec->start_time, rec->boot_id);

	return file_replace(c->record_path, text, (size_t)n, 0600);
}

static bool parse_boot_id(const char *s, uint64_t *ret)
{
	char *end;

	if (strlen(s) != 16 || strspn(s, "0123456789abcdef") != 16)
		return false;
	*ret = strtoull(s, &end, 16);
	return *ret != 0;
}

/* False when there is none that can be used; a broken one is none. */
static bool record_read(const struct charon *c, struct record *ret)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	const char *boot_id;
	int64_t pid, start_time;
	struct sn_error e;
	size_t len;

	if (file_read(c->record_path, RECORD_LIMIT, &text, &len) < 0 ||
	    json_parse(text, len, &doc, &e) < 0 || json_require_object(doc, NULL, &e) < 0 ||
	    json_read_int(doc, NULL, "pid", JSON_REQUIRED, 1, INT32_MAX, &pid, &e) < 0 ||
	    json_read_int(doc, NULL, "start_time", JSON_REQUIRED, 0, INT64_MAX, &start_time, &e) <
		    0 ||
	    json_read_string(doc, NULL, "boot_id", JSON_REQUIRED, &boot_id, &e) < 0 ||
	    !parse_boot_id(boot_id, &ret->boot_id))
		return false;
	ret->pid = (int)pid;
	ret->start_time = (uint64_t)start_time;
	return true;
}

static uint64_t new_boot_id(void)
{
	uint64_t id = 0;

	while (id == 0)
		sn_random(&id, sizeof(id));
	return id;
}

/* --- a process that runs --------------------------------------------------- */

static void forget(struct charon *c)
{
	loop_io_free(sn_steal(c->watch));
	if (c->pidfd >= 0)
		close(sn_steal_fd(&c->pidfd));
	loop_timer_cancel(c->kill_timer);
	loop_timer_cancel(c->log_timer);
	c->pid = 0;
	c->stopping = false;
}

/* How it ended, as far as one can know who is not its parent. */
static char *describe_end(const struct charon *c)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid)
		return info.si_code == CLD_EXITED ? xasprintf("process %d ended with status %d",
							      c->pid, info.si_status)
						  : xasprintf("process %d was ended by signal %d",
							      c->pid, info.si_status);
	return xasprintf(c->stopping ? "process %d ended as asked" : "process %d ended", c->pid);
}

static void on_end(int fd, unsigned events, void *user)
{
	struct charon *c = user;
	_cleanup_free_ char *how = describe_end(c);

	(void)fd;
	(void)events;
	forget(c);
	unlink(c->record_path);
	if (c->handlers.exited)
		c->handlers.exited(how, c->handlers.user);
}

static void on_kill_timer(void *user)
{
	struct charon *c = user;

	pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
}

/*
 * A peer that is away has charon write for as long. It appends (O_APPEND), so the
 * file can be copied to charon.log.1 and cut under its pen; a line written in
 * between is lost.
 */
static void on_log_timer(void *user)
{
	struct charon *c = user;
	_cleanup_free_ char *old_path = xasprintf("%s.1", c->log_path);
	_cleanup_close_ int log = open(c->log_path, O_RDWR | O_CLOEXEC);
	_cleanup_close_ int old = -1;
	struct stat st;

	loop_timer_set(c->log_timer, LOG_CHECK_MS);
	if (log < 0 || fstat(log, &st) < 0 || st.st_size <= LOG_MAX)
		return;
	old = open(old_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* the end is what people read; a flood is not worth a slow turn */
	lseek(log, st.st_size - LOG_MAX, SEEK_SET);
	for (size_t left = LOG_MAX; old >= 0 && left > 0;) {
		ssize_t n = sendfile(old, log, NULL, left);

		if (n <= 0)
			break;
		left -= (size_t)n;
	}
	if (ftruncate(log, 0) < 0)
		return;
}

static void keep(struct charon *c, int pid, int pidfd, uint64_t boot_id)
{
	forget(c);
	c->pid = pid;
	c->pidfd = pidfd;
	c->boot_id = boot_id;
	c->watch = loop_io_new(c->loop, pidfd, LOOP_READ, on_end, c);
	loop_timer_set(c->log_timer, 0);
}

/* --- adoption -------------------------------------------------------------- */

static bool is_of_record(const struct record *rec, bool have_record, int pid, uint64_t start_time)
{
	return have_record && rec->pid == pid && rec->start_time == start_time;
}

/* Watches pid, which is ours by record or by binary; a new record if it had none. */
static int adopt_process(struct charon *c, int pid, struct sn_error *e)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	struct record rec = { 0 };
	bool have_record = record_read(c, &rec);
	uint64_t start_time;
	int r;

	/* the process is looked at while the pidfd holds its pid */
	if (pidfd < 0 || read_start_time(pid, &start_time) < 0)
		return CHARON_NONE;
	have_record = is_of_record(&rec, have_record, pid, start_time);
	if (!runs_our_binary(c, pid) && !(have_record && ran_our_binary(c, pid)))
		return sn_error_set(e, -EADDRINUSE,
				    "%s: process %d answers, which is not our %s; end it, or "
				    "choose another run_dir",
				    c->socket_path, pid, c->path);
	if (!in_our_network(pid))
		return sn_error_set(e, -EADDRINUSE,
				    "%s: charon (process %d) runs in another network namespace; "
				    "end it, or choose another run_dir",
				    c->socket_path, pid);
	if (!have_record) {
		rec = (struct record){ .pid = pid,
				       .start_time = start_time,
				       .boot_id = new_boot_id() };
		r = record_write(c, &rec);
		if (r < 0)
			return sn_error_set(e, r, "%s: %s", c->record_path, sn_strerror(r));
	}
	keep(c, pid, sn_steal_fd(&pidfd), rec.boot_id);
	return CHARON_ADOPTED;
}

int charon_adopt(struct charon *c, int peer_pid, struct sn_error *e)
{
	if (peer_pid <= 0)
		return sn_error_set(e, -EADDRINUSE,
				    "%s: a process of another PID namespace answers",
				    c->socket_path);
	if (c->pid == peer_pid)
		return CHARON_ADOPTED;
	return adopt_process(c, peer_pid, e);
}

/* The process of the record, if it is there; what stands against it is no matter then. */
static bool adopt_recorded(struct charon *c)
{
	struct record rec;
	struct sn_error e;
	uint64_t start_time;

	if (!record_read(c, &rec) || read_start_time(rec.pid, &start_time) < 0 ||
	    !is_of_record(&rec, true, rec.pid, start_time))
		return false;
	return adopt_process(c, rec.pid, &e) == CHARON_ADOPTED;
}

/* --- start ----------------------------------------------------------------- */

/* What the grandchild needs, made before the fork: after it only system calls are safe. */
struct birth {
	char *const *argv;
	char *const *envp;
	int null_fd, log_fd, talk_fd;
};

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signo = 1; signo < _NSIG; signo++)
		sigaction(signo, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors 0 to 2 as promised, 3 to talk until the exec, no others. */
static int arrange_descriptors(const struct birth *b)
{
	/* out of the way first: ours may be 0 to 3 themselves */
	int null_fd = fcntl(b->null_fd, F_DUPFD_CLOEXEC, CHILD_FD_BASE);
	int log_fd = fcntl(b->log_fd, F_DUPFD_CLOEXEC, CHILD_FD_BASE);
	int talk_fd = fcntl(b->talk_fd, F_DUPFD_CLOEXEC, CHILD_FD_BASE);

	if (null_fd < 0 || log_fd < 0 || talk_fd < 0 || dup2(null_fd, 0) < 0 ||
	    dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0 || dup3(talk_fd, 3, O_CLOEXEC) < 0 ||
	    close_range(4, ~0U, 0) < 0)
		return -errno;
	return 3;
}

static void grandchild(const struct birth *b) __attribute__((noreturn));
static void grandchild(const struct birth *b)
{
	/* 1, not 0: stops a core_pattern pipe, too, and a core of charon holds keys */
	const struct rlimit no_core = { 1, 1 };
	int fd = arrange_descriptors(b);
	int pid = getpid(), error;
	char go;

	if (fd < 0)
		_exit(1);
	umask(077);
	setrlimit(RLIMIT_CORE, &no_core);
	reset_signals();
	if (setsid() < 0 || chdir("/") < 0 || write(fd, &pid, sizeof(pid)) != sizeof(pid) ||
	    read(fd, &go, 1) != 1)
		_exit(1);
	execve(b->argv[0], b->argv, b->envp);
	error = errno;
	if (write(fd, &error, sizeof(error)) < 0)
		_exit(2);
	_exit(1);
}

/*
 * Forks twice with all signals blocked: a handler of the loop that ran in the
 * child would write to the parent's pipe.
 */
static int fork_grandchild(const struct birth *b)
{
	sigset_t all, old;
	pid_t child;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	child = fork();
	if (child == 0) {
		pid_t second = fork();

		if (second == 0)
			grandchild(b);
		_exit(second < 0);
	}
	if (child < 0)
		r = -errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return r;
	/* it ends at once; its status says no more than the silence on the socket does */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* Reads exactly len bytes, or up to the end. Number of bytes or a negative errno. */
static ssize_t read_full(int fd, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* The daemon's side of the talk. *ret_pidfd is the caller's, also of a process that failed. */
static int talk(struct charon *c, int fd, struct record *rec, int *ret_pidfd)
{
	int error = 0, r;

	if (read_full(fd, &rec->pid, sizeof(rec->pid)) != sizeof(rec->pid))
		return -ECHILD;
	*ret_pidfd = pidfd_open(rec->pid, 0);
	if (*ret_pidfd < 0)
		return -errno;
	r = read_start_time(rec->pid, &rec->start_time);
	if (r == 0)
		r = record_write(c, rec);
	if (r < 0)
		return r; /* the grandchild reads the end of the stream and leaves */
	if (send(fd, "g", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	if (read_full(fd, &error, sizeof(error)) != 0)
		return error ? -error : -EIO;
	return 0;
}

static int give_birth(struct charon *c, struct record *rec, int *ret_pidfd)
{
	_cleanup_free_ char *conf = xasprintf("STRONGSWAN_CONF=%s", c->conf_path);
	char path[] = CHARON_PATH;
	char *const argv[] = { c->path, NULL };
	char *const envp[] = { path, conf, NULL };
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int log_fd =
		open(c->log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	_cleanup_close_ int ours = -1, theirs = -1;
	struct birth b = { .argv = argv, .envp = envp, .null_fd = null_fd, .log_fd = log_fd };
	int pair[2], r;

	if (null_fd < 0 || log_fd < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	b.talk_fd = theirs = pair[1];
	r = fork_grandchild(&b);
	close(sn_steal_fd(&theirs));
	return r < 0 ? r : talk(c, ours, rec, ret_pidfd);
}

/* 0 when nobody listens there (a stale file is removed), else negative. */
static int clear_socket(const struct charon *c, struct sn_error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return sn_error_set(e, -errno, "socket: %s", sn_strerror(-errno));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", c->socket_path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EAGAIN)
		return sn_error_set(e, -EADDRINUSE,
				    "%s: somebody answers there already; end that process (ss -lxp "
				    "shows it), or choose another run_dir",
				    c->socket_path);
	if (errno == ECONNREFUSED && unlink(c->socket_path) < 0)
		return sn_error_set(e, -errno, "%s: %s", c->socket_path, sn_strerror(-errno));
	return 0;
}

static int write_conf(const struct charon *c, struct sn_error *e)
{
	const struct charon_settings settings = { .path = c->path,
						  .run_dir = c->run_dir,
						  .plugins = c->plugins };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int r = charon_conf_write(&settings, &text, e);

	if (r < 0)
		return r;
	r = file_replace(c->conf_path, text.data, text.len, 0600);
	return r < 0 ? sn_error_set(e, r, "%s: %s", c->conf_path, sn_strerror(r)) : 0;
}

/* One that failed to start may be our child (see the top); nobody else takes its end. */
static void reap(int pidfd)
{
	siginfo_t info;

	if (pidfd < 0)
		return;
	waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	close(pidfd);
}

/* The work of a start; of charon's own the thread reads only what never changes. */
struct start {
	struct charon *charon;
	struct record rec;
	int pidfd;
	int result;
	struct sn_error e;
};

static void start_run(void *job)
{
	struct start *s = job;
	struct charon *c = s->charon;

	s->result = clear_socket(c, &s->e);
	if (s->result == 0)
		s->result = write_conf(c, &s->e);
	if (s->result < 0)
		return;
	s->result = give_birth(c, &s->rec, &s->pidfd);
	if (s->result == 0)
		return;
	unlink(c->record_path);
	reap(s->pidfd);
	sn_error_set(&s->e, s->result,
		     "%s: cannot be started: %s; ike.charon names the program, of "
		     "the package charon-systemd",
		     c->path, sn_strerror(s->result));
}

/* Who frees charon has taken the starter away, and hears nothing any more. */
static void start_done(void *job, bool finished)
{
	_cleanup_free_ struct start *s = job;
	struct charon *c = s->charon;
	bool runs = finished && s->result == 0;

	if (!c->starter) {
		if (runs)
			close(s->pidfd);
		return;
	}
	loop_worker_free(sn_steal(c->starter));
	if (runs)
		keep(c, s->rec.pid, s->pidfd, s->rec.boot_id);
	if (c->handlers.started)
		c->handlers.started(runs ? NULL : &s->e, c->handlers.user);
}

int charon_start(struct charon *c, struct sn_error *e)
{
	struct start *s;

	if (c->starter)
		return sn_error_set(e, -EALREADY, "charon is being started");
	if (c->pid)
		return sn_error_set(e, -EALREADY, "charon runs already (process %d)", c->pid);
	if (adopt_recorded(c))
		return CHARON_ADOPTED;
	if (c->external)
		return sn_error_set(e, -EAGAIN,
				    "%s: nobody answers; ike.start is false, so the service "
				    "manager has to start charon (sennit-charon.service)",
				    c->socket_path);
	s = xcalloc(1, sizeof(*s));
	*s = (struct start){ .charon = c, .rec.boot_id = new_boot_id(), .pidfd = -1 };
	c->starter = loop_worker_new(c->loop);
	loop_worker_submit(c->starter, s, start_run, start_done);
	return CHARON_STARTING;
}

bool charon_is_starting(const struct charon *c)
{
	return c->starter != NULL;
}

/* --- started by others ----------------------------------------------------- */

/*
 * systemd may start it at any time from now on, also long after the daemon: so the file
 * is made before the daemon says that it is ready, and again only when it differs.
 */
int charon_prepare(const struct charon_settings *settings, struct sn_error *e)
{
	_cleanup_free_ char *path = xasprintf("%s/strongswan.conf", settings->run_dir);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *old = NULL;
	size_t len;
	int r = charon_conf_write(settings, &text, e);

	if (r < 0)
		return r;
	if (file_read(path, CONF_LIMIT, &old, &len) == 0 && streq(old, strbuf_str(&text)))
		return CHARON_CONF_SAME;
	r = file_replace(path, text.data, text.len, 0600);
	if (r < 0)
		return sn_error_set(e, r, "%s: %s", path, sn_strerror(r));
	return old ? CHARON_CONF_CHANGED : CHARON_CONF_NEW;
}

/* --- life ------------------------------------------------------------------ */

int charon_new(struct loop *loop, const struct charon_settings *settings,
	       const struct charon_handlers *handlers, struct charon **ret, struct sn_error *e)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct charon *c;
	int r;

	if (settings->path[0] != '/')
		return sn_error_set(e, -EINVAL, "%s: must be an absolute path", settings->path);
	r = charon_conf_write(settings, &text, e);
	if (r < 0)
		return r;
	c = xcalloc(1, sizeof(*c));
	*c = (struct charon){
		.loop = loop,
		.handlers = *handlers,
		.path = xstrdup(settings->path),
		.run_dir = xstrdup(settings->run_dir),
		.plugins = xstrdup(settings->plugins),
		.external = settings->external,
		.conf_path = xasprintf("%s/strongswan.conf", settings->run_dir),
		.socket_path = xasprintf("%s/charon.vici", settings->run_dir),
		.log_path = xasprintf("%s/charon.log", settings->run_dir),
		.record_path = xasprintf("%s/charon.json", settings->run_dir),
		.pidfd = -1,
	};
	c->kill_timer = loop_timer_new(loop, on_kill_timer, c);
	c->log_timer = loop_timer_new(loop, on_log_timer, c);
	*ret = c;
	return 0;
}

void charon_free(struct charon *c)
{
	if (!c)
		return;
	loop_worker_free(sn_steal(c->starter));
	forget(c);
	loop_timer_free(c->kill_timer);
	loop_timer_free(c->log_timer);
	free(c->path);
	free(c->run_dir);
	free(c->plugins);
	free(c->conf_path);
	free(c->socket_path);
	free(c->log_path);
	free(c->record_path);
	free(c);
}

void charon_stop(struct charon *c)
{
	if (!c->pid)
		return;
	c->stopping = true;
	pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0);
	loop_timer_set(c->kill_timer, STOP_TIMEOUT_MS);
}

int charon_pid(const struct charon *c)
{
	return c->pid;
}

int64_t charon_age_ms(const struct charon *c)
{
	struct timespec now;
	uint64_t ticks;
	int64_t started_ms;

	if (!c->pid || read_start_time(c->pid, &ticks) < 0)
		return 0;
	started_ms = (int64_t)(ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK));
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - started_ms;
}

uint64_t charon_boot_id(const struct charon *c)
{
	return c->boot_id;
}
