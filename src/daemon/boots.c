/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which charon each peer had when it was heard last, kept over restarts of sennitd. Of a
 * peer whose charon is another one since, the older SAs are void; charon would keep them
 * as long as the peer's kernel still sends by them, or until their keys are due.
 *
 * The file is a convenience: without it such an SA is found when the peer changes again.
 */
#include "daemon/kept.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

#define SAVE_MS 1000 /* at the start all peers are heard, one after the other */

static int take(struct daemon *d, const json_t *doc, struct sn_error *e)
{
	const json_t *boots;

	if (json_read_object(doc, NULL, "boots", JSON_REQUIRED, &boots, e) < 0)
		return e->code;
	d->boots_before = json_incref((json_t *)boots);
	return 0;
}

uint64_t boots_recall(const struct daemon *d, const char *peer)
{
	const char *hex = json_string_value(json_object_get(d->boots_before, peer));
	uint64_t boot = hex ? strtoull(hex, NULL, 16) : 0;

	/* of one that goes and comes again it would be old */
	json_object_del(d->boots_before, peer);
	return boot;
}

static void save(void *user)
{
	json_t *boots = json_object();
	struct daemon *d = user;

	array_foreach(&d->boots, b) {
		char hex[17];

		snprintf(hex, sizeof(hex), "%016" PRIx64, b->ike_boot);
		if (b->ike_boot)
			json_object_set_new(boots, b->id, json_string(hex));
	}
	kept_save(d, "boots", boots, "a restart would not notice a peer's new charon");
}

void boots_start(struct daemon *d)
{
	d->boots_timer = loop_timer_new(d->loop, save, d);
	kept_load(d, "boots", take, "a peer's charon that is a new one since is not noticed");
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
