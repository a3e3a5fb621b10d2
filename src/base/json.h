/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON from outside with types, bounds and a place for every error,
 * as an RFC 6901 pointer: "/hosts/3/agent_ip: not an IPv4 address".
 *
 * A place is a chain of small values on the reader's stack:
 *
 *	struct json_place hosts = json_key(NULL, "hosts");
 *	struct json_place third = json_index(&hosts, 3);
 */
#pragma once

#include "base/addr.h"
#include "base/error.h"
#include "base/pair.h"

#include <jansson.h>

struct json_place {
	const struct json_place *parent; /* NULL: the document */
	const char *key;                 /* NULL: an array element */
	size_t index;
};

static inline struct json_place json_key(const struct json_place *parent, const char *key)
{
	return (struct json_place){ .parent = parent, .key = key };
}

static inline struct json_place json_index(const struct json_place *parent, size_t index)
{
	return (struct json_place){ .parent = parent, .index = index };
}

/* jansson brings the cleanup function itself. */
#define _cleanup_json_ _cleanup_(json_decrefp)

/* What a proxy or a captive portal answers in place of a service. */
#define JSON_PAGE_TEXT "an HTML page, not JSON"
/* It begins as one does, with '<'. */
bool json_is_page(const char *text, size_t len);

/*
 * Parses a whole document; double keys, NUL in strings and nesting beyond
 * jansson's 2048 are errors, with line and column. *ret is a new reference.
 */
int json_parse(const char *text, size_t len, json_t **ret, struct sn_error *e);

/* Fills e with "pointer: sentence" and -EINVAL, and returns that. */
int json_fail(const struct json_place *at, struct sn_error *e, const char *fmt, ...)
	SN_PRINTF(3, 4);

enum json_need {
	JSON_REQUIRED, /* absent or null is an error */
	JSON_OPTIONAL, /* absent or null leaves *ret as it is */
};

/*
 * Each reads obj[key]; at is obj's own place. 0 or -EINVAL with e filled;
 * *ret is written on success only. Strings and values are borrowed from obj.
 */
int json_read_string(const json_t *obj, const struct json_place *at, const char *key,
		     enum json_need need, const char **ret, struct sn_error *e);
int json_read_int(const json_t *obj, const struct json_place *at, const char *key,
		  enum json_need need, int64_t min, int64_t max, int64_t *ret, struct sn_error *e);
int json_read_bool(const json_t *obj, const struct json_place *at, const char *key,
		   enum json_need need, bool *ret, struct sn_error *e);
int json_read_addr(const json_t *obj, const struct json_place *at, const char *key,
		   enum json_need need, struct sn_addr *ret, struct sn_error *e);
int json_read_prefix(const json_t *obj, const struct json_place *at, const char *key,
		     enum json_need need, struct sn_prefix *ret, struct sn_error *e);
/* A text, or a list of at most one for each family: "/overlay/1: …". No pair is empty then. */
int json_read_addr_pair(const json_t *obj, const struct json_place *at, const char *key,
			enum json_need need, struct sn_addr_pair *ret, struct sn_error *e);
int json_read_prefix_pair(const json_t *obj, const struct json_place *at, const char *key,
			  enum json_need need, struct sn_prefix_pair *ret, struct sn_error *e);
int json_read_object(const json_t *obj, const struct json_place *at, const char *key,
		     enum json_need need, const json_t **ret, struct sn_error *e);
int json_read_array(const json_t *obj, const struct json_place *at, const char *key,
		    enum json_need need, const json_t **ret, struct sn_error *e);
/* -EINVAL unless value is an object; the document itself when at is NULL. */
int json_require_object(const json_t *value, const struct json_place *at, struct sn_error *e);
/* Refuses every key that is not in the NULL-terminated list. */
int json_check_keys(const json_t *obj, const struct json_place *at, const char *const *allowed,
		    struct sn_error *e);

/*
 * Writing. New references, never NULL for want of UTF-8: text from outside that
 * is none is written escaped, so that one odd name does not make a whole answer
 * fail. NULL gives null.
 */
json_t *json_from_text(const char *s);
/* As text; null when it is not set. */
json_t *json_from_addr(const struct sn_addr *a);
/* As the readers take them: a text where there is one, a list of two; null for an empty pair. */
json_t *json_from_addr_pair(const struct sn_addr_pair *p);
json_t *json_from_prefix_pair(const struct sn_prefix_pair *p);
/* Always a list. */
json_t *json_list_addr_pair(const struct sn_addr_pair *p);
json_t *json_list_prefix_pair(const struct sn_prefix_pair *p);
