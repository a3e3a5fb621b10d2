/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timer turns SLOTS times per heartbeat interval; peer i is served in
 * slot i modulo SLOTS, so that a mesh of hundreds does not send in bursts.
 *
 * The sequence is that of the rounds, not of the peer: one that is dropped
 * and taken up again must not begin from 1, which would be a replay.
 *
 * A leg whose device is not there has no sockets; they are tried again when
 * the device is named by probe_device_changed() and once per interval. A socket is
 * bound to a device's number: to one that was deleted it stays so, also when there
 * is another by that name, and says ENODEV when it sends.
 */
#include "probe/probe.h"

#include "probe/echo.h"

#include <errno.h>
#include <linux/icmp.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#define SLOTS 10
#define READS_PER_TURN 64

struct leg {
	struct probe *probe;
	char device[IFNAMSIZ];
	struct sn_addr own; /* source of all that is sent; unset: nothing is sent */
	int udp, icmp;      /* -1: none */
	struct loop_io *udp_io, *icmp_io;
};

struct probe_peer {
	struct wanted_peer peer;
	struct leg *leg;
	uint8_t view;
	uint16_t view_changes;
	uint8_t renewals;
	uint64_t heard_boot;
	uint32_t heard_seq;
};

struct probe {
	struct loop *loop;
	struct loop_timer *timer;
	const struct secrets *secrets;
	struct probe_handlers handlers;
	struct probe_settings settings;
	uint64_t daemon_boot, ike_boot;
	bool ike_away;
	uint16_t echo_id;
	unsigned slot;
	uint32_t round;                 /* of all slots: the sequence of heartbeats */
	ARRAY(struct probe_peer) peers; /* by id */
	ARRAY(struct leg *) legs;
	struct probe_stats stats;
	int64_t trouble_since; /* 0: none */
	char trouble[128];
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int cmp_peer(const void *id, const void *peer)
{
	return strcmp(id, ((const struct probe_peer *)peer)->peer.id);
}

static struct probe_peer *find_in(struct probe_peer *v, size_t n, const char *id)
{
	return n ? bsearch(id, v, n, sizeof(*v), cmp_peer) : NULL;
}

static struct probe_peer *find_peer(struct probe *p, const char *id)
{
	return find_in(p->peers.v, p->peers.n, id);
}

/* Who speaks from this address over this leg. */
static struct probe_peer *find_sender(struct leg *leg, const struct sn_addr *from)
{
	array_foreach(&leg->probe->peers, peer)
		if (peer->leg == leg && sn_addr_cmp(&peer->peer.overlay_ip, from) == 0)
			return peer;
	return NULL;
}

/* --- receiving ------------------------------------------------------------ */

static void take_heartbeat(struct leg *leg, const uint8_t *data, size_t len,
			   const struct sn_addr *from)
{
	struct probe *p = leg->probe;
	struct probe_peer *peer = find_sender(leg, from);
	struct heartbeat hb;
	int r;

	if (!peer) {
		p->stats.unknown_peer++;
		return;
	}
	r = heartbeat_decode(data, len, p->secrets, p->settings.mesh_id, peer->peer.id,
			     p->settings.self, &hb);
	if (r < 0) {
		*(r == -EKEYREJECTED ? &p->stats.bad_mac : &p->stats.bad) += 1;
		return;
	}
	if (hb.daemon_boot == peer->heard_boot && hb.seq <= peer->heard_seq) {
		p->stats.replayed++;
		return;
	}
	peer->heard_boot = hb.daemon_boot;
	peer->heard_seq = hb.seq;
	p->stats.received++;
	p->handlers.heartbeat(peer->peer.id, &hb, p->handlers.user);
}

static void take_echo(struct leg *leg, const uint8_t *data, size_t len, const struct sn_addr *from)
{
	struct probe *p = leg->probe;
	struct probe_peer *peer = find_sender(leg, from);
	struct echo echo;

	if (!peer || echo_decode(data, len, from->family, p->echo_id, &echo) < 0)
		return;
	p->stats.echoes_answered++;
	p->handlers.echo_reply(peer->peer.id, echo.token, now_us() - echo.sent_us,
			       p->handlers.user);
}

static void read_all(struct leg *leg, int fd,
		     void (*take)(struct leg *, const uint8_t *, size_t, const struct sn_addr *))
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		uint8_t data[512];
		struct sn_addr addr;
		ssize_t n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);

		if (n < 0)
			return;
		if (sn_addr_from_sockaddr((struct sockaddr *)&from, &addr, NULL) == 0)
			take(leg, data, (size_t)n, &addr);
	}
}

static void on_udp(int fd, unsigned events, void *user)
{
	(void)events;
	read_all(user, fd, take_heartbeat);
}

static void on_icmp(int fd, unsigned events, void *user)
{
	(void)events;
	read_all(user, fd, take_echo);
}

/* --- legs ----------------------------------------------------------------- */

static void leg_close(struct leg *leg)
{
	loop_io_free(sn_steal(leg->udp_io));
	loop_io_free(sn_steal(leg->icmp_io));
	if (leg->udp >= 0)
		close(sn_steal_fd(&leg->udp));
	if (leg->icmp >= 0)
		close(sn_steal_fd(&leg->icmp));
}

/*
 * A socket bound to the leg's device and our overlay address. The address
 * may come later than the device, hence IP_FREEBIND.
 */
static int open_socket(const struct leg *leg, int type, int protocol, uint16_t port)
{
	const struct sn_addr *own = &leg->own;
	bool v6 = own->family == AF_INET6;
	_cleanup_close_ int fd = socket(own->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	struct sockaddr_storage sa;
	socklen_t sa_len = sn_addr_to_sockaddr(own, port, &sa);
	const int on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, leg->device,
		       (socklen_t)strlen(leg->device)) < 0 ||
	    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &on,
		       sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sa_len) < 0)
		return -errno;
	return sn_steal_fd(&fd);
}

static void note_trouble(struct probe *p, const char *what, int result)
{
	/* its device is not there, or goes just now: the one who made it knows */
	if (result == -ENODEV || result == -ENXIO)
		return;
	if (!p->trouble_since)
		p->trouble_since = loop_now(p->loop);
	snprintf(p->trouble, sizeof(p->trouble), "%s: %s", what, sn_strerror(result));
}

/* Fewer wake-ups for the echoes of others; take_echo() checks all the same. */
static void pass_replies_only(int fd, bool v6)
{
	const uint32_t only = ~(1u << ICMP_ECHOREPLY);
	struct icmp6_filter only6;

	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
	if (v6)
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6, sizeof(only6));
	else
		setsockopt(fd, SOL_RAW, ICMP_FILTER, &only, sizeof(only));
}

static void leg_open(struct leg *leg)
{
	bool v6 = leg->own.family == AF_INET6;

	if (leg->udp >= 0 || !sn_addr_is_set(&leg->own))
		return;
	leg->udp = open_socket(leg, SOCK_DGRAM, 0, SENNIT_HEARTBEAT_PORT);
	if (leg->udp < 0) {
		note_trouble(leg->probe, "the heartbeat port", leg->udp);
		return;
	}
	leg->icmp = open_socket(leg, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 0);
	if (leg->icmp < 0) {
		note_trouble(leg->probe, "the echo socket", leg->icmp);
		leg_close(leg);
		return;
	}
	leg->probe->trouble_since = 0;
	pass_replies_only(leg->icmp, v6);
	leg->udp_io = loop_io_new(leg->probe->loop, leg->udp, LOOP_READ, on_udp, leg);
	leg->icmp_io = loop_io_new(leg->probe->loop, leg->icmp, LOOP_READ, on_icmp, leg);
}

static struct leg *leg_get(struct probe *p, const char *device, const struct sn_addr *own)
{
	struct leg *leg;

	array_foreach(&p->legs, each)
		if (streq((*each)->device, device) && sn_addr_cmp(&(*each)->own, own) == 0)
			return *each;
	leg = xcalloc(1, sizeof(*leg));
	*leg = (struct leg){ .probe = p, .own = *own, .udp = -1, .icmp = -1 };
	snprintf(leg->device, sizeof(leg->device), "%s", device);
	*array_add(&p->legs) = leg;
	return leg;
}

static bool leg_in_use(const struct probe *p, const struct leg *leg)
{
	array_foreach(&p->peers, peer)
		if (peer->leg == leg)
			return true;
	return false;
}

static void drop_unused_legs(struct probe *p)
{
	for (size_t i = p->legs.n; i-- > 0;) {
		struct leg *leg = p->legs.v[i];

		if (leg_in_use(p, leg))
			continue;
		leg_close(leg);
		free(leg);
		array_remove(&p->legs, i);
	}
}

/* --- sending -------------------------------------------------------------- */

/* The sockets of the peer's leg may be closed afterwards. */
static void send_to(struct probe *p, int fd, const struct probe_peer *peer, uint16_t port,
		    const void *data, size_t len, uint64_t *counter)
{
	struct sockaddr_storage sa;
	socklen_t sa_len = sn_addr_to_sockaddr(&peer->peer.overlay_ip, port, &sa);

	if (sendto(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&sa, sa_len) >=
	    0) {
		++*counter;
		return;
	}
	if (errno == ENODEV || errno == ENXIO)
		leg_close(peer->leg);
	p->stats.send_errors++;
}

static void send_heartbeat(struct probe *p, struct probe_peer *peer)
{
	const struct heartbeat hb = {
		.view = peer->view,
		.view_changes = peer->view_changes,
		.daemon_boot = p->daemon_boot,
		.ike_boot = p->ike_boot ? (p->ike_boot & ~HEARTBEAT_RENEWALS) | peer->renewals : 0,
		.seq = p->round,
		.ike_away = p->ike_away,
	};
	uint8_t data[HEARTBEAT_SIZE];

	heartbeat_encode(&hb, p->secrets, p->settings.mesh_id, p->settings.self, peer->peer.id,
			 data);
	send_to(p, peer->leg->udp, peer, SENNIT_HEARTBEAT_PORT, data, sizeof(data), &p->stats.sent);
}

static void serve(struct probe *p, struct probe_peer *peer)
{
	if (!sn_addr_is_set(&peer->peer.overlay_ip))
		return;
	leg_open(peer->leg);
	if (peer->leg->udp >= 0)
		send_heartbeat(p, peer);
}

static void on_slot(void *user)
{
	struct probe *p = user;

	loop_timer_set(p->timer, p->settings.heartbeat_ms / SLOTS);
	p->round += p->slot == 0;
	for (size_t i = p->slot; i < p->peers.n; i += SLOTS)
		serve(p, &p->peers.v[i]);
	p->slot = (p->slot + 1) % SLOTS;
}

/* A round of its own: who has it already would take another of that number for a replay. */
static void send_to_all(struct probe *p)
{
	p->round++;
	p->slot = 0;
	array_foreach(&p->peers, peer)
		serve(p, peer);
	if (loop_timer_is_set(p->timer))
		loop_timer_set(p->timer, p->settings.heartbeat_ms / SLOTS);
}

void probe_send_echo(struct probe *p, const char *id, uint32_t token)
{
	const struct echo echo = { .id = p->echo_id, .token = token, .sent_us = now_us() };
	struct probe_peer *peer = find_peer(p, id);
	uint8_t data[ECHO_SIZE];

	if (!peer || !sn_addr_is_set(&peer->peer.overlay_ip))
		return;
	leg_open(peer->leg);
	if (peer->leg->icmp < 0)
		return;
	echo_encode(&echo, peer->peer.overlay_ip.family, data);
	send_to(p, peer->leg->icmp, peer, 0, data, sizeof(data), &p->stats.echoes_sent);
}

/* --- the rest ------------------------------------------------------------- */

struct probe *probe_new(struct loop *loop, const struct secrets *secrets,
			const struct probe_handlers *handlers)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	*p = (struct probe){ .loop = loop, .secrets = secrets, .handlers = *handlers };
	sn_random(&p->daemon_boot, sizeof(p->daemon_boot));
	sn_random(&p->echo_id, sizeof(p->echo_id));
	p->timer = loop_timer_new(loop, on_slot, p);
	return p;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	loop_timer_free(p->timer);
	array_free(&p->peers);
	drop_unused_legs(p);
	array_free(&p->legs);
	free(p);
}

void probe_set_peers(struct probe *p, const struct probe_settings *settings,
		     const struct wanted_peer *peers, size_t n)
{
	__typeof__(p->peers) old = p->peers;

	p->settings = *settings;
	memset(&p->peers, 0, sizeof(p->peers));
	for (size_t i = 0; i < n; i++) {
		struct probe_peer *peer = array_add(&p->peers);
		const struct probe_peer *before = find_in(old.v, old.n, peers[i].id);

		if (before)
			*peer = *before;
		peer->peer = peers[i];
		peer->leg = leg_get(p, peers[i].device, &peers[i].own_overlay_ip);
	}
	array_free(&old);
	drop_unused_legs(p);
	if (!loop_timer_is_set(p->timer))
		loop_timer_set(p->timer, 0);
}

void probe_device_changed(struct probe *p, const char *device)
{
	array_foreach(&p->legs, leg) {
		if (!streq((*leg)->device, device))
			continue;
		leg_close(*leg);
		leg_open(*leg);
	}
}

void probe_set_secrets(struct probe *p, const struct secrets *secrets)
{
	p->secrets = secrets;
}

void probe_set_view(struct probe *p, const char *id, unsigned view)
{
	struct probe_peer *peer = find_peer(p, id);

	if (!peer || peer->view == view)
		return;
	peer->view = (uint8_t)view;
	peer->view_changes++;
}

void probe_set_ike_boot(struct probe *p, uint64_t ike_boot)
{
	p->ike_boot = ike_boot;
}

void probe_renew(struct probe *p, const char *id)
{
	struct probe_peer *peer = find_peer(p, id);

	if (peer)
		peer->renewals++;
}

void probe_set_ike_away(struct probe *p, bool away)
{
	if (p->ike_away == away)
		return;
	p->ike_away = away;
	send_to_all(p);
}

const struct probe_stats *probe_get_stats(const struct probe *p)
{
	return &p->stats;
}

const char *probe_trouble(const struct probe *p, int64_t *ret_since)
{
	*ret_since = p->trouble_since;
	return p->trouble_since ? p->trouble : NULL;
}
