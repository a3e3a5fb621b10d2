/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of a document as Rancher's metadata service writes them: JSON,
 * compact, with sorted keys. What a mesh file does not say is null, so that
 * the keys are those of the original.
 *
 * Versions differ as in the original: up to 2015-12-19 hosts have a `hostId`
 * and no ports are []; 2016-07-29 has containers' names in lower case (ASCII)
 * and no ports are null. The lists of services and stacks, in which the older two
 * differ, are empty here.
 */
#pragma once

#include "document.h"

void render_string(const char *s, struct strbuf *b);
void render_host(const struct document *d, size_t i, enum api_version v, struct strbuf *b);
void render_container(const struct document *d, size_t i, enum api_version v, struct strbuf *b);
/* "7=name\n", of the text form of the array. */
void render_container_line(const struct document *d, size_t i, enum api_version v,
			   struct strbuf *b);
void render_host_line(const struct document *d, size_t i, struct strbuf *b);
/* The text form's key: what is not A-Z a-z 0-9 - _ . ~ is escaped with %. */
void render_key(const char *key, struct strbuf *b);
/* As it is in this version. The caller frees it. */
char *render_container_name(const struct document *d, size_t i, enum api_version v);
/* All top-level members but hosts, containers and self. A new object. */
json_t *render_rest(const struct document *d);
