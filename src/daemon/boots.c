/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which charon each peer had when it was heard last, kept over restarts of sennitd. Of a
 * peer whose charon is another one since, the older SAs are void; charon would keep them
 * as long as the peer's kernel still sends by them, or until their keys are due.
 *
 * The file is a convenience: without it such an SA is found when the peer changes again.
 */
#include "daemon/daemon.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

#define FILE_VERSION 1
#define FILE_LIMIT (1 << 20)
#define SAVE_MS 1000 /* at the start all peers are heard, one after the other */

static char *file_of(const struct daemon *d)
{
	return xasprintf("%s/boots.json", d->config->state_dir);
}

static int parse(const char *text, size_t len, json_t **ret, struct sn_error *e)
{
	_cleanup_json_ json_t *doc = NULL;
	const json_t *boots;
	int64_t version;

	if (json_parse(text, len, &doc, e) < 0 || json_require_object(doc, NULL, e) < 0 ||
	    json_read_int(doc, NULL, "sennit_boots", JSON_REQUIRED, FILE_VERSION, FILE_VERSION,
			  &version, e) < 0 ||
	    json_read_object(doc, NULL, "boots", JSON_REQUIRED, &boots, e) < 0)
		return e->code;
	*ret = json_incref((json_t *)boots);
	return 0;
}

static void load(struct daemon *d)
{
	_cleanup_free_ char *path = file_of(d), *text = NULL;
	struct sn_error e;
	size_t len;

	if (file_read(path, FILE_LIMIT, &text, &len) < 0 || len == 0)
		return;
	if (parse(text, len, &d->boots_before, &e) < 0)
		log_warning("%s: %s; a peer's charon that is a new one since is not noticed", path,
			    e.text);
}

uint64_t boots_recall(const struct daemon *d, const char *peer)
{
	const char *hex = json_string_value(json_object_get(d->boots_before, peer));

	return hex ? strtoull(hex, NULL, 16) : 0;
}

static void save(void *user)
{
	struct daemon *d = user;
	_cleanup_free_ char *path = file_of(d), *text = NULL;
	json_t *boots = json_object();
	_cleanup_json_ json_t *doc =
		json_pack("{s:i, s:o}", "sennit_boots", FILE_VERSION, "boots", boots);
	int r;

	array_foreach(&d->boots, b) {
		char hex[17];

		snprintf(hex, sizeof(hex), "%016" PRIx64, b->ike_boot);
		if (b->ike_boot)
			json_object_set_new(boots, b->id, json_string(hex));
	}
	text = json_dumps(doc, JSON_COMPACT);
	sn_require(text);
	r = file_replace(path, text, strlen(text), 0600);
	if (r < 0)
		log_warning("%s: %s; a restart would not notice a peer's new charon", path,
			    sn_strerror(r));
}

void boots_start(struct daemon *d)
{
	d->boots_timer = loop_timer_new(d->loop, save, d);
	load(d);
}

void boots_stop(struct daemon *d)
{
	if (d->boots_timer && loop_timer_is_set(d->boots_timer))
		save(d);
	loop_timer_free(d->boots_timer);
	json_decref(d->boots_before);
}

void boots_changed(struct daemon *d)
{
	if (!loop_timer_is_set(d->boots_timer))
		loop_timer_set(d->boots_timer, SAVE_MS);
}
