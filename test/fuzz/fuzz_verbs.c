/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: a request of the control socket, run by the daemon's own verbs. Below
 * them are the real attachments, without a place to give addresses from, and
 * no namespace to pass; the rest of the daemon is stood in for. Whatever is asked,
 * the answer can be sent, and read.
 */
#include "ctl/ctl.h"
#include "daemon/daemon.h"

#include "base/log.h"

#include "scratch.h"

#include <errno.h>

static struct daemon the_daemon;
static struct snapshot *the_snapshot;

/* --- stand-ins ------------------------------------------------------------------ */

json_t *status_to_json(struct daemon *d)
{
	return json_pack("{s:b}", "daemon", d == &the_daemon);
}

json_t *status_attachment(struct daemon *d, const struct attachment *a)
{
	sn_require(d == &the_daemon);
	return json_pack("{s:s}", "id", a->id);
}

json_t *status_attachments(struct daemon *d)
{
	sn_require(d == &the_daemon);
	return json_array();
}

int reconcile_preview(struct reconcile *r, struct strbuf *ret, size_t *ret_steps,
		      struct sn_error *e)
{
	(void)e;
	sn_require(!r && ret->len == 0);
	*ret_steps = 0;
	return 0;
}

void reconcile_flush(struct reconcile *r)
{
	sn_require(!r);
}

int daemon_set_down(struct daemon *d, bool down, struct sn_error *e)
{
	d->down = down;
	return down ? 0 : sn_error_set(e, -EIO, "it stays down");
}

int daemon_reload(struct daemon *d, struct strbuf *text, struct sn_error *e)
{
	(void)e;
	strbuf_adds(text, d->down ? "down" : "up");
	return 0;
}

int self_accept(struct daemon *d, const char **ret_text, struct sn_error *e)
{
	if (d->down)
		return sn_error_set(e, -EALREADY, "there is no doubt");
	*ret_text = "accepted";
	return 0;
}

/* --- the target ----------------------------------------------------------------- */

static struct snapshot *make_snapshot(void)
{
	struct snapshot *s = snapshot_new();
	struct host *h = array_add(&s->hosts);

	strcpy(h->id, "h2");
	h->name = xstrdup("two");
	return s;
}

static void set_up(void)
{
	struct sn_error e;

	if (the_daemon.attachments)
		return;
	log_init("fuzz");
	log_set_level(LOG_LEVEL_ERROR);
	sn_require(attachments_load(scratch(), &the_daemon.attachments, &e) == 0);
	the_snapshot = make_snapshot();
	strcpy(array_add(&the_daemon.wanted.peers)->id, "h2");
}

static const struct ctl_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < daemon_n_verbs; i++) {
		if (streq(daemon_verbs[i].name, name))
			return &daemon_verbs[i];
	}
	return NULL;
}

/* Sent and read as by ctl_server.c and client.c. */
static void check_reply(int r, json_t *result, const struct sn_error *e)
{
	_cleanup_json_ json_t *reply = r < 0 ? ctl_reply_error(e) : ctl_reply_ok(result);
	_cleanup_json_ json_t *got = NULL;
	_cleanup_free_ uint8_t *frame = NULL;
	struct sn_error told = { 0 };
	const char *payload;
	size_t n, len;
	int back;

	frame = ctl_frame_new(reply, &n);
	sn_require(frame && ctl_frame(frame, n, CTL_MAX_MESSAGE, &payload, &len) == CTL_FRAME_DONE);
	back = ctl_reply_parse(payload, len, &got, &told);
	sn_require(r < 0 ? back == r && told.text[0] : back == 0 && got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_request req;
	const struct ctl_verb *verb;
	struct sn_error e = { 0 };
	json_t *result = NULL;
	int r, fd;

	if (ctl_request_parse((const char *)data, size, &req, &e) < 0)
		return 0;
	set_up();
	verb = find_verb(req.verb);
	if (verb) {
		/* a blank before it: nothing is known of the mesh */
		the_daemon.snapshot = *data == ' ' ? NULL : the_snapshot;
		the_daemon.wanted.peers.n = the_daemon.snapshot ? 1 : 0;
		/* a descriptor that is none of a namespace, or none at all */
		fd = size % 2 ? STDIN_FILENO : -1;
		r = verb->run(req.args, fd, &result, &e, &the_daemon);
		sn_require(r >= 0 ? result != NULL : e.code == r && e.text[0]);
		if (r < 0) {
			json_decref(result);
			result = NULL;
		}
		check_reply(r, result, &e);
		log_set_level(LOG_LEVEL_ERROR);
	}
	ctl_request_fini(&req);
	return 0;
}
