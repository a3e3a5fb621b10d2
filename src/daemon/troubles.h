/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects that cannot be applied, or are not ready: found by their name however many
 * they are (a device that is missing holds up the routes of a hundred containers).
 * A pass names those that are still there; what it did not name is over.
 */
#pragma once

#include "base/array.h"
#include "plan/object.h"

struct trouble {
	char *object; /* its name, as object_add_name() */
	enum object_kind kind;
	char *text; /* NULL: not ready */
	int64_t since_ms;
	uint64_t pass; /* of troubles, when it was named last */
	uint32_t hash; /* of the name */
	uint32_t next; /* in its bucket: index + 1, 0 at the end */
};

/* Zero-initialised is empty. Order is that of nothing. */
struct troubles {
	ARRAY(struct trouble) all;
	uint32_t *buckets; /* index + 1; 0: empty */
	size_t n_buckets;
	uint64_t pass;
};

void troubles_fini(struct troubles *t);
/* Names a trouble, which is added when it is not known yet. True when it is new, or text another.
 */
bool troubles_note(struct troubles *t, const struct object *o, const char *object, const char *text,
		   int64_t now);
/* The trouble, or NULL; valid until the next call. */
const struct trouble *troubles_find(const struct troubles *t, const char *object);
/* It is over. */
void troubles_clear(struct troubles *t, const char *object);
/* At the end of a pass: those of these kinds that were not named since the last end are over. */
void troubles_end_pass(struct troubles *t, unsigned kinds);
