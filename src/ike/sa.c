/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/sa.h"

#include <errno.h>
#include <stdio.h>

/* Words of charon 5.9.8 (src/libcharon/sa) on level 1 that name the cause of a failure. */
static const char *const failures[] = {
	"notify error",        /* received AUTHENTICATION_FAILED notify error */
	", no CHILD_SA built", /* received TS_UNACCEPTABLE notify, no CHILD_SA built */
	"no shared key found for",
	"but MAC mismatched", /* tried 2 shared keys for 'h1' - 'h2', but MAC mismatched */
	"giving up after",    /* 3 retransmits */
	"no matching peer config found",
	"no acceptable proposal found",
	"received proposals unacceptable",
	"no acceptable traffic selectors found",
	" unacceptable", /* traffic selectors … === … unacceptable */
	"constraint check failed",
	"error installing route",
	"unable to install",
	"unable to allocate SPIs",
	"key derivation failed",
	"not supported", /* KDF_PRF with PRF_HMAC_SHA2_256 not supported */
	"no socket found to send",
	"error writing to socket",
};

static enum ike_sa_state state_of(const char *text)
{
	static const struct {
		const char *text;
		enum ike_sa_state state;
	} states[] = {
		{ "CREATED", IKE_SA_CONNECTING },      { "CONNECTING", IKE_SA_CONNECTING },
		{ "ESTABLISHED", IKE_SA_ESTABLISHED }, { "REKEYING", IKE_SA_REKEYING },
		{ "REKEYED", IKE_SA_DELETING },        { "DELETING", IKE_SA_DELETING },
		{ "DESTROYING", IKE_SA_DELETING },
	};

	for (size_t i = 0; i < SN_ARRAY_SIZE(states); i++)
		if (streq(text, states[i].text))
			return states[i].state;
	return IKE_SA_OTHER;
}

const char *sa_peer_of(const char *ike_name)
{
	const char *peer = ike_name + strlen(SENNIT_IKE_PREFIX);

	if (!sn_startswith(ike_name, SENNIT_IKE_PREFIX) || !host_id_valid(peer))
		return NULL;
	return peer;
}

/* The first section of ours in an item or event: {up=yes, sennit-h2 {…}}. */
static const struct vici_node *our_section(const struct vici_node *item, const char **ret_peer)
{
	for (size_t i = 0; i < item->n_children; i++) {
		const struct vici_node *node = &item->children[i];
		const char *peer = node->type == VICI_SECTION ? sa_peer_of(node->name) : NULL;

		if (peer) {
			*ret_peer = peer;
			return node;
		}
	}
	return NULL;
}

static int64_t seconds(const struct vici_node *node, const char *name)
{
	return (int64_t)SN_MIN(vici_number(node, name, 0), (uint64_t)INT32_MAX);
}

/* Missing, or past already (then charon prints a negative number): -1 and 0. */
static int64_t rekey_in(const struct vici_node *node)
{
	return vici_text(node, "rekey-time") ? seconds(node, "rekey-time") : -1;
}

static void read_child(const struct vici_node *node, struct ike_child *child)
{
	const char *name = vici_text(node, "name"), *state = vici_text(node, "state");

	*child = (struct ike_child){
		.unique_id = (uint32_t)vici_number(node, "uniqueid", 0),
		.spi_in = (uint32_t)vici_hex(node, "spi-in", 0),
		.spi_out = (uint32_t)vici_hex(node, "spi-out", 0),
		.bytes_in = vici_number(node, "bytes-in", 0),
		.bytes_out = vici_number(node, "bytes-out", 0),
		.packets_in = vici_number(node, "packets-in", 0),
		.packets_out = vici_number(node, "packets-out", 0),
		.age_s = seconds(node, "install-time"),
		.rekey_in_s = rekey_in(node),
	};
	snprintf(child->name, sizeof(child->name), "%s", name ? name : "");
	child->rekeying = state && streq(state, "REKEYING");
	child->installed = child->rekeying || (state && streq(state, "INSTALLED"));
}

static void read_children(const struct vici_node *node, struct ike_sa *sa)
{
	size_t n = node ? SN_MIN(node->n_children, (size_t)SA_MAX_CHILDREN) : 0;

	for (size_t i = 0; i < n; i++)
		if (node->children[i].type == VICI_SECTION)
			read_child(&node->children[i], array_add(&sa->children));
}

int sa_parse(const struct vici_node *item, struct ike_sa *ret)
{
	const char *peer = NULL, *state, *remote, *local;
	const struct vici_node *node = our_section(item, &peer);

	if (!node)
		return -ENOENT;
	state = vici_text(node, "state");
	if (!state || vici_number(node, "uniqueid", 0) == 0)
		return -EBADMSG;
	*ret = (struct ike_sa){
		.unique_id = (uint32_t)vici_number(node, "uniqueid", 0),
		.state = state_of(state),
		.initiator = vici_yes(node, "initiator"),
		.spi_i = vici_hex(node, "initiator-spi", 0),
		.spi_r = vici_hex(node, "responder-spi", 0),
		.age_s = vici_text(node, "established") ? seconds(node, "established") : -1,
		.rekey_in_s = rekey_in(node),
		.local_port = (uint16_t)vici_number(node, "local-port", 0),
		.remote_port = (uint16_t)vici_number(node, "remote-port", 0),
	};
	snprintf(ret->peer, sizeof(ret->peer), "%s", peer);
	remote = vici_text(node, "remote-host");
	local = vici_text(node, "local-host");
	/* %any while it has none */
	if (remote)
		(void)sn_addr_parse(remote, &ret->remote);
	if (local)
		(void)sn_addr_parse(local, &ret->local);
	read_children(vici_child(node, "child-sas"), ret);
	return 0;
}

void sa_fini(struct ike_sa *sa)
{
	array_free(&sa->children);
}

int sa_cmp(const void *a, const void *b)
{
	const struct ike_sa *x = a, *y = b;
	int c = sn_cmp_str(x->peer, y->peer);

	return c ? c : sn_cmp_num(x->unique_id, y->unique_id);
}

static bool same_child(const struct ike_child *a, const struct ike_child *b)
{
	return a->unique_id == b->unique_id && streq(a->name, b->name) &&
	       a->installed == b->installed && a->rekeying == b->rekeying &&
	       a->spi_in == b->spi_in && a->spi_out == b->spi_out;
}

bool sa_same(const struct ike_sa *a, const struct ike_sa *b)
{
	if (sa_cmp(a, b) != 0 || a->state != b->state || a->initiator != b->initiator ||
	    a->spi_i != b->spi_i || a->spi_r != b->spi_r ||
	    sn_addr_cmp(&a->remote, &b->remote) != 0 || a->remote_port != b->remote_port ||
	    sn_addr_cmp(&a->local, &b->local) != 0 || a->local_port != b->local_port ||
	    a->children.n != b->children.n)
		return false;
	for (size_t i = 0; i < a->children.n; i++)
		if (!same_child(&a->children.v[i], &b->children.v[i]))
			return false;
	return true;
}

const char *sa_event_peer(const struct vici_node *event)
{
	const char *peer = NULL;

	our_section(event, &peer);
	return peer;
}

const char *sa_failure(const struct vici_node *event, const char **ret_peer)
{
	const char *name = vici_text(event, "ikesa-name"), *msg = vici_text(event, "msg");
	const char *peer = name ? sa_peer_of(name) : NULL;

	if (!peer || !msg)
		return NULL;
	for (size_t i = 0; i < SN_ARRAY_SIZE(failures); i++)
		if (strstr(msg, failures[i])) {
			*ret_peer = peer;
			return msg;
		}
	return NULL;
}

bool sa_probe(const struct vici_node *event, struct sn_addr *ret_from)
{
	/* "received unsupported IKE version 3.0 from 192.0.2.11, sending INVALID_MAJOR_VERSION" */
	static const char before[] = "received unsupported IKE version ", from[] = " from ";
	const char *msg = vici_text(event, "msg"), *at;
	char text[SN_ADDR_STRLEN];
	size_t len;

	if (!msg || !sn_startswith(msg, before))
		return false;
	at = strstr(msg, from);
	if (!at)
		return false;
	at += sizeof(from) - 1;
	len = strcspn(at, ",");
	if (len >= sizeof(text))
		return false;
	memcpy(text, at, len);
	text[len] = '\0';
	return sn_addr_parse(text, ret_from) == 0;
}
