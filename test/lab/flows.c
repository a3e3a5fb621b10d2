/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbered UDP packets between containers, to see every single loss.
 *
 *	sennit-flows --netns PATH --log FILE [--port N] [--rate N] [--size N] [--echo] [--ipv6]
 *		[TARGET …]
 *
 * Enters the namespace and sends to each TARGET, --rate packets a second, and takes what others
 * send. Nothing is counted here: each event is a line of FILE, and who reads it (flows.py) joins
 * both ends. So a log is good up to its last line however this process ended.
 *
 *	S TIME TARGET SEQ		sent
 *	X TIME TARGET SEQ ERRNO		refused by our own kernel
 *	R TIME SOURCE SEQ		one of SOURCE's arrived here
 *	A TIME TARGET SEQ		ours came back (--echo)
 *	E TIME TARGET SEQ ERRNO		an ICMP error came back
 *
 * TIME is CLOCK_MONOTONIC in µs, the same for all on a machine. SIGUSR1 ends the sending, SIGTERM
 *the program. The payload begins with FLOW_MARK, so that a capture can be searched for plaintext.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FLOW_MARK "SENNIT-FLOW-PLAINTEXT-MARK"
#define FLOW_MAX_TARGETS 512
#define FLOW_MAX_SIZE 8192
/* After a stall of this process at most so many packets are sent at once. */
#define FLOW_MAX_BURST 1000

enum flow_kind { FLOW_ONE_WAY = 1, FLOW_REQUEST = 2, FLOW_ANSWER = 3 };

struct flow_packet {
	char mark[sizeof(FLOW_MARK)];
	uint8_t kind;
	uint32_t seq; /* network byte order */
} __attribute__((packed));

/* Whom to: all of one family. */
union flow_end {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct flows {
	union flow_end targets[FLOW_MAX_TARGETS];
	size_t n_targets;
	sa_family_t family;
	uint64_t sent; /* to all: target sent % n_targets gets number sent / n_targets */
	uint16_t port;
	unsigned rate;
	size_t size;
	enum flow_kind kind;
	int sock, timer, signals;
	FILE *log;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void log_event(struct flows *f, char what, const union flow_end *who, uint32_t seq, int err)
{
	const void *addr = f->family == AF_INET6 ? (const void *)&who->in6.sin6_addr
						 : (const void *)&who->in.sin_addr;
	char name[INET6_ADDRSTRLEN];

	inet_ntop(f->family, addr, name, sizeof(name));
	fprintf(f->log, "%c %" PRId64 " %s %u", what, now_us(), name, seq);
	if (err)
		fprintf(f->log, " %d", err);
	fputc('\n', f->log);
}

static bool parse(const uint8_t *buf, ssize_t n, struct flow_packet *ret)
{
	if (n < (ssize_t)sizeof(*ret))
		return false;
	memcpy(ret, buf, sizeof(*ret));
	return memcmp(ret->mark, FLOW_MARK, sizeof(ret->mark)) == 0;
}

static bool is_error(const struct cmsghdr *c)
{
	return (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
	       (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
}

/* ICMP errors: what was sent, and why it did not arrive (ip(7), IP_RECVERR). */
static void on_error(struct flows *f)
{
	uint8_t buf[FLOW_MAX_SIZE], control[512];
	union flow_end to;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct flow_packet p = { 0 };
	struct sock_extended_err err;
	ssize_t n;

	while ((n = recvmsg(f->sock, &m, MSG_ERRQUEUE)) >= 0) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		if (c && is_error(c)) {
			memcpy(&err, CMSG_DATA(c), sizeof(err));
			log_event(f, 'E', &to, parse(buf, n, &p) ? ntohl(p.seq) : UINT32_MAX,
				  err.ee_errno);
		}
		m.msg_namelen = sizeof(to);
		m.msg_controllen = sizeof(control);
	}
}

static socklen_t size_of_end(const struct flows *f)
{
	return f->family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* to: as it came, or as it was given. */
static int send_packet(struct flows *f, enum flow_kind kind, const union flow_end *to, uint32_t seq)
{
	uint8_t buf[FLOW_MAX_SIZE] = { 0 };
	struct flow_packet p = { .mark = FLOW_MARK, .kind = kind, .seq = htonl(seq) };

	memcpy(buf, &p, sizeof(p));
	if (sendto(f->sock, buf, f->size, 0, &to->sa, size_of_end(f)) >= 0)
		return 0;
	/* it may only have told an earlier packet's ICMP error: take that and try again */
	on_error(f);
	if (sendto(f->sock, buf, f->size, 0, &to->sa, size_of_end(f)) >= 0)
		return 0;
	return errno;
}

static void send_next(struct flows *f)
{
	const union flow_end *to = &f->targets[f->sent % f->n_targets];
	uint32_t seq = f->sent / f->n_targets;
	int err = send_packet(f, f->kind, to, seq);

	log_event(f, err ? 'X' : 'S', to, seq, err);
	f->sent++;
}

static void on_timer(struct flows *f)
{
	uint64_t due;

	if (read(f->timer, &due, sizeof(due)) != sizeof(due))
		return;
	for (uint64_t i = 0; i < due && i < FLOW_MAX_BURST; i++)
		send_next(f);
}

static void on_packet(struct flows *f)
{
	uint8_t buf[FLOW_MAX_SIZE];
	struct flow_packet p;
	union flow_end from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(f->sock, buf, sizeof(buf), 0, &from.sa, &len)) >= 0) {
		len = sizeof(from);
		if (!parse(buf, n, &p))
			continue;
		log_event(f, p.kind == FLOW_ANSWER ? 'A' : 'R', &from, ntohl(p.seq), 0);
		if (p.kind == FLOW_REQUEST)
			(void)send_packet(f, FLOW_ANSWER, &from, ntohl(p.seq));
	}
}

/* The targets take turns, so that the packets are spread over the second. */
static void set_timer(struct flows *f, bool on)
{
	uint64_t ns = on && f->n_targets ? 1000000000ull / (f->rate * f->n_targets) : 0;
	struct timespec each = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
	struct itimerspec spec = { .it_interval = each, .it_value = each };

	if (timerfd_settime(f->timer, 0, &spec, NULL) < 0)
		error(1, errno, "timer");
	fprintf(f->log, on ? "# started\n" : "# stopped\n");
}

/* False when it is time to end. */
static bool on_signal(struct flows *f)
{
	struct signalfd_siginfo si;

	while (read(f->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGUSR1)
			set_timer(f, false);
		else if (si.ssi_signo == SIGUSR2)
			set_timer(f, true);
		else
			return false;
	}
	return true;
}

static void run(struct flows *f)
{
	struct pollfd fds[] = {
		{ .fd = f->sock, .events = POLLIN },
		{ .fd = f->timer, .events = POLLIN },
		{ .fd = f->signals, .events = POLLIN },
	};

	fprintf(f->log, "# ready\n");
	for (;;) {
		fflush(f->log);
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents & POLLERR)
			on_error(f);
		if (fds[0].revents & POLLIN)
			on_packet(f);
		if (fds[1].revents)
			on_timer(f);
		if (fds[2].revents && !on_signal(f))
			return;
	}
}

static void open_signals(struct flows *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (f->signals < 0)
		error(1, errno, "signalfd");
}

static void set_port(union flow_end *end, sa_family_t family, uint16_t port)
{
	end->sa.sa_family = family;
	if (family == AF_INET6)
		end->in6.sin6_port = htons(port);
	else
		end->in.sin_port = htons(port);
}

static void open_socket(struct flows *f)
{
	union flow_end any = { 0 };
	int on = 1, off = IP_PMTUDISC_DONT, room = 4 << 20;

	set_port(&any, f->family, f->port);
	f->sock = socket(f->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->sock < 0 || bind(f->sock, &any.sa, size_of_end(f)) < 0)
		error(1, errno, "UDP port %u", f->port);
	/* large packets are to be cut into fragments, not refused */
	if (f->family == AF_INET6) {
		setsockopt(f->sock, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
		setsockopt(f->sock, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &off, sizeof(off));
	} else {
		setsockopt(f->sock, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		setsockopt(f->sock, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off));
	}
	/* a busy machine is no loss on the way: beyond rmem_max, as root may */
	setsockopt(f->sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

static void enter(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		error(1, errno, "%s", netns);
	close(fd);
}

static unsigned number(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v < min || v > max)
		error(2, 0, "%s: not a number from %u to %u", text, min, max);
	return v;
}

static void add_target(struct flows *f, const char *text)
{
	union flow_end *end = &f->targets[f->n_targets];
	void *addr = f->family == AF_INET6 ? (void *)&end->in6.sin6_addr : &end->in.sin_addr;

	if (f->n_targets == FLOW_MAX_TARGETS)
		error(2, 0, "more than %d targets", FLOW_MAX_TARGETS);
	f->n_targets++;
	set_port(end, f->family, f->port);
	if (inet_pton(f->family, text, addr) != 1)
		error(2, 0, "%s: not an IPv%c address", text, f->family == AF_INET6 ? '6' : '4');
}

static void parse_options(struct flows *f, int argc, char **argv, const char **ret_netns)
{
	static const struct option options[] = {
		{ "netns", required_argument, NULL, 'n' }, { "log", required_argument, NULL, 'l' },
		{ "port", required_argument, NULL, 'p' },  { "rate", required_argument, NULL, 'r' },
		{ "size", required_argument, NULL, 's' },  { "echo", no_argument, NULL, 'e' },
		{ "ipv6", no_argument, NULL, '6' },        { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			*ret_netns = optarg;
		else if (c == 'l')
			f->log = fopen(optarg, "we");
		else if (c == 'p')
			f->port = number(optarg, 1, 65535);
		else if (c == 'r')
			f->rate = number(optarg, 1, 1000);
		else if (c == 's')
			f->size = number(optarg, sizeof(struct flow_packet), FLOW_MAX_SIZE);
		else if (c == 'e')
			f->kind = FLOW_REQUEST;
		else if (c == '6')
			f->family = AF_INET6;
		else
			exit(2);
	}
	if (!*ret_netns || !f->log)
		error(2, 0, "--netns and --log are needed");
	for (int i = optind; i < argc; i++)
		add_target(f, argv[i]);
}

int main(int argc, char **argv)
{
	struct flows f = {
		.port = 7000, .rate = 20, .size = 64, .kind = FLOW_ONE_WAY, .family = AF_INET
	};
	const char *netns = NULL;

	parse_options(&f, argc, argv, &netns);
	enter(netns);
	open_signals(&f);
	open_socket(&f);
	f.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (f.timer < 0)
		error(1, errno, "timer");
	run(&f);
	return fclose(f.log) == 0 ? 0 : 1;
}
