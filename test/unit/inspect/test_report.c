/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a report may be written; what is in one is test/lab/test_doctor.py's. */
#include "inspect/report.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Root's rename(2) would put a file in the place of /dev/null. */
static void a_device_or_a_pipe_stays(void **state)
{
	_cleanup_(config_freep) struct config *config = config_new();
	char folder[] = "/tmp/sennit-test-report-XXXXXX", unseen[] = "";
	_cleanup_free_ char *pipe = NULL, *link = NULL;
	const struct doctor_result result = { .unseen = unseen };
	const struct report_input in = { .version = "0", .config = config, .result = &result };
	struct sn_error e;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(folder));
	pipe = xasprintf("%s/pipe", folder);
	link = xasprintf("%s/link", folder);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(symlink(pipe, link), 0);
	assert_int_equal(report_write(&in, pipe, &e), -EEXIST);
	assert_non_null(strstr(e.text, pipe));
	assert_int_equal(report_write(&in, link, &e), -EEXIST);
	assert_int_equal(lstat(pipe, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link);
	unlink(pipe);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_or_a_pipe_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
