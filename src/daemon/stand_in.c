/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While there is no charon the kernel goes on with the SAs that it left, and sockets
 * of ours take ESP out of UDP in the place of charon's (net/esp_socket.h). They and the
 * table that leads to them are made as soon as charon is not heard any more, or was
 * not found at our start; what is not decapsulated in between is lost, so that is done at once,
 * and before it is known that its process has ended: that comes later than the end of its
 * sockets. They go when the next one answers: by then it has its sockets, and packets have
 * both ways; as they have where charon is there, and only not heard.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "net/trial.h"
#include "plan/stand_in.h"

#include <errno.h>

void stand_in_ports(const struct daemon *d, struct intent_stand_in *ret)
{
	*ret = (struct intent_stand_in){ 0 };
	if (d->stand_in.socket)
		*ret = (struct intent_stand_in){ esp_socket_port(d->stand_in.socket),
						 esp_socket_port6(d->stand_in.socket) };
}

static void cannot(struct daemon *d, const char *why)
{
	d->stand_in.failed = true;
	log_warning("nobody can stand in for charon's socket on UDP 4500: %s; tunnels in UDP carry "
		    "nothing to this host while charon is away (kernel module nft_tproxy)",
		    why);
}

struct trial_job {
	struct daemon *daemon;
	int result;
	struct sn_error error;
};

static void try_rule(void *job)
{
	struct trial_job *t = job;

	t->result = trial_stand_in(&t->error);
}

static void trial_done(void *job, bool finished)
{
	struct trial_job *t = job;

	if (finished && t->result < 0 && t->result != -EPERM && !t->daemon->stand_in.failed)
		cannot(t->daemon, t->error.text);
	free(t);
}

/* Before it is needed: the kernel may have to load modules for it, from the disk. */
void stand_in_prepare(struct daemon *d)
{
	struct trial_job *t;

	if (!d->dataplane->kernel_esp || d->stand_in.tried)
		return;
	d->stand_in.tried = true;
	t = xcalloc(1, sizeof(*t));
	t->daemon = d;
	loop_worker_submit(d->worker, t, try_rule, trial_done);
}

/* A host that has just been started has nothing to go on with. */
static bool has_sas(struct daemon *d)
{
	_cleanup_net_xfrm_ struct net_xfrm x = { 0 };
	struct sn_error e;

	return ike_get_stats(d->ike)->outages > 0 ||
	       (net_xfrm_read(d->net, &x, &e) == 0 && x.sas.n > 0);
}

static bool is_needed(struct daemon *d)
{
	return d->dataplane->kernel_esp && d->snapshot && !d->down && !d->wanted.guard_only &&
	       !d->stand_in.socket && !d->stand_in.failed && has_sas(d);
}

/* A kernel can have the one without the other; the next pass wants no table of IPv6 then. */
static void cannot6(struct daemon *d, const char *why)
{
	esp_socket_drop6(d->stand_in.socket);
	log_warning("nobody can stand in for charon's socket on UDP 4500 of IPv6: %s; tunnels by "
		    "IPv6 carry nothing to this host while charon is away (kernel module "
		    "nft_tproxy)",
		    why);
}

static bool write_tables(struct daemon *d)
{
	_cleanup_object_set_ struct object_set tables = { 0 };
	struct intent intent;

	daemon_get_intent(d, &intent);
	stand_in_add_tables(&intent, &tables);
	array_foreach(&tables.o, o) {
		bool ip6 = streq(o->nft.family, "ip6");
		struct sn_error e;

		if (net_write_esp_table(d->net, ip6 ? AF_INET6 : AF_INET,
					ip6 ? intent.stand_in.port6 : intent.stand_in.port,
					&e) == 0)
			continue;
		if (!ip6) {
			cannot(d, e.text);
			return false;
		}
		cannot6(d, e.text);
	}
	return true;
}

void stand_in_begin(struct daemon *d)
{
	struct sn_error e = { 0 };

	if (!is_needed(d))
		return;
	if (esp_socket_new(&d->stand_in.socket, &e) < 0) {
		cannot(d, e.text);
		return;
	}
	if (write_tables(d))
		log_info("sennitd stands in for charon's socket on UDP 4500");
	else
		esp_socket_free(sn_steal(d->stand_in.socket));
	reconcile_overtaken(d->reconcile, OBJECT_BIT(OBJECT_NFT));
}

void stand_in_end(struct daemon *d)
{
	if (!d->stand_in.socket)
		return;
	esp_socket_free(sn_steal(d->stand_in.socket));
	reconcile_request(d->reconcile, OBJECT_BIT(OBJECT_NFT), true);
}
