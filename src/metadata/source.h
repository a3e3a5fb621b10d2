/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the module: what the facade and a source are to each other.
 *
 * A source reads, whenever it thinks it should, and tells the facade how it
 * went, by one of the four calls below. Each may call the daemon, and is
 * therefore the last thing a source does in a turn. The source knows when to
 * try again; the facade knows what is news.
 */
#pragma once

#include "metadata/metadata.h"

struct source; /* each kind has its own */

struct source_ops {
	void (*start)(struct source *s);
	void (*free)(struct source *s);
};

/* A complete snapshot, taken over; the facade hands it on if it is news. */
void metadata_got(struct metadata *m, struct snapshot *s);
/* The service was asked and says that the last snapshot still holds. */
void metadata_still_holds(struct metadata *m);
void metadata_failed(struct metadata *m, const char *text);
/* The documents changed while they were read; not a failure, to be read again. */
void metadata_torn(struct metadata *m);

/* The service is far, and is asked in clear; peer is its address. */
void metadata_warn_plain(struct metadata *m, const char *url, const char *peer);

/* The last good snapshot, NULL when there is none; it is replaced in metadata_got() only. */
const struct snapshot *metadata_last(const struct metadata *m);

/* Loopback or link-local: nobody is on the way there. */
bool address_is_near(const struct sn_addr *a);

struct source *rancher_source_new(struct metadata *m, struct loop *loop,
				  const struct config *config);
extern const struct source_ops rancher_source_ops;

/* path: of the file:/// URL. */
struct source *file_source_new(struct metadata *m, struct loop *loop, const struct config *config,
			       const char *path);
extern const struct source_ops file_source_ops;
