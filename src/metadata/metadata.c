/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The facade: chooses the source by the URL, tells news from repetitions, and
 * keeps the figures. It has a copy of the last good snapshot, both to compare
 * with and as what the parsers take as `before`; the daemon owns its own.
 */
#include "metadata/metadata.h"

#include "metadata/source.h"

#include <errno.h>

/* Different texts of one outage that are told; further ones show in the status only. */
#define MAX_TOLD 16

struct metadata {
	const struct source_ops *ops;
	struct source *source;
	struct metadata_handlers handlers;
	struct snapshot *last; /* NULL: none, not even stored */
	bool handed_on;        /* something, since the start */
	struct metadata_status status;
	char *error;
	ARRAY(char *) told;
};

/* --- snapshots ---------------------------------------------------------------------- */

static bool has_problem(const struct snapshot *s, const char *text)
{
	array_foreach(&s->problems, p) {
		if (streq(p->text, text))
			return true;
	}
	return false;
}

/* By their texts: the places move with the order of the service's arrays. */
static bool same_problems(const struct snapshot *a, const struct snapshot *b)
{
	if (a->problems.n != b->problems.n)
		return false;
	array_foreach(&a->problems, p) {
		if (!has_problem(b, p->text))
			return false;
	}
	return true;
}

static bool is_news(const struct metadata *m, const struct snapshot *s)
{
	return !m->handed_on || !m->last || !snapshot_equal(m->last, s) ||
	       !same_problems(m->last, s);
}

/* --- failures -------------------------------------------------------------------------- */

static bool was_told(const struct metadata *m, const char *text)
{
	array_foreach(&m->told, t) {
		if (streq(*t, text))
			return true;
	}
	return false;
}

static void forget_told(struct metadata *m)
{
	array_foreach(&m->told, t)
		free(*t);
	array_free(&m->told);
}

/* True when an outage ended with it. */
static bool note_ok(struct metadata *m)
{
	bool failing = m->error != NULL;

	m->status.last_ok_ms = sn_wall_ms();
	m->status.last_ok_mono_ms = sn_now_ms();
	free(sn_steal(m->error));
	forget_told(m);
	return failing;
}

/* --- what sources say --------------------------------------------------------------------- */

void metadata_got(struct metadata *m, struct snapshot *s)
{
	bool news = is_news(m, s);
	bool recovered = note_ok(m);
	struct snapshot *copy;

	m->status.reads++;
	if (recovered)
		m->handlers.ok(m->handlers.user);
	if (!news) {
		snapshot_free(s);
		return;
	}
	copy = snapshot_copy(s);
	/* who refuses it goes on with the one before, and so does what is compared with that */
	if (!m->handlers.snapshot(s, m->handlers.user)) {
		snapshot_free(copy);
		return;
	}
	m->status.last_change_ms = m->status.last_ok_ms;
	m->handed_on = true;
	snapshot_free(m->last);
	m->last = copy;
}

void metadata_still_holds(struct metadata *m)
{
	if (note_ok(m))
		m->handlers.ok(m->handlers.user);
}

void metadata_failed(struct metadata *m, const char *text)
{
	m->status.failures++;
	if (!streq_null(m->error, text)) {
		free(m->error);
		m->error = xstrdup(text);
	}
	if (was_told(m, text) || m->told.n == MAX_TOLD)
		return;
	*array_add(&m->told) = xstrdup(text);
	m->handlers.failed(text, m->handlers.user);
}

void metadata_torn(struct metadata *m)
{
	m->status.torn++;
}

void metadata_warn_plain(struct metadata *m, const char *url, const char *peer)
{
	_cleanup_free_ char *text = NULL;

	if (!m->handlers.warning)
		return;
	text = xasprintf(
		"metadata come from %s (%s) by plain HTTP: whoever is on the way there can "
		"change them; use https://",
		url, peer);
	m->handlers.warning(text, m->handlers.user);
}

const struct snapshot *metadata_last(const struct metadata *m)
{
	return m->last;
}

/* --- public ---------------------------------------------------------------------------------- */

bool address_is_near(const struct sn_addr *a)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->bytes[0] == 127 || (a->bytes[0] == 169 && a->bytes[1] == 254);
	return memcmp(a->bytes, loopback6, 16) == 0 ||
	       (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
}

/* The literal address in it is near; what a name will be is not known yet. */
static bool url_is_near(const char *url)
{
	struct config c = { .metadata_url = (char *)url };
	struct sn_addr a;

	return config_metadata_address(&c, &a) && address_is_near(&a);
}

static int check_token(const struct config *config, struct sn_error *e)
{
	const char *bad = NULL;

	if (!config->metadata_token_file)
		return 0;
	if (sn_startswith(config->metadata_url, "http://") && !url_is_near(config->metadata_url))
		bad = config->metadata_url;
	array_foreach(&config->metadata_urls, url) {
		if (sn_startswith(*url, "http://") && !url_is_near(*url))
			bad = *url;
	}
	if (!bad)
		return 0;
	return sn_error_set(e, -EINVAL,
			    "metadata.token_file: plain HTTP would show the token to whoever is on "
			    "the way; use https:// in metadata.url");
}

static int choose_source(struct metadata *m, struct loop *loop, const struct config *config,
			 struct sn_error *e)
{
	const char *url = config->metadata_url;

	if (sn_startswith(url, "http://") || sn_startswith(url, "https://")) {
		m->ops = &rancher_source_ops;
		m->source = rancher_source_new(m, loop, config);
	} else if (sn_startswith(url, "file:///")) {
		m->ops = &file_source_ops;
		m->source = file_source_new(m, loop, config, url + strlen("file://"));
	} else {
		return sn_error_set(e, -EINVAL,
				    "metadata.url %s: neither http://, https:// nor file:///", url);
	}
	return 0;
}

int metadata_new(struct loop *loop, const struct config *config, const struct snapshot *last,
		 const struct metadata_handlers *handlers, struct metadata **ret,
		 struct sn_error *e)
{
	_cleanup_(metadata_freep) struct metadata *m = xcalloc(1, sizeof(*m));
	int r;

	m->handlers = *handlers;
	m->last = last ? snapshot_copy(last) : NULL;
	r = check_token(config, e);
	if (r == 0)
		r = choose_source(m, loop, config, e);
	if (r < 0)
		return r;
	*ret = sn_steal(m);
	return 0;
}

void metadata_start(struct metadata *m)
{
	m->ops->start(m->source);
}

void metadata_free(struct metadata *m)
{
	if (!m)
		return;
	if (m->source)
		m->ops->free(m->source);
	snapshot_free(m->last);
	free(m->error);
	forget_told(m);
	free(m);
}

void metadata_get_status(const struct metadata *m, struct metadata_status *ret)
{
	*ret = m->status;
	ret->error = m->error;
}
