/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order: containers (with --force), charon, then the kernel's objects by
 * a plan, then our files. charon first, because its tunnel device and SAs go
 * with it, and because while it lives it would answer peers.
 */
#include "inspect/cleanup.h"

#include "attach/attach.h"
#include "ike/charon.h"
#include "ike/vici.h"
#include "loop/loop.h"
#include "net/net.h"
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CHARON_LIMIT_MS 8000

struct cleanup {
	const struct cleanup_options *o;
	struct strbuf *report;
	struct loop *loop;
	struct loop_timer *timer;
	struct net *net;
	bool over; /* what was waited for happened */
};

/* Whether a daemon answers on the control socket. */
static bool daemon_runs(const struct config *config)
{
	_cleanup_free_ char *path = xasprintf("%s/control.sock", config->run_dir);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return false;
	strcpy(sa.sun_path, path);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static int take_off_containers(struct cleanup *c, struct sn_error *e)
{
	_cleanup_(attachments_freep) struct attachments *as = NULL;
	const struct attachment *all;
	size_t n;
	int r = c->o->dry_run ? attachments_peek(c->o->config->state_dir, &as, e)
			      : attachments_load(c->o->config->state_dir, &as, e);

	if (r < 0)
		return r;
	if (!c->o->dry_run)
		attachments_sweep(as);
	all = attachments_all(as, &n);
	if (n > 0 && !c->o->force && !c->o->dry_run)
		return sn_error_set(e, -EBUSY,
				    "%zu containers are attached (%s is one); detach them, or "
				    "use --force",
				    n, SN_PREFIX_STR(&all[0].addr));
	while (n > 0) {
		char id[ATTACHMENT_ID_SIZE];

		memcpy(id, all[n - 1].id, sizeof(id));
		strbuf_addf(c->report, "- attachment %s %s\n", id, SN_PREFIX_STR(&all[n - 1].addr));
		if (c->o->dry_run) {
			n--;
			continue;
		}
		r = attachments_detach_id(as, id, e);
		if (r < 0)
			return r;
		all = attachments_all(as, &n);
	}
	return 0;
}

static void on_over(void *user)
{
	struct cleanup *c = user;

	loop_stop(c->loop);
}

static void on_charon_exited(const char *how, void *user)
{
	struct cleanup *c = user;

	(void)how;
	c->over = true;
	loop_stop(c->loop);
}

/* The process that answers on our socket, as the socket tells; 0: nobody. */
static int socket_peer(struct cleanup *c)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.vici", c->o->config->run_dir);
	const struct vici_handlers handlers = { 0 };
	struct vici *vici = NULL;
	struct sn_error e;
	int pid;

	if (vici_open(c->loop, path, NULL, &handlers, &vici, &e) < 0)
		return 0;
	pid = vici_peer_pid(vici);
	vici_close(vici);
	return pid;
}

static int wait_for_charon(struct cleanup *c, struct charon *charon, struct sn_error *e)
{
	charon_stop(charon);
	loop_timer_set(c->timer, CHARON_LIMIT_MS);
	loop_run(c->loop);
	if (!c->over)
		return sn_error_set(e, -ETIMEDOUT, "charon %d does not end", charon_pid(charon));
	return 0;
}

static int end_charon(struct cleanup *c, struct sn_error *e)
{
	const struct charon_settings settings = { .path = c->o->config->charon,
						  .run_dir = c->o->config->run_dir,
						  .plugins = "" };
	const struct charon_handlers handlers = { on_charon_exited, c };
	int pid = socket_peer(c);
	struct charon *charon = NULL;
	int r;

	if (pid == 0)
		return 0;
	r = charon_new(c->loop, &settings, &handlers, &charon, e);
	if (r == 0)
		r = charon_adopt(charon, pid, e);
	if (r == CHARON_ADOPTED) {
		strbuf_addf(c->report, "- charon %d with its tunnels\n", pid);
		if (!c->o->dry_run)
			r = wait_for_charon(c, charon, e);
	}
	charon_free(charon);
	return SN_MIN(r, 0);
}

/* Without its settings sennit-charon.service does not start it anew (its condition). */
static void keep_charon_from_coming_back(struct cleanup *c)
{
	_cleanup_free_ char *path = xasprintf("%s/strongswan.conf", c->o->config->run_dir);

	if (!c->o->dry_run && unlink(path) == 0)
		strbuf_addf(c->report, "- file %s\n", path);
}

static size_t apply(struct cleanup *c, const struct plan *plan, struct sn_error *e)
{
	size_t failed = 0;

	array_foreach(&plan->steps, step) {
		struct sn_error why = { 0 };

		plan_step_print(step, c->report);
		strbuf_addc(c->report, '\n');
		if (c->o->dry_run || net_apply(c->net, step, &why) >= 0)
			continue;
		strbuf_addf(c->report, "  could not: %s\n", why.text);
		*e = why;
		failed++;
	}
	return failed;
}

static int remove_objects(struct cleanup *c, struct sn_error *e)
{
	struct object_set nothing = { 0 }, observed = { 0 };
	struct plan plan = { 0 };
	unsigned known = 0;
	size_t failed;

	net_observe(c->net, &nothing, &observed, &known);
	plan_build(&nothing, &observed, known, &plan);
	failed = apply(c, &plan, e);
	plan_fini(&plan);
	object_set_fini(&observed);
	if (failed)
		return e->code;
	return known == OBJECT_ALL_NET ? 0
				       : sn_error_set(e, -EAGAIN,
						      "the kernel could not be read whole; "
						      "run it again");
}

static void remove_files(struct cleanup *c)
{
	static const char *const run_files[] = { "control.sock", "charon.vici",     "charon.log",
						 "charon.log.1", "strongswan.conf", "charon.json" };
	static const char *const state_files[] = {
		"snapshot.json",    "snapshot.json.bad", "identity.json", "identity.json.bad",
		"attachments.json", "sysctls.json",      "down"
	};
	const struct {
		const char *folder;
		const char *const *names;
		size_t n;
	} sets[] = { { c->o->config->run_dir, run_files, SN_ARRAY_SIZE(run_files) },
		     { c->o->config->state_dir, state_files, SN_ARRAY_SIZE(state_files) } };

	for (size_t s = 0; s < SN_ARRAY_SIZE(sets); s++) {
		for (size_t i = 0; i < sets[s].n; i++) {
			_cleanup_free_ char *path =
				xasprintf("%s/%s", sets[s].folder, sets[s].names[i]);

			if (access(path, F_OK) < 0)
				continue;
			strbuf_addf(c->report, "- file %s\n", path);
			if (!c->o->dry_run)
				unlink(path);
		}
	}
}

static int run_steps(struct cleanup *c, struct sn_error *e)
{
	int r = take_off_containers(c, e);

	if (r == 0) {
		keep_charon_from_coming_back(c);
		r = end_charon(c, e);
	}
	if (r == 0)
		r = net_new(c->loop, c->o->config->state_dir, &c->net, e);
	if (r == 0)
		r = remove_objects(c, e);
	if (r == 0)
		remove_files(c);
	return r;
}

int cleanup_run(const struct cleanup_options *o, struct strbuf *report, struct sn_error *e)
{
	struct cleanup c = { .o = o, .report = report };
	int r;

	if (daemon_runs(o->config) && !o->dry_run)
		return sn_error_set(e, -EBUSY,
				    "sennitd runs and would put everything back; stop it first");
	c.loop = loop_new();
	c.timer = loop_timer_new(c.loop, on_over, &c);
	r = run_steps(&c, e);
	net_free(c.net); /* waits for the links that are on their way out */
	loop_timer_free(c.timer);
	loop_free(c.loop);
	return r;
}
