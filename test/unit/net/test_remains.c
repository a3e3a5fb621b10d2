/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a killed charon leaves, and what only looks like it. */
#include "net/remains.h"

#include "netns_fixture.h"

static const struct remain *find(const struct remains *all, const char *text)
{
	array_foreach(&all->r, r) {
		if (strstr(r->text, text))
			return r;
	}
	return NULL;
}

static void expect(const struct remains *all, const char *text, bool ours)
{
	const struct remain *r = find(all, text);

	if (!r)
		fail_msg("nothing was found of '%s'", text);
	if (r->ours != ours || ours != !r->why)
		fail_msg("%s: ours %d, why: %s", r->text, r->ours, r->why ? r->why : "-");
}

static void read_all(struct remains *ret)
{
	struct sn_error e;

	if (remains_read(ret, &e) < 0)
		fail_msg("%s", e.text);
}

static void remove_ours(const struct remains *all)
{
	struct sn_error e;

	array_foreach(&all->r, r) {
		if (r->ours && remain_delete(r, &e) < 0)
			fail_msg("%s: %s", r->text, e.text);
	}
}

static void rules_are_known_by_their_mark(void **state)
{
	struct remains all = { 0 };

	fixture_get(state);
	sh("ip rule add fwmark 0x7777 lookup 220 prio 220");
	sh("ip -6 rule add fwmark 0x7777 lookup 220 prio 220");
	sh("ip rule add lookup 220 prio 221");
	sh("ip rule add from 10.0.0.0/8 fwmark 0x7777 lookup 220 prio 220");
	sh("ip rule add fwmark 0x7777 lookup 221 prio 220");
	read_all(&all);
	assert_int_equal(all.r.n, 4);
	expect(&all, "rule 220: lookup 220 fwmark 0x7777 (ip)", true);
	expect(&all, "(ip6)", true);
	expect(&all, "rule 221", false);
	remove_ours(&all);
	remains_fini(&all);
	read_all(&all);
	assert_int_equal(all.r.n, 2);
	remains_fini(&all);
	assert_true(sh_ok("ip rule | grep -q '10.0.0.0/8 fwmark 0x7777 lookup 220'"));
	assert_true(sh_ok("ip rule | grep -q 'lookup 221'"));
	assert_false(sh_ok("ip -6 rule | grep -q 220"));
}

static void policies_are_known_by_their_interface(void **state)
{
	bool xfrm = sh_ok("ip link add snx1 type xfrm if_id 5");
	struct remains all = { 0 };

	fixture_get(state);
	if (xfrm)
		sh("ip link set snx1 alias sennit:m:peer:h2");
	sh("ip xfrm policy add src 0.0.0.0/0 dst 10.8.0.0/16 dir out tmpl proto esp mode tunnel "
	   "reqid 5 if_id 5");
	sh("ip xfrm policy add src 0.0.0.0/0 dst 10.9.0.0/16 dir fwd tmpl proto esp mode tunnel "
	   "reqid 6 if_id 6");
	sh("ip xfrm policy add src 0.0.0.0/0 dst 10.7.0.0/16 dir out tmpl proto esp mode tunnel");
	if (xfrm)
		sh("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel "
		   "reqid 5 aead 'rfc4106(gcm(aes))' 0x0011223344556677889900112233445566778899 "
		   "128 "
		   "if_id 5");
	read_all(&all);
	/* this kernel may not make the interface: then even number 5 is nobody's we know */
	expect(&all, "policy out to 10.8.0.0/16 if_id 5", xfrm);
	expect(&all, "policy fwd to 10.9.0.0/16 if_id 6", false);
	assert_null(find(&all, "10.7.0.0"));
	if (xfrm)
		expect(&all, "SA to 192.0.2.2 spi 0x00000100 if_id 5", true);
	remove_ours(&all);
	remove_ours(&all);
	remains_fini(&all);
	assert_true(xfrm != sh_ok("ip xfrm policy | grep -q 10.8.0.0"));
	assert_false(sh_ok("ip xfrm state | grep -q 192.0.2.2"));
	assert_true(sh_ok("ip xfrm policy | grep -q 10.9.0.0"));
	assert_true(sh_ok("ip xfrm policy | grep -q 10.7.0.0"));
}

static void the_address_of_the_metadata_service(void **state)
{
	struct remains all = { 0 };

	fixture_get(state);
	sh("ip link set lo up");
	sh("ip addr add 169.254.169.250/32 dev lo label lo:sennit");
	sh("ip addr add 169.254.169.251/32 dev lo");
	read_all(&all);
	assert_int_equal(all.r.n, 1);
	expect(&all, "address 169.254.169.250/32 label lo:sennit", true);
	remove_ours(&all);
	remove_ours(&all);
	remains_fini(&all);
	assert_false(sh_ok("ip addr | grep -q 169.254.169.250"));
	assert_true(sh_ok("ip addr | grep -q 169.254.169.251"));
}

static void what_only_looks_like_ours(void **state)
{
	struct remains all = { 0 };

	fixture_get(state);
	sh("ip link add snbr0 type bridge; ip link set snbr0 alias sennit:m:bridge");
	sh("ip link add snort0 type bridge");
	sh("ip link add br0 type bridge; ip link set br0 alias sennit:m:bridge");
	sh("ip tuntap add sntun mode tun; ip link set sntun alias sennit:m:bridge");
	sh("nft add table inet sennit; nft add table inet sennit-old; nft add table ip other");
	read_all(&all);
	assert_int_equal(all.r.n, 4);
	assert_null(find(&all, "snbr0"));
	expect(&all, "link snort0", false);
	expect(&all, "link br0", false);
	expect(&all, "link sntun", false);
	expect(&all, "table sennit-old", false);
	remains_fini(&all);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(rules_are_known_by_their_mark),
		T(policies_are_known_by_their_interface),
		T(the_address_of_the_metadata_service),
		T(what_only_looks_like_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
