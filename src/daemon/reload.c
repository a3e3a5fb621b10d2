/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGHUP and `sennit reload`: the configuration and the secrets are read again.
 * All or nothing: when one of the files is wrong, both stay as they were. What
 * cannot change under a running daemon keeps its old value, and is named.
 *
 * The files are small and local, so they are read in this turn of the loop.
 */
#include "daemon/daemon.h"

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"

#include <errno.h>

extern char **environ;

int config_source_read(const struct config_source *source, struct config **ret, struct sn_error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = file_read(source->file, CONFIG_MAX_BYTES, &text, &len);

	if (r < 0 && (r != -ENOENT || source->named))
		return sn_error_set(e, r, "%s: %s", source->file, sn_strerror(r));
	return config_parse(source->file, text, len, environ, ret, e);
}

static bool same_secrets(const struct daemon *d, const struct secrets *s)
{
	if (secrets_count(s) != d->secret_ids.n)
		return false;
	for (size_t i = 0; i < d->secret_ids.n; i++) {
		char id[SECRET_ID_SIZE];

		secrets_id(s, i, id);
		if (!streq(id, d->secret_ids.v[i].id))
			return false;
	}
	return true;
}

void daemon_set_secrets(struct daemon *d, struct secrets *s)
{
	struct secrets *old = d->secrets;

	d->secrets = s;
	d->secret_ids.n = 0;
	for (size_t i = 0; i < secrets_count(s); i++)
		secrets_id(s, i, array_add(&d->secret_ids)->id);
	if (d->ike)
		ike_set_secrets(d->ike, s);
	if (d->probe)
		probe_set_secrets(d->probe, s);
	secrets_free(old);
}

static bool is_of_metadata(const struct config_change *c)
{
	return c->live && sn_startswith(c->key, "metadata.");
}

static void tell_change(const struct config_change *c, struct strbuf *text)
{
	const char *how = c->live ? "changed"
				  : "changed in the file, but takes a restart of sennitd; the old "
				    "value holds";

	strbuf_addf(text, "%s%s: %s", text->len ? "\n" : "", c->key, how);
	if (c->live)
		log_notice("%s: %s", c->key, how);
	else
		log_warning("%s: %s", c->key, how);
}

/* The source reads the configuration from its threads, so it ends before that changes. */
static int take_over(struct daemon *d, const struct config *fresh, bool metadata,
		     struct sn_error *e)
{
	if (metadata)
		metadata_free(sn_steal(d->metadata));
	/* what `sennit log-level` said stays unless the file says something new */
	if (fresh->log_level != d->config->log_level)
		log_set_level(fresh->log_level);
	config_take_live(d->config, fresh);
	d->configs++;
	log_set_format(d->config->log_format);
	if (!metadata)
		return 0;
	free(sn_steal(d->metadata_error)); /* of the old source */
	return daemon_open_metadata(d, e);
}

static int apply(struct daemon *d, const struct config *fresh, struct secrets *secrets,
		 struct strbuf *text, struct sn_error *e)
{
	struct config_change changes[CONFIG_KEYS_MAX];
	size_t n = config_compare(d->config, fresh, changes);
	bool metadata = false, other_secrets = !same_secrets(d, secrets);

	for (size_t i = 0; i < n; i++) {
		tell_change(&changes[i], text);
		metadata |= is_of_metadata(&changes[i]);
	}
	if (other_secrets) {
		strbuf_addf(text, "%ssecrets: changed, %zu now", text->len ? "\n" : "",
			    secrets_count(secrets));
		log_notice("secrets: changed, %zu now", secrets_count(secrets));
	}
	if (n == 0 && !other_secrets) {
		strbuf_adds(text, "nothing has changed");
		log_notice("read the configuration and the secrets again: nothing has changed");
	}
	daemon_set_secrets(d, secrets);
	return take_over(d, fresh, metadata, e);
}

int daemon_reload(struct daemon *d, struct strbuf *text, struct sn_error *e)
{
	_cleanup_(config_freep) struct config *fresh = NULL;
	struct secrets *secrets = NULL;
	int r;

	notify_reloading(d->notify);
	r = config_source_read(&d->source, &fresh, e);
	if (r == 0)
		r = secrets_load(fresh->secret_file, &secrets, e);
	if (r < 0)
		log_error("not read again, what was there holds: %s", e->text);
	else
		r = apply(d, fresh, secrets, text, e);
	daemon_intent_changed(d);
	notify_ready(d->notify);
	return r;
}
