/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"
#include "inspect/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct finding *add(struct findings *all, const char *check, size_t order,
			   enum severity severity, const char *seen)
{
	struct finding *f = array_add(&all->f);

	f->check = check;
	f->order = order;
	f->severity = severity;
	f->seen = xstrdup(seen);
	f->why = xstrdup("why");
	f->next = xstrdup("next");
	return f;
}

static void they_are_told_in_order_worst_first(void **state)
{
	_cleanup_findings_ struct findings all = { 0 };

	(void)state;
	add(&all, "b", 1, SEVERITY_NOTE, "x");
	add(&all, "b", 1, SEVERITY_FAULT, "z");
	add(&all, "a", 0, SEVERITY_OK, "y");
	add(&all, "b", 1, SEVERITY_FAULT, "y");
	findings_sort(&all);
	assert_string_equal(all.f.v[0].check, "a");
	assert_string_equal(all.f.v[1].seen, "y");
	assert_string_equal(all.f.v[2].seen, "z");
	assert_int_equal(all.f.v[3].severity, SEVERITY_NOTE);
	assert_int_equal(findings_count(&all, SEVERITY_FAULT), 2);
}

static void a_fix_is_told_and_ends_the_finding(void **state)
{
	_cleanup_findings_ struct findings all = { 0 };
	char file[] = "/tmp/sennit-doctor-XXXXXX";
	_cleanup_close_ int fd = mkstemp(file);
	struct finding *f = add(&all, "a", 0, SEVERITY_FAULT, "x");
	_cleanup_free_ char *mode = NULL, *gone = NULL;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	finding_set_fix(f, FIX_MODE, file, NULL, 0640);
	mode = fix_describe(&f->fix);
	assert_non_null(strstr(mode, "set the mode of /tmp/sennit-doctor-"));
	assert_true(finding_stands(f));
	fix_apply(&f->fix);
	assert_false(finding_stands(f));
	assert_int_equal(findings_count(&all, SEVERITY_FAULT), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	finding_set_fix(f, FIX_REMOVE, file, NULL, 0);
	fix_apply(&f->fix);
	assert_int_equal(access(file, F_OK), -1);
	finding_set_fix(f, FIX_WRITE, "/nowhere/x", "1", 0);
	gone = fix_describe(&f->fix);
	assert_string_equal(gone, "write 1 to /nowhere/x");
	fix_apply(&f->fix);
	assert_true(finding_stands(f));
	assert_non_null(strstr(f->fix.error.text, "No such file"));
}

/* A sennitd that came while we looked has made its own socket there. */
static void what_came_since_is_not_removed(void **state)
{
	_cleanup_findings_ struct findings all = { 0 };
	char file[] = "/tmp/sennit-doctor-XXXXXX", other[] = "/tmp/sennit-doctor-XXXXXX";
	_cleanup_close_ int fd = mkstemp(file), other_fd = mkstemp(other);
	struct finding *f;

	(void)state;
	assert_true(fd >= 0 && other_fd >= 0);
	add(&all, "a", 0, SEVERITY_NOTE, "stale");
	f = &all.f.v[0];
	finding_set_fix(f, FIX_REMOVE, file, NULL, 0);
	assert_int_equal(rename(other, file), 0);
	fix_apply(&f->fix);
	assert_true(finding_stands(f));
	assert_non_null(strstr(f->fix.error.text, "another one by now"));
	assert_int_equal(unlink(file), 0);
}

/* A program may call itself anything. */
static void names_that_are_no_text(void **state)
{
	_cleanup_findings_ struct findings all = { 0 };
	_cleanup_json_ json_t *v = NULL;

	(void)state;
	add(&all, "a", 0, SEVERITY_NOTE, "held by \xff\x1b[2J");
	v = findings_to_json(&all);
	assert_string_equal(json_string_value(json_object_get(json_array_get(v, 0), "seen")),
			    "held by \\xff\\x1b[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_told_in_order_worst_first),
		cmocka_unit_test(a_fix_is_told_and_ends_the_finding),
		cmocka_unit_test(what_came_since_is_not_removed),
		cmocka_unit_test(names_that_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
