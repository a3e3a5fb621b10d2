/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of others that would hurt: named, never changed. */
#include "inspect/look.h"

#include "inspect/legacy.h"
#include "inspect/ruleset.h"
#include "net/nft.h"

#include <errno.h>
#include <stdio.h>

/* What the owner's own tool calls the cure. */
static void advise_forward(struct finding *f, const char *owner, const char *bridge)
{
	if (owner && streq(owner, "Docker"))
		finding_set_next(
			f,
			"Start sennitd, which puts two rules into DOCKER-USER, Docker's own place "
			"for that. By hand: iptables -I DOCKER-USER -i %s -j ACCEPT; iptables -I "
			"DOCKER-USER -o %s -j ACCEPT.",
			bridge, bridge);
	else if (owner && streq(owner, "ufw"))
		finding_set_next(f,
				 "ufw route allow in on %s; ufw route allow out on %s; or "
				 "DEFAULT_FORWARD_POLICY=\"ACCEPT\" in /etc/default/ufw.",
				 bridge, bridge);
	else if (owner && streq(owner, "firewalld"))
		finding_set_next(
			f,
			"firewall-cmd --permanent --zone=trusted --add-interface=%s, the same for "
			"the tunnels' devices, and firewall-cmd --reload.",
			bridge);
	else
		finding_set_next(f, "Accept there what comes in by %s, and what leaves by it.",
				 bridge);
}

static const char *port_advice(const char *owner)
{
	if (owner && streq(owner, "ufw"))
		return "ufw allow 500,4500/udp";
	if (owner && streq(owner, "firewalld"))
		return "firewall-cmd --permanent --add-service=ipsec; firewall-cmd --reload";
	return "Accept UDP 500 and 4500 from the other hosts of the mesh there, in and out.";
}

static void find_closed(struct exam *x, const struct ruleset_hit *h)
{
	static const char *const why_forward =
		"Containers reach neither each other across hosts nor the outside: what the "
		"kernel forwards between bridge and tunnel passes that chain, too, and ends "
		"there.";
	static const char *const why_port =
		"IKE and the encrypted packets travel in UDP 500 and 4500: peers see this host as "
		"silent, or this host sees them so.";
	const char *owner = h->owner ? h->owner : "somebody", *unsure = "";
	struct finding *f;

	if (h->unsure)
		unsure = " (unless one of its rules that cannot be read here lets it)";
	switch (h->harm) {
	case RULESET_FORWARD_CLOSED:
		f = exam_find(x, h->unsure ? SEVERITY_WARNING : SEVERITY_FAULT, why_forward, NULL,
			      "%s of %s drops what is forwarded, and nothing in it lets %s pass%s",
			      h->where, owner, x->config->bridge, unsure);
		advise_forward(f, h->owner, x->config->bridge);
		break;
	case RULESET_INPUT_CLOSED:
	case RULESET_OUTPUT_CLOSED:
		exam_find(
			x, SEVERITY_WARNING, why_port, port_advice(h->owner),
			"%s of %s drops %s, and nothing in it lets UDP %u pass%s", h->where, owner,
			h->harm == RULESET_INPUT_CLOSED ? "what comes in" : "what this host sends",
			h->port, unsure);
		break;
	case RULESET_PORT_DROPPED:
		exam_find(x, SEVERITY_WARNING, why_port, port_advice(h->owner),
			  "a rule in %s of %s drops UDP %u", h->where, owner, h->port);
		break;
	}
}

/* Bridged packets pass iptables' and nftables' ip chains where br_netfilter says so. */
static void judge_bridge_nf(struct exam *x, bool closed)
{
	static const char file[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";

	if (closed && look_number(file) == 1)
		exam_find(
			x, SEVERITY_WARNING,
			"Even packets between two containers of this host pass those chains then, "
			"and end there.",
			"Open the chain (above). Or, if nothing on this host wants it (Docker and "
			"Kubernetes do), set net.bridge.bridge-nf-call-iptables=0.",
			"%s is 1, and a chain that drops forwarded packets is in force", file);
}

void check_firewall_nft(struct exam *x)
{
	const struct ruleset_question q = { x->config->bridge,
					    x->snapshot ? &x->snapshot->overlay : NULL };
	_cleanup_json_ json_t *doc = NULL;
	struct ruleset_hits hits;
	struct sn_error e;
	bool closed = false;

	if (nft_read_ruleset(&doc, &e) < 0) {
		exam_unseen(x, "%s", e.text);
		return;
	}
	ruleset_judge(doc, &q, &hits);
	array_foreach(&hits.h, h) {
		find_closed(x, h);
		closed |= h->harm == RULESET_FORWARD_CLOSED;
	}
	judge_bridge_nf(x, closed);
	if (hits.h.n == 0)
		exam_ok(x, "no nftables rule of others is in the way");
	ruleset_hits_fini(&hits);
}

/* --- the old tables ------------------------------------------------------------------------- */

static void judge_legacy(struct exam *x, const struct legacy_table *t)
{
	const char *owner = t->owner[0] ? ruleset_owner(t->owner) : NULL;

	if (t->forward_drops && !t->names_bridge)
		advise_forward(exam_find(x, SEVERITY_FAULT,
					 "Containers' packets end there, whatever nftables "
					 "accepts: both are asked.",
					 NULL,
					 "the legacy iptables table %s of %s drops what is "
					 "forwarded, and nothing "
					 "in it lets %s pass",
					 t->name, owner ? owner : "somebody", x->config->bridge),
			       owner, x->config->bridge);
	if (t->input_drops && !t->names_ports)
		exam_find(x, SEVERITY_WARNING,
			  "IKE and the encrypted packets travel in UDP 500 and 4500.",
			  port_advice(owner),
			  "the legacy iptables table %s of %s drops what comes in, and nothing in "
			  "it names UDP 500 and 4500",
			  t->name, owner ? owner : "somebody");
	if (t->rules > 0 && !t->forward_drops && !t->input_drops)
		exam_find(x, SEVERITY_NOTE,
			  "Its rules are not seen by 'nft list ruleset', and apply nevertheless.",
			  "'iptables-legacy-save' shows them. If nothing wants them: "
			  "'iptables-legacy -F'.",
			  "the legacy iptables table %s has %u rules", t->name, t->rules);
}

void check_firewall_legacy(struct exam *x)
{
	struct legacy_tables all;
	struct sn_error e;
	int r = legacy_read(x->config->bridge, &all, &e);
	size_t before = x->findings->f.n;

	if (r < 0) {
		exam_unseen(x, "%s", e.text);
		return;
	}
	array_foreach(&all.t, t)
		judge_legacy(x, t);
	if (x->findings->f.n == before)
		exam_ok(x, "no legacy iptables rules are in the way");
	array_free(&all.t);
}
