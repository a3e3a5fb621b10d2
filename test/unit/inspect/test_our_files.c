/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/our_files.h"

#include "base/file.h"
#include "inspect/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char folder[] = "/tmp/sennit-test-files-XXXXXX";
static char run_dir[64], state_dir[64];

static void touch(const char *in, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", in, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), 0);
}

static bool is_there(const char *in, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", in, name);

	return access(path, F_OK) == 0;
}

static void ours_go_by_name_and_others_keep_their_folder(void **state)
{
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT, rest = STRBUF_INIT;
	struct our_files f = { 0 };
	struct sn_error e;

	(void)state;
	touch(run_dir, "charon.log", "");
	touch(run_dir, "charon.json.new", "");
	touch(state_dir, "identity.json", "");
	touch(state_dir, "identity.json.kept", "");
	our_files_find(run_dir, state_dir, &f);
	our_files_add_plan(&f, &plan);
	our_files_add_rest(&f, &rest);
	assert_non_null(strstr(strbuf_str(&plan), "/run/charon.json.new\n"));
	assert_non_null(strstr(strbuf_str(&plan), "/state/identity.json\n"));
	assert_non_null(strstr(strbuf_str(&plan), "- folder /tmp"));
	assert_null(strstr(strbuf_str(&plan), "kept"));
	assert_null(strstr(strbuf_str(&plan), "state\n"));
	assert_non_null(strstr(strbuf_str(&rest), "identity.json.kept: sennit has no file"));
	assert_int_equal(our_files_remove(&f, &e), 0);
	/* a second time there is nothing to do */
	assert_int_equal(our_files_remove(&f, &e), 0);
	our_files_fini(&f);
	assert_false(is_there(folder, "run"));
	assert_false(is_there(state_dir, "identity.json"));
	assert_true(is_there(state_dir, "identity.json.kept"));
	our_files_find(run_dir, state_dir, &f);
	assert_true(our_files_are_none(&f));
	our_files_fini(&f);
}

static void what_came_meanwhile_keeps_its_folder(void **state)
{
	struct our_files f = { 0 };
	struct sn_error e;

	(void)state;
	touch(run_dir, "charon.log", "");
	our_files_find(run_dir, NULL, &f);
	touch(run_dir, "guest", "");
	assert_int_equal(our_files_remove(&f, &e), 0);
	our_files_fini(&f);
	assert_true(is_there(run_dir, "guest"));
	assert_false(is_there(run_dir, "charon.log"));
}

static void a_run_dir_is_known_by_its_settings(void **state)
{
	(void)state;
	assert_false(is_run_dir(run_dir));
	touch(run_dir, "strongswan.conf", "charon { }\n");
	assert_false(is_run_dir(run_dir));
	touch(run_dir, "strongswan.conf",
	      "# Written by sennitd at each start of its charon.\ncharon-systemd {\n}\n");
	assert_true(is_run_dir(run_dir));
}

static void nobody_is_ended_who_is_not_ours(void **state)
{
	struct our_processes ps = { 0 };
	struct sn_error e;

	(void)state;
	assert_int_equal(processes_find(run_dir, "/usr/sbin/charon-systemd", &ps, &e), 0);
	array_foreach(&ps.p, p)
		if (p->kind == PROCESS_CHARON)
			assert_false(p->ours);
	processes_fini(&ps);
}

static int make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sennit-test-files-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(run_dir, sizeof(run_dir), "%s/run", folder);
	snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
	return file_mkdirs(run_dir, 0700) < 0 || file_mkdirs(state_dir, 0700) < 0 ? -1 : 0;
}

static int clean(void **state)
{
	static const char *const left[] = {
		"run/guest", "run/strongswan.conf", "state/identity.json.kept", "run", "state", ""
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(left); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, left[i]);

		remove(path);
	}
	return access(folder, F_OK) == 0 ? -1 : 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, clean)
	const struct CMUnitTest tests[] = {
		T(ours_go_by_name_and_others_keep_their_folder),
		T(what_came_meanwhile_keeps_its_folder),
		T(a_run_dir_is_known_by_its_settings),
		T(nobody_is_ended_who_is_not_ours),
	};

	return cmocka_run_group_tests_name("inspect/our_files", tests, NULL, NULL);
}
