/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/look.h"

#include "attach/attach.h"
#include "base/file.h"
#include "inspect/unix_socket.h"
#include "net/net.h"
#include "net/route.h"
#include "net/sysctl.h"
#include "net/trial.h"
#include "probe/ike_verdict.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* A snapshot is at most this large (metadata/store.c). */
#define SNAPSHOT_LIMIT ((size_t)64 << 20)
#define RECORD_LIMIT 4096
/* /proc/net/udp of a host with very many sockets. */
#define SOCKETS_LIMIT ((size_t)16 << 20)
#define TCP_LISTEN 0x0a

/* --- small files ------------------------------------------------------------------- */

int look_line(const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

long long look_number(const char *path)
{
	char text[32];

	return look_line(path, text, sizeof(text)) < 0 || !isdigit((unsigned char)text[0])
		       ? -1
		       : strtoll(text, NULL, 10);
}

/* --- processes --------------------------------------------------------------------- */

int process_look(int pid, struct process *ret)
{
	struct process p = { .pid = pid };
	char path[64];
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	r = look_line(path, p.comm, sizeof(p.comm));
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, p.exe, sizeof(p.exe) - 1);
	p.exe[SN_MAX(n, 0)] = '\0';
	*ret = p;
	return 0;
}

const char *process_format(const struct process *p, char ret[static 320])
{
	if (p->pid == 0)
		snprintf(ret, 320, "a process that is not seen from here");
	else
		snprintf(ret, 320, "%s (pid %d%s%s)", p->comm, p->pid, p->exe[0] ? ", " : "",
			 p->exe);
	return ret;
}

/* Of fields 3, 4, … of /proc/PID/stat, which stand after the name. */
#define STAT_STATE 3
#define STAT_START_TIME 22

/* As charon.json has it; 0: no such process, or a zombie. */
static uint64_t start_time(int pid)
{
	char path[64], text[1024], *p, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (look_line(path, text, sizeof(text)) < 0 || !(p = strrchr(text, ')')))
		return 0;
	p = strtok_r(p + 1, " ", &save);
	if (!p || *p == 'Z' || *p == 'X')
		return 0;
	for (int field = STAT_STATE; field < STAT_START_TIME && p; field++)
		p = strtok_r(NULL, " ", &save);
	return p ? strtoull(p, NULL, 10) : 0;
}

int look_charon_pid(const char *run_dir)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.json", run_dir);
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *record = NULL;
	int64_t pid = 0, started = 0;
	struct sn_error e;
	size_t len;

	if (file_read(path, RECORD_LIMIT, &text, &len) < 0 ||
	    json_parse(text, len, &record, &e) < 0 || json_require_object(record, NULL, &e) < 0 ||
	    json_read_int(record, NULL, "pid", JSON_REQUIRED, 1, INT32_MAX, &pid, &e) < 0 ||
	    json_read_int(record, NULL, "start_time", JSON_REQUIRED, 0, INT64_MAX, &started, &e) <
		    0)
		return 0;
	return start_time((int)pid) == (uint64_t)started && started > 0 ? (int)pid : 0;
}

/* --- sockets ------------------------------------------------------------------------ */

void port_holders_fini(struct port_holders *p)
{
	array_free(&p->h);
}

/* "0100007F:01F4": words of four bytes in the order of the machine (proc_net_udp). */
static bool parse_address(const char *text, struct sn_addr *ret, unsigned *ret_port)
{
	size_t digits = strcspn(text, ":");
	struct sn_addr a = { .family = digits == 8 ? AF_INET : AF_INET6 };

	if ((digits != 8 && digits != 32) || sscanf(text + digits, ":%x", ret_port) != 1)
		return false;
	for (size_t i = 0; i < digits / 8; i++) {
		char word[9] = { 0 };
		uint32_t value;

		memcpy(word, text + 8 * i, 8);
		value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(a.bytes + 4 * i, &value, 4);
	}
	*ret = a;
	return true;
}

/* One line of /proc/net/{udp,tcp}{,6}; false: not one of this port. */
static bool parse_socket(const char *line, bool tcp, uint16_t port, struct port_holder *ret)
{
	char local[48], remote[48];
	unsigned state, found;
	uint64_t inode;

	if (sscanf(line, " %*u: %47s %47s %x %*s %*s %*s %*u %*u %" SCNu64, local, remote, &state,
		   &inode) != 4 ||
	    (tcp && state != TCP_LISTEN) || !parse_address(local, &ret->addr, &found) ||
	    found != port)
		return false;
	ret->inode = inode;
	return true;
}

static int read_sockets(const char *path, bool tcp, uint16_t port, struct port_holders *ret)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t len;
	int r = file_read(path, SOCKETS_LIMIT, &text, &len);

	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct port_holder h = { 0 };

		if (parse_socket(line, tcp, port, &h))
			*array_add(&ret->h) = h;
	}
	return 0;
}

static void match_descriptor(const char *folder, const char *name, int pid,
			     struct port_holders *ret)
{
	char path[384], target[64];
	uint64_t inode;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	if (sscanf(target, "socket:[%" SCNu64 "]", &inode) != 1)
		return;
	array_foreach(&ret->h, h)
		if (h->inode == inode && h->process.pid == 0)
			process_look(pid, &h->process);
}

static void match_process(int pid, struct port_holders *ret)
{
	char folder[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	if (!dir) {
		ret->blind |= errno == EACCES || errno == EPERM;
		return;
	}
	while ((entry = readdir(dir)))
		match_descriptor(folder, entry->d_name, pid, ret);
	closedir(dir);
}

static void find_processes(struct port_holders *ret)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			match_process(atoi(entry->d_name), ret);
	if (dir)
		closedir(dir);
}

int look_port(const char *proto, uint16_t port, struct port_holders *ret)
{
	static const char *const suffixes[] = { "", "6" };
	bool tcp = streq(proto, "tcp");

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < SN_ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *path = xasprintf("/proc/self/net/%s%s", proto, suffixes[i]);
		int r = read_sockets(path, tcp, port, ret);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	if (ret->h.n > 0)
		find_processes(ret);
	return 0;
}

/* --- routes ------------------------------------------------------------------------- */

int look_way(const struct sn_addr *to, struct way *ret)
{
	_cleanup_close_ int fd = socket(to->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool v6 = to->family == AF_INET6;
	struct sockaddr_storage sa;
	socklen_t len = sn_addr_to_sockaddr(to, 500, &sa);
	socklen_t size = sizeof(ret->mtu);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0)
		return -errno;
	if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &ret->mtu,
		       &size) < 0)
		return -errno;
	len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	return sn_addr_from_sockaddr((struct sockaddr *)&sa, &ret->source, NULL);
}

unsigned look_packet_for(unsigned mtu, uint8_t family)
{
	unsigned packet = mtu;

	while (ike_overlay_mtu(packet, family) < mtu)
		packet++;
	return packet;
}

/* --- what all need ------------------------------------------------------------------- */

/* Without store_load(): that puts a bad one aside, and we only look. */
static void load_stored_snapshot(struct exam *x)
{
	_cleanup_free_ char *path = xasprintf("%s/snapshot.json", x->config->state_dir);
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *v = NULL;
	struct sn_error e;
	size_t len;

	if (file_read(path, SNAPSHOT_LIMIT, &text, &len) == 0 &&
	    json_parse(text, len, &v, &e) == 0 && snapshot_from_json(v, &x->snapshot, &e) == 0)
		x->snapshot_is_stored = true;
}

/* As the daemon does (daemon.c). */
static void choose_dataplane(struct exam *x)
{
	x->kernel_has_esp = trial_esp(&x->esp_error) == 0;
	x->dataplane = x->config->dataplane == DATAPLANE_XFRM ||
				       (x->config->dataplane == DATAPLANE_AUTO && x->kernel_has_esp)
			       ? &dataplane_xfrm
			       : &dataplane_libipsec;
}

void exam_look(struct exam *x)
{
	_cleanup_free_ char *ctl = xasprintf("%s/control.sock", x->config->run_dir);
	struct sn_error e;

	x->root = geteuid() == 0;
	if (netlink_new(NETLINK_ROUTE, &x->route, &e) < 0 ||
	    link_table_read(x->route, &x->links, &e) < 0)
		strbuf_addf(&x->unseen, "interfaces: %s\n", e.text);
	choose_dataplane(x);
	load_stored_snapshot(x);
	x->charon_pid = look_charon_pid(x->config->run_dir);
	x->daemon_runs = unix_socket_look(ctl) == 1;
}

static bool reads_one(const char *path)
{
	char text[16];

	return look_line(path, text, sizeof(text)) == 0 && streq(text, "1");
}

/* What it was before sennit changed it is "1"; sysctls may be NULL. */
static bool was_one(struct sysctls *sysctls, const char *path)
{
	char before[16] = "";

	return sysctls && sysctl_original(sysctls, path, before, sizeof(before)) == 0 &&
	       streq(before, "1");
}

/* The device of the default route, and whether the host forwards without us (surroundings.c). */
static void look_at_uplink(struct exam *x, struct intent *intent)
{
	_cleanup_(sysctls_freep) struct sysctls *sysctls = NULL;
	const struct link_info *link = NULL;
	struct sn_error e;
	char path[96];
	int index = 0;

	if (sysctls_load(x->config->state_dir, &sysctls, &e) < 0)
		sysctls = NULL;
	intent->ipv6_forwarding = was_one(sysctls, "net/ipv6/conf/all/forwarding");
	if (x->route && route_default_index(&index, &e) == 0)
		link = link_table_find(&x->links, index);
	if (!link)
		return;
	memcpy(intent->uplink, link->o.name, sizeof(intent->uplink));
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", intent->uplink);
	intent->uplink_forwarding =
		was_one(sysctls, path) || reads_one("/proc/sys/net/ipv4/conf/all/forwarding");
}

void exam_look_at_mesh(struct exam *x)
{
	_cleanup_(attachments_freep) struct attachments *attachments = NULL;
	struct intent intent = { .config = x->config,
				 .snapshot = x->snapshot,
				 .no_ipv6 = !net_has_ipv6() };
	struct sn_error e;

	look_at_uplink(x, &intent);
	if (attachments_peek(x->config->state_dir, &attachments, &e) == 0)
		intent.attachments = attachments_all(attachments, &intent.n_attachments);
	x->want_error.code = 0;
	if (x->dataplane->want(&intent, &x->wanted, &x->want_error) < 0)
		memset(&x->wanted, 0, sizeof(x->wanted));
}

bool exam_has_bridge(const struct exam *x)
{
	array_foreach(&x->links.l, link)
		if (streq(link->o.name, x->config->bridge))
			return true;
	return false;
}

void exam_fini(struct exam *x)
{
	wanted_fini(&x->wanted);
	snapshot_free(x->snapshot);
	link_table_fini(&x->links);
	netlink_free(x->route);
	strbuf_fini(&x->unseen);
}
