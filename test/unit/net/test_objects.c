/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each kind: made, seen as wanted, repaired, removed; what is not ours stays. */
#include "net/link.h"
#include "net/nft.h"

#include "netns_fixture.h"

static void add_everything(struct object_set *set)
{
	want_bridge(set, "snbr0");
	want_address(set, "snbr0", "10.42.1.1/24");
	want_unreachable(set, "10.42.0.0/16");
	want_route(set, "10.42.2.0/24", "snbr0", "10.42.1.1");
	want_route(set, "10.42.3.7/32", "snbr0", NULL);
	want_sysctl(set, "net/ipv4/conf/lo/forwarding", "1");
	want_sysctl(set, "net/ipv4/conf/snbr0/forwarding", "1");
	want_table(set, "inet", GUARD_BODY);
	want_table(set, "ip", GUARD_BODY);
	want_table(set, "bridge",
		   "\tchain c {\n\t\ttype filter hook forward priority filter; "
		   "policy accept;\n\t\tiifname \"snv*\" drop\n\t}\n");
	object_set_sort(set);
}

static void empty_namespace_has_no_objects(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set none = { 0 }, observed = { 0 };
	unsigned known;

	net_observe(f->net, &none, &observed, &known);
	assert_int_equal(known, OBJECT_ALL_NET);
	assert_int_equal(observed.o.n, 0);
}

static void what_was_made_is_observed_and_the_second_plan_is_empty(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };
	_cleanup_pass_ struct pass first, second, third;

	add_everything(&wanted);
	fixture_pass(f, &wanted, &first);
	assert_int_equal(first.failed, 0);
	fixture_converge(f, &wanted);
	fixture_pass(f, &wanted, &second);
	assert_string_equal(strbuf_str(&second.text), "");
	/* a new process knows its own again */
	fixture_restart(f);
	fixture_pass(f, &wanted, &third);
	assert_string_equal(strbuf_str(&third.text), "");
	fixture_converge(f, &none);
	fixture_wait_gone(f, "snbr0");
	assert_false(sh_ok("nft list ruleset | grep -q ."));
	assert_false(sh_ok("ip route show table all proto 83 | grep -q ."));
}

static void want_docker_rule(struct object_set *set, const char *direction, const char *match)
{
	struct object_rule *o = object_set_add(set, OBJECT_RULE)->rule;

	snprintf(o->tag, sizeof(o->tag), "sennit:test:%s:snbr0", direction);
	snprintf(o->text, sizeof(o->text), "%s \"snbr0\" counter accept", match);
}

static void rules_in_dockers_chain_come_first_and_go_alone(void **state)
{
	static const char list[] = "iptables -S DOCKER-USER | sed 's/ -m comment.*-j/ -j/' | tr "
				   "'\\n' ,";
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };
	_cleanup_pass_ struct pass without;

	want_docker_rule(&wanted, "from", "iifname");
	want_docker_rule(&wanted, "to", "oifname");
	object_set_sort(&wanted);
	assert_int_equal(net_has_docker_user(f->net), 0);
	fixture_pass(f, &wanted, &without);
	assert_int_equal(without.not_ready, 2);
	sh("iptables -N DOCKER-USER && iptables -A DOCKER-USER -s 192.0.2.9 -j DROP && "
	   "iptables -A DOCKER-USER -m comment --comment mine -j RETURN");
	assert_int_equal(net_has_docker_user(f->net), 1);
	fixture_converge(f, &wanted);
	sh("test \"$(%s)\" = '-N DOCKER-USER,-A DOCKER-USER -o snbr0 -j ACCEPT,-A DOCKER-USER -i "
	   "snbr0 -j ACCEPT,-A DOCKER-USER -s 192.0.2.9/32 -j DROP,-A DOCKER-USER -j RETURN,'",
	   list);
	/* an administrator's hand, and a copy of a rule of ours */
	sh("iptables -D DOCKER-USER 1 && iptables -A DOCKER-USER -i snbr0 -m comment --comment "
	   "sennit:test:from:snbr0 -j ACCEPT");
	fixture_converge(f, &wanted);
	fixture_converge(f, &none);
	sh("test \"$(%s)\" = '-N DOCKER-USER,-A DOCKER-USER -s 192.0.2.9/32 -j DROP,-A DOCKER-USER "
	   "-j RETURN,'",
	   list);
}

static void plan_order_needs_one_pass(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_pass_ struct pass first, second;

	want_bridge(&wanted, "snbr0");
	want_address(&wanted, "snbr0", "10.42.1.1/24");
	want_route(&wanted, "10.42.2.0/24", "snbr0", "10.42.1.1");
	want_sysctl(&wanted, "net/ipv6/conf/snbr0/disable_ipv6", "1");
	object_set_sort(&wanted);
	fixture_pass(f, &wanted, &first);
	assert_int_equal(first.failed + first.not_ready, 0);
	fixture_pass(f, &wanted, &second);
	assert_string_equal(strbuf_str(&second.text), "");
}

/* One foreign command, and what the plan has to say of it. */
static void foreign_hand_is_seen_and_repaired(void **state)
{
	static const struct {
		const char *command, *line;
	} hands[] = {
		{ "ip link set snbr0 mtu 1300", "~ link snbr0: mtu 1300 instead of 1400\n" },
		{ "ip link set snbr0 address 02:00:00:00:00:99", "~ link snbr0" },
		{ "ip link set snbr0 down", "~ link snbr0" },
		{ "ip link set snbr0 group 7", "~ link snbr0: group 7 instead of 1936613890\n" },
		{ "ip link set snbr0 alias sennit:else", "~ link snbr0" },
		{ "ip link del snbr0", "+ link snbr0" },
		{ "ip addr del 10.42.1.1/24 dev snbr0", "+ address 10.42.1.1/24 dev snbr0" },
		{ "ip addr add 10.42.9.9/24 dev snbr0", "- address 10.42.9.9/24 dev snbr0\n" },
		{ "ip route del 10.42.2.0/24", "+ route 10.42.2.0/24" },
		{ "ip route replace 10.42.3.7 dev lo proto 83", "~ route 10.42.3.7/32" },
		{ "ip route replace 10.42.3.7 via 10.42.1.9 dev snbr0 proto 83",
		  "~ route 10.42.3.7/32" },
		{ "ip route replace blackhole 10.42.3.7 proto 83", "~ route 10.42.3.7/32" },
		{ "ip route add 10.42.8.0/24 dev snbr0 proto 83 table 77",
		  "- route 10.42.8.0/24 table 77" },
		{ "ip route del unreachable 10.42.0.0/16 metric 4278198272",
		  "+ route 10.42.0.0/16 metric 4278198272" },
		{ "nft delete table inet sennit", "+ table inet sennit" },
		{ "nft delete table bridge sennit", "+ table bridge sennit" },
		{ "nft flush ruleset", "+ table" },
		{ "nft insert rule inet sennit out accept", "~ table inet sennit" },
		{ "nft add element inet sennit peers { 10.42.4.0/24 }", "~ table inet sennit" },
		{ "nft add table netdev sennit", "- table netdev sennit\n" },
		{ "sysctl -qw net.ipv4.conf.lo.forwarding=0",
		  "~ sysctl net/ipv4/conf/lo/forwarding" },
		{ "sysctl -qw net.ipv4.conf.snbr0.forwarding=0",
		  "~ sysctl net/ipv4/conf/snbr0/forwarding" },
	};
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };

	add_everything(&wanted);
	fixture_converge(f, &wanted);
	for (size_t i = 0; i < SN_ARRAY_SIZE(hands); i++) {
		_cleanup_pass_ struct pass p;

		sh("%s", hands[i].command);
		fixture_pass(f, &wanted, &p);
		if (!strstr(strbuf_str(&p.text), hands[i].line) || p.failed)
			fail_msg("after '%s' the plan was (%s):\n%s", hands[i].command, p.e.text,
				 strbuf_str(&p.text));
		fixture_converge(f, &wanted);
	}
}

/* Tables of ours, and those that see no IP packets, are nobody's who would want connections. */
static void rules_of_others_are_known(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	static const char *const families[] = { "ip", "ip6", "inet" };

	add_everything(&wanted);
	fixture_converge(f, &wanted);
	sh("nft add table bridge other; nft add table arp other; nft add table netdev other");
	assert_int_equal(net_has_others_rules(f->net), 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(families); i++) {
		sh("nft add table %s other", families[i]);
		assert_int_equal(net_has_others_rules(f->net), 1);
		sh("nft delete table %s other", families[i]);
		assert_int_equal(net_has_others_rules(f->net), 0);
	}
	/* where the kernel has it */
	if (sh_ok("iptables-legacy -L >/dev/null 2>&1"))
		assert_int_equal(net_has_others_rules(f->net), 1);
}

static void foreign_objects_beside_ours_stay(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };

	sh("ip tuntap add snforeign0 mode tun && ip link set snforeign0 up");
	sh("ip link add snforeign1 type bridge && ip link set snforeign1 alias docker:x");
	sh("ip tuntap add eth7 mode tun && ip link set eth7 alias sennit:test:eth7");
	sh("ip addr add 10.9.9.9/24 dev snforeign0");
	sh("ip route add 10.42.2.0/24 dev snforeign0 proto static metric 50");
	sh("ip route add unreachable 10.42.0.0/16 metric 9 proto static");
	sh("nft add table inet foreign; nft add table ip nat; nft add table inet sennit2");
	add_everything(&wanted);
	fixture_converge(f, &wanted);
	fixture_converge(f, &none);
	sh("ip link show snforeign0 >/dev/null && ip link show snforeign1 >/dev/null");
	sh("ip link show eth7 >/dev/null && ip addr show snforeign0 | grep -q 10.9.9.9/24");
	sh("ip route show 10.42.2.0/24 | grep -q 'proto static .*metric 50'");
	sh("ip route show type unreachable 10.42.0.0/16 | grep -q 'metric 9'");
	assert_true(sh_ok("nft list table inet foreign && nft list table ip nat && "
			  "nft list table inet sennit2"));
}

static void names_that_others_hold_are_told_and_left(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set link = { 0 }, route = { 0 }, address = { 0 };
	_cleanup_pass_ struct pass p, q, r;

	sh("ip tuntap add snbr0 mode tun && ip link set snbr0 alias vendor:thing");
	want_bridge(&link, "snbr0");
	fixture_pass(f, &link, &p);
	assert_int_equal(p.failed, 1);
	assert_int_equal(p.e.code, -EEXIST);
	assert_string_equal(p.e.text,
			    "snbr0 is a tun of others (alias vendor:thing); remove or rename it");
	sh("ip link show snbr0 | grep -q 'alias vendor:thing'");

	want_address(&address, "snbr0", "10.42.1.1/24");
	fixture_pass(f, &address, &q);
	assert_int_equal(q.e.code, -EEXIST);
	assert_false(sh_ok("ip addr show snbr0 | grep -q 10.42.1.1"));

	sh("ip link set snbr0 up && ip route add 10.42.2.0/24 dev snbr0 proto static");
	want_route(&route, "10.42.2.0/24", "lo", NULL);
	fixture_pass(f, &route, &r);
	assert_int_equal(r.e.code, -EEXIST);
	assert_non_null(strstr(r.e.text, "others have a route to 10.42.2.0/24"));
	sh("ip route show 10.42.2.0/24 | grep -q 'dev snbr0 proto static'");
}

static void delete_of_a_way_spares_the_unreachable_route(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, gone = { 0 };
	struct plan_step step = { .verb = PLAN_DELETE };
	struct sn_error e;

	want_unreachable(&wanted, "10.42.0.0/16");
	fixture_converge(f, &wanted);
	want_route(&gone, "10.42.0.0/16", "lo", NULL);
	step.found = &gone.o.v[0];
	assert_int_equal(net_apply(f->net, &step, &e), NET_DONE);
	sh("ip route show 10.42.0.0/16 | grep -q unreachable");
}

static void what_stands_on_nothing_is_not_ready(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_pass_ struct pass p, q, r;

	want_address(&wanted, "snbr0", "10.42.1.1/24");
	want_route(&wanted, "10.42.2.0/24", "ipsec0", NULL);
	want_route(&wanted, "10.42.3.0/24", "lo", "10.42.1.1");
	want_sysctl(&wanted, "net/ipv4/conf/ipsec0/forwarding", "1");
	want_link(&wanted, LINK_BRIDGE, "snport")->up = true;
	snprintf(wanted.o.v[wanted.o.n - 1].link->master, IFNAMSIZ, "snbr0");
	object_set_sort(&wanted);
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.steps, 5);
	assert_int_equal(p.failed, 0);
	assert_int_equal(p.not_ready, 5);
	assert_false(sh_ok("ip link show snport"));
	/* the device is there, but down */
	sh("ip tuntap add ipsec0 mode tun");
	fixture_pass(f, &wanted, &q);
	assert_int_equal(q.failed, 0);
	assert_int_equal(q.not_ready, 4);
	sh("ip link set ipsec0 up && ip addr add 10.42.1.1/24 dev lo");
	fixture_pass(f, &wanted, &r);
	assert_int_equal(r.failed, 0);
	assert_int_equal(r.not_ready, 2);
	sh("ip route show | grep -q '10.42.2.0/24 dev ipsec0'");
}

static void a_tunnel_device_of_charon_is_kept_up(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	struct object_link *device = object_set_add(&wanted, OBJECT_LINK)->link;
	_cleanup_pass_ struct pass p, q;

	snprintf(device->name, sizeof(device->name), "ipsec0");
	device->kind = LINK_TUN;
	device->up = true;
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.not_ready, 1);
	sh("ip tuntap add ipsec0 mode tun && ip link set ipsec0 alias theirs mtu 1234");
	fixture_converge(f, &wanted);
	sh("ip link show ipsec0 | grep -q '<.*UP.*mtu 1234' && ip link show ipsec0 | grep theirs");
	sh("ip link set ipsec0 down");
	fixture_converge(f, &wanted);
	sh("ip link show ipsec0 | grep -q '<.*UP'");
	/* another thing by that name is not touched */
	sh("ip tuntap del ipsec0 mode tun && ip link add ipsec0 type bridge");
	fixture_pass(f, &wanted, &q);
	assert_int_equal(q.failed, 1);
	assert_non_null(strstr(q.e.text, "ipsec0 is a bridge of others"));
	sh("! ip link show ipsec0 | grep -q '<.*UP'");
}

static void a_link_whose_alias_was_taken_away_is_still_ours(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };

	want_bridge(&wanted, "snbr0");
	fixture_converge(f, &wanted);
	fixture_converge(f, &wanted); /* it was seen */
	sh("ip -o link show snbr0 | cut -d: -f1 > %s/index && ip link set snbr0 alias ''",
	   f->state_dir);
	fixture_converge(f, &wanted);
	sh("ip link show snbr0 | grep -q 'alias sennit:'");
	sh("ip -o link show snbr0 | cut -d: -f1 | cmp %s/index && rm %s/index", f->state_dir,
	   f->state_dir);
}

static void the_address_that_packets_leave_from_is_the_kernels(void **state)
{
	struct fixture *f = fixture_get(state);
	struct sn_addr there, own, far, found;

	assert_int_equal(sn_addr_parse("10.7.0.9", &there), 0);
	assert_int_equal(sn_addr_parse("10.7.0.1", &own), 0);
	assert_int_equal(sn_addr_parse("198.51.100.1", &far), 0);
	sh("ip link add sntest0 type bridge && ip addr add 10.7.0.1/24 dev sntest0 && "
	   "ip link set sntest0 up");
	assert_int_equal(net_source_towards(f->net, &there, &found), 0);
	assert_string_equal(SN_ADDR_STR(&found), "10.7.0.1");
	/* to ourselves nothing leaves, and where no route leads neither */
	assert_int_equal(net_source_towards(f->net, &own, &found), 0);
	assert_false(sn_addr_is_set(&found));
	assert_int_equal(net_source_towards(f->net, &far, &found), 0);
	assert_false(sn_addr_is_set(&found));
	sh("ip addr add 10.7.0.2/24 dev sntest0 && ip addr del 10.7.0.1/24 dev sntest0 && "
	   "ip addr add 10.7.0.2/24 dev sntest0 2>/dev/null; true");
	assert_int_equal(net_source_towards(f->net, &there, &found), 0);
	assert_string_equal(SN_ADDR_STR(&found), "10.7.0.2");
	sh("ip link del sntest0");
	assert_int_equal(net_source_towards(f->net, &there, &found), 0);
	assert_false(sn_addr_is_set(&found));
}

static void an_alias_that_went_while_nobody_looked_is_given_back(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_pass_ struct pass p, q;

	want_bridge(&wanted, "snbr0");
	wanted.o.v[0].link->group = SENNIT_GROUP_BRIDGE;
	fixture_converge(f, &wanted);
	sh("ip link set snbr0 alias ''");
	fixture_restart(f);
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.failed, 0);
	sh("ip link show snbr0 | grep -q 'alias sennit:'");
	/* not so in another group */
	sh("ip link set snbr0 alias '' && ip link set snbr0 group 7");
	fixture_restart(f);
	fixture_pass(f, &wanted, &q);
	assert_int_equal(q.failed, 1);
	assert_non_null(strstr(q.e.text, "snbr0 is a bridge of others (no alias)"));
	sh("ip link del snbr0");
}

/* The name alone makes nothing ours: not after ours went, not with another's alias. */
static void a_link_in_the_place_of_ours_is_not_touched(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };
	_cleanup_pass_ struct pass p, q, r;

	want_bridge(&wanted, "snbr0");
	fixture_converge(f, &wanted);
	fixture_converge(f, &wanted);
	sh("ip link set snbr0 alias theirs");
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.failed, 1);
	assert_non_null(strstr(p.e.text, "alias theirs"));
	sh("ip link del snbr0 && ip link add snbr0 mtu 1400 type bridge");
	fixture_pass(f, &wanted, &q);
	assert_int_equal(q.failed, 1);
	assert_non_null(strstr(q.e.text, "snbr0 is a bridge of others (no alias)"));
	fixture_pass(f, &none, &r);
	assert_int_equal(r.steps, 0);
	sh("ip link show snbr0 | grep -q 'mtu 1400'");
}

static void kernel_says_why(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, table = { 0 };
	_cleanup_pass_ struct pass p, q;

	want_link(&wanted, LINK_BRIDGE, "snbr0")->mtu = 1000000;
	fixture_pass(f, &wanted, &p);
	assert_int_equal(p.failed, 1);
	assert_non_null(strstr(p.e.text, "mtu greater than device maximum"));
	want_table(&table, "inet", "\tchain c {\n\t\tnonsense\n\t}\n");
	fixture_pass(f, &table, &q);
	assert_int_equal(q.failed, 1);
	assert_non_null(strstr(q.e.text, "syntax error"));
	assert_null(strchr(q.e.text, '\n'));
}

/* A plan must not take "could not look" for "there is none". */
static void what_cannot_be_read_is_not_known(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set none = { 0 }, observed = { 0 };
	unsigned known;

	sh("nft 'table inet sennit {}'");
	/* links and routes are for everybody to read, tables are not */
	assert_int_equal(seteuid(65534), 0);
	net_observe(f->net, &none, &observed, &known);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(known,
			 OBJECT_ALL_NET & ~OBJECT_BIT(OBJECT_NFT) & ~OBJECT_BIT(OBJECT_RULE));
	assert_true(net_last_failure(f->net)[0]);
}

static void failed_table_leaves_the_old_one(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, bad = { 0 };
	_cleanup_pass_ struct pass p, q;

	want_table(&wanted, "inet", GUARD_BODY);
	fixture_converge(f, &wanted);
	/* good for the parser, not for the kernel: no such chain type in this family */
	want_table(&bad, "inet",
		   "\tchain c {\n\t\ttype nat hook forward priority filter; policy "
		   "accept;\n\t}\n");
	fixture_pass(f, &bad, &p);
	assert_int_equal(p.failed, 1);
	fixture_pass(f, &wanted, &q);
	assert_string_equal(strbuf_str(&q.text), "");
}

static void half_made_link_is_ours_after_a_crash(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 }, none = { 0 };

	sh("ip link add snbr0 group %d type bridge", LINK_GROUP_BORN);
	want_bridge(&wanted, "snbr0");
	fixture_converge(f, &wanted);
	sh("ip -o link show snbr0 | grep -q 'group 1936613890.*alias sennit:test:snbr0'");
	sh("ip link add snbr1 group %d type bridge", LINK_GROUP_BORN);
	fixture_converge(f, &none);
	fixture_wait_gone(f, "snbr1");
}

static void veth_cannot_be_made_here(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	struct plan_step step = { .verb = PLAN_ADD };
	struct sn_error e;

	want_link(&wanted, LINK_VETH, "snv00000001");
	step.wanted = &wanted.o.v[0];
	assert_int_equal(net_apply(f->net, &step, &e), -ENODEV);
	assert_non_null(strstr(e.text, "attached again"));
}

static void veth_is_kept_attached(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };

	sh("ip link add snv00000001 type veth peer name inner");
	sh("ip link set snv00000001 alias sennit:test:old");
	want_bridge(&wanted, "snbr0");
	snprintf(want_link(&wanted, LINK_VETH, "snv00000001")->master, IFNAMSIZ, "snbr0");
	object_set_sort(&wanted);
	fixture_converge(f, &wanted);
	sh("ip -o link show snv00000001 | grep -q 'UP.*mtu 1400.*master snbr0'");
	sh("ip link set snv00000001 nomaster down mtu 1500");
	fixture_converge(f, &wanted);
	sh("ip -o link show snv00000001 | grep -q 'UP.*mtu 1400.*master snbr0'");
}

static void bridge_keeps_its_mtu_when_ports_come_and_go(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };
	_cleanup_pass_ struct pass p;

	want_bridge(&wanted, "snbr0");
	fixture_converge(f, &wanted);
	sh("ip link add port type veth peer name other && ip link set port master snbr0");
	sh("ip link set port mtu 1280 && ip link del port");
	fixture_pass(f, &wanted, &p);
	assert_string_equal(strbuf_str(&p.text), "");
}

static void doubles_of_one_key_are_survived(void **state)
{
	struct fixture *f = fixture_get(state);
	_cleanup_object_set_ struct object_set wanted = { 0 };

	want_unreachable(&wanted, "10.42.0.0/16");
	fixture_converge(f, &wanted);
	sh("ip route append 10.42.0.0/16 dev lo metric 4278198272 proto 83");
	sh("ip route append 10.42.0.0/16 dev lo metric 4278198272 proto 83 tos 4");
	fixture_converge(f, &wanted);
	sh("ip route show type unreachable | grep -q 10.42.0.0/16");
}

static void default_device_is_the_one_with_the_lowest_metric(void **state)
{
	struct fixture *f = fixture_get(state);
	char device[IFNAMSIZ] = "x";

	assert_int_equal(net_default_device(f->net, device), 0);
	assert_string_equal(device, "");
	sh("ip tuntap add up0 mode tun && ip link set up0 up && ip tuntap add up1 mode tun && "
	   "ip link set up1 up");
	sh("ip route add default dev up0 metric 200 && ip route add default dev up1 metric 100");
	sh("ip route add default dev lo metric 1 table 99");
	assert_int_equal(net_default_device(f->net, device), 0);
	assert_string_equal(device, "up1");
	assert_int_equal(net_device_index(f->net, "none"), -ENODEV);
	assert_int_equal(net_device_index(f->net, "lo"), 1);
}

static void esp_is_tried_without_touching_the_host(void **state)
{
	struct fixture *f = fixture_get(state);
	bool has = net_has_kernel_esp(f->net);

	assert_false(sh_ok("ip link show try"));
	assert_false(sh_ok("ip xfrm state | grep -q ."));
	/* the same tried by ip(8), in a namespace of its own */
	assert_int_equal(has, sh_ok("unshare -n sh -ec 'ip link add x type xfrm if_id 1; "
				    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 9 "
				    "mode tunnel aead \"rfc4106(gcm(aes))\" "
				    "0x0000000000000000000000000000000000000000 128'"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(empty_namespace_has_no_objects),
		T(what_was_made_is_observed_and_the_second_plan_is_empty),
		T(rules_in_dockers_chain_come_first_and_go_alone),
		T(plan_order_needs_one_pass),
		T(foreign_hand_is_seen_and_repaired),
		T(rules_of_others_are_known),
		T(foreign_objects_beside_ours_stay),
		T(names_that_others_hold_are_told_and_left),
		T(delete_of_a_way_spares_the_unreachable_route),
		T(what_stands_on_nothing_is_not_ready),
		T(a_tunnel_device_of_charon_is_kept_up),
		T(a_link_whose_alias_was_taken_away_is_still_ours),
		T(the_address_that_packets_leave_from_is_the_kernels),
		T(an_alias_that_went_while_nobody_looked_is_given_back),
		T(a_link_in_the_place_of_ours_is_not_touched),
		T(kernel_says_why),
		T(what_cannot_be_read_is_not_known),
		T(failed_table_leaves_the_old_one),
		T(half_made_link_is_ours_after_a_crash),
		T(veth_cannot_be_made_here),
		T(veth_is_kept_attached),
		T(bridge_keeps_its_mtu_when_ports_come_and_go),
		T(doubles_of_one_key_are_survived),
		T(default_device_is_the_one_with_the_lowest_metric),
		T(esp_is_tried_without_touching_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
