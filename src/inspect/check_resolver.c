/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /etc/resolv.conf, and its servers, each asked one question. */
#include "inspect/look.h"

#include "base/file.h"
#include "inspect/resolv_conf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define FILE_PATH "/etc/resolv.conf"
/* glibc waits 5 s by itself; a server that takes longer than this makes everything slow. */
#define ANSWER_MS 2000
#define DNS_PORT 53

static const char *const why_dead = "Programs ask it first and wait 5 s for nothing each time: "
				    "look-ups of the metadata service and of containers are slow "
				    "or fail.";

/* What the servers of the file have in common. */
struct asking {
	struct exam *x;
	size_t n;     /* that were asked */
	size_t asked; /* whose answer is not known yet; one more until all are on their way */
	size_t open;  /* that hold this, the same */
	size_t alive;
	bool needed; /* the metadata service has a name, not an address */
};

struct question {
	struct asking *all;
	struct exam_wait *wait;
	char text[RESOLV_TEXT_SIZE];
	uint16_t id;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
};

/* --- asking --------------------------------------------------------------------------- */

static void end_question(void *user)
{
	struct question *q = user;

	loop_io_free(q->io);
	loop_timer_free(q->timer);
	if (q->fd >= 0)
		close(q->fd);
	if (--q->all->open == 0)
		free(q->all);
	free(q);
}

/* The last answer tells whether any came at all. */
static void count_down(struct asking *all)
{
	if (--all->asked > 0 || all->alive > 0 || all->n == 0)
		return;
	exam_find(all->x, all->needed ? SEVERITY_FAULT : SEVERITY_WARNING,
		  all->needed ? "The metadata service is known by a name: it is not found."
			      : "This host knows no names.",
		  "Mend " FILE_PATH " or the servers.", "none of the name servers answers");
}

static void over(struct question *q)
{
	if (q->io) {
		loop_io_set(q->io, 0);
		loop_timer_cancel(q->timer);
	}
	count_down(q->all);
	exam_done(q->wait);
}

static void find_dead(struct question *q, const char *how)
{
	exam_find(q->all->x, SEVERITY_WARNING, why_dead,
		  "Take it out of " FILE_PATH " (or of what writes that file), or mend the server.",
		  "name server %s %s", q->text, how);
}

static void on_late(void *user)
{
	struct question *q = user;

	exam_resume(q->wait);
	find_dead(q, "does not answer");
	over(q);
}

static void on_answer(int fd, unsigned events, void *user)
{
	struct question *q = user;
	uint8_t data[RESOLV_ANSWER_MAX];
	ssize_t n = recv(fd, data, sizeof(data), 0);
	int code = n < 0 ? -errno : resolv_answer(data, (size_t)n, q->id);

	(void)events;
	if (code == -EBADMSG || code == -EAGAIN || code == -EINTR)
		return; /* not to our question: go on waiting */
	exam_resume(q->wait);
	if (code == -ECONNREFUSED) {
		find_dead(q, "is not there: its host refuses (nobody listens on UDP 53)");
	} else if (code < 0) {
		_cleanup_free_ char *how = xasprintf("cannot be asked: %s", sn_strerror(code));

		find_dead(q, how);
	} else if (code == 2 || code == 5) {
		q->all->alive++;
		exam_find(q->all->x, SEVERITY_WARNING, "It is asked first and gives no answers.",
			  "Let it serve this host, or take it out of " FILE_PATH ".",
			  "name server %s answers, but with %s", q->text,
			  code == 2 ? "SERVFAIL" : "REFUSED");
	} else {
		q->all->alive++;
		exam_ok(q->all->x, "name server %s answers", q->text);
	}
	over(q);
}

static uint32_t zone_index(const char *zone)
{
	uint32_t index = if_nametoindex(zone);

	return index || strspn(zone, "0123456789") != strlen(zone)
		       ? index
		       : (uint32_t)strtoul(zone, NULL, 10);
}

/* A connected socket, so that ICMP is heard. 0 or a negative errno. */
static int send_question(struct question *q, const struct resolv_server *s)
{
	uint8_t query[RESOLV_QUERY_SIZE];
	struct sockaddr_storage sa;
	socklen_t len = sn_addr_to_sockaddr(&s->addr, DNS_PORT, &sa);

	if (s->zone[0])
		((struct sockaddr_in6 *)&sa)->sin6_scope_id = zone_index(s->zone);
	resolv_query(q->id, query);
	q->fd = socket(s->addr.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0 || connect(q->fd, (struct sockaddr *)&sa, len) < 0 ||
	    send(q->fd, query, sizeof(query), 0) < 0)
		return -errno;
	return 0;
}

static void ask(struct asking *all, const struct resolv_server *s)
{
	struct question *q = xcalloc(1, sizeof(*q));
	int r;

	q->all = all;
	snprintf(q->text, sizeof(q->text), "%s", s->text);
	sn_random(&q->id, sizeof(q->id));
	r = send_question(q, s);
	all->n++;
	all->asked++;
	all->open++;
	q->wait = exam_wait(all->x, on_late, end_question, q);
	if (r < 0) {
		_cleanup_free_ char *how = xasprintf("cannot be asked: %s", sn_strerror(r));

		find_dead(q, how);
		over(q);
		return;
	}
	q->io = loop_io_new(all->x->loop, q->fd, LOOP_READ, on_answer, q);
	q->timer = loop_timer_new(all->x->loop, on_late, q);
	loop_timer_set(q->timer, ANSWER_MS);
}

/* --- judging ----------------------------------------------------------------------------- */

static void find_odd(struct exam *x, enum resolv_verdict verdict, const struct resolv_server *s)
{
	switch (verdict) {
	case RESOLV_FINE:
		break;
	case RESOLV_NO_ADDRESS:
		exam_find(x, SEVERITY_WARNING,
			  "The resolver skips it: fewer servers are asked than it looks.",
			  "Write an address there, not a name.",
			  FILE_PATH ", line %u: '%s' is not an address", s->line, s->text);
		break;
	case RESOLV_ZONE_MISSING:
		exam_find(
			x, SEVERITY_WARNING,
			"A link-local address is one on every link: without '%eth0' behind it the "
			"kernel cannot send there.",
			"Put the interface behind it: fe80::1%eth0.",
			FILE_PATH ", line %u: '%s' has no interface", s->line, s->text);
		break;
	case RESOLV_ZONE_NEEDLESS:
		exam_find(x, SEVERITY_WARNING, "The resolver skips it.",
			  "Take the '%' and what follows away.",
			  FILE_PATH
			  ", line %u: '%s' has an interface, but is no link-local address",
			  s->line, s->text);
		break;
	case RESOLV_SURPLUS:
		exam_find(x, SEVERITY_NOTE, "The resolver asks the first three only.",
			  "Take out those that are not needed.",
			  FILE_PATH ", line %u: '%s' is the fourth or a later server", s->line,
			  s->text);
		break;
	case RESOLV_LOOP:
		exam_find(x, SEVERITY_FAULT,
			  "Rancher's DNS at that address asks the host's servers for what it does "
			  "not know: a loop, in which every look-up ends in a time-out.",
			  "Give this host real name servers.",
			  FILE_PATH ", line %u: '%s' is the containers' DNS, which asks this host",
			  s->line, s->text);
		break;
	}
}

/* False: the interface is not there. A scoped server of the host is told, as containers get the
 * file. */
static bool judge_zone(struct exam *x, const struct resolv_server *s)
{
	char name[IFNAMSIZ];

	if (!s->zone[0])
		return true;
	if (!zone_index(s->zone) || !if_indextoname(zone_index(s->zone), name)) {
		exam_find(x, SEVERITY_WARNING, why_dead,
			  "Name an interface that is there: numbers change at a restart, names do "
			  "less.",
			  FILE_PATH ", line %u: '%s' names an interface that this host has not",
			  s->line, s->text);
		return false;
	}
	exam_find(x, SEVERITY_NOTE,
		  "It works for this host. In a container, which has other interfaces, the same "
		  "line leads nowhere, and Rancher's DNS cannot read it.",
		  "Give containers other servers (Docker: --dns), or the host a global address of "
		  "that server.",
		  FILE_PATH ", line %u: '%s' is a server on the link %s only", s->line, s->text,
		  name);
	return true;
}

static bool metadata_has_name(const struct config *c)
{
	struct sn_addr ignored;

	return !config_metadata_address(c, &ignored) && !sn_startswith(c->metadata_url, "file:");
}

static void judge_servers(struct exam *x, const struct resolv_conf *conf)
{
	struct asking *all = xcalloc(1, sizeof(*all));
	size_t counted = 0;

	all->x = x;
	all->needed = metadata_has_name(x->config);
	all->open = all->asked = 1;
	array_foreach(&conf->servers, s) {
		enum resolv_verdict verdict = resolv_judge(s, counted, NULL);

		counted += verdict != RESOLV_NO_ADDRESS && verdict != RESOLV_ZONE_NEEDLESS;
		find_odd(x, verdict, s);
		if (verdict == RESOLV_FINE && judge_zone(x, s))
			ask(all, s);
	}
	if (counted == 0)
		exam_find(x, all->needed ? SEVERITY_FAULT : SEVERITY_WARNING,
			  all->needed
				  ? "The metadata service is known by a name: it is not found "
				    "(programs ask 127.0.0.1 then)."
				  : "Programs ask 127.0.0.1 then: this host knows no names unless "
				    "one runs there.",
			  "Name one: 'nameserver ADDRESS'.", FILE_PATH " names no server");
	count_down(all);
	if (--all->open == 0)
		free(all);
}

void check_resolv_conf(struct exam *x)
{
	_cleanup_free_ char *text = NULL;
	struct resolv_conf conf;
	size_t len = 0;
	int r = file_read(FILE_PATH, RESOLV_MAX_BYTES, &text, &len);

	if (r < 0 && r != -ENOENT) {
		exam_unseen(x, FILE_PATH ": %s", sn_strerror(r));
		return;
	}
	resolv_conf_parse(text ? text : "", len, &conf);
	judge_servers(x, &conf);
	resolv_conf_fini(&conf);
}
