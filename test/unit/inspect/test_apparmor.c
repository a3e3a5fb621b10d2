/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/apparmor.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* From Debian's usr.sbin.charon-systemd (5.9.8), and what sennitd(8) says to add. */
static const char debian[] = "/usr/sbin/charon-systemd flags=(complain,attach_disconnected) {\n"
			     "  #include <abstractions/base>\n"
			     "  capability net_admin,\n"
			     "  network,\n"
			     "  /{,usr/}bin/dash                 rmPUx,\n"
			     "  /dev/net/tun              rw,\n"
			     "  /etc/strongswan.conf      r,\n"
			     "  /etc/strongswan.d/**      r,\n"
			     "  /run/charon.*             rw,\n"
			     "  @{PROC}/@{pid}/fd/        r,\n"
			     "}\n";
static const char ours[] = "/run/sennit/strongswan.conf r,\n"
			   "/run/sennit/charon.vici     rw,\n"
			   "owner \"/run/sennit/charon.log\" rw,\n";

static void globs(void **state)
{
	static const struct {
		const char *glob, *path;
		bool match;
	} rows[] = {
		{ "/run/x", "/run/x", true },
		{ "/run/x", "/run/xy", false },
		{ "/run/*", "/run/x", true },
		{ "/run/*", "/run/x/y", false },
		{ "/run/**", "/run/x/y", true },
		{ "/run/**y", "/run/x/z", false },
		{ "/run/charon.*", "/run/charon.vici", true },
		{ "/run/?", "/run/x", true },
		{ "/run/?", "/run/", false },
		{ "/run?x", "/run/x", false },
		{ "/run/[a-c]", "/run/b", true },
		{ "/run/[^a-c]", "/run/b", false },
		{ "/run/[", "/run/[", false },
		{ "/{,var/}run/x", "/run/x", true },
		{ "/{,var/}run/x", "/var/run/x", true },
		{ "/{,var/}run/x", "/usr/run/x", false },
		{ "/{a{b,c},d}/e", "/ac/e", true },
		{ "/{a{b,c},d}/e", "/d/e", true },
		{ "/{a{b,c},d}/e", "/a/e", false },
		{ "/{a,b", "/a", false },
		{ "/a\\*", "/a*", true },
		{ "/a\\*", "/ab", false },
		{ "", "", true },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++)
		assert_int_equal(apparmor_glob(rows[i].glob, rows[i].path), rows[i].match);
}

static void the_profile_of_debian_lacks_our_files(void **state)
{
	_cleanup_free_ char *both = xasprintf("%s%s", debian, ours);
	static const struct {
		const char *path, *permissions;
		bool alone, with_ours;
	} rows[] = {
		{ "/run/sennit/strongswan.conf", "r", false, true },
		{ "/run/sennit/charon.vici", "rw", false, true },
		{ "/run/sennit/charon.log", "rw", false, true },
		{ "/run/sennit/strongswan.conf", "rw", false, false },
		{ "/run/charon.vici", "rw", true, true },
		{ "/dev/net/tun", "rw", true, true },
		{ "/etc/strongswan.d/charon/vici.conf", "r", true, true },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		assert_int_equal(apparmor_allows(debian, rows[i].path, rows[i].permissions),
				 rows[i].alone);
		assert_int_equal(apparmor_allows(both, rows[i].path, rows[i].permissions),
				 rows[i].with_ours);
	}
}

static void rules_add_up_and_deny_wins(void **state)
{
	(void)state;
	assert_true(apparmor_allows("/a r,\n/a w,\n", "/a", "rw"));
	assert_false(apparmor_allows("/a rw,\ndeny /a w,\n", "/a", "rw"));
	assert_true(apparmor_allows("/a rw,\naudit deny /a w,\n", "/a", "r"));
	assert_false(apparmor_allows("# /a rw,\n", "/a", "r"));
	assert_false(apparmor_allows("", "/a", "r"));
}

static void the_kernels_list(void **state)
{
	static const char list[] = "/usr/sbin/charon (enforce)\n"
				   "/usr/sbin/charon-systemd (complain)\n"
				   "man (enforce)\nother (kill)\n";

	(void)state;
	assert_int_equal(apparmor_mode_in(list, "/usr/sbin/charon-systemd"), APPARMOR_COMPLAIN);
	assert_int_equal(apparmor_mode_in(list, "/usr/sbin/charon"), APPARMOR_ENFORCE);
	assert_int_equal(apparmor_mode_in(list, "other"), APPARMOR_ENFORCE);
	assert_int_equal(apparmor_mode_in(list, "/usr/sbin"), APPARMOR_NONE);
	assert_int_equal(apparmor_mode_in("", "man"), APPARMOR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs),
		cmocka_unit_test(the_profile_of_debian_lacks_our_files),
		cmocka_unit_test(rules_add_up_and_deny_wins),
		cmocka_unit_test(the_kernels_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
