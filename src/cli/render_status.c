/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sennit status`, for somebody who was just woken up: what this host is and
 * whether it is well, then who is not, then the rest. What is wrong comes with
 * its evidence and the next step; what is right takes one line.
 */
#include "cli/render.h"

#include <stdio.h>

/* "data plane  " */
#define LABEL_COLUMNS 12

static const struct table_column columns[] = {
	{ "STATE", 0, false },    { "PEER", 8, false },  { "ADDRESS", 12, false },
	{ "OVERLAY", 12, false }, { "RTT", 0, true },    { "LOSS", 0, true },
	{ "SINCE", 0, true },     { "CAUSE", 8, false },
};

/* --- the head ----------------------------------------------------------------- */

static void add_label(struct strbuf *b, const struct face *f, const char *label)
{
	face_add(b, f, BOLD, label);
	strbuf_addf(b, "%*s", (int)(LABEL_COLUMNS - strlen(label)), "");
}

static void add_line(struct strbuf *b, const struct face *f, const char *label, enum colour colour,
		     const struct strbuf *text)
{
	add_label(b, f, label);
	face_add_wrapped(b, f, colour, LABEL_COLUMNS, strbuf_str(text));
}

/* "name (id)", or one of them when they are equal or the other is missing. */
static void add_name(struct strbuf *b, const json_t *obj)
{
	const char *name = render_text(obj, "name"), *id = render_text(obj, "id");

	if (streq(name, id) || streq(name, "-"))
		strbuf_adds(b, id);
	else
		strbuf_addf(b, "%s (%s)", name, id);
}

static void add_host_and_mesh(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *host = json_object_get(status, "host");
	const json_t *mesh = json_object_get(status, "mesh");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	add_name(&text, host);
	strbuf_adds(&text, ", overlay ");
	render_each(&text, host, "overlay_ips", "overlay_ip");
	strbuf_addf(&text, ", underlay %s", render_text(host, "underlay"));
	add_line(b, f, "host", PLAIN, &text);
	strbuf_clear(&text);
	add_name(&text, mesh);
	strbuf_adds(&text, ", overlay ");
	render_each(&text, mesh, "overlays", "overlay");
	strbuf_addf(&text, ", revision %s", render_text(mesh, "revision"));
	add_line(b, f, "mesh", PLAIN, &text);
}

static void add_dataplane(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *dataplane = json_object_get(status, "dataplane");
	const json_t *remarks = json_object_get(dataplane, "remarks");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	double mtu;

	strbuf_adds(&text, render_text(dataplane, "name"));
	if (render_number(dataplane, "mtu", &mtu))
		strbuf_addf(&text, ", MTU %.0f", mtu);
	for (size_t i = 0; i < json_array_size(remarks); i++) {
		const char *remark = json_string_value(json_array_get(remarks, i));

		strbuf_addf(&text, "; %s", remark ? remark : "-");
	}
	add_line(b, f, "data plane", PLAIN, &text);
}

static void add_metadata(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *metadata = json_object_get(status, "metadata");
	const char *source = render_text(json_object_get(status, "mesh"), "source");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	bool ok = render_flag(metadata, "ok"), stored = render_flag(metadata, "from_store");
	double age;

	if (!ok)
		strbuf_addf(&text, "FAILING: %s; ", render_text(metadata, "error"));
	if (stored && render_number(metadata, "stored_s", &age)) {
		strbuf_adds(&text, "working from the copy stored ");
		face_add_duration(&text, age);
		strbuf_adds(&text, " ago; ");
	} else if (stored) {
		strbuf_adds(&text, "working from the stored copy; ");
	}
	if (render_number(metadata, "last_ok_s", &age)) {
		strbuf_adds(&text, "read ");
		face_add_duration(&text, age);
		strbuf_adds(&text, " ago");
	} else {
		strbuf_adds(&text, "never read since the start");
	}
	strbuf_addf(&text, ", %s", source);
	add_line(b, f, "metadata", ok ? PLAIN : stored ? YELLOW : RED, &text);
}

static void add_charon(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *charon = json_object_get(status, "charon");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	bool online = render_flag(charon, "online");
	double pid;

	strbuf_adds(&text, online ? "answers" : "DOES NOT ANSWER");
	if (render_number(charon, "pid", &pid) && pid > 0)
		strbuf_addf(&text, ", pid %.0f", pid);
	add_line(b, f, "charon", online ? PLAIN : RED, &text);
}

static void add_daemon(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *loop = json_object_get(status, "loop");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	double now, started, stalls;

	strbuf_addf(&text, "version %s", render_text(status, "version"));
	if (render_number(status, "now_ms", &now) &&
	    render_number(status, "started_ms", &started)) {
		strbuf_adds(&text, ", running for ");
		face_add_duration(&text, (now - started) / 1000);
	}
	if (render_number(loop, "stalls", &stalls) && stalls > 0)
		strbuf_addf(&text, ", stood still %.0f times", stalls);
	add_line(b, f, "sennitd", PLAIN, &text);
}

/* --- what is wrong here --------------------------------------------------------- */

/* One indented paragraph below the label. */
static void add_below(struct strbuf *b, const struct face *f, enum colour colour, const char *text)
{
	strbuf_addf(b, "%*s", LABEL_COLUMNS, "");
	face_add_wrapped(b, f, colour, LABEL_COLUMNS, text);
}

static void add_problems(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *problems = json_object_get(status, "problems");

	for (size_t i = 0; i < json_array_size(problems); i++) {
		const json_t *p = json_array_get(problems, i);
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "%s for ", render_text(p, "what"));
		render_duration(&text, p, "since_s");
		strbuf_addf(&text, ": %s", render_text(p, "text"));
		add_below(b, f, RED, strbuf_str(&text));
		strbuf_clear(&text);
		strbuf_addf(&text, "next: %s", render_text(p, "next"));
		add_below(b, f, PLAIN, strbuf_str(&text));
	}
}

static void add_health(struct strbuf *b, const struct face *f, const json_t *status)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	bool healthy = render_flag(status, "healthy");

	strbuf_adds(&text, healthy ? "this host is healthy" : "THIS HOST IS NOT HEALTHY");
	strbuf_adds(&text, render_flag(status, "ready") ? ", ready" : ", not ready yet");
	add_line(b, f, "health", healthy ? GREEN : RED, &text);
	add_problems(b, f, status);
	if (streq(render_text(status, "mode"), "down"))
		add_below(b, f, YELLOW,
			  "the tunnels were ended by 'sennit down', the guard stays; 'sennit up' "
			  "builds them again");
}

/* The daemon lists no more than so many; how many there are stands beside. */
static size_t all_of(const json_t *apply, const char *count, const json_t *listed)
{
	json_int_t n = json_integer_value(json_object_get(apply, count));

	return SN_MAX((size_t)SN_MAX(n, 0), json_array_size(listed));
}

static void add_failing(struct strbuf *b, const struct face *f, const json_t *failing)
{
	for (size_t i = 0; i < json_array_size(failing); i++) {
		const json_t *o = json_array_get(failing, i);
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "failing for ");
		render_duration(&text, o, "since_s");
		strbuf_addf(&text, ": %s: %s", render_text(o, "object"), render_text(o, "error"));
		add_below(b, f, RED, strbuf_str(&text));
	}
}

static void add_waiting(struct strbuf *b, const struct face *f, const json_t *waiting)
{
	for (size_t i = 0; i < json_array_size(waiting); i++) {
		const char *o = json_string_value(json_array_get(waiting, i));
		_cleanup_free_ char *text = xasprintf("waiting: %s", o ? o : "-");

		add_below(b, f, YELLOW, text);
	}
}

static void add_apply(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *apply = json_object_get(status, "apply");
	const json_t *failing = json_object_get(apply, "failing");
	const json_t *waiting = json_object_get(apply, "waiting");
	size_t n = all_of(apply, "n_failing", failing) + all_of(apply, "n_waiting", waiting);
	size_t shown = json_array_size(failing) + json_array_size(waiting);

	if (n == 0)
		return;
	add_label(b, f, "unfinished");
	strbuf_addf(b, "%zu\n", n);
	add_failing(b, f, failing);
	add_waiting(b, f, waiting);
	if (n > shown) {
		_cleanup_free_ char *text = xasprintf("and %zu more", n - shown);

		add_below(b, f, YELLOW, text);
	}
}

/* --- the peers ------------------------------------------------------------------ */

/* What was measured while it carried says nothing of a peer that does not. */
static bool carries(const json_t *peer)
{
	const char *state = render_text(peer, "state");

	return streq(state, "up") || streq(state, "degraded");
}

static void add_rtt(struct table *t, const json_t *peer)
{
	double rtt;

	if (carries(peer) && render_number(peer, "rtt_ms", &rtt))
		table_add_cellf(t, PLAIN, rtt < 10 ? "%.1f ms" : "%.0f ms", rtt);
	else
		table_add_cell(t, PLAIN, "-");
}

static void add_loss(struct table *t, const json_t *peer)
{
	double loss;

	if (!carries(peer) || !render_number(peer, "loss", &loss))
		table_add_cell(t, PLAIN, "-");
	else if (loss > 0 && loss < 0.01)
		table_add_cell(t, YELLOW, "<1%");
	else
		table_add_cellf(t, loss > 0 ? YELLOW : PLAIN, "%.0f%%", loss * 100);
}

static void add_why(struct table *t, const json_t *peer)
{
	_cleanup_free_ char *next = xasprintf("next: %s", render_text(peer, "next"));
	_cleanup_free_ char *open =
		xasprintf("not excluded: %s", render_text(peer, "not_excluded"));

	if (json_is_string(json_object_get(peer, "evidence")))
		table_add_note(t, PLAIN, render_text(peer, "evidence"));
	if (json_is_string(json_object_get(peer, "last_error")))
		table_add_note(t, PLAIN, render_text(peer, "last_error"));
	if (json_string_length(json_object_get(peer, "not_excluded")) > 0)
		table_add_note(t, PLAIN, open);
	if (json_string_length(json_object_get(peer, "next")) > 0)
		table_add_note(t, PLAIN, next);
}

static void add_peer(struct table *t, const json_t *peer)
{
	const char *state = render_text(peer, "state"), *cause = render_text(peer, "cause");
	_cleanup_strbuf_ struct strbuf since = STRBUF_INIT;

	render_duration(&since, peer, "since_s");
	table_add_row(t);
	table_add_cell(t, render_state_colour(state), state);
	table_add_cell(t, BOLD, render_text(peer, "name"));
	table_add_cell(t, PLAIN, render_text(peer, "address"));
	table_add_cell(t, PLAIN, render_text(peer, "overlay_ip"));
	add_rtt(t, peer);
	add_loss(t, peer);
	table_add_cell(t, PLAIN, strbuf_str(&since));
	table_add_cell(t, PLAIN, streq(cause, "none") ? "" : cause);
	if (!streq(state, "up") && !streq(state, "gone"))
		add_why(t, peer);
}

static void add_peers(struct strbuf *b, const struct face *f, const json_t *peers)
{
	_cleanup_(table_fini) struct table t = { columns, SN_ARRAY_SIZE(columns) };

	if (json_array_size(peers) == 0)
		return;
	for (size_t i = 0; i < json_array_size(peers); i++)
		add_peer(&t, json_array_get(peers, i));
	strbuf_addc(b, '\n');
	table_render(&t, f, b);
}

static void add_gone_and_refused(struct strbuf *b, const struct face *f, const json_t *status)
{
	const json_t *gone = json_object_get(status, "gone");
	const json_t *refused = json_object_get(status, "refused");

	if (json_array_size(gone) + json_array_size(refused) > 0)
		strbuf_addc(b, '\n');
	for (size_t i = 0; i < json_array_size(gone); i++) {
		const json_t *g = json_array_get(gone, i);
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		add_name(&text, g);
		strbuf_addf(&text, ", replaced by %s", render_text(g, "replaced_by"));
		add_line(b, f, "gone", DIM, &text);
	}
	for (size_t i = 0; i < json_array_size(refused); i++) {
		const json_t *r = json_array_get(refused, i);
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "%s: %s", render_text(r, "place"), render_text(r, "text"));
		add_line(b, f, "refused", YELLOW, &text);
	}
}

static size_t count_in_state(const json_t *peers, const char *state)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(peers); i++)
		n += streq(render_text(json_array_get(peers, i), "state"), state);
	return n;
}

/* "1 of 3 peers up, 1 down, 1 degraded" */
static void add_summary(struct strbuf *b, const struct face *f, const json_t *peers)
{
	static const char *const others[] = { "down", "degraded", "connecting" };
	size_t n = json_array_size(peers) - count_in_state(peers, "gone");
	size_t up = count_in_state(peers, "up");
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (n == 0)
		strbuf_adds(&text, "this host has no peers");
	else
		strbuf_addf(&text, "%zu of %zu peers up", up, n);
	for (size_t i = 0; i < SN_ARRAY_SIZE(others); i++) {
		size_t in_it = count_in_state(peers, others[i]);

		if (in_it > 0)
			strbuf_addf(&text, ", %zu %s", in_it, others[i]);
	}
	strbuf_addc(b, '\n');
	face_add(b, f, up == n ? GREEN : RED, strbuf_str(&text));
	strbuf_addc(b, '\n');
}

void render_status(const json_t *status, const struct face *f, struct strbuf *b)
{
	_cleanup_json_ json_t *peers = render_sorted_peers(status);

	add_host_and_mesh(b, f, status);
	add_dataplane(b, f, status);
	add_health(b, f, status);
	add_metadata(b, f, status);
	add_charon(b, f, status);
	add_daemon(b, f, status);
	add_apply(b, f, status);
	add_peers(b, f, peers);
	add_gone_and_refused(b, f, status);
	add_summary(b, f, peers);
}
