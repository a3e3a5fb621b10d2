/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include "base/json.h"
#include "base/strbuf.h"

#include <netdb.h>
#include <time.h>

const char *report_service(uint16_t port, bool numeric)
{
	const struct servent *known;

	if (port == IKE_PORT)
		return "isakmp";
	if (port == IKE_NAT_PORT)
		return "ipsec-nat-t";
	known = numeric ? NULL : getservbyport(htons(port), "udp");
	return known ? known->s_name : "*";
}

bool report_is_good(const struct port_result *p)
{
	return !p->trouble[0] && p->judgement.verdict == IKE_ANSWERED && p->rounds > 0 &&
	       p->answered_rounds == p->rounds;
}

static double ms(int64_t us)
{
	return (double)us / 1000;
}

/* "an IKE daemon answered: …, 0.31 ms"; with more than one round the loss, too. */
static void add_outcome(struct strbuf *b, const struct port_result *p, bool round)
{
	const struct ike_evidence *e = &p->e;
	double mean = e->answers ? ms(e->rtt_sum_us) / e->answers : 0;

	if (p->trouble[0]) {
		strbuf_add_escaped(b, p->trouble);
		return;
	}
	strbuf_add_escaped(b, p->judgement.summary);
	if (e->answers && (p->rounds == 1 || round))
		strbuf_addf(b, ", %.2f ms", mean);
	if (p->rounds <= 1 || round)
		return;
	strbuf_addf(b, "; %u of %u answered (%.1f%% lost)", p->answered_rounds, p->rounds,
		    100.0 * (p->rounds - p->answered_rounds) / p->rounds);
	if (e->answers)
		strbuf_addf(b, ", round trip min/avg/max %.2f/%.2f/%.2f ms", ms(e->rtt_min_us),
			    mean, ms(e->rtt_max_us));
}

static void add_host(struct strbuf *b, const struct target *t)
{
	strbuf_add_escaped(b, target_name(t));
	if (!streq(target_name(t), target_address(t)))
		strbuf_addf(b, " (%s)", target_address(t));
}

/* --- what only some questions have ------------------------------------------- */

static const char *nat_here(enum ike_nat nat)
{
	static const char *const words[] = {
		[IKE_NAT_UNKNOWN] = "not known, it did not say",
		[IKE_NAT_NO] = "no",
		[IKE_NAT_YES] = "yes",
	};

	return words[nat];
}

static const char *nat_there(enum ike_nat nat)
{
	return nat == IKE_NAT_YES ? "yes, or it forces UDP encapsulation" : nat_here(nat);
}

static void add_full(struct strbuf *b, const struct ike_evidence *e)
{
	const struct ike_answer *a = &e->answer;

	if (a->kind == IKE_ANSWER_INIT) {
		strbuf_addf(b, "    NAT: here %s; there %s\n", nat_here(e->nat.ours),
			    nat_there(e->nat.its));
		strbuf_adds(b, "    it chose ");
		strbuf_add_escaped(b, a->proposal);
		strbuf_addf(b, "; IKE fragmentation %s\n", a->fragmentation ? "yes" : "no");
	}
	if (a->vendor[0]) {
		strbuf_adds(b, "    it says it is ");
		strbuf_add_escaped(b, a->vendor);
		strbuf_addc(b, '\n');
	}
}

static void add_mtu(struct strbuf *b, const struct port_result *p)
{
	unsigned inner = ike_overlay_mtu(p->path_mtu, p->e.target.addr.family);

	if (!p->path_mtu)
		return;
	strbuf_addf(b, "    path MTU %u, so mtu of the overlay at most %u", p->path_mtu, inner);
	if (p->mtu_silent)
		strbuf_adds(b, "; longer packets vanish: let ICMP 'fragmentation needed' pass, or "
			       "lower mtu");
	else if (sn_addr_is_set(&p->mtu_by) && sn_addr_cmp(&p->mtu_by, &p->e.local) != 0)
		strbuf_addf(b, "; says %s", SN_ADDR_STR(&p->mtu_by));
	strbuf_addc(b, '\n');
}

static void add_more(struct strbuf *b, const struct port_result *p)
{
	const struct ike_judgement *j = &p->judgement;

	if (j->meaning[0])
		strbuf_addf(b, "    %s\n", j->meaning);
	if (j->next[0])
		strbuf_addf(b, "    Next: %s.\n", j->next);
	strbuf_addf(b, "    from %s: %u sent, %llu bytes; %u received, %llu bytes\n",
		    sn_addr_is_set(&p->e.local) ? SN_ADDR_STR(&p->e.local) : "nowhere", p->e.sent,
		    (unsigned long long)p->e.bytes_sent, p->e.answers,
		    (unsigned long long)p->e.bytes_received);
}

static void add_clock(struct strbuf *b)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[16];

	strftime(text, sizeof(text), "%H:%M:%S ", localtime_r(&now, &tm));
	strbuf_adds(b, text);
}

void report_port(FILE *f, const struct target *t, const struct port_result *p,
		 const struct options *o, bool round)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	if (round)
		add_clock(&b);
	strbuf_adds(&b, "Connection to ");
	add_host(&b, t);
	strbuf_addf(&b, " %u port [udp/%s] %s: ", p->port, report_service(p->port, o->numeric),
		    p->judgement.verdict == IKE_ANSWERED && !p->trouble[0] ? "succeeded"
									   : "failed");
	add_outcome(&b, p, round);
	strbuf_addc(&b, '\n');
	if (!round && !p->trouble[0]) {
		add_full(&b, &p->e);
		add_mtu(&b, p);
		if (o->verbose)
			add_more(&b, p);
	}
	fputs(strbuf_str(&b), f);
	fflush(f);
}

/* "h1 (192.0.2.11): up", or that it does not know it. */
static void add_leg_peer(struct strbuf *b, const char *address, const struct leg_peer *p)
{
	if (!p->id[0]) {
		strbuf_addf(b, "does not know %s", address);
		return;
	}
	strbuf_adds(b, "sees ");
	strbuf_add_escaped(b, p->id);
	strbuf_addf(b, " (%s): ", address);
	strbuf_add_escaped(b, p->state);
	if (p->cause[0] && !streq(p->cause, "none")) {
		strbuf_adds(b, ", ");
		strbuf_add_escaped(b, p->cause);
	}
	if (p->evidence[0]) {
		strbuf_adds(b, ": ");
		strbuf_add_escaped(b, p->evidence);
	}
}

void report_leg(FILE *f, const struct target *t)
{
	const struct leg_result *r = target_leg(t);
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	size_t n;
	const struct port_result *ports = target_ports(t, &n);

	if (r->host[0]) {
		strbuf_adds(&b, "sennitd of ");
		strbuf_add_escaped(&b, r->host);
		strbuf_addc(&b, ' ');
		add_leg_peer(&b, SN_ADDR_STR(&ports[0].e.local), &r->us);
		if (!r->is_target) {
			strbuf_adds(&b, "; it ");
			add_leg_peer(&b, target_address(t), &r->target);
		}
		strbuf_addc(&b, '\n');
	}
	if (r->trouble[0]) {
		strbuf_adds(&b, "sennitd of the other end cannot be asked: ");
		strbuf_add_escaped(&b, r->trouble);
		strbuf_addc(&b, '\n');
	}
	fputs(strbuf_str(&b), f);
	fflush(f);
}

void report_lookup(FILE *f, const char *name, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_adds(&b, "Connection to ");
	strbuf_add_escaped(&b, name);
	strbuf_adds(&b, " failed: ");
	strbuf_add_escaped(&b, text);
	fprintf(f, "%s\n", strbuf_str(&b));
	fflush(f);
}

/* --- JSON ------------------------------------------------------------------- */

static json_t *answer_json(const struct ike_evidence *e)
{
	static const char *const kinds[] = {
		[IKE_ANSWER_NONE] = "none",     [IKE_ANSWER_FOREIGN] = "foreign",
		[IKE_ANSWER_ECHO] = "echo",     [IKE_ANSWER_V1] = "ikev1",
		[IKE_ANSWER_NOTIFY] = "notify", [IKE_ANSWER_INIT] = "ike-sa-init",
		[IKE_ANSWER_IKE] = "ike",
	};
	const struct ike_answer *a = &e->answer;
	const char *notify = ike_notify_name(a->notify, a->kind == IKE_ANSWER_V1);
	char version[8];

	if (a->kind == IKE_ANSWER_NONE)
		return json_null();
	snprintf(version, sizeof(version), "%u.%u", a->version >> 4, a->version & 15u);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "kind", kinds[a->kind],
			 "version", a->version ? json_string(version) : json_null(), "notify",
			 a->notify ? json_integer(a->notify) : json_null(), "notify_name",
			 notify ? json_string(notify) : json_null(), "from",
			 json_from_addr(&e->from.addr), "from_port", e->from.port, "proposal",
			 a->proposal[0] ? json_string(a->proposal) : json_null(), "vendor",
			 a->vendor[0] ? json_from_text(a->vendor) : json_null());
}

static json_t *refusal_json(const struct ike_refusal *r)
{
	if (!r->error)
		return json_null();
	return json_pack("{s:s, s:b, s:o, s:i, s:i}", "error", sn_strerror(-r->error), "icmp",
			 r->icmp, "by", json_from_addr(&r->offender), "type", r->type, "code",
			 r->code);
}

static json_t *nat_json(const struct ike_evidence *e)
{
	static const char *const words[] = {
		[IKE_NAT_UNKNOWN] = "unknown", [IKE_NAT_NO] = "no", [IKE_NAT_YES] = "yes"
	};

	if (e->answer.kind != IKE_ANSWER_INIT || (!e->nat.ours && !e->nat.its))
		return json_null();
	return json_pack("{s:s, s:s}", "here", words[e->nat.ours], "there",
			 e->nat.its == IKE_NAT_YES ? "yes-or-forced" : words[e->nat.its]);
}

static json_t *leg_peer_json(const struct leg_peer *p)
{
	if (!p->id[0])
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "id", json_from_text(p->id), "state",
			 json_from_text(p->state), "cause", json_from_text(p->cause), "evidence",
			 json_from_text(p->evidence));
}

/* Of a port: what the other end says of it and of us. */
static json_t *leg_json(const struct leg_result *r, const struct ike_evidence *e)
{
	static const char *const arrivals[] = {
		[IKE_ARRIVAL_UNKNOWN] = "unknown",
		[IKE_ARRIVED] = "arrived",
		[IKE_NOT_ARRIVED] = "not-arrived",
	};

	if (!r)
		return json_null();
	return json_pack("{s:o, s:o, s:b, s:s, s:o, s:o}", "host", json_from_text(r->host),
			 "trouble", r->trouble[0] ? json_from_text(r->trouble) : json_null(),
			 "is_target", r->is_target, "probes", arrivals[e->arrival], "of_us",
			 leg_peer_json(&r->us), "of_target", leg_peer_json(&r->target));
}

static json_t *rtt_json(const struct ike_evidence *e)
{
	if (!e->answers)
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "min", ms(e->rtt_min_us), "avg",
			 ms(e->rtt_sum_us) / e->answers, "max", ms(e->rtt_max_us));
}

static void add_mtu_json(json_t *v, const struct port_result *p)
{
	if (!p->path_mtu)
		return;
	json_object_set_new(v, "path_mtu", json_integer(p->path_mtu));
	json_object_set_new(v, "path_mtu_silent", json_boolean(p->mtu_silent));
	json_object_set_new(v, "overlay_mtu",
			    json_integer(ike_overlay_mtu(p->path_mtu, p->e.target.addr.family)));
}

json_t *report_port_json(const struct target *t, const struct port_result *p,
			 const struct options *o)
{
	const struct ike_evidence *e = &p->e;
	const struct ike_judgement *j = &p->judgement;
	json_t *v = json_pack("{s:o, s:s, s:i, s:s}", "host", json_from_text(target_name(t)),
			      "address", target_address(t), "port", p->port, "service",
			      report_service(p->port, o->numeric));

	json_object_set_new(
		v, "result",
		json_string(p->trouble[0] ? "not-asked" : ike_verdict_to_string(j->verdict)));
	json_object_set_new(v, "summary", json_from_text(p->trouble[0] ? p->trouble : j->summary));
	json_object_set_new(v, "meaning", json_string(p->trouble[0] ? "" : j->meaning));
	json_object_set_new(v, "next", json_string(p->trouble[0] ? "" : j->next));
	json_object_set_new(v, "from", json_from_addr(&e->local));
	json_object_set_new(v, "answer", answer_json(e));
	json_object_set_new(v, "error", refusal_json(&e->refusal));
	json_object_set_new(v, "nat", nat_json(e));
	json_object_set_new(v, "rtt_ms", rtt_json(e));
	json_object_set_new(v, "rounds", json_integer(p->rounds));
	json_object_set_new(v, "rounds_answered", json_integer(p->answered_rounds));
	json_object_set_new(v, "sent", json_integer(e->sent));
	json_object_set_new(v, "received", json_integer(e->answers));
	json_object_set_new(v, "bytes_sent", json_integer((json_int_t)e->bytes_sent));
	json_object_set_new(v, "bytes_received", json_integer((json_int_t)e->bytes_received));
	json_object_set_new(v, "other_end", leg_json(target_leg(t), e));
	add_mtu_json(v, p);
	return v;
}

json_t *report_lookup_json(const char *name, const char *text)
{
	return json_pack("{s:o, s:n, s:s, s:o}", "host", json_from_text(name), "address", "result",
			 "no-address", "summary", json_from_text(text));
}
