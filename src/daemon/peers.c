/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health, wired: heartbeats, echoes and IKE events go into the pure machine
 * of health/health.h; what it decides is logged here, once per change, and
 * told to the peers in the next heartbeat.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "probe/ike_probe.h"

#include <stdio.h>

static const struct host *host_of(const struct daemon *d, const char *peer)
{
	return d->snapshot ? snapshot_find(d->snapshot, peer) : NULL;
}

static void send_echo(const char *peer, uint32_t token, void *user)
{
	probe_send_echo(((struct daemon *)user)->probe, peer, token);
}

static void log_change(const struct daemon *d, const char *peer, const struct verdict *before,
		       const struct verdict *after)
{
	const struct host *h = host_of(d, peer);
	enum log_level level = after->state == PEER_UP ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING;
	const char *next = peer_cause_next_step(after->cause);

	log_write_fields(
		level,
		LOG_FIELDS({ "peer", peer }, { "state", peer_state_to_string(after->state) },
			   { "was", peer_state_to_string(before->state) },
			   { "cause", peer_cause_to_string(after->cause) }),
		"peer %s (%s, %s) is %s%s%s, was %s: %s%s%s", peer, h ? h->name : "?",
		h ? SN_ADDR_STR(&h->underlay.v[0]) : "?", peer_state_to_string(after->state),
		after->cause == CAUSE_NONE ? "" : ": ",
		after->cause == CAUSE_NONE ? "" : peer_cause_to_string(after->cause),
		peer_state_to_string(before->state), after->evidence, *next ? "; " : "", next);
}

/* Where the peer's entry is, or would have to be. */
static size_t place_of(const struct daemon *d, const char *peer)
{
	size_t low = 0, high = d->boots.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(d->boots.v[middle].id, peer) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct peer_boot *peers_find(const struct daemon *d, const char *peer)
{
	size_t at = place_of(d, peer);

	return at < d->boots.n && streq(d->boots.v[at].id, peer) ? &d->boots.v[at] : NULL;
}

static struct peer_boot *add_boot(struct daemon *d, const char *peer)
{
	size_t at = place_of(d, peer);
	struct peer_boot *boot;

	array_add(&d->boots);
	boot = &d->boots.v[at];
	memmove(boot + 1, boot, (d->boots.n - 1 - at) * sizeof(*boot));
	*boot = (struct peer_boot){ 0 };
	snprintf(boot->id, sizeof(boot->id), "%s", peer);
	boot->ike_boot = boots_recall(d, peer);
	return boot;
}

static void on_changed(const char *peer, const struct verdict *before, const struct verdict *after,
		       void *user)
{
	struct daemon *d = user;
	struct peer_boot *boot = peers_find(d, peer);

	if (boot)
		boot->state_changes++;
	log_change(d, peer, before, after);
	probe_set_view(d->probe, peer, after->state);
	if (boot && after->state == PEER_UP) {
		boot->said[0] = '\0';
		ports_forget(d->ports, peer);
	}
	if (after->state == PEER_DOWN)
		leftovers_look(d); /* does the kernel still have its SAs? */
}

/* A loop that stood still tells health before any deadline is looked at. */
static void tell_stall(struct daemon *d, int64_t now)
{
	const struct loop_stats *stats = loop_get_stats(d->loop);

	if (stats->last_stall_end == d->stall_seen)
		return;
	d->stall_seen = stats->last_stall_end;
	log_warning("this process stood still for %.1f s (busy or stopped machine); "
		    "that is held against no peer",
		    (double)stats->last_stall_ms / 1000);
	health_stalled(d->health, stats->last_stall_ms, now);
}

static void run_health(void *user)
{
	struct daemon *d = user;
	const struct health_actions actions = { send_echo, on_changed, d };
	int64_t now = loop_now(d->loop);
	int64_t next;

	tell_stall(d, now);
	/* one that is there but says nothing carries nothing either (libipsec), and no peer is to
	 * blame */
	health_ike_online(d->health, d->ike && ike_silent_since(d->ike) == 0, now);
	next = health_tick(d->health, &actions, now);
	loop_timer_set(d->health_timer, next - loop_now(d->loop));
}

/* Something was heard: what follows from it is said in a turn of its own. */
static void run_soon(struct daemon *d)
{
	loop_timer_set(d->health_timer, 0);
}

/*
 * A peer's charon is a new process, or the peer has another address: its older SAs are void
 * (design §7). Each sennitd of the peer counts the latter from the begin again, so none is no
 * news of another one; of which one it was that we knew, we know over a restart of ours no more.
 */
static bool is_renewed(const struct peer_boot *before, const struct heartbeat *hb)
{
	bool moved = hb->ike_boot & HEARTBEAT_RENEWALS, differs = before->ike_boot != hb->ike_boot;

	if (!before->ike_boot)
		return false;
	if ((before->ike_boot ^ hb->ike_boot) & ~HEARTBEAT_RENEWALS)
		return true;
	if (before->daemon_boot == hb->daemon_boot)
		return differs;
	return moved && (differs || before->daemon_boot);
}

static void note_boot(struct daemon *d, const char *peer, const struct heartbeat *hb)
{
	struct peer_boot *boot = peers_find(d, peer);

	if (!boot)
		boot = add_boot(d, peer);
	if (hb->ike_boot == 0)
		return;
	if (is_renewed(boot, hb) && d->ike) {
		log_write_fields(
			LOG_LEVEL_INFO, LOG_FIELDS({ "peer", peer }),
			"peer %s: its older tunnels are void: its charon or its address is "
			"a new one",
			peer);
		ike_peer_booted(d->ike, peer, boot->ike_boot_seen);
		health_renewed(d->health, peer);
	}
	boot->daemon_boot = hb->daemon_boot;
	if (boot->ike_boot != hb->ike_boot)
		boots_changed(d);
	boot->ike_boot = hb->ike_boot;
	boot->ike_boot_seen = sn_now_ms();
}

/* Who hears us no more, but is heard: is it the kernel that lost the SA to it? */
static void note_view(struct daemon *d, const char *peer, unsigned view)
{
	struct peer_boot *boot = peers_find(d, peer);

	if (view == PEER_DOWN && boot->view != PEER_DOWN)
		leftovers_look(d);
	boot->view = view;
}

static void on_heartbeat(const char *peer, const struct heartbeat *hb, void *user)
{
	struct daemon *d = user;
	int64_t now = loop_now(d->loop);

	note_boot(d, peer, hb);
	note_view(d, peer, hb->view);
	hold_peer_ike(d, peer, hb->ike_away);
	health_peer_ike(d->health, peer, hb->ike_away, now);
	health_heartbeat(d->health, peer, hb->daemon_boot, hb->seq, now);
	run_soon(d);
}

static void on_echo_reply(const char *peer, uint32_t token, int64_t rtt_us, void *user)
{
	struct daemon *d = user;

	health_echo_reply(d->health, peer, token, rtt_us, loop_now(d->loop));
	run_soon(d);
}

void peers_init(struct daemon *d)
{
	const struct probe_handlers handlers = { on_heartbeat, on_echo_reply, d };

	d->health = health_new();
	d->health_timer = loop_timer_new(d->loop, run_health, d);
	d->probe = probe_new(d->loop, d->secrets, &handlers);
	boots_start(d);
	run_soon(d);
}

void peers_fini(struct daemon *d)
{
	boots_stop(d);
	loop_timer_free(d->health_timer);
	probe_free(d->probe);
	health_free(d->health);
	array_free(&d->boots);
}

/*
 * Who answers at the address of a NAT is the NAT's router, not the peer: it is not
 * asked. The metadata say so, or the port that its tunnel came by.
 */
static void note_nat(struct daemon *d, const char *peer)
{
	const struct host *h = host_of(d, peer);
	const struct peer_boot *boot = peers_find(d, peer);

	health_can_ask(d->health, peer, !(h && h->behind_nat) && !(boot && boot->nat_seen));
}

/* boots doubles as the list of the peers that health knows. */
static void forget_removed(struct daemon *d)
{
	for (size_t i = d->boots.n; i-- > 0;) {
		if (wanted_find_peer(&d->wanted, d->boots.v[i].id))
			continue;
		log_write_fields(LOG_LEVEL_NOTICE, LOG_FIELDS({ "peer", d->boots.v[i].id }),
				 "peer %s is no peer any more", d->boots.v[i].id);
		health_remove(d->health, d->boots.v[i].id);
		traffic_forget(d->traffic, d->boots.v[i].id);
		array_remove(&d->boots, i);
	}
}

void peers_update(struct daemon *d)
{
	const struct host *self = d->snapshot ? snapshot_self(d->snapshot) : NULL;
	struct probe_settings settings = { .heartbeat_ms = HEALTH_BEAT_MS };

	if (!self)
		return;
	forget_removed(d);
	array_foreach(&d->wanted.peers, w) {
		if (!peers_find(d, w->id)) {
			add_boot(d, w->id);
			health_add(d->health, w->id, loop_now(d->loop));
		}
		note_nat(d, w->id);
		health_can_measure(d->health, w->id, sn_addr_is_set(&w->overlay_ip),
				   loop_now(d->loop));
	}
	memcpy(settings.mesh_id, d->snapshot->mesh_id, sizeof(settings.mesh_id));
	memcpy(settings.self, d->snapshot->self_id, sizeof(settings.self));
	probe_set_peers(d->probe, &settings, d->wanted.peers.v, d->wanted.peers.n);
	peers_ike_changed(d, NULL);
}

static void look_at_tunnel(struct daemon *d, const char *peer)
{
	const struct ike_child *child;
	const struct ike_sa *sa = d->ike ? ike_peer_sa(d->ike, peer, &child) : NULL;
	struct peer_boot *boot = peers_find(d, peer);
	bool installed = sa && child;

	if (installed && boot) {
		boot->nat_seen = sa->remote_port != IKE_PORT && sa->remote_port != IKE_NAT_PORT;
		note_nat(d, peer);
	}
	health_tunnel(d->health, peer, installed, loop_now(d->loop));
}

void peers_ike_changed(struct daemon *d, const char *peer)
{
	if (peer)
		look_at_tunnel(d, peer);
	else
		array_foreach(&d->wanted.peers, w)
			look_at_tunnel(d, w->id);
	run_soon(d);
}

void peers_ike_error(struct daemon *d, const char *peer, const char *text)
{
	struct peer_boot *boot = peers_find(d, peer);
	bool again = boot && strncmp(boot->said, text, sizeof(boot->said) - 1) == 0;

	/* charon repeats itself every few seconds for as long as a peer is away */
	log_write_fields(again ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, LOG_FIELDS({ "peer", peer }),
			 "peer %s: charon: %s", peer, text);
	if (boot) {
		snprintf(boot->said, sizeof(boot->said), "%s", text);
		boot->ike_failures++;
	}
	health_ike_error(d->health, peer, health_classify_ike_error(text), text, loop_now(d->loop));
	run_soon(d);
}
