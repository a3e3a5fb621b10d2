/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of what a setting was, and when it is put back. */
#include "net/sysctl.h"

#include "netns_fixture.h"

#define FORWARDING "net/ipv4/conf/lo/forwarding"

static const char *value_of(const char *path)
{
	static char value[16];

	assert_int_equal(net_sysctl_read(path, value, sizeof(value)), 0);
	return value;
}

static const char *record_of(struct fixture *f)
{
	static char text[1024];
	_cleanup_free_ char *path = xasprintf("%s/sysctls.json", f->state_dir);
	_cleanup_free_ char *file = NULL;
	size_t len;

	if (file_read(path, sizeof(text) - 1, &file, &len) < 0)
		return "";
	snprintf(text, sizeof(text), "%s", file);
	return text;
}

static void old_value_is_recorded_and_put_back(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };

	sh("sysctl -qw net.ipv4.conf.lo.forwarding=0");
	want_sysctl(&wanted, FORWARDING, "1");
	fixture_converge(f, &wanted);
	assert_string_equal(value_of(FORWARDING), "1");
	assert_non_null(strstr(record_of(f), "\"old\": \"0\""));
	/* the record outlives the process */
	fixture_restart(f);
	fixture_converge(f, &none);
	assert_string_equal(value_of(FORWARDING), "0");
	assert_null(strstr(record_of(f), FORWARDING));
}

static void what_was_right_already_is_not_ours(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };

	sh("sysctl -qw net.ipv4.conf.lo.forwarding=1");
	want_sysctl(&wanted, FORWARDING, "1");
	fixture_converge(f, &wanted);
	assert_string_equal(record_of(f), "");
	fixture_converge(f, &none);
	assert_string_equal(value_of(FORWARDING), "1");
}

static void value_somebody_changed_since_is_left(void **state)
{
	static const char path[] = "net/ipv4/conf/lo/rp_filter";
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };

	sh("sysctl -qw net.ipv4.conf.lo.rp_filter=0");
	want_sysctl(&wanted, path, "1");
	fixture_converge(f, &wanted);
	sh("sysctl -qw net.ipv4.conf.lo.rp_filter=2");
	fixture_converge(f, &none);
	assert_string_equal(value_of(path), "2");
	assert_null(strstr(record_of(f), path));
}

static void other_value_of_ours_keeps_the_first_record(void **state)
{
	static const char path[] = "net/ipv4/conf/lo/rp_filter";
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set one = { 0 }, two = { 0 }, none = { 0 };

	sh("sysctl -qw net.ipv4.conf.lo.rp_filter=0");
	want_sysctl(&one, path, "1");
	want_sysctl(&two, path, "2");
	fixture_converge(f, &one);
	fixture_converge(f, &two);
	assert_string_equal(value_of(path), "2");
	fixture_converge(f, &none);
	assert_string_equal(value_of(path), "0");
}

static void nothing_is_written_that_could_not_be_recorded(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_pass_ struct pass p;

	sh("sysctl -qw net.ipv4.conf.lo.forwarding=0 && rmdir %s", f->state_dir);
	want_sysctl(&wanted, FORWARDING, "1");
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.failed, 1);
	assert_string_equal(value_of(FORWARDING), "0");
	sh("mkdir %s", f->state_dir);
	fixture_converge(f, &wanted);
	assert_string_equal(value_of(FORWARDING), "1");
}

static void record_of_an_interface_that_is_gone_is_let_go(void **state)
{
	static const char path[] = "net/ipv4/conf/ipsec0/forwarding";
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };
	_cleanup_pass_ struct pass p;

	sh("ip tuntap add ipsec0 mode tun");
	want_sysctl(&wanted, path, "1");
	fixture_converge(f, &wanted);
	assert_non_null(strstr(record_of(f), path));
	sh("ip tuntap del ipsec0 mode tun");
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.not_ready, 1);
	fixture_converge(f, &none);
	assert_null(strstr(record_of(f), path));
}

static void link_of_ours_leaves_no_record(void **state)
{
	static const char path[] = "net/ipv4/conf/snbr0/forwarding";
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };

	want_bridge(&wanted, "snbr0");
	want_sysctl(&wanted, path, "1");
	object_set_sort(&wanted);
	fixture_converge(f, &wanted);
	assert_string_equal(value_of(path), "1");
	assert_string_equal(record_of(f), "");
}

static void paths_that_climb_are_refused(void **state)
{
	static const char *const paths[] = { "kernel/hostname", "net/../kernel/hostname",
					     "/net/ipv4/ip_forward", "" };
	char value[16];

	fixture_get(state);
	for (size_t i = 0; i < SN_ARRAY_SIZE(paths); i++)
		assert_int_equal(net_sysctl_read(paths[i], value, sizeof(value)), -EINVAL);
	assert_int_equal(net_sysctl_read("net/ipv4/none", value, sizeof(value)), -ENOENT);
	/* longer than the room for it */
	assert_int_equal(net_sysctl_read("net/ipv4/tcp_rmem", value, 4), -EMSGSIZE);
}

static void record_that_is_none_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *words;
	} records[] = {
		{ "[]", "sysctls.json" },
		{ "{\"version\": 2, \"sysctls\": []}", "/version" },
		{ "{\"version\": 1, \"sysctls\": [{\"path\": \"net/x\", \"old\": 1}]}",
		  "/sysctls/0/old" },
		{ "{\"version\": 1, \"sysctls\": [{\"path\": \"fs/x\", \"old\": \"1\", \"ours\": "
		  "\"2\"}]}",
		  "/sysctls/0" },
		{ "{\"version\": 1, \"sysctls\": [{\"path\": \"net/x\", \"old\": \"1\", "
		  "\"ours\": \"0123456789abcdef\"}]}",
		  "/sysctls/0/ours" },
	};
	struct fixture *f = fixture_get(state);
	_cleanup_free_ char *path = xasprintf("%s/sysctls.json", f->state_dir);

	for (size_t i = 0; i < SN_ARRAY_SIZE(records); i++) {
		const char *text = records[i].text;
		struct sysctls *s;
		struct sn_error e;

		assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), 0);
		assert_int_equal(sysctls_load(f->state_dir, &s, &e), -EINVAL);
		if (!strstr(e.text, records[i].words))
			fail_msg("%s: %s", text, e.text);
	}
}

/* What a power cut may leave of a write that did not wait for the disk. */
static void an_empty_record_is_none(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_free_ char *path = xasprintf("%s/sysctls.json", f->state_dir);
	_cleanup_(sysctls_freep) struct sysctls *s = NULL;
	struct sn_error e;

	assert_int_equal(file_replace(path, "", 0, 0600), 0);
	assert_int_equal(sysctls_load(f->state_dir, &s, &e), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(old_value_is_recorded_and_put_back),
		T(what_was_right_already_is_not_ours),
		T(value_somebody_changed_since_is_left),
		T(other_value_of_ours_keeps_the_first_record),
		T(nothing_is_written_that_could_not_be_recorded),
		T(record_of_an_interface_that_is_gone_is_let_go),
		T(link_of_ours_leaves_no_record),
		T(paths_that_climb_are_refused),
		T(an_empty_record_is_none),
		T(record_that_is_none_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
