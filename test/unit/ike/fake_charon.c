/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_charon.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static void disconnect(struct fake_charon *s)
{
	loop_io_free(sn_steal(s->io));
	if (s->fd >= 0)
		close(sn_steal_fd(&s->fd));
}

static void update(struct fake_charon *s)
{
	bool more = s->sent < s->out.len;

	if (s->fd < 0)
		return;
	if (!more && s->hang_up)
		disconnect(s);
	else
		loop_io_set(s->io, LOOP_READ | (more ? LOOP_WRITE : 0u));
}

static void flush(struct fake_charon *s)
{
	size_t n = s->out.len - s->sent;
	ssize_t r;

	if (s->step)
		n = SN_MIN(n, s->step);
	if (n == 0)
		return;
	r = send(s->fd, s->out.data + s->sent, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (r > 0)
		s->sent += (size_t)r;
}

static void take(struct fake_charon *s, const uint8_t *p, size_t len)
{
	_cleanup_(vici_tree_freep) struct vici_node *message = NULL;
	_cleanup_free_ char *name = xstrndup((const char *)p + 2, p[1]);
	struct sn_error e;

	sn_require(len >= 2u + p[1]);
	sn_require(vici_parse(p + 2 + p[1], len - 2 - p[1], &message, &e) == 0);
	strbuf_addf(&s->log, "%s%s ", p[0] == FAKE_REGISTER ? "+" : "", name);
	if (s->on_packet)
		s->on_packet(s, p[0], name, message);
	else if (p[0] == FAKE_REGISTER)
		fake_charon_send(s, FAKE_CONFIRM, NULL, NULL, 0);
}

static void take_packets(struct fake_charon *s)
{
	while (s->in.len >= 4) {
		const uint8_t *p = (const uint8_t *)s->in.data;
		size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

		if (s->in.len < 4 + len)
			break;
		take(s, p + 4, len);
		s->in.len -= 4 + len;
		memmove(s->in.data, s->in.data + 4 + len, s->in.len);
	}
}

static void on_io(int fd, unsigned events, void *user)
{
	struct fake_charon *s = user;
	char buf[65536];
	ssize_t n;

	if (events & LOOP_WRITE)
		flush(s);
	if (events & LOOP_READ) {
		n = recv(fd, buf, s->step ? SN_MIN(s->step, sizeof(buf)) : sizeof(buf),
			 MSG_DONTWAIT);
		if (n == 0) {
			disconnect(s);
			return;
		}
		if (n > 0) {
			s->received += (size_t)n;
			strbuf_add(&s->in, buf, (size_t)n);
			take_packets(s);
		}
	}
	update(s);
}

static void on_connection(int fd, unsigned events, void *user)
{
	struct fake_charon *s = user;

	(void)events;
	disconnect(s);
	s->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sn_require(s->fd >= 0);
	s->io = loop_io_new(s->loop, s->fd, LOOP_READ, on_io, s);
	update(s);
}

void fake_charon_init(struct fake_charon *s, struct loop *loop)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	*s = (struct fake_charon){ .loop = loop, .fd = -1 };
	s->dir = xstrdup("/tmp/sennit-test-vici-XXXXXX");
	sn_require(mkdtemp(s->dir));
	s->path = xasprintf("%s/vici", s->dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->path);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sn_require(bind(s->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	sn_require(listen(s->listen_fd, 1) == 0);
	s->listen_io = loop_io_new(loop, s->listen_fd, LOOP_READ, on_connection, s);
}

void fake_charon_fini(struct fake_charon *s)
{
	disconnect(s);
	loop_io_free(s->listen_io);
	close(s->listen_fd);
	unlink(s->path);
	rmdir(s->dir);
	free(s->path);
	free(s->dir);
	strbuf_fini(&s->log);
	strbuf_fini(&s->in);
	strbuf_fini(&s->out);
}

void fake_charon_send_raw(struct fake_charon *s, const void *data, size_t len)
{
	strbuf_add(&s->out, data, len);
	update(s);
}

void fake_charon_send(struct fake_charon *s, unsigned type, const char *name, const void *message,
		      size_t len)
{
	size_t name_len = name ? strlen(name) : 0;
	size_t n = 1 + (name ? 1 + name_len : 0) + len;

	for (int shift = 24; shift >= 0; shift -= 8)
		strbuf_addc(&s->out, (char)(n >> shift & 0xff));
	strbuf_addc(&s->out, (char)type);
	if (name) {
		strbuf_addc(&s->out, (char)name_len);
		strbuf_adds(&s->out, name);
	}
	strbuf_add(&s->out, message, len);
	update(s);
}

void fake_charon_say(struct fake_charon *s, unsigned type, const char *name, const char *key,
		     const char *value)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	vici_add(&w, key, "%s", value);
	fake_charon_send(s, type, name, w.b.data, w.b.len);
}

void fake_charon_hang_up(struct fake_charon *s)
{
	s->hang_up = true;
	update(s);
}
