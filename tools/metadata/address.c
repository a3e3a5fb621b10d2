/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "address.h"

#include "base/addr.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <time.h>

#define ANSWER_BYTES 16384

struct rtnl {
	struct mnl_socket *socket;
	unsigned port;
	unsigned lo;
};

static void rtnl_fini(struct rtnl *n)
{
	if (n->socket)
		mnl_socket_close(n->socket);
}

static int rtnl_init(struct rtnl *n)
{
	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n->socket || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	n->port = mnl_socket_get_portid(n->socket);
	n->lo = if_nametoindex("lo");
	return n->lo ? 0 : -errno;
}

/* Sends and takes all answers. */
static int talk(struct rtnl *n, const struct nlmsghdr *nlh, mnl_cb_t cb, void *user)
{
	char buf[ANSWER_BYTES];
	int r = 1;

	if (mnl_socket_sendto(n->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (r > 0) {
		ssize_t len = mnl_socket_recvfrom(n->socket, buf, sizeof(buf));

		if (len < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)len, nlh->nlmsg_seq, n->port, cb, user);
	}
	return r < 0 ? -errno : 0;
}

static int change(struct rtnl *n, uint16_t type, uint16_t flags)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	struct sn_addr a;

	sn_require(sn_addr_parse(LOCAL_ADDRESS, &a) == 0);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = 1;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	*ifa = (struct ifaddrmsg){
		.ifa_family = AF_INET,
		.ifa_prefixlen = 32,
		.ifa_scope = RT_SCOPE_HOST,
		.ifa_index = n->lo,
	};
	mnl_attr_put(nlh, IFA_LOCAL, 4, a.bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, 4, a.bytes);
	mnl_attr_put_strz(nlh, IFA_LABEL, LOCAL_ADDRESS_LABEL);
	return talk(n, nlh, NULL, NULL);
}

static int on_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	bool *ours = user, same = false, label = false;
	struct nlattr *attr;
	struct sn_addr a;

	sn_require(sn_addr_parse(LOCAL_ADDRESS, &a) == 0);
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			same = mnl_attr_get_payload_len(attr) == 4 &&
			       memcmp(mnl_attr_get_payload(attr), a.bytes, 4) == 0;
		else if (mnl_attr_get_type(attr) == IFA_LABEL)
			label = streq(mnl_attr_get_str(attr), LOCAL_ADDRESS_LABEL);
	}
	*ours |= same && label;
	return MNL_CB_OK;
}

static int is_ours(struct rtnl *n, bool *ret)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 2;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	*ifa = (struct ifaddrmsg){ .ifa_family = AF_INET };
	*ret = false;
	return talk(n, nlh, on_address, ret);
}

int local_address_add(struct sn_error *e)
{
	_cleanup_(rtnl_fini) struct rtnl n = { .socket = NULL };
	bool ours = true;
	int r = rtnl_init(&n);

	if (r == 0)
		r = change(&n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	if (r == -EEXIST)
		r = is_ours(&n, &ours);
	if (r < 0)
		return sn_error_set(e, r, "cannot add %s to lo: %s; --add-address takes root",
				    LOCAL_ADDRESS, sn_strerror(r));
	return ours;
}

void local_address_remove(void)
{
	_cleanup_(rtnl_fini) struct rtnl n = { .socket = NULL };

	if (rtnl_init(&n) == 0)
		change(&n, RTM_DELADDR, 0);
}
