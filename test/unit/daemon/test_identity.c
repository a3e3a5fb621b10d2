/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/identity.h"

#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[64];

static char *in(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
	_cleanup_free_ char *path = in(name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), 0);
}

static bool is_there(const char *name)
{
	_cleanup_free_ char *path = in(name);

	return access(path, F_OK) == 0;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sennit-test-identity-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "identity.json", "identity.json.bad", "snapshot.json",
					     "machine-id" };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = in(names[i]);

		unlink(path);
	}
	return rmdir(folder);
}

static void what_is_saved_is_loaded(void **state)
{
	const struct identity saved = { "00112233445566778899aabbccddeeff", "h1", "m1" };
	_cleanup_free_ char *path = in("identity.json");
	struct identity id = { 0 };
	struct sn_error e;
	struct stat st;

	(void)state;
	assert_int_equal(identity_load(folder, &id, &e), -ENOENT);
	assert_int_equal(identity_save(folder, &saved, &e), 0);
	assert_int_equal(identity_load(folder, &id, &e), 0);
	assert_string_equal(id.machine, saved.machine);
	assert_string_equal(id.host, "h1");
	assert_string_equal(id.mesh, "m1");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_cannot_be_understood_is_put_aside(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{\"sennit_identity\": 1}",
		"{\"sennit_identity\": 2, \"machine\": \"\", \"host\": \"h1\", \"mesh\": \"m1\"}",
		"{\"sennit_identity\": 1, \"machine\": \"x\", \"host\": \"h1\", \"mesh\": \"m1\"}",
		"{\"sennit_identity\": 1, \"machine\": \"\", \"host\": \"%any\", \"mesh\": \"m1\"}",
		"{\"sennit_identity\": 1, \"machine\": \"\", \"host\": \"h1\", \"mesh\": \"a b\"}",
	};
	struct identity id;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(wrong); i++) {
		put("identity.json", wrong[i]);
		assert_int_equal(identity_load(folder, &id, &e), -EINVAL);
		assert_non_null(strstr(e.text, "identity.json.bad"));
		assert_false(is_there("identity.json"));
		assert_true(is_there("identity.json.bad"));
	}
}

static void a_machine_is_told_by_a_hash(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef";
	char a[IDENTITY_MACHINE_SIZE], b[IDENTITY_MACHINE_SIZE];
	_cleanup_free_ char *path = in("machine-id");

	(void)state;
	put("machine-id", "0123456789abcdef0123456789abcdef\n");
	identity_of_machine(path, a);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, id);
	identity_of_machine(path, b);
	assert_string_equal(a, b);
	put("machine-id", "0123456789abcdef0123456789abcdee\n");
	identity_of_machine(path, b);
	assert_string_not_equal(a, b);
}

static void an_unset_machine_id_is_none(void **state)
{
	static const char *const unset[] = { "", "uninitialized\n", "0123",
					     "0123456789abcdef0123456789abcdef0" };
	_cleanup_free_ char *path = in("machine-id");
	char id[IDENTITY_MACHINE_SIZE];

	(void)state;
	identity_of_machine(path, id);
	assert_string_equal(id, "");
	for (size_t i = 0; i < SN_ARRAY_SIZE(unset); i++) {
		put("machine-id", unset[i]);
		identity_of_machine(path, id);
		assert_string_equal(id, "");
	}
}

static void removed_is_the_snapshot_with_it(void **state)
{
	struct sn_error e;

	(void)state;
	put("identity.json", "x");
	put("snapshot.json", "x");
	assert_int_equal(identity_remove(folder, &e), 0);
	assert_false(is_there("identity.json"));
	assert_false(is_there("snapshot.json"));
	assert_int_equal(identity_remove(folder, &e), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_saved_is_loaded),         TEST(what_cannot_be_understood_is_put_aside),
		TEST(a_machine_is_told_by_a_hash),     TEST(an_unset_machine_id_is_none),
		TEST(removed_is_the_snapshot_with_it),
	};

	return cmocka_run_group_tests_name("daemon/identity", tests, NULL, NULL);
}
