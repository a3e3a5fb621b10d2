/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/snapshot.h"

#include "model_test.h"

static struct sn_addr addr(const char *s)
{
	struct sn_addr a = { 0 };

	if (s)
		assert_int_equal(sn_addr_parse(s, &a), 0);
	return a;
}

static struct snapshot *mesh(const char *overlay)
{
	struct snapshot *s = snapshot_new();
	struct sn_prefix overlay_of;

	strcpy(s->mesh_id, "m");
	strcpy(s->self_id, "a");
	assert_int_equal(sn_prefix_parse(overlay, &overlay_of), 0);
	sn_prefix_pair_put(&s->overlay, &overlay_of);
	return s;
}

static struct host *add(struct snapshot *s, const char *id, const char *underlay,
			const char *prefix)
{
	struct host *h = snapshot_add_host(s, id);

	if (underlay)
		*array_add(&h->underlay) = addr(underlay);
	if (prefix)
		assert_int_equal(sn_prefix_parse(prefix, array_add(&h->prefixes)), 0);
	return h;
}

static void finish_after(struct snapshot *s, const struct snapshot *before)
{
	struct sn_error e;

	if (snapshot_finish(s, before, &e) < 0)
		fail_msg("%s", e.text);
}

static struct snapshot *two(const char *prefix_a, const char *prefix_b,
			    const struct snapshot *before)
{
	struct snapshot *s = mesh("10.42.0.0/16");

	add(s, "b", "192.0.2.2", prefix_b);
	add(s, "a", "192.0.2.1", prefix_a);
	finish_after(s, before);
	return s;
}

static void host_ids_are_short_and_plain(void **state)
{
	static const char *const good[] = {
		"a", "0", "A.b_c-9",
		"x12345678901234567890123456789012345678901234567890123456789012"
	};
	static const char *const bad[] = {
		"",         ".",
		"-a",       "_a",
		"%any",     "*",
		"a b",      "a/b",
		"a\n",      "a\x1b",
		"\xc3\xa9", "0.0.0.0/0",
		"a:b",      "a=b",
		"@a",       "x123456789012345678901234567890123456789012345678901234567890123"
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(good); i++)
		assert_true(host_id_valid(good[i]));
	for (size_t i = 0; i < SN_ARRAY_SIZE(bad); i++)
		assert_false(host_id_valid(bad[i]));
}

static void hosts_are_sorted_and_complete(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = two("10.42.1.0/24", "10.42.2.0/24", NULL);

	(void)state;
	assert_string_equal(s->hosts.v[0].id, "a");
	assert_string_equal(s->hosts.v[0].name, "a");
	assert_string_equal(overlay_ip_of(s, "b"), "10.42.2.1");
	assert_ptr_equal(snapshot_self(s), &s->hosts.v[0]);
	assert_int_equal(s->problems.n, 0);
}

static void overlays_out_of_bounds_are_refused(void **state)
{
	static const struct {
		const char *overlay, *error;
	} rows[] = {
		{ "0.0.0.0/0", "too wide" },
		{ "10.0.0.0/7", "too wide" },
		{ "::/0", "too wide" },
		{ "fd00::/31", "too wide" },
		{ "10.0.0.0/8", NULL },
		{ "fd00::/32", NULL },
		{ "192.0.2.0/24", "contains 192.0.2.1, the underlay address of host a" },
		{ "127.0.0.0/8", "loopback" },
		{ "224.0.0.0/8", "unicast" },
		{ "0.0.0.0/8", "0.0.0.0" },
		{ "ff02::/64", "multicast" },
		{ "fe80::/64", "link-local" },
		{ "10.42.7.7/16", NULL },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = mesh(rows[i].overlay);
		struct sn_error e = { 0 };

		add(s, "a", "192.0.2.1", NULL);
		assert_int_equal(snapshot_finish(s, NULL, &e), rows[i].error ? -EINVAL : 0);
		if (rows[i].error)
			assert_contains(e.text, rows[i].error);
		if (rows[i].error)
			assert_contains(e.text, "/overlay: ");
	}
}

static void an_overlay_that_comes_over_a_known_host_is_refused(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = mesh("10.42.0.0/16"),
						  *s = mesh("10.0.0.0/8");
	_cleanup_(snapshot_freep) struct snapshot *alone = mesh("10.0.0.0/8");
	struct sn_error e;

	(void)state;
	add(before, "a", "192.0.2.1", NULL);
	add(before, "b", "10.9.9.9", NULL);
	finish_after(before, NULL);
	add(s, "a", "192.0.2.1", NULL);
	add(s, "b", "10.9.9.9", NULL);
	assert_int_equal(snapshot_finish(s, before, &e), -EINVAL);
	assert_contains(e.text, "10.0.0.0/8 contains 10.9.9.9, the underlay address of host b");
	/* where nobody was first it is the host that is wrong, alone */
	add(alone, "a", "192.0.2.1", NULL);
	add(alone, "b", "10.9.9.9", NULL);
	finish_after(alone, NULL);
	assert_null(snapshot_find(alone, "b"));
	assert_contains(problem_at(alone, "/hosts/1/addresses/0"), "lies inside the overlay");
}

static void without_hosts_or_self_it_is_refused(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *empty = mesh("10.42.0.0/16"),
						  *other = mesh("10.42.0.0/16");
	struct sn_error e;

	(void)state;
	assert_int_equal(snapshot_finish(empty, NULL, &e), -EINVAL);
	assert_contains(e.text, "there is no host");
	add(other, "b", "192.0.2.2", NULL);
	assert_int_equal(snapshot_finish(other, NULL, &e), -EINVAL);
	assert_contains(e.text, "our own host, a, is not among the 1 hosts");
}

struct rival {
	const char *id;
	enum host_state state;
	int64_t created_ms;
};

static struct snapshot *rivals(const struct rival *one, const struct rival *other, const char *self,
			       const struct snapshot *before)
{
	struct snapshot *s = mesh("10.42.0.0/16");
	const struct rival *both[] = { one, other };

	strcpy(s->self_id, self);
	add(s, "self", "192.0.2.1", NULL);
	for (size_t i = 0; i < 2; i++) {
		struct host *h = add(s, both[i]->id, "192.0.2.9", "10.42.9.0/24");

		h->state = both[i]->state;
		h->created_ms = both[i]->created_ms;
	}
	finish_after(s, before);
	return s;
}

static void of_two_hosts_with_one_address_the_better_wins(void **state)
{
	static const enum host_state states[] = { HOST_ACTIVE, HOST_INACTIVE, HOST_RECONNECTING,
						  HOST_DISCONNECTED };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(states); i++) {
		for (size_t j = 0; j < SN_ARRAY_SIZE(states); j++) {
			struct rival x = { "x", states[i], 0 }, y = { "y", states[j], 0 };
			/* x wins by being active; when that does not decide, y by its greater id */
			bool x_wins = states[i] == HOST_ACTIVE && states[j] != HOST_ACTIVE;
			_cleanup_(snapshot_freep) struct snapshot *s = rivals(&x, &y, "self", NULL);
			_cleanup_(snapshot_freep) struct snapshot *t = rivals(&y, &x, "self", NULL);

			assert_string_equal(state_of(s, x_wins ? "y" : "x"),
					    x_wins ? "gone by x" : "gone by y");
			assert_string_equal(prefixes_of(s, x_wins ? "x" : "y"), "10.42.9.0/24");
			assert_string_equal(prefixes_of(s, x_wins ? "y" : "x"), "");
			assert_int_equal(s->problems.n, 0);
			assert_true(snapshot_equal(s, t));
		}
	}
}

static void the_newer_wins_then_the_unknown_one_then_it_stays_so(void **state)
{
	struct rival old_y = { "y", HOST_ACTIVE, 5 }, new_x = { "x", HOST_ACTIVE, 6 };
	struct rival x = { "x", HOST_ACTIVE, 0 }, y = { "y", HOST_ACTIVE, 0 };
	_cleanup_(snapshot_freep) struct snapshot *by_time = rivals(&old_y, &new_x, "self", NULL);
	_cleanup_(snapshot_freep) struct snapshot *before = mesh("10.42.0.0/16");
	_cleanup_(snapshot_freep) struct snapshot *second = NULL, *third = NULL;

	(void)state;
	assert_string_equal(state_of(by_time, "y"), "gone by x");
	add(before, "self", "192.0.2.1", NULL);
	add(before, "y", "192.0.2.9", NULL);
	strcpy(before->self_id, "self");
	finish_after(before, NULL);
	second = rivals(&x, &y, "self", before);
	assert_string_equal(state_of(second, "y"), "gone by x");
	/* before has both now; it must not flap to the greater id */
	third = rivals(&x, &y, "self", second);
	assert_string_equal(state_of(third, "y"), "gone by x");
	assert_true(snapshot_equal(second, third));
}

static void self_wins_over_any_other_of_its_address(void **state)
{
	struct rival x = { "x", HOST_DISCONNECTED, 0 }, y = { "y", HOST_ACTIVE, 9 };
	_cleanup_(snapshot_freep) struct snapshot *s = rivals(&x, &y, "x", NULL);

	(void)state;
	assert_string_equal(state_of(s, "y"), "gone by x");
	assert_string_equal(state_of(s, "x"), "disconnected");
}

static struct snapshot *at(const char *a, const char *b, const char *c,
			   const struct snapshot *before)
{
	struct snapshot *s = mesh("10.42.0.0/16");

	add(s, "a", a, "10.42.1.0/24");
	add(s, "b", b, "10.42.2.0/24");
	add(s, "c", c, "10.42.3.0/24");
	finish_after(s, before);
	return s;
}

/* Valid until the next call. */
static const char *address_of(const struct snapshot *s, const char *id)
{
	static char text[SN_ADDR_STRLEN];

	return sn_addr_format(&snapshot_find(s, id)->underlay.v[0], text);
}

/* a is self; b comes to the address of another host that is still there. */
static void who_comes_to_anothers_address_keeps_its_own(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before =
		at("192.0.2.1", "192.0.2.2", "192.0.2.3", NULL);
	_cleanup_(snapshot_freep) struct snapshot *ours =
		at("192.0.2.1", "192.0.2.1", "192.0.2.3", before);
	_cleanup_(snapshot_freep) struct snapshot *theirs =
		at("192.0.2.1", "192.0.2.3", "192.0.2.3", before);
	_cleanup_(snapshot_freep) struct snapshot *self =
		at("192.0.2.2", "192.0.2.2", "192.0.2.3", before);
	_cleanup_(snapshot_freep) struct snapshot *swapped =
		at("192.0.2.1", "192.0.2.3", "192.0.2.2", before);

	(void)state;
	assert_string_equal(state_of(ours, "b"), "active");
	assert_string_equal(address_of(ours, "b"), "192.0.2.2");
	assert_string_equal(prefixes_of(ours, "b"), "10.42.2.0/24");
	assert_contains(problem_at(ours, "/hosts/1/addresses/0"),
			"192.0.2.1 is the address of host a already; host b keeps");
	assert_string_equal(address_of(theirs, "b"), "192.0.2.2");
	assert_string_equal(state_of(theirs, "c"), "active");
	assert_string_equal(address_of(self, "a"), "192.0.2.1");
	assert_string_equal(state_of(self, "b"), "active");
	assert_string_equal(address_of(swapped, "b"), "192.0.2.3");
	assert_string_equal(address_of(swapped, "c"), "192.0.2.2");
	assert_int_equal(swapped->problems.n, 0);
}

static void the_address_of_a_host_that_is_away_may_be_taken(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before =
		at("192.0.2.1", "192.0.2.2", "192.0.2.3", NULL);
	_cleanup_(snapshot_freep) struct snapshot *s = mesh("10.42.0.0/16");

	(void)state;
	add(s, "a", "192.0.2.1", "10.42.1.0/24");
	add(s, "b", "192.0.2.3", "10.42.2.0/24");
	add(s, "c", "192.0.2.3", "10.42.3.0/24")->state = HOST_DISCONNECTED;
	finish_after(s, before);
	assert_string_equal(address_of(s, "b"), "192.0.2.3");
	assert_string_equal(state_of(s, "c"), "gone by b");
}

static void an_overlay_around_nothing_that_is_there_is_refused(void **state)
{
	static const char *const overlays[] = { "172.30.0.0/16", "10.42.1.0/24", "fd00::/64" };
	_cleanup_(snapshot_freep) struct snapshot *before =
		two("10.42.1.0/24", "10.42.2.0/24", NULL);
	_cleanup_(snapshot_freep) struct snapshot *moved = mesh("10.50.0.0/16");

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(overlays); i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = mesh(overlays[i]);
		struct sn_error e;

		add(s, "a", "192.0.2.1", "10.42.1.0/24");
		add(s, "b", "192.0.2.2", "10.42.2.0/24");
		assert_int_equal(snapshot_finish(s, before, &e), -EINVAL);
		assert_contains(e.text, "leaves out 10.42.");
		assert_contains(e.text, "/overlay: ");
	}
	/* with all its hosts it may move */
	add(moved, "a", "192.0.2.1", "10.50.1.0/24");
	add(moved, "b", "192.0.2.2", "10.50.2.0/24");
	finish_after(moved, before);
	assert_string_equal(prefixes_of(moved, "b"), "10.50.2.0/24");
	assert_int_equal(moved->problems.n, 0);
}

static void a_mesh_without_prefixes_is_none(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = two("10.42.1.0/24", NULL, NULL);
	_cleanup_(snapshot_freep) struct snapshot *one = two(NULL, "10.42.2.0/24", before);
	_cleanup_(snapshot_freep) struct snapshot *first = two(NULL, NULL, NULL);
	_cleanup_(snapshot_freep) struct snapshot *s = mesh("10.42.0.0/16");
	struct sn_error e;

	(void)state;
	assert_string_equal(prefixes_of(one, "a"), "");
	assert_string_equal(prefixes_of(first, "a"), "");
	add(s, "a", "192.0.2.1", NULL);
	add(s, "b", "192.0.2.2", NULL);
	assert_int_equal(snapshot_finish(s, before, &e), -EINVAL);
	assert_contains(e.text, "no host has a prefix any more");
}

static void the_holder_keeps_a_prefix(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = two(NULL, "10.42.2.0/24", NULL);
	_cleanup_(snapshot_freep) struct snapshot *same =
		two("10.42.2.0/24", "10.42.2.0/24", before);
	_cleanup_(snapshot_freep) struct snapshot *wider =
		two("10.42.0.0/22", "10.42.2.0/24", before);
	_cleanup_(snapshot_freep) struct snapshot *inside =
		two("10.42.2.64/26", "10.42.2.0/24", before);
	_cleanup_(snapshot_freep) struct snapshot *given = two("10.42.2.0/24", NULL, before);

	(void)state;
	assert_string_equal(prefixes_of(same, "a"), "");
	assert_string_equal(prefixes_of(same, "b"), "10.42.2.0/24");
	assert_contains(problem_at(same, "/hosts/1/prefixes/0"), "which had it first");
	assert_string_equal(prefixes_of(wider, "a"), "");
	assert_string_equal(prefixes_of(inside, "a"), "");
	assert_string_equal(prefixes_of(given, "a"), "10.42.2.0/24");
}

static void without_a_holder_our_own_then_the_smaller_id_wins(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = mesh("10.42.0.0/16");

	(void)state;
	strcpy(s->self_id, "z");
	add(s, "z", "192.0.2.26", "10.42.1.0/24");
	add(s, "b", "192.0.2.2", "10.42.1.0/24");
	add(s, "d", "192.0.2.4", "10.42.2.0/24");
	add(s, "c", "192.0.2.3", "10.42.2.0/24");
	finish_after(s, NULL);
	assert_string_equal(prefixes_of(s, "z"), "10.42.1.0/24");
	assert_string_equal(prefixes_of(s, "b"), "");
	assert_string_equal(prefixes_of(s, "c"), "10.42.2.0/24");
	assert_string_equal(prefixes_of(s, "d"), "");
	assert_contains(problem_at(s, "/hosts/1/prefixes/0"), "which is our own");
	assert_contains(problem_at(s, "/hosts/2/prefixes/0"), "of host c, which keeps it");
}

static void a_refused_move_leaves_the_host_where_it_was(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before =
		two("10.42.1.0/24", "10.42.2.0/24", NULL);
	/* b reaches for a's; and another takes what b seems to have left */
	_cleanup_(snapshot_freep) struct snapshot *s = mesh("10.42.0.0/16");

	(void)state;
	add(s, "a", "192.0.2.1", "10.42.1.0/24");
	add(s, "b", "192.0.2.2", "10.42.1.0/25");
	add(s, "c", "192.0.2.3", "10.42.2.0/24");
	finish_after(s, before);
	assert_string_equal(prefixes_of(s, "a"), "10.42.1.0/24");
	assert_string_equal(prefixes_of(s, "b"), "10.42.2.0/24");
	assert_string_equal(prefixes_of(s, "c"), "");
	assert_int_equal(s->problems.n, 2);
}

static void what_another_mesh_held_does_not_count(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *before = two(NULL, "10.42.2.0/24", NULL);
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;

	(void)state;
	strcpy(before->mesh_id, "other");
	s = two("10.42.2.0/24", "10.42.2.0/24", before);
	assert_string_equal(prefixes_of(s, "a"), "10.42.2.0/24");
}

static void prefixes_of_one_host_are_merged(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = mesh("10.42.0.0/16");
	struct host *h = add(s, "a", "192.0.2.1", "10.42.9.1/32");

	(void)state;
	sn_prefix_parse("10.42.1.0/24", array_add(&h->prefixes));
	sn_prefix_parse("10.42.1.128/25", array_add(&h->prefixes));
	sn_prefix_parse("10.42.1.7/32", array_add(&h->prefixes));
	sn_prefix_parse("10.42.1.0/24", array_add(&h->prefixes));
	finish_after(s, NULL);
	assert_string_equal(prefixes_of(s, "a"), "10.42.1.0/24 10.42.9.1/32");
	assert_int_equal(s->problems.n, 0);
}

static void an_ipv6_overlay_works_alike(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = mesh("fd42::/48");

	(void)state;
	add(s, "a", "2001:db8::1", "fd42:0:0:1::/64");
	add(s, "b", "2001:db8::2", "fd42:0:0:1::7/128");
	add(s, "c", "2001:db8::3", "fd42:0:0:3::/64");
	finish_after(s, NULL);
	assert_string_equal(prefixes_of(s, "a"), "fd42:0:0:1::/64");
	assert_string_equal(prefixes_of(s, "b"), "");
	assert_string_equal(overlay_ip_of(s, "c"), "fd42:0:0:3::1");
	assert_contains(problem_at(s, "/hosts/1/prefixes/0"), "overlaps with fd42:0:0:1::/64");
}

static void overlay_ips_are_usable_and_own(void **state)
{
	static const struct {
		const char *given, *expected;
	} rows[] = {
		{ NULL, "10.42.1.1" },        { "10.42.1.9", "10.42.1.9" },
		{ "10.42.1.0", "10.42.1.1" }, { "10.42.1.255", "10.42.1.1" },
		{ "10.42.2.1", "10.42.1.1" }, { "192.0.2.1", "10.42.1.1" },
		{ "fd00::1", "10.42.1.1" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = mesh("10.42.0.0/16");

		add(s, "a", "192.0.2.1", "10.42.1.0/24")->overlay_ip.of[0] = addr(rows[i].given);
		finish_after(s, NULL);
		assert_string_equal(overlay_ip_of(s, "a"), rows[i].expected);
		assert_int_equal(s->problems.n,
				 rows[i].given && !streq(rows[i].given, rows[i].expected));
	}
}

static struct snapshot *round_trip(const struct snapshot *s)
{
	_cleanup_json_ json_t *v = snapshot_to_json(s);
	_cleanup_free_ char *text = json_dumps(v, 0);
	_cleanup_json_ json_t *again = NULL;
	struct snapshot *ret = NULL;
	struct sn_error e;

	assert_non_null(text);
	assert_int_equal(json_parse(text, strlen(text), &again, &e), 0);
	if (snapshot_from_json(again, &ret, &e) < 0)
		fail_msg("%s", e.text);
	return ret;
}

static void the_stored_form_gives_the_same_snapshot_back(void **state)
{
	struct rival x = { "x", HOST_ACTIVE, 7 }, y = { "y", HOST_RECONNECTING, 0 };
	_cleanup_(snapshot_freep) struct snapshot *s = rivals(&x, &y, "self", NULL), *t = NULL;

	(void)state;
	snapshot_add_problem(s, "/hosts/7/a~1b", "found \xc3\xa9, %s", "expected e");
	free(s->revision);
	s->revision = xstrdup("r1");
	t = round_trip(s);
	assert_true(snapshot_equal(s, t));
	assert_string_equal(t->revision, "r1");
	assert_string_equal(t->source, s->source);
	assert_string_equal(problem_at(t, "/hosts/7/a~1b"), "found \xc3\xa9, expected e");
	assert_string_equal(state_of(t, "y"), "gone by x");
}

static void texts_are_cut_at_whole_characters(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = two(NULL, NULL, NULL), *t = NULL;
	char text[600];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[598] = '\0';
	snapshot_add_problem(s, "/x", "%s", text);
	snapshot_add_problem(s, "/y", "-%s", text);
	t = round_trip(s);
	assert_int_equal(t->problems.n, 2);
	assert_true(strlen(problem_at(t, "/x")) >= 508);
}

static void a_stored_form_that_was_changed_is_refused(void **state)
{
#define STORED(version, self, hosts)                                                               \
	"{'sennit_snapshot': " version ", 'mesh': 'm', 'name': 'm', 'overlay': '10.42.0.0/16', "   \
	"'self': '" self "', 'revision': 'r', 'source': 's', 'hosts': [" hosts                     \
	"], 'problems': []}"
#define STORED_HOST(id, state, address, prefix)                                                    \
	"{'id': '" id "', 'name': 'n', 'state': '" state                                           \
	"', 'created_ms': 0, 'addresses': ['" address "'], 'prefixes': ['" prefix "']}"
#define STORED_A STORED_HOST("a", "active", "192.0.2.1", "10.42.1.0/24")
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ STORED("1", "a", STORED_A), NULL },
		{ "[]", "/: not an object" },
		{ "{}", "/sennit_snapshot: is missing" },
		{ STORED("2", "a", STORED_A), "/sennit_snapshot: not between 1 and 1" },
		{ STORED("1", "%any", STORED_A), "/self: '%any' is not an id" },
		{ STORED("1", "b", STORED_A), "our own host, b, is not among" },
		{ STORED("1", "a", ""), "there is no host" },
		{ STORED("1", "a", "7"), "/hosts/0: not an object" },
		{ STORED("1", "a", STORED_A "," STORED_A), "/hosts/1/id: a is the id of /hosts/0" },
		{ STORED("1", "a",
			 STORED_A "," STORED_HOST("b", "up", "192.0.2.2", "10.42.2.0/24")),
		  "/hosts/1/state: 'up' is not a state" },
		{ STORED("1", "a",
			 STORED_A "," STORED_HOST("b", "gone", "192.0.2.2", "10.42.2.0/24")),
		  "/hosts/1/replaced_by: is missing" },
		{ STORED("1", "a", STORED_A "," STORED_HOST("b", "active", "x", "10.42.2.0/24")),
		  "/hosts/1/addresses/0: not an IP address" },
		{ STORED("1", "a", STORED_A "," STORED_HOST("b", "active", "192.0.2.2", "x")),
		  "/hosts/1/prefixes/0: not an IP prefix" },
		{ STORED("1", "a",
			 STORED_A "," STORED_HOST("b", "active", "192.0.2.2", "10.42.1.0/25")),
		  "/hosts/1/prefixes/0: 10.42.1.0/25 of host b overlaps" },
		{ STORED("1", "a",
			 STORED_A "," STORED_HOST("*", "active", "192.0.2.2", "10.42.2.0/24")),
		  "/hosts/1/id: '*' is not an id" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *v = json_of(rows[i].text);
		_cleanup_(snapshot_freep) struct snapshot *s = NULL;
		struct sn_error e = { 0 };

		assert_int_equal(snapshot_from_json(v, &s, &e), rows[i].error ? -EINVAL : 0);
		if (rows[i].error)
			assert_contains(e.text, rows[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_ids_are_short_and_plain),
		cmocka_unit_test(hosts_are_sorted_and_complete),
		cmocka_unit_test(overlays_out_of_bounds_are_refused),
		cmocka_unit_test(an_overlay_that_comes_over_a_known_host_is_refused),
		cmocka_unit_test(without_hosts_or_self_it_is_refused),
		cmocka_unit_test(of_two_hosts_with_one_address_the_better_wins),
		cmocka_unit_test(the_newer_wins_then_the_unknown_one_then_it_stays_so),
		cmocka_unit_test(self_wins_over_any_other_of_its_address),
		cmocka_unit_test(who_comes_to_anothers_address_keeps_its_own),
		cmocka_unit_test(the_address_of_a_host_that_is_away_may_be_taken),
		cmocka_unit_test(an_overlay_around_nothing_that_is_there_is_refused),
		cmocka_unit_test(a_mesh_without_prefixes_is_none),
		cmocka_unit_test(the_holder_keeps_a_prefix),
		cmocka_unit_test(without_a_holder_our_own_then_the_smaller_id_wins),
		cmocka_unit_test(a_refused_move_leaves_the_host_where_it_was),
		cmocka_unit_test(what_another_mesh_held_does_not_count),
		cmocka_unit_test(prefixes_of_one_host_are_merged),
		cmocka_unit_test(an_ipv6_overlay_works_alike),
		cmocka_unit_test(overlay_ips_are_usable_and_own),
		cmocka_unit_test(the_stored_form_gives_the_same_snapshot_back),
		cmocka_unit_test(texts_are_cut_at_whole_characters),
		cmocka_unit_test(a_stored_form_that_was_changed_is_refused),
	};

	return cmocka_run_group_tests_name("model/snapshot", tests, NULL, NULL);
}
