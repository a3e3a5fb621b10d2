/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/object.h"

#include "mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static char *text_of(const struct object *o)
{
	struct strbuf b = STRBUF_INIT;

	object_add_text(o, &b);
	return strbuf_steal(&b);
}

static char *difference(const struct object *found, const struct object *wanted)
{
	struct strbuf b = STRBUF_INIT;

	object_add_difference(found, wanted, &b);
	return b.data ? strbuf_steal(&b) : xstrdup("");
}

static void expect_text(const struct object *o, const char *text)
{
	_cleanup_free_ char *s = text_of(o);

	assert_string_equal(s, text);
}

/* b is a with one attribute changed: that is seen, and said. */
static void expect_differs(const struct object *a, const struct object *b, const char *text)
{
	_cleanup_free_ char *s = difference(a, b);

	assert_int_equal(object_cmp(a, b), 0);
	assert_false(object_equal(a, b));
	assert_string_equal(s, text);
}

static struct object_link one_link = { .name = "snv01234567",
				       .kind = LINK_VETH,
				       .alias = "sennit:m1:attachment:1",
				       .master = "sennit0",
				       .mtu = 1400,
				       .up = true,
				       .has_mac = true,
				       .mac = { 2, 0, 0, 0, 0, 1 } };
static const struct object a_link = { .kind = OBJECT_LINK, .link = &one_link };

static void each_attribute_of_a_link_counts(void **state)
{
	struct object_link l;
	struct object o = { .kind = OBJECT_LINK, .link = &l };

	(void)state;
	expect_text(&a_link, "link snv01234567 veth master sennit0 mtu 1400 mac 02:00:00:00:00:01 "
			     "up alias sennit:m1:attachment:1");
	l = one_link, l.mtu = 1500;
	expect_differs(&o, &a_link, "mtu 1500 instead of 1400");
	l = one_link, l.up = false;
	expect_differs(&o, &a_link, "down instead of up");
	l = one_link, l.master[0] = '\0';
	expect_differs(&o, &a_link, "master none instead of sennit0");
	l = one_link, l.alias[0] = 'x';
	expect_differs(&o, &a_link,
		       "alias xennit:m1:attachment:1 instead of sennit:m1:attachment:1");
	l = one_link, l.kind = LINK_BRIDGE;
	expect_differs(&o, &a_link, "bridge instead of veth");
	l = one_link, l.if_id = 7;
	expect_differs(&o, &a_link, "if_id 7 instead of none");
	l = one_link, l.mac[5] = 9;
	expect_differs(&o, &a_link, "mac 02:00:00:00:00:09 instead of 02:00:00:00:00:01");
	l = one_link, l.has_mac = false;
	assert_true(object_equal(&o, &a_link));
}

static void each_attribute_of_a_route_counts(void **state)
{
	struct object a = { .kind = OBJECT_ROUTE, .route = { .table = 254, .oif = "ipsec0" } };
	struct object o;

	(void)state;
	a.route.dst = mesh_prefix("10.42.2.0/24");
	a.route.src = mesh_addr("10.42.1.1");
	expect_text(&a, "route 10.42.2.0/24 dev ipsec0 src 10.42.1.1");
	o = a, o.route.oif[5] = '1';
	expect_differs(&o, &a, "dev ipsec1 instead of ipsec0");
	o = a, o.route.src.family = AF_UNSPEC;
	expect_differs(&o, &a, "src none instead of 10.42.1.1");
	o = a, o.route.unreachable = true;
	expect_differs(&o, &a, "unreachable instead of none");
	o = a, o.route.metric = 5;
	assert_int_equal(object_cmp(&a, &o), -1);
	o = a, o.route.table = 220;
	expect_text(&o, "route 10.42.2.0/24 table 220 dev ipsec0 src 10.42.1.1");
	assert_int_equal(object_cmp(&a, &o), 1);
}

static void small_kinds_show_all_they_are(void **state)
{
	struct object_sysctl one = { "net/a", "1" }, zero = { "net/a", "0" };
	struct object_ike_key first = { "sennit-h2-s", "h2", "s", 0 }, second = first;
	struct object sysctl = { .kind = OBJECT_SYSCTL, .sysctl = &one }, o = sysctl;
	struct object address = { .kind = OBJECT_ADDRESS, .address = { .ifname = "sennit0" } };
	struct object key = { .kind = OBJECT_IKE_KEY, .key = &first };

	(void)state;
	expect_text(&sysctl, "sysctl net/a = 1");
	o.sysctl = &zero;
	expect_differs(&o, &sysctl, "= 0 instead of 1");
	address.address.addr = mesh_prefix("10.42.1.1/24");
	expect_text(&address, "address 10.42.1.1/24 dev sennit0");
	assert_true(object_equal(&address, &address));
	expect_text(&key, "key sennit-h2-s peer h2 secret s order 0");
	second.order = 1;
	o = (struct object){ .kind = OBJECT_IKE_KEY, .key = &second };
	expect_differs(&o, &key, "order 1 instead of 0");
}

static void a_table_is_its_text(void **state)
{
	char one[] = "table inet sennit {\n}\n", other[] = "table inet sennit {\n\tx\n}\n";
	struct object a = { .kind = OBJECT_NFT, .nft = { "inet", "sennit", one } }, o = a;

	(void)state;
	assert_true(object_equal(&a, &o));
	o.nft.text = other;
	expect_differs(&o, &a, "3 lines cd85db05e4a91881 instead of 2 lines 0ed0dc7461fb5bf2");
}

static struct object a_conn(void)
{
	struct object o;

	object_init(&o, OBJECT_IKE_CONN);
	*o.conn = (struct object_ike_conn){ .name = "sennit-h2",
					    .peer = "h2",
					    .self = "h1",
					    .owner = true,
					    .encap = true,
					    .replay_window = 128,
					    .ike_rekey_s = 14400,
					    .child_rekey_s = 3600 };
	o.conn->local_addr = mesh_addr("192.0.2.1");
	o.conn->remote_addr = mesh_addr("192.0.2.2");
	*array_add(&o.conn->local_ts) = mesh_prefix("10.42.1.0/24");
	*array_add(&o.conn->remote_ts) = mesh_prefix("10.42.2.0/24");
	object_conn_seal(o.conn);
	return o;
}

/* change is applied to a copy of a_conn(), which then has another child. */
static void expect_other_child(void (*change)(struct object_ike_conn *c))
{
	struct object a = a_conn(), b = a_conn();

	change(b.conn);
	object_conn_seal(b.conn);
	assert_string_not_equal(a.conn->child, b.conn->child);
	assert_false(object_equal(&a, &b));
	object_fini(&a);
	object_fini(&b);
}

#define CHANGES                                                                                    \
	X(self, strcpy(c->self, "h9"))                                                             \
	X(peer, strcpy(c->peer, "h9"))                                                             \
	X(local, c->local_addr = mesh_addr("192.0.2.9"))                                           \
	X(remote, c->remote_addr = mesh_addr("192.0.2.9"))                                         \
	X(local_ts, *array_add(&c->local_ts) = mesh_prefix("10.42.9.0/24"))                        \
	X(remote_ts, c->remote_ts.v[0].len = 25)                                                   \
	X(owner, c->owner = false)                                                                 \
	X(encap, c->encap = false)                                                                 \
	X(esn, c->esn = true)                                                                      \
	X(replay, c->replay_window = 1024)                                                         \
	X(if_id, c->if_id = 1)                                                                     \
	X(ike_rekey, c->ike_rekey_s = 1)                                                           \
	X(child_rekey, c->child_rekey_s = 1)
#define X(name, statement)                                                                         \
	static void change_##name(struct object_ike_conn *c)                                       \
	{                                                                                          \
		statement;                                                                         \
	}
CHANGES
#undef X

static void each_attribute_of_a_connection_is_in_the_childs_name(void **state)
{
	(void)state;
#define X(name, statement) expect_other_child(change_##name);
	CHANGES
#undef X
}

static void sealing_twice_changes_nothing(void **state)
{
	struct object a = a_conn(), b = a_conn();

	(void)state;
	object_conn_seal(b.conn);
	assert_string_equal(a.conn->child, b.conn->child);
	assert_int_equal(strlen(a.conn->child), 20);
	object_fini(&a);
	object_fini(&b);
}

static void what_charon_does_not_tell_is_no_difference(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct object wanted = a_conn(), found;

	(void)state;
	object_init(&found, OBJECT_IKE_CONN);
	strcpy(found.conn->name, "sennit-h2");
	strcpy(found.conn->child, wanted.conn->child);
	assert_true(object_equal(&found, &wanted));
	found.conn->remote_addr = mesh_addr("192.0.2.9");
	strcpy(found.conn->child, "net-0");
	wanted.conn->child[5] = '\0';
	wanted.conn->child[4] = '1';
	text = difference(&found, &wanted);
	assert_string_equal(text,
			    "remote 192.0.2.9 instead of 192.0.2.2, child net-0 instead of net-1");
	object_fini(&wanted);
	object_fini(&found);
}

static void copies_own_what_they_point_to(void **state)
{
	struct object a = a_conn(), table = { .kind = OBJECT_NFT }, b;

	(void)state;
	object_copy(&a, &b);
	object_fini(&a);
	assert_int_equal(b.conn->remote_ts.n, 1);
	expect_text(&b, "conn sennit-h2 local 192.0.2.1 remote 192.0.2.2 local_ts 10.42.1.0/24 "
			"remote_ts 10.42.2.0/24 owner encap replay 128 rekey 14400/3600 "
			"child net-b0ac2c32165a074f");
	object_fini(&b);
	table.nft.text = xstrdup("x");
	object_copy(&table, &b);
	assert_ptr_not_equal(table.nft.text, b.nft.text);
	object_fini(&table);
	object_fini(&b);
}

static void sets_are_found_by_key(void **state)
{
	_cleanup_object_set_ struct object_set set = { 0 };
	struct object like;

	(void)state;
	object_init(&like, OBJECT_SYSCTL);
	assert_null(object_set_find(&set, &like));
	for (int i = 99; i >= 0; i--) {
		struct object *o = object_set_add(&set, i % 2 ? OBJECT_SYSCTL : OBJECT_LINK);

		snprintf(i % 2 ? o->sysctl->path : o->link->name, IFNAMSIZ, "n%02d", i);
	}
	object_set_sort(&set);
	assert_int_equal(set.o.v[0].kind, OBJECT_SYSCTL);
	strcpy(like.sysctl->path, "n37");
	assert_string_equal(object_set_find(&set, &like)->sysctl->path, "n37");
	strcpy(like.sysctl->path, "n36");
	assert_null(object_set_find(&set, &like));
	object_fini(&like);
}

static void of_two_found_with_one_key_one_stays(void **state)
{
	_cleanup_object_set_ struct object_set set = { 0 };

	(void)state;
	object_set_sort_found(&set);
	for (int i = 0; i < 6; i++) {
		struct object_nft *o = &object_set_add(&set, OBJECT_NFT)->nft;

		snprintf(o->name, sizeof(o->name), "n%d", i / 3);
		o->text = xstrdup("x");
	}
	object_set_sort_found(&set);
	assert_int_equal(set.o.n, 2);
	assert_string_equal(set.o.v[0].nft.name, "n0");
	assert_string_equal(set.o.v[1].nft.name, "n1");
}

/* Published values of FNV-1a, 64 bits. */
static void hashes_as_fnv_says(void **state)
{
	(void)state;
	assert_true(object_hash("", 0) == 0xcbf29ce484222325u);
	assert_true(object_hash("a", 1) == 0xaf63dc4c8601ec8cu);
	assert_true(object_hash("foobar", 6) == 0x85944171f73967e8u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_attribute_of_a_link_counts),
		cmocka_unit_test(each_attribute_of_a_route_counts),
		cmocka_unit_test(small_kinds_show_all_they_are),
		cmocka_unit_test(a_table_is_its_text),
		cmocka_unit_test(each_attribute_of_a_connection_is_in_the_childs_name),
		cmocka_unit_test(sealing_twice_changes_nothing),
		cmocka_unit_test(what_charon_does_not_tell_is_no_difference),
		cmocka_unit_test(copies_own_what_they_point_to),
		cmocka_unit_test(sets_are_found_by_key),
		cmocka_unit_test(of_two_found_with_one_key_one_stays),
		cmocka_unit_test(hashes_as_fnv_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
