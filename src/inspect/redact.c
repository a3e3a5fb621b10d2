/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Better too much than too little: a report is read by strangers, and a hash that was
 * taken out costs a question. What must stay readable are host ids, addresses,
 * names of interfaces, SPIs (16 hex digits) and UUIDs, all shorter than MIN_RUN.
 */
#include "inspect/redact.h"

#include "base/strbuf.h"

#include <ctype.h>
#include <strings.h>

/* 32 bytes, the least a mesh secret has, are 43 characters of base64; Rancher's PSK had 32. */
#define MIN_RUN 40
#define MAX_DEPTH 64

static const char *const words[] = { "token",  "password",      "passwd", "secret", "psk",
				     "bearer", "authorization", "apikey", "api_key" };

/*
 * "user:password@" at p, just behind "://"; its length, or 0. A password may have a '/'
 * or a '#' that should have been written %2F or %23: then what stands before is no
 * "host:port", and all up to the last '@' is taken for it.
 */
static size_t user_run(const char *p)
{
	size_t host = strcspn(p, "/?# \t\n\"'"), all = strcspn(p, " \t\n\"'"), at = 0;
	const char *colon = p[0] == '[' ? NULL : memchr(p, ':', host);
	bool has_port = colon && colon + 1 + strspn(colon + 1, "0123456789") == p + host;

	for (size_t i = 0; i < (colon && !has_port ? all : host); i++)
		if (p[i] == '@')
			at = i + 1;
	return at ? at - 1 : 0;
}

char *redact_url(const char *url)
{
	const char *begin = strstr(url, "://"), *host;
	size_t user;

	begin = begin ? begin + strlen("://") : url;
	user = user_run(begin);
	host = user ? begin + user + 1 : begin;
	return xasprintf("%.*s%.*s", (int)(begin - url), url, (int)strcspn(host, "?#"), host);
}

static bool is_base64(char c)
{
	return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=' || c == '_' ||
	       c == '-';
}

/* A path is such a run, too: that begins with a slash and has more of them. */
static size_t secret_run(const char *p)
{
	size_t n = 0, slashes = 0;

	for (; is_base64(p[n]); n++)
		slashes += p[n] == '/';
	return n >= MIN_RUN && slashes * 8 < n && p[0] != '/' ? n : 0;
}

/* What is to stay of a word that is followed by its value: "token=", "Bearer "; 0: none here. */
static size_t word_run(const char *text, const char *p)
{
	if (p > text && isalnum((unsigned char)p[-1]))
		return 0;
	for (size_t i = 0; i < SN_ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]), sign;

		if (strncasecmp(p, words[i], n) != 0)
			continue;
		/* "token": "x", token = x, Bearer x; but not secret_file: /etc/… */
		sign = strspn(p + n, "\"' \t=:");
		if (sign > 0 && memchr(p + n, streq(words[i], "bearer") ? ' ' : '=', sign))
			return n + sign;
		if (sign > 0 && memchr(p + n, ':', sign))
			return n + sign;
	}
	return 0;
}

/* The value behind such a word: to its closing quote, else a word, with its scheme before it. */
static size_t value_run(const char *p)
{
	static const char *const schemes[] = { "bearer ", "basic " };
	size_t scheme = 0;

	if (p[-1] == '"' || p[-1] == '\'')
		return strcspn(p, p[-1] == '"' ? "\"\n" : "'\n");
	for (size_t i = 0; i < SN_ARRAY_SIZE(schemes); i++)
		if (strncasecmp(p, schemes[i], strlen(schemes[i])) == 0)
			scheme = strlen(schemes[i]);
	return scheme + strcspn(p + scheme, " \t\n,;&\"'}");
}

static size_t known_run(const char *p, char *const *known)
{
	for (; known && *known; known++)
		if (**known && sn_startswith(p, *known))
			return strlen(*known);
	return 0;
}

/* What is to stay before its value; a known secret may begin inside of that. */
static size_t kept_run(const char *text, const char *p, char *const *known, bool *ret_whole)
{
	size_t keep = word_run(text, p);

	if (keep == 0 && sn_startswith(p, "://") && user_run(p + 3) > 0)
		keep = strlen("://");
	*ret_whole = true;
	for (size_t i = 1; i < keep; i++) {
		if (known_run(p + i, known) > 0) {
			*ret_whole = false;
			return i;
		}
	}
	return keep;
}

/* What goes of the value behind the word that ends at p. */
static size_t behind_run(const char *p, char *const *known)
{
	size_t n = p[-1] == '/' ? user_run(p) : value_run(p);

	/* one that is known may hold what ends others */
	return SN_MAX(n, known_run(p, known));
}

char *redact_text(const char *text, char *const *known)
{
	struct strbuf b = STRBUF_INIT;
	const char *p = text;

	strbuf_adds(&b, "");
	while (*p) {
		size_t drop = known_run(p, known), keep = 0;
		bool whole = true;

		if (drop == 0)
			keep = kept_run(text, p, known, &whole);
		strbuf_add(&b, p, keep);
		p += keep;
		if (keep > 0 && whole)
			drop = behind_run(p, known);
		else if (keep == 0 && drop == 0 && (p == text || !is_base64(p[-1])))
			drop = secret_run(p);
		if (drop > 0)
			strbuf_adds(&b, REDACTED);
		else if (keep == 0)
			strbuf_addc(&b, *p++);
		p += drop;
	}
	return strbuf_steal(&b);
}

/* "token", "secrets", "x_password", but not "token_file", which names a file. */
static bool key_is_secret(const char *key)
{
	size_t len = strlen(key);

	if (len > 5 && streq(key + len - 5, "_file"))
		return false;
	for (size_t i = 0; i < SN_ARRAY_SIZE(words); i++)
		if (strcasestr(key, words[i]))
			return true;
	return false;
}

static json_t *redact_value(const json_t *v, char *const *known, unsigned depth)
{
	json_t *made, *item;
	const char *key;
	size_t i;

	if (depth > MAX_DEPTH)
		return json_string(REDACTED);
	if (json_is_string(v)) {
		_cleanup_free_ char *text = redact_text(json_string_value(v), known);

		made = json_string(text);
		return made ? made : json_string(REDACTED);
	}
	if (json_is_array(v)) {
		made = json_array();
		json_array_foreach(v, i, item)
			json_array_append_new(made, redact_value(item, known, depth + 1));
		return made;
	}
	if (!json_is_object(v))
		return json_copy((json_t *)(uintptr_t)v);
	made = json_object();
	json_object_foreach((json_t *)(uintptr_t)v, key, item) {
		_cleanup_free_ char *name = redact_text(key, known);

		json_object_set_new(made, name,
				    key_is_secret(key) ? json_string(REDACTED)
						       : redact_value(item, known, depth + 1));
	}
	return made;
}

json_t *redact_json(const json_t *v, char *const *known)
{
	return redact_value(v, known, 0);
}
