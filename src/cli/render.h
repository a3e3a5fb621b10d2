/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's answers as text. Pure: JSON in, text out. A field that is
 * missing or of another type is shown as "-": the daemon may be of another
 * version, and a status that shows the rest is worth more than none.
 */
#pragma once

#include "base/json.h"
#include "cli/face.h"

/* `sennit status`: what an operator wants to see first, worst first. */
void render_status(const json_t *status, const struct face *f, struct strbuf *b);
/* `sennit peers`: one line a peer with its tunnel. */
void render_peers(const json_t *status, const struct face *f, struct strbuf *b);
/* `sennit attachments`, from the array. */
void render_attachments(const json_t *attachments, const struct face *f, struct strbuf *b);
/* `sennit attach`: one line; two with an address of each family. */
void render_attached(const json_t *attachment, const struct face *f, struct strbuf *b);
/* `sennit plan`. */
void render_plan(const json_t *plan, const struct face *f, struct strbuf *b);
/* `sennit doctor`; verbose: also what is well. */
void render_doctor(const json_t *result, bool verbose, const struct face *f, struct strbuf *b);

/* --- for the renderers --------------------------------------------------------- */

/* The string, or "-". Borrowed. */
const char *render_text(const json_t *obj, const char *key);
/* All of a list of strings, "A and B"; where there is none what obj has at key, which has one. */
void render_each(struct strbuf *b, const json_t *obj, const char *list, const char *key);
/* True and *ret when it is a number. */
bool render_number(const json_t *obj, const char *key, double *ret);
bool render_flag(const json_t *obj, const char *key);
/* Appends "12s", or "-" when there is no such number. */
void render_duration(struct strbuf *b, const json_t *obj, const char *key);
enum colour render_state_colour(const char *state);
/* The peers sorted worst first, then by name; a new array of borrowed elements. */
json_t *render_sorted_peers(const json_t *status);
