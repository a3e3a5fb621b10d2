/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sennit cleanup`: takes everything of sennit off this host, in the order of
 * a plan whose wish is nothing: traffic before machinery, the guard last. It
 * looks first, so that it can be shown, and then removes. What is ours is
 * known without any file of ours, whatever mesh it was of:
 *
 *	links		name prefix and alias; the addresses on them
 *	routes		protocol number
 *	tables		name
 *	rules		charon's, by table, priority and mark
 *	SAs, policies	of the kernel: by the if_id of a link of ours
 *	processes	charon by its environment (inspect/process.h)
 *	sysctls		only what is recorded
 *	files		by name, in run_dir and state_dir; the folders when they are empty then
 *
 * Works without the daemon, and refuses beside a running one. What it is stopped in the
 * middle of is done by the next run.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "model/config.h"

struct cleanup;

struct cleanup_options {
	const struct config *config; /* its run_dir, state_dir, charon and secret_file */
	const char *config_path;     /* the file it is of; only to say that it is kept */
	bool force;                  /* detach containers first */
};

/* Looks, changes nothing. 0 with *ret (o is borrowed as long), or a negative errno with e. */
int cleanup_find(const struct cleanup_options *o, struct cleanup **ret, struct sn_error *e);
void cleanup_free(struct cleanup *c);
SN_DEFINE_CLEANUP(struct cleanup *, cleanup_free);
/* True when nothing of ours is there. */
bool cleanup_is_empty(const struct cleanup *c);
/* What goes, a line each that begins with "- ". */
void cleanup_add_plan(const struct cleanup *c, struct strbuf *b);
/* What stays and why, a line each: what only looks like ours, and what is the operator's. */
void cleanup_add_rest(const struct cleanup *c, struct strbuf *b);
/* 0, or -EBUSY with e when a sennitd runs, or containers are attached and force is not set. */
int cleanup_check(const struct cleanup *c, struct sn_error *e);
/*
 * Removes it, as cleanup_check() allows; looks anew at each step. 0, or a negative errno with
 * e: what failed first; the rest, but for the files, is gone.
 */
int cleanup_remove(struct cleanup *c, struct sn_error *e);
