/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the configuration.
 *
 * One list, OPTIONS, holds every key with its variable, its setter and its
 * bounds; the file and the environment are two ways to the same setter, which
 * takes a JSON value: a variable's text is turned into the JSON value that
 * the key would have in the file. A setter says what is wrong in one sentence,
 * its caller puts the place before it ("FILE: /mtu" or "SENNIT_MTU").
 */
#include "model/config.h"

#include "base/json.h"
#include "base/nearest.h"
#include "model/draft.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#define MAX_TEXT 1024
/* sun_path holds 108 bytes, and names like "/control.sock" come after it. */
#define MAX_RUN_DIR 80
#define MAX_LISTENERS 16
#define MAX_URLS 8
#define MIN_MTU 576
#define MAX_MTU 65535
#define WEEK_S (7 * 24 * 3600)

/* What a variable's text becomes. */
enum json_kind { AS_STRING, AS_INT, AS_BOOL, AS_LIST };

struct option {
	const char *variable;
	const char *key;
	enum json_kind kind;
	int (*set)(struct config *c, const struct option *o, const json_t *v, struct sn_error *e);
	size_t offset; /* of the member of struct config */
	int min, max;  /* of a number, or the longest text */
};

#define MEMBER(c, o, type) ((type *)((char *)(c) + (o)->offset))

/* --- setters ------------------------------------------------------------- */

static int wrong(struct sn_error *e, const json_t *found, const char *expected)
{
	_cleanup_free_ char *text =
		json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);

	return sn_error_set(e, -EINVAL, "is %.80s; expected %s", text ? text : "?", expected);
}

/* A string without control bytes, 1..max bytes. */
static int read_text(const json_t *v, int max, const char **ret, struct sn_error *e)
{
	const char *s = json_string_value(v);

	if (!s || !*s)
		return wrong(e, v, "a text");
	if (strlen(s) > (size_t)max)
		return sn_error_set(e, -EINVAL, "is %zu bytes long; at most %d are allowed",
				    strlen(s), max);
	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return wrong(e, v, "a text without control characters");
	}
	*ret = s;
	return 0;
}

static int set_text(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	char **member = MEMBER(c, o, char *);
	const char *s;
	int r = read_text(v, o->max, &s, e);

	if (r < 0)
		return r;
	free(*member);
	*member = xstrdup(s);
	return 0;
}

static int set_path(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	const char *s = json_string_value(v);

	if (!s || s[0] != '/')
		return wrong(e, v, "an absolute path");
	return set_text(c, o, v, e);
}

/* The part of an URL between "://" and the path, or NULL. */
static const char *url_authority(const char *url, size_t *ret_len)
{
	const char *start = strstr(url, "://");

	if (!start)
		return NULL;
	start += strlen("://");
	*ret_len = strcspn(start, "/?#");
	return start;
}

static int check_url(const json_t *v, bool file, struct sn_error *e)
{
	const char *s = json_string_value(v);
	bool http = s && (sn_startswith(s, "http://") || sn_startswith(s, "https://"));
	size_t len = 0;

	/* its value is not repeated: it may hold a password */
	if (!http && !(file && s && sn_startswith(s, "file:///")))
		return sn_error_set(e, -EINVAL, "expected an URL that begins with http://%s",
				    file ? ", https:// or file:///" : " or https://");
	if (http && (!url_authority(s, &len) || len == 0))
		return sn_error_set(e, -EINVAL, "the URL has no host");
	if (strchr(s, ' '))
		return sn_error_set(e, -EINVAL, "the URL has spaces");
	return 0;
}

static void forget_urls(struct config *c)
{
	array_foreach(&c->metadata_urls, url)
		free(*url);
	array_free(&c->metadata_urls);
}

/* Whichever of metadata.url and metadata.urls comes last counts: the variable before the file. */
static int set_url(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	int r = check_url(v, true, e);

	if (r == 0)
		r = set_text(c, o, v, e);
	if (r == 0)
		forget_urls(c);
	return r;
}

/* Called for each element, and with NULL before the first. */
static int add_url(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	const char *s;

	(void)o;
	if (!v) {
		forget_urls(c);
		return 0;
	}
	if (check_url(v, false, e) < 0 || read_text(v, MAX_TEXT, &s, e) < 0)
		return e->code;
	*array_add(&c->metadata_urls) = xstrdup(s);
	if (c->metadata_urls.n == 1) {
		free(c->metadata_url);
		c->metadata_url = xstrdup(s);
	}
	return 0;
}

static int set_id(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	const char *s = json_string_value(v);

	if (!s || !host_id_valid(s))
		return wrong(e, v, "1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit");
	snprintf(MEMBER(c, o, char), SN_ID_SIZE, "%s", s);
	return 0;
}

static int set_bridge(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	const char *s = json_string_value(v);

	if (!s || !host_id_valid(s) || strlen(s) >= sizeof(c->bridge) || !sn_startswith(s, "sn"))
		return wrong(e, v,
			     "the name of a link, at most 15 characters, that begins with \"sn\"");
	/* names of the links that the program numbers itself */
	if (sn_startswith(s, "snv") || sn_startswith(s, "snx"))
		return wrong(e, v,
			     "a name that does not begin with \"snv\" or \"snx\", which "
			     "are those of veths and tunnels");
	snprintf(MEMBER(c, o, char), sizeof(c->bridge), "%s", s);
	return 0;
}

static int set_int(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	json_int_t n = json_integer_value(v);
	char expected[64];

	if (!json_is_integer(v) || n < o->min || n > o->max) {
		snprintf(expected, sizeof(expected), "a whole number, %d to %d", o->min, o->max);
		return wrong(e, v, expected);
	}
	*MEMBER(c, o, int) = (int)n;
	return 0;
}

static int set_mtu(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || (n != 0 && (n < MIN_MTU || n > MAX_MTU)))
		return wrong(e, v, "0 (what the underlay leaves) or a whole number, 576 to 65535");
	*MEMBER(c, o, int) = (int)n;
	return 0;
}

static int set_bool(struct config *c, const struct option *o, const json_t *v, struct sn_error *e)
{
	if (!json_is_boolean(v))
		return wrong(e, v, "true or false");
	*MEMBER(c, o, bool) = json_is_true(v);
	return 0;
}

static int set_dataplane(struct config *c, const struct option *o, const json_t *v,
			 struct sn_error *e)
{
	static const char *const names[] = {
		[DATAPLANE_AUTO] = "auto",
		[DATAPLANE_XFRM] = "xfrm",
		[DATAPLANE_LIBIPSEC] = "libipsec",
	};
	const char *s = json_string_value(v);

	for (size_t i = 0; s && i < SN_ARRAY_SIZE(names); i++) {
		if (streq(s, names[i])) {
			*MEMBER(c, o, enum dataplane_choice) = (enum dataplane_choice)i;
			return 0;
		}
	}
	return wrong(e, v, "auto, xfrm or libipsec");
}

static int set_log_level(struct config *c, const struct option *o, const json_t *v,
			 struct sn_error *e)
{
	const char *s = json_string_value(v);

	if (!s || log_level_from_string(s, MEMBER(c, o, enum log_level)) < 0)
		return wrong(e, v, "error, warning, notice, info or debug");
	return 0;
}

static int set_log_format(struct config *c, const struct option *o, const json_t *v,
			  struct sn_error *e)
{
	const char *s = json_string_value(v);

	if (!s || log_format_from_string(s, MEMBER(c, o, enum log_format)) < 0)
		return wrong(e, v, "text or json");
	return 0;
}

static int set_underlay(struct config *c, const struct option *o, const json_t *v,
			struct sn_error *e)
{
	const char *s = json_string_value(v);
	struct sn_addr a;

	if (!s || sn_addr_parse(s, &a) < 0 || underlay_unusable(&a))
		return wrong(e, v, "an IP address of this host");
	*MEMBER(c, o, struct sn_addr) = a;
	return 0;
}

static int parse_port(const char *s, uint16_t *ret)
{
	unsigned v = 0;

	if (!*s || *s == '0')
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(*s - '0');
		if (v > UINT16_MAX)
			return -EINVAL;
	}
	*ret = (uint16_t)v;
	return 0;
}

/* "127.0.0.1:8111", "[::1]:8111". */
static int parse_listener(const char *s, struct config_listener *ret)
{
	const char *colon = strrchr(s, ':');
	struct config_listener l = { 0 };
	char host[SN_ADDR_STRLEN + 2];
	bool bracket = s[0] == '[';
	size_t n;

	if (!colon)
		return -EINVAL;
	n = (size_t)(colon - s);
	if (n < 2 || n >= sizeof(host) || (bracket && s[n - 1] != ']'))
		return -EINVAL;
	memcpy(host, s + bracket, n - 2 * bracket);
	host[n - 2 * bracket] = '\0';
	if (sn_addr_parse(host, &l.addr) < 0 || bracket != (l.addr.family == AF_INET6) ||
	    parse_port(colon + 1, &l.port) < 0)
		return -EINVAL;
	*ret = l;
	return 0;
}

/* Called for each element, and with NULL before the first. */
static int add_listener(struct config *c, const struct option *o, const json_t *v,
			struct sn_error *e)
{
	struct config_listener l;
	const char *s = json_string_value(v);

	(void)o;
	if (!v) {
		array_free(&c->http);
		return 0;
	}
	if (!s || parse_listener(s, &l) < 0)
		return wrong(e, v, "ADDRESS:PORT, like \"127.0.0.1:8111\" or \"[::1]:8111\"");
	array_foreach(&c->http, other) {
		if (other->port == l.port && sn_addr_cmp(&other->addr, &l.addr) == 0)
			return sn_error_set(e, -EINVAL, "%s is in the list twice", s);
	}
	*array_add(&c->http) = l;
	return 0;
}

/* --- the list ------------------------------------------------------------ */

#define OPTIONS(X)                                                                                 \
	X("SENNIT_METADATA_URL", "metadata.url", AS_STRING, set_url, metadata_url, 0, MAX_TEXT,    \
	  "where the mesh is described: http://, https:// or file:///")                            \
	X("SENNIT_METADATA_URLS", "metadata.urls", AS_LIST, add_url, metadata_urls, 0, MAX_URLS,   \
	  "several of one service, tried in turn; a list, by commas in the variable")              \
	X("SENNIT_METADATA_CA_FILE", "metadata.ca_file", AS_STRING, set_path, metadata_ca_file, 0, \
	  MAX_TEXT, "who may sign for an https:// service, PEM; else the system's list")           \
	X("SENNIT_METADATA_TOKEN_FILE", "metadata.token_file", AS_STRING, set_path,                \
	  metadata_token_file, 0, MAX_TEXT, "file with a bearer token, root's, mode 0600")         \
	X("SENNIT_METADATA_PROXY", "metadata.proxy", AS_BOOL, set_bool, metadata_proxy, 0, 0,      \
	  "heed http_proxy, https_proxy and no_proxy")                                             \
	X("SENNIT_METADATA_REDIRECTS", "metadata.redirects", AS_INT, set_int, metadata_redirects,  \
	  0, 5, "how many redirects are followed")                                                 \
	X("SENNIT_METADATA_POLL_S", "metadata.poll_s", AS_INT, set_int, metadata_poll_s, 1, 120,   \
	  "how long one question for changes waits, in seconds")                                   \
	X("SENNIT_HOST_ID", "host.id", AS_STRING, set_id, host_id, 0, 0,                           \
	  "id of this host; else what the metadata say")                                           \
	X("SENNIT_NETWORK", "network", AS_STRING, set_text, network, 0, 255,                       \
	  "name or uuid of the Rancher network; else the only one")                                \
	X("SENNIT_MESH_ID", "mesh.id", AS_STRING, set_id, mesh_id, 0, 0,                           \
	  "id of the mesh; else from the metadata")                                                \
	X("SENNIT_SECRET_FILE", "secret_file", AS_STRING, set_path, secret_file, 0, MAX_TEXT,      \
	  "file with the secrets of the mesh, root's, mode 0600")                                  \
	X("SENNIT_DATAPLANE", "dataplane", AS_STRING, set_dataplane, dataplane, 0, 0,              \
	  "auto, xfrm (kernel) or libipsec (user space)")                                          \
	X("SENNIT_IKE_ENCAP", "ike.encap", AS_BOOL, set_bool, encap, 0, 0,                         \
	  "ESP in UDP port 4500, always")                                                          \
	X("SENNIT_IKE_LOCAL_ADDRESS", "ike.local_address", AS_STRING, set_underlay,                \
	  underlay_address, 0, 0, "own address for the tunnels; else from the metadata")           \
	X("SENNIT_IKE_REKEY_S", "ike.rekey_s", AS_INT, set_int, ike_rekey_s, 1, WEEK_S,            \
	  "life of an IKE_SA, in seconds")                                                         \
	X("SENNIT_IKE_CHILD_REKEY_S", "ike.child_rekey_s", AS_INT, set_int, child_rekey_s, 1,      \
	  WEEK_S, "life of a CHILD_SA, in seconds")                                                \
	X("SENNIT_IKE_CHARON", "ike.charon", AS_STRING, set_path, charon, 0, MAX_TEXT,             \
	  "the charon-systemd program")                                                            \
	X("SENNIT_IKE_START", "ike.start", AS_BOOL, set_bool, start_charon, 0, 0,                  \
	  "start charon; false: sennit-charon.service does")                                       \
	X("SENNIT_BRIDGE_NAME", "bridge.name", AS_STRING, set_bridge, bridge, 0, 0,                \
	  "the containers' bridge")                                                                \
	X("SENNIT_MTU", "mtu", AS_INT, set_mtu, mtu, 0, 0,                                         \
	  "MTU of the overlay; 0 = what the underlay leaves")                                      \
	X("SENNIT_MASQUERADE", "masquerade", AS_BOOL, set_bool, masquerade, 0, 0,                  \
	  "containers reach the outside with the host's address")                                  \
	X("SENNIT_HTTP_LISTEN", "http.listen", AS_LIST, add_listener, http, 0, MAX_LISTENERS,      \
	  "addresses of the read-only HTTP interface; a list, by commas in the variable")          \
	X("SENNIT_READY_MIN_UP", "ready.min_up", AS_INT, set_int, ready_min_up, 0, 65535,          \
	  "peers that must be up before /readyz says so")                                          \
	X("SENNIT_RUN_DIR", "run_dir", AS_STRING, set_path, run_dir, 0, MAX_RUN_DIR,               \
	  "folder of the sockets")                                                                 \
	X("SENNIT_STATE_DIR", "state_dir", AS_STRING, set_path, state_dir, 0, MAX_TEXT,            \
	  "folder of what must survive a reboot")                                                  \
	X("SENNIT_LOG_LEVEL", "log.level", AS_STRING, set_log_level, log_level, 0, 0,              \
	  "error, warning, notice, info or debug")                                                 \
	X("SENNIT_LOG_FORMAT", "log.format", AS_STRING, set_log_format, log_format, 0, 0,          \
	  "text, or json: one object a line")

#define AS_OPTION(variable, key, kind, set, member, min, max, what)                                \
	{ variable, key, kind, set, offsetof(struct config, member), min, max },
#define AS_VARIABLE(variable, key, kind, set, member, min, max, what) { variable, key, what },

static const struct option options[] = { OPTIONS(AS_OPTION) };
const struct config_variable config_variables[] = { OPTIONS(AS_VARIABLE){ NULL, NULL, NULL } };

/* --- the file ------------------------------------------------------------ */

static const struct option *find_option(const char *section, const char *key)
{
	size_t n = section ? strlen(section) : 0;

	for (size_t i = 0; i < SN_ARRAY_SIZE(options); i++) {
		const char *k = options[i].key;

		if (!section ? streq(k, key) && !strchr(k, '.')
			     : sn_startswith(k, section) && k[n] == '.' && streq(k + n + 1, key))
			return &options[i];
	}
	return NULL;
}

static bool is_section(const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < SN_ARRAY_SIZE(options); i++) {
		if (sn_startswith(options[i].key, key) && options[i].key[n] == '.')
			return true;
	}
	return false;
}

/* ret_bad is the element that e is about, -1 when it is the value itself. */
static int apply(struct config *c, const struct option *o, const json_t *v, int *ret_bad,
		 struct sn_error *e)
{
	*ret_bad = -1;
	if (o->kind != AS_LIST)
		return o->set(c, o, v, e);
	if (!json_is_array(v))
		return wrong(e, v, "a list");
	if (json_array_size(v) > (size_t)o->max)
		return sn_error_set(e, -EINVAL, "has %zu items; at most %d are allowed",
				    json_array_size(v), o->max);
	o->set(c, o, NULL, e);
	for (size_t i = 0; i < json_array_size(v); i++) {
		*ret_bad = (int)i;
		if (o->set(c, o, json_array_get(v, i), e) < 0)
			return e->code;
	}
	return 0;
}

/* People know the last word of a key, or write it without its section, or in a wrong one. */
static void offer_key(struct nearest *n, const char *key, const char *last_word)
{
	const char *dot = strchr(key, '.');

	nearest_offer(n, key);
	if (dot && streq(dot + 1, last_word)) {
		n->best = key;
		n->cost = 0;
	}
}

static int refuse_key(const struct json_place *at, struct sn_error *e)
{
	_cleanup_free_ char *name =
		at->parent ? xasprintf("%s.%s", at->parent->key, at->key) : xstrdup(at->key);
	struct nearest near = { .word = name };

	for (size_t i = 0; i < SN_ARRAY_SIZE(options); i++)
		offer_key(&near, options[i].key, at->key);
	return json_fail(at, e, "unknown key%s%s", NEAREST_HINT(&near),
			 near.best ? "" : "; sennit.json(5) explains those there are");
}

static int apply_at(struct config *c, const struct option *o, const json_t *v,
		    const struct json_place *at, struct sn_error *e)
{
	struct sn_error why;
	struct json_place item;
	int bad;

	if (!o)
		return refuse_key(at, e);
	if (json_is_null(v) || apply(c, o, v, &bad, &why) == 0)
		return 0;
	item = json_index(at, (size_t)bad);
	return json_fail(bad < 0 ? at : &item, e, "%s", why.text);
}

static int parse_section(struct config *c, const json_t *section, const struct json_place *at,
			 struct sn_error *e)
{
	const char *key;
	json_t *v;

	if (json_is_null(section))
		return 0;
	if (json_require_object(section, at, e) < 0)
		return e->code;
	json_object_foreach((json_t *)section, key, v) {
		struct json_place here = json_key(at, key);

		if (apply_at(c, find_option(at->key, key), v, &here, e) < 0)
			return e->code;
	}
	return 0;
}

static int parse_file(struct config *c, const char *text, size_t len, struct sn_error *e)
{
	_cleanup_json_ json_t *doc = NULL;
	const char *key;
	json_t *v;

	if (len > CONFIG_MAX_BYTES)
		return sn_error_set(e, -EINVAL, "%zu bytes; at most %d are read", len,
				    CONFIG_MAX_BYTES);
	if (json_parse(text, len, &doc, e) < 0 || json_require_object(doc, NULL, e) < 0)
		return e->code;
	json_object_foreach(doc, key, v) {
		struct json_place here = json_key(NULL, key);
		int r = is_section(key) ? parse_section(c, v, &here, e)
					: apply_at(c, find_option(NULL, key), v, &here, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the environment ----------------------------------------------------- */

static json_t *list_from_text(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t n = strcspn(text, ",");

		json_array_append_new(list, json_stringn(text, n));
		text += n + (text[n] == ',');
	}
	return list;
}

/* The JSON value a variable's text stands for; NULL when it is no UTF-8. */
static json_t *value_from_text(const struct option *o, const char *text)
{
	char *end;
	long long n;

	switch (o->kind) {
	case AS_STRING:
		break;
	case AS_LIST:
		return list_from_text(text);
	case AS_BOOL:
		if (streq(text, "true") || streq(text, "1"))
			return json_true();
		if (streq(text, "false") || streq(text, "0"))
			return json_false();
		break;
	case AS_INT:
		errno = 0;
		n = strtoll(text, &end, 10);
		if (errno == 0 && end != text && !*end)
			return json_integer(n);
		break;
	}
	return json_string(text);
}

static int parse_variable(struct config *c, const char *assignment, struct sn_error *e)
{
	const char *equals = strchr(assignment, '=');
	_cleanup_json_ json_t *v = NULL;
	const struct option *o = NULL;
	int bad;

	if (!equals || !sn_startswith(assignment, "SENNIT_"))
		return 0;
	_cleanup_free_ char *name = xstrndup(assignment, (size_t)(equals - assignment));
	struct nearest near = { .word = name };
	for (size_t i = 0; i < SN_ARRAY_SIZE(options); i++) {
		nearest_offer(&near, options[i].variable);
		if (streq(options[i].variable, name))
			o = &options[i];
	}
	/* not its value: people try SENNIT_SECRET */
	if (!o)
		return sn_error_set(
			e, -EINVAL, "%s: unknown variable%s%s", name, NEAREST_HINT(&near),
			near.best ? "" : "; 'sennitd --variables' lists those there are");
	v = value_from_text(o, equals + 1);
	if (!v)
		return sn_error_set(e, -EINVAL, "%s: not UTF-8", name);
	if (apply(c, o, v, &bad, e) < 0)
		return sn_error_wrap(e, "%s", name);
	return 0;
}

/* --- two configurations ---------------------------------------------------- */

/*
 * What a running daemon takes over at SIGHUP. Of the metadata all, for its
 * source is made anew; the path of the secrets, for they are read again.
 */
static bool is_live(const struct option *o)
{
	static const char *const keys[] = { "secret_file",  "mtu",       "masquerade",
					    "ready.min_up", "log.level", "log.format" };

	for (size_t i = 0; i < SN_ARRAY_SIZE(keys); i++)
		if (streq(o->key, keys[i]))
			return true;
	return sn_startswith(o->key, "metadata.");
}

/* The setter tells what the member is. */
static bool is_text(const struct option *o)
{
	return o->set == set_text || o->set == set_path || o->set == set_url;
}

static size_t size_of_member(const struct option *o)
{
	if (o->set == set_int || o->set == set_mtu)
		return sizeof(int);
	if (o->set == set_bool)
		return sizeof(bool);
	if (o->set == set_dataplane)
		return sizeof(enum dataplane_choice);
	if (o->set == set_log_format)
		return sizeof(enum log_format);
	sn_require(o->set == set_log_level);
	return sizeof(enum log_level);
}

static bool same_listeners(const struct config *a, const struct config *b)
{
	if (a->http.n != b->http.n)
		return false;
	for (size_t i = 0; i < a->http.n; i++)
		if (a->http.v[i].port != b->http.v[i].port ||
		    sn_addr_cmp(&a->http.v[i].addr, &b->http.v[i].addr) != 0)
			return false;
	return true;
}

static bool same_urls(const struct config *a, const struct config *b)
{
	if (a->metadata_urls.n != b->metadata_urls.n)
		return false;
	for (size_t i = 0; i < a->metadata_urls.n; i++)
		if (!streq(a->metadata_urls.v[i], b->metadata_urls.v[i]))
			return false;
	return true;
}

static bool is_same(const struct option *o, const struct config *a, const struct config *b)
{
	const char *x = MEMBER(a, o, const char), *y = MEMBER(b, o, const char);

	if (o->set == add_url)
		return same_urls(a, b);
	/* where there are several, metadata.url is only the first of them */
	if (o->set == set_url && (a->metadata_urls.n || b->metadata_urls.n))
		return true;
	if (is_text(o))
		return streq_null(*MEMBER(a, o, char *), *MEMBER(b, o, char *));
	if (o->set == set_id || o->set == set_bridge)
		return streq(x, y);
	if (o->set == set_underlay)
		return sn_addr_cmp(MEMBER(a, o, struct sn_addr), MEMBER(b, o, struct sn_addr)) == 0;
	if (o->set == add_listener)
		return same_listeners(a, b);
	return memcmp(x, y, size_of_member(o)) == 0;
}

/* --- public -------------------------------------------------------------- */

struct config *config_new(void)
{
	struct config *c = xcalloc(1, sizeof(*c));
	struct config_listener *l = array_add(&c->http);

	c->metadata_url = xstrdup("http://169.254.169.250/2016-07-29");
	c->metadata_poll_s = 30;
	c->secret_file = xstrdup("/etc/sennit/secret");
	c->dataplane = DATAPLANE_AUTO;
	c->encap = true;
	c->ike_rekey_s = 14400;
	c->child_rekey_s = 3600;
	c->charon = xstrdup("/usr/sbin/charon-systemd");
	strcpy(c->bridge, "snbr0");
	c->start_charon = true;
	c->masquerade = true;
	sn_require(parse_listener("127.0.0.1:8111", l) == 0);
	c->run_dir = xstrdup("/run/sennit");
	c->state_dir = xstrdup("/var/lib/sennit");
	c->log_level = LOG_LEVEL_INFO;
	c->log_format = LOG_FORMAT_TEXT;
	return c;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	free(c->metadata_url);
	forget_urls(c);
	free(c->metadata_ca_file);
	free(c->metadata_token_file);
	free(c->network);
	free(c->secret_file);
	free(c->charon);
	array_free(&c->http);
	free(c->run_dir);
	free(c->state_dir);
	free(c);
}

int config_parse(const char *name, const char *text, size_t len, char *const *env,
		 struct config **ret, struct sn_error *e)
{
	_cleanup_(config_freep) struct config *c = config_new();

	if (text && parse_file(c, text, len, e) < 0)
		return sn_error_wrap(e, "%s", name);
	for (; env && *env; env++) {
		if (parse_variable(c, *env, e) < 0)
			return e->code;
	}
	*ret = sn_steal(c);
	return 0;
}

size_t config_compare(const struct config *a, const struct config *b,
		      struct config_change ret[static CONFIG_KEYS_MAX])
{
	size_t n = 0;

	_Static_assert(SN_ARRAY_SIZE(options) <= CONFIG_KEYS_MAX, "more keys than can be told");
	for (size_t i = 0; i < SN_ARRAY_SIZE(options); i++)
		if (!is_same(&options[i], a, b))
			ret[n++] = (struct config_change){ options[i].key, is_live(&options[i]) };
	return n;
}

static void take_urls(struct config *c, const struct config *from)
{
	forget_urls(c);
	array_foreach(&from->metadata_urls, url)
		*array_add(&c->metadata_urls) = xstrdup(*url);
	free(c->metadata_url);
	c->metadata_url = xstrdup(from->metadata_url);
}

void config_take_live(struct config *c, const struct config *from)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (!is_live(o) || is_same(o, c, from))
			continue;
		if (o->set == add_url) {
			take_urls(c, from);
		} else if (is_text(o)) {
			free(*MEMBER(c, o, char *));
			*MEMBER(c, o, char *) = xstrdup_null(*MEMBER(from, o, char *));
		} else {
			memcpy(MEMBER(c, o, char), MEMBER(from, o, char), size_of_member(o));
		}
	}
}

bool config_metadata_address(const struct config *c, struct sn_addr *ret)
{
	size_t len = 0, n;
	const char *at, *host = url_authority(c->metadata_url, &len);
	char text[SN_ADDR_STRLEN];

	if (!host)
		return false;
	at = memrchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (len && host[0] == '[') {
		host++;
		len--;
		n = strcspn(host, "]");
	} else {
		n = strcspn(host, ":");
	}
	n = SN_MIN(n, len);
	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return sn_addr_parse(text, ret) == 0;
}

char *url_without_user(const char *url)
{
	size_t len = 0;
	const char *host = url_authority(url, &len), *at = host ? memrchr(host, '@', len) : NULL;

	return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}
