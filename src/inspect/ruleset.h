/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nftables rules of others do to us, judged from libnftables-json(5). A
 * packet passes every base chain of its hook, and each can drop it, whatever the
 * guard accepts. Whether a closed chain opens for us is seen from rules that
 * name our bridge, the overlay, or our ports; matches of iptables that nft does not
 * know ("xt") make that unsure. Pure.
 */
#pragma once

#include "base/addr.h"
#include "base/array.h"
#include "base/json.h"

/* More rules than this are not looked at: a host of Kubernetes with thousands of services. */
#define RULESET_MAX_RULES 100000
#define RULESET_MAX_CHAINS 10000

enum ruleset_harm {
	RULESET_FORWARD_CLOSED, /* containers' packets end here */
	RULESET_INPUT_CLOSED,   /* peers' IKE ends here */
	RULESET_OUTPUT_CLOSED,  /* ours does */
	RULESET_PORT_DROPPED,   /* a rule drops UDP 500 or 4500 by name */
};

struct ruleset_hit {
	enum ruleset_harm harm;
	char *where;       /* "table ip filter, chain FORWARD" */
	const char *owner; /* "Docker", "ufw", …; NULL: not known */
	uint16_t port;     /* RULESET_PORT_DROPPED, *_CLOSED: 0 or the one that is not opened */
	bool unsure;       /* it has rules that cannot be read here and may open it */
};

struct ruleset_hits {
	ARRAY(struct ruleset_hit) h;
};
void ruleset_hits_fini(struct ruleset_hits *hits);

struct ruleset_question {
	const char *bridge;                   /* "snbr0" */
	const struct sn_prefix_pair *overlay; /* NULL: not known */
};

/* doc: what `nft -j list ruleset` prints. Tables named sennit are ours and not judged. */
void ruleset_judge(const json_t *doc, const struct ruleset_question *q, struct ruleset_hits *ret);
/* Who makes chains or tables of this name ("DOCKER-USER", "ufw-user-input"); NULL: not known. */
const char *ruleset_owner(const char *name);
/* True when some chain or table has this prefix in its name: "CATTLE_". */
bool ruleset_has_prefix(const json_t *doc, const char *prefix, const char **ret_name);
