/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order: containers (with --force), charon, then the kernel's objects by
 * a plan, then our files. charon first, because its tunnel device and SAs go
 * with it, and because while it lives it would answer peers. The files last:
 * the records in them are wanted until what they tell of is gone.
 */
#include "inspect/cleanup.h"

#include "attach/attach.h"
#include "inspect/our_files.h"
#include "inspect/process.h"
#include "inspect/unix_socket.h"
#include "loop/loop.h"
#include "net/net.h"
#include "net/remains.h"
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>

#define CHARON_LIMIT_MS 8000
/* A dead charon of a large mesh leaves thousands of SAs: so many are shown one by one. */
#define SHOWN_ONE_BY_ONE 10

struct cleanup {
	const struct cleanup_options *o;
	struct loop *loop;
	struct net *net;
	struct attachments *attachments;
	struct our_processes processes;
	struct remains remains;
	struct object_set observed;
	struct plan plan; /* borrows from observed */
	struct our_files files;
};

/* --- looking ----------------------------------------------------------------------- */

/* Whether a daemon answers on the control socket. */
static bool daemon_answers(const struct config *config)
{
	_cleanup_free_ char *path = xasprintf("%s/control.sock", config->run_dir);

	return unix_socket_look(path) == 1;
}

static void forget_objects(struct cleanup *c)
{
	plan_fini(&c->plan);
	object_set_fini(&c->observed);
	c->plan = (struct plan){ 0 };
	c->observed = (struct object_set){ 0 };
}

/* The kernel as it is now. Anew at each step: between two much may change. */
static int look_at_kernel(struct cleanup *c, struct sn_error *e)
{
	struct object_set nothing = { 0 };
	unsigned known = 0;
	int r;

	forget_objects(c);
	remains_fini(&c->remains);
	c->remains = (struct remains){ 0 };
	r = remains_read(&c->remains, e);
	if (r < 0)
		return r;
	net_observe(c->net, &nothing, &c->observed, &known);
	plan_build_removal(&c->observed, known, &c->plan);
	return known == OBJECT_ALL_NET
		       ? 0
		       : sn_error_set(e, -EAGAIN,
				      "the kernel's state cannot be read whole (%s); run it again",
				      net_last_failure(c->net));
}

static int look(struct cleanup *c, struct sn_error *e)
{
	const struct config *config = c->o->config;
	int r = attachments_peek(config->state_dir, &c->attachments, e);

	if (r == 0)
		r = net_new(c->loop, config->state_dir, &c->net, e);
	if (r < 0)
		return sn_error_wrap(e, "a record cannot be read; move that file away and run "
					"'sennit cleanup' again, what it told of then stays");
	r = processes_find(config->run_dir, config->charon, &c->processes, e);
	if (r == 0)
		r = look_at_kernel(c, e);
	if (r < 0)
		return r;
	our_files_find(config->run_dir, config->state_dir, &c->files);
	/* a charon that was started with another configuration than the one we know */
	array_foreach(&c->processes.p, p) {
		if (p->kind == PROCESS_CHARON && p->ours && !streq(p->run_dir, config->run_dir))
			our_files_find(p->run_dir, NULL, &c->files);
	}
	return 0;
}

int cleanup_find(const struct cleanup_options *o, struct cleanup **ret, struct sn_error *e)
{
	_cleanup_(cleanup_freep) struct cleanup *c = xcalloc(1, sizeof(*c));
	int r;

	c->o = o;
	c->loop = loop_new();
	r = look(c, e);
	if (r == 0)
		*ret = sn_steal(c);
	return r;
}

void cleanup_free(struct cleanup *c)
{
	if (!c)
		return;
	forget_objects(c);
	remains_fini(&c->remains);
	processes_fini(&c->processes);
	our_files_fini(&c->files);
	attachments_free(c->attachments);
	net_free(c->net);
	loop_free(c->loop);
	free(c);
}

/* --- what it is about ----------------------------------------------------------------- */

static bool is_veth(const struct plan_step *step)
{
	return step->found->kind == OBJECT_LINK && step->found->link->kind == LINK_VETH;
}

/* NULL when its record is gone. */
static const struct attachment *attachment_of(const struct cleanup *c, const char *veth)
{
	size_t n;
	const struct attachment *all = attachments_all(c->attachments, &n);

	for (size_t i = 0; i < n; i++)
		if (streq(all[i].veth, veth))
			return &all[i];
	return NULL;
}

/* sennit-metadata, which lives, keeps its address. */
static bool goes(const struct cleanup *c, const struct remain *r)
{
	return r->ours &&
	       !(r->kind == REMAIN_ADDRESS && processes_first(&c->processes, PROCESS_METADATA));
}

static bool is_ours(const struct our_process *p)
{
	return p->kind == PROCESS_CHARON && p->ours;
}

/* Somebody has changed it since we did: then it stays. */
static bool is_settled_by_others(const struct cleanup *c, const struct plan_step *step)
{
	return step->found->kind == OBJECT_SYSCTL &&
	       !net_sysctl_is_ours(c->net, step->found->sysctl->path);
}

bool cleanup_is_empty(const struct cleanup *c)
{
	array_foreach(&c->processes.p, p)
		if (is_ours(p))
			return false;
	array_foreach(&c->remains.r, r)
		if (goes(c, r))
			return false;
	return c->plan.steps.n == 0 && our_files_are_none(&c->files);
}

int cleanup_check(const struct cleanup *c, struct sn_error *e)
{
	const struct our_process *daemon = processes_first(&c->processes, PROCESS_SENNITD);
	const char *veth = NULL;
	size_t n = 0;

	if (daemon)
		return sn_error_set(e, -EBUSY,
				    "sennitd runs (process %d) and would put everything back; stop "
				    "it first: systemctl disable --now sennitd sennit-charon",
				    daemon->pid);
	if (daemon_answers(c->o->config))
		return sn_error_set(
			e, -EBUSY,
			"a sennitd that is not seen from here (of a container or another "
			"network namespace) answers at %s/control.sock and would put "
			"everything back; stop it first",
			c->o->config->run_dir);
	array_foreach(&c->plan.steps, step) {
		if (!is_veth(step))
			continue;
		veth = step->found->link->name;
		n++;
	}
	if (n == 0 || c->o->force)
		return 0;
	return sn_error_set(
		e, -EBUSY,
		"%zu container%s attached (%s is one); detach them ('sennit "
		"attachments' lists them), or use --force",
		n, n == 1 ? " is" : "s are",
		attachment_of(c, veth) ? SN_PREFIX_PAIR_STR(&attachment_of(c, veth)->addr) : veth);
}

/* --- saying ---------------------------------------------------------------------------- */

static void add_step(const struct cleanup *c, const struct plan_step *step, struct strbuf *b)
{
	const struct attachment *a =
		is_veth(step) ? attachment_of(c, step->found->link->name) : NULL;
	const struct object *o = step->found;
	char old[16];

	if (is_settled_by_others(c, step))
		return;
	plan_step_print(step, b);
	if (a)
		strbuf_addf(b, " of attachment %s, %s", a->id, SN_PREFIX_PAIR_STR(&a->addr));
	if (o->kind == OBJECT_SYSCTL &&
	    net_sysctl_original(c->net, o->sysctl->path, old, sizeof(old)) == 0)
		strbuf_addf(b, ": from %s back to %s", o->sysctl->value, old);
	strbuf_addc(b, '\n');
}

static void add_remains(const struct cleanup *c, struct strbuf *b)
{
	size_t n = 0;

	array_foreach(&c->remains.r, r) {
		if (goes(c, r) && n++ < SHOWN_ONE_BY_ONE)
			strbuf_addf(b, "- %s\n", r->text);
	}
	if (n > SHOWN_ONE_BY_ONE)
		strbuf_addf(b, "- %zu more like that\n", n - SHOWN_ONE_BY_ONE);
}

void cleanup_add_plan(const struct cleanup *c, struct strbuf *b)
{
	array_foreach(&c->processes.p, p) {
		if (is_ours(p))
			strbuf_addf(b, "- charon, process %d, with its tunnels\n", p->pid);
	}
	add_remains(c, b);
	array_foreach(&c->plan.steps, step)
		add_step(c, step, b);
	our_files_add_plan(&c->files, b);
}

static void add_left_alone(const struct cleanup *c, struct strbuf *b)
{
	array_foreach(&c->processes.p, p) {
		if (p->kind == PROCESS_CHARON && !p->ours)
			strbuf_addf(b,
				    "left alone: charon, process %d: its configuration is not "
				    "sennit's (%s)\n",
				    p->pid, p->run_dir ? p->run_dir : "the system's");
		if (p->kind == PROCESS_METADATA)
			strbuf_addf(b,
				    "left alone: sennit-metadata, process %d: it may serve "
				    "others; it ends by itself\n",
				    p->pid);
	}
	array_foreach(&c->remains.r, r) {
		if (!goes(c, r))
			strbuf_addf(b, "left alone: %s: %s\n", r->text,
				    r->why ? r->why : "sennit-metadata runs and needs it");
	}
	array_foreach(&c->plan.steps, step) {
		if (is_settled_by_others(c, step))
			strbuf_addf(b, "left alone: sysctl %s is %s, which sennit did not set\n",
				    step->found->sysctl->path, step->found->sysctl->value);
	}
}

static void add_kept(const char *what, const char *path, struct strbuf *b)
{
	if (path && access(path, F_OK) == 0)
		strbuf_addf(b, "kept: %s %s, which is yours\n", what, path);
}

void cleanup_add_rest(const struct cleanup *c, struct strbuf *b)
{
	_cleanup_free_ char *record = xasprintf("%s/sysctls.json", c->o->config->state_dir);

	add_left_alone(c, b);
	our_files_add_rest(&c->files, b);
	if (c->plan.steps.n > 0 && access(record, F_OK) < 0)
		strbuf_addf(
			b,
			"left alone: forwarding of the uplink (net/ipv4/conf/DEVICE/forwarding): "
			"%s is gone, which told what it was before\n",
			record);
	add_kept("the configuration", c->o->config_path, b);
	add_kept("the secret", c->o->config->secret_file, b);
}

/* --- doing ------------------------------------------------------------------------------ */

static int detach_all(struct cleanup *c, struct sn_error *e)
{
	const struct attachment *all;
	size_t n;
	int r;

	/* a second cleanup must not make a state_dir that the first has removed */
	attachments_all(c->attachments, &n);
	if (n == 0)
		return 0;
	attachments_free(sn_steal(c->attachments));
	r = attachments_load(c->o->config->state_dir, &c->attachments, e);
	if (r < 0)
		return r;
	attachments_sweep(c->attachments);
	while ((all = attachments_all(c->attachments, &n)) && n > 0) {
		char id[ATTACHMENT_ID_SIZE];

		memcpy(id, all[n - 1].id, sizeof(id));
		r = attachments_detach_id(c->attachments, id, e);
		if (r < 0)
			return sn_error_wrap(e, "attachment %s cannot be detached", id);
	}
	return 0;
}

/* Without its settings sennit-charon.service does not start it anew (its condition). */
static int end_charons(struct cleanup *c, struct sn_error *e)
{
	int r = 0;

	array_foreach(&c->processes.p, p) {
		_cleanup_free_ char *conf = NULL;

		if (!is_ours(p))
			continue;
		conf = xasprintf("%s/strongswan.conf", p->run_dir);
		unlink(conf);
		if (r == 0)
			r = process_end(p, CHARON_LIMIT_MS, e);
	}
	return r;
}

static void note(int r, const struct sn_error *why, const char *what, int *failed,
		 struct sn_error *e)
{
	if (r >= 0)
		return;
	if (*failed == 0) {
		*failed = r;
		sn_error_set(e, r, "%s cannot be removed: %s; the rest is gone, run it again", what,
			     why->text);
	}
}

static int remove_objects(struct cleanup *c, struct sn_error *e)
{
	int failed = look_at_kernel(c, e);

	if (failed < 0 && c->plan.steps.n == 0)
		return failed;
	array_foreach(&c->remains.r, r) {
		struct sn_error why = { 0 };

		if (goes(c, r))
			note(remain_delete(r, &why), &why, r->text, &failed, e);
	}
	array_foreach(&c->plan.steps, step) {
		_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
		struct sn_error why = { 0 };

		object_add_name(step->found, &name);
		note(net_apply(c->net, step, &why), &why, strbuf_str(&name), &failed, e);
	}
	return failed;
}

/* Links go in a worker; afterwards nothing may be there. */
static int confirm(struct cleanup *c, struct sn_error *e)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	int r;

	forget_objects(c);
	net_free(sn_steal(c->net)); /* waits for the links that are on their way out */
	r = net_new(c->loop, c->o->config->state_dir, &c->net, e);
	if (r == 0)
		r = look_at_kernel(c, e);
	if (r < 0 || c->plan.steps.n == 0)
		return r;
	object_add_name(c->plan.steps.v[0].found, &name);
	return sn_error_set(e, -EAGAIN,
			    "%s is there still or again (does somebody put it back?); run it again",
			    strbuf_str(&name));
}

int cleanup_remove(struct cleanup *c, struct sn_error *e)
{
	int r = cleanup_check(c, e);

	if (r == 0)
		r = detach_all(c, e);
	if (r == 0)
		r = end_charons(c, e);
	if (r == 0)
		r = remove_objects(c, e);
	if (r == 0)
		r = confirm(c, e);
	if (r == 0)
		r = our_files_remove(&c->files, e);
	return r;
}
