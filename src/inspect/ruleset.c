/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/ruleset.h"

#include "base/strbuf.h"

#include <stdio.h>

#define HOOK_INPUT 1u
#define HOOK_FORWARD 2u
#define HOOK_OUTPUT 4u
/* Of expressions inside each other (sets of verdicts). */
#define MAX_DEPTH 12
/* Chains that jump to chains: passes until nothing new is reached. */
#define MAX_PASSES 32

static const uint16_t ports[] = { 500, 4500 };

struct chain {
	const char *family, *table, *name; /* borrowed */
	bool base, policy_drop;
	bool final_drop; /* its last rule drops everything that came so far */
	unsigned hooks;  /* from which it is reached */
	/* what its rules, and those of chains reached from it, let pass */
	bool opens_forward, opens_port[SN_ARRAY_SIZE(ports)], opens_all, unsure;
};

struct ruleset {
	ARRAY(struct chain) chains;
	const json_t *objects;
	const struct ruleset_question *q;
};

static const struct {
	const char *prefix, *owner;
} owners[] = {
	{ "DOCKER", "Docker" },       { "ufw-", "ufw" },          { "ufw6-", "ufw" },
	{ "firewalld", "firewalld" }, { "CATTLE_", "Rancher" },   { "KUBE-", "Kubernetes" },
	{ "FLANNEL", "flannel" },     { "WEAVE", "Weave" },       { "LIBVIRT_", "libvirt" },
	{ "cali-", "Calico" },        { "CNI-", "a CNI plugin" },
};

const char *ruleset_owner(const char *name)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(owners); i++)
		if (sn_startswith(name, owners[i].prefix))
			return owners[i].owner;
	return NULL;
}

static const char *text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

void ruleset_hits_fini(struct ruleset_hits *hits)
{
	array_foreach(&hits->h, h)
		free(h->where);
	array_free(&hits->h);
}

/* --- chains -------------------------------------------------------------------------------- */

static bool is_ip(const char *family)
{
	return streq(family, "ip") || streq(family, "inet");
}

static unsigned hook_of(const char *hook)
{
	return streq(hook, "input")     ? HOOK_INPUT
	       : streq(hook, "forward") ? HOOK_FORWARD
	       : streq(hook, "output")  ? HOOK_OUTPUT
					: 0;
}

static void add_chain(struct ruleset *r, const json_t *v)
{
	struct chain *c;

	if (!is_ip(text(v, "family")) || streq(text(v, "table"), "sennit") ||
	    r->chains.n == RULESET_MAX_CHAINS)
		return;
	c = array_add(&r->chains);
	c->family = text(v, "family");
	c->table = text(v, "table");
	c->name = text(v, "name");
	/* a nat chain sees the first packet only and drops none by custom */
	c->base = json_object_get(v, "hook") && streq(text(v, "type"), "filter");
	c->hooks = c->base ? hook_of(text(v, "hook")) : 0;
	c->policy_drop = streq(text(v, "policy"), "drop");
}

static struct chain *find_chain(const struct ruleset *r, const json_t *of, const char *name)
{
	const char *family = text(of, "family"), *table = text(of, "table");

	array_foreach(&r->chains, c)
		if (streq(c->name, name) && streq(c->table, table) && streq(c->family, family))
			return c;
	return NULL;
}

/* --- one rule --------------------------------------------------------------------------------- */

struct rule {
	bool accepts, drops;
	bool conditional; /* it matches something */
	bool unreadable;  /* with matches that nft does not know */
	bool for_us;      /* names our bridge or the overlay */
	bool for_others;  /* names other devices, not our bridge */
	bool established; /* for answers only */
	bool has_port;    /* names ports of UDP */
	bool port[SN_ARRAY_SIZE(ports)];
};

static bool names_device(const char *pattern, const char *device)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return strncmp(pattern, device, n - 1) == 0;
	return streq(pattern, device);
}

static bool value_names_device(const json_t *v, const char *device, unsigned depth)
{
	const json_t *set = json_object_get(v, "set");
	const json_t *list = set ? set : v;

	if (json_is_string(v))
		return names_device(json_string_value(v), device);
	for (size_t i = 0; depth < MAX_DEPTH && json_is_array(list) && i < json_array_size(list);
	     i++)
		if (value_names_device(json_array_get(list, i), device, depth + 1))
			return true;
	return false;
}

static bool value_has_port(const json_t *v, json_int_t port, unsigned depth)
{
	const json_t *range = json_object_get(v, "range"), *set = json_object_get(v, "set");
	const json_t *list = set ? set : v;

	if (json_is_integer(v))
		return json_integer_value(v) == port;
	if (json_is_array(range))
		return port >= json_integer_value(json_array_get(range, 0)) &&
		       port <= json_integer_value(json_array_get(range, 1));
	for (size_t i = 0; depth < MAX_DEPTH && json_is_array(list) && i < json_array_size(list);
	     i++)
		if (value_has_port(json_array_get(list, i), port, depth + 1))
			return true;
	return false;
}

static bool value_covers(const json_t *v, const struct sn_prefix_pair *overlay)
{
	const json_t *p = json_object_get(v, "prefix");
	const struct sn_prefix *own;
	struct sn_prefix found;

	if (!overlay || !p || sn_addr_parse(text(p, "addr"), &found.addr) < 0)
		return false;
	found.len = (uint8_t)json_integer_value(json_object_get(p, "len"));
	own = sn_prefix_pair_get(overlay, found.addr.family);
	return own && sn_prefix_covers(&found, own);
}

static void read_match(const json_t *match, const struct ruleset_question *q, struct rule *ret)
{
	const json_t *left = json_object_get(match, "left"),
		     *right = json_object_get(match, "right");
	const json_t *payload = json_object_get(left, "payload");
	const char *meta = text(json_object_get(left, "meta"), "key");
	const char *field = text(payload, "field");
	bool equal = streq(text(match, "op"), "==") || streq(text(match, "op"), "in");

	ret->conditional = true;
	if (streq(meta, "iifname") || streq(meta, "oifname")) {
		if (equal == value_names_device(right, q->bridge, 0))
			ret->for_us |= equal;
		else
			ret->for_others = true;
	} else if (json_object_get(left, "ct")) {
		ret->established = true;
	} else if (streq(field, "dport")) {
		ret->has_port = true;
		for (size_t i = 0; i < SN_ARRAY_SIZE(ports); i++)
			ret->port[i] = equal && !streq(text(payload, "protocol"), "tcp") &&
				       value_has_port(right, ports[i], 0);
	} else if (streq(field, "saddr") || streq(field, "daddr")) {
		ret->for_us |= equal && value_covers(right, q->overlay);
	}
}

static bool is_answers_only(const char *xt)
{
	return streq(xt, "conntrack") || streq(xt, "state");
}

static void read_rule(const json_t *rule, const struct ruleset_question *q, struct rule *ret)
{
	const json_t *expr = json_object_get(rule, "expr");

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < json_array_size(expr); i++) {
		const json_t *e = json_array_get(expr, i), *xt = json_object_get(e, "xt");

		if (json_object_get(e, "match"))
			read_match(json_object_get(e, "match"), q, ret);
		else if (xt && is_answers_only(text(xt, "name")))
			ret->established = ret->conditional = true;
		else if (xt && streq(text(xt, "type"), "match"))
			ret->unreadable = ret->conditional = true;
		else if (xt && streq(text(xt, "name"), "REJECT"))
			ret->drops = true;
		ret->accepts |= json_object_get(e, "accept") != NULL;
		ret->drops |= json_object_get(e, "drop") || json_object_get(e, "reject");
	}
}

/* --- what the rules do ------------------------------------------------------------------------ */

static void add_hit(struct ruleset_hits *ret, enum ruleset_harm harm, const struct chain *c,
		    const char *owner, uint16_t port, bool unsure)
{
	*array_add(&ret->h) = (struct ruleset_hit){
		.harm = harm,
		.where = xasprintf("table %s %s, chain %s", c->family, c->table, c->name),
		.owner = owner,
		.port = port,
		.unsure = unsure,
	};
}

/* Whose table it is: by its name, else by the chains in it. */
static const char *owner_of(const struct ruleset *r, const struct chain *of)
{
	const char *found = ruleset_owner(of->table);

	if (!found)
		found = ruleset_owner(of->name);
	array_foreach(&r->chains, c) {
		/* ufw and Docker share the tables of iptables: the policy of FORWARD is Docker's */
		if (!found && streq(c->table, of->table) && streq(c->family, of->family))
			found = ruleset_owner(c->name);
	}
	return found;
}

/* hooks reach every chain that is jumped to, at any depth inside the rule. */
static bool follow_jumps(const struct ruleset *r, const json_t *rule, const json_t *v,
			 unsigned hooks, unsigned depth)
{
	bool news = false;
	const char *key;
	json_t *item;
	size_t i;

	if (depth > MAX_DEPTH)
		return false;
	json_array_foreach(v, i, item)
		news |= follow_jumps(r, rule, item, hooks, depth + 1);
	if (!json_is_object(v))
		return news;
	json_object_foreach((json_t *)(uintptr_t)v, key, item) {
		if (streq(key, "jump") || streq(key, "goto")) {
			struct chain *c = find_chain(r, rule, text(item, "target"));

			news |= c && (c->hooks | hooks) != c->hooks;
			if (c)
				c->hooks |= hooks;
		} else if (json_is_object(item) || json_is_array(item)) {
			news |= follow_jumps(r, rule, item, hooks, depth + 1);
		}
	}
	return news;
}

typedef void (*rule_fn)(struct ruleset *r, const json_t *rule, struct chain *c, void *user);

static void each_rule(struct ruleset *r, rule_fn fn, void *user)
{
	size_t rules = 0;

	for (size_t i = 0; i < json_array_size(r->objects) && rules < RULESET_MAX_RULES; i++) {
		const json_t *rule = json_object_get(json_array_get(r->objects, i), "rule");
		struct chain *c = rule ? find_chain(r, rule, text(rule, "chain")) : NULL;

		if (!c)
			continue;
		rules++;
		fn(r, rule, c, user);
	}
}

static void reach(struct ruleset *r, const json_t *rule, struct chain *c, void *user)
{
	bool *news = user;

	if (c->hooks)
		*news |= follow_jumps(r, rule, json_object_get(rule, "expr"), c->hooks, 0);
}

static void note_rule(struct ruleset *r, const json_t *v, struct chain *c, void *user)
{
	struct ruleset_hits *ret = user;
	struct rule rule;

	if (!c->hooks)
		return;
	read_rule(v, r->q, &rule);
	c->final_drop = rule.drops && !rule.conditional;
	if (rule.accepts && !rule.for_others && !rule.established) {
		c->opens_all |= !rule.conditional;
		c->opens_forward |= rule.for_us && !rule.unreadable;
		for (size_t i = 0; i < SN_ARRAY_SIZE(ports); i++)
			c->opens_port[i] |= rule.port[i] && !rule.unreadable;
		c->unsure |= rule.unreadable && !rule.has_port;
	}
	for (size_t i = 0; i < SN_ARRAY_SIZE(ports); i++)
		if (rule.drops && rule.port[i] && !rule.for_others && c->hooks & ~HOOK_FORWARD)
			add_hit(ret, RULESET_PORT_DROPPED, c, owner_of(r, c), ports[i],
				rule.unreadable);
}

/* Sums up what the chains of this table open at the hook. */
static struct chain sum_of(const struct ruleset *r, const struct chain *base, unsigned hook)
{
	struct chain sum = { 0 };

	array_foreach(&r->chains, c) {
		if (!(c->hooks & hook) || !streq(c->table, base->table) ||
		    !streq(c->family, base->family))
			continue;
		/* an unconditional accept in a chain that is jumped to may stand behind a match */
		sum.opens_all |= c->opens_all && c == base;
		sum.unsure |= c->unsure || (c->opens_all && c != base);
		sum.opens_forward |= c->opens_forward;
		for (size_t i = 0; i < SN_ARRAY_SIZE(ports); i++)
			sum.opens_port[i] |= c->opens_port[i];
	}
	return sum;
}

static void judge_chain(const struct ruleset *r, const struct chain *c, struct ruleset_hits *ret)
{
	bool forward = c->hooks & HOOK_FORWARD;
	struct chain sum = sum_of(r, c, c->hooks);

	if (!c->base || !c->hooks || !(c->policy_drop || c->final_drop) || sum.opens_all)
		return;
	if (forward) {
		if (!sum.opens_forward)
			add_hit(ret, RULESET_FORWARD_CLOSED, c, owner_of(r, c), 0, sum.unsure);
		return;
	}
	for (size_t i = 0; i < SN_ARRAY_SIZE(ports); i++)
		if (!sum.opens_port[i])
			add_hit(ret,
				c->hooks & HOOK_INPUT ? RULESET_INPUT_CLOSED
						      : RULESET_OUTPUT_CLOSED,
				c, owner_of(r, c), ports[i], sum.unsure);
}

void ruleset_judge(const json_t *doc, const struct ruleset_question *q, struct ruleset_hits *ret)
{
	struct ruleset r = { .objects = json_object_get(doc, "nftables"), .q = q };
	bool news = true;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < json_array_size(r.objects); i++) {
		const json_t *c = json_object_get(json_array_get(r.objects, i), "chain");

		if (c)
			add_chain(&r, c);
	}
	for (unsigned pass = 0; news && pass < MAX_PASSES; pass++) {
		news = false;
		each_rule(&r, reach, &news);
	}
	each_rule(&r, note_rule, ret);
	array_foreach(&r.chains, c)
		judge_chain(&r, c, ret);
	array_free(&r.chains);
}

bool ruleset_has_prefix(const json_t *doc, const char *prefix, const char **ret_name)
{
	const json_t *objects = json_object_get(doc, "nftables");

	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *o = json_array_get(objects, i);
		const json_t *v = json_object_get(o, "chain");
		const char *name = text(v ? v : json_object_get(o, "table"), "name");

		if (!sn_startswith(name, prefix))
			continue;
		*ret_name = name;
		return true;
	}
	return false;
}
