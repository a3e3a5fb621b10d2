/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel can do, tried in a namespace of its own (net/trial.h). */
#include "inspect/look.h"

#include "net/net.h"
#include "net/trial.h"

#include <errno.h>

/* True when the trial says something; without privileges nothing can be tried. */
static bool tried(struct exam *x, int r, const struct sn_error *e)
{
	if (r != -EPERM)
		return true;
	exam_unseen(x, "%s", e->text);
	return false;
}

/* Measured with 6.1: xfrm_interface stands on xfrm6_tunnel, which wants IPv6 to be there. */
static const char without_ipv6[] =
	"This kernel runs without IPv6 (ipv6.disable=1 on its command line), and its XFRM "
	"interfaces "
	"need it: start it without that, and switch IPv6 off by the sysctl "
	"net.ipv6.conf.all.disable_ipv6=1 if it is not to be used.";

void check_kernel_dataplane(struct exam *x)
{
	const struct sn_error *e = &x->esp_error;
	bool ipv6 = net_has_ipv6();

	if (x->kernel_has_esp)
		exam_ok(x, "the kernel carries ESP (data plane xfrm)");
	else if (!tried(x, e->code, e))
		return;
	else if (x->config->dataplane == DATAPLANE_XFRM)
		exam_find(x, SEVERITY_FAULT,
			  "The configuration asks for the data plane xfrm, which the kernel "
			  "cannot carry: no tunnel comes up.",
			  !ipv6 ? without_ipv6
				: "Load or install the modules xfrm_interface, esp4 and esp6 "
				  "(Debian: the kernel linux-image-amd64 has them, cloud kernels "
				  "may not), or set \"dataplane\" to \"auto\".",
			  "the kernel has no ESP: %s", e->text);
	else if (x->config->dataplane == DATAPLANE_AUTO)
		exam_find(x, SEVERITY_NOTE,
			  "charon then carries ESP in user space (libipsec): slower, MTU at most "
			  "1400, and not for Rancher's flat plan.",
			  !ipv6 ? without_ipv6
				: "If that is not enough load or install the modules "
				  "xfrm_interface, esp4 and esp6.",
			  "the kernel has no ESP: %s", e->text);
	else
		exam_ok(x, "the kernel has no ESP (%s), and is not asked to carry it", e->text);
}

/* Beside an overlay of IPv4; that of IPv6 alone check_objects() tells. */
void check_kernel_ipv6(struct exam *x)
{
	const struct sn_prefix *overlay = snapshot_overlay(x->snapshot, AF_INET6);

	if (net_has_ipv6())
		exam_ok(x, "the kernel has IPv6");
	else if (!overlay || !host_has_family(snapshot_self(x->snapshot), AF_INET6))
		exam_ok(x, "the kernel has no IPv6, and this host no prefix of it");
	else if (snapshot_overlay(x->snapshot, AF_INET))
		exam_find(x, SEVERITY_WARNING, "Containers of this host have IPv4 alone.",
			  "Start the kernel without ipv6.disable=1, or give this host no prefix "
			  "of it.",
			  "this host has a prefix of the overlay %s, which its kernel cannot carry",
			  SN_PREFIX_STR(overlay));
}

void check_kernel_tun(struct exam *x)
{
	bool needed = x->dataplane == &dataplane_libipsec;
	struct sn_error e;
	int r = trial_tun(&e);

	if (r == 0)
		exam_ok(x, "TUN devices can be made");
	else if (!tried(x, r, &e))
		return;
	else if (needed)
		exam_find(x, SEVERITY_FAULT,
			  "The data plane libipsec carries packets through a TUN device: no "
			  "tunnel carries anything without.",
			  "modprobe tun; in a container or jail give it the device /dev/net/tun.",
			  "no TUN device can be made: %s", e.text);
	else
		exam_ok(x, "no TUN device can be made (%s), and none is needed", e.text);
}

void check_kernel_links(struct exam *x)
{
	static const char *const kinds[] = { "bridge", "veth" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(kinds); i++) {
		struct sn_error e;
		int r = trial_link(kinds[i], &e);

		if (r == 0)
			exam_ok(x, "links of kind %s can be made", kinds[i]);
		else if (!tried(x, r, &e))
			return;
		else
			exam_find(x, SEVERITY_FAULT, "Containers are wired with veths to a bridge.",
				  "Load or install the modules bridge and veth.", "%s", e.text);
	}
}

/* What the guard (plan/guard.c) is made of, each alone so that what is missing is named. */
static const struct {
	const char *what, *modules;
	bool kernel_esp; /* needed with the data plane xfrm only */
	const char *commands;
} features[] = {
	{ "tables of the family inet", "nf_tables, nf_tables_inet", false,
	  "add table inet t; add chain inet t c { type filter hook forward priority 0; }; "
	  "add rule inet t c iifname \"a\" oifname \"b*\" drop" },
	{ "tables of the family bridge", "nf_tables, nf_tables_bridge", false,
	  "add table bridge t; add chain bridge t c { type filter hook prerouting priority 0; }; "
	  "add rule bridge t c arp operation request drop" },
	{ "tables of the family ip", "nf_tables, nf_tables_ipv4", false,
	  "add table ip t; add chain ip t c { type filter hook forward priority 0; }" },
	{ "sets of prefixes", "nf_tables", false,
	  "add table inet t; add set inet t s { type ipv4_addr; flags interval; }; "
	  "add element inet t s { 192.0.2.0/24 }" },
	{ "sets of several fields", "nf_tables", false,
	  "add table bridge t; add set bridge t s { type ifname . ether_addr . ipv4_addr; }; "
	  "add element bridge t s { \"a\" . 02:00:00:00:00:01 . 192.0.2.1 }" },
	{ "the expression fib", "nft_fib, nft_fib_inet, nft_fib_ipv4", true,
	  "add table inet t; add chain inet t c { type filter hook prerouting priority -300; }; "
	  "add rule inet t c fib saddr . iif oif missing drop" },
	{ "the expression rt ipsec", "nft_rt (and a kernel with XFRM)", true,
	  "add table inet t; add chain inet t c { type filter hook postrouting priority 300; }; "
	  "add rule inet t c rt ipsec missing drop" },
	{ "connection tracking", "nft_ct, nf_conntrack", false,
	  "add table inet t; add chain inet t c { type filter hook forward priority 0; }; "
	  "add rule inet t c ct state established,related accept" },
	{ "source NAT", "nft_masq, nft_chain_nat, nf_nat", false,
	  "add table inet t; add chain inet t c { type nat hook postrouting priority 100; }; "
	  "add rule inet t c masquerade" },
};

/* Whether tunnels in UDP go on while charon is away (net/esp_socket.h). */
static void judge_stand_in(struct exam *x)
{
	struct sn_error e;
	int r = trial_stand_in(&e);

	if (r < 0 && tried(x, r, &e))
		exam_find(x, SEVERITY_WARNING,
			  "Whenever charon is restarted, or ends, tunnels in UDP carry nothing to "
			  "this host until it is back.",
			  "Load or install the modules nft_tproxy, nf_tproxy_ipv4, nft_fib_ipv4.",
			  "nftables of this kernel lacks the expression tproxy: %s", e.text);
}

void check_kernel_nft(struct exam *x)
{
	size_t missing = 0;

	for (size_t i = 0; i < SN_ARRAY_SIZE(features); i++) {
		struct sn_error e;
		int r;

		if (features[i].kernel_esp && x->dataplane != &dataplane_xfrm)
			continue;
		r = trial_nft(features[i].commands, &e);
		if (r == 0)
			continue;
		if (!tried(x, r, &e))
			return;
		missing++;
		finding_set_next(
			exam_find(x, SEVERITY_FAULT,
				  "The guard that keeps the overlay from leaving in clear cannot "
				  "be loaded, and sennitd sets up nothing without it.",
				  NULL, "nftables of this kernel lacks %s: %s", features[i].what,
				  e.text),
			"Load or install the modules %s.", features[i].modules);
	}
	if (!missing)
		exam_ok(x, "nftables has all that the guard needs");
	if (x->dataplane->kernel_esp)
		judge_stand_in(x);
}
