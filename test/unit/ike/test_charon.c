/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real charon, in network and PID namespaces of the test. Process 1 there only
 * waits for the tests and takes everything with it when it ends. The tests are a
 * subreaper: what they start becomes their child and cannot hide as a zombie.
 */
#include "ike/charon.h"
#include "ike/vici.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "plan/dataplane.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define BINARY "/usr/sbin/charon-systemd"
#define LIMIT_MS 10000
#define SKIPPED 77

struct fixture {
	struct loop *loop;
	struct loop_timer *tick;
	char *dir;
	struct charon *charon;
	bool external;
	struct vici *vici;
	char how[128];
	bool started;
	struct sn_error start_error; /* code 0: it runs */
	/* of wait_for() */
	bool (*condition)(struct fixture *f);
	int64_t deadline;
	bool met;
	/* of ask() */
	bool answered;
	int result;
	struct strbuf reply;
};

/* --- waiting --------------------------------------------------------------- */

static void on_tick(void *user)
{
	struct fixture *f = user;

	f->met = f->condition(f);
	if (f->met || sn_now_ms() > f->deadline)
		loop_stop(f->loop);
	else
		loop_timer_set(f->tick, 5);
}

static bool wait_for(struct fixture *f, bool (*condition)(struct fixture *f))
{
	f->condition = condition;
	f->deadline = sn_now_ms() + LIMIT_MS;
	loop_timer_set(f->tick, 0);
	loop_run(f->loop);
	return f->met;
}

static bool has_ended(struct fixture *f)
{
	return f->how[0] != '\0';
}

static bool has_answered(struct fixture *f)
{
	return f->answered;
}

static bool can_connect(struct fixture *f)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.vici", f->dir);
	const struct vici_handlers none = { 0 };
	struct sn_error e;

	return vici_open(f->loop, path, NULL, &none, &f->vici, &e) == 0;
}

static bool old_log_is_there(struct fixture *f)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.log.1", f->dir);
	struct stat st;

	return stat(path, &st) == 0 && st.st_size > 0;
}

/* --- the fixture ----------------------------------------------------------- */

static void on_exited(const char *how, void *user)
{
	struct fixture *f = user;

	snprintf(f->how, sizeof(f->how), "%s", how);
}

static void on_started(const struct sn_error *e, void *user)
{
	struct fixture *f = user;

	f->started = true;
	f->start_error = e ? *e : (struct sn_error){ 0 };
}

static struct charon *make_for(struct fixture *f, const char *binary, const struct dataplane *plane)
{
	const struct charon_settings settings = { .path = binary,
						  .run_dir = f->dir,
						  .plugins = plane->charon_plugins,
						  .external = f->external };
	const struct charon_handlers handlers = { on_exited, on_started, f };
	struct charon *c = NULL;
	struct sn_error e = { 0 };

	if (charon_new(f->loop, &settings, &handlers, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static struct charon *make(struct fixture *f, const char *binary)
{
	return make_for(f, binary, &dataplane_libipsec);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->loop = loop_new();
	f->tick = loop_timer_new(f->loop, on_tick, f);
	f->dir = xstrdup("/tmp/sennit-test-charon-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->charon = make(f, BINARY);
	*state = f;
	return 0;
}

static void remove_files(const char *dir)
{
	static const char *const names[] = { "strongswan.conf", "charon.vici", "charon.log",
					     "charon.log.1",    "charon.json", "leak",
					     "binary" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, names[i]);

		unlink(path);
	}
	rmdir(dir);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vici_close(f->vici);
	if (charon_pid(f->charon)) {
		f->how[0] = '\0';
		charon_stop(f->charon);
		wait_for(f, has_ended);
	}
	charon_free(f->charon);
	loop_timer_free(f->tick);
	loop_free(f->loop);
	strbuf_fini(&f->reply);
	remove_files(f->dir);
	free(f->dir);
	free(f);
	/* nothing is left behind, not even a zombie */
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static bool is_started(struct fixture *f)
{
	return f->started;
}

/* As it is told at once, or in the end. */
static int start_it(struct fixture *f, struct charon *c, struct sn_error *e)
{
	int r;

	f->started = false;
	r = charon_start(c, e);
	if (r != CHARON_STARTING)
		return r;
	assert_true(charon_is_starting(c));
	assert_int_equal(charon_pid(c), 0);
	assert_true(wait_for(f, is_started));
	assert_false(charon_is_starting(c));
	*e = f->start_error;
	return e->code;
}

static void start(struct fixture *f)
{
	struct sn_error e = { 0 };

	if (start_it(f, f->charon, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(wait_for(f, can_connect));
}

static void flatten(const struct vici_node *node, struct strbuf *b)
{
	strbuf_addf(b, "%s=%s ", node->name, node->type == VICI_VALUE ? node->value : "");
	for (size_t i = 0; i < node->n_children; i++)
		flatten(&node->children[i], b);
}

static void on_reply(int result, const struct vici_node *reply, void *user)
{
	struct fixture *f = user;

	f->answered = true;
	f->result = result;
	strbuf_clear(&f->reply);
	if (reply)
		flatten(reply, &f->reply);
}

static const char *ask(struct fixture *f, const char *command)
{
	f->answered = false;
	vici_call(f->vici, command, NULL, NULL, 0, NULL, on_reply, f);
	assert_true(wait_for(f, has_answered));
	assert_int_equal(f->result, 0);
	return strbuf_str(&f->reply);
}

static char *read_of(int pid, const char *name, size_t *ret_len)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/%s", pid, name);
	char *text = NULL;

	assert_int_equal(file_read(path, 1 << 20, &text, ret_len), 0);
	return text;
}

/* --- tests ----------------------------------------------------------------- */

static void answers_within_two_seconds(void **state)
{
	struct fixture *f = *state;
	int64_t begin = sn_now_ms();
	const char *text;

	start(f);
	assert_int_equal(vici_peer_pid(f->vici), charon_pid(f->charon));
	assert_non_null(strstr(ask(f, "version"), "daemon=charon-systemd"));
	assert_in_range(sn_now_ms() - begin, 0, 2000);
	text = ask(f, "stats");
	assert_non_null(strstr(text, "total=16"));
	assert_non_null(strstr(text, "=kernel-libipsec"));
	assert_int_not_equal(charon_boot_id(f->charon), 0);
}

/* What a data plane asks for is there, and charon's log has nothing against our file. */
static void check_plane(struct fixture *f, const struct dataplane *plane)
{
	static const char *const wanted[] = { "CURVE_25519=", "AES_GCM_16=", "CHACHA20_POLY1305=",
					      "PRF_HMAC_SHA2_256=", "KDF_PRF=" };
	static const char *const complaints[] = { "unknown",   "failed",  "error", "unable",
						  "not found", "invalid", "denied" };
	_cleanup_free_ char *path = xasprintf("%s/charon.log", f->dir);
	_cleanup_free_ char *log = NULL;
	struct stat st;
	const char *text;
	size_t len;

	charon_free(f->charon);
	f->charon = make_for(f, BINARY, plane);
	start(f);
	text = ask(f, "get-algorithms");
	for (size_t i = 0; i < SN_ARRAY_SIZE(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("no %s in %s", wanted[i], text);
	assert_int_equal(file_read(path, 1 << 20, &log, &len), 0);
	assert_true(len > 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(complaints); i++)
		if (strcasestr(log, complaints[i]))
			fail_msg("%s in the log:\n%s", complaints[i], log);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void has_what_libipsec_wants_and_no_complaint(void **state)
{
	check_plane(*state, &dataplane_libipsec);
}

static void has_what_xfrm_wants_and_no_complaint(void **state)
{
	check_plane(*state, &dataplane_xfrm);
}

static void gets_nothing_of_ours(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *leak = xasprintf("%s/leak", f->dir);
	_cleanup_free_ char *conf = xasprintf("STRONGSWAN_CONF=%s/strongswan.conf", f->dir);
	_cleanup_close_ int fd = open(leak, O_CREAT | O_RDWR, 0600); /* not CLOEXEC */
	_cleanup_free_ char *environ_text = NULL, *status = NULL, *limits = NULL;
	char target[256], path[64];
	size_t len;
	int pid;

	assert_true(fd >= 0);
	setenv("SENNIT_TEST_SECRET", "secret", 1);
	signal(SIGUSR2, SIG_IGN);
	start(f);
	signal(SIGUSR2, SIG_DFL);
	pid = charon_pid(f->charon);

	environ_text = read_of(pid, "environ", &len);
	assert_int_equal(strncmp(environ_text, "PATH=", 5), 0);
	assert_string_equal(environ_text + strlen(environ_text) + 1, conf);
	assert_int_equal(len, strlen(environ_text) + 1 + strlen(conf) + 1);

	for (int i = 0; i < 256; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		assert_null(strstr(target, "/leak"));
		if (i == 0)
			assert_string_equal(target, "/dev/null");
		if (i == 1 || i == 2)
			assert_non_null(strstr(target, "/charon.log"));
	}
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	assert_int_equal(readlink(path, target, sizeof(target)), 1);
	assert_int_equal(getsid(pid), pid);
	assert_int_equal(getpgid(pid), pid);

	status = read_of(pid, "status", &len);
	/* SIGUSR2 is bit 11 */
	assert_int_equal(strtoull(strstr(status, "SigIgn:") + 8, NULL, 16) & 1u << 11, 0);
	assert_non_null(strstr(status, "Umask:\t0077"));
	limits = read_of(pid, "limits", &len);
	assert_non_null(strstr(limits, "Max core file size        1 "));
}

static void is_adopted_by_the_next_daemon(void **state)
{
	struct fixture *f = *state;
	uint64_t boot_id;
	struct sn_error e;
	int pid;

	start(f);
	boot_id = charon_boot_id(f->charon);
	pid = charon_pid(f->charon);
	assert_int_equal(charon_adopt(f->charon, pid, &e), CHARON_ADOPTED);
	charon_free(f->charon);
	f->charon = make(f, BINARY);
	assert_int_equal(charon_pid(f->charon), 0);
	assert_int_equal(charon_adopt(f->charon, vici_peer_pid(f->vici), &e), CHARON_ADOPTED);
	assert_int_equal(charon_pid(f->charon), pid);
	assert_true(charon_boot_id(f->charon) == boot_id);
	/* the adopted one's end is told, too */
	kill(pid, SIGKILL);
	assert_true(wait_for(f, has_ended));
}

static void is_adopted_as_a_new_one_without_a_record(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *record = xasprintf("%s/charon.json", f->dir);
	_cleanup_free_ char *older = NULL;
	uint64_t first, second;
	struct sn_error e;

	start(f);
	first = charon_boot_id(f->charon);
	/* the number was another's before */
	older = xasprintf("{\"pid\": %d, \"start_time\": 1, \"boot_id\": \"%016x\"}",
			  charon_pid(f->charon), 7);
	charon_free(f->charon);
	assert_int_equal(file_write_atomic(record, older, strlen(older), 0600), 0);
	f->charon = make(f, BINARY);
	assert_int_equal(charon_adopt(f->charon, vici_peer_pid(f->vici), &e), CHARON_ADOPTED);
	assert_true(charon_boot_id(f->charon) != 7);
	charon_free(f->charon);
	assert_int_equal(file_write_atomic(record, "{\"pid\": 1", 9, 0600), 0);
	f->charon = make(f, BINARY);
	assert_int_equal(charon_adopt(f->charon, vici_peer_pid(f->vici), &e), CHARON_ADOPTED);
	second = charon_boot_id(f->charon);
	assert_true(second != 0 && second != first);
	/* from then on it is known again */
	charon_free(f->charon);
	f->charon = make(f, BINARY);
	assert_int_equal(charon_adopt(f->charon, vici_peer_pid(f->vici), &e), CHARON_ADOPTED);
	assert_true(charon_boot_id(f->charon) == second);
}

/* As a service manager does. */
static void start_as_others(struct fixture *f)
{
	_cleanup_free_ char *conf = xasprintf("STRONGSWAN_CONF=%s/strongswan.conf", f->dir);
	char path[] = "PATH=/usr/sbin:/usr/bin", binary[] = BINARY;
	char *const argv[] = { binary, NULL }, *const envp[] = { path, conf, NULL };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execve(BINARY, argv, envp);
		_exit(1);
	}
	assert_true(wait_for(f, can_connect));
}

static void is_only_adopted_when_others_start_it(void **state)
{
	struct fixture *f = *state;
	struct charon_settings settings = { .path = BINARY,
					    .run_dir = f->dir,
					    .plugins = dataplane_xfrm.charon_plugins };
	uint64_t boot_id;
	struct sn_error e;

	charon_free(f->charon);
	f->external = true;
	f->charon = make(f, BINARY);
	assert_int_equal(charon_prepare(&settings, &e), CHARON_CONF_NEW);
	settings.plugins = dataplane_libipsec.charon_plugins;
	assert_int_equal(charon_prepare(&settings, &e), CHARON_CONF_CHANGED);
	assert_int_equal(charon_prepare(&settings, &e), CHARON_CONF_SAME);
	assert_int_equal(start_it(f, f->charon, &e), -EAGAIN);
	assert_non_null(strstr(e.text, "sennit-charon.service"));
	assert_int_equal(charon_pid(f->charon), 0);

	start_as_others(f);
	assert_int_equal(charon_adopt(f->charon, vici_peer_pid(f->vici), &e), CHARON_ADOPTED);
	boot_id = charon_boot_id(f->charon);
	charon_free(f->charon);
	f->charon = make(f, BINARY);
	/* the next daemon knows it by the record, even before the socket answers */
	assert_int_equal(start_it(f, f->charon, &e), 0);
	assert_true(charon_boot_id(f->charon) == boot_id);
}

static void copy_binary(const char *to)
{
	_cleanup_free_ char *program = NULL;
	size_t len;

	assert_int_equal(file_read(BINARY, 64u << 20, &program, &len), 0);
	assert_int_equal(file_write_atomic(to, program, len, 0700), 0);
}

static void is_ours_by_its_record_when_an_upgrade_replaced_the_binary(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *binary = xasprintf("%s/binary", f->dir);
	_cleanup_free_ char *record = xasprintf("%s/charon.json", f->dir);
	struct sn_error e = { 0 };
	int pid;

	copy_binary(binary);
	charon_free(f->charon);
	f->charon = make(f, binary);
	start(f);
	pid = charon_pid(f->charon);
	copy_binary(binary);
	charon_free(f->charon);
	f->charon = make(f, binary);
	assert_int_equal(charon_adopt(f->charon, pid, &e), CHARON_ADOPTED);
	/* without one it could be anybody's */
	charon_free(f->charon);
	f->charon = make(f, binary);
	unlink(record);
	assert_int_equal(charon_adopt(f->charon, pid, &e), -EADDRINUSE);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void is_taken_over_by_start_when_it_does_not_answer(void **state)
{
	struct fixture *f = *state;
	uint64_t boot_id;
	struct sn_error e;
	int pid;

	assert_int_equal(start_it(f, f->charon, &e), 0);
	assert_int_equal(start_it(f, f->charon, &e), -EALREADY);
	pid = charon_pid(f->charon);
	boot_id = charon_boot_id(f->charon);
	charon_free(f->charon);
	f->charon = make(f, BINARY);
	assert_int_equal(start_it(f, f->charon, &e), 0);
	assert_int_equal(charon_pid(f->charon), pid);
	assert_true(charon_boot_id(f->charon) == boot_id);
	assert_true(wait_for(f, can_connect));
}

static void refuses_somebody_elses_process(void **state)
{
	struct fixture *f = *state;
	struct sn_error e = { 0 };

	assert_int_equal(charon_adopt(f->charon, getpid(), &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "not our"));
	assert_int_equal(charon_adopt(f->charon, 0, &e), -EADDRINUSE);
	assert_int_equal(charon_pid(f->charon), 0);
}

static void does_not_adopt_a_process_by_its_number_alone(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *record = xasprintf("%s/charon.json", f->dir);
	_cleanup_free_ char *text =
		xasprintf("{\"pid\": %d, \"start_time\": 1, \"boot_id\": \"%016x\"}", getpid(), 7);
	struct sn_error e;

	assert_int_equal(file_write_atomic(record, text, strlen(text), 0600), 0);
	assert_int_equal(charon_adopt(f->charon, getpid(), &e), -EADDRINUSE);
	start(f);
	assert_int_not_equal(charon_pid(f->charon), getpid());
}

static void refuses_ours_in_another_network(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	start(f);
	child = fork();
	if (child == 0) {
		struct sn_error e = { 0 };
		struct charon *c;
		int r;

		if (unshare(CLONE_NEWNET) < 0)
			_exit(SKIPPED);
		c = make(f, BINARY);
		r = charon_adopt(c, charon_pid(f->charon), &e);
		_exit(r == -EADDRINUSE && strstr(e.text, "network namespace") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int listen_on(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Who leaves while it is being started leaves it to the next one. */
static void is_started_also_for_who_does_not_wait(void **state)
{
	struct fixture *f = *state;
	struct sn_error e;

	assert_int_equal(charon_start(f->charon, &e), CHARON_STARTING);
	assert_int_equal(charon_start(f->charon, &e), -EALREADY);
	charon_free(f->charon);
	f->charon = make(f, BINARY);
	/* a job that had not begun is none; else its charon is the one of the record */
	start(f);
	assert_int_equal(vici_peer_pid(f->vici), charon_pid(f->charon));
}

static void removes_a_socket_only_when_nobody_answers(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *path = xasprintf("%s/charon.vici", f->dir);
	_cleanup_(charon_freep) struct charon *no_binary = make(f, "/no/such/charon");
	struct sn_error e;
	int fd = listen_on(path);

	assert_int_equal(start_it(f, f->charon, &e), -EADDRINUSE);
	assert_int_equal(charon_pid(f->charon), 0);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	/* charon would do that, too: look before it can */
	assert_int_equal(start_it(f, no_binary, &e), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	start(f);
}

static void tells_why_it_cannot_be_started(void **state)
{
	static const struct {
		const char *binary;
		int error;
	} cases[] = {
		{ "/no/such/charon", -ENOENT },
		{ "/etc/passwd", -EACCES },
		{ "/etc", -EACCES },
	};
	struct fixture *f = *state;
	_cleanup_free_ char *record = xasprintf("%s/charon.json", f->dir);

	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_(charon_freep) struct charon *c = make(f, cases[i].binary);
		struct sn_error e = { 0 };

		assert_int_equal(start_it(f, c, &e), cases[i].error);
		assert_non_null(strstr(e.text, cases[i].binary));
		assert_int_equal(charon_pid(c), 0);
		assert_int_equal(access(record, F_OK), -1);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void tells_its_end_and_leaves_no_zombie(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *record = xasprintf("%s/charon.json", f->dir);
	uint64_t boot_id;
	int pid;

	start(f);
	pid = charon_pid(f->charon);
	boot_id = charon_boot_id(f->charon);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(wait_for(f, has_ended));
	/* this process is its parent, so the cause is known */
	assert_non_null(strstr(f->how, "signal 9"));
	assert_int_equal(charon_pid(f->charon), 0);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(access(record, F_OK), -1);
	vici_close(sn_steal(f->vici));
	start(f);
	assert_true(charon_boot_id(f->charon) != boot_id);
}

static void ends_in_order_when_stopped(void **state)
{
	struct fixture *f = *state;

	start(f);
	charon_stop(f->charon);
	assert_true(wait_for(f, has_ended));
	assert_non_null(strstr(f->how, "status 0"));
	charon_stop(f->charon);
}

static void ends_by_force_when_it_does_not_listen(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(kill(charon_pid(f->charon), SIGSTOP), 0);
	charon_stop(f->charon);
	assert_true(wait_for(f, has_ended));
	assert_non_null(strstr(f->how, "signal 9"));
}

/* Ends all processes of a session, as the end of a login does. */
static void kill_session(pid_t sid)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && getsid(pid) == sid)
			kill(pid, SIGKILL);
	}
	closedir(dir);
}

static void outlives_its_daemons_group_and_session(void **state)
{
	struct fixture *f = *state;
	int ready[2], pid;
	uint64_t boot_id;
	struct sn_error e;
	pid_t child;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		struct loop *loop;

		setsid();
		/* an epoll descriptor is shared with the parent: a daemon has its own */
		loop = loop_new();
		f->loop = loop;
		f->tick = loop_timer_new(loop, on_tick, f);
		f->charon = make(f, BINARY);
		if (start_it(f, f->charon, &e) == 0 && write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	kill(-child, SIGKILL);
	kill_session(child);
	assert_int_equal(waitpid(child, NULL, 0), child);

	assert_true(wait_for(f, can_connect));
	pid = vici_peer_pid(f->vici);
	assert_int_equal(charon_adopt(f->charon, pid, &e), CHARON_ADOPTED);
	boot_id = charon_boot_id(f->charon);
	assert_int_not_equal(boot_id, 0);
	assert_non_null(strstr(ask(f, "version"), "charon-systemd"));
	charon_free(f->charon);
	f->charon = make(f, BINARY);
	assert_int_equal(charon_adopt(f->charon, pid, &e), CHARON_ADOPTED);
	assert_true(charon_boot_id(f->charon) == boot_id);
}

static void keeps_its_log_short(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *path = xasprintf("%s/charon.log", f->dir);
	_cleanup_free_ char *old_path = xasprintf("%s/charon.log.1", f->dir);
	_cleanup_free_ char *filler = xmalloc(3u << 20);
	struct stat st, old;

	memset(filler, 'x', 3u << 20);
	assert_int_equal(file_write_atomic(path, filler, 3u << 20, 0600), 0);
	start(f);
	assert_true(wait_for(f, old_log_is_there));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stat(old_path, &old), 0);
	assert_int_equal(old.st_size, 2u << 20);
	assert_int_equal(old.st_mode & 0777, 0600);
	assert_in_range(st.st_size, 0, 1 << 16);
	/* charon goes on at the new end, without a hole */
	ask(f, "stats");
	vici_close(sn_steal(f->vici));
	charon_stop(f->charon);
	assert_true(wait_for(f, has_ended));
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1, 1 << 16);
}

static bool enter_namespaces(void)
{
	return geteuid() == 0 && access(BINARY, X_OK) == 0 &&
	       unshare(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS) == 0;
}

/* As process 1: a /proc of our own, and lo, which charon asks for. */
static void settle_in(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sn_require(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	sn_require(mount("proc", "/proc", "proc", 0, NULL) == 0);
	sn_require(ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
}

static int wait_for_tests(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_within_two_seconds),
		TEST(has_what_libipsec_wants_and_no_complaint),
		TEST(has_what_xfrm_wants_and_no_complaint),
		TEST(gets_nothing_of_ours),
		TEST(is_adopted_by_the_next_daemon),
		TEST(is_adopted_as_a_new_one_without_a_record),
		TEST(is_only_adopted_when_others_start_it),
		TEST(is_ours_by_its_record_when_an_upgrade_replaced_the_binary),
		TEST(is_taken_over_by_start_when_it_does_not_answer),
		TEST(refuses_somebody_elses_process),
		TEST(does_not_adopt_a_process_by_its_number_alone),
		TEST(refuses_ours_in_another_network),
		TEST(is_started_also_for_who_does_not_wait),
		TEST(removes_a_socket_only_when_nobody_answers),
		TEST(tells_why_it_cannot_be_started),
		TEST(tells_its_end_and_leaves_no_zombie),
		TEST(ends_in_order_when_stopped),
		TEST(ends_by_force_when_it_does_not_listen),
		TEST(outlives_its_daemons_group_and_session),
		TEST(keeps_its_log_short),
	};

	pid_t child;

	if (!enter_namespaces())
		return SKIPPED;
	child = fork();
	/* _exit(): LeakSanitizer would fork, into the PID namespace that has ended */
	if (child != 0)
		_exit(wait_for_tests(child));
	settle_in();
	child = fork();
	if (child != 0)
		_exit(wait_for_tests(child));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests_name("ike/charon", tests, NULL, NULL);
}
