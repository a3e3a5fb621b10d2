/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attachments in the kernel, each test in a network namespace of its own with
 * "containers" that live as long as their descriptor. Without root it is
 * skipped.
 */
#include "attach/attach.h"

#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "../shell.h"

#define LIMIT_MS 5000
#define CONTAINERS 6
#define KILLS 25

static char *folder;
static int home = -1;

/* --- namespaces -------------------------------------------------------------- */

static int own_netns(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* A new one; it ends when the descriptor and what is in it are gone. */
static int container_new(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = own_netns();
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	return fd;
}

static void sh_in(int netns, const char *fmt, ...) SN_PRINTF(2, 3);
static void sh_in(int netns, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	va_start(ap, fmt);
	vsh(fmt, ap);
	va_end(ap);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
}

static size_t count_veths(void)
{
	struct if_nameindex *all = if_nameindex();
	size_t n = 0;

	assert_non_null(all);
	for (struct if_nameindex *i = all; i->if_index; i++)
		n += sn_startswith(i->if_name, "snv");
	if_freenameindex(all);
	return n;
}

static int setup(void **state)
{
	(void)state;
	folder = NULL;
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	home = own_netns();
	sh_in(home, "ip link add snbr0 type bridge && ip link set snbr0 up");
	folder = xstrdup("/tmp/sennit-test-attach-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	_cleanup_free_ char *file = xasprintf("%s/attachments.json", folder ? folder : "");
	_cleanup_free_ char *half = xasprintf("%s.new", file);

	(void)state;
	if (!folder)
		return 0;
	unlink(file);
	unlink(half); /* of a kill in the middle of a write; no other file may be there */
	assert_int_equal(rmdir(folder), 0);
	free(folder);
	sn_closep(&home);
	home = -1;
	return 0;
}

static struct attachments *load(void)
{
	static const struct sn_prefix subnet = { { AF_INET, { 10, 42, 1, 0 } }, 24 };
	const struct attach_place place = { .mesh_id = "m1",
					    .bridge = "snbr0",
					    .mtu = 1400,
					    .prefixes = &subnet,
					    .n_prefixes = 1,
					    .host_overlay_ip.of[0] = { AF_INET,
								       { 10, 42, 1, 1 } } };
	struct attachments *as = NULL;
	struct sn_error e = { 0 };

	if (attachments_load(folder, &as, &e) < 0)
		fail_msg("%s", e.text);
	attachments_set_place(as, &place);
	return as;
}

static int attach(struct attachments *as, int netns, const struct attachment **ret)
{
	struct attach_request req = { .netns_fd = netns, .ifname = "eth0" };
	struct sn_error e = { 0 };
	int r = attachments_attach(as, &req, ret, &e);

	if (r < 0)
		print_error("%s\n", e.text);
	return r;
}

/* Every link has its entry, every entry its link and is ready. */
static void expect_consistent(const struct attachments *as)
{
	size_t n;
	const struct attachment *all = attachments_all(as, &n);

	assert_int_equal(n, count_veths());
	for (size_t i = 0; i < n; i++) {
		assert_true(all[i].ready);
		assert_true(netns_attached(&all[i]));
	}
}

/* --- tests ------------------------------------------------------------------- */

static void a_container_gets_its_interface_and_loses_it_again(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = NULL;
	const struct attachment *a = NULL;
	_cleanup_close_ int c = -1;
	struct sn_error e;

	(void)state;
	if (!folder)
		skip();
	as = load();
	c = container_new();
	assert_int_equal(attach(as, c, &a), ATTACH_MADE);
	sh_in(c, "ip -4 addr show dev eth0 | grep -q 'inet 10.42.1.2/24'");
	sh_in(c, "ip link show dev eth0 | grep -q 'link/ether 02:..:0a:2a:01:02'");
	sh_in(c, "ip link show dev eth0 | grep -q 'mtu 1400.*state UP'");
	sh_in(c, "ip route show default | grep -q 'via 10.42.1.1 dev eth0'");
	sh_in(home, "ip -d link show dev %s | grep -q 'master snbr0'", a->veth);
	sh_in(home, "ip -d link show dev %s | grep -q 'alias sennit:m1:attachment:%s'", a->veth,
	      a->id);
	assert_int_equal(attach(as, c, &a), ATTACH_WAS_THERE);
	expect_consistent(as);
	assert_int_equal(attachments_detach(as, c, "eth0", &e), 0);
	assert_int_equal(count_veths(), 0);
	assert_int_equal(attachments_detach(as, c, "eth0", &e), 1);
	assert_int_equal(attach(as, c, &a), ATTACH_MADE);
	assert_string_equal(SN_PREFIX_PAIR_STR(&a->addr), "10.42.1.3/24");
}

static void an_interface_of_others_is_left_alone(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = NULL;
	const struct attachment *a = NULL;
	_cleanup_close_ int c = -1;
	size_t n;

	(void)state;
	if (!folder)
		skip();
	as = load();
	c = container_new();
	sh_in(c, "ip link add eth0 type bridge");
	assert_int_equal(attach(as, c, &a), -EEXIST);
	sh_in(c, "ip -d link show dev eth0 | grep -q bridge");
	attachments_all(as, &n);
	assert_int_equal(n, 0);
	expect_consistent(as);
	/* this namespace is ours, and a file is none */
	assert_int_equal(attach(as, home, &a), -EINVAL);
	assert_int_equal(attach(as, STDIN_FILENO, &a), -EINVAL);
}

static void an_ended_namespace_is_swept(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = NULL;
	const struct attachment *a = NULL;
	int64_t limit = sn_now_ms() + LIMIT_MS;
	size_t n, swept = 0;
	int c;

	(void)state;
	if (!folder)
		skip();
	as = load();
	c = container_new();
	assert_int_equal(attach(as, c, &a), ATTACH_MADE);
	assert_int_equal(attachments_sweep(as), 0);
	close(c);
	while (!swept && sn_now_ms() < limit) {
		swept = attachments_sweep(as);
		sched_yield();
	}
	assert_int_equal(swept, 1);
	attachments_all(as, &n);
	assert_int_equal(n, 0);
}

/* Attaches and detaches for ever, and says so with a byte after each. */
static void work_until_killed(const int *containers, int out)
{
	struct attachments *as = load();
	const struct attachment *a = NULL;
	struct sn_error e;

	for (unsigned i = 0;; i++) {
		int c = containers[sn_random_below(CONTAINERS)];
		int r = i % 3 == 2 ? attachments_detach(as, c, "eth0", &e) : attach(as, c, &a);

		if (r < 0 || write(out, "", 1) != 1)
			_exit(1);
	}
}

static void kill_at_some_moment(const int *containers)
{
	struct timespec moment = { .tv_nsec = sn_random_below(30000000) };
	int status, progress[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(progress), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		work_until_killed(containers, progress[1]);
	close(progress[1]);
	assert_int_equal(read(progress[0], &byte, 1), 1);
	/* not a wait for anything: the moment is to be anywhere in its work */
	nanosleep(&moment, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(progress[0]);
}

static void kill_9_at_any_moment_leaves_no_link_without_entry(void **state)
{
	int containers[CONTAINERS];

	(void)state;
	if (!folder)
		skip();
	for (int i = 0; i < CONTAINERS; i++)
		containers[i] = container_new();
	for (int i = 0; i < KILLS; i++) {
		struct attachments *as;

		kill_at_some_moment(containers);
		as = load();
		expect_consistent(as);
		attachments_free(as);
	}
	for (int i = 0; i < CONTAINERS; i++)
		close(containers[i]);
}

#define kernel_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		kernel_test(a_container_gets_its_interface_and_loses_it_again),
		kernel_test(an_interface_of_others_is_left_alone),
		kernel_test(an_ended_namespace_is_swept),
		kernel_test(kill_9_at_any_moment_leaves_no_link_without_entry),
	};

	return cmocka_run_group_tests_name("attach/netns", tests, NULL, NULL);
}
