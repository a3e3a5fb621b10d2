/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the renderers share, and the small ones. */
#include "cli/render.h"

#include <stdio.h>

const char *render_text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s && *s ? s : "-";
}

void render_each(struct strbuf *b, const json_t *obj, const char *list, const char *key)
{
	const json_t *v = json_object_get(obj, list);
	size_t n = json_array_size(v);

	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(v, i));

		strbuf_addf(b, "%s%s", i ? " and " : "", s ? s : "-");
	}
	if (n == 0)
		strbuf_adds(b, render_text(obj, key));
}

bool render_number(const json_t *obj, const char *key, double *ret)
{
	const json_t *v = json_object_get(obj, key);

	if (!json_is_number(v))
		return false;
	*ret = json_number_value(v);
	return true;
}

bool render_flag(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

void render_duration(struct strbuf *b, const json_t *obj, const char *key)
{
	double seconds;

	if (render_number(obj, key, &seconds))
		face_add_duration(b, seconds);
	else
		strbuf_addc(b, '-');
}

/* Worst first. */
static const struct {
	const char *state;
	enum colour colour;
} states[] = {
	{ "down", RED }, { "degraded", YELLOW }, { "connecting", YELLOW },
	{ "up", GREEN }, { "gone", DIM },
};

static size_t state_rank(const char *state)
{
	size_t i = 0;

	while (i < SN_ARRAY_SIZE(states) && !streq(states[i].state, state))
		i++;
	return i;
}

enum colour render_state_colour(const char *state)
{
	size_t i = state_rank(state);

	return i < SN_ARRAY_SIZE(states) ? states[i].colour : PLAIN;
}

static int cmp_peers(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	size_t rank_x = state_rank(render_text(x, "state"));
	size_t rank_y = state_rank(render_text(y, "state"));
	int c = sn_cmp_num(rank_x, rank_y);

	if (c == 0)
		c = sn_cmp_str(render_text(x, "name"), render_text(y, "name"));
	return c ? c : sn_cmp_str(render_text(x, "id"), render_text(y, "id"));
}

json_t *render_sorted_peers(const json_t *status)
{
	const json_t *peers = json_object_get(status, "peers");
	size_t n = json_array_size(peers);
	_cleanup_free_ json_t **v = xcalloc(n + 1, sizeof(json_t *));
	json_t *sorted = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(peers, i);
	qsort(v, n, sizeof(*v), cmp_peers);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, v[i]);
	return sorted;
}

/* --- attachments -------------------------------------------------------------- */

/* Its address of the other family, below the first. */
static void add_further(struct table *t, const json_t *attachment)
{
	const json_t *all = json_object_get(attachment, "addresses");

	for (size_t i = 1; i < json_array_size(all); i++) {
		const char *s = json_string_value(json_array_get(all, i));

		table_add_note(t, BOLD, s ? s : "-");
	}
}

void render_attachments(const json_t *attachments, const struct face *f, struct strbuf *b)
{
	static const struct table_column columns[] = {
		{ "ID", 0, false },     { "ADDRESS", 0, false }, { "MAC", 0, false },
		{ "IFNAME", 0, false }, { "VETH", 0, false },    { "AGE", 0, true },
		{ "READY", 0, false },  { "LABEL", 8, false },
	};
	_cleanup_(table_fini) struct table t = { columns, SN_ARRAY_SIZE(columns) };
	size_t n = json_array_size(attachments);

	for (size_t i = 0; i < n; i++) {
		const json_t *a = json_array_get(attachments, i);
		_cleanup_strbuf_ struct strbuf age = STRBUF_INIT;
		bool ready = render_flag(a, "ready"), moved = render_flag(a, "misplaced");

		render_duration(&age, a, "age_s");
		table_add_row(&t);
		table_add_cell(&t, PLAIN, render_text(a, "id"));
		table_add_cell(&t, BOLD, render_text(a, "address"));
		table_add_cell(&t, PLAIN, render_text(a, "mac"));
		table_add_cell(&t, PLAIN, render_text(a, "ifname"));
		table_add_cell(&t, PLAIN, render_text(a, "veth"));
		table_add_cell(&t, PLAIN, strbuf_str(&age));
		/* moved: the host's prefixes are others now, the container keeps its address */
		table_add_cell(&t, ready && !moved ? GREEN : YELLOW,
			       !ready  ? "no"
			       : moved ? "outside the subnet"
				       : "yes");
		table_add_cell(&t, PLAIN, render_text(a, "label"));
		add_further(&t, a);
	}
	if (n == 0)
		strbuf_adds(b, "no container is attached ('sennit attach' attaches one)\n");
	else
		table_render(&t, f, b);
}

void render_attached(const json_t *attachment, const struct face *f, struct strbuf *b)
{
	_cleanup_strbuf_ struct strbuf addresses = STRBUF_INIT, gateways = STRBUF_INIT;
	double mtu;

	render_each(&addresses, attachment, "addresses", "address");
	render_each(&gateways, attachment, "gateways", "gateway");
	face_add(b, f, BOLD, strbuf_str(&addresses));
	strbuf_adds(b, " on ");
	face_add(b, f, PLAIN, render_text(attachment, "ifname"));
	/* two of IPv6 would be too long a line */
	strbuf_adds(b, json_array_size(json_object_get(attachment, "gateways")) > 1
			       ? ",\n  gateway "
			       : ", gateway ");
	face_add(b, f, PLAIN, strbuf_str(&gateways));
	if (render_number(attachment, "mtu", &mtu))
		strbuf_addf(b, ", MTU %.0f", mtu);
	strbuf_adds(b, ", attachment ");
	face_add(b, f, PLAIN, render_text(attachment, "id"));
	strbuf_adds(b, render_flag(attachment, "made") ? "\n" : " (was there)\n");
}

/* --- plan --------------------------------------------------------------------- */

void render_plan(const json_t *plan, const struct face *f, struct strbuf *b)
{
	const char *text = json_string_value(json_object_get(plan, "text"));

	(void)f;
	if (text && !*text) {
		strbuf_adds(b, "nothing to do: this host is as it should be\n");
		return;
	}
	face_add_lines(b, text ? text : "-");
	if (b->len && b->data[b->len - 1] != '\n')
		strbuf_addc(b, '\n');
}
