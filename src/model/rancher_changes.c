/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of sennit-metadata's /changes, which lead the facts from one
 * version to another. All of an answer is looked at before any of it is put in.
 */
#include "model/rancher_entry.h"

#include <errno.h>

static const char *const list_keys[RANCHER_LISTS] = {
	[RANCHER_HOSTS] = "hosts",
	[RANCHER_CONTAINERS] = "containers",
};

static int check_list(const json_t *of, const struct json_place *at, const char *key, bool ids,
		      struct sn_error *e)
{
	struct json_place here = json_key(at, key);
	const json_t *list = NULL;

	if (json_read_array(of, at, key, JSON_OPTIONAL, &list, e) < 0)
		return e->code;
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct json_place item = json_index(&here, i);

		if (ids && !json_is_string(json_array_get(list, i)))
			return json_fail(&item, e, "not a string");
	}
	return 0;
}

static int check_lists(const json_t *v, struct sn_error *e)
{
	for (size_t i = 0; i < RANCHER_LISTS; i++) {
		struct json_place at = json_key(NULL, list_keys[i]);
		const json_t *list = NULL;

		if (json_read_object(v, NULL, list_keys[i], JSON_REQUIRED, &list, e) < 0 ||
		    check_list(list, &at, "added", false, e) < 0 ||
		    check_list(list, &at, "changed", false, e) < 0 ||
		    check_list(list, &at, "removed", true, e) < 0)
			return e->code;
	}
	return 0;
}

static void put_list(struct rancher_facts *f, enum rancher_list which, const json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(list, "removed"), i, v)
		rancher_facts_remove(f, which, json_string_value(v));
	json_array_foreach(json_object_get(list, "added"), i, v)
		rancher_facts_put(f, which, v);
	json_array_foreach(json_object_get(list, "changed"), i, v)
		rancher_facts_put(f, which, v);
}

int rancher_facts_change(struct rancher_facts *f, const char *text, size_t len, const char *held,
			 struct rancher_change *ret, struct sn_error *e)
{
	_cleanup_json_ json_t *v = NULL;
	const char *version = NULL, *self;
	bool all = false;

	if (json_parse(text, len, &v, e) < 0 || json_require_object(v, NULL, e) < 0 ||
	    json_read_string(v, NULL, "version", JSON_REQUIRED, &version, e) < 0 ||
	    json_read_bool(v, NULL, "all", JSON_OPTIONAL, &all, e) < 0 ||
	    (!all && check_lists(v, e) < 0))
		return e->code;
	/* it becomes a part of the next URL */
	if (!*version || strlen(version) > RANCHER_MAX_VERSION)
		return sn_error_set(e, -EINVAL, "/version: %zu bytes; expected 1 to %d",
				    strlen(version), RANCHER_MAX_VERSION);
	self = json_string_value(json_object_get(v, "self"));
	if (self && rancher_facts_self_id(f, self, e) < 0)
		return e->code;
	ret->version = xstrdup(version);
	ret->kind = all                    ? RANCHER_CHANGE_ALL
		    : streq(version, held) ? RANCHER_CHANGE_NONE
					   : RANCHER_CHANGE_SOME;
	if (ret->kind != RANCHER_CHANGE_SOME)
		return 0;
	for (size_t i = 0; i < RANCHER_LISTS; i++)
		put_list(f, i, json_object_get(v, list_keys[i]));
	return 0;
}
