/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's server. A client is read until its one request is
 * whole, answered, and closed; it has CTL_CLIENT_MS for all of it.
 *
 * Who is who: the socket's mode keeps strangers out, and each connection's
 * SO_PEERCRED and SO_PEERGROUPS (as of its connect(2)) are looked at again,
 * since a mode can be changed behind our back. Root may do everything, members of
 * the group sennit what changes nothing. Some places are kept for root, so
 * that readers cannot lock the operator out.
 *
 * A client owns the descriptor it passed until the verb has run: verbs borrow.
 */
#include "api/api.h"

#include "api/listener.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CTL_MAX_CLIENTS 64
#define CTL_MAX_READERS 48
#define CTL_BACKLOG 64
/* The tests cannot wait so long and make no groups. */
#ifndef CTL_CLIENT_MS
#define CTL_CLIENT_MS 10000
#endif
#ifndef CTL_GROUP
#define CTL_GROUP "sennit"
#endif
/* More than one is refused politely only up to here; the kernel drops the rest. */
#define CTL_MAX_FDS 8
/* Linux' NGROUPS_MAX. */
#define MAX_GROUPS 65536

enum caller { CALLER_STRANGER, CALLER_READER, CALLER_ROOT };

struct ctl_client {
	struct ctl_server *server;
	struct ctl_client *next;
	enum caller caller;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	uint8_t *in; /* CTL_HEADER_SIZE + CTL_MAX_REQUEST at most */
	size_t n_in, size_in;
	int passed; /* -1: none */
	uint8_t *out;
	size_t n_out, sent;
};

struct ctl_server {
	struct loop *loop;
	struct listener *listener;
	char *path;
	dev_t dev;
	ino_t ino;
	gid_t group; /* (gid_t)-1: there is none */
	const struct ctl_verb *verbs;
	size_t n_verbs;
	void *user;
	struct ctl_client *clients;
	size_t n_clients;
};

static void client_free(struct ctl_client *c)
{
	struct ctl_client **at = &c->server->clients;

	while (*at && *at != c)
		at = &(*at)->next;
	if (*at) {
		*at = c->next;
		c->server->n_clients--;
	}
	loop_io_free(c->io);
	loop_timer_free(c->timer);
	sn_closep(&c->passed);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

static void on_client_late(void *user)
{
	client_free(user);
}

/* --- who may do what --------------------------------------------------------- */

static bool peer_in_group(int fd, gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t len = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 && errno != ERANGE)
		return false;
	if (len == 0 || len > MAX_GROUPS * sizeof(gid_t))
		return false;
	groups = xmalloc(len);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static enum caller caller_of(int fd, gid_t group)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return CALLER_STRANGER;
	if (cred.uid == 0)
		return CALLER_ROOT;
	if (group != (gid_t)-1 && (cred.gid == group || peer_in_group(fd, group)))
		return CALLER_READER;
	return CALLER_STRANGER;
}

static int check_verb(const struct ctl_verb *verb, const char *name, enum caller caller,
		      struct sn_error *e)
{
	if (!verb)
		return sn_error_set(e, -ENOSYS,
				    "this sennitd knows no verb '%s'; are sennit and sennitd of "
				    "one version?",
				    name);
	if (verb->changes && caller != CALLER_ROOT)
		return sn_error_set(e, -EPERM, "'%s' changes this host: only root may ask for it",
				    name);
	return 0;
}

static const struct ctl_verb *find_verb(const struct ctl_server *s, const char *name)
{
	for (size_t i = 0; i < s->n_verbs; i++)
		if (streq(s->verbs[i].name, name))
			return &s->verbs[i];
	return NULL;
}

/* --- the answer -------------------------------------------------------------- */

/* Sends what is left; frees the client when all is sent or it is gone. */
static void client_send(struct ctl_client *c)
{
	while (c->sent < c->n_out) {
		ssize_t n = send(c->fd, c->out + c->sent, c->n_out - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_io_set(c->io, LOOP_WRITE);
			return;
		}
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	client_free(c);
}

/* Takes the reply. */
static void client_answer(struct ctl_client *c, json_t *reply)
{
	struct sn_error e;
	json_t *refusal;

	c->out = ctl_frame_new(reply, &c->n_out);
	json_decref(reply);
	if (!c->out) {
		sn_error_set(&e, -EMSGSIZE, "the answer is longer than %u MiB",
			     CTL_MAX_MESSAGE >> 20);
		refusal = ctl_reply_error(&e);
		c->out = ctl_frame_new(refusal, &c->n_out);
		json_decref(refusal);
	}
	client_send(c);
}

static void client_refuse(struct ctl_client *c, const struct sn_error *e)
{
	client_answer(c, ctl_reply_error(e));
}

static void client_run(struct ctl_client *c, const char *payload, size_t len)
{
	_cleanup_(ctl_request_fini) struct ctl_request req = { 0 };
	struct ctl_server *s = c->server;
	const struct ctl_verb *verb = NULL;
	json_t *result = NULL;
	struct sn_error e = { 0 };
	int r = ctl_request_parse(payload, len, &req, &e);

	if (r == 0) {
		verb = find_verb(s, req.verb);
		r = check_verb(verb, req.verb, c->caller, &e);
	}
	if (r == 0)
		r = verb->run(req.args, c->passed, &result, &e, s->user);
	if (r >= 0) {
		client_answer(c, ctl_reply_ok(result));
		return;
	}
	/* a verb may have built its result before it failed */
	json_decref(result);
	client_refuse(c, &e);
}

/* --- the request ------------------------------------------------------------- */

/* Keeps the first descriptor, closes all others. */
static void keep_descriptor(struct ctl_client *c, struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (c->passed < 0)
				c->passed = fd;
			else
				close(fd);
		}
	}
}

/* Bytes, 0 at the end, -EAGAIN, or another negative errno. */
static ssize_t client_receive(struct ctl_client *c)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(CTL_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = c->in + c->n_in, .iov_len = c->size_in - c->n_in };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	keep_descriptor(c, &msg);
	c->n_in += (size_t)n;
	return n;
}

static void client_make_room(struct ctl_client *c)
{
	const size_t max = CTL_HEADER_SIZE + CTL_MAX_REQUEST;

	if (c->n_in < c->size_in)
		return;
	c->size_in = SN_MIN(c->size_in ? c->size_in * 4 : 1024, max);
	c->in = xreallocarray(c->in, c->size_in, 1);
}

static void client_read(struct ctl_client *c)
{
	const char *payload;
	struct sn_error e;
	size_t len;
	ssize_t n;
	int r;

	/* a whole request ends the reading, so there is room for a part of one */
	client_make_room(c);
	n = client_receive(c);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	r = ctl_frame(c->in, c->n_in, CTL_MAX_REQUEST, &payload, &len);
	if (r == CTL_FRAME_MORE)
		return;
	if (r == CTL_FRAME_DONE) {
		client_run(c, payload, len);
		return;
	}
	sn_error_set(&e, r, "a request has at most %u bytes", CTL_MAX_REQUEST);
	client_refuse(c, &e);
}

static void on_client(int fd, unsigned events, void *user)
{
	struct ctl_client *c = user;

	(void)fd;
	(void)events;
	if (c->out)
		client_send(c);
	else
		client_read(c);
}

/* Says no to somebody who becomes no client; a socket's empty buffer holds it. */
static void refuse_at_the_door(int fd, int code, const char *text)
{
	struct sn_error e;
	_cleanup_json_ json_t *reply = NULL;
	_cleanup_free_ uint8_t *frame = NULL;
	size_t len;

	sn_error_set(&e, code, "%s", text);
	reply = ctl_reply_error(&e);
	frame = ctl_frame_new(reply, &len);
	send(fd, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void client_new(struct ctl_server *s, int fd, enum caller caller)
{
	struct ctl_client *c = xcalloc(1, sizeof(*c));

	*c = (struct ctl_client){ .server = s, .caller = caller, .fd = fd, .passed = -1 };
	c->io = loop_io_new(s->loop, fd, LOOP_READ, on_client, c);
	c->timer = loop_timer_new(s->loop, on_client_late, c);
	loop_timer_set(c->timer, CTL_CLIENT_MS);
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
}

static void on_connection(int fd, void *user)
{
	struct ctl_server *s = user;
	enum caller caller = caller_of(fd, s->group);

	if (caller == CALLER_STRANGER)
		refuse_at_the_door(fd, -EPERM,
				   "only root and members of the group " CTL_GROUP
				   " may talk to sennitd");
	else if (s->n_clients >= (caller == CALLER_ROOT ? CTL_MAX_CLIENTS : CTL_MAX_READERS))
		refuse_at_the_door(fd, -EBUSY, "too many ask at once: try again soon");
	else
		client_new(s, fd, caller);
}

/* --- the socket -------------------------------------------------------------- */

/* 0 when path is free, or was a socket nobody listens at and is removed now. */
static int clear_place(const struct sockaddr_un *sa, struct sn_error *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return sn_error_set(e, -errno, "cannot make a socket: %s", sn_strerror(-errno));
	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0
				       : sn_error_set(e, -errno, "%s: %s", sa->sun_path,
						      sn_strerror(-errno));
	if (!S_ISSOCK(st.st_mode))
		return sn_error_set(e, -EEXIST, "%s is there and is no socket: remove it",
				    sa->sun_path);
	/* EAGAIN: its queue is full, so somebody owns it */
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno != ECONNREFUSED)
		return sn_error_set(e, -EADDRINUSE,
				    "%s: another sennitd answers there; stop that one, or give "
				    "this one a run_dir of its own",
				    sa->sun_path);
	if (unlink(sa->sun_path) < 0)
		return sn_error_set(e, -errno, "%s: %s", sa->sun_path, sn_strerror(-errno));
	return 0;
}

/*
 * The file gets the mode of the socket's own inode less the umask (unix_bind
 * in the kernel), so fchmod() before bind() never lets it be open to others,
 * and leaves the umask, which all threads share, alone.
 */
static int bind_private(int fd, const struct sockaddr_un *sa, gid_t group)
{
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return -errno;
	if (group != (gid_t)-1 && chown(sa->sun_path, (uid_t)-1, group) < 0)
		return -errno;
	if (chmod(sa->sun_path, 0660) < 0 || listen(fd, CTL_BACKLOG) < 0)
		return -errno;
	return 0;
}

static int open_socket(const char *path, gid_t group, struct sn_error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return sn_error_set(
			e, -ENAMETOOLONG,
			"%s: longer than a socket's name may be; choose a shorter run_dir", path);
	strcpy(sa.sun_path, path);
	r = clear_place(&sa, e);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : bind_private(fd, &sa, group);
	if (r < 0)
		return sn_error_set(e, r, "cannot listen at %s: %s", path, sn_strerror(r));
	return sn_steal_fd(&fd);
}

static gid_t find_group(void)
{
	const struct group *g = getgrnam(CTL_GROUP);

	return g ? g->gr_gid : (gid_t)-1;
}

int ctl_server_new(struct loop *loop, const char *path, const struct ctl_verb *verbs, size_t n,
		   void *user, struct ctl_server **ret, struct sn_error *e)
{
	gid_t group = find_group();
	int fd = open_socket(path, group, e);
	struct ctl_server *s;
	struct stat st;

	if (fd < 0)
		return fd;
	s = xcalloc(1, sizeof(*s));
	*s = (struct ctl_server){ .loop = loop,
				  .path = xstrdup(path),
				  .group = group,
				  .verbs = verbs,
				  .n_verbs = n,
				  .user = user };
	if (lstat(path, &st) == 0) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	s->listener = listener_new(loop, fd, on_connection, s);
	*ret = s;
	return 0;
}

void ctl_server_free(struct ctl_server *s)
{
	struct stat st;

	if (!s)
		return;
	while (s->clients)
		client_free(s->clients);
	listener_free(s->listener);
	/* another one may have taken the place meanwhile */
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	free(s->path);
	free(s);
}
