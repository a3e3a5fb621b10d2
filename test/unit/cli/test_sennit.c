/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program itself, argv[1], against a daemon that is one forked child: it
 * takes one connection and answers with what the test says.
 */
#include "base/file.h"
#include "base/strbuf.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define WAIT_MS 10000

static char *program;
static char folder[] = "/tmp/sennit-test-cli-XXXXXX";
static char path[64], request_path[64], out_path[64];

/* --- the daemon -------------------------------------------------------------- */

/* Reads one request, stores it (and whether a descriptor came) for the test, answers. */
static int answer_one(int listener, const char *reply)
{
	uint8_t buf[4096];
	struct pollfd p = { .fd = listener, .events = POLLIN };
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	_cleanup_json_ json_t *v = json_loads(reply, 0, NULL);
	_cleanup_free_ uint8_t *frame = NULL;
	_cleanup_free_ char *note = NULL;
	size_t len;
	ssize_t n;
	int fd;

	if (poll(&p, 1, WAIT_MS) != 1 || (fd = accept(listener, NULL, NULL)) < 0)
		return 1;
	n = recvmsg(fd, &msg, 0);
	if (n < CTL_HEADER_SIZE)
		return 2;
	note = xasprintf("%s%.*s", CMSG_FIRSTHDR(&msg) ? "fd " : "", (int)n - CTL_HEADER_SIZE,
			 (char *)buf + CTL_HEADER_SIZE);
	file_write_atomic(request_path, note, strlen(note), 0600);
	frame = ctl_frame_new(v, &len);
	return write(fd, frame, len) == (ssize_t)len ? 0 : 3;
}

static pid_t daemon_start(const char *reply)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	strcpy(sa.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(answer_one(fd, reply));
	close(fd);
	return pid;
}

/* --- the program ------------------------------------------------------------- */

/* Runs `sennit --socket … words…`; its exit code; what it printed is in out_path. */
static int sennit(const char *const *words)
{
	char *argv[16] = { program, (char *)"--socket", path };
	posix_spawn_file_actions_t actions;
	size_t n = 3;
	int status;
	pid_t pid;

	for (; *words; words++)
		argv[n++] = (char *)*words;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
#define SENNIT(...) sennit((const char *const[]){ __VA_ARGS__, NULL })

static int sennit_with(const char *reply, const char *const *words)
{
	pid_t pid = daemon_start(reply);
	int status, code = sennit(words);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return code;
}
#define SENNIT_WITH(reply, ...) sennit_with(reply, (const char *const[]){ __VA_ARGS__, NULL })

static void expect_file(const char *file, const char *part)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(file_read(file, 1 << 20, &text, &len), 0);
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

/* --- tests ------------------------------------------------------------------- */

static void exit_codes_tell_what_happened(void **state)
{
	(void)state;
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {\"healthy\": true}}", "status"),
			 0);
	assert_int_equal(
		SENNIT_WITH("{\"ok\": true, \"result\": {\"healthy\": false}}", "status", "--json"),
		4);
	expect_file(out_path, "\"healthy\": false");
	assert_int_equal(SENNIT_WITH("{\"ok\": false, \"error\": {\"code\": \"ENOENT\", \"text\": "
				     "\"no peer \\u001b h7\"}}",
				     "kick", "h7"),
			 1);
	expect_file(out_path, "sennit: no peer \\x1b h7\n");
	expect_file(request_path, "{\"verb\":\"kick\",\"args\":{\"peer\":\"h7\"}}");
}

static void without_a_daemon_it_is_3_and_says_what_to_do(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(SENNIT("status"), 3);
	expect_file(out_path, "sennitd does not run here");
	assert_int_equal(SENNIT("attachments"), 3);
}

static void wrong_usage_is_2(void **state)
{
	(void)state;
	assert_int_equal(SENNIT("dance"), 2);
	assert_int_equal(SENNIT("status", "--nope"), 2);
	assert_int_equal(SENNIT("status", "more"), 2);
	assert_int_equal(SENNIT("kick"), 2);
	assert_int_equal(SENNIT("attach"), 2);
	assert_int_equal(SENNIT("attach", "--pid", "1", "--netns", "/x"), 2);
	assert_int_equal(SENNIT("attach", "--pid", "../../etc"), 1);
	assert_int_equal(SENNIT("detach", "--id", "x", "--pid", "1"), 2);
	assert_int_equal(SENNIT("genkey", "--json"), 2);
	assert_int_equal(SENNIT("help", "dance"), 2);
}

static void help_is_everywhere(void **state)
{
	(void)state;
	assert_int_equal(SENNIT("help"), 0);
	expect_file(out_path, "  attachments ");
	assert_int_equal(SENNIT("help", "attach"), 0);
	expect_file(out_path, "--netns PATH");
	assert_int_equal(SENNIT("attach", "--help"), 0);
	expect_file(out_path, "--netns PATH");
	assert_int_equal(SENNIT("version"), 0);
	expect_file(out_path, "sennit 0.");
}

static void attach_passes_the_namespace(void **state)
{
	_cleanup_free_ char *pid = xasprintf("%d", (int)getpid());

	(void)state;
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {\"address\": \"10.42.1.7/24\", "
				     "\"ifname\": \"net1\", \"made\": true}}",
				     "attach", "--pid", pid, "--ifname", "net1", "--ip",
				     "10.42.1.7"),
			 0);
	expect_file(request_path, "fd {\"verb\":\"attach\",\"args\":{\"ifname\":\"net1\","
				  "\"ip\":\"10.42.1.7\"}}");
	expect_file(out_path, "10.42.1.7/24 on net1");
	assert_int_equal(
		SENNIT_WITH("{\"ok\": true, \"result\": {\"address\": \"10.42.1.7/24\", "
			    "\"addresses\": [\"10.42.1.7/24\", \"fd42::7/64\"], "
			    "\"gateway\": \"10.42.1.1\", "
			    "\"gateways\": [\"10.42.1.1\", \"fd42::1\"], \"ifname\": \"eth0\"}}",
			    "attach", "--pid", pid, "--ip", "fd42::7", "--ip", "10.42.1.7"),
		0);
	expect_file(request_path, "fd {\"verb\":\"attach\",\"args\":{\"ifname\":\"eth0\","
				  "\"ip\":[\"fd42::7\",\"10.42.1.7\"]}}");
	expect_file(out_path, "10.42.1.7/24 and fd42::7/64 on eth0,");
	expect_file(out_path, "gateway 10.42.1.1 and fd42::1");
	assert_int_equal(SENNIT("attach", "--pid", pid, "--ip", "a", "--ip", "b", "--ip", "c"), 2);
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {\"detached\": false}}", "detach",
				     "--pid", pid),
			 0);
	expect_file(request_path, "fd {\"verb\":\"detach\",\"args\":{\"ifname\":\"eth0\"}}");
	expect_file(out_path, "it was not attached");
	assert_int_equal(SENNIT_WITH("{\"ok\": true}", "detach", "--id", "0123456789abcdef"), 0);
	expect_file(request_path, "{\"verb\":\"detach\",\"args\":{\"id\":\"0123456789abcdef\"}}");
}

static void log_level_shows_and_changes(void **state)
{
	(void)state;
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {\"text\": \"it is debug\\u001b "
				     "now\"}}",
				     "log-level", "debug"),
			 0);
	expect_file(request_path, "{\"verb\":\"log-level\",\"args\":{\"level\":\"debug\"}}");
	expect_file(out_path, "it is debug\\x1b now\n");
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {\"log\": {\"level\": "
				     "\"info\"}}}",
				     "log-level"),
			 0);
	expect_file(request_path, "{\"verb\":\"status\"");
	expect_file(out_path, "info\n");
	/* a daemon of before */
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {}}", "log-level"), 1);
	assert_int_equal(SENNIT("log-level", "debug", "info"), 2);
}

static void a_broken_configuration_does_not_hide_the_daemon(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic(request_path, "{ nonsense", 10, 0600), 0);
	assert_int_equal(SENNIT("--config", request_path, "check"), 1);
	expect_file(out_path, request_path);
	/* --socket names it, so the configuration is not even read */
	assert_int_equal(SENNIT_WITH("{\"ok\": true, \"result\": {\"healthy\": true}}", "--config",
				     request_path, "status"),
			 0);
}

static void genkey_prints_a_secret_and_minds_who_can_read_it(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(SENNIT("genkey"), 0);
	assert_int_equal(stat(out_path, &st), 0);
	assert_true(st.st_size > 40 && st.st_size < 64);
	assert_int_equal(chmod(out_path, 0644), 0);
	assert_int_equal(SENNIT("genkey"), 0);
	expect_file(out_path, "warning: others can read that file");
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	snprintf(request_path, sizeof(request_path), "%s/request", folder);
	snprintf(out_path, sizeof(out_path), "%s/out", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(request_path);
	unlink(out_path);
	return rmdir(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_tell_what_happened),
		cmocka_unit_test(without_a_daemon_it_is_3_and_says_what_to_do),
		cmocka_unit_test(wrong_usage_is_2),
		cmocka_unit_test(help_is_everywhere),
		cmocka_unit_test(attach_passes_the_namespace),
		cmocka_unit_test(log_level_shows_and_changes),
		cmocka_unit_test(a_broken_configuration_does_not_hide_the_daemon),
		cmocka_unit_test(genkey_prints_a_secret_and_minds_who_can_read_it),
	};

	if (argc < 2)
		return 1;
	program = argv[1];
	return cmocka_run_group_tests_name("cli/sennit", tests, make_folder, remove_folder);
}
