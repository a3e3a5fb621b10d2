/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checks of `sennit doctor` share. A check is a row in the table of
 * inspect/doctor.c: a name, a line that says what it looks at, a function. Those
 * of one subject share a file, check_SUBJECT.c. A check only looks: it changes
 * nothing, runs no program, and needs no daemon.
 *
 * A check that has to wait for an answer starts what it waits for and returns;
 * all of them wait together, on the loop, and none longer than the exam.
 */
#pragma once

#include "inspect/finding.h"
#include "loop/loop.h"
#include "model/config.h"
#include "model/snapshot.h"
#include "net/link.h"
#include "net/netlink.h"
#include "plan/dataplane.h"

/* Everything has ended by then, whatever does not answer. */
#define EXAM_LIMIT_MS 8000

struct exam;

/*
 * Mesh: x->snapshot, the metadata service's answer or, when there is none in time, the
 * stored snapshot.
 */
enum check_when {
	CHECK_AT_ONCE,
	CHECK_AFTER_MESH, /* when it is known, or known that it will not be: then it is NULL */
	CHECK_WITH_MESH,  /* not run without one */
};

struct check {
	const char *name;  /* "sysctl.forwarding" */
	const char *looks; /* at what: "forwarding on our interfaces" */
	void (*run)(struct exam *x);
	enum check_when when;
};

struct exam_wait;

struct exam {
	struct loop *loop;
	const struct config *config;
	const char *config_path;
	const struct sn_error *config_error; /* NULL: it was read, or is not there */
	struct findings *findings;
	struct strbuf unseen; /* what could not be looked at, and why, a line each */
	/* what all need; filled by exam_look() */
	bool root;
	struct netlink *route; /* NETLINK_ROUTE */
	struct link_table links;
	struct snapshot *snapshot; /* of the mesh; NULL: not known */
	bool snapshot_is_stored;
	const struct dataplane *dataplane; /* the one the daemon would choose */
	bool kernel_has_esp;
	struct sn_error esp_error;  /* why not */
	struct wanted wanted;       /* by the snapshot; empty without one */
	struct sn_error want_error; /* why this data plane cannot do it; code 0: it can */
	int charon_pid;             /* ours by its record, and alive; 0: none */
	bool daemon_runs;
	/* private to doctor.c */
	const struct check *current;
	size_t current_order;
	ARRAY(struct exam_wait *) waits;
	bool mesh_settled;
};

/*
 * What the check that runs found; why and next may be changed while nothing
 * else is found. SEVERITY_OK: it looked and all is well (why and next NULL).
 */
struct finding *exam_find(struct exam *x, enum severity severity, const char *why, const char *next,
			  const char *fmt, ...) SN_PRINTF(5, 6);
#define exam_ok(x, ...) exam_find((x), SEVERITY_OK, NULL, NULL, __VA_ARGS__)
/* Something it could not look at, most often for want of privileges. */
void exam_unseen(struct exam *x, const char *fmt, ...) SN_PRINTF(2, 3);

/*
 * The check waits for something: late() is called when the exam's time is over
 * first, end() in any case and last; both get user.
 */
struct exam_wait *exam_wait(struct exam *x, void (*late)(void *user), void (*end)(void *user),
			    void *user);
/* What is found from here on is found by the check that waited. */
void exam_resume(struct exam_wait *w);
/* It waits no longer. end() comes later. */
void exam_done(struct exam_wait *w);
/* By the check of the metadata service, once: s (taken over) or NULL. */
void exam_mesh_settled(struct exam *x, struct snapshot *s);

/* Of the containers' interfaces, as the data plane wants it; 0: not known. */
int exam_overlay_mtu(const struct exam *x);

/* False before sennitd's first start, and after cleanup. */
bool exam_has_bridge(const struct exam *x);

/* --- the checks, by file ----------------------------------------------------------- */

void check_config(struct exam *x);
void check_secret(struct exam *x);
void check_state_dir(struct exam *x);
void check_state_snapshot(struct exam *x);
void check_runtime(struct exam *x);

void check_kernel_dataplane(struct exam *x);
void check_kernel_ipv6(struct exam *x);
void check_kernel_tun(struct exam *x);
void check_kernel_links(struct exam *x);
void check_kernel_nft(struct exam *x);

void check_forwarding(struct exam *x);
void check_accept_ra(struct exam *x);
void check_conntrack(struct exam *x);

void check_charon_binary(struct exam *x);
void check_charon_plugins(struct exam *x);
void check_charon_apparmor(struct exam *x);
void check_charon_process(struct exam *x);

void check_ports_ike(struct exam *x);
void check_ports_other(struct exam *x);

void check_firewall_nft(struct exam *x);
void check_firewall_legacy(struct exam *x);

void check_overlap(struct exam *x);
void check_groups(struct exam *x);
void check_mtu(struct exam *x);
void check_objects(struct exam *x);

void check_metadata(struct exam *x);
void check_resolv_conf(struct exam *x);

void check_peers(struct exam *x);

void check_leftovers_others(struct exam *x);
void check_leftovers_own(struct exam *x);
void check_leftovers_xfrm(struct exam *x);
