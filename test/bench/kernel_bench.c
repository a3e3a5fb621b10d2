/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel objects that the xfrm data plane wants for a stored snapshot, made by sennit's own
 * modules, or written down for ip(8), nft(8) and sysctl(8) to make the same:
 *
 *	kernel-bench SNAPSHOT print FOLDER	ip.batch, tables.nft, sysctl.conf
 *	kernel-bench SNAPSHOT apply [AFTER [stop]]
 *		makes them; with AFTER then follows that snapshot, and before that, if told so,
 *		stops itself (SIGSTOP)
 *
 * One container is attached, "snvbench" with the first host address but one of our prefix;
 * its veth is left to the caller, as the daemon leaves it to attach. What is measured of the
 * change stands between two writes to no file, for strace(1) to find.
 */
#include "base/file.h"
#include "base/json.h"
#include "net/net.h"
#include "plan/dataplane.h"
#include "plan/follow.h"
#include "plan/wire.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define FILE_LIMIT (64 << 20)
#define MTU 1500
#define PASSES 5

struct bench {
	struct config *config;
	struct snapshot *snapshot;
	struct attachment attachment;
	struct intent intent;
	struct wanted wanted;
};

static void die(const char *where, const char *what)
{
	fprintf(stderr, "%s: %s\n", where, what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static long rss_kb(void)
{
	_cleanup_free_ char *text = NULL;
	const char *at;
	size_t len;

	if (file_read("/proc/self/status", 1 << 16, &text, &len) < 0)
		return -1;
	at = strstr(text, "VmRSS:");
	return at ? strtol(at + strlen("VmRSS:"), NULL, 10) : -1;
}

static struct snapshot *read_snapshot(const char *path)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *doc = NULL;
	struct snapshot *s = NULL;
	struct sn_error e = { 0 };
	size_t len;

	if (file_read(path, FILE_LIMIT, &text, &len) < 0)
		die(path, "cannot be read");
	if (json_parse(text, len, &doc, &e) < 0 || snapshot_from_json(doc, &s, &e) < 0)
		die(path, e.text);
	return s;
}

static void attach_one(struct bench *b)
{
	struct attachment *a = &b->attachment;
	const struct host *self = snapshot_self(b->snapshot);

	snprintf(a->id, sizeof(a->id), "bench");
	snprintf(a->veth, sizeof(a->veth), "snvbench");
	sn_prefix_pair_put(&a->addr, wire_next_prefix(self, NULL));
	a->addr.of[0].addr.bytes[3] = 2;
	memcpy(a->mac, "\x02\x00\x00\x00\x00\x02", sizeof(a->mac));
	a->ready = true;
	b->intent.attachments = a;
	b->intent.n_attachments = 1;
}

static void want(const char *path, struct bench *b)
{
	char *const no_environ[] = { NULL };
	struct sn_error e = { 0 };

	b->snapshot = read_snapshot(path);
	if (config_parse("config", "{}", 2, no_environ, &b->config, &e) < 0)
		die("config", e.text);
	b->intent.config = b->config;
	b->intent.snapshot = b->snapshot;
	b->intent.underlay_mtu = MTU;
	b->intent.alone = true;
	snprintf(b->intent.uplink, IFNAMSIZ, "up0");
	attach_one(b);
	if (dataplane_xfrm.want(&b->intent, &b->wanted, &e) < 0)
		die(path, e.text);
}

/* --- for the hands of others -------------------------------------------------- */

static void print_link(const struct object_link *l, struct strbuf *ip)
{
	if (l->kind == LINK_VETH)
		return;
	strbuf_addf(ip, "link add name %s mtu %d alias %s up", l->name, l->mtu, l->alias);
	if (l->group)
		strbuf_addf(ip, " group %u", l->group);
	if (l->has_mac)
		strbuf_addf(ip, " address %02x:%02x:%02x:%02x:%02x:%02x", l->mac[0], l->mac[1],
			    l->mac[2], l->mac[3], l->mac[4], l->mac[5]);
	if (l->kind == LINK_XFRM)
		strbuf_addf(ip, " type xfrm if_id %u\n", l->if_id);
	else
		strbuf_adds(ip, " type bridge\n");
}

static void print_route(const struct object_route *r, struct strbuf *ip)
{
	strbuf_addf(ip, "route add %s%s", r->unreachable ? "unreachable " : "",
		    SN_PREFIX_STR(&r->dst));
	if (!r->unreachable)
		strbuf_addf(ip, " dev %s", r->oif);
	if (r->src.family)
		strbuf_addf(ip, " src %s", SN_ADDR_STR(&r->src));
	strbuf_addf(ip, " table %u metric %u proto %d\n", r->table, r->metric, SENNIT_RTPROT);
}

static void save(const char *folder, const char *name, const struct strbuf *b)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);

	if (file_write_atomic(path, b->data, b->len, 0644) < 0)
		die(path, "cannot be written");
}

/* Objects are sorted by kind: tables, settings, links, addresses, routes. */
static void print_for_hands(const struct bench *b, const char *folder)
{
	_cleanup_strbuf_ struct strbuf ip = STRBUF_INIT, nft = STRBUF_INIT, sysctl = STRBUF_INIT;

	array_foreach(&b->wanted.objects.o, o) {
		if (o->kind == OBJECT_NFT)
			strbuf_adds(&nft, o->nft.text);
		else if (o->kind == OBJECT_SYSCTL)
			strbuf_addf(&sysctl, "%s=%s\n", o->sysctl->path, o->sysctl->value);
		else if (o->kind == OBJECT_LINK)
			print_link(o->link, &ip);
		else if (o->kind == OBJECT_ADDRESS)
			strbuf_addf(&ip, "address add %s dev %s\n", SN_PREFIX_STR(&o->address.addr),
				    o->address.ifname);
		else if (o->kind == OBJECT_ROUTE)
			print_route(&o->route, &ip);
	}
	save(folder, "ip.batch", &ip);
	save(folder, "tables.nft", &nft);
	save(folder, "sysctl.conf", &sysctl);
}

/* --- by sennit ------------------------------------------------------------------ */

static bool is_veth(const struct plan_step *step)
{
	return step->wanted && step->wanted->kind == OBJECT_LINK &&
	       step->wanted->link->kind == LINK_VETH;
}

/* How many were done. */
static size_t apply(struct net *net, const struct plan *plan)
{
	struct sn_error e = { 0 };
	size_t done = 0;

	array_foreach(&plan->steps, step) {
		int r = is_veth(step) ? NET_NOT_READY : net_apply(net, step, &e);

		if (r < 0)
			die("apply", e.text);
		done += r == NET_DONE;
	}
	net_apply_end(net);
	return done;
}

/* One pass, as the daemon's: look, compare, do. */
static size_t pass(struct net *net, const struct bench *b)
{
	_cleanup_object_set_ struct object_set observed = { 0 };
	_cleanup_plan_ struct plan plan = { 0 };
	unsigned known = 0;

	net_observe(net, &b->wanted.objects, &observed, &known);
	if ((known & OBJECT_ALL_NET) != OBJECT_ALL_NET)
		die("observe", net_last_failure(net));
	plan_build(&b->wanted.objects, &observed, known, &plan);
	return apply(net, &plan);
}

static void make(struct net *net, const struct bench *b)
{
	double start = now_ms(), cpu = cpu_ms(), took, used;
	size_t done = pass(net, b);
	int more = 0;

	took = now_ms() - start;
	used = cpu_ms() - cpu;
	while (more < PASSES && pass(net, b) > 0)
		more++;
	if (more == PASSES)
		die("apply", "it does not settle");
	printf("{\"steps\": %zu, \"ms\": %.3f, \"cpu_ms\": %.3f, \"more_passes\": %d, "
	       "\"settled_ms\": %.3f, \"rss_kb\": %ld",
	       done, took, used, more, now_ms() - start, rss_kb());
}

static void mark(void)
{
	if (write(-1, "mark", 4) >= 0)
		die("mark", "there is a file");
}

static void follow(struct net *net, struct bench *b, const char *path)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct snapshot *before = b->snapshot;
	struct wanted_change change = { 0 };
	double start, followed;
	size_t done;

	b->snapshot = read_snapshot(path);
	b->intent.snapshot = b->snapshot;
	mark();
	start = now_ms();
	if (!wanted_follow(&dataplane_xfrm, &b->intent, before, &b->wanted, &change))
		die(path, "more than routes has changed");
	followed = now_ms();
	plan_build(&change.come, &change.gone, OBJECT_ALL_NET, &plan);
	done = apply(net, &plan);
	mark();
	printf(", \"change_steps\": %zu, \"follow_ms\": %.3f, \"change_ms\": %.3f", done,
	       followed - start, now_ms() - followed);
	plan_fini(&plan);
	memset(&plan, 0, sizeof(plan));
	wanted_change_fini(&change);
	snapshot_free(before);
}

static void run(struct bench *b, const char *after, bool stop)
{
	_cleanup_free_ char *state = xstrdup("/tmp/kernel-bench-XXXXXX");
	struct loop *loop = loop_new();
	struct sn_error e = { 0 };
	struct net *net = NULL;

	if (!mkdtemp(state) || net_new(loop, state, &net, &e) < 0)
		die(state, e.text);
	make(net, b);
	if (stop)
		raise(SIGSTOP);
	if (after)
		follow(net, b, after);
	printf("}\n");
	net_free(net);
	loop_free(loop);
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };

	if (argc < 3 || argc > 5)
		die(argv[0], "usage: kernel-bench SNAPSHOT print FOLDER | apply [AFTER [stop]]");
	want(argv[1], &b);
	if (streq(argv[2], "print") && argc == 4)
		print_for_hands(&b, argv[3]);
	else
		run(&b, argc >= 4 ? argv[3] : NULL, argc == 5);
	wanted_fini(&b.wanted);
	snapshot_free(b.snapshot);
	config_free(b.config);
	return 0;
}
