/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Order at start: the stored snapshot and the guard first, so that nothing
 * leaves in clear while the rest is still away; then charon, then the
 * metadata service. At the end nothing is undone: tunnels, guard and charon
 * outlive this process.
 */
#include "daemon/daemon.h"

#include "base/file.h"
#include "base/log.h"
#include "ike/charon.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

/* --- intent --------------------------------------------------------------- */

void daemon_get_intent(struct daemon *d, struct intent *ret)
{
	*ret = (struct intent){
		.config = d->config,
		.snapshot = d->snapshot,
		.secrets = d->secret_ids.v,
		.n_secrets = d->secret_ids.n,
		.if_ids = d->numbers ? numbers_get(d->numbers) : NULL,
		.paths = d->paths.v,
		.n_paths = d->paths.n,
	};
	ret->attachments = attachments_all(d->attachments, &ret->n_attachments);
	stand_in_ports(d, &ret->stand_in);
	surroundings_tell(&d->around, d->snapshot ? snapshot_self(d->snapshot) : NULL, ret);
}

/* Without tunnels: guard, bridge and containers stay, peers go. */
static void take_tunnels_out(struct wanted *w, const char *bridge)
{
	size_t n = 0;

	array_foreach(&w->objects.o, o) {
		bool tunnel = o->kind == OBJECT_IKE_KEY || o->kind == OBJECT_IKE_CONN ||
			      (o->kind == OBJECT_ROUTE && !o->route.unreachable &&
			       !streq(o->route.oif, bridge)) ||
			      (o->kind == OBJECT_LINK &&
			       (o->link->kind == LINK_XFRM || o->link->kind == LINK_TUN));

		if (tunnel)
			object_fini(o);
		else
			w->objects.o.v[n++] = *o;
	}
	w->objects.o.n = n;
	array_free(&w->peers);
}

static void set_refusal(struct daemon *d, const char *text)
{
	if (streq_null(d->refusal, text))
		return;
	free(d->refusal);
	d->refusal = xstrdup_null(text);
	if (text)
		log_error(
			"the %s data plane cannot do what is asked: %s; this host stays as it was",
			d->dataplane->name, text);
	else
		log_notice("the %s data plane can do what is asked now", d->dataplane->name);
}

int daemon_mtu(const struct daemon *d)
{
	array_foreach(&d->wanted.objects.o, o)
		if (o->kind == OBJECT_LINK && o->link->kind == LINK_BRIDGE)
			return o->link->mtu;
	return d->dataplane->default_mtu;
}

/* Where new containers go. */
static void set_place(struct daemon *d)
{
	const struct host *self = snapshot_self(d->snapshot);
	struct attach_place place = {
		.mtu = daemon_mtu(d),
		.prefixes = self->prefixes.v,
		.n_prefixes = self->prefixes.n,
		.host_overlay_ip = self->overlay_ip,
	};

	/* they are sorted, IPv4's first; in an overlay of IPv6 alone nobody would be wired */
	while (!net_has_ipv6() && place.n_prefixes > 0 &&
	       self->prefixes.v[place.n_prefixes - 1].addr.family == AF_INET6)
		place.n_prefixes--;
	memcpy(place.mesh_id, d->snapshot->mesh_id, sizeof(place.mesh_id));
	memcpy(place.bridge, d->config->bridge, sizeof(place.bridge));
	attachments_set_place(d->attachments, &place);
}

/*
 * What cannot be done as a whole changes nothing: the last intent that could
 * be done stays. When there was none since the start, the guard is made and
 * whatever an earlier life left is let be.
 */
static const struct wanted *refuse(struct daemon *d, const struct intent *intent, const char *why,
				   struct reconcile_news *ret_news)
{
	set_refusal(d, why);
	d->wanted_of = 0;
	if (d->wanted.objects.o.n == 0 || d->wanted.guard_only) {
		wanted_fini(&d->wanted);
		d->dataplane->want_guard(intent, &d->wanted);
		d->wanted.guard_only = true;
		ret_news->all = true;
	}
	return &d->wanted;
}

#define HASH_FIELD(hash, field) sn_hash((hash), &(field), sizeof(field))

/* Of all that decides what is wanted, but for the snapshot. Never 0. */
static uint64_t hash_intent(const struct daemon *d, const struct intent *intent)
{
	bool tunnels = !d->down && self_may_have_tunnels(d);
	uint64_t hash = SN_HASH_INIT;

	hash = HASH_FIELD(hash, d->configs);
	hash = HASH_FIELD(hash, tunnels);
	hash = sn_hash(hash, intent->uplink, strlen(intent->uplink) + 1);
	hash = HASH_FIELD(hash, intent->uplink_forwarding);
	hash = HASH_FIELD(hash, intent->docker_user);
	hash = HASH_FIELD(hash, intent->alone);
	hash = HASH_FIELD(hash, intent->underlay_mtu);
	hash = HASH_FIELD(hash, intent->ipv6_forwarding);
	for (size_t i = 0; i < intent->n_advertised; i++)
		hash = HASH_FIELD(hash, intent->advertised[i]);
	if (intent->foreign)
		hash = HASH_FIELD(hash, *intent->foreign);
	hash = HASH_FIELD(hash, intent->underlay_away);
	hash = HASH_FIELD(hash, intent->stand_in);
	for (size_t i = 0; i < intent->n_paths; i++) {
		const struct intent_path *p = &intent->paths[i];

		hash = sn_hash(hash, p->peer, strlen(p->peer) + 1);
		hash = HASH_FIELD(hash, p->local);
		hash = HASH_FIELD(hash, p->remote);
	}
	for (size_t i = 0; i < intent->n_secrets; i++)
		hash = sn_hash(hash, intent->secrets[i].id, strlen(intent->secrets[i].id) + 1);
	for (size_t i = 0; i < intent->n_attachments; i++) {
		const struct attachment *a = &intent->attachments[i];

		hash = sn_hash(hash, a->id, strlen(a->id) + 1);
		hash = HASH_FIELD(hash, a->addr);
		hash = HASH_FIELD(hash, a->mac);
		hash = HASH_FIELD(hash, a->ready);
	}
	return hash ? hash : 1;
}

/* The same intent as last time, or one that can be followed; else false. */
static bool follow(struct daemon *d, const struct intent *intent, uint64_t hash,
		   struct reconcile_news *ret_news)
{
	if (d->wanted_of != hash)
		return false;
	/* what was taken out would be missed */
	return !d->wanted_at ||
	       (!d->down && self_may_have_tunnels(d) &&
		wanted_follow(d->dataplane, intent, d->wanted_at, &d->wanted, &ret_news->change));
}

static void forget_wanted_at(struct daemon *d)
{
	snapshot_free(sn_steal(d->wanted_at));
}

static int want_all(struct daemon *d, const struct intent *intent, struct sn_error *e)
{
	struct wanted fresh = { 0 };
	int r = d->dataplane->want(intent, &fresh, e);

	if (r < 0)
		return r;
	if (d->down || !self_may_have_tunnels(d))
		take_tunnels_out(&fresh, d->config->bridge);
	wanted_fini(&d->wanted);
	d->wanted = fresh;
	d->wanted_is_new = true;
	set_place(d);
	containers_follow_mtu(d);
	return 0;
}

static bool hook_prepare(void *user)
{
	struct daemon *d = user;
	const struct ike_sa *sas;
	size_t n;

	if (!d->snapshot)
		return false;
	surroundings_look_init(&d->look_around, d->config, d->snapshot, &d->around);
	d->looked_for = d->snapshots;
	sas = d->ike ? ike_sas(d->ike, &n) : NULL;
	for (size_t i = 0; sas && i < n; i++)
		if (sas[i].state == IKE_SA_ESTABLISHED || sas[i].state == IKE_SA_REKEYING)
			surroundings_look_add_way(&d->look_around, &sas[i].local, &sas[i].remote);
	return true;
}

static void hook_look_around(void *user)
{
	struct daemon *d = user;

	surroundings_look_run(&d->look_around, d->net);
}

/* Takes over what was seen; that another intent follows from it, its hash tells. */
static void take_surroundings(struct daemon *d)
{
	struct surroundings before = d->around;

	d->around = d->look_around.seen;
	d->moved |= surroundings_moved(&before, &d->around);
	net_watch_underlay(d->net, &d->around.underlay);
	if (d->wanted_of == 0)
		return; /* no news, but the first look */
	if (d->around.docker_user != before.docker_user)
		log_notice("Docker's chain DOCKER-USER %s",
			   d->around.docker_user
				   ? "is there: containers' packets are let through there"
				   : "is gone");
	if (d->around.underlay.mtu != before.underlay.mtu)
		log_notice("the underlay has an MTU of %d now", d->around.underlay.mtu);
}

/* The reconcile loop asks at the begin of each pass. */
static const struct wanted *hook_wanted(void *user, struct reconcile_news *ret_news)
{
	struct daemon *d = user;
	struct sn_error e = { 0 };
	struct intent intent;
	uint64_t hash;

	if (!d->snapshot)
		return NULL;
	/* what another one needs to know of the host was not asked, say who hears advertisements */
	if (d->looked_for != d->snapshots) {
		reconcile_wanted_changed(d->reconcile);
		return NULL;
	}
	take_surroundings(d);
	daemon_get_intent(d, &intent);
	hash = hash_intent(d, &intent);
	if (!follow(d, &intent, hash, ret_news)) {
		if (want_all(d, &intent, &e) < 0)
			return refuse(d, &intent, e.text, ret_news);
		ret_news->all = true;
	}
	set_refusal(d, NULL);
	d->wanted_of = hash;
	forget_wanted_at(d);
	return &d->wanted;
}

static struct ike *hook_ike(void *user)
{
	return ((struct daemon *)user)->ike;
}

static void set_tunnels(struct daemon *d)
{
	ARRAY(struct ike_tunnel) tunnels = { 0 };

	array_foreach(&d->wanted.objects.o, o) {
		struct ike_tunnel *t;

		if (o->kind != OBJECT_IKE_CONN)
			continue;
		t = array_add(&tunnels);
		memcpy(t->peer, o->conn->peer, sizeof(t->peer));
		memcpy(t->child, o->conn->child, sizeof(t->child));
		t->owner = o->conn->owner;
		t->remote = o->conn->remote_addr;
	}
	if (d->ike)
		ike_set_tunnels(d->ike, tunnels.v, tunnels.n);
	array_free(&tunnels);
}

/*
 * By now the connections begin at an address that is there. A question to the metadata service
 * that is under way from the lost one would wait for its time-out, and a service that knows who
 * asks by the address may have refused.
 */
static void follow_move(struct daemon *d)
{
	struct sn_error e;

	if (d->ike)
		ike_set_lost_addrs(d->ike, d->around.lost, d->around.n_lost);
	if (!d->moved || !d->metadata)
		return;
	d->moved = false;
	metadata_free(sn_steal(d->metadata));
	free(sn_steal(d->metadata_error)); /* of the old source */
	if (daemon_open_metadata(d, &e) < 0)
		log_error("metadata: %s", e.text);
}

static void hook_settled(void *user)
{
	struct daemon *d = user;

	/* the guard of the stored snapshot stands: others (Docker) may start now */
	notify_ready(d->notify);
	stand_in_prepare(d);
	follow_move(d);
	if (!d->wanted.guard_only)
		numbers_settle(d->numbers, d->snapshot, &d->wanted, d->wanted_is_new);
	if (d->wanted.guard_only || !d->wanted_is_new)
		return; /* who the peers are is not known, or no news */
	d->wanted_is_new = d->ike == NULL;
	leftovers_look(d);
	set_tunnels(d);
	peers_update(d);
}

/* --- charon --------------------------------------------------------------- */

static void on_ike_absent(void *user)
{
	struct daemon *d = user;

	stand_in_begin(d);
	probe_set_ike_away(d->probe, true);
}

static void on_ike_online(void *user)
{
	struct daemon *d = user;

	log_notice("charon %d answers", ike_charon_pid(d->ike));
	probe_set_ike_boot(d->probe, ike_boot_id(d->ike));
	probe_set_ike_away(d->probe, false);
	stand_in_end(d);
	leftovers_look(d);
	reconcile_request(d->reconcile, OBJECT_ALL_IKE | OBJECT_ALL_NET, true);
}

static void on_ike_offline(const char *why, void *user)
{
	struct daemon *d = user;

	stand_in_begin(d);
	log_error("charon is away: %s", why);
	peers_ike_changed(d, NULL);
	reconcile_request(d->reconcile, OBJECT_ALL_IKE | OBJECT_ALL_NET, true);
}

static void on_sas_changed(const char *peer, void *user)
{
	peers_ike_changed(user, peer);
}

static void on_peer_error(const char *peer, const char *text, void *user)
{
	peers_ike_error(user, peer, text);
}

static void on_moved(const char *peer, const struct sn_addr *lost, void *user)
{
	struct daemon *d = user;

	log_write_fields(
		LOG_LEVEL_NOTICE, LOG_FIELDS({ "peer", peer }),
		"peer %s: its tunnel went from %s, which this host does not have any more; "
		"a new one is built",
		peer, SN_ADDR_STR(lost));
	probe_renew(d->probe, peer);
}

static void start_ike(struct daemon *d)
{
	const struct ike_settings settings = {
		.charon = d->config->charon,
		.run_dir = d->config->run_dir,
		.plugins = d->dataplane->charon_plugins,
		.mesh_id = d->snapshot->mesh_id,
		.self = d->snapshot->self_id,
		.external = !d->config->start_charon,
	};
	const struct ike_handlers handlers = {
		.online = on_ike_online,
		.offline = on_ike_offline,
		.absent = on_ike_absent,
		.sas_changed = on_sas_changed,
		.peer_error = on_peer_error,
		.moved = on_moved,
		.user = d,
	};
	struct sn_error e = { 0 };

	if (ike_new(d->loop, &settings, d->secrets, &handlers, &d->ike, &e) < 0) {
		log_error("charon cannot be used: %s", e.text);
		return;
	}
	ike_start(d->ike);
}

/* --- snapshots ------------------------------------------------------------ */

static void log_snapshot(const struct snapshot *s)
{
	log_notice("mesh %s: %zu hosts, overlay %s, this host is %s (from %s)", s->mesh_id,
		   s->hosts.n, SN_PREFIX_PAIR_STR(&s->overlay), s->self_id, s->source);
	array_foreach(&s->problems, p)
		log_warning("refused: %s: %s", p->place, p->text);
	array_foreach(&s->hosts, h)
		if (h->state == HOST_GONE)
			log_notice("host %s (%s) is gone: replaced by %s", h->id, h->name,
				   h->replaced_by);
}

static void use_snapshot(struct daemon *d, struct snapshot *s)
{
	bool same = d->snapshot && snapshot_equal(d->snapshot, s);

	if (d->wanted_at)
		snapshot_free(d->snapshot);
	else
		d->wanted_at = d->snapshot;
	d->snapshot = s;
	d->snapshots++;
	if (same)
		log_info("the metadata service confirms the stored state of the mesh");
	else
		log_snapshot(s);
	if (!d->numbers)
		d->numbers = numbers_new(d->worker, d->net, &d->first_links, d->config->state_dir,
					 s->mesh_id);
	if (!d->ike)
		start_ike(d);
	reconcile_wanted_changed(d->reconcile);
}

/*
 * The store waits for the disk, and 50,000 prefixes are some work, so it works
 * in the worker, on a copy, and takes no more than one part in STORE_SHARE of the time,
 but a disk that stalled once does not keep the next ones away for long.
 */
#define STORE_SHARE 100
#define STORE_PAUSE_MAX_MS 60000 /* also before it is tried again when it failed */

struct store_job {
	struct daemon *daemon;
	char *state_dir;
	struct snapshot *snapshot;
	int64_t took_ms;
	int result;
	struct sn_error error;
};

static void store_run(void *job)
{
	struct store_job *j = job;
	int64_t start = sn_now_ms();

	j->result = store_save(j->state_dir, j->snapshot, &j->error);
	j->took_ms = sn_now_ms() - start;
}

static void warn_not_stored(const struct sn_error *e)
{
	log_warning("the snapshot could not be stored, a restart without the metadata service "
		    "would use an older one: %s",
		    e->text);
}

/* What was not stored is tried again: by the timer, or by store_last(). */
static void store_done(void *job, bool finished)
{
	struct store_job *j = job;
	struct daemon *d = j->daemon;
	int64_t pause_ms = SN_MIN(j->took_ms * STORE_SHARE, (int64_t)STORE_PAUSE_MAX_MS);

	d->storing = false;
	if (!finished || j->result < 0)
		d->stored = false;
	if (finished && j->result < 0) {
		warn_not_stored(&j->error);
		pause_ms = STORE_PAUSE_MAX_MS;
	}
	if (finished)
		loop_timer_set(d->store_timer, pause_ms);
	free(j->state_dir);
	snapshot_free(j->snapshot);
	free(j);
}

static void store_snapshot(void *user)
{
	struct daemon *d = user;
	struct store_job *job;

	if (d->storing || d->stored || loop_timer_is_set(d->store_timer))
		return; /* it is or will be asked for again */
	job = xcalloc(1, sizeof(*job));
	job->daemon = d;
	job->state_dir = xstrdup(d->config->state_dir);
	job->snapshot = snapshot_copy(d->snapshot);
	d->stored = d->storing = true;
	loop_worker_submit(d->worker, job, store_run, store_done);
}

/* What waited for its time. */
static void store_last(struct daemon *d)
{
	struct sn_error e;

	if (d->snapshot && !d->stored && store_save(d->config->state_dir, d->snapshot, &e) < 0)
		warn_not_stored(&e);
}

static bool on_snapshot(struct snapshot *s, void *user)
{
	struct daemon *d = user;

	if (!self_admit(d, s)) {
		snapshot_free(s);
		return false;
	}
	d->from_store = false;
	use_snapshot(d, s);
	d->stored = false;
	store_snapshot(d);
	return true;
}

static void on_metadata_failed(const char *text, void *user)
{
	struct daemon *d = user;

	free(d->metadata_error);
	d->metadata_error = xstrdup(text);
	log_warning("metadata: %s; %s", text,
		    d->snapshot ? "the last good state is kept"
				: "nothing is known yet, it is tried again");
}

static void on_metadata_ok(void *user)
{
	struct daemon *d = user;

	d->from_store = false;
	free(sn_steal(d->metadata_error));
	log_notice("metadata: the service answers again");
}

/* When the stored snapshot was written, by the wall clock; 0: not known. */
static int64_t stored_at(const struct daemon *d)
{
	_cleanup_free_ char *path = xasprintf("%s/snapshot.json", d->config->state_dir);
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (int64_t)st.st_mtime * 1000;
}

static void on_metadata_warning(const char *text, void *user)
{
	(void)user;
	log_warning("%s", text);
}

static int load_stored_snapshot(struct daemon *d)
{
	struct snapshot *s = NULL;
	struct sn_error e = { 0 };
	int r = store_load(d->config->state_dir, &s, &e);

	if (r < 0) {
		if (r != -ENOENT)
			log_warning("the stored snapshot is of no use: %s", e.text);
		return r;
	}
	if (!self_admit(d, s)) {
		log_warning("the stored snapshot is another host's and not used");
		snapshot_free(s);
		return -EINVAL;
	}
	d->from_store = true;
	d->stored_ms = stored_at(d);
	use_snapshot(d, s);
	return 0;
}

/* --- kernel --------------------------------------------------------------- */

static void on_net_changed(unsigned kinds, const char *device, void *user)
{
	struct daemon *d = user;

	if (device)
		probe_device_changed(d->probe, device);
	reconcile_request(d->reconcile, kinds | OBJECT_BIT(OBJECT_ROUTE), false);
	/* a look at each container's interface: not for devices of others */
	if (!device && (kinds & OBJECT_BIT(OBJECT_LINK)) && attachments_sweep(d->attachments) > 0) {
		log_notice("a container's interface is gone with its namespace; its address rests");
		daemon_intent_changed(d);
	}
}

void daemon_intent_changed(struct daemon *d)
{
	reconcile_request(d->reconcile, OBJECT_ALL_NET | OBJECT_ALL_IKE, true);
}

static char *down_file(const struct daemon *d)
{
	return xasprintf("%s/down", d->config->state_dir);
}

int daemon_set_down(struct daemon *d, bool down, struct sn_error *e)
{
	_cleanup_free_ char *path = down_file(d);
	int r = down ? file_write_atomic(path, "", 0, 0600) : unlink(path) < 0 ? -errno : 0;

	if (r < 0 && r != -ENOENT)
		return sn_error_set(e, r, "%s: %s", path, sn_strerror(r));
	if (d->down != down)
		log_notice("%s", down ? "tunnels are taken down; the guard stays"
				      : "tunnels are brought up");
	d->down = down;
	if (down)
		stand_in_end(d);
	daemon_intent_changed(d);
	return 0;
}

static void choose_dataplane(struct daemon *d)
{
	switch (d->config->dataplane) {
	case DATAPLANE_XFRM:
		d->dataplane = &dataplane_xfrm;
		return;
	case DATAPLANE_LIBIPSEC:
		d->dataplane = &dataplane_libipsec;
		return;
	case DATAPLANE_AUTO:
		d->dataplane = net_has_kernel_esp(d->net) ? &dataplane_xfrm : &dataplane_libipsec;
		log_notice("data plane: %s (%s)", d->dataplane->name,
			   d->dataplane == &dataplane_xfrm ? "the kernel has ESP"
							   : "the kernel has no ESP");
		return;
	}
}

/* --- life ----------------------------------------------------------------- */

static void on_signal(int signo, void *user)
{
	struct daemon *d = user;

	log_notice("ends by signal %d; tunnels, guard and charon stay", signo);
	loop_stop(d->loop);
}

static void on_sighup(int signo, void *user)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct sn_error e;

	(void)signo;
	daemon_reload(user, &text, &e);
}

static void say_status(char ret[static NOTIFY_STATUS_SIZE], void *user)
{
	struct daemon *d = user;
	struct host_problem problems[HOST_PROBLEMS_MAX];
	size_t up = 0, wrong = problems_collect(d, problems);

	if (!d->snapshot) {
		snprintf(ret, NOTIFY_STATUS_SIZE, "knows no mesh yet%s",
			 d->metadata_error ? ": the metadata service fails" : "");
		return;
	}
	array_foreach(&d->wanted.peers, w) {
		struct verdict v;

		up += health_get(d->health, w->id, loop_now(d->loop), &v) &&
		      (v.state == PEER_UP || v.state == PEER_DEGRADED);
	}
	snprintf(ret, NOTIFY_STATUS_SIZE, "host %s of mesh %s: %zu of %zu peers up%s%s",
		 d->snapshot->self_id, d->snapshot->mesh_id, up, d->wanted.peers.n,
		 wrong ? "; not healthy: " : "", wrong ? problems[0].what : "");
}

static int load_secrets(struct daemon *d, struct sn_error *e)
{
	struct secrets *s = NULL;
	int r = secrets_load(d->config->secret_file, &s, e);

	if (r == 0)
		daemon_set_secrets(d, s);
	return r;
}

static int make_folders(struct daemon *d, struct sn_error *e)
{
	const char *const folders[] = { d->config->run_dir, d->config->state_dir };

	for (size_t i = 0; i < SN_ARRAY_SIZE(folders); i++) {
		int r = file_mkdirs(folders[i], 0755);

		if (r < 0)
			return sn_error_set(e, r, "%s: %s", folders[i], sn_strerror(r));
	}
	return 0;
}

static int open_kernel(struct daemon *d, struct sn_error *e)
{
	const struct reconcile_hooks hooks = {
		.prepare = hook_prepare,
		.look_around = hook_look_around,
		.wanted = hook_wanted,
		.ike = hook_ike,
		.settled = hook_settled,
		.user = d,
	};
	_cleanup_free_ char *down = down_file(d);
	int r;

	r = net_new(d->loop, d->config->state_dir, &d->net, e);
	if (r < 0)
		return r;
	if (net_observe_links(d->net, &d->first_links) < 0)
		log_warning("the links that are there cannot be read: %s",
			    net_last_failure(d->net));
	r = attachments_load(d->config->state_dir, &d->attachments, e);
	if (r < 0)
		return r;
	attachments_sweep(d->attachments);
	d->down = access(down, F_OK) == 0;
	choose_dataplane(d);
	d->reconcile = reconcile_new(d->loop, d->net, &hooks);
	return net_watch(d->net, on_net_changed, d, e);
}

/* Before READY=1, after which systemd starts it. */
static int prepare_charon(struct daemon *d, struct sn_error *e)
{
	const struct charon_settings settings = { .path = d->config->charon,
						  .run_dir = d->config->run_dir,
						  .plugins = d->dataplane->charon_plugins };
	int r;

	if (d->config->start_charon)
		return 0;
	r = charon_prepare(&settings, e);
	if (r == CHARON_CONF_CHANGED)
		log_warning("charon's settings are others than before; one that runs has them "
			    "after a restart of its own (sennit-charon.service)");
	return SN_MIN(r, 0);
}

static int open_faces(struct daemon *d, struct sn_error *e)
{
	_cleanup_free_ char *path = xasprintf("%s/control.sock", d->config->run_dir);
	int r = ctl_server_new(d->loop, path, daemon_verbs, daemon_n_verbs, d, &d->ctl, e);

	if (r < 0)
		return r;
	return http_server_new(d->loop, d->config->http.v, d->config->http.n, daemon_pages,
			       daemon_n_pages, d, &d->http, e);
}

int daemon_open_metadata(struct daemon *d, struct sn_error *e)
{
	const struct metadata_handlers handlers = {
		.snapshot = on_snapshot,
		.failed = on_metadata_failed,
		.ok = on_metadata_ok,
		.warning = on_metadata_warning,
		.user = d,
	};
	int r = metadata_new(d->loop, d->config, d->snapshot, &handlers, &d->metadata, e);

	if (r == 0)
		metadata_start(d->metadata);
	return r;
}

/*
 * The large arrays, of which a pass over 50,000 routes makes a few, go back to the
 * kernel when they are freed; and the workers, who do little, get no heaps of their own.
 */
#define LARGE_BLOCK (128 * 1024)

static void keep_memory_small(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
	mallopt(M_ARENA_MAX, 1);
}

int daemon_new(const struct config_source *source, struct config *config, struct daemon **ret,
	       struct sn_error *e)
{
	_cleanup_(daemon_freep) struct daemon *d = xcalloc(1, sizeof(*d));
	int r;

	keep_memory_small();
	d->source = *source;
	d->config = config;
	d->loop = loop_new();
	d->started_ms = loop_now(d->loop);
	d->started_wall_ms = sn_wall_ms();
	d->sigterm = loop_signal_new(d->loop, SIGTERM, on_signal, d);
	d->sigint = loop_signal_new(d->loop, SIGINT, on_signal, d);
	d->sighup = loop_signal_new(d->loop, SIGHUP, on_sighup, d);
	d->notify = notify_new(d->loop, say_status, d);
	r = load_secrets(d, e);
	if (r == 0)
		r = make_folders(d, e);
	/* the control socket comes first: it tells whether another daemon runs here */
	if (r == 0)
		r = open_faces(d, e);
	if (r == 0)
		r = open_kernel(d, e);
	if (r == 0)
		r = prepare_charon(d, e);
	if (r < 0)
		return r;
	self_init(d);
	d->worker = loop_worker_new(d->loop);
	d->store_timer = loop_timer_new(d->loop, store_snapshot, d);
	d->stored = true;
	peers_init(d);
	leftovers_init(d);
	hold_init(d);
	paths_start(d);
	d->ports = ports_new(d);
	metrics_start(d);
	load_stored_snapshot(d);
	r = daemon_open_metadata(d, e);
	if (r < 0)
		return r;
	*ret = sn_steal(d);
	return 0;
}

int daemon_run(struct daemon *d)
{
	int r;

	/* without a stored snapshot there is no guard to wait for, and perhaps no metadata soon */
	if (!d->snapshot)
		notify_ready(d->notify);
	r = loop_run(d->loop);
	notify_stopping(d->notify);
	return r;
}

void daemon_free(struct daemon *d)
{
	if (!d)
		return;
	http_server_free(d->http);
	ctl_server_free(d->ctl);
	metadata_free(d->metadata);
	loop_worker_free(d->worker);
	if (d->store_timer)
		store_last(d);
	numbers_free(d->numbers);
	esp_socket_free(sn_steal(d->stand_in.socket));
	loop_timer_free(d->store_timer);
	reconcile_free(d->reconcile);
	ike_free(d->ike);
	metrics_stop(d);
	leftovers_fini(d);
	hold_fini(d);
	paths_stop(d);
	ports_free(d->ports);
	peers_fini(d);
	attachments_free(d->attachments);
	net_free(d->net);
	object_set_fini(&d->first_links);
	wanted_fini(&d->wanted);
	snapshot_free(d->snapshot);
	snapshot_free(d->wanted_at);
	secrets_free(d->secrets);
	array_free(&d->secret_ids);
	self_fini(d);
	notify_free(d->notify);
	free(d->refusal);
	free(d->metadata_error);
	loop_signal_free(d->sigterm);
	loop_signal_free(d->sigint);
	loop_signal_free(d->sighup);
	loop_free(d->loop);
	config_free(d->config);
	free(d);
}
