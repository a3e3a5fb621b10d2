/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/advertised.h"

#include "net/link.h"

#include <errno.h>
#include <stdio.h>

static bool has_value(const char *device, const char *name, const char *value)
{
	char path[96], now[16];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", device, name);
	return sysctl_read(path, now, sizeof(now)) == 0 && streq(now, value);
}

static bool is_ours(struct sysctls *s, const char *device)
{
	char path[96];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/accept_ra", device);
	return sysctl_is_ours(s, path);
}

static bool hears(struct sysctls *s, const struct link_info *link)
{
	const char *device = link->o.name;

	if (link->ours || link->master || streq(device, "lo") || streq(link->kind, "tun"))
		return false;
	/* others (systemd-networkd) set 0 and listen themselves */
	return has_value(device, "disable_ipv6", "0") &&
	       (has_value(device, "accept_ra", "1") || is_ours(s, device));
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int advertised_devices(struct netlink *nl, struct sysctls *sysctls,
		       struct intent_device ret[static INTENT_ADVERTISED_MAX], struct sn_error *e)
{
	_cleanup_link_table_ struct link_table links = { 0 };
	int n = 0, r = link_table_read(nl, &links, e);

	if (r != 0)
		return r < 0 ? r : sn_error_set(e, -EAGAIN, "interfaces: they changed meanwhile");
	array_foreach(&links.l, link) {
		if (n < INTENT_ADVERTISED_MAX && hears(sysctls, link))
			memcpy(ret[n++].name, link->o.name, IFNAMSIZ);
	}
	qsort(ret, (size_t)n, sizeof(*ret), cmp_names);
	return n;
}
