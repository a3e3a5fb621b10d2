/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/arrivals.h"
#include "ike/sa.h"
#include "recorded.h"

#include <errno.h>

static void reads_the_initiators_sa(void **state)
{
	_cleanup_(vici_tree_freep) struct vici_node *item = recorded("list-sa-initiator");
	struct ike_sa sa;

	(void)state;
	assert_int_equal(sa_parse(item, &sa), 0);
	assert_string_equal(sa.peer, "h2");
	assert_int_equal(sa.unique_id, 1);
	assert_int_equal(sa.state, IKE_SA_ESTABLISHED);
	assert_true(sa.initiator);
	assert_true(sa.spi_i == 0x6e84fb204a6e467e && sa.spi_r == 0x3f756a1dfceb9894);
	assert_int_equal(sa.age_s, 2);
	assert_int_equal(sa.rekey_in_s, 4);
	assert_string_equal(SN_ADDR_STR(&sa.remote), "192.168.77.2");
	assert_int_equal(sa.remote_port, 4500);
	assert_int_equal(sa.children.n, 1);
	assert_string_equal(sa.children.v[0].name, "net-109e4b1d4c6a7432");
	assert_true(sa.children.v[0].installed && !sa.children.v[0].rekeying);
	assert_int_equal(sa.children.v[0].spi_in, 0xa67ae1c9);
	assert_int_equal(sa.children.v[0].spi_out, 0x34c20294);
	sa_fini(&sa);
}

static void a_rekeyed_child_is_not_installed(void **state)
{
	_cleanup_(vici_tree_freep) struct vici_node *item = recorded("list-sa-responder-rekeyed");
	struct ike_sa sa;

	(void)state;
	assert_int_equal(sa_parse(item, &sa), 0);
	assert_string_equal(sa.peer, "h1");
	assert_false(sa.initiator);
	assert_int_equal(sa.children.n, 2);
	assert_false(sa.children.v[0].installed);
	assert_true(sa.children.v[1].installed);
	assert_int_equal(sa.children.v[1].unique_id, 2);
	sa_fini(&sa);
}

/* An item with one SA of this name and state, and a child of that state. */
static struct vici_node *item(const char *name, const char *state, const char *child_state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	vici_add_section(&w, name);
	vici_add(&w, "uniqueid", "7");
	if (state)
		vici_add(&w, "state", "%s", state);
	vici_add(&w, "remote-host", "%%any");
	vici_add(&w, "rekey-time", "-3");
	vici_add_section(&w, "child-sas");
	vici_add_section(&w, "net-1");
	vici_add(&w, "name", "a name that is longer than any of ours");
	vici_add(&w, "state", "%s", child_state);
	vici_end_section(&w);
	vici_end_section(&w);
	vici_end_section(&w);
	return reread(&w);
}

static void reads_every_state(void **state)
{
	static const struct {
		const char *text;
		enum ike_sa_state state;
	} states[] = {
		{ "CREATED", IKE_SA_CONNECTING },      { "CONNECTING", IKE_SA_CONNECTING },
		{ "ESTABLISHED", IKE_SA_ESTABLISHED }, { "REKEYING", IKE_SA_REKEYING },
		{ "REKEYED", IKE_SA_DELETING },        { "DELETING", IKE_SA_DELETING },
		{ "DESTROYING", IKE_SA_DELETING },     { "PASSIVE", IKE_SA_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(states); i++) {
		_cleanup_(vici_tree_freep) struct vici_node *root =
			item("sennit-h2", states[i].text, "REKEYING");
		struct ike_sa sa;

		assert_int_equal(sa_parse(root, &sa), 0);
		assert_int_equal(sa.state, states[i].state);
		assert_int_equal(sa.age_s, -1);
		assert_int_equal(sa.rekey_in_s, 0);
		assert_false(sn_addr_is_set(&sa.remote));
		assert_true(sa.children.v[0].installed && sa.children.v[0].rekeying);
		sa_fini(&sa);
	}
}

static void leaves_what_is_not_ours(void **state)
{
	static const char *const names[] = { "(unnamed)", "other-h2", "sennit-", "sennit-a b",
					     "sennit-*" };
	struct ike_sa sa;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(names); i++) {
		_cleanup_(vici_tree_freep) struct vici_node *root =
			item(names[i], "ESTABLISHED", "INSTALLED");

		assert_int_equal(sa_parse(root, &sa), -ENOENT);
		assert_null(sa_event_peer(root));
	}
	_cleanup_(vici_tree_freep) struct vici_node *torn = item("sennit-h2", NULL, "INSTALLED");

	assert_int_equal(sa_parse(torn, &sa), -EBADMSG);
	assert_string_equal(sa_event_peer(torn), "h2");
}

static void counters_are_no_change(void **state)
{
	_cleanup_(vici_tree_freep) struct vici_node *root = recorded("list-sa-initiator");
	struct ike_sa a, b;

	(void)state;
	assert_int_equal(sa_parse(root, &a), 0);
	assert_int_equal(sa_parse(root, &b), 0);
	b.age_s++;
	b.children.v[0].bytes_in++;
	assert_true(sa_same(&a, &b));
	b.children.v[0].rekeying = true;
	assert_false(sa_same(&a, &b));
	b.children.v[0].rekeying = false;
	b.state = IKE_SA_DELETING;
	assert_false(sa_same(&a, &b));
	sa_fini(&a);
	sa_fini(&b);
}

static void finds_the_words_of_a_failure(void **state)
{
	static const struct {
		const char *name, *msg;
		bool failure;
	} lines[] = {
		{ "sennit-h2", "received AUTHENTICATION_FAILED notify error", true },
		{ "sennit-h2", "received NO_PROPOSAL_CHOSEN notify error", true },
		{ "sennit-h2", "received TS_UNACCEPTABLE notify, no CHILD_SA built", true },
		{ "sennit-h2", "no shared key found for 'h1' - 'h2'", true },
		{ "sennit-h2", "tried 1 shared key for 'h1' - 'h2', but MAC mismatched", true },
		{ "sennit-h2", "giving up after 3 retransmits", true },
		{ "sennit-h2", "sending keep alive to 10.0.0.2[4500]", false },
		{ "sennit-h2", "received DELETE for IKE_SA sennit-h2[1]", false },
		{ "(unnamed)", "no matching peer config found", false },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(lines); i++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };
		_cleanup_(vici_tree_freep) struct vici_node *event = NULL;
		const char *peer = NULL, *words;

		vici_add(&w, "group", "IKE");
		vici_add(&w, "ikesa-name", "%s", lines[i].name);
		vici_add(&w, "msg", "%s", lines[i].msg);
		event = reread(&w);
		words = sa_failure(event, &peer);
		assert_int_equal(words != NULL, lines[i].failure);
		if (words) {
			assert_string_equal(words, lines[i].msg);
			assert_string_equal(peer, "h2");
		}
	}
}

static void finds_a_probe_that_arrived(void **state)
{
	static const struct {
		const char *msg, *from;
	} lines[] = {
		/* recorded: charon 5.9.8 */
		{ "received unsupported IKE version 3.0 from 192.0.2.11, sending "
		  "INVALID_MAJOR_VERSION",
		  "192.0.2.11" },
		{ "received unsupported IKE version 3.0 from 2001:db8::1, sending "
		  "INVALID_MAJOR_VERSION",
		  "2001:db8::1" },
		{ "received unsupported IKE version 3.0 from 192.0.2.11", "192.0.2.11" },
		{ "received unsupported IKE version 3.0 from h2, sending INVALID_MAJOR_VERSION",
		  NULL },
		{ "received unsupported IKE version 3.0", NULL },
		{ "received packet: from 192.0.2.11[500] to 192.0.2.12[500] (28 bytes)", NULL },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(lines); i++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };
		_cleanup_(vici_tree_freep) struct vici_node *event = NULL;
		struct sn_addr from = { 0 };

		vici_add(&w, "group", "NET");
		vici_add(&w, "msg", "%s", lines[i].msg);
		event = reread(&w);
		assert_int_equal(sa_probe(event, &from), lines[i].from != NULL);
		if (lines[i].from)
			assert_string_equal(SN_ADDR_STR(&from), lines[i].from);
	}
}

static void arrivals_are_counted_by_address(void **state)
{
	struct arrivals a = { 0 };
	struct sn_addr from = { .family = AF_INET };

	(void)state;
	for (int i = 0; i < ARRIVALS_MAX; i++) {
		from.bytes[3] = (uint8_t)i;
		arrivals_note(&a, &from, 100 + i);
	}
	from.bytes[3] = 0;
	arrivals_note(&a, &from, 1000);
	assert_int_equal(a.n, ARRIVALS_MAX);
	assert_true(a.v[0].count == 2 && a.v[0].last_ms == 1000);
	/* a new one takes the place of who was silent for longest: not the first any more */
	from.bytes[3] = 200;
	arrivals_note(&a, &from, 1001);
	assert_int_equal(a.n, ARRIVALS_MAX);
	assert_true(a.v[0].count == 2 && a.v[1].from.bytes[3] == 200 && a.v[1].count == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_initiators_sa),
		cmocka_unit_test(a_rekeyed_child_is_not_installed),
		cmocka_unit_test(reads_every_state),
		cmocka_unit_test(leaves_what_is_not_ours),
		cmocka_unit_test(counters_are_no_change),
		cmocka_unit_test(finds_the_words_of_a_failure),
		cmocka_unit_test(finds_a_probe_that_arrived),
		cmocka_unit_test(arrivals_are_counted_by_address),
	};

	return cmocka_run_group_tests_name("ike/sa", tests, NULL, NULL);
}
