/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lab.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "ike/ike.h"
#include "ike/vici.h"
#include "plan/dataplane.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define REPLY_LIMIT_MS 15000

/* ============================ in the host's process ========================== */

struct lab_child {
	struct loop *loop;
	int n, fd;
	char *dir;
	struct ike *ike;
	struct secrets *secrets;
	struct vici *direct; /* past ike's rules */
	struct object_set wanted;
	bool want[LAB_MAX_HOSTS + 1], extra[LAB_MAX_HOSTS + 1];
	int ike_rekey_s, child_rekey_s;
	struct strbuf errors, plan, selectors;
	char why[256];
	bool asked_plan, passive;
};

static void reply(struct lab_child *h, const char *fmt, ...) SN_PRINTF(2, 3);
static void reply(struct lab_child *h, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	if (send(h->fd, text, strlen(text) + 1, 0) < 0)
		_exit(1);
}

static void on_applied(int result, const struct sn_error *e, void *user)
{
	(void)user;
	if (result < 0)
		fprintf(stderr, "apply: %s\n", e->text);
}

static void on_observed(bool ok, struct object_set *set, void *user)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct lab_child *h = user;

	strbuf_clear(&h->plan);
	if (ok) {
		plan_build(&h->wanted, set, OBJECT_ALL_IKE, &plan);
		plan_print(&plan, &h->plan);
		if (!h->asked_plan)
			array_foreach(&plan.steps, step)
				ike_apply(h->ike, step, on_applied, h);
	}
	object_set_fini(set);
	if (h->asked_plan)
		reply(h, "%s%s", ok ? "" : "away", strbuf_str(&h->plan));
	h->asked_plan = false;
}

static void want_keys(struct lab_child *h, int peer)
{
	for (size_t i = 0; i < secrets_count(h->secrets); i++) {
		struct object_ike_key *key = object_set_add(&h->wanted, OBJECT_IKE_KEY)->key;

		secrets_id(h->secrets, i, key->secret);
		snprintf(key->peer, sizeof(key->peer), "h%d", peer);
		snprintf(key->id, sizeof(key->id), SENNIT_IKE_PREFIX "h%d-%s", peer, key->secret);
		key->order = (unsigned)i;
	}
}

static void add_prefixes(const struct lab_child *h, int n, struct object_ike_conn *conn, bool local)
{
	char text[64];
	struct sn_prefix p[2];

	snprintf(text, sizeof(text), "10.42.%d.0/24", n);
	sn_prefix_parse(text, &p[0]);
	snprintf(text, sizeof(text), "10.42.%d.0/24", 100 + n);
	sn_prefix_parse(text, &p[1]);
	for (int i = 0; i <= h->extra[n]; i++) {
		if (local)
			*array_add(&conn->local_ts) = p[i];
		else
			*array_add(&conn->remote_ts) = p[i];
	}
}

static void want_conn(struct lab_child *h, int peer, struct ike_tunnel *tunnel)
{
	struct object_ike_conn *conn = object_set_add(&h->wanted, OBJECT_IKE_CONN)->conn;
	char text[64];

	snprintf(conn->name, sizeof(conn->name), SENNIT_IKE_PREFIX "h%d", peer);
	snprintf(conn->peer, sizeof(conn->peer), "h%d", peer);
	snprintf(conn->self, sizeof(conn->self), "h%d", h->n);
	snprintf(text, sizeof(text), "192.168.77.%d", h->n);
	sn_addr_parse(text, &conn->local_addr);
	snprintf(text, sizeof(text), "192.168.77.%d", peer);
	sn_addr_parse(text, &conn->remote_addr);
	add_prefixes(h, h->n, conn, true);
	add_prefixes(h, peer, conn, false);
	conn->owner = h->n < peer;
	conn->encap = true;
	conn->replay_window = 128;
	conn->ike_rekey_s = h->ike_rekey_s;
	conn->child_rekey_s = h->child_rekey_s;
	object_conn_seal(conn);
	*tunnel = (struct ike_tunnel){ .owner = conn->owner };
	snprintf(tunnel->peer, sizeof(tunnel->peer), "%s", conn->peer);
	snprintf(tunnel->child, sizeof(tunnel->child), "%s", conn->child);
}

/* Everything anew from what the commands said. */
static void reconcile(struct lab_child *h)
{
	struct ike_tunnel tunnels[LAB_MAX_HOSTS];
	size_t n = 0;

	object_set_fini(&h->wanted);
	h->wanted = (struct object_set){ 0 };
	for (int peer = 1; peer <= LAB_MAX_HOSTS; peer++)
		if (h->want[peer]) {
			want_keys(h, peer);
			want_conn(h, peer, &tunnels[n++]);
		}
	object_set_sort(&h->wanted);
	if (!h->ike)
		return;
	if (!h->passive)
		ike_set_tunnels(h->ike, tunnels, n);
	ike_observe(h->ike, on_observed, h);
}

static void on_online(void *user)
{
	struct lab_child *h = user;

	h->why[0] = '\0';
	ike_observe(h->ike, on_observed, h);
}

static void on_offline(const char *why, void *user)
{
	struct lab_child *h = user;

	snprintf(h->why, sizeof(h->why), "%s", why);
}

static void on_absent(void *user)
{
	(void)user;
}

static void on_sas_changed(const char *peer, void *user)
{
	(void)peer;
	(void)user;
}

static void on_peer_error(const char *peer, const char *text, void *user)
{
	struct lab_child *h = user;

	strbuf_addf(&h->errors, "%s: %s\n", peer, text);
}

static void on_moved(const char *peer, const struct sn_addr *lost, void *user)
{
	(void)peer;
	(void)lost;
	(void)user;
}

static void new_ike(struct lab_child *h)
{
	char self[8];
	const struct ike_settings settings = { .charon = "/usr/sbin/charon-systemd",
					       .run_dir = h->dir,
					       .plugins = dataplane_libipsec.charon_plugins,
					       .mesh_id = "lab",
					       .self = self };
	const struct ike_handlers handlers = { on_online,     on_offline, on_absent, on_sas_changed,
					       on_peer_error, on_moved,   h };
	struct sn_error e;

	snprintf(self, sizeof(self), "h%d", h->n);
	if (ike_new(h->loop, &settings, h->secrets, &handlers, &h->ike, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
}

static void load_secrets(struct lab_child *h, const char *names)
{
	_cleanup_free_ char *path = xasprintf("%s/secret", h->dir);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct secrets *old = h->secrets;
	struct sn_error e;

	/* secret "A" is 43 times A and the padding of 32 bytes in base64 */
	for (; *names; names++) {
		if (*names == ' ')
			continue;
		for (int i = 0; i < 42; i++)
			strbuf_addc(&text, *names);
		strbuf_adds(&text, "A=\n");
	}
	file_write_atomic(path, text.data, text.len, 0600);
	if (secrets_load(path, &h->secrets, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
	if (h->ike)
		ike_set_secrets(h->ike, h->secrets);
	secrets_free(old);
}

static void say_tunnel(struct lab_child *h, const char *peer)
{
	struct lab_view v = { 0 };
	const struct ike_sa *sas;
	size_t n = 0;

	sas = h->ike ? ike_sas(h->ike, &n) : NULL;
	for (size_t i = 0; i < n; i++) {
		if (!streq(sas[i].peer, peer))
			continue;
		v.ikes++;
		v.established += sas[i].state == IKE_SA_ESTABLISHED;
		v.spi_i = sas[i].spi_i;
		v.spi_r = sas[i].spi_r;
		v.id = sas[i].unique_id;
		array_foreach(&sas[i].children, c) {
			v.children++;
			v.installed += c->installed;
			if (!c->installed)
				continue;
			v.spi_in = c->spi_in;
			v.spi_out = c->spi_out;
		}
	}
	reply(h, "%d %d %d %d %llx %llx %x %x %u", v.ikes, v.established, v.children, v.installed,
	      v.spi_i, v.spi_r, v.spi_in, v.spi_out, v.id);
}

static void say_carrier(struct lab_child *h, const char *peer)
{
	const struct ike_child *child = NULL;
	const struct ike_sa *sa = ike_peer_sa(h->ike, peer, &child);

	if (sa)
		reply(h, "%u %x %x", sa->unique_id, child->spi_in, child->spi_out);
	else
		reply(h, "none");
}

static void on_direct_done(int result, const struct vici_node *answer, void *user)
{
	struct lab_child *h = user;
	struct sn_error e = { 0 };

	if (result == 0)
		result = vici_reply_error(answer, &e);
	reply(h, "%s", result < 0 ? e.text : "ok");
}

static bool open_direct(struct lab_child *h)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.vici", h->dir);
	const struct vici_handlers none = { 0 };
	struct sn_error e;

	vici_close(sn_steal(h->direct));
	if (vici_open(h->loop, path, (const char *const[]){ NULL }, &none, &h->direct, &e) == 0)
		return true;
	reply(h, "%s", e.text);
	return false;
}

static void direct(struct lab_child *h, const char *command, const char *peer)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	if (!open_direct(h))
		return;
	vici_add(&w, "ike", SENNIT_IKE_PREFIX "%s", peer);
	if (streq(command, "initiate")) {
		array_foreach(&h->wanted.o, o)
			if (o->kind == OBJECT_IKE_CONN && streq(o->conn->peer, peer))
				vici_add(&w, "child", "%s", o->conn->child);
	}
	if (!streq(command, "rekey"))
		vici_add(&w, "timeout", "-1");
	vici_call(h->direct, command, &w, NULL, 0, NULL, on_direct_done, h);
}

static void on_selectors(const struct vici_node *item, void *user)
{
	struct lab_child *h = user;
	const struct vici_node *sa = item->n_children ? &item->children[0] : NULL;
	const struct vici_node *children = vici_child(sa, "child-sas");

	for (size_t i = 0; children && i < children->n_children; i++)
		for (const char *const *name =
			     (const char *const[]){ "local-ts", "remote-ts", NULL };
		     *name; name++) {
			const struct vici_node *list = vici_child(&children->children[i], *name);

			for (size_t j = 0; list && j < list->n_children; j++)
				strbuf_addf(&h->selectors, "%s ", list->children[j].value);
		}
}

static void on_selectors_done(int result, const struct vici_node *answer, void *user)
{
	struct lab_child *h = user;

	(void)answer;
	reply(h, "%d %s", result, strbuf_str(&h->selectors));
	strbuf_clear(&h->selectors);
}

static void say_selectors(struct lab_child *h, const char *peer)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	if (!open_direct(h))
		return;
	vici_add(&w, "ike", SENNIT_IKE_PREFIX "%s", peer);
	vici_call(h->direct, "list-sas", &w, "list-sa", 0, on_selectors, on_selectors_done, h);
}

static void on_stopped(void *user)
{
	reply(user, "ok");
}

static void set_want(struct lab_child *h, const char *list)
{
	memset(h->want, 0, sizeof(h->want));
	for (; *list; list++)
		if (*list >= '1' && *list <= '0' + LAB_MAX_HOSTS)
			h->want[*list - '0'] = true;
}

/* Commands that change something and answer at once. */
static bool change(struct lab_child *h, const char *verb, const char *args)
{
	if (streq(verb, "new") || streq(verb, "new-idle"))
		new_ike(h);
	else if (streq(verb, "free"))
		ike_free(sn_steal(h->ike));
	else if (streq(verb, "want"))
		set_want(h, args);
	else if (streq(verb, "passive") || streq(verb, "active"))
		h->passive = streq(verb, "passive");
	else if (streq(verb, "extra"))
		h->extra[h->n] = true;
	else if (streq(verb, "extra-of"))
		h->extra[atoi(args)] = true;
	else if (streq(verb, "secrets"))
		load_secrets(h, args);
	else if (streq(verb, "rekey-times"))
		sn_require(sscanf(args, "%d %d", &h->ike_rekey_s, &h->child_rekey_s) == 2);
	else if (streq(verb, "signal"))
		kill(ike_charon_pid(h->ike), atoi(args));
	else
		return false;
	if (!streq(verb, "free") && !streq(verb, "signal") && !streq(verb, "new-idle"))
		reconcile(h);
	if (streq(verb, "new"))
		ike_start(h->ike);
	reply(h, "ok");
	return true;
}

static void ask(struct lab_child *h, const char *verb, const char *args)
{
	char peer[16];

	snprintf(peer, sizeof(peer), "h%s", args);
	if (streq(verb, "tunnel")) {
		say_tunnel(h, peer);
	} else if (streq(verb, "carrier")) {
		say_carrier(h, peer);
	} else if (streq(verb, "error")) {
		reply(h, "%s", ike_peer_last_error(h->ike, peer));
	} else if (streq(verb, "errors")) {
		reply(h, "%s", strbuf_str(&h->errors));
		strbuf_clear(&h->errors);
	} else if (streq(verb, "plan")) {
		h->asked_plan = true;
		ike_observe(h->ike, on_observed, h);
	} else if (streq(verb, "online")) {
		reply(h, "%s", ike_is_online(h->ike) ? "yes" : "no");
	} else if (streq(verb, "why")) {
		reply(h, "%s", h->why);
	} else if (streq(verb, "pid")) {
		reply(h, "%d", ike_charon_pid(h->ike));
	} else if (streq(verb, "boot")) {
		reply(h, "%016" PRIx64, ike_boot_id(h->ike));
	} else if (streq(verb, "initiate") || streq(verb, "rekey") || streq(verb, "terminate")) {
		direct(h, verb, peer);
	} else if (streq(verb, "selectors")) {
		say_selectors(h, peer);
	} else if (streq(verb, "untunnel")) {
		ike_set_tunnels(h->ike, NULL, 0);
		reply(h, "ok");
	} else if (streq(verb, "kick")) {
		ike_kick(h->ike, peer);
		reply(h, "ok");
	} else if (streq(verb, "booted")) {
		ike_peer_booted(h->ike, peer, 0);
		reply(h, "ok");
	} else if (streq(verb, "stop")) {
		ike_shutdown(h->ike, on_stopped, h);
	} else {
		fprintf(stderr, "unknown command %s\n", verb);
		_exit(1);
	}
}

static void on_command(int fd, unsigned events, void *user)
{
	struct lab_child *h = user;
	char line[256], *args;
	ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

	(void)events;
	if (n <= 0) {
		loop_stop(h->loop);
		return;
	}
	line[n] = '\0';
	args = strchr(line, ' ');
	if (args)
		*args++ = '\0';
	if (!change(h, line, args ? args : ""))
		ask(h, line, args ? args : "");
}

static void run_host(int n, int fd, const char *lab_dir) __attribute__((noreturn));
static void run_host(int n, int fd, const char *lab_dir)
{
	struct lab_child h = { .n = n, .fd = fd, .ike_rekey_s = 3600, .child_rekey_s = 1200 };
	struct loop_io *io;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	h.dir = xasprintf("%s/h%d", lab_dir, n);
	sn_require(file_mkdirs(h.dir, 0700) == 0);
	h.loop = loop_new();
	io = loop_io_new(h.loop, fd, LOOP_READ, on_command, &h);
	load_secrets(&h, "A");
	loop_run(h.loop);
	ike_free(h.ike);
	vici_close(h.direct);
	secrets_free(h.secrets);
	object_set_fini(&h.wanted);
	strbuf_fini(&h.errors);
	strbuf_fini(&h.plan);
	strbuf_fini(&h.selectors);
	loop_io_free(io);
	loop_free(h.loop);
	free(h.dir);
	/* leaks are looked for by _exit()'s elder sister */
	exit(0);
}

/* ============================ in the test's process ========================== */

static void run_ip(int netns_pid, const char *args)
{
	_cleanup_free_ char *command =
		netns_pid ? xasprintf("nsenter -t %d -n ip %s", netns_pid, args)
			  : xasprintf("ip %s", args);

	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

void lab_ip(struct lab *lab, int host, const char *fmt, ...)
{
	_cleanup_free_ char *args = NULL;
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&args, fmt, ap) >= 0);
	va_end(ap);
	run_ip(host ? lab->host[host].pid : 0, args);
}

static void wire(struct lab *lab, int n)
{
	lab_ip(lab, 0, "link add v%d type veth peer name eth0 netns %d", n, lab->host[n].pid);
	lab_ip(lab, 0, "link set v%d master br0 up", n);
	lab_ip(lab, n, "link set lo up");
	lab_ip(lab, n, "link set eth0 up");
	lab_ip(lab, n, "addr add 192.168.77.%d/24 dev eth0", n);
	lab_ip(lab, n, "addr add 10.42.%d.1/32 dev lo", n);
	lab_ip(lab, n, "addr add 10.42.%d.1/32 dev lo", 100 + n);
}

static void start_host(struct lab *lab, int n)
{
	struct lab_host *h = &lab->host[n];
	int pair[2];
	char byte;

	sn_require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	h->n = n;
	h->fd = pair[0];
	fflush(NULL);
	h->pid = fork();
	sn_require(h->pid >= 0);
	if (h->pid == 0) {
		for (int i = 1; i <= n; i++)
			close(lab->host[i].fd);
		if (unshare(CLONE_NEWNET) < 0 || write(pair[1], "r", 1) != 1 ||
		    read(pair[1], &byte, 1) != 1)
			_exit(1);
		run_host(n, pair[1], lab->dir);
	}
	close(pair[1]);
	sn_require(read(h->fd, &byte, 1) == 1);
	wire(lab, n);
	sn_require(write(h->fd, "g", 1) == 1);
}

bool lab_init(struct lab *lab, int hosts)
{
	*lab = (struct lab){ .n = hosts };
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	snprintf(lab->dir, sizeof(lab->dir), "/tmp/sennit-test-ike-XXXXXX");
	sn_require(mkdtemp(lab->dir));
	lab_ip(lab, 0, "link add br0 type bridge");
	lab_ip(lab, 0, "link set br0 up");
	for (int n = 1; n <= hosts; n++)
		start_host(lab, n);
	return true;
}

/* Every charon that was started has become our child when its host ended. */
static void end_children(int signo)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/task/%d/children", getpid());
	_cleanup_free_ char *text = NULL;
	size_t len;
	char *rest, *word;

	if (file_read(path, 65536, &text, &len) < 0)
		return;
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (atoi(word) > 1)
			kill(atoi(word), signo);
}

bool lab_fini(struct lab *lab)
{
	bool clean = true;

	for (int n = 1; n <= lab->n; n++) {
		int status;

		close(lab->host[n].fd);
		sn_require(waitpid(lab->host[n].pid, &status, 0) == lab->host[n].pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		fprintf(stderr, "host h%d: status %#x\n", n, (unsigned)status);
		clean = false;
	}
	end_children(SIGCONT);
	end_children(SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (!getenv("SENNIT_TEST_KEEP")) {
		_cleanup_free_ char *command = xasprintf("rm -rf %s", lab->dir);

		sn_require(system(command) == 0);
	}
	return clean;
}

static void send_text(struct lab_host *h, const char *text)
{
	sn_require(send(h->fd, text, strlen(text), 0) > 0);
}

const char *lab_receive(struct lab *lab, int host)
{
	struct timeval limit = { .tv_sec = REPLY_LIMIT_MS / 1000 };
	struct lab_host *h = &lab->host[host];
	ssize_t n;

	setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(h->fd, h->reply, sizeof(h->reply) - 1, 0);
	if (n <= 0) {
		fprintf(stderr, "h%d does not answer\n", h->n);
		abort();
	}
	h->reply[n] = '\0';
	return h->reply;
}

void lab_send(struct lab *lab, int host, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	send_text(&lab->host[host], text);
}

const char *lab_ask(struct lab *lab, int host, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	sn_require(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	send_text(&lab->host[host], text);
	return lab_receive(lab, host);
}

void lab_tell_all(struct lab *lab, const char *text)
{
	for (int n = 1; n <= lab->n; n++)
		send_text(&lab->host[n], text);
	for (int n = 1; n <= lab->n; n++)
		lab_receive(lab, n);
}

struct lab_view lab_view(struct lab *lab, int host, int peer)
{
	struct lab_view v = { 0 };
	int n = sscanf(lab_ask(lab, host, "tunnel %d", peer), "%d %d %d %d %llx %llx %x %x %u",
		       &v.ikes, &v.established, &v.children, &v.installed, &v.spi_i, &v.spi_r,
		       &v.spi_in, &v.spi_out, &v.id);

	sn_require(n == 9);
	return v;
}

bool lab_joined(struct lab *lab, int a, int b)
{
	struct lab_view x = lab_view(lab, a, b), y = lab_view(lab, b, a);

	return x.ikes == 1 && y.ikes == 1 && x.established == 1 && y.established == 1 &&
	       x.installed == 1 && y.installed == 1 && x.spi_i == y.spi_i && x.spi_r == y.spi_r &&
	       x.spi_in == y.spi_out && x.spi_out == y.spi_in;
}
