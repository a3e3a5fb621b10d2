/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts for the tests of ike: each is a process in a network namespace of its own
 * that runs a loop with a struct ike and its real charon, and obeys commands.
 * The namespaces have no names; the test's process is the switch between the hosts, and
 * the reaper of every charon, so nothing outlives it.
 *
 * Host n is called "h<n>", has 192.168.77.<n> and the prefix 10.42.<n>.0/24.
 */
#pragma once

#include "base/util.h"

#include <sys/types.h>

#define LAB_MAX_HOSTS 4
#define LAB_REPLY_SIZE 16384

struct lab_host {
	int n;
	int fd;
	pid_t pid;
	char reply[LAB_REPLY_SIZE];
};

struct lab {
	char dir[64];
	struct lab_host host[LAB_MAX_HOSTS + 1]; /* from 1 */
	int n;
};

/* What a host's ike says of one peer: the words of `tunnel`. */
struct lab_view {
	int ikes, established, children, installed;
	unsigned long long spi_i, spi_r;
	unsigned spi_in, spi_out;
	unsigned id;
};

/* False: namespaces cannot be made here. */
bool lab_init(struct lab *lab, int hosts);
/* False when a host's process did not end well (a sanitizer spoke). */
bool lab_fini(struct lab *lab);

/*
 * Commands, each with one reply:
 *	new			makes a struct ike and starts it
 *	new-idle		makes one without starting it
 *	free			frees it; charon goes on
 *	want 2 3 …		connections and keys for these hosts, tunnels to them
 *	extra			one more prefix of this host's own, 10.42.<100+n>.0/24
 *	extra-of 2		the same, known of a peer
 *	secrets A B …		names of secrets, the first is used
 *	rekey-times 3 2		of IKE_SAs and children, in seconds
 *	passive | active	without tunnels wanted, and with them again
 *	tunnel 2		see struct lab_view
 *	carrier 2		"<ike id> <spi_in> <spi_out>" of ike_peer_sa(), or "none"
 *	error 2			last error
 *	errors 2		every peer_error since the last call, a line each
 *	plan			what a plan would do now, as printed
 *	online | pid | boot
 *	why			what offline() said last
 *	selectors 2		of all children of the peer, as charon lists them
 *	untunnel		no tunnel is wanted, the connections stay
 *	initiate 2 | rekey 2 | terminate 2	the IKE_SA, by vici, past all rules
 *	kick 2 | booted 2
 *	signal N		to charon
 *	stop			ike_shutdown()
 */
const char *lab_ask(struct lab *lab, int host, const char *fmt, ...) SN_PRINTF(3, 4);
/* The same in two halves, to ask several at once. */
void lab_send(struct lab *lab, int host, const char *fmt, ...) SN_PRINTF(3, 4);
const char *lab_receive(struct lab *lab, int host);
void lab_tell_all(struct lab *lab, const char *text);
struct lab_view lab_view(struct lab *lab, int host, int peer);
/* One IKE_SA, one installed child, the same SPIs at both ends. */
bool lab_joined(struct lab *lab, int a, int b);
/* Runs ip(8) in the host's namespace (0: the switch). */
void lab_ip(struct lab *lab, int host, const char *fmt, ...) SN_PRINTF(3, 4);
