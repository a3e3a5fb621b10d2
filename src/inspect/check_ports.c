/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has the ports we need. */
#include "inspect/look.h"

#include <errno.h>
#include <stdio.h>

#define IKE_PORT 500
#define NAT_T_PORT 4500

static bool is_wildcard(const struct sn_addr *a)
{
	static const uint8_t zeros[16];

	return memcmp(a->bytes, zeros, sizeof(zeros)) == 0;
}

static const char *advice(const struct process *p)
{
	if (strstr(p->comm, "charon"))
		return "This host's own strongSwan: systemctl disable --now strongswan "
		       "strongswan-starter (sennit starts a charon of its own).";
	if (strstr(p->comm, "pluto"))
		return "libreswan: systemctl disable --now ipsec.";
	if (strstr(p->comm, "docker"))
		return "A container publishes the port (Rancher's ipsec service does): remove that "
		       "container, or its ports.";
	return "End it, or give it another port; IKE's ports cannot be changed.";
}

static void judge_ike_holder(struct exam *x, uint16_t port, const struct port_holder *h, bool blind)
{
	struct finding *f;

	if (h->process.pid == 0 && (blind || !x->root)) {
		exam_unseen(x, "UDP %u: somebody has it; only root sees who", port);
		return;
	}
	f = exam_find(x, SEVERITY_FAULT,
		      x->charon_pid
			      ? "What peers send there may reach that program instead of our "
				"charon, and is lost."
			      : "charon needs this port for IKE, and cannot take it: no tunnel "
				"comes up.",
		      advice(&h->process), "UDP port %u of %s is held by %s", port,
		      is_wildcard(&h->addr) ? "every address" : SN_ADDR_STR(&h->addr),
		      PROCESS_STR(&h->process));
	if (h->process.pid == 0)
		finding_set_next(f,
				 "Nobody's process has it: the kernel itself does (a WireGuard or "
				 "other tunnel device on that port: 'ip -d link'), or a process "
				 "of another PID namespace.");
}

static void judge_ike_port(struct exam *x, uint16_t port)
{
	struct port_holders holders;
	bool ours = false, others = false;
	int r = look_port("udp", port, &holders);

	if (r < 0)
		exam_unseen(x, "UDP %u: %s", port, sn_strerror(r));
	array_foreach(&holders.h, h) {
		if (x->charon_pid && h->process.pid == x->charon_pid) {
			ours = true;
			continue;
		}
		/* v4 and v6 sockets of one process are one finding */
		if (h > holders.h.v && h[-1].process.pid == h->process.pid)
			continue;
		judge_ike_holder(x, port, h, holders.blind);
		others = true;
	}
	if (ours && !others)
		exam_ok(x, "UDP %u is our charon's", port);
	else if (!others && !x->charon_pid)
		exam_ok(x, "UDP %u is free for charon", port);
	else if (!others && r == 0)
		exam_find(x, SEVERITY_FAULT, "Peers get no answer there.",
			  "See charon.log in run_dir: it says at its start why it could not have "
			  "it. Restart it: 'sennit down', 'sennit up'.",
			  "our charon (pid %d) does not listen on UDP %u", x->charon_pid, port);
	port_holders_fini(&holders);
}

void check_ports_ike(struct exam *x)
{
	judge_ike_port(x, IKE_PORT);
	judge_ike_port(x, NAT_T_PORT);
}

static void judge_own_port(struct exam *x, const char *proto, uint16_t port, const char *what,
			   const char *next)
{
	struct port_holders holders;

	if (look_port(proto, port, &holders) < 0)
		return;
	array_foreach(&holders.h, h) {
		if (!h->process.pid || streq(h->process.comm, "sennitd"))
			continue;
		exam_find(x, SEVERITY_FAULT, what, next, "%s port %u of %s is held by %s", proto,
			  port, is_wildcard(&h->addr) ? "every address" : SN_ADDR_STR(&h->addr),
			  PROCESS_STR(&h->process));
	}
	port_holders_fini(&holders);
}

void check_ports_other(struct exam *x)
{
	size_t before = x->findings->f.n;

	judge_own_port(x, "udp", SENNIT_HEARTBEAT_PORT,
		       "sennitd's heartbeats need it: without them every peer is called down.",
		       "End it, or give it another port; the heartbeats' cannot be changed.");
	array_foreach(&x->config->http, l)
		judge_own_port(x, "tcp", l->port,
			       "sennitd serves health, metrics and status there, and does not "
			       "start without.",
			       "End it, or change http.listen in the configuration.");
	if (x->findings->f.n == before)
		exam_ok(x, "the heartbeats' and the HTTP ports are free or sennitd's");
}
