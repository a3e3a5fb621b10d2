/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that sennitd and its charon write, by name, and their folders. What else lies
 * there is somebody's, and keeps its folder.
 */
#pragma once

#include "base/array.h"
#include "base/error.h"
#include "base/strbuf.h"

struct our_files {
	ARRAY(char *) files;   /* ours, there now */
	ARRAY(char *) folders; /* there now */
	ARRAY(char *) others;  /* not ours, in them */
};

/* Adds those that are there. state_dir may be NULL. */
void our_files_find(const char *run_dir, const char *state_dir, struct our_files *ret);
void our_files_fini(struct our_files *f);
bool our_files_are_none(const struct our_files *f);
/* "- file …" and "- folder …" a line. */
void our_files_add_plan(const struct our_files *f, struct strbuf *b);
/* "left alone: …" a line. */
void our_files_add_rest(const struct our_files *f, struct strbuf *b);
/* 0, or a negative errno with e of the first that could not be removed. */
int our_files_remove(const struct our_files *f, struct sn_error *e);
