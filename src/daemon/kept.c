/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/kept.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define FILE_VERSION 1
#define FILE_LIMIT (1 << 20)

static int take_document(struct daemon *d, const char *text, size_t len, const char *name,
			 kept_fn take, struct sn_error *e)
{
	_cleanup_free_ char *key = xasprintf("sennit_%s", name);
	_cleanup_json_ json_t *doc = NULL;
	int64_t version;

	if (json_parse(text, len, &doc, e) < 0 || json_require_object(doc, NULL, e) < 0 ||
	    json_read_int(doc, NULL, key, JSON_REQUIRED, FILE_VERSION, FILE_VERSION, &version, e) <
		    0)
		return e->code;
	return take(d, doc, e);
}

int kept_load(struct daemon *d, const char *name, kept_fn take, const char *consequence)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.json", d->config->state_dir, name);
	_cleanup_free_ char *text = NULL;
	struct sn_error e;
	size_t len;
	int r;

	if (file_read(path, FILE_LIMIT, &text, &len) < 0 || len == 0)
		return 0;
	r = take_document(d, text, len, name, take, &e);
	if (r < 0)
		log_warning("%s: %s; %s", path, e.text, consequence);
	return r;
}

void kept_save(const struct daemon *d, const char *name, json_t *content, const char *consequence)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.json", d->config->state_dir, name);
	_cleanup_free_ char *key = xasprintf("sennit_%s", name), *text = NULL;
	_cleanup_json_ json_t *doc = json_pack("{s:i, s:o}", key, FILE_VERSION, name, content);
	int r;

	text = json_dumps(doc, JSON_COMPACT);
	sn_require(text);
	r = file_replace(path, text, strlen(text), 0600);
	if (r < 0)
		log_warning("%s: %s; %s", path, sn_strerror(r), consequence);
}
