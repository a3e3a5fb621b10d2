/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/conn.h"
#include "recorded.h"

#include <errno.h>
#include <stdio.h>

static struct sn_prefix prefix(const char *text)
{
	struct sn_prefix p;

	assert_int_equal(sn_prefix_parse(text, &p), 0);
	return p;
}

/* The connection of the recorded list-conn; rekey times of 6 and 3 seconds. */
static void make_conn(struct object *o)
{
	struct object_ike_conn *c;

	object_init(o, OBJECT_IKE_CONN);
	c = o->conn;
	snprintf(c->name, sizeof(c->name), "sennit-h2");
	snprintf(c->peer, sizeof(c->peer), "h2");
	snprintf(c->self, sizeof(c->self), "h1");
	sn_addr_parse("192.168.77.1", &c->local_addr);
	sn_addr_parse("192.168.77.2", &c->remote_addr);
	*array_add(&c->local_ts) = prefix("10.42.1.0/24");
	*array_add(&c->remote_ts) = prefix("10.42.2.0/24");
	c->owner = true;
	c->encap = true;
	c->replay_window = 128;
	c->ike_rekey_s = 6;
	c->child_rekey_s = 3;
	object_conn_seal(c);
}

static void what_charon_lists_is_what_was_loaded(void **state)
{
	_cleanup_(vici_tree_freep) struct vici_node *item = recorded("list-conn");
	_cleanup_object_set_ struct object_set set = { 0 };
	struct object wanted;
	const struct object_ike_conn *c;

	(void)state;
	conn_read(item, &set);
	assert_int_equal(set.o.n, 1);
	c = set.o.v[0].conn;
	make_conn(&wanted);
	assert_string_equal(c->name, wanted.conn->name);
	assert_string_equal(c->peer, "h2");
	assert_string_equal(c->self, "h1");
	assert_true(sn_addr_cmp(&c->remote_addr, &wanted.conn->remote_addr) == 0);
	assert_string_equal(SN_PREFIX_STR(&c->local_ts.v[0]), "10.42.1.0/24");
	assert_true(c->owner);
	/* the recorded name of the child would change with the hash: only that it is one */
	assert_true(sn_startswith(c->child, "net-") && strlen(c->child) == 20);
	object_fini(&wanted);
}

static void writes_both_ends_differently(void **state)
{
	struct object o;

	(void)state;
	make_conn(&o);
	for (int owner = 0; owner <= 1; owner++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };
		_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
		const struct vici_node *conn, *child;

		o.conn->owner = owner;
		conn_write(o.conn, &w);
		root = reread(&w);
		conn = vici_child(root, "sennit-h2");
		child = vici_child(vici_child(conn, "children"), o.conn->child);
		assert_string_equal(vici_text(conn, "keyingtries"), owner ? "0" : "1");
		assert_string_equal(vici_text(conn, "rekey_time"), owner ? "6s" : "9s");
		assert_string_equal(vici_text(conn, "over_time"), owner ? "12s" : "9s");
		assert_string_equal(vici_text(vici_child(conn, "remote"), "id"), "keyid:h2");
		assert_string_equal(vici_text(child, "dpd_action"), owner ? "start" : "clear");
		assert_string_equal(vici_text(child, "rekey_time"), owner ? "3s" : "4s");
		assert_string_equal(vici_text(child, "life_time"), "9s");
		assert_null(vici_text(child, "if_id_in"));
	}
	object_fini(&o);
}

static struct secrets *three_secrets(void)
{
	char path[] = "/tmp/sennit-test-conn-XXXXXX";
	static const char text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
				   "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
				   "CCECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
	struct secrets *secrets = NULL;
	struct sn_error e;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
	close(fd);
	assert_int_equal(secrets_load(path, &secrets, &e), 0);
	unlink(path);
	return secrets;
}

static void writes_the_key_of_the_pair(void **state)
{
	static const uint8_t vector[] = { 0x8e, 0x24, 0x9f, 0x47, 0xf1, 0xa8, 0xeb, 0x4a,
					  0x60, 0xc2, 0x88, 0x97, 0xf8, 0x4a, 0x12, 0x0b,
					  0x61, 0x5a, 0xbe, 0x8a, 0x3a, 0x3c, 0x74, 0x50,
					  0x10, 0x0d, 0x82, 0x26, 0x56, 0x90, 0x40, 0x61 };
	_cleanup_(secrets_freep) struct secrets *secrets = three_secrets();
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	const struct vici_node *data, *owners;
	struct object_ike_key key;
	struct sn_error e;

	(void)state;
	conn_first_key("h2", secrets, &key);
	assert_int_equal(conn_write_key(&key, secrets, "m1", "h1", &w, &e), 0);
	root = reread(&w);
	assert_string_equal(vici_text(root, "id"), key.id);
	data = vici_child(root, "data");
	assert_int_equal(data->len, sizeof(vector));
	assert_memory_equal(data->value, vector, sizeof(vector));
	owners = vici_child(root, "owners");
	assert_string_equal(owners->children[0].value, "keyid:h1");
	assert_string_equal(owners->children[1].value, "keyid:h2");

	snprintf(key.secret, sizeof(key.secret), "0123456789abcdef");
	assert_int_equal(conn_write_key(&key, secrets, "m1", "h1", &w, &e), -ENOENT);
	assert_non_null(strstr(e.text, "0123456789abcdef"));
}

static void reads_keys_and_which_is_the_first(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	_cleanup_(vici_tree_freep) struct vici_node *reply = NULL;
	_cleanup_object_set_ struct object_set set = { 0 };
	static const struct {
		const char *id, *peer;
		unsigned order;
	} ours[] = {
		{ "sennit-h2-00000000000000aa", "h2", 0 },
		{ "sennit-a-b-00000000000000aa", "a-b", 0 },
		{ "sennit-h2-00000000000000bb", "h2", 1 },
		{ "sennit-h2-00000000000000cc", "h2", 2 },
	};

	(void)state;
	vici_add_list(&w, "keys");
	vici_add_item(&w, "foreign");
	for (size_t i = 0; i < SN_ARRAY_SIZE(ours); i++)
		vici_add_item(&w, "%s", ours[i].id);
	vici_add_item(&w, "sennit-00000000000000aa");
	vici_add_item(&w, "sennit-");
	vici_end_list(&w);
	reply = reread(&w);
	conn_read_keys(reply, &set);
	assert_int_equal(set.o.n, SN_ARRAY_SIZE(ours));
	object_set_sort(&set);
	for (size_t i = 0; i < SN_ARRAY_SIZE(ours); i++) {
		struct object_ike_key key = { .order = 0 };
		const struct object like = { .kind = OBJECT_IKE_KEY, .key = &key };
		const struct object *o;

		strcpy(key.id, ours[i].id);
		o = object_set_find(&set, &like);
		assert_non_null(o);
		assert_string_equal(o->key->peer, ours[i].peer);
		assert_int_equal(o->key->order, ours[i].order);
	}
}

static void the_planner_sees_only_who_is_first(void **state)
{
	struct object_ike_key second = { .order = 1 }, other = { .order = 2 };
	struct object a = { .kind = OBJECT_IKE_KEY, .key = &second };
	struct object b = { .kind = OBJECT_IKE_KEY, .key = &other };

	(void)state;
	assert_true(object_equal(&a, &b));
	other.order = 0;
	assert_false(object_equal(&a, &b));
}

static void reads_recorded_keys(void **state)
{
	_cleanup_(vici_tree_freep) struct vici_node *reply = recorded("get-shared");
	_cleanup_object_set_ struct object_set set = { 0 };

	(void)state;
	conn_read_keys(reply, &set);
	assert_int_equal(set.o.n, 1);
	assert_string_equal(set.o.v[0].key->peer, "h2");
	assert_string_equal(set.o.v[0].key->secret, "4a8d8d79a3ab6226");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_charon_lists_is_what_was_loaded),
		cmocka_unit_test(writes_both_ends_differently),
		cmocka_unit_test(writes_the_key_of_the_pair),
		cmocka_unit_test(reads_keys_and_which_is_the_first),
		cmocka_unit_test(the_planner_sees_only_who_is_first),
		cmocka_unit_test(reads_recorded_keys),
	};

	return cmocka_run_group_tests_name("ike/conn", tests, NULL, NULL);
}
