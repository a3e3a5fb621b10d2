/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/esp_socket.h"

#include "base/addr.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct esp_socket {
	int fd, fd6; /* -1: none */
	uint16_t port, port6;
};

/* The kernel looks at UDP_ENCAP first, so this meets only what is no ESP. */
static int drop_all(int fd)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const struct sock_fprog program = { SN_ARRAY_SIZE(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* IP_TRANSPARENT: the packets are for another port than the socket's, see nft(8), tproxy. */
static int prepare(int fd, uint8_t family)
{
	const int on = 1, encap = UDP_ENCAP_ESPINUDP;
	int r = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on))
				   : setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));

	if (r < 0 || drop_all(fd) < 0 ||
	    setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &encap, sizeof(encap)) < 0)
		return -errno;
	return 0;
}

/* A descriptor, or a negative errno. */
static int open_one(uint8_t family, uint16_t *ret_port)
{
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sn_addr loopback = { .family = family };
	struct sockaddr_storage sa;
	socklen_t len;
	int r;

	if (fd < 0)
		return -errno;
	r = prepare(fd, family);
	if (r < 0)
		return r;
	sn_require(sn_addr_parse(family == AF_INET6 ? "::1" : "127.0.0.1", &loopback) == 0);
	len = sn_addr_to_sockaddr(&loopback, 0, &sa);
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	if (sn_addr_from_sockaddr((struct sockaddr *)&sa, &loopback, ret_port) < 0)
		return -EAFNOSUPPORT;
	return sn_steal_fd(&fd);
}

int esp_socket_new(struct esp_socket **ret, struct sn_error *e)
{
	_cleanup_(esp_socket_freep) struct esp_socket *s = xcalloc(1, sizeof(*s));

	s->fd6 = -1;
	s->fd = open_one(AF_INET, &s->port);
	if (s->fd < 0)
		return sn_error_set(e, s->fd, "a socket that takes ESP out of UDP: %s",
				    sn_strerror(s->fd));
	s->fd6 = open_one(AF_INET6, &s->port6);
	*ret = sn_steal(s);
	return 0;
}

void esp_socket_free(struct esp_socket *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->fd6 >= 0)
		close(s->fd6);
	free(s);
}

void esp_socket_drop6(struct esp_socket *s)
{
	if (s->fd6 >= 0)
		close(s->fd6);
	s->fd6 = -1;
}

uint16_t esp_socket_port(const struct esp_socket *s)
{
	return s->port;
}

uint16_t esp_socket_port6(const struct esp_socket *s)
{
	return s->fd6 >= 0 ? s->port6 : 0;
}
