/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `sennit peers`: the tunnels, as far as an operator compares them on both ends. */
#include "cli/render.h"

#include <stdio.h>

/* What charon's tunnels go by where no NAT changes it. */
#define IKE_PORT 500
#define IKE_NAT_PORT 4500

static const struct table_column columns[] = {
	{ "PEER", 0, false },  { "STATE", 0, false },      { "DEVICE", 0, false },
	{ "OWNER", 0, false }, { "IKE SPIS", 0, false },   { "AGE", 0, true },
	{ "REKEY", 0, true },  { "ESP IN/OUT", 0, false }, { "AGE", 0, true },
	{ "REKEY", 0, true },  { "IN", 0, true },          { "OUT", 0, true },
	{ "HEARD", 0, true },  { "PREFIXES", 0, false },
};

static void add_duration(struct table *t, const json_t *obj, const char *key)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	render_duration(&b, obj, key);
	table_add_cell(t, PLAIN, strbuf_str(&b));
}

static void add_bytes(struct table *t, const json_t *obj, const char *key)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	double bytes;

	if (render_number(obj, key, &bytes))
		face_add_bytes(&b, bytes);
	else
		strbuf_addc(&b, '-');
	table_add_cell(t, PLAIN, strbuf_str(&b));
}

/* "in/out" of two hex numbers, or one "-". */
static void add_pair(struct table *t, const json_t *obj, const char *first, const char *second)
{
	if (json_is_object(obj))
		table_add_cellf(t, PLAIN, "%s/%s", render_text(obj, first),
				render_text(obj, second));
	else
		table_add_cell(t, PLAIN, "-");
}

static void add_prefixes(struct table *t, const json_t *peer)
{
	const json_t *prefixes = json_object_get(peer, "prefixes");
	json_int_t all = json_integer_value(json_object_get(peer, "n_prefixes"));
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		const char *p = json_string_value(json_array_get(prefixes, i));

		strbuf_addf(&b, "%s%s", i ? " " : "", p ? p : "-");
	}
	if (all > (json_int_t)json_array_size(prefixes))
		strbuf_addf(&b, " and %lld more",
			    (long long)(all - (json_int_t)json_array_size(prefixes)));
	table_add_cell(t, PLAIN, b.len ? strbuf_str(&b) : "-");
}

/* What the tunnel really goes by, when that is not what the metadata say: NAT, or a host that
 * moved. */
static void add_endpoint(struct table *t, const json_t *peer, const json_t *tunnel)
{
	json_int_t port = json_integer_value(json_object_get(tunnel, "remote_port"));
	const char *remote = render_text(tunnel, "remote_address");
	bool plain = port == IKE_PORT || port == IKE_NAT_PORT;
	_cleanup_free_ char *text = NULL;

	if (!json_is_string(json_object_get(tunnel, "remote_address")) ||
	    (plain && streq(remote, render_text(peer, "address"))))
		return;
	text = plain ? xasprintf("at %s, which the metadata do not say", remote)
		     : xasprintf("by NAT: %s port %lld", remote, (long long)port);
	table_add_note(t, PLAIN, text);
}

static void add_peer(struct table *t, const json_t *peer)
{
	const json_t *tunnel = json_object_get(peer, "tunnel");
	const json_t *child = json_object_get(tunnel, "child");
	const char *state = render_text(peer, "state");

	table_add_row(t);
	table_add_cell(t, PLAIN, render_text(peer, "name"));
	table_add_cell(t, render_state_colour(state), state);
	table_add_cell(t, PLAIN, render_text(peer, "device"));
	table_add_cell(t, PLAIN, render_flag(peer, "owner") ? "we" : "they");
	add_pair(t, tunnel, "spi_i", "spi_r");
	add_duration(t, tunnel, "age_s");
	add_duration(t, tunnel, "rekey_in_s");
	add_pair(t, child, "spi_in", "spi_out");
	add_duration(t, child, "age_s");
	add_duration(t, child, "rekey_in_s");
	add_bytes(t, child, "bytes_in");
	add_bytes(t, child, "bytes_out");
	add_duration(t, peer, "last_heard_s");
	add_prefixes(t, peer);
	add_endpoint(t, peer, tunnel);
	if (json_is_string(json_object_get(peer, "last_error")))
		table_add_note(t, YELLOW, render_text(peer, "last_error"));
}

void render_peers(const json_t *status, const struct face *f, struct strbuf *b)
{
	_cleanup_(table_fini) struct table t = { columns, SN_ARRAY_SIZE(columns) };
	_cleanup_json_ json_t *peers = render_sorted_peers(status);

	for (size_t i = 0; i < json_array_size(peers); i++)
		add_peer(&t, json_array_get(peers, i));
	if (t.rows.n == 0)
		strbuf_adds(b, "this host has no peers\n");
	else
		table_render(&t, f, b);
}
