/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host of which mesh this is does not change by itself: all keys, addresses
 * and the peers' view hang on it. Three may say that it did:
 *
 *	the machine id		the disk was copied, or the machine was set up anew
 *	the configuration	host.id or mesh.id is another one
 *	the metadata		their `self` is another one
 *
 * The first two are facts of this machine: the guard is kept and no tunnel is
 * built until a person accepts. The third is hearsay: one wrong answer of a service
 * must not take a host down (design §5.5, §5.10), so the host stays who it was, with
 * its tunnels, and asks. Accepting is `sennit accept-identity`.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>

#define MACHINE_ID_FILE "/etc/machine-id"
#define END_DELAY_MS 200 /* the answer goes out first */

/* text NULL: nothing is in question. Said once. */
static void ask(struct daemon *d, enum identity_doubt doubt, const char *text)
{
	struct self *self = &d->self;

	if (self->doubt == doubt && streq_null(self->text, text))
		return;
	free(self->text);
	self->text = xstrdup_null(text);
	self->doubt = doubt;
	self->since_ms = loop_now(d->loop);
	if (text)
		log_error("%s; 'sennit accept-identity' if that is right", text);
	else
		log_notice("this host is host %s of mesh %s, as it was", self->id.host,
			   self->id.mesh);
}

static void compare_with_machine(struct daemon *d)
{
	const struct identity *id = &d->self.id;
	const struct config *c = d->config;
	_cleanup_free_ char *text = NULL;

	if (id->machine[0] && d->self.machine[0] && !streq(id->machine, d->self.machine)) {
		text = xasprintf("%s is of another machine (a copied disk?), which was host %s of "
				 "mesh %s; the guard is kept, no tunnels are built",
				 c->state_dir, id->host, id->mesh);
		ask(d, IDENTITY_OTHER_MACHINE, text);
	} else if ((c->host_id[0] && !streq(c->host_id, id->host)) ||
		   (c->mesh_id[0] && !streq(c->mesh_id, id->mesh))) {
		text = xasprintf("the configuration says that this is host %s of mesh %s, it was "
				 "host %s of mesh %s; the guard is kept, no tunnels are built",
				 c->host_id[0] ? c->host_id : id->host,
				 c->mesh_id[0] ? c->mesh_id : id->mesh, id->host, id->mesh);
		ask(d, IDENTITY_OTHER_ID, text);
	}
}

void self_init(struct daemon *d)
{
	struct sn_error e = { 0 };
	int r = identity_load(d->config->state_dir, &d->self.id, &e);

	identity_of_machine(MACHINE_ID_FILE, d->self.machine);
	d->self.known = r == 0;
	if (r == 0)
		compare_with_machine(d);
	else if (r != -ENOENT)
		log_warning("the stored identity is of no use: %s", e.text);
}

/* Once in the life of a host, so the wait for the disk is no matter. */
static void remember(struct daemon *d, const struct snapshot *s)
{
	struct identity *id = &d->self.id;
	struct sn_error e;

	memcpy(id->machine, d->self.machine, sizeof(id->machine));
	memcpy(id->host, s->self_id, sizeof(id->host));
	memcpy(id->mesh, s->mesh_id, sizeof(id->mesh));
	d->self.known = true;
	if (identity_save(d->config->state_dir, id, &e) < 0)
		log_warning("the identity could not be stored: %s", e.text);
}

bool self_admit(struct daemon *d, const struct snapshot *s)
{
	const struct identity *id = &d->self.id;
	_cleanup_free_ char *text = NULL;

	if (!d->self.known)
		remember(d, s);
	if (streq(s->self_id, id->host) && streq(s->mesh_id, id->mesh)) {
		if (d->self.doubt == IDENTITY_HEARSAY)
			ask(d, IDENTITY_SURE, NULL);
		return true;
	}
	/* what this machine itself says is graver */
	if (d->self.doubt == IDENTITY_SURE || d->self.doubt == IDENTITY_HEARSAY) {
		text = xasprintf("the metadata say that this is host %s of mesh %s, it is host %s "
				 "of mesh %s; it stays that, with its tunnels",
				 s->self_id, s->mesh_id, id->host, id->mesh);
		ask(d, IDENTITY_HEARSAY, text);
	}
	return false;
}

bool self_may_have_tunnels(const struct daemon *d)
{
	return d->self.doubt == IDENTITY_SURE || d->self.doubt == IDENTITY_HEARSAY;
}

static void on_end(void *user)
{
	struct daemon *d = user;

	log_notice("ends, so that it starts anew with the identity that was accepted");
	loop_stop(d->loop);
}

static void on_charon_ended(void *user)
{
	struct daemon *d = user;

	loop_timer_set(d->self.end_timer, END_DELAY_MS);
}

/* Keys in charon are made of both ids and named by neither: it has to go, too. */
static int begin_anew(struct daemon *d, struct sn_error *e)
{
	int r = identity_remove(d->config->state_dir, e);

	if (r < 0)
		return r;
	d->self.end_timer = loop_timer_new(d->loop, on_end, d);
	if (d->ike)
		ike_shutdown(d->ike, on_charon_ended, d);
	else
		on_charon_ended(d);
	return 0;
}

static int move_to_this_machine(struct daemon *d, struct sn_error *e)
{
	int r;

	memcpy(d->self.id.machine, d->self.machine, sizeof(d->self.id.machine));
	r = identity_save(d->config->state_dir, &d->self.id, e);
	if (r < 0)
		return r;
	ask(d, IDENTITY_SURE, NULL);
	compare_with_machine(d); /* the configuration may differ, too */
	daemon_intent_changed(d);
	return 0;
}

int self_accept(struct daemon *d, const char **ret_text, struct sn_error *e)
{
	if (d->self.end_timer)
		return sn_error_set(e, -EALREADY, "it was accepted already; sennitd is ending");
	switch (d->self.doubt) {
	case IDENTITY_SURE:
		return sn_error_set(e, -ENOENT,
				    "nothing is to be accepted: nobody doubts who "
				    "this host is");
	case IDENTITY_OTHER_MACHINE:
		*ret_text = "accepted: this machine is that host from now on";
		return move_to_this_machine(d, e);
	case IDENTITY_OTHER_ID:
	case IDENTITY_HEARSAY:
		*ret_text = "accepted: charon and sennitd end, and the sennitd that is started "
			    "next (by its service manager, or by you) takes the new identity";
		return begin_anew(d, e);
	}
	return -EINVAL;
}

void self_fini(struct daemon *d)
{
	loop_timer_free(d->self.end_timer);
	free(d->self.text);
}
