/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metadata/metadata.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct world {
	char dir[64];
	char *state, *path, *bad;
};

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "/tmp/sennit-test-store.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->state = xasprintf("%s/state", w->dir);
	w->path = xasprintf("%s/snapshot.json", w->state);
	w->bad = xasprintf("%s.bad", w->path);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w->state);
	free(w->path);
	free(w->bad);
	free(w);
	return 0;
}

static struct host *add_host(struct snapshot *s, const char *id, unsigned n)
{
	struct host *h = snapshot_add_host(s, id);
	_cleanup_free_ char *addr = xasprintf("192.0.2.%u", n);
	_cleanup_free_ char *prefix = xasprintf("10.42.%u.0/24", n);

	free(h->name);
	h->name = xstrdup(id);
	assert_int_equal(sn_addr_parse(addr, array_add(&h->underlay)), 0);
	assert_int_equal(sn_prefix_parse(prefix, array_add(&h->prefixes)), 0);
	return h;
}

static struct snapshot *a_snapshot(unsigned hosts)
{
	struct snapshot *s = snapshot_new();
	struct sn_prefix overlay;
	struct sn_error e;

	snprintf(s->mesh_id, sizeof(s->mesh_id), "m1");
	snprintf(s->self_id, sizeof(s->self_id), "h1");
	s->mesh_name = xstrdup("a mesh");
	s->revision = xstrdup("r1");
	s->source = xstrdup("http://192.0.2.1/2016-07-29");
	assert_int_equal(sn_prefix_parse("10.42.0.0/16", &overlay), 0);
	sn_prefix_pair_put(&s->overlay, &overlay);
	for (unsigned i = 1; i <= hosts; i++) {
		_cleanup_free_ char *id = xasprintf("h%u", i);

		add_host(s, id, i);
	}
	if (snapshot_finish(s, NULL, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void save(const struct world *w, unsigned hosts)
{
	_cleanup_(snapshot_freep) struct snapshot *s = a_snapshot(hosts);
	struct sn_error e;

	assert_int_equal(store_save(w->state, s, &e), 0);
}

static void nothing_stored_is_said(void **state)
{
	struct world *w = *state;
	struct snapshot *s;
	struct sn_error e;

	assert_int_equal(store_load(w->state, &s, &e), -ENOENT);
}

static void what_is_saved_is_loaded(void **state)
{
	struct world *w = *state;
	_cleanup_(snapshot_freep) struct snapshot *saved = a_snapshot(3);
	_cleanup_(snapshot_freep) struct snapshot *loaded = NULL;
	struct sn_error e;
	struct stat st;

	assert_int_equal(store_save(w->state, saved, &e), 0);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(w->state, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(store_load(w->state, &loaded, &e), 0);
	assert_true(snapshot_equal(saved, loaded));
	assert_string_equal(loaded->source, saved->source);
	assert_string_equal(loaded->revision, saved->revision);
}

static void check_put_aside(struct world *w, const char *content)
{
	struct snapshot *s = NULL;
	_cleanup_free_ char *kept = NULL;
	size_t len;
	struct sn_error e;

	file_mkdirs(w->state, 0700);
	assert_int_equal(file_write_atomic(w->path, content, strlen(content), 0600), 0);
	assert_true(store_load(w->state, &s, &e) < 0);
	assert_null(s);
	assert_non_null(strstr(e.text, w->bad));
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(file_read(w->bad, 1000, &kept, &len), 0);
	assert_string_equal(kept, content);
	assert_int_equal(store_load(w->state, &s, &e), -ENOENT);
}

static void garbage_is_put_aside_and_said(void **state)
{
	struct world *w = *state;

	check_put_aside(w, "");
	check_put_aside(w, "{\"sennit_snapshot\":");
	check_put_aside(w, "[]");
	check_put_aside(w, "{\"sennit_snapshot\": 999}");
}

static void failed_save_leaves_the_old(void **state)
{
	struct world *w = *state;
	_cleanup_(snapshot_freep) struct snapshot *s = a_snapshot(2);
	_cleanup_(snapshot_freep) struct snapshot *old = NULL;
	_cleanup_free_ char *in_a_file = NULL;
	struct sn_error e;

	save(w, 2);
	in_a_file = xasprintf("%s/deeper", w->path);
	assert_true(store_save(in_a_file, s, &e) < 0);
	assert_non_null(strstr(e.text, in_a_file));
	assert_int_equal(store_load(w->state, &old, &e), 0);
	assert_int_equal(old->hosts.n, 2);
}

static void save_for_ever(const struct world *w, int say)
{
	for (unsigned i = 0;; i++) {
		save(w, 2 + i % 2 * 200);
		if (i == 1 && write(say, "", 1) != 1)
			_exit(1);
	}
}

static unsigned count_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

/* SIGKILL at any point of saving leaves one of the two, whole, and nothing beside it. */
static void kill_in_the_middle_leaves_a_whole_one(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 25; i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = NULL;
		struct sn_error e;
		int pipe_fd[2];
		pid_t pid;
		char byte;

		assert_int_equal(pipe(pipe_fd), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			save_for_ever(w, pipe_fd[1]);
		assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
		usleep(sn_random_below(3000)); /* chance is the point here */
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		assert_int_equal(store_load(w->state, &s, &e), 0);
		assert_true(s->hosts.n == 2 || s->hosts.n == 202);
		assert_int_equal(count_files(w->state), 1);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_stored_is_said),
		TEST(what_is_saved_is_loaded),
		TEST(garbage_is_put_aside_and_said),
		TEST(failed_save_leaves_the_old),
		TEST(kill_in_the_middle_leaves_a_whole_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
