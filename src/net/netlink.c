/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/time.h>

/* The kernel fills dumps up to 32 KiB a datagram for readers with that much room. */
#define RECEIVE_SIZE 32768

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	bool secret; /* what it says is wiped when it is read: keys of SAs */
	char buffer[RECEIVE_SIZE] __attribute__((aligned(8)));
};

static void set_option(struct netlink *nl, int option)
{
	int one = 1;

	/* kernels that lack one of them give less text or a wider dump, no wrong one */
	mnl_socket_setsockopt(nl->socket, option, &one, sizeof(one));
}

int netlink_new(int bus, struct netlink **ret, struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = xcalloc(1, sizeof(*nl));
	struct timeval limit = { .tv_sec = NETLINK_TIMEOUT_MS / 1000,
				 .tv_usec = NETLINK_TIMEOUT_MS % 1000 * 1000 };

	nl->secret = bus == NETLINK_XFRM;
	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return sn_error_set(e, -errno, "netlink socket: %s", sn_strerror(-errno));
	setsockopt(mnl_socket_get_fd(nl->socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	set_option(nl, NETLINK_EXT_ACK);
	set_option(nl, NETLINK_CAP_ACK);
	set_option(nl, NETLINK_GET_STRICT_CHK);
	*ret = sn_steal(nl);
	return 0;
}

void netlink_free(struct netlink *nl)
{
	if (!nl)
		return;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

uint32_t netlink_port(const struct netlink *nl)
{
	return mnl_socket_get_portid(nl->socket);
}

void *netlink_begin(union netlink_request *req, uint16_t type, uint16_t flags, size_t header_size)
{
	mnl_nlmsg_put_header(req->space);
	req->h.nlmsg_type = type;
	req->h.nlmsg_flags = flags;
	return mnl_nlmsg_put_extra_header(&req->h, header_size);
}

struct attr_table {
	uint16_t max;
	const struct nlattr **v;
};

static int keep_attr(const struct nlattr *attr, void *user)
{
	struct attr_table *table = user;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= table->max)
		table->v[type] = attr;
	return MNL_CB_OK;
}

bool netlink_header(const struct nlmsghdr *nlh, uint16_t type, void *ret, size_t size)
{
	if (nlh->nlmsg_type != type || mnl_nlmsg_get_payload_len(nlh) < size)
		return false;
	memcpy(ret, mnl_nlmsg_get_payload(nlh), size);
	return true;
}

void netlink_attrs(const struct nlmsghdr *nlh, size_t header_size, uint16_t max,
		   const struct nlattr **ret)
{
	struct attr_table table = { max, ret };

	memset(ret, 0, (max + 1u) * sizeof(*ret));
	if (mnl_nlmsg_get_payload_len(nlh) >= header_size)
		mnl_attr_parse(nlh, (unsigned)header_size, keep_attr, &table);
}

void netlink_attrs_nested(const struct nlattr *nest, uint16_t max, const struct nlattr **ret)
{
	struct attr_table table = { max, ret };

	memset(ret, 0, (max + 1u) * sizeof(*ret));
	if (nest)
		mnl_attr_parse_nested(nest, keep_attr, &table);
}

uint32_t netlink_attr_u32(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) >= 4 ? mnl_attr_get_u32(attr) : 0;
}

struct sn_addr netlink_attr_addr(const struct nlattr *attr, uint8_t family)
{
	struct sn_addr a = { .family = family };
	size_t size = sn_addr_size(&a);

	if (!attr || size == 0 || mnl_attr_get_payload_len(attr) < size)
		return (struct sn_addr){ 0 };
	memcpy(a.bytes, mnl_attr_get_payload(attr), size);
	return a;
}

void netlink_attr_string(const struct nlattr *attr, char *ret, size_t size)
{
	size_t len = attr ? strnlen(mnl_attr_get_str(attr), mnl_attr_get_payload_len(attr)) : 0;

	len = SN_MIN(len, size - 1);
	if (len > 0)
		memcpy(ret, mnl_attr_get_str(attr), len);
	ret[len] = '\0';
}

/* offset: where the TLVs of an acknowledgement begin. */
static int refuse(const struct nlmsghdr *nlh, size_t offset, int code, struct sn_error *e)
{
	const struct nlattr *attrs[NLMSGERR_ATTR_MSG + 1] = { 0 };
	char words[256];

	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		netlink_attrs(nlh, offset, NLMSGERR_ATTR_MSG, attrs);
	netlink_attr_string(attrs[NLMSGERR_ATTR_MSG], words, sizeof(words));
	if (words[0])
		return sn_error_set(e, code, "%s (%s)", words, sn_strerror(code));
	return sn_error_set(e, code, "%s", sn_strerror(code));
}

static int read_ack(const struct nlmsghdr *nlh, struct sn_error *e)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*err);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
		return sn_error_set(e, -EBADMSG, "the kernel sent half an acknowledgement");
	if (err->error == 0)
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && err->msg.nlmsg_len > NLMSG_HDRLEN)
		offset += NLMSG_ALIGN(err->msg.nlmsg_len - NLMSG_HDRLEN);
	return refuse(nlh, offset, err->error, e);
}

/* The end of a dump carries an errno of its own. */
static int read_done(const struct nlmsghdr *nlh, struct sn_error *e)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
	return code < 0 ? refuse(nlh, sizeof(code), code, e) : 0;
}

/* What is known of the answer so far. */
struct answer {
	netlink_fn fn;
	void *user;
	bool interrupted;
	bool complete;
	int result; /* of fn: an answer given up is read to its end all the same */
	struct sn_error *e;
};

static int take_message(const struct nlmsghdr *nlh, struct answer *a)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		a->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		a->complete = true;
		return read_ack(nlh, a->e);
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		a->complete = true;
		return read_done(nlh, a->e);
	}
	if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && a->fn && a->result == 0) {
		a->result = a->fn(nlh, a->user);
		if (a->result == NETLINK_ENOUGH)
			a->complete = true;
		if (a->result < 0)
			sn_error_set(a->e, a->result, "%s", sn_strerror(a->result));
	}
	return 0;
}

static int take_datagram(struct netlink *nl, size_t size, struct answer *a)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->buffer;
	int left = (int)size;
	int r = 0;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		/* the late answer to an order that timed out */
		if (nlh->nlmsg_seq != nl->seq)
			continue;
		r = take_message(nlh, a);
		if (a->complete)
			break;
	}
	return r;
}

/* One datagram. 0 or a negative errno, of the socket or the kernel. */
static int receive_piece(struct netlink *nl, struct answer *a)
{
	ssize_t n;

	do
		n = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return sn_error_set(a->e, -ETIMEDOUT, "the kernel did not answer in %d ms",
				    NETLINK_TIMEOUT_MS);
	if (n < 0)
		return sn_error_set(a->e, -errno, "netlink: %s", sn_strerror(-errno));
	return take_datagram(nl, (size_t)n, a);
}

static int result_of(const struct answer *a)
{
	return a->result == 0 && a->interrupted ? NETLINK_INTERRUPTED : a->result;
}

static int send_question(struct netlink *nl, struct nlmsghdr *request, struct sn_error *e)
{
	request->nlmsg_seq = ++nl->seq;
	request->nlmsg_flags |= NLM_F_REQUEST;
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return sn_error_set(e, -errno, "netlink: %s", sn_strerror(-errno));
	return 0;
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_fn fn, void *user,
		struct sn_error *e)
{
	struct answer a = { .fn = fn, .user = user, .e = e };
	int r = send_question(nl, request, e);

	while (r == 0 && !a.complete)
		r = receive_piece(nl, &a);
	return r < 0 ? r : result_of(&a);
}

int netlink_ask_once(int bus, struct nlmsghdr *request, netlink_fn fn, void *user,
		     struct sn_error *e)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	int r = netlink_new(bus, &nl, e);

	if (r == 0)
		r = netlink_ask(nl, request, fn, user, e);
	return r == NETLINK_ENOUGH ? 0 : r;
}

int netlink_order(struct netlink *nl, struct nlmsghdr *request, struct sn_error *e)
{
	return netlink_ask(nl, request, NULL, NULL, e);
}

/* --- transactions ---------------------------------------------------------------- */

static struct nlmsghdr *put_message(struct netlink_transaction *t, uint16_t type, uint16_t flags,
				    uint8_t family, uint16_t res_id)
{
	char *at = t->last ? (char *)t->last + NLMSG_ALIGN(t->last->nlmsg_len) : t->space;
	struct nfgenmsg *nfg;

	sn_require(at + NLMSG_HDRLEN + sizeof(*nfg) <= t->space + sizeof(t->space));
	t->last = mnl_nlmsg_put_header(at);
	t->last->nlmsg_type = type;
	t->last->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(t->last, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->res_id = htons(res_id);
	return t->last;
}

void netlink_transaction_begin(struct netlink_transaction *t)
{
	t->last = NULL;
	put_message(t, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

struct nlmsghdr *netlink_transaction_add(struct netlink_transaction *t, uint16_t message,
					 uint16_t flags, uint8_t family)
{
	return put_message(t, NFNL_SUBSYS_NFTABLES << 8 | message, flags, family, 0);
}

/*
 * All have one number. The last is acknowledged; what is wrong with one is said before that, and
 * what is wrong with all of them instead of it.
 */
int netlink_transaction_run(struct netlink *nl, struct netlink_transaction *t, struct sn_error *e)
{
	struct answer a = { .e = e };
	size_t size;
	int left, r = 0;

	t->last->nlmsg_flags |= NLM_F_ACK;
	put_message(t, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	size = (size_t)((char *)t->last - t->space) + t->last->nlmsg_len;
	nl->seq++;
	left = (int)size;
	for (struct nlmsghdr *h = (struct nlmsghdr *)t->space; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left))
		h->nlmsg_seq = nl->seq;
	if (mnl_socket_sendto(nl->socket, t->space, size) < 0)
		return sn_error_set(e, -errno, "netlink: %s", sn_strerror(-errno));
	while (r == 0 && !a.complete)
		r = receive_piece(nl, &a);
	return r;
}
