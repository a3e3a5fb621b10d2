/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings and tables of the kernel that somebody may have changed under us. */
#include "inspect/look.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* Of conntrack's table, in percent. */
#define CONNTRACK_NEARLY_FULL 90

/* --- forwarding ---------------------------------------------------------------------------- */

/* Why a setting has to be what it should be, and how grave it is when it is not. */
static const struct {
	const char *path_end, *value; /* NULL: any */
	enum severity severity;
	const char *why;
} settings[] = {
	{ "/forwarding", NULL, SEVERITY_FAULT,
	  "The kernel drops what comes in there and is for another interface: containers' packets "
	  "end on this host." },
	{ "/disable_ipv6", "0", SEVERITY_FAULT,
	  "The overlay is IPv6, and that link carries none." },
	{ "/disable_ipv6", "1", SEVERITY_WARNING,
	  "sennit's links carry no IPv6: what the host sends there by itself is nobody's." },
	{ "/accept_ra", NULL, SEVERITY_WARNING,
	  "An interface that forwards IPv6 hears no router advertisements otherwise: what came by "
	  "them (address, default route) ends when it expires." },
	{ NULL, NULL, SEVERITY_WARNING,
	  "The bridge's own addresses are not usable before the kernel has looked for others that "
	  "have them." },
};

static size_t setting_of(const struct object_sysctl *want)
{
	const char *end = strrchr(want->path, '/');
	size_t i = 0;

	while (settings[i].path_end &&
	       (!end || !streq(end, settings[i].path_end) ||
		(settings[i].value && !streq(settings[i].value, want->value))))
		i++;
	return i;
}

/* Of one setting that the data plane wants: the daemon sets it and keeps it, if it runs. */
static bool judge_setting(struct exam *x, const struct object_sysctl *want)
{
	_cleanup_free_ char *path = xasprintf("/proc/sys/%s", want->path);
	size_t setting = setting_of(want);
	char value[64];
	struct finding *f;

	/* no such interface yet: check_objects() says so */
	if (look_line(path, value, sizeof(value)) < 0 || streq(value, want->value))
		return true;
	f = exam_find(x, settings[setting].severity, settings[setting].why, NULL,
		      "%s is %s, and should be %s", path, value, want->value);
	finding_set_next(f,
			 "Look for what sets it (a file in /etc/sysctl.d or a start of 'sysctl "
			 "--system' that sets net.ipv4.ip_forward=0 resets all interfaces)%s.",
			 x->daemon_runs ? "" : "; sennitd sets it again when it runs");
	finding_set_fix(f, FIX_WRITE, path, want->value, 0);
	return false;
}

void check_forwarding(struct exam *x)
{
	size_t n = 0, wrong = 0;

	if (!x->daemon_runs && !exam_has_bridge(x)) {
		exam_ok(x, "nothing of sennit is set up yet");
		return;
	}
	array_foreach(&x->wanted.objects.o, o) {
		if (o->kind != OBJECT_SYSCTL)
			continue;
		n++;
		wrong += !judge_setting(x, o->sysctl);
	}
	if (!wrong)
		exam_ok(x, "%zu settings of interfaces are as they should be", n);
}

/* --- router advertisements ------------------------------------------------------------------- */

/* Links with an address that was made by a router advertisement: it ends, and is global. */
struct announced {
	struct exam *x;
	ARRAY(int) links;
};

static int on_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFA_FLAGS + 1];
	struct announced *found = user;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	netlink_attrs(nlh, sizeof(*ifa), IFA_FLAGS, a);
	if (ifa->ifa_family == AF_INET6 && ifa->ifa_scope == RT_SCOPE_UNIVERSE &&
	    !(netlink_attr_u32(a[IFA_FLAGS]) & IFA_F_PERMANENT))
		*array_add(&found->links) = (int)ifa->ifa_index;
	return 0;
}

static bool judge_accept_ra(struct exam *x, const char *device)
{
	_cleanup_free_ char *ra = xasprintf("/proc/sys/net/ipv6/conf/%s/accept_ra", device);
	_cleanup_free_ char *fw = xasprintf("/proc/sys/net/ipv6/conf/%s/forwarding", device);
	char value[16];

	if (look_line(fw, value, sizeof(value)) < 0 || !streq(value, "1") ||
	    look_line(ra, value, sizeof(value)) < 0 || !streq(value, "1"))
		return true;
	finding_set_fix(
		exam_find(x, SEVERITY_WARNING,
			  "An interface that forwards IPv6 hears no router advertisements with "
			  "accept_ra=1: the host's IPv6 address and default route end when they "
			  "expire, and with them tunnels and metadata over IPv6.",
			  "Set it to 2 (accept although forwarding), in /etc/sysctl.d as well.",
			  "%s has an IPv6 address by router advertisement, forwards IPv6, and its "
			  "accept_ra is 1",
			  device),
		FIX_WRITE, ra, "2", 0);
	return false;
}

void check_accept_ra(struct exam *x)
{
	struct announced found = { .x = x };
	union netlink_request req;
	struct ifaddrmsg *ifa = netlink_begin(&req, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	struct sn_error e;
	bool good = true;
	int last = 0;

	ifa->ifa_family = AF_INET6;
	if (!x->route || netlink_ask(x->route, &req.h, on_address, &found, &e) < 0)
		return;
	array_foreach(&found.links, index) {
		const struct link_info *link = link_table_find(&x->links, *index);

		if (link && *index != last)
			good &= judge_accept_ra(x, link->o.name);
		last = *index;
	}
	array_free(&found.links);
	if (good)
		exam_ok(x, "no interface loses its IPv6 address by forwarding");
}

/* --- connections -------------------------------------------------------------------------------
 */

void check_conntrack(struct exam *x)
{
	long long count = look_number("/proc/sys/net/netfilter/nf_conntrack_count");
	long long max = look_number("/proc/sys/net/netfilter/nf_conntrack_max");
	const char *why = "When it is full the kernel drops the first packet of every new "
			  "connection, of IKE and of containers, too.";
	const char *next =
		"Raise net.netfilter.nf_conntrack_max (and in /etc/sysctl.d), or find who opens "
		"so many connections: 'conntrack -L' of the package conntrack.";

	if (count < 0 || max <= 0)
		exam_ok(x, "connections are not tracked");
	else if (count >= max)
		exam_find(x, SEVERITY_FAULT, why, next,
			  "the table of tracked connections is full: %lld of %lld", count, max);
	else if (count * 100 >= max * CONNTRACK_NEARLY_FULL)
		exam_find(x, SEVERITY_WARNING, why, next,
			  "the table of tracked connections is nearly full: %lld of %lld", count,
			  max);
	else
		exam_ok(x, "%lld of %lld connections are tracked", count, max);
}
