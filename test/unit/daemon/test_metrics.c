/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page against data/metrics.txt, argv[1]; REGENERATE=1 writes the file.
 * test/python/test_metrics.py has promtool read the same file and compares its
 * names with the README and the alert rules.
 */
#include "daemon/metrics.h"

#include "base/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *golden;

/* Each value another, so that a page with two of them exchanged is another page. */
static double next_value(void)
{
	static int n;

	return 1000 + n++ * 0.25;
}

static void fill_host(struct metrics *m)
{
	m->version = "0.0";
	m->host = "h1";
	m->mesh = "m\"1\\";
	m->dataplane = "xfrm";
#define X(member, type, name, help) m->member = next_value();
	METRICS_HOST(X)
#undef X
#define X(member, type, name, label, help)                                                         \
	metrics_set_add(&m->member, "one", next_value());                                          \
	metrics_set_add(&m->member, "two", 0);                                                     \
	metrics_set_add(&m->member, "two", 1);
	METRICS_SETS(X)
#undef X
}

static void fill_peer(struct metrics *m, const char *id, const char *name, enum peer_state state,
		      enum peer_cause cause)
{
	struct metrics_peer *p = metrics_add_peer(m, id);

	p->name = name;
	snprintf(p->address, sizeof(p->address), "2001:db8::1");
	snprintf(p->overlay_ip, sizeof(p->overlay_ip), "10.42.2.1");
	p->state = state;
	p->cause = cause;
#define X(member, type, name, help) p->member = next_value();
	METRICS_PEER(X)
#undef X
}

static void the_page_is_as_it_was(void **state)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;
	_cleanup_free_ char *expected = NULL;
	struct metrics m;
	size_t len;

	(void)state;
	metrics_init(&m);
	fill_host(&m);
	fill_peer(&m, "h2", "up\"} 1\nsennit_healthy 0\n# TYPE x", PEER_UP, CAUSE_NONE);
	fill_peer(&m, "h3", "\033[31m\377 h\303\266st \\", PEER_DOWN, CAUSE_NO_ANSWER);
	fill_peer(&m, "h4", NULL, PEER_DEGRADED, CAUSE_PEER_DAEMON_AWAY);
	/* as a peer begins: nothing is known of it */
	metrics_add_peer(&m, "h5")->state = PEER_CONNECTING;
	metrics_write(&m, &page);
	metrics_fini(&m);
	if (getenv("REGENERATE"))
		assert_int_equal(file_write_atomic(golden, page.data, page.len, 0644), 0);
	assert_int_equal(file_read(golden, 1 << 20, &expected, &len), 0);
	assert_string_equal(strbuf_str(&page), expected);
}

static void what_is_not_known_is_absent(void **state)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;
	struct metrics m;

	(void)state;
	metrics_init(&m);
	m.version = "0.0";
	metrics_write(&m, &page);
	metrics_fini(&m);
	assert_string_equal(strbuf_str(&page), "# HELP sennit_build_info The release; always 1.\n"
					       "# TYPE sennit_build_info gauge\n"
					       "sennit_build_info{version=\"0.0\"} 1\n");
}

static void every_line_is_a_head_or_a_sample(void **state)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;
	struct metrics m;
	char *save = NULL;

	(void)state;
	metrics_init(&m);
	fill_host(&m);
	fill_peer(&m, "h2", "a\nb", PEER_UP, CAUSE_LOSS);
	metrics_write(&m, &page);
	metrics_fini(&m);
	assert_int_equal(page.data[page.len - 1], '\n');
	for (char *line = strtok_r(page.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!sn_startswith(line, "# HELP ") && !sn_startswith(line, "# TYPE ") &&
		    !sn_startswith(line, "sennit_") && !sn_startswith(line, "process_"))
			fail_msg("%s", line);
}

static void a_set_holds_no_more_than_it_can(void **state)
{
	static char names[METRICS_SET_MAX + 5][8];
	struct metrics_set set = { 0 };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(names); i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		metrics_set_add(&set, names[i], 1);
	}
	assert_int_equal(set.n, METRICS_SET_MAX);
	metrics_set_add(&set, "n0", 2);
	assert_true(set.v[0].number == 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_as_it_was),
		cmocka_unit_test(what_is_not_known_is_absent),
		cmocka_unit_test(every_line_is_a_head_or_a_sample),
		cmocka_unit_test(a_set_holds_no_more_than_it_can),
	};

	if (argc != 2)
		return 2;
	golden = argv[1];
	return cmocka_run_group_tests_name("daemon/metrics", tests, NULL, NULL);
}
