/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorder.h"

#include "http_fixture.h"

#include <stdio.h>

#define LIMIT_MS 10000

static bool on_snapshot(struct snapshot *s, void *user)
{
	struct recorder *r = user;

	snapshot_free(r->last);
	r->last = s;
	r->snapshots++;
	r->snapshot_ms = sn_now_ms();
	r->got = true;
	return true;
}

static void on_failed(const char *text, void *user)
{
	struct recorder *r = user;

	r->failures++;
	r->failed = true;
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static void on_ok(void *user)
{
	struct recorder *r = user;

	r->oks++;
	r->ok = true;
}

void recorder_init(struct recorder *r, const char *url)
{
	*r = (struct recorder){ .loop = loop_new(), .config = config_new() };
	free(r->config->metadata_url);
	r->config->metadata_url = xstrdup(url);
}

void recorder_start(struct recorder *r, const struct snapshot *before)
{
	const struct metadata_handlers handlers = {
		.snapshot = on_snapshot, .failed = on_failed, .ok = on_ok, .user = r
	};
	struct sn_error e;

	sn_require(metadata_new(r->loop, r->config, before, &handlers, &r->metadata, &e) == 0);
	metadata_start(r->metadata);
}

void recorder_fini(struct recorder *r)
{
	metadata_free(r->metadata);
	snapshot_free(r->last);
	config_free(r->config);
	loop_free(r->loop);
}

void recorder_expect(struct recorder *r)
{
	r->got = r->failed = r->ok = false;
	r->text[0] = '\0';
}

bool recorder_wait(struct recorder *r, const bool *flag)
{
	return loop_run_until(r->loop, flag, LIMIT_MS);
}

struct metadata_status recorder_status(const struct recorder *r)
{
	struct metadata_status st;

	metadata_get_status(r->metadata, &st);
	return st;
}
