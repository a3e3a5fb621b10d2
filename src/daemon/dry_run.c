/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dry_run.h"

#include "attach/attach.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "ike/vici.h"
#include "metadata/metadata.h"
#include "net/net.h"
#include "plan/dataplane.h"
#include "plan/plan.h"
#include "secret/secret.h"

#include <errno.h>
#include <stdio.h>

#define WAIT_MS 10000

struct look {
	struct loop *loop;
	struct snapshot *snapshot;
	char *error;
};

static bool on_snapshot(struct snapshot *s, void *user)
{
	struct look *look = user;

	snapshot_free(look->snapshot);
	look->snapshot = s;
	loop_stop(look->loop);
	return true;
}

static void on_failed(const char *text, void *user)
{
	struct look *look = user;

	free(look->error);
	look->error = xstrdup(text);
	loop_stop(look->loop);
}

static void on_ok(void *user)
{
	(void)user;
}

static void on_limit(void *user)
{
	loop_stop(((struct look *)user)->loop);
}

/* The service's snapshot, else the stored one. */
static int get_snapshot(struct look *look, const struct config *config, struct sn_error *e)
{
	const struct metadata_handlers handlers = { on_snapshot, on_failed, on_ok, NULL, look };
	_cleanup_(metadata_freep) struct metadata *m = NULL;
	struct loop_timer *limit = loop_timer_new(look->loop, on_limit, look);
	int r = metadata_new(look->loop, config, NULL, &handlers, &m, e);

	if (r == 0) {
		metadata_start(m);
		loop_timer_set(limit, WAIT_MS);
		loop_run(look->loop);
	}
	loop_timer_free(limit);
	if (r < 0 || look->snapshot)
		return r;
	log_warning("metadata: %s; the stored snapshot is used",
		    look->error ? look->error : "no answer in time");
	return store_load(config->state_dir, &look->snapshot, e);
}

/* A charon of ours that runs has objects that only its daemon can list. */
static unsigned known_of_charon(const struct config *config)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.vici", config->run_dir);
	const struct vici_handlers handlers = { 0 };
	struct loop *loop = loop_new();
	struct vici *vici = NULL;
	struct sn_error e;
	bool runs = vici_open(loop, path, NULL, &handlers, &vici, &e) == 0;

	if (runs) {
		vici_close(vici);
		printf("charon runs; `sennit plan` tells what is to be done there\n");
	}
	loop_free(loop);
	return runs ? 0 : OBJECT_ALL_IKE;
}

static int print_plan(struct net *net, const struct config *config, const struct snapshot *snapshot,
		      const struct intent_secret *secrets, size_t n_secrets, struct sn_error *e)
{
	_cleanup_(attachments_freep) struct attachments *attachments = NULL;
	_cleanup_(numbers_freep) struct numbers *numbers = NULL;
	_cleanup_object_set_ struct object_set links = { 0 };
	_cleanup_object_set_ struct object_set observed = { 0 };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_plan_ struct plan plan = { 0 };
	struct intent intent = {
		.config = config,
		.snapshot = snapshot,
		.secrets = secrets,
		.n_secrets = n_secrets,
	};
	const struct surroundings unknown = { 0 };
	const struct dataplane *dataplane;
	struct surroundings_look look;
	struct wanted wanted = { 0 };
	unsigned known = 0;
	int r;

	r = attachments_peek(config->state_dir, &attachments, e);
	if (r < 0)
		return r;
	(void)net_observe_links(net, &links);
	numbers = numbers_new(NULL, net, &links, config->state_dir, snapshot->mesh_id);
	intent.if_ids = numbers_get(numbers);
	intent.attachments = attachments_all(attachments, &intent.n_attachments);
	surroundings_look_init(&look, config, snapshot, &unknown);
	surroundings_look_run(&look, net);
	surroundings_tell(&look.seen, snapshot_self(snapshot), &intent);
	dataplane = config->dataplane == DATAPLANE_XFRM ||
				    (config->dataplane == DATAPLANE_AUTO && net_has_kernel_esp(net))
			    ? &dataplane_xfrm
			    : &dataplane_libipsec;
	r = dataplane->want(&intent, &wanted, e);
	if (r == 0) {
		net_observe(net, &wanted.objects, &observed, &known);
		plan_build(&wanted.objects, &observed, known | known_of_charon(config), &plan);
		plan_print(&plan, &text);
		printf("data plane %s, %zu peers, %zu steps:\n%s", dataplane->name, wanted.peers.n,
		       plan.steps.n, strbuf_str(&text));
	}
	wanted_fini(&wanted);
	return r;
}

static int look_and_print(struct look *look, const struct config *config, struct sn_error *e)
{
	_cleanup_(secrets_freep) struct secrets *secrets = NULL;
	struct intent_secret ids[SECRET_MAX_COUNT];
	_cleanup_(net_freep) struct net *net = NULL;
	int r = secrets_load(config->secret_file, &secrets, e);

	if (r == 0)
		r = get_snapshot(look, config, e);
	if (r == 0)
		r = net_new(look->loop, config->state_dir, &net, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < secrets_count(secrets); i++)
		secrets_id(secrets, i, ids[i].id);
	return print_plan(net, config, look->snapshot, ids, secrets_count(secrets), e);
}

int dry_run(const struct config *config, struct sn_error *e)
{
	struct look look = { .loop = loop_new() };
	int r = look_and_print(&look, config, e);

	snapshot_free(look.snapshot);
	free(look.error);
	loop_free(look.loop);
	return r;
}
