/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static int make_folder(void **state)
{
	*state = xstrdup("/tmp/sennit-test-file-XXXXXX");
	return mkdtemp(*state) ? 0 : -1;
}

static int remove_folder(void **state)
{
	rmdir(*state);
	free(*state);
	return 0;
}

static void replaces_whole_files(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/f", (char *)*state);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;

	assert_int_equal(file_write_atomic(path, "one", 3, 0600), 0);
	assert_int_equal(file_write_atomic(path, "second", 6, 0600), 0);
	assert_int_equal(file_read(path, 6, &text, &len), 0);
	assert_string_equal(text, "second");
	assert_int_equal(len, 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(sn_steal(text));
	assert_int_equal(file_read(path, 5, &text, &len), -EFBIG);
	unlink(path);
	assert_int_equal(file_read(path, 5, &text, &len), -ENOENT);
}

static void an_empty_file_is_a_text(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/f", (char *)*state);
	_cleanup_free_ char *text = NULL;
	size_t len = 1;

	assert_int_equal(file_write_atomic(path, "", 0, 0600), 0);
	assert_int_equal(file_read(path, 0, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_non_null(text);
	assert_string_equal(text, "");
	unlink(path);
}

static void replaces_without_the_disk(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/f", (char *)*state);
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(file_replace(path, "one", 3, 0600), 0);
	assert_int_equal(file_replace(path, "second", 6, 0600), 0);
	assert_int_equal(file_read(path, 6, &text, &len), 0);
	assert_string_equal(text, "second");
	unlink(path);
}

static void keeps_the_old_one_on_error(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/no-such-folder/f", (char *)*state);

	assert_int_equal(file_write_atomic(path, "x", 1, 0600), -ENOENT);
	assert_int_equal(file_replace(path, "x", 1, 0600), -ENOENT);
}

static void makes_folders(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/a/b", (char *)*state);
	_cleanup_free_ char *parent = xasprintf("%s/a", (char *)*state);

	assert_int_equal(file_mkdirs(path, 0700), 0);
	assert_int_equal(file_mkdirs(path, 0700), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(parent), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_whole_files),
		cmocka_unit_test(an_empty_file_is_a_text),
		cmocka_unit_test(replaces_without_the_disk),
		cmocka_unit_test(keeps_the_old_one_on_error),
		cmocka_unit_test(makes_folders),
	};

	return cmocka_run_group_tests_name("base/file", tests, make_folder, remove_folder);
}
