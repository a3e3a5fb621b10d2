/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "model/if_ids.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_lowest_free_number_is_given(void **state)
{
	_cleanup_if_ids_ struct if_ids ids = { 0 };

	(void)state;
	assert_true(if_ids_add(&ids, "h3", 1));
	assert_true(if_ids_add(&ids, "h1", 3));
	assert_int_equal(if_ids_give(&ids, "h2"), 2);
	assert_int_equal(if_ids_give(&ids, "h4"), 4);
	assert_int_equal(if_ids_give(&ids, "h1"), 3);
	assert_int_equal(if_ids_find(&ids, "h5"), 0);
	assert_string_equal(ids.v.v[1].peer, "h2");
	if_ids_remove(&ids, 1);
	assert_int_equal(if_ids_find(&ids, "h2"), 0);
	assert_int_equal(if_ids_give(&ids, "h5"), 2);
}

static void no_number_has_two_peers_and_no_peer_two_numbers(void **state)
{
	_cleanup_if_ids_ struct if_ids ids = { 0 };

	(void)state;
	assert_true(if_ids_add(&ids, "h1", 7));
	assert_true(if_ids_add(&ids, "h1", 7));
	assert_false(if_ids_add(&ids, "h1", 8));
	assert_false(if_ids_add(&ids, "h2", 7));
	assert_false(if_ids_add(&ids, "h2", 0));
	assert_false(if_ids_add(&ids, "h2", IF_IDS_MAX));
	assert_true(if_ids_add(&ids, "h2", IF_IDS_MAX - 1));
	assert_int_equal(ids.v.n, 2);
}

static void when_all_are_taken_there_is_none(void **state)
{
	_cleanup_if_ids_ struct if_ids ids = { 0 };

	(void)state;
	memset(ids.taken, 0xff, sizeof(ids.taken));
	assert_int_equal(if_ids_give(&ids, "h1"), 0);
	ids.taken[IF_IDS_MAX / 64 - 1] &= ~(UINT64_C(1) << 63);
	assert_int_equal(if_ids_give(&ids, "h1"), IF_IDS_MAX - 1);
	assert_int_equal(if_ids_give(&ids, "h2"), 0);
}

static void a_copy_is_its_own(void **state)
{
	_cleanup_if_ids_ struct if_ids ids = { 0 }, empty = { 0 }, a, b;

	(void)state;
	if_ids_give(&ids, "h1");
	if_ids_copy(&ids, &a);
	if_ids_copy(&empty, &b);
	assert_int_equal(if_ids_give(&a, "h2"), 2);
	assert_int_equal(if_ids_give(&b, "h2"), 1);
	assert_int_equal(ids.v.n, 1);
	assert_false(if_ids_equal(&ids, &a));
	assert_false(if_ids_equal(&ids, &b));
	if_ids_remove(&a, 1);
	assert_true(if_ids_equal(&ids, &a));
}

static void what_is_stored_is_read_again(void **state)
{
	_cleanup_if_ids_ struct if_ids ids = { 0 }, again = { 0 }, other = { 0 };
	_cleanup_json_ json_t *doc = NULL;
	struct sn_error e;

	(void)state;
	if_ids_give(&ids, "h1");
	if_ids_add(&ids, "h9", 9);
	doc = if_ids_to_json(&ids, "m1");
	/* what links have stands against the file */
	assert_true(if_ids_add(&again, "h2", 1));
	assert_int_equal(if_ids_from_json(doc, "m1", &again, &e), 0);
	assert_int_equal(if_ids_find(&again, "h1"), 0);
	assert_int_equal(if_ids_find(&again, "h2"), 1);
	assert_int_equal(if_ids_find(&again, "h9"), 9);
	assert_int_equal(if_ids_from_json(doc, "m2", &other, &e), 0);
	assert_int_equal(other.v.n, 0);
}

static void a_wrong_file_is_refused_whole(void **state)
{
	static const char *const wrong[] = {
		"[]",
		"{}",
		"{\"sennit_if_ids\": 2, \"mesh\": \"m1\", \"peers\": {}}",
		"{\"sennit_if_ids\": 1, \"mesh\": \"m1\"}",
		"{\"sennit_if_ids\": 1, \"mesh\": \"m1\", \"peers\": {\"h1\": 1, \"h2\": 1}}",
		"{\"sennit_if_ids\": 1, \"mesh\": \"m1\", \"peers\": {\"h1\": 1, \"h2\": 0}}",
		"{\"sennit_if_ids\": 1, \"mesh\": \"m1\", \"peers\": {\"h1\": 1, \"h2\": 65536}}",
		"{\"sennit_if_ids\": 1, \"mesh\": \"m1\", \"peers\": {\"h1\": 1, \"h2\": \"2\"}}",
		"{\"sennit_if_ids\": 1, \"mesh\": \"m1\", \"peers\": {\"h1\": 1, \"a b\": 2}}",
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(wrong); i++) {
		_cleanup_if_ids_ struct if_ids ids = { 0 };
		_cleanup_json_ json_t *doc = NULL;
		struct sn_error e = { 0 };

		assert_int_equal(json_parse(wrong[i], strlen(wrong[i]), &doc, &e), 0);
		assert_int_equal(if_ids_from_json(doc, "m1", &ids, &e), -EINVAL);
		assert_true(e.text[0]);
		assert_int_equal(ids.v.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_free_number_is_given),
		cmocka_unit_test(no_number_has_two_peers_and_no_peer_two_numbers),
		cmocka_unit_test(when_all_are_taken_there_is_none),
		cmocka_unit_test(a_copy_is_its_own),
		cmocka_unit_test(what_is_stored_is_read_again),
		cmocka_unit_test(a_wrong_file_is_refused_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
