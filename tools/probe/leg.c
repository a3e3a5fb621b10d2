/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charon's log says from which address a probe came, not to which port. So one
 * port after the other is asked, and the counts are read before and after. Somebody
 * else's probe in these seconds from our address would be taken for ours; behind NAT, where our
 * address is not known there, anybody's would.
 *
 * Everything in the answer is from outside: bounded by the request, typed by
 * base/json.h, escaped where it is printed.
 */
#include "leg.h"

#include "base/array.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>

#define BODY_LIMIT ((size_t)8 << 20)
#define CONNECT_MS 3000
#define TOTAL_MS 8000
#define ASK_MS 2000
#define PROBES_MAX 256

struct count {
	struct sn_addr from;
	int64_t n;
};

struct leg {
	struct http_client *http;
	struct ike_prober *prober;
	char *url;
	struct sn_addr local, target_addr;
	struct sockaddr_storage target;
	struct leg_port *ports;
	size_t n_ports, next;
	leg_fn fn;
	void *user;
	struct http_get *get;
	struct ike_ask *ask;
	bool tells; /* it counts probes */
	ARRAY(struct count) counts;
	struct leg_result result;
};

/* --- reading ---------------------------------------------------------------- */

static void copy_text(const json_t *obj, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(obj, key));

	snprintf(ret, size, "%s", text ? text : "");
}

static bool is_address(const json_t *obj, const char *key, const struct sn_addr *addr)
{
	const char *text = json_string_value(json_object_get(obj, key));
	struct sn_addr a;

	return text && sn_addr_parse(text, &a) == 0 && sn_addr_cmp(&a, addr) == 0;
}

static void read_peer(const json_t *peers, const struct sn_addr *addr, struct leg_peer *ret)
{
	size_t i;
	const json_t *peer;

	memset(ret, 0, sizeof(*ret));
	json_array_foreach(peers, i, peer) {
		if (!is_address(peer, "address", addr))
			continue;
		copy_text(peer, "id", ret->id, sizeof(ret->id));
		copy_text(peer, "state", ret->state, sizeof(ret->state));
		copy_text(peer, "cause", ret->cause, sizeof(ret->cause));
		copy_text(peer, "evidence", ret->evidence, sizeof(ret->evidence));
		return;
	}
}

static int64_t count_of(const struct leg *l, const struct sn_addr *from)
{
	array_foreach(&l->counts, c)
		if (sn_addr_cmp(&c->from, from) == 0)
			return c->n;
	return 0;
}

/*
 * Whose counts grew since the last reading: ours, or that of another address, which NAT
 * gave us. What has no count yet begins with none.
 */
static bool read_counts(struct leg *l, const json_t *probes, struct sn_addr *ret_grown)
{
	__typeof__(l->counts) now = { 0 };
	struct sn_addr grown = { 0 };
	const json_t *probe;
	size_t i;

	json_array_foreach(probes, i, probe) {
		const char *text = json_string_value(json_object_get(probe, "address"));
		struct count c = { .n = json_integer_value(json_object_get(probe, "count")) };

		if (i >= PROBES_MAX || !text || sn_addr_parse(text, &c.from) < 0)
			continue;
		*array_add(&now) = c;
		if (c.n > count_of(l, &c.from) && sn_addr_cmp(&grown, &l->local) != 0)
			grown = c.from;
	}
	array_free(&l->counts);
	l->counts.v = now.v;
	l->counts.n = now.n;
	l->counts.size = now.size;
	*ret_grown = grown;
	return sn_addr_is_set(&grown);
}

/* --- the steps -------------------------------------------------------------- */

static void finish(struct leg *l)
{
	l->fn(&l->result, l->user);
}

static void get_status(struct leg *l, http_done_fn fn)
{
	const struct http_request req = { .url = l->url,
					  .body_limit = BODY_LIMIT,
					  .connect_ms = CONNECT_MS,
					  .total_ms = TOTAL_MS };

	http_get_free(sn_steal(l->get));
	l->get = http_get_new(l->http, &req, fn, l);
}

static json_t *parse_answer(struct leg *l, const struct http_answer *a)
{
	struct sn_error e = a->error;
	json_t *status = NULL;

	if (a->step != HTTP_STEP_DONE || json_parse(a->body, a->len, &status, &e) < 0 ||
	    json_require_object(status, NULL, &e) < 0) {
		snprintf(l->result.trouble, sizeof(l->result.trouble), "%.120s: %.250s%s", l->url,
			 e.text,
			 a->step == HTTP_STEP_CONNECT
				 ? "; let http.listen of its sennit.json have an address that is "
				   "reached from here"
				 : "");
		json_decref(status);
		return NULL;
	}
	return status;
}

static void on_asked(const struct ike_evidence *e, void *user);

static void ask_next(struct leg *l)
{
	struct ike_question q = { .to = l->target, .wait_ms = ASK_MS };
	struct sn_error e;

	if (!l->tells || !l->result.is_target || l->next == l->n_ports) {
		finish(l);
		return;
	}
	if (q.to.ss_family == AF_INET)
		((struct sockaddr_in *)&q.to)->sin_port = htons(l->ports[l->next].port);
	else
		((struct sockaddr_in6 *)&q.to)->sin6_port = htons(l->ports[l->next].port);
	/* it was asked before, so there is a socket */
	sn_require(ike_ask_new(l->prober, &q, on_asked, l, &l->ask, &e) == 0);
}

static void on_after(const struct http_answer *a, void *user)
{
	struct leg *l = user;
	_cleanup_json_ json_t *status = parse_answer(l, a);
	struct leg_port *p = &l->ports[l->next];

	if (!status) {
		finish(l);
		return;
	}
	p->arrival = read_counts(l, json_object_get(status, "probes"), &p->seen_as)
			     ? IKE_ARRIVED
			     : IKE_NOT_ARRIVED;
	l->next++;
	ask_next(l);
}

static void on_asked(const struct ike_evidence *e, void *user)
{
	struct leg *l = user;

	(void)e;
	ike_ask_free(sn_steal(l->ask));
	get_status(l, on_after);
}

static void on_before(const struct http_answer *a, void *user)
{
	struct leg *l = user;
	_cleanup_json_ json_t *status = parse_answer(l, a);
	const json_t *host, *peers;
	struct sn_addr asked, ignored;

	if (!status) {
		finish(l);
		return;
	}
	host = json_object_get(status, "host");
	peers = json_object_get(status, "peers");
	copy_text(host, "id", l->result.host, sizeof(l->result.host));
	l->result.is_target =
		is_address(host, "underlay", &l->target_addr) ||
		(sn_addr_parse(a->peer, &asked) == 0 && sn_addr_cmp(&asked, &l->target_addr) == 0);
	read_peer(peers, &l->local, &l->result.us);
	read_peer(peers, &l->target_addr, &l->result.target);
	/* a charon that is away counts nothing; a sennitd that is old knows no counts */
	l->tells = json_is_array(json_object_get(status, "probes")) &&
		   json_is_true(json_object_get(json_object_get(status, "charon"), "online"));
	read_counts(l, json_object_get(status, "probes"), &ignored);
	ask_next(l);
}

/* --- public ----------------------------------------------------------------- */

static char *url_of(const char *where)
{
	struct sn_addr a;

	if (sn_startswith(where, "http://") || sn_startswith(where, "https://"))
		return xasprintf("%s/v1/status", where);
	if (sn_addr_parse(where, &a) == 0 && a.family == AF_INET6)
		return xasprintf("http://[%s]:%u/v1/status", where, LEG_PORT);
	if (where[0] == '[' ? strstr(where, "]:") != NULL : strchr(where, ':') != NULL)
		return xasprintf("http://%s/v1/status", where);
	return xasprintf("http://%s:%u/v1/status", where, LEG_PORT);
}

struct leg *leg_new(struct http_client *http, struct ike_prober *prober, const char *where,
		    const struct sn_addr *local, const struct sockaddr_storage *target,
		    struct leg_port *ports, size_t n, leg_fn fn, void *user)
{
	struct leg *l = xcalloc(1, sizeof(*l));

	l->http = http;
	l->prober = prober;
	l->url = url_of(where);
	l->local = *local;
	l->target = *target;
	sn_addr_from_sockaddr((const struct sockaddr *)target, &l->target_addr, NULL);
	l->ports = ports;
	l->n_ports = n;
	l->fn = fn;
	l->user = user;
	get_status(l, on_before);
	return l;
}

void leg_free(struct leg *l)
{
	if (!l)
		return;
	http_get_free(l->get);
	ike_ask_free(l->ask);
	array_free(&l->counts);
	free(l->url);
	free(l);
}
