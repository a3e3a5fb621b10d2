/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes is matched to the question by the SPI that it carries, answers
 * and the packets quoted in ICMP errors alike; only what carries none is matched by
 * its address. Every datagram has an SPI of its own, so that a late answer is not
 * taken for that of the next one; the full question keeps its SPI, so
 * that the peer sees one negotiation.
 *
 * The sockets are not connected: an answer from another address is
 * evidence, too. An error that the kernel holds for such a socket
 * (SO_ERROR) is of an earlier datagram, and taken off before each sendmsg(2).
 */
#include "probe/ike_prober.h"

#include "base/array.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <stdio.h>
#include <time.h>

#define READS_PER_TURN 64
#define FORMS 2 /* without and with marker */
#define DATAGRAMS_MAX (IKE_TRIES_MAX * FORMS)

struct datagram {
	uint8_t spi[IKE_SPI_SIZE];
	bool marker;
	size_t len;
	int64_t sent_us;
};

struct ike_ask {
	struct ike_prober *prober;
	struct ike_question q;
	ike_asked_fn fn;
	void *user;
	struct loop_timer *timer;
	struct ike_evidence e;
	struct ike_endpoint local;
	struct datagram datagrams[DATAGRAMS_MAX];
	unsigned n_datagrams, tries;
	int64_t begin_ms; /* first sent; 0: not yet */
	bool reserved;    /* the next try has its place in the rate */
	bool ended;
	uint8_t init[IKE_INIT_MAX]; /* the full question */
	size_t init_len;
};

struct endpoint_socket {
	int fd; /* -1: not open */
	struct loop_io *io;
	uint16_t port;
	bool whole; /* what is sent is not fragmented */
};

struct ike_prober {
	struct loop *loop;
	struct ike_prober_options options;
	struct endpoint_socket v4, v6;
	ARRAY(struct ike_ask *) asks;
	int64_t next_us; /* when the rate allows another datagram */
	struct ifaddrs *own;
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- addresses of this host ------------------------------------------------ */

static bool same_network(const struct sn_addr *own, const struct sockaddr *mask,
			 const struct sn_addr *a)
{
	struct sn_addr m;
	bool any = false;

	if (own->family != a->family || sn_addr_from_sockaddr(mask, &m, NULL) < 0)
		return false;
	for (size_t i = 0; i < sn_addr_size(a); i++) {
		if ((own->bytes[i] ^ a->bytes[i]) & m.bytes[i])
			return false;
		any = any || m.bytes[i];
	}
	return any;
}

/* Whether the address is this host's (exactly), or in a network of it. */
static bool is_own(const struct ike_prober *p, const struct sn_addr *a, bool exactly)
{
	struct sn_addr own;

	for (const struct ifaddrs *i = p->own; i; i = i->ifa_next) {
		if (!i->ifa_addr || sn_addr_from_sockaddr(i->ifa_addr, &own, NULL) < 0)
			continue;
		if (sn_addr_cmp(&own, a) == 0)
			return true;
		if (!exactly && i->ifa_netmask && same_network(&own, i->ifa_netmask, a))
			return true;
	}
	return false;
}

/* The last address of a network of this host (which ifa_broadaddr need not name). */
static bool is_broadcast(const struct ike_prober *p, const struct sn_addr *a)
{
	for (const struct ifaddrs *i = p->own; i; i = i->ifa_next) {
		uint32_t own, mask, to;

		if (a->family != AF_INET || !i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    !i->ifa_netmask || !(i->ifa_flags & IFF_BROADCAST))
			continue;
		own = ntohl(((const struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr);
		mask = ntohl(((const struct sockaddr_in *)i->ifa_netmask)->sin_addr.s_addr);
		memcpy(&to, a->bytes, sizeof(to));
		/* a /31 and a /32 have none (RFC 3021) */
		if (~mask > 1 && ntohl(to) == (own | ~mask))
			return true;
	}
	return false;
}

/* What a packet to it leaves from; unset when there is no route. */
static struct sn_addr local_address(const struct ike_prober *p, const struct sockaddr_storage *to)
{
	_cleanup_close_ int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct sn_addr a = { 0 };

	if (sn_addr_is_set(&p->options.source))
		return p->options.source;
	if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		sn_addr_from_sockaddr((struct sockaddr *)&own, &a, NULL);
	return a;
}

static const char *never_asked_v6(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a))
		return "an IPv4 address in IPv6's form: write it as IPv4";
	if (IN6_IS_ADDR_MULTICAST(a))
		return "a multicast address";
	if (IN6_IS_ADDR_UNSPECIFIED(a))
		return "not the address of a host";
	return NULL;
}

static const char *never_asked_v4(in_addr_t a)
{
	if (IN_MULTICAST(a))
		return "a multicast address";
	if (a == INADDR_BROADCAST)
		return "the broadcast address";
	/* 0.0.0.0/8, 240.0.0.0/4 */
	if (a >> 24 == 0 || IN_BADCLASS(a))
		return "not the address of a host";
	return NULL;
}

const char *ike_never_asked(const struct sockaddr *to)
{
	if (to->sa_family == AF_INET)
		return never_asked_v4(ntohl(((const struct sockaddr_in *)to)->sin_addr.s_addr));
	if (to->sa_family == AF_INET6)
		return never_asked_v6(&((const struct sockaddr_in6 *)to)->sin6_addr);
	return "neither an IPv4 nor an IPv6 address";
}

/* --- the end of a question ------------------------------------------------- */

static void end(struct ike_ask *a)
{
	if (a->ended)
		return;
	a->ended = true;
	a->e.waited_ms = a->begin_ms ? sn_now_ms() - a->begin_ms : 0;
	/* told in a turn of its own: the caller may free whatever it likes */
	loop_timer_set(a->timer, 0);
}

static void note_refusal(struct ike_ask *a, const struct ike_refusal *r)
{
	if (a->ended || a->e.refusal.error)
		return;
	a->e.refusal = *r;
	end(a);
}

/* --- receiving ------------------------------------------------------------- */

static struct ike_ask *find_by_spi(struct ike_prober *p, const uint8_t *spi, struct datagram **ret)
{
	array_foreach(&p->asks, ask) {
		struct ike_ask *a = *ask;

		for (unsigned i = a->n_datagrams; i-- > 0;) {
			if (memcmp(a->datagrams[i].spi, spi, IKE_SPI_SIZE) == 0) {
				*ret = &a->datagrams[i];
				return a;
			}
		}
	}
	return NULL;
}

static struct ike_ask *find_by_address(struct ike_prober *p, const struct ike_endpoint *end_,
				       struct datagram **ret)
{
	array_foreach(&p->asks, ask) {
		struct ike_ask *a = *ask;

		/* port 0: the kernel's own errors of a socket that is not connected */
		if (a->ended || a->n_datagrams == 0 ||
		    (end_->port != 0 && a->e.target.port != end_->port) ||
		    sn_addr_cmp(&a->e.target.addr, &end_->addr) != 0)
			continue;
		*ret = &a->datagrams[a->n_datagrams - 1];
		return a;
	}
	return NULL;
}

static struct ike_ask *find(struct ike_prober *p, const uint8_t *data, size_t len,
			    const struct ike_endpoint *other, struct datagram **ret)
{
	const uint8_t *spi = ike_message_spi(data, len);
	struct ike_ask *a = spi ? find_by_spi(p, spi, ret) : NULL;

	return a ? a : find_by_address(p, other, ret);
}

static size_t write_datagram(struct ike_ask *a, const struct datagram *d, uint8_t *buf)
{
	if (a->q.full) {
		memcpy(buf, a->init, a->init_len);
		return a->init_len;
	}
	return ike_probe_write(d->spi, d->marker, d->len, buf);
}

static void note_rtt(struct ike_evidence *e, int64_t rtt_us)
{
	e->rtt_min_us = e->answers == 0 ? rtt_us : SN_MIN(e->rtt_min_us, rtt_us);
	e->rtt_max_us = SN_MAX(e->rtt_max_us, rtt_us);
	e->rtt_sum_us += rtt_us;
}

static void take_answer(struct ike_prober *p, const uint8_t *data, size_t len,
			const struct ike_endpoint *from)
{
	static uint8_t sent[IKE_PROBE_MAX];
	struct datagram *d;
	struct ike_ask *a = find(p, data, len, from, &d);
	struct ike_answer answer;

	if (!a || a->ended)
		return;
	ike_answer_parse(data, len, sent, write_datagram(a, d, sent), &answer);
	note_rtt(&a->e, now_us() - d->sent_us);
	a->e.answers++;
	a->e.bytes_received += len;
	a->e.answer = answer;
	a->e.from = *from;
	if (a->q.full && answer.kind == IKE_ANSWER_INIT)
		a->e.nat = ike_judge_nat(&answer, d->spi, &a->local, &a->e.target);
	/* a stray datagram does not end it: the answer may come yet */
	if (answer.kind != IKE_ANSWER_FOREIGN)
		end(a);
}

static void take_error(struct ike_prober *p, struct msghdr *m, const uint8_t *data, size_t len)
{
	const struct sock_extended_err *err = NULL;
	struct ike_refusal r = { 0 };
	struct ike_endpoint to = { 0 };
	struct datagram *d;
	struct ike_ask *a;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			err = (const void *)CMSG_DATA(c);
	if (!err || sn_addr_from_sockaddr(m->msg_name, &to.addr, &to.port) < 0)
		return;
	a = find(p, data, len, &to, &d);
	if (!a)
		return;
	r.error = (int)err->ee_errno;
	r.icmp = err->ee_origin == SO_EE_ORIGIN_ICMP || err->ee_origin == SO_EE_ORIGIN_ICMP6;
	r.type = err->ee_type;
	r.code = err->ee_code;
	r.mtu = r.error == EMSGSIZE ? err->ee_info : 0;
	if (r.icmp)
		sn_addr_from_sockaddr(SO_EE_OFFENDER(err), &r.offender, NULL);
	r.by_us = sn_addr_is_set(&r.offender) && is_own(p, &r.offender, true);
	note_refusal(a, &r);
}

/* One datagram (flags 0) or one error (MSG_ERRQUEUE). Whether there was one. */
static bool receive_one(struct ike_prober *p, int fd, int flags)
{
	static uint8_t data[IKE_ANSWER_MAX];
	char control[512];
	struct sockaddr_storage from = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, flags | MSG_DONTWAIT);
	struct ike_endpoint sender;

	if (n < 0)
		/* a pending error is told once, then come datagrams; the error queue has it too */
		return !(flags & MSG_ERRQUEUE) && errno != EAGAIN && errno != EBADF;
	if (flags & MSG_ERRQUEUE)
		take_error(p, &m, data, (size_t)n);
	else if (sn_addr_from_sockaddr((struct sockaddr *)&from, &sender.addr, &sender.port) == 0)
		take_answer(p, data, (size_t)n, &sender);
	return true;
}

static void on_readable(int fd, unsigned events, void *user)
{
	struct ike_prober *p = user;

	(void)events;
	/* answers first: who answered is not refused */
	for (unsigned i = 0; i < READS_PER_TURN && receive_one(p, fd, 0); i++)
		;
	for (unsigned i = 0; i < READS_PER_TURN && receive_one(p, fd, MSG_ERRQUEUE); i++)
		;
}

/* --- the sockets ----------------------------------------------------------- */

static int bind_source(struct ike_prober *p, int fd, int family, struct sn_error *e)
{
	struct sn_addr any = { .family = (uint8_t)family };
	const struct sn_addr *source =
		sn_addr_is_set(&p->options.source) ? &p->options.source : &any;
	struct sockaddr_storage own;
	socklen_t len = sn_addr_to_sockaddr(source, p->options.source_port, &own);
	int error;

	if (bind(fd, (struct sockaddr *)&own, len) == 0)
		return 0;
	error = errno;
	if (error == EADDRINUSE)
		return sn_error_set(e, -error,
				    "source port %u is in use (by an IKE daemon?): leave -p out, "
				    "any port will do",
				    p->options.source_port);
	if (error == EACCES)
		return sn_error_set(e, -error,
				    "source port %u takes root: leave -p out, any port will do",
				    p->options.source_port);
	if (error == EADDRNOTAVAIL)
		return sn_error_set(e, -error, "source address %s is none of this host",
				    SN_ADDR_STR(source));
	return sn_error_set(e, -error, "cannot bind a socket: %s", sn_strerror(-error));
}

static int set_options(int fd, int family)
{
	int on = 1;

	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

static struct endpoint_socket *socket_of(struct ike_prober *p, int family)
{
	return family == AF_INET ? &p->v4 : &p->v6;
}

static int open_socket(struct ike_prober *p, int family, struct sn_error *e)
{
	struct endpoint_socket *s = socket_of(p, family);
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct sn_addr addr;
	int r;

	if (s->fd >= 0)
		return 0;
	if (sn_addr_is_set(&p->options.source) && p->options.source.family != family)
		return sn_error_set(e, -EAFNOSUPPORT,
				    "source address %s is of the other family than the target",
				    SN_ADDR_STR(&p->options.source));
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || set_options(fd, family) < 0)
		return sn_error_set(e, -errno, "cannot make a socket: %s", sn_strerror(-errno));
	r = bind_source(p, fd, family, e);
	if (r < 0)
		return r;
	if (getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		sn_addr_from_sockaddr((struct sockaddr *)&own, &addr, &s->port);
	s->fd = sn_steal_fd(&fd);
	s->io = loop_io_new(p->loop, s->fd, LOOP_READ, on_readable, p);
	return 0;
}

/* Whether the kernel may fragment what is sent from now on. */
static void set_whole(struct endpoint_socket *s, int family, bool whole)
{
	int v4 = whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_WANT;
	int v6 = whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT, dont = whole;

	if (s->whole == whole)
		return;
	s->whole = whole;
	if (family == AF_INET) {
		setsockopt(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
		return;
	}
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_DONTFRAG, &dont, sizeof(dont));
}

/* --- sending --------------------------------------------------------------- */

static socklen_t length_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* The source of a question goes with the datagram: the sockets are one for all. */
static void set_source(struct msghdr *m, const struct sn_addr *source)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo v4 = { 0 };
	struct in6_pktinfo v6 = { 0 };
	bool is_v4 = source->family == AF_INET;
	size_t size = is_v4 ? sizeof(v4) : sizeof(v6);

	memcpy(&v4.ipi_spec_dst, source->bytes, sizeof(v4.ipi_spec_dst));
	memcpy(&v6.ipi6_addr, source->bytes, sizeof(v6.ipi6_addr));
	c->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), is_v4 ? (void *)&v4 : (void *)&v6, size);
	m->msg_controllen = CMSG_SPACE(size);
}

static ssize_t send_from(int fd, struct ike_question *q, uint8_t *data, size_t len)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
	struct iovec iov = { data, len };
	struct msghdr m = { .msg_name = &q->to,
			    .msg_namelen = length_of(&q->to),
			    .msg_iov = &iov,
			    .msg_iovlen = 1 };

	if (sn_addr_is_set(&q->source)) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		set_source(&m, &q->source);
	}
	return sendmsg(fd, &m, 0);
}

static void send_one(struct ike_ask *a, bool marker)
{
	static uint8_t buf[IKE_PROBE_MAX];
	struct endpoint_socket *s = socket_of(a->prober, a->q.to.ss_family);
	struct datagram *d = &a->datagrams[a->n_datagrams++];
	int pending;
	socklen_t pending_len = sizeof(pending);

	if (a->q.full)
		memcpy(d->spi, ike_message_spi(a->init, a->init_len), IKE_SPI_SIZE);
	else
		ike_probe_spi(d->spi);
	d->marker = marker;
	d->len = a->q.size;
	d->len = write_datagram(a, d, buf);
	set_whole(s, a->q.to.ss_family, a->q.size > 0);
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &pending, &pending_len);
	d->sent_us = now_us();
	a->e.sent++;
	if (send_from(s->fd, &a->q, buf, d->len) < 0) {
		const struct ike_refusal r = { .error = errno };

		/* the error queue says the MTU */
		while (r.error == EMSGSIZE && receive_one(a->prober, s->fd, MSG_ERRQUEUE))
			;
		note_refusal(a, &r);
		return;
	}
	a->e.bytes_sent += d->len;
}

static void send_try(struct ike_ask *a)
{
	unsigned port = a->e.target.port;

	if (a->begin_ms == 0)
		a->begin_ms = sn_now_ms();
	a->tries++;
	if (a->q.full) {
		send_one(a, port != IKE_PORT);
		return;
	}
	if (port != IKE_NAT_PORT)
		send_one(a, false);
	if (port != IKE_PORT && !a->ended)
		send_one(a, true);
}

/* The place of the next try in the prober's rate: how long it has to wait. */
static int64_t reserve(struct ike_ask *a)
{
	struct ike_prober *p = a->prober;
	bool twice = a->e.target.port != IKE_PORT && a->e.target.port != IKE_NAT_PORT;
	int64_t now = now_us(), at = SN_MAX(now, p->next_us);

	p->next_us = at + (int64_t)(twice ? 2 : 1) * 1000000 / p->options.rate;
	a->reserved = true;
	return (at - now) / 1000;
}

static void on_timer(void *user)
{
	struct ike_ask *a = user;
	int64_t wait;

	if (a->ended) {
		a->fn(&a->e, a->user);
		return;
	}
	if (a->tries < a->q.tries && !a->reserved) {
		wait = reserve(a);
		if (wait > 0) {
			loop_timer_set(a->timer, wait);
			return;
		}
	}
	if (a->tries == a->q.tries) {
		end(a);
		return;
	}
	a->reserved = false;
	send_try(a);
	if (a->ended)
		return;
	wait = a->begin_ms + a->q.wait_ms * a->tries / (a->q.tries + 1) - sn_now_ms();
	if (a->tries == a->q.tries)
		wait = a->begin_ms + a->q.wait_ms - sn_now_ms();
	loop_timer_set(a->timer, SN_MAX(wait, 1));
}

/* --- public ---------------------------------------------------------------- */

struct ike_prober *ike_prober_new(struct loop *loop, const struct ike_prober_options *o)
{
	struct ike_prober *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->options = *o;
	if (p->options.rate == 0)
		p->options.rate = IKE_RATE_DEFAULT;
	p->options.rate = SN_MIN(p->options.rate, IKE_RATE_MAX);
	p->v4.fd = p->v6.fd = -1;
	p->own = o->own;
	/* without it "by us" is not seen, no more */
	if (!p->own && getifaddrs(&p->own) < 0)
		p->own = NULL;
	return p;
}

static void close_socket(struct endpoint_socket *s)
{
	if (s->fd < 0)
		return;
	loop_io_free(s->io);
	close(s->fd);
}

bool ike_prober_owns(const struct ike_prober *p, const struct sn_addr *a)
{
	return is_own(p, a, true);
}

void ike_prober_free(struct ike_prober *p)
{
	if (!p)
		return;
	sn_require(p->asks.n == 0);
	close_socket(&p->v4);
	close_socket(&p->v6);
	if (p->own)
		freeifaddrs(p->own);
	array_free(&p->asks);
	free(p);
}

static void prepare_full(struct ike_ask *a)
{
	uint8_t spi[IKE_SPI_SIZE];

	ike_probe_spi(spi);
	a->init_len =
		ike_init_write(spi, a->e.target.port != IKE_PORT, &a->local, &a->e.target, a->init);
}

int ike_ask_new(struct ike_prober *p, const struct ike_question *q, ike_asked_fn fn, void *user,
		struct ike_ask **ret, struct sn_error *e)
{
	const char *never = ike_never_asked((const struct sockaddr *)&q->to);
	struct sn_addr to;
	struct ike_ask *a;
	int r;

	if (!never && sn_addr_from_sockaddr((const struct sockaddr *)&q->to, &to, NULL) == 0 &&
	    is_broadcast(p, &to))
		never = "a broadcast address";
	if (never)
		return sn_error_set(e, -EINVAL, "%s, which is never asked", never);
	r = open_socket(p, q->to.ss_family, e);
	if (r < 0)
		return r;
	a = xcalloc(1, sizeof(*a));
	a->prober = p;
	a->q = *q;
	a->q.tries = SN_MIN(q->tries ? q->tries : IKE_TRIES_DEFAULT, IKE_TRIES_MAX);
	a->q.wait_ms = q->wait_ms ? q->wait_ms : IKE_WAIT_DEFAULT_MS;
	a->q.size = SN_MIN(q->size, IKE_PROBE_MAX);
	a->fn = fn;
	a->user = user;
	sn_addr_from_sockaddr((const struct sockaddr *)&q->to, &a->e.target.addr,
			      &a->e.target.port);
	a->e.local = sn_addr_is_set(&q->source) ? q->source : local_address(p, &q->to);
	a->e.on_link = is_own(p, &a->e.target.addr, false);
	a->local = (struct ike_endpoint){ a->e.local, socket_of(p, q->to.ss_family)->port };
	if (q->full)
		prepare_full(a);
	a->timer = loop_timer_new(p->loop, on_timer, a);
	*array_add(&p->asks) = a;
	loop_timer_set(a->timer, 0);
	*ret = a;
	return 0;
}

void ike_ask_free(struct ike_ask *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->prober->asks.n; i++) {
		if (a->prober->asks.v[i] == a) {
			array_remove(&a->prober->asks, i);
			break;
		}
	}
	loop_timer_free(a->timer);
	free(a);
}
