/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/charon_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int write_for(const char *run_dir, const char *plugins, struct strbuf *ret,
		     struct sn_error *e)
{
	const struct charon_settings s = { .path = "/usr/sbin/charon-systemd",
					   .run_dir = run_dir,
					   .plugins = plugins };

	return charon_conf_write(&s, ret, e);
}

static void puts_our_socket_and_log_after_the_data_planes_lines(void **state)
{
	static const char plane[] = "\tload = random vici\n"
				    "\tplugins { vici { socket = tcp://0.0.0.0:1 } }\n"
				    "\tfilelog { sennit { default = 4 } }\n";
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	const char *theirs, *socket, *level;
	struct sn_error e;

	(void)state;
	assert_int_equal(write_for("/run/sennit", plane, &b, &e), 0);
	theirs = strstr(b.data, plane);
	socket = strstr(b.data, "socket = \"unix:///run/sennit/charon.vici\"\n");
	level = strstr(b.data, "default = 1\n");
	assert_non_null(theirs);
	assert_true(socket > theirs);
	assert_true(level > theirs);
	assert_non_null(strstr(b.data, "path = \"/run/sennit/charon.log\"\n"));
}

static void refuses_folders_that_would_be_syntax(void **state)
{
	static const char *const bad[] = {
		"run/sennit", "",        "/run/a\nb", "/run/{x}",   "/run/\"x",
		"/run/x\\",   "/run/#1", "/run/\t",   "/run/$HOME", "/run/\x7f",
	};
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++)
		assert_int_equal(write_for(bad[i], "", &b, &e), -EINVAL);
	assert_int_equal(b.len, 0);
	assert_int_equal(write_for("/run/with space", "", &b, &e), 0);
}

static void refuses_folders_too_long_for_a_socket(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	char dir[97];
	struct sn_error e;

	(void)state;
	/* 95 + strlen("/charon.vici") + NUL is all of sun_path */
	memset(dir, 'd', sizeof(dir));
	dir[0] = '/';
	dir[96] = '\0';
	assert_int_equal(write_for(dir, "", &b, &e), -ENAMETOOLONG);
	dir[95] = '\0';
	assert_int_equal(write_for(dir, "", &b, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_our_socket_and_log_after_the_data_planes_lines),
		cmocka_unit_test(refuses_folders_that_would_be_syntax),
		cmocka_unit_test(refuses_folders_too_long_for_a_socket),
	};

	return cmocka_run_group_tests_name("ike/charon_conf", tests, NULL, NULL);
}
