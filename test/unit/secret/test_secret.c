/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expected values were computed with another implementation of BLAKE2b (Python's hashlib). */
#include "secret/secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

/* base64 of the bytes 00 01 … 1f, and of 32 bytes ff */
#define COUNTING "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ONES "//////////////////////////////////////////8="

static char path[] = "/tmp/sennit-test-secret-XXXXXX";

static void write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static struct secrets *load(const char *text)
{
	struct secrets *s = NULL;
	struct sn_error e;

	write_file(text, 0600);
	assert_int_equal(secrets_load(path, &s, &e), 0);
	return s;
}

static void to_hex(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
}

static void pair_key_is_the_documented_one_in_either_order(void **state)
{
	_cleanup_(secrets_freep) struct secrets *s = load("# comment\n\n" COUNTING "\n");
	uint8_t key[PAIR_KEY_SIZE];
	char hex[2 * PAIR_KEY_SIZE + 1];

	(void)state;
	secrets_pair_key(s, 0, "m1", "h1", "h2", key);
	to_hex(key, sizeof(key), hex);
	assert_string_equal(hex,
			    "8e249f47f1a8eb4a60c28897f84a120b615abe8a3a3c7450100d822656904061");
	secrets_pair_key(s, 0, "m1", "h2", "h1", key);
	to_hex(key, sizeof(key), hex);
	assert_string_equal(hex,
			    "8e249f47f1a8eb4a60c28897f84a120b615abe8a3a3c7450100d822656904061");
}

static void ids_name_secrets(void **state)
{
	_cleanup_(secrets_freep) struct secrets *s = load(COUNTING "\n" ONES);
	char id[SECRET_ID_SIZE];

	(void)state;
	assert_int_equal(secrets_count(s), 2);
	secrets_id(s, 0, id);
	assert_string_equal(id, "409f2f91d9ac770b");
	assert_int_equal(secrets_find(s, "409f2f91d9ac770b"), 0);
	secrets_id(s, 1, id);
	assert_int_equal(secrets_find(s, id), 1);
	assert_int_equal(secrets_find(s, "0000000000000000"), -ENOENT);
}

static void heartbeat_mac_holds_for_one_direction_of_one_pair(void **state)
{
	_cleanup_(secrets_freep) struct secrets *s = load(ONES "\n" COUNTING "\n");
	uint8_t mac[SECRET_MAC_SIZE];
	char hex[2 * SECRET_MAC_SIZE + 1];

	(void)state;
	secrets_heartbeat_mac(s, 1, "m1", "h1", "h2", "data", 4, mac);
	to_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "0b41b17473e0135df49968f5046fdb8c");
	assert_true(secrets_heartbeat_check(s, "m1", "h1", "h2", "data", 4, mac));
	assert_false(secrets_heartbeat_check(s, "m1", "h2", "h1", "data", 4, mac));
	assert_false(secrets_heartbeat_check(s, "m2", "h1", "h2", "data", 4, mac));
	assert_false(secrets_heartbeat_check(s, "m1", "h1", "h2", "date", 4, mac));
	mac[15] ^= 1;
	assert_false(secrets_heartbeat_check(s, "m1", "h1", "h2", "data", 4, mac));
}

static void refuses_bad_files_without_quoting_them(void **state)
{
	static const struct {
		const char *text, *says;
		mode_t mode;
	} cases[] = {
		{ COUNTING, "others can read it", 0640 },
		{ "", "holds no secret", 0600 },
		{ "# only\n", "holds no secret", 0600 },
		{ "\nnot*base64\n", "line 2: not base64", 0600 },
		{ "c2hvcnQ=\n", "line 1: 5 bytes, at least 32", 0600 },
	};
	struct secrets *s = NULL;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		write_file(cases[i].text, cases[i].mode);
		assert_true(secrets_load(path, &s, &e) < 0);
		assert_non_null(strstr(e.text, cases[i].says));
		assert_null(strstr(e.text, "c2hvcnQ"));
	}
	assert_int_equal(secrets_load("/tmp/no-such-sennit-secret", &s, &e), -ENOENT);
	assert_int_equal(secrets_load("/tmp", &s, &e), -EINVAL);
}

static void generates_what_it_loads(void **state)
{
	char a[64], b[64];

	(void)state;
	secret_generate(a);
	secret_generate(b);
	assert_string_not_equal(a, b);
	secrets_free(load(a));
}

static void a_protected_process_leaves_no_core(void **state)
{
	struct rlimit core;

	(void)state;
	secret_protect_process();
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_true(core.rlim_cur <= 1 && core.rlim_max <= 1);
}

static int make_file(void **state)
{
	(void)state;
	return mkstemp(path) < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pair_key_is_the_documented_one_in_either_order),
		cmocka_unit_test(ids_name_secrets),
		cmocka_unit_test(heartbeat_mac_holds_for_one_direction_of_one_pair),
		cmocka_unit_test(refuses_bad_files_without_quoting_them),
		cmocka_unit_test(generates_what_it_loads),
		cmocka_unit_test(a_protected_process_leaves_no_core),
	};

	return cmocka_run_group_tests_name("secret", tests, make_file, remove_file);
}
