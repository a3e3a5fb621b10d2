/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every test in a fresh network namespace of its own, with a loop, a state
 * folder and a struct net.
 *
 * Includes cmocka: include this last.
 */
#pragma once

#include "base/array.h"
#include "base/file.h"
#include "loop/loop.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../shell.h"

/* A condition that is not true after this long never will be. */
#define FIXTURE_LIMIT_MS 5000
/* An observe, plan and apply pass that is not empty after so many never will be. */
#define FIXTURE_PASSES 20

struct fixture {
	char state_dir[64];
	struct loop *loop;
	struct net *net;
	struct loop_timer *limit;
	bool timed_out;
	/* what the watch told */
	unsigned kinds;
	unsigned wait_for;
	unsigned calls;
	int64_t told_at;
	char device[IFNAMSIZ];
};

static inline void fixture_timed_out(void *user)
{
	struct fixture *f = user;

	f->timed_out = true;
	loop_stop(f->loop);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f;
	struct sn_error e;

	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	f = xcalloc(1, sizeof(*f));
	snprintf(f->state_dir, sizeof(f->state_dir), "/tmp/sennit-test-net-XXXXXX");
	if (!mkdtemp(f->state_dir))
		return -1;
	f->loop = loop_new();
	f->limit = loop_timer_new(f->loop, fixture_timed_out, f);
	if (net_new(f->loop, f->state_dir, &f->net, &e) < 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	sh("ip link set lo up");
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char file[96];

	if (!f)
		return 0;
	net_free(f->net);
	loop_timer_free(f->limit);
	loop_free(f->loop);
	snprintf(file, sizeof(file), "%s/sysctls.json", f->state_dir);
	unlink(file);
	rmdir(f->state_dir);
	free(f);
	return 0;
}

/* As after a crash and a new start. */
static inline void fixture_restart(struct fixture *f)
{
	struct sn_error e;

	net_free(f->net);
	f->net = NULL;
	if (net_new(f->loop, f->state_dir, &f->net, &e) < 0)
		fail_msg("%s", e.text);
}

#define fixture_get(state)                                                                         \
	({                                                                                         \
		if (!*(state))                                                                     \
			skip();                                                                    \
		(struct fixture *)*(state);                                                        \
	})

/* Runs the loop for one turn of everything that is ready, and at most this long. */
static inline void fixture_spin(struct fixture *f, int64_t ms)
{
	f->timed_out = false;
	loop_timer_set(f->limit, ms);
	loop_run(f->loop);
	loop_timer_cancel(f->limit);
}

static inline void fixture_on_change(unsigned kinds, const char *device, void *user)
{
	struct fixture *f = user;

	f->calls++;
	f->kinds |= kinds;
	if (device)
		snprintf(f->device, sizeof(f->device), "%s", device);
	f->told_at = sn_now_ms();
	if ((f->kinds & f->wait_for) == f->wait_for)
		loop_stop(f->loop);
}

/* Until the watch has told of these kinds; how long it took in ms. */
static inline int64_t fixture_wait_told(struct fixture *f, unsigned kinds)
{
	int64_t start = sn_now_ms();

	f->wait_for = kinds;
	if ((f->kinds & kinds) != kinds)
		fixture_spin(f, FIXTURE_LIMIT_MS);
	assert_int_equal(f->kinds & kinds, kinds);
	f->wait_for = ~0u;
	f->kinds = 0;
	return f->told_at - start;
}

/* Steps that were not done in one pass. */
struct pass {
	size_t steps;
	size_t not_ready;
	size_t failed;
	struct sn_error e; /* of the last failed */
	struct strbuf text;
};

static inline void pass_fini(struct pass *p)
{
	strbuf_fini(&p->text);
}
#define _cleanup_pass_ _cleanup_(pass_fini)

static inline void fixture_pass(struct fixture *f, struct object_set *wanted, struct pass *ret)
{
	_cleanup_object_set_ struct object_set observed = { 0 };
	_cleanup_plan_ struct plan plan = { 0 };
	unsigned known;

	memset(ret, 0, sizeof(*ret));
	net_observe(f->net, wanted, &observed, &known);
	assert_int_equal(known, OBJECT_ALL_NET);
	plan_build(wanted, &observed, known, &plan);
	plan_print(&plan, &ret->text);
	ret->steps = plan.steps.n;
	array_foreach(&plan.steps, step) {
		int r = net_apply(f->net, step, &ret->e);

		ret->not_ready += r == NET_NOT_READY;
		ret->failed += r < 0;
	}
	net_apply_end(f->net);
}

/* Passes until there is nothing to do; every step has to succeed in the end. */
static inline void fixture_converge(struct fixture *f, struct object_set *wanted)
{
	for (int i = 0; i < FIXTURE_PASSES; i++) {
		_cleanup_pass_ struct pass p;

		fixture_pass(f, wanted, &p);
		if (p.failed)
			fail_msg("%s\n%s", p.e.text, strbuf_str(&p.text));
		if (p.steps == 0)
			return;
		/* the worker's deletions */
		if (p.not_ready)
			fixture_spin(f, 20);
		if (i == FIXTURE_PASSES - 1)
			fail_msg("still not empty:\n%s", strbuf_str(&p.text));
	}
}

/* Until the worker has deleted the link. */
static inline void fixture_wait_gone(struct fixture *f, const char *name)
{
	int64_t limit = sn_now_ms() + FIXTURE_LIMIT_MS;

	while (net_device_index(f->net, name) >= 0 && sn_now_ms() < limit)
		fixture_spin(f, 5);
	assert_int_equal(net_device_index(f->net, name), -ENODEV);
}

/* The wanted objects of tests. */

static inline struct object_link *want_link(struct object_set *set, enum link_kind kind,
					    const char *name)
{
	struct object_link *o = object_set_add(set, OBJECT_LINK)->link;

	o->kind = kind;
	snprintf(o->name, sizeof(o->name), "%s", name);
	snprintf(o->alias, sizeof(o->alias), "sennit:test:%s", name);
	o->mtu = 1400;
	o->up = true;
	return o;
}

static inline void want_bridge(struct object_set *set, const char *name)
{
	struct object_link *o = want_link(set, LINK_BRIDGE, name);

	o->group = SENNIT_GROUP_BRIDGE;
	o->has_mac = true;
	memcpy(o->mac, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)name[strlen(name) - 1] }, SN_MAC_SIZE);
}

static inline void want_address(struct object_set *set, const char *ifname, const char *prefix)
{
	struct object_address *o = &object_set_add(set, OBJECT_ADDRESS)->address;

	snprintf(o->ifname, sizeof(o->ifname), "%s", ifname);
	assert_int_equal(sn_prefix_parse(prefix, &o->addr), 0);
}

static inline void want_route(struct object_set *set, const char *dst, const char *oif,
			      const char *src)
{
	struct object_route *o = &object_set_add(set, OBJECT_ROUTE)->route;

	assert_int_equal(sn_prefix_parse(dst, &o->dst), 0);
	o->table = 254;
	snprintf(o->oif, sizeof(o->oif), "%s", oif);
	if (src)
		assert_int_equal(sn_addr_parse(src, &o->src), 0);
}

static inline void want_unreachable(struct object_set *set, const char *dst)
{
	struct object_route *o = &object_set_add(set, OBJECT_ROUTE)->route;

	assert_int_equal(sn_prefix_parse(dst, &o->dst), 0);
	o->table = 254;
	o->metric = SENNIT_UNREACHABLE_METRIC;
	o->unreachable = true;
}

static inline void want_sysctl(struct object_set *set, const char *path, const char *value)
{
	struct object_sysctl *o = object_set_add(set, OBJECT_SYSCTL)->sysctl;

	snprintf(o->path, sizeof(o->path), "%s", path);
	snprintf(o->value, sizeof(o->value), "%s", value);
}

static inline void want_table(struct object_set *set, const char *family, const char *body)
{
	struct object_nft *o = &object_set_add(set, OBJECT_NFT)->nft;

	snprintf(o->family, sizeof(o->family), "%s", family);
	snprintf(o->name, sizeof(o->name), "sennit");
	o->text = xasprintf("table %s sennit {\n%s}\n", family, body);
}

#define GUARD_BODY                                                                                 \
	"\tset peers {\n\t\ttype ipv4_addr\n\t\tflags interval\n"                                  \
	"\t\telements = { 10.42.2.0/24, 10.42.3.0/24 }\n\t}\n\n"                                   \
	"\tchain out {\n\t\ttype filter hook postrouting priority srcnat; policy accept;\n"        \
	"\t\toifname \"lo\" accept\n"                                                              \
	"\t\tip daddr 10.42.0.0/16 counter drop\n\t}\n"
