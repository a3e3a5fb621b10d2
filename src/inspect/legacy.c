/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's form: entries one behind another, each with its matches and its
 * target. A built-in chain begins at hook_entry[] and ends with its policy at
 * underflow[]; a user's chain begins with an ERROR target that has its name, as
 * does the end of the table.
 */
#include "inspect/legacy.h"

#include "base/file.h"
#include "inspect/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <stdio.h>
#include <sys/socket.h>

#define NAMES_FILE "/proc/self/net/ip_tables_names"
#define VERDICT_ACCEPT (-NF_ACCEPT - 1)
#define VERDICT_DROP (-NF_DROP - 1)

struct reading {
	const char *bridge;
	bool port_500, port_4500;
	struct legacy_table *ret;
};

/* A verdict, or 1 for another target. */
static int verdict_of(const struct xt_entry_target *t)
{
	const struct xt_standard_target *standard = (const void *)t;

	if (t->u.user.name[0] || t->u.target_size < sizeof(*standard))
		return streq(t->u.user.name, "REJECT") ? VERDICT_DROP : 1;
	return standard->verdict;
}

static void look_at_ports(struct reading *r, const struct ipt_entry *e)
{
	const struct xt_entry_match *m = (const void *)e->elems;
	const struct xt_udp *udp = (const void *)m->data;

	if (e->ip.proto != IPPROTO_UDP)
		return;
	if (e->target_offset < sizeof(*e) + sizeof(*m) + sizeof(*udp) ||
	    !streq(m->u.user.name, "udp")) {
		/* multiport and others are not taken apart: such a rule may be the one */
		r->port_500 = r->port_4500 = true;
		return;
	}
	r->port_500 |= udp->dpts[0] <= 500 && udp->dpts[1] >= 500;
	r->port_4500 |= udp->dpts[0] <= 4500 && udp->dpts[1] >= 4500;
}

static bool is_for_everything(const struct ipt_entry *e)
{
	static const struct ipt_ip anything;

	return memcmp(&e->ip, &anything, sizeof(anything)) == 0 && e->target_offset == sizeof(*e);
}

static void look_at_rule(struct reading *r, const struct ipt_entry *e,
			 const struct xt_entry_target *t)
{
	if (streq(t->u.user.name, XT_ERROR_TARGET)) {
		const struct xt_error_target *named = (const void *)t;

		if (t->u.target_size >= sizeof(*named) && ruleset_owner(named->errorname))
			snprintf(r->ret->owner, sizeof(r->ret->owner), "%.*s",
				 (int)sizeof(r->ret->owner) - 1, named->errorname);
		return;
	}
	r->ret->rules++;
	if (verdict_of(t) != VERDICT_ACCEPT)
		return;
	r->ret->names_bridge |= streq(e->ip.iniface, r->bridge) || streq(e->ip.outiface, r->bridge);
	look_at_ports(r, e);
}

/* What is told of a chain's end: its policy at `underflow`, a rule for all before it at `last`. */
static bool chain_drops(const struct ipt_entry *policy, const struct ipt_entry *last)
{
	const struct xt_entry_target *t =
		(const void *)((const char *)policy + policy->target_offset);

	if (verdict_of(t) == VERDICT_DROP)
		return true;
	if (!last || !is_for_everything(last))
		return false;
	t = (const void *)((const char *)last + last->target_offset);
	return verdict_of(t) == VERDICT_DROP;
}

/* The entry at offset, checked against the end of the table; NULL when it is torn. */
static const struct ipt_entry *entry_at(const void *entries, size_t size, size_t offset)
{
	const struct ipt_entry *e = (const void *)((const char *)entries + offset);
	const struct xt_entry_target *t;

	if (size < sizeof(*e) || offset > size - sizeof(*e) ||
	    offset % _Alignof(struct ipt_entry) || e->next_offset > size - offset ||
	    e->target_offset < sizeof(*e) || e->target_offset % _Alignof(struct xt_entry_target) ||
	    (size_t)e->target_offset + sizeof(*t) > e->next_offset)
		return NULL;
	t = (const void *)((const char *)e + e->target_offset);
	return t->u.target_size < sizeof(*t) ||
			       (size_t)e->target_offset + t->u.target_size > e->next_offset
		       ? NULL
		       : e;
}

int legacy_parse(const void *entries, size_t size, const unsigned *hook_entry,
		 const unsigned *underflow, unsigned valid_hooks, const char *bridge,
		 struct legacy_table *ret)
{
	struct reading r = { .bridge = bridge, .ret = ret };
	const struct ipt_entry *e, *before = NULL;
	unsigned policies = 0;

	for (size_t offset = 0; offset < size; offset += e->next_offset, before = e) {
		e = entry_at(entries, size, offset);
		if (!e)
			return -EBADMSG;
		look_at_rule(&r, e, (const void *)((const char *)e + e->target_offset));
		for (unsigned hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
			const struct ipt_entry *last = offset > hook_entry[hook] ? before : NULL;

			if (!(valid_hooks & 1u << hook) || underflow[hook] != offset)
				continue;
			policies++;
			ret->forward_drops |= hook == NF_INET_FORWARD && chain_drops(e, last);
			ret->input_drops |= hook == NF_INET_LOCAL_IN && chain_drops(e, last);
		}
	}
	ret->rules -= SN_MIN(policies, ret->rules);
	ret->names_ports = r.port_500 && r.port_4500;
	return 0;
}

static int read_table(int fd, const char *bridge, struct legacy_table *t, struct sn_error *e)
{
	struct ipt_getinfo info = { 0 };
	_cleanup_free_ struct ipt_get_entries *got = NULL;
	socklen_t len = sizeof(info);
	int r;

	snprintf(info.name, sizeof(info.name), "%s", t->name);
	if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len) < 0)
		return sn_error_set(e, -errno, "legacy iptables table %s: %s", t->name,
				    sn_strerror(-errno));
	if (info.size > LEGACY_MAX_BYTES)
		return sn_error_set(e, -EFBIG, "legacy iptables table %s has %u bytes", t->name,
				    info.size);
	got = xcalloc(1, sizeof(*got) + info.size);
	snprintf(got->name, sizeof(got->name), "%s", t->name);
	got->size = info.size;
	len = (socklen_t)(sizeof(*got) + info.size);
	if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, got, &len) < 0)
		return sn_error_set(e, -errno, "legacy iptables table %s: %s", t->name,
				    sn_strerror(-errno));
	r = legacy_parse(got->entrytable, info.size, info.hook_entry, info.underflow,
			 info.valid_hooks, bridge, t);
	return r < 0 ? sn_error_set(e, r, "legacy iptables table %s is not understood", t->name)
		     : 0;
}

int legacy_read(const char *bridge, struct legacy_tables *ret, struct sn_error *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *names = NULL;
	char *save = NULL;
	size_t len;
	int r = file_read(NAMES_FILE, 4096, &names, &len);

	memset(ret, 0, sizeof(*ret));
	if (r == -ENOENT)
		return 0; /* the kernel has none */
	if (r < 0)
		return sn_error_set(e, r, NAMES_FILE ": %s", sn_strerror(r));
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return sn_error_set(e, -errno, "legacy iptables: %s", sn_strerror(-errno));
	r = 0;
	for (char *name = strtok_r(names, "\n", &save);
	     name && r == 0 && ret->t.n < LEGACY_MAX_TABLES; name = strtok_r(NULL, "\n", &save)) {
		struct legacy_table *t = array_add(&ret->t);

		snprintf(t->name, sizeof(t->name), "%s", name);
		r = read_table(fd, bridge, t, e);
	}
	if (r < 0)
		array_free(&ret->t);
	return r;
}
