/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Built with CTL_CLIENT_MS=1500 and "nogroup" in place of the group sennit. */
#include "api/api.h"
#include "ctl/ctl.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define NOBODY 65534
#define STRANGER 65533
/* More than a socket holds at once. */
#define LONG (512u << 10)

static char folder[] = "/tmp/sennit-test-ctl-XXXXXX";
static char path[64];
static struct served served;

/* --- the server -------------------------------------------------------------- */

static int verb_echo(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)fd;
	(void)e;
	(void)user;
	*ret = json_incref(args);
	return 0;
}

static int verb_fail(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)args;
	(void)fd;
	(void)ret;
	(void)user;
	return sn_error_set(e, -EADDRINUSE, "10.42.1.7 belongs to web");
}

static int verb_stat(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	struct stat st;

	(void)args;
	(void)user;
	if (fd < 0 || fstat(fd, &st) < 0)
		return sn_error_set(e, -EBADF, "no descriptor");
	*ret = json_integer((json_int_t)st.st_ino);
	return 0;
}

static int verb_nothing(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)args;
	(void)fd;
	(void)ret;
	(void)e;
	(void)user;
	return 0;
}

static int verb_long(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	_cleanup_free_ char *text = xmalloc(CTL_MAX_MESSAGE);
	size_t len = json_is_true(json_object_get(args, "too")) ? CTL_MAX_MESSAGE - 1 : LONG;

	(void)fd;
	(void)e;
	(void)user;
	memset(text, 'x', len);
	*ret = json_stringn(text, len);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "echo", false, verb_echo },       { "fail", false, verb_fail },
	{ "stat", true, verb_stat },        { "change", true, verb_nothing },
	{ "nothing", false, verb_nothing }, { "long", false, verb_long },
};

static void *start(struct loop *loop, const char *arg, uint16_t *ret_port)
{
	struct ctl_server *s = NULL;
	struct sn_error e = { 0 };

	(void)ret_port;
	if (ctl_server_new(loop, arg, verbs, SN_ARRAY_SIZE(verbs), NULL, &s, &e) < 0)
		fprintf(stderr, "%s\n", e.text);
	return s;
}

static void stop(void *server)
{
	ctl_server_free(server);
}

static int begin(void **state)
{
	(void)state;
	served = serve_start(path, start, stop);
	return 0;
}

static int end(void **state)
{
	(void)state;
	serve_stop(&served);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

/* --- a client that does as it likes -------------------------------------------- */

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int ask(const char *verb, int fd, json_t **ret, struct sn_error *e)
{
	return ctl_call(path, verb, NULL, fd, WAIT_MS, ret, e);
}

/* The error of what comes on fd until its end; 0 when it is a result, -ENODATA without a reply. */
static int reply_on(int fd)
{
	char buf[1024];
	ssize_t n = read_until_end(fd, buf, sizeof(buf));
	_cleanup_json_ json_t *result = NULL;
	struct sn_error e;
	const char *payload;
	size_t len;

	assert_true(n >= 0);
	if (ctl_frame((uint8_t *)buf, (size_t)n, CTL_MAX_MESSAGE, &payload, &len))
		return -ENODATA;
	return ctl_reply_parse(payload, len, &result, &e);
}

/* --- tests ------------------------------------------------------------------- */

static void a_verb_gets_its_arguments_and_gives_a_result(void **state)
{
	_cleanup_json_ json_t *args = json_pack("{s:s}", "peer", "h2\xc3\xa4");
	_cleanup_json_ json_t *result = NULL, *nothing = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(ctl_call(path, "echo", args, -1, WAIT_MS, &result, &e), 0);
	assert_true(json_equal(args, result));
	assert_int_equal(ask("nothing", -1, &nothing, &e), 0);
	assert_true(json_is_null(nothing));
}

static void an_error_arrives_with_code_and_text(void **state)
{
	json_t *result = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(ask("fail", -1, &result, &e), -EADDRINUSE);
	assert_string_equal(e.text, "10.42.1.7 belongs to web");
	assert_int_equal(ask("dance", -1, &result, &e), -ENOSYS);
	assert_null(result);
}

static void a_long_answer_arrives_whole_and_a_too_long_one_not_at_all(void **state)
{
	_cleanup_json_ json_t *args = json_pack("{s:b}", "too", 1);
	_cleanup_json_ json_t *result = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(ask("long", -1, &result, &e), 0);
	assert_int_equal(json_string_length(result), LONG);
	assert_int_equal(ctl_call(path, "long", args, -1, WAIT_MS, &result, &e), -EMSGSIZE);
}

static void a_descriptor_is_passed(void **state)
{
	_cleanup_json_ json_t *result = NULL;
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_CLOEXEC);
	struct sn_error e;
	struct stat st;

	(void)state;
	assert_int_equal(ask("stat", -1, &result, &e), -EBADF);
	assert_int_equal(ask("stat", fd, &result, &e), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(json_integer_value(result), st.st_ino);
}

static void send_with_fds(int sock, const void *data, size_t len, int fd, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(n_fds * sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(int));
	assert_int_equal(sendmsg(sock, &msg, 0), len);
}

/* The pipe ends only when every copy of its writing end was closed. */
static void expect_all_copies_closed(int reader, int writer)
{
	char c;

	close(writer);
	assert_int_equal(read_until_end(reader, &c, 1), 0);
	close(reader);
}

static void no_descriptor_stays_open_in_the_server(void **state)
{
	const char request[] = "\0\0\0\x12{\"verb\": \"stat\"}  ";
	int sock, p[2];

	(void)state;
	for (size_t n = 1; n <= 16; n += 5) {
		assert_int_equal(pipe(p), 0);
		sock = dial();
		send_with_fds(sock, request, sizeof(request) - 1, p[1], n);
		assert_int_equal(reply_on(sock), 0);
		close(sock);
		expect_all_copies_closed(p[0], p[1]);
	}
	/* one on each byte, and gone before the request is whole */
	assert_int_equal(pipe(p), 0);
	sock = dial();
	for (size_t i = 0; i < 10; i++)
		send_with_fds(sock, request + i, 1, p[1], 1);
	close(sock);
	expect_all_copies_closed(p[0], p[1]);
}

static void a_request_in_small_pieces_is_answered(void **state)
{
	const char request[] = "\0\0\0\x12{\"verb\": \"echo\"}  ";
	int sock = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		assert_int_equal(send(sock, request + i, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(reply_on(sock), 0);
	close(sock);
}

static void an_oversized_request_is_refused_at_its_header(void **state)
{
	const char header[] = { 0, 1, 0, 1 };
	int sock = dial();

	(void)state;
	assert_int_equal(send(sock, header, 4, 0), 4);
	assert_int_equal(reply_on(sock), -EMSGSIZE);
	close(sock);
}

static void a_wrong_request_is_told_so(void **state)
{
	int sock = dial();

	(void)state;
	assert_int_equal(send(sock, "\0\0\0\2[]", 6, 0), 6);
	assert_int_equal(reply_on(sock), -EINVAL);
	close(sock);
	sock = dial();
	assert_int_equal(send(sock, "\0\0\0\0", 4, 0), 4);
	assert_int_equal(reply_on(sock), -EINVAL);
	close(sock);
}

static void who_goes_away_midway_costs_nothing(void **state)
{
	_cleanup_json_ json_t *result = NULL;
	const char part[] = "\0\0\0\x12{\"verb\"";
	const char whole[] = "\0\0\0\x12{\"verb\": \"long\"}  ";
	struct sn_error e;

	(void)state;
	for (int i = 0; i < 20; i++) {
		int sock = dial();
		bool asks = i % 2;

		assert_true(send(sock, asks ? whole : part,
				 asks ? sizeof(whole) - 1 : sizeof(part) - 1, 0) > 0);
		close(sock);
	}
	assert_int_equal(ask("echo", -1, &result, &e), 0);
}

static void a_slow_client_is_cut(void **state)
{
	int64_t begun = sn_now_ms();
	int quiet = dial(), reader = dial();
	const char request[] = "\0\0\0\x12{\"verb\": \"long\"}  ";
	char c;

	(void)state;
	/* this one asks for much and never takes it; its server end must not wait for ever */
	assert_true(send(reader, request, sizeof(request) - 1, 0) > 0);
	assert_int_equal(read_until_end(quiet, &c, 1), 0);
	assert_in_range(sn_now_ms() - begun, 1200, 6000);
	close(quiet);
	close(reader);
}

static void too_many_clients_are_told_to_wait(void **state)
{
	int fds[65];

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(fds); i++)
		fds[i] = dial();
	assert_int_equal(reply_on(fds[64]), -EBUSY);
	for (size_t i = 0; i < SN_ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* --- who may ----------------------------------------------------------------- */

/* Runs ask(verb) as somebody else and gives its result's errno. */
static int ask_as(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, const char *verb)
{
	json_t *result = NULL;
	struct sn_error e;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(n_groups, groups) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
			_exit(255);
		_exit(-ask(verb, -1, &result, &e));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return -WEXITSTATUS(status);
}

static void permissions_hold(void **state)
{
	const gid_t member[] = { 100, 65532, NOBODY }, other[] = { 100, 65532 };
	struct stat st;

	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, NOBODY);
	/* the file's mode keeps strangers out … */
	assert_int_equal(ask_as(NOBODY, STRANGER, other, 2, "echo"), -EACCES);
	/* … and so does the server when the mode does not */
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(ask_as(NOBODY, STRANGER, other, 2, "echo"), -EPERM);
	assert_int_equal(ask_as(NOBODY, STRANGER, NULL, 0, "echo"), -EPERM);
	assert_int_equal(ask_as(NOBODY, NOBODY, NULL, 0, "echo"), 0);
	assert_int_equal(ask_as(NOBODY, NOBODY, NULL, 0, "change"), -EPERM);
	assert_int_equal(ask_as(NOBODY, STRANGER, member, 3, "echo"), 0);
	assert_int_equal(ask_as(NOBODY, STRANGER, member, 3, "change"), -EPERM);
	assert_int_equal(ask_as(0, 0, NULL, 0, "change"), 0);
}

/* --- the socket's place -------------------------------------------------------- */

static void a_stale_socket_is_replaced(void **state)
{
	int status;
	json_t *result = NULL;
	struct sn_error e;

	(void)state;
	begin(NULL);
	assert_int_equal(kill(served.pid, SIGKILL), 0);
	assert_int_equal(waitpid(served.pid, &status, 0), served.pid);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(ask("echo", -1, &result, &e), -ECONNREFUSED);
	begin(NULL);
	assert_int_equal(ask("nothing", -1, &result, &e), 0);
	json_decref(result);
	end(NULL);
}

static void what_answers_or_is_no_socket_is_left_alone(void **state)
{
	_cleanup_(loop_freep) struct loop *loop = loop_new();
	struct ctl_server *s = NULL;
	struct sn_error e;
	int fd;

	(void)state;
	begin(NULL);
	assert_int_equal(ctl_server_new(loop, path, verbs, 1, NULL, &s, &e), -EADDRINUSE);
	end(NULL);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ctl_server_new(loop, path, verbs, 1, NULL, &s, &e), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void without_a_daemon_the_client_says_so(void **state)
{
	json_t *result = NULL;
	struct sn_error e;
	bool reached = true;

	(void)state;
	assert_int_equal(ctl_call_reached(path, "echo", NULL, -1, 100, &result, &reached, &e),
			 -ENOENT);
	assert_false(reached);
	assert_non_null(strstr(e.text, "does not run"));
}

static void the_client_waits_no_longer_than_asked(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t begun = sn_now_ms();
	json_t *result = NULL;
	struct sn_error e;

	(void)state;
	strcpy(sa.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 0), 0);
	/* the first waits for an answer, then its place in the queue is taken */
	assert_int_equal(ctl_call(path, "echo", NULL, -1, 100, &result, &e), -ETIMEDOUT);
	assert_int_equal(ctl_call(path, "echo", NULL, -1, 100, &result, &e), -ETIMEDOUT);
	assert_in_range(sn_now_ms() - begun, 200, 2000);
	unlink(path);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	return chmod(folder, 0755);
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

#define served_test(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		served_test(a_verb_gets_its_arguments_and_gives_a_result),
		served_test(an_error_arrives_with_code_and_text),
		served_test(a_long_answer_arrives_whole_and_a_too_long_one_not_at_all),
		served_test(a_descriptor_is_passed),
		served_test(no_descriptor_stays_open_in_the_server),
		served_test(a_request_in_small_pieces_is_answered),
		served_test(an_oversized_request_is_refused_at_its_header),
		served_test(a_wrong_request_is_told_so),
		served_test(who_goes_away_midway_costs_nothing),
		served_test(a_slow_client_is_cut),
		served_test(too_many_clients_are_told_to_wait),
		served_test(permissions_hold),
		cmocka_unit_test(a_stale_socket_is_replaced),
		cmocka_unit_test(what_answers_or_is_no_socket_is_left_alone),
		cmocka_unit_test(without_a_daemon_the_client_says_so),
		cmocka_unit_test(the_client_waits_no_longer_than_asked),
	};

	return cmocka_run_group_tests_name("api/ctl_server", tests, make_folder, remove_folder);
}
