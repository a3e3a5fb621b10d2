/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What object.c knows of a kind of object. Private to the module. A new kind
 * is one more of these, in object_net.c or object_ike.c, and a row in the
 * tables of object.c and plan.c.
 */
#pragma once

#include "plan/object.h"

/* An attribute that is shown: in the whole text, and where two objects differ. */
struct object_field {
	const char *name; /* "" = the value speaks for itself */
	/* Adds the value; nothing at all when the object has none. */
	void (*add)(const struct object *o, struct strbuf *b);
	/* Without a value on one side it is no difference: not asked for, or not to be seen. */
	bool vague;
};

struct object_ops {
	const char *name;
	size_t size; /* of what stands behind the pointer; 0: nothing does */
	int (*cmp)(const struct object *a, const struct object *b); /* keys */
	void (*add_key)(const struct object *o, struct strbuf *b);
	bool (*equal)(const struct object *a, const struct object *b);
	const struct object_field *fields; /* ends with a NULL add */
	/* Both NULL where an object owns nothing. copy starts from a plain assignment. */
	void (*copy)(const struct object *o, struct object *ret);
	void (*fini)(struct object *o);
};

extern const struct object_ops object_nft_ops;
extern const struct object_ops object_rule_ops;
extern const struct object_ops object_sysctl_ops;
extern const struct object_ops object_link_ops;
extern const struct object_ops object_address_ops;
extern const struct object_ops object_route_ops;
extern const struct object_ops object_ike_key_ops;
extern const struct object_ops object_ike_conn_ops;
