/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file source, and the watching of files below it. */
#include "http_fixture.h"
#include "recorder.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>

#define HOST(id, n)                                                                                \
	"{\"id\":\"" id "\",\"addresses\":[\"192.0.2.1" n "\"],\"prefixes\":[\"10.42." n ".0/"     \
	"24\"]}"
#define MESH(hosts) "{\"mesh\":\"m1\",\"overlay\":\"10.42.0.0/16\",\"hosts\":[" hosts "]}"
#define TWO MESH(HOST("h1", "1") "," HOST("h2", "2"))
#define THREE MESH(HOST("h1", "1") "," HOST("h2", "2") "," HOST("h3", "3"))

struct world {
	struct recorder r;
	char dir[64];
	char *path;
};

static void write_file(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static void write_in_place(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	_cleanup_free_ char *url = NULL;

	snprintf(w->dir, sizeof(w->dir), "/tmp/sennit-test-file.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->path = xasprintf("%s/mesh.json", w->dir);
	url = xasprintf("file://%s", w->path);
	recorder_init(&w->r, url);
	snprintf(w->r.config->host_id, sizeof(w->r.config->host_id), "h1");
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

	recorder_fini(&w->r);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w->path);
	free(w);
	return 0;
}

static void start_with_two(struct world *w)
{
	write_file(w->path, TWO);
	recorder_start(&w->r, NULL);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_int_equal(w->r.last->hosts.n, 2);
	recorder_expect(&w->r);
}

static void file_is_read_at_start(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	assert_string_equal(w->r.last->self_id, "h1");
	assert_string_equal(w->r.last->source, w->r.config->metadata_url);
	assert_int_equal(w->r.failures, 0);
}

static void replaced_file_is_read_at_once(void **state)
{
	struct world *w = *state;
	int64_t start_ms;

	start_with_two(w);
	start_ms = sn_now_ms();
	write_file(w->path, THREE);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_in_range(w->r.snapshot_ms - start_ms, 0, 1000);
	assert_int_equal(w->r.last->hosts.n, 3);
}

static void file_written_in_place_is_read(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	write_in_place(w->path, THREE);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_int_equal(w->r.last->hosts.n, 3);
	assert_int_equal(w->r.failures, 0);
}

static void same_content_is_no_news(void **state)
{
	struct world *w = *state;
	struct metadata_status before;

	start_with_two(w);
	before = recorder_status(&w->r);
	write_file(w->path, TWO " ");
	while (recorder_status(&w->r).reads == before.reads)
		loop_run_for(w->r.loop, 5);
	assert_int_equal(w->r.snapshots, 1);
}

static void wrong_file_keeps_the_last(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	write_file(w->path, "{\"mesh\":");
	assert_true(recorder_wait(&w->r, &w->r.failed));
	assert_non_null(strstr(w->r.text, w->path));
	assert_int_equal(w->r.snapshots, 1);
	write_file(w->path, MESH(""));
	recorder_expect(&w->r);
	assert_true(recorder_wait(&w->r, &w->r.failed));
	assert_int_equal(w->r.snapshots, 1);
	write_file(w->path, TWO);
	assert_true(recorder_wait(&w->r, &w->r.ok));
	assert_int_equal(w->r.snapshots, 1);
}

static void deleted_file_keeps_the_last_and_may_come_back(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	assert_int_equal(unlink(w->path), 0);
	assert_true(recorder_wait(&w->r, &w->r.failed));
	assert_non_null(strstr(w->r.text, sn_strerror(-ENOENT)));
	assert_int_equal(w->r.snapshots, 1);
	write_file(w->path, THREE);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_int_equal(w->r.oks, 1);
	assert_int_equal(w->r.last->hosts.n, 3);
}

static void folder_that_comes_late_is_found(void **state)
{
	struct world *w = *state;

	assert_int_equal(rmdir(w->dir), 0);
	recorder_start(&w->r, NULL);
	assert_true(recorder_wait(&w->r, &w->r.failed));
	assert_int_equal(mkdir(w->dir, 0700), 0);
	write_file(w->path, TWO);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_int_equal(w->r.failures, 1);
}

/* As in Kubernetes' config maps: mesh.json -> data/mesh.json, and data is what changes. */
static void link_with_another_target_is_read(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *one = xasprintf("%s/one", w->dir), *two = xasprintf("%s/two", w->dir);
	_cleanup_free_ char *data = xasprintf("%s/data", w->dir);
	_cleanup_free_ char *next = xasprintf("%s/next", w->dir);
	_cleanup_free_ char *one_file = xasprintf("%s/mesh.json", one);
	_cleanup_free_ char *two_file = xasprintf("%s/mesh.json", two);

	assert_int_equal(mkdir(one, 0700) | mkdir(two, 0700), 0);
	write_file(one_file, TWO);
	write_file(two_file, THREE);
	assert_int_equal(symlink("one", data), 0);
	assert_int_equal(symlink("data/mesh.json", w->path), 0);
	recorder_start(&w->r, NULL);
	assert_true(recorder_wait(&w->r, &w->r.got));
	recorder_expect(&w->r);
	assert_int_equal(symlink("two", next), 0);
	assert_int_equal(rename(next, data), 0);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_int_equal(w->r.last->hosts.n, 3);
}

/* The first address of this machine that is not loopback's; "" when there is none. */
static void own_address(char ret[static SN_ADDR_STRLEN])
{
	struct ifaddrs *list;

	ret[0] = '\0';
	assert_int_equal(getifaddrs(&list), 0);
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct sn_addr a;

		if (ret[0] || !i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    (i->ifa_flags & IFF_LOOPBACK))
			continue;
		sn_addr_from_sockaddr(i->ifa_addr, &a, NULL);
		sn_addr_format(&a, ret);
	}
	freeifaddrs(list);
}

static void own_address_says_who_we_are(void **state)
{
	struct world *w = *state;
	char addr[SN_ADDR_STRLEN];
	_cleanup_free_ char *text = NULL;

	own_address(addr);
	if (!addr[0])
		skip();
	text = xasprintf("{\"mesh\":\"m1\",\"overlay\":\"10.242.0.0/16\",\"hosts\":["
			 "{\"id\":\"us\",\"addresses\":[\"%s\"],\"prefixes\":[\"10.242.1.0/24\"]},"
			 "{\"id\":\"they\",\"addresses\":[\"198.51.100.200\"],"
			 "\"prefixes\":[\"10.242.2.0/24\"]}]}",
			 addr);
	w->r.config->host_id[0] = '\0';
	write_file(w->path, text);
	recorder_start(&w->r, NULL);
	assert_true(recorder_wait(&w->r, &w->r.got));
	assert_string_equal(w->r.last->self_id, "us");
}

static void mesh_without_us_is_refused(void **state)
{
	struct world *w = *state;

	w->r.config->host_id[0] = '\0';
	write_file(w->path, TWO);
	recorder_start(&w->r, NULL);
	assert_true(recorder_wait(&w->r, &w->r.failed));
	assert_int_equal(w->r.snapshots, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(file_is_read_at_start),
		TEST(replaced_file_is_read_at_once),
		TEST(file_written_in_place_is_read),
		TEST(same_content_is_no_news),
		TEST(wrong_file_keeps_the_last),
		TEST(deleted_file_keeps_the_last_and_may_come_back),
		TEST(folder_that_comes_late_is_found),
		TEST(link_with_another_target_is_read),
		TEST(own_address_says_who_we_are),
		TEST(mesh_without_us_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
