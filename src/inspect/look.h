/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several checks look at: /proc, processes, sockets, routes. Read only. */
#pragma once

#include "inspect/exam.h"

/* Fills what all checks need; without privileges as much as can be had. */
void exam_look(struct exam *x);
/* The same, of what the mesh wants on this host. x->snapshot is set. */
void exam_look_at_mesh(struct exam *x);
void exam_fini(struct exam *x);

/* --- small files ------------------------------------------------------------------- */

/* The first line of a file of the kernel's, or a negative errno. */
int look_line(const char *path, char *ret, size_t size);
/* A decimal number in a file; -1 when it cannot be read. */
long long look_number(const char *path);

/* --- processes --------------------------------------------------------------------- */

struct process {
	int pid; /* 0: not found */
	char comm[32];
	char exe[256]; /* "" when it may not be read */
};

/* 0, or a negative errno: no such process. */
int process_look(int pid, struct process *ret);
/* "pluto (pid 4242, /usr/libexec/ipsec/pluto)" */
const char *process_format(const struct process *p, char ret[static 320]);
#define PROCESS_STR(p) process_format((p), (char[320]){ 0 })
/* The pid in run_dir/charon.json when that process lives (its start time agrees); 0: none. */
int look_charon_pid(const char *run_dir);

/* --- sockets ------------------------------------------------------------------------ */

/* Who has a port; several can share one. */
struct port_holder {
	struct sn_addr addr; /* what it is bound to; all zeros: everything */
	uint64_t inode;
	struct process process; /* pid 0: it may not be known, or is the kernel itself */
};
struct port_holders {
	ARRAY(struct port_holder) h;
	bool blind; /* some process' descriptors may not be read */
};
/* proto: "udp" or "tcp" (listening ones only). 0 or a negative errno. */
int look_port(const char *proto, uint16_t port, struct port_holders *ret);
void port_holders_fini(struct port_holders *p);

/* --- routes ------------------------------------------------------------------------- */

struct way {
	int mtu; /* what the kernel knows of the path: device, route, ICMP */
	struct sn_addr source;
};
/* How UDP packets to this address would go; nothing is sent. 0 or a negative errno: no route. */
int look_way(const struct sn_addr *to, struct way *ret);
/* The least packet on the wire, in bytes of IP, that carries an overlay packet of mtu bytes. */
unsigned look_packet_for(unsigned mtu, uint8_t family);
