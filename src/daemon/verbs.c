/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the control socket (ctl/ctl.h): what the `sennit` tool asks. */
#include "daemon/daemon.h"

#include "base/log.h"
#include "base/nearest.h"

#include <errno.h>

static int verb_status(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)args;
	(void)fd;
	(void)e;
	*ret = status_to_json(user);
	return 0;
}

static int verb_plan(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct daemon *d = user;
	size_t steps;
	int r;

	(void)args;
	(void)fd;
	if (!d->snapshot)
		return sn_error_set(e, -EAGAIN, "no snapshot of the mesh is known yet%s%s",
				    d->metadata_error ? ": " : "",
				    d->metadata_error ? d->metadata_error : "");
	r = reconcile_preview(d->reconcile, &text, &steps, e);
	if (r < 0)
		return r;
	if (text.len == 0)
		strbuf_adds(&text, "nothing to do: this host is as it should be");
	*ret = json_pack("{s:I, s:s}", "steps", (json_int_t)steps, "text", strbuf_str(&text));
	return 0;
}

static int verb_attach(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	struct attach_request req = { .netns_fd = fd, .ifname = "eth0" };
	const struct attachment *a;
	struct daemon *d = user;
	int r;

	if (fd < 0)
		return sn_error_set(e, -EINVAL, "no network namespace was passed");
	if (!d->snapshot)
		return sn_error_set(
			e, -EAGAIN,
			"this host's subnet is not known yet; 'sennit status' says why");
	if (json_read_string(args, NULL, "ifname", JSON_OPTIONAL, &req.ifname, e) < 0 ||
	    json_read_string(args, NULL, "label", JSON_OPTIONAL, &req.label, e) < 0 ||
	    json_read_addr_pair(args, NULL, "ip", JSON_OPTIONAL, &req.want, e) < 0)
		return -EINVAL;
	r = attachments_attach(d->attachments, &req, &a, e);
	if (r < 0) {
		log_warning("attach %s: %s", req.label ? req.label : req.ifname, e->text);
		return r;
	}
	if (r == ATTACH_MADE)
		log_info("attached %s: %s as %s", a->label ? a->label : a->id,
			 SN_PREFIX_PAIR_STR(&a->addr), a->veth);
	*ret = status_attachment(d, a);
	json_object_set_new(*ret, "made", json_boolean(r == ATTACH_MADE));
	/* the guard lets it through before the caller hears that it is there */
	reconcile_flush(d->reconcile);
	return 0;
}

static int verb_detach(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	const char *ifname = "eth0", *id = NULL;
	struct daemon *d = user;
	int r;

	if (json_read_string(args, NULL, "ifname", JSON_OPTIONAL, &ifname, e) < 0 ||
	    json_read_string(args, NULL, "id", JSON_OPTIONAL, &id, e) < 0)
		return -EINVAL;
	if (id)
		r = attachments_detach_id(d->attachments, id, e);
	else if (fd >= 0)
		r = attachments_detach(d->attachments, fd, ifname, e);
	else
		r = sn_error_set(e, -EINVAL, "neither an id nor a network namespace was passed");
	/* the guard follows at once, also when it went only half way */
	reconcile_flush(d->reconcile);
	if (r < 0)
		return r;
	*ret = json_pack("{s:b}", "detached", r == 0);
	return 0;
}

static int verb_attachments(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)args;
	(void)fd;
	(void)e;
	*ret = status_attachments(user);
	return 0;
}

static int verb_down(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)args;
	(void)fd;
	*ret = json_pack("{s:s}", "mode", "down");
	return daemon_set_down(user, true, e);
}

static int verb_up(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	(void)args;
	(void)fd;
	*ret = json_pack("{s:s}", "mode", "up");
	return daemon_set_down(user, false, e);
}

static int verb_kick(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	struct nearest near = { 0 };
	struct daemon *d = user;
	const char *peer = NULL;

	(void)fd;
	if (json_read_string(args, NULL, "peer", JSON_REQUIRED, &peer, e) < 0)
		return -EINVAL;
	near.word = peer;
	array_foreach(&d->wanted.peers, w) {
		const struct host *h = snapshot_find(d->snapshot, w->id);

		nearest_offer(&near, w->id);
		if (!streq(w->id, peer) && !(h && streq(h->name, peer)))
			continue;
		if (!d->ike || !ike_is_online(d->ike))
			return sn_error_set(e, -EAGAIN,
					    "charon is away, so no tunnel can be asked for; "
					    "'sennit status' says why");
		ike_kick(d->ike, w->id);
		*ret = json_pack("{s:s}", "kicked", w->id);
		return 0;
	}
	return sn_error_set(e, -ENOENT, "'%s' is no peer%s%s", peer, NEAREST_HINT(&near),
			    near.best ? "" : "; 'sennit peers' lists them");
}

static int verb_log_level(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	enum log_level level, was = log_get_level();
	const char *name = NULL;

	(void)fd;
	(void)user;
	if (json_read_string(args, NULL, "level", JSON_REQUIRED, &name, e) < 0)
		return -EINVAL;
	if (log_level_from_string(name, &level) < 0)
		return sn_error_set(e, -EINVAL,
				    "'%s' is no level: error, warning, notice, info "
				    "or debug",
				    name);
	/* said at whichever of the two lets it through */
	log_set_level(SN_MAX(level, was));
	log_notice("log level is %s now, was %s", log_level_to_string(level),
		   log_level_to_string(was));
	log_set_level(level);
	*ret = json_pack("{s:s, s:s, s:o}", "level", log_level_to_string(level), "was",
			 log_level_to_string(was), "text",
			 json_sprintf("the log level is %s now, was %s", log_level_to_string(level),
				      log_level_to_string(was)));
	return 0;
}

static int verb_reload(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int r;

	(void)args;
	(void)fd;
	r = daemon_reload(user, &text, e);
	if (r < 0)
		return r;
	*ret = json_pack("{s:s}", "text", strbuf_str(&text));
	return 0;
}

static int verb_accept_identity(json_t *args, int fd, json_t **ret, struct sn_error *e, void *user)
{
	const char *text;
	int r;

	(void)args;
	(void)fd;
	r = self_accept(user, &text, e);
	if (r < 0)
		return r;
	*ret = json_pack("{s:s}", "text", text);
	return 0;
}

const struct ctl_verb daemon_verbs[] = {
	{ .name = "status", .changes = false, .run = verb_status },
	{ .name = "plan", .changes = false, .run = verb_plan },
	{ .name = "attachments", .changes = false, .run = verb_attachments },
	{ .name = "attach", .changes = true, .run = verb_attach },
	{ .name = "detach", .changes = true, .run = verb_detach },
	{ .name = "down", .changes = true, .run = verb_down },
	{ .name = "up", .changes = true, .run = verb_up },
	{ .name = "reload", .changes = true, .run = verb_reload },
	{ .name = "accept-identity", .changes = true, .run = verb_accept_identity },
	{ .name = "kick", .changes = true, .run = verb_kick },
	{ .name = "log-level", .changes = true, .run = verb_log_level },
};
const size_t daemon_n_verbs = SN_ARRAY_SIZE(daemon_verbs);
