/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/config.h"

#include "model_test.h"

static char *const no_environ[] = { NULL };

static int parse_with(const char *text, char *const *env, struct config **ret, struct sn_error *e)
{
	_cleanup_free_ char *copy = xstrdup(text);

	for (char *p = copy; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	return config_parse("FILE", copy, strlen(copy), env, ret, e);
}

static struct config *good(const char *text, char *const *env)
{
	struct config *c = NULL;
	struct sn_error e;

	if (parse_with(text, env, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void an_empty_file_is_all_defaults(void **state)
{
	_cleanup_(config_freep) struct config *c = good("{}", no_environ);

	(void)state;
	assert_string_equal(c->metadata_url, "http://169.254.169.250/2016-07-29");
	assert_int_equal(c->metadata_poll_s, 30);
	assert_string_equal(c->host_id, "");
	assert_null(c->network);
	assert_string_equal(c->mesh_id, "");
	assert_string_equal(c->secret_file, "/etc/sennit/secret");
	assert_int_equal(c->dataplane, DATAPLANE_AUTO);
	assert_true(c->encap);
	assert_false(sn_addr_is_set(&c->underlay_address));
	assert_int_equal(c->ike_rekey_s, 14400);
	assert_int_equal(c->child_rekey_s, 3600);
	assert_string_equal(c->charon, "/usr/sbin/charon-systemd");
	assert_true(c->start_charon);
	assert_string_equal(c->bridge, "snbr0");
	assert_int_equal(c->mtu, 0);
	assert_true(c->masquerade);
	assert_int_equal(c->http.n, 1);
	assert_string_equal(SN_ADDR_STR(&c->http.v[0].addr), "127.0.0.1");
	assert_int_equal(c->http.v[0].port, 8111);
	assert_int_equal(c->ready_min_up, 0);
	assert_string_equal(c->run_dir, "/run/sennit");
	assert_string_equal(c->state_dir, "/var/lib/sennit");
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->log_format, LOG_FORMAT_TEXT);
}

static void no_file_is_all_defaults_with_variables(void **state)
{
	static char v[] = "SENNIT_MTU=1380";
	char *const env[] = { v, NULL };
	_cleanup_(config_freep) struct config *c = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(config_parse("none", NULL, 0, env, &c, &e), 0);
	assert_int_equal(c->mtu, 1380);
}

static size_t count_leaves(const json_t *v)
{
	size_t n = 0;
	const char *key;
	json_t *item;

	if (!json_is_object(v))
		return 1;
	json_object_foreach((json_t *)v, key, item) {
		n += count_leaves(item);
	}
	return n;
}

static void the_example_has_every_key_and_is_good(void **state)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_(config_freep) struct config *c = NULL;
	struct sn_error e;
	size_t len, n = 0;

	(void)state;
	assert_int_equal(file_read(CONF "/sennit.example.json", 1 << 20, &text, &len), 0);
	if (config_parse("example", text, len, no_environ, &c, &e) < 0)
		fail_msg("%s", e.text);
	while (config_variables[n].variable)
		n++;
	assert_int_equal(json_parse(text, len, &doc, &e), 0);
	assert_int_equal(count_leaves(doc), n);
}

static void wrong_files_are_refused_with_the_place(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "FILE: line 1" },
		{ "{", "FILE: line 1" },
		{ "[]", "FILE: /: not an object" },
		{ "{} x", "FILE: line 1" },
		{ "{'mtu': 1, 'mtu': 2}", "FILE: line 1" },
		{ "{'mtuu': 1}", "FILE: /mtuu: unknown key" },
		{ "{'metadata.url': 'http://x/'}", "FILE: /metadata.url: unknown key" },
		{ "{'http': {'port': 1}}", "FILE: /http/port: unknown key" },
		{ "{'http': 1}", "FILE: /http: not an object" },
		{ "{'metadata': {'url': 7}}", "FILE: /metadata/url: expected an URL" },
		{ "{'metadata': {'url': 'ftp://x/'}}", "FILE: /metadata/url: expected an URL" },
		{ "{'metadata': {'url': 'http:///x'}}",
		  "FILE: /metadata/url: the URL has no host" },
		{ "{'metadata': {'url': 'file://x'}}", "FILE: /metadata/url: expected" },
		{ "{'metadata': {'url': 'http://a b/'}}",
		  "FILE: /metadata/url: the URL has spaces" },
		{ "{'metadata': {'url': 'http://a\\u0009b/'}}", "without control characters" },
		{ "{'metadata': {'poll_s': 0}}",
		  "FILE: /metadata/poll_s: is 0; expected a whole number, 1 to 120" },
		{ "{'metadata': {'poll_s': 121}}", "expected a whole number, 1 to 120" },
		{ "{'metadata': {'poll_s': 1.5}}", "expected a whole number, 1 to 120" },
		{ "{'metadata': {'poll_s': '5'}}", "is \"5\"; expected a whole number" },
		{ "{'host': {'id': '%any'}}", "FILE: /host/id: is \"%any\"; expected 1 to 63" },
		{ "{'host': {'id': '*'}}", "FILE: /host/id" },
		{ "{'host': {'id': ''}}", "FILE: /host/id" },
		{ "{'host': {'id': 'a\\nb'}}", "FILE: /host/id" },
		{ "{'host': {'id': {}}}", "FILE: /host/id: is {}; expected" },
		{ "{'host': {'id': "
		  "'x123456789012345678901234567890123456789012345678901234567890123'}}",
		  "FILE: /host/id" },
		{ "{'mesh': {'id': 'a:b'}}", "FILE: /mesh/id" },
		{ "{'network': ''}", "FILE: /network: is \"\"; expected a text" },
		{ "{'secret_file': 'secret'}",
		  "FILE: /secret_file: is \"secret\"; expected an absolute" },
		{ "{'dataplane': 'wireguard'}", "expected auto, xfrm or libipsec" },
		{ "{'dataplane': 1}", "expected auto, xfrm or libipsec" },
		{ "{'ike': {'encap': 'yes'}}",
		  "FILE: /ike/encap: is \"yes\"; expected true or false" },
		{ "{'ike': {'local_address': 'eth0'}}", "expected an IP address of this host" },
		{ "{'ike': {'local_address': '0.0.0.0'}}", "expected an IP address of this host" },
		{ "{'ike': {'local_address': '%any'}}", "expected an IP address of this host" },
		{ "{'ike': {'rekey_s': 0}}", "FILE: /ike/rekey_s" },
		{ "{'ike': {'rekey_s': 99999999999}}", "FILE: /ike/rekey_s" },
		{ "{'ike': {'child_rekey_s': -1}}", "FILE: /ike/child_rekey_s" },
		{ "{'ike': {'charon': 'charon'}}", "FILE: /ike/charon" },
		{ "{'bridge': {'name': 'br0'}}", "FILE: /bridge/name: is \"br0\"; expected" },
		{ "{'bridge': {'name': 'snx1'}}", "FILE: /bridge/name" },
		{ "{'bridge': {'name': 'snv1'}}", "FILE: /bridge/name" },
		{ "{'bridge': {'name': 'sn/0'}}", "FILE: /bridge/name" },
		{ "{'bridge': {'name': 'sn23456789012345'}}", "FILE: /bridge/name" },
		{ "{'mtu': 575}", "FILE: /mtu: is 575; expected 0 (what the underlay leaves)" },
		{ "{'mtu': 65536}", "FILE: /mtu" },
		{ "{'masquerade': 1}", "FILE: /masquerade" },
		{ "{'http': {'listen': '127.0.0.1:1'}}", "FILE: /http/listen: is \"127.0.0.1:1\"; "
							 "expected a list" },
		{ "{'http': {'listen': ['127.0.0.1:1', 7]}}",
		  "FILE: /http/listen/1: is 7; expected" },
		{ "{'http': {'listen': ['127.0.0.1']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['localhost:80']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['127.0.0.1:0']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['127.0.0.1:080']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['127.0.0.1:65536']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['::1:80']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['[::1:80']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['[127.0.0.1]:80']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': [':80']}}", "FILE: /http/listen/0" },
		{ "{'http': {'listen': ['127.0.0.1:1', '127.0.0.1:1']}}",
		  "FILE: /http/listen/1: 127.0.0.1:1 is in the list twice" },
		{ "{'http': {'listen': [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]}}",
		  "FILE: /http/listen: has 17 items; at most 16 are allowed" },
		{ "{'ready': {'min_up': -1}}", "FILE: /ready/min_up" },
		{ "{'run_dir': 'run'}", "FILE: /run_dir" },
		{ "{'run_dir': '/12345678901234567890123456789012345678901234567890123456789012345"
		  "678901234567890'}",
		  "FILE: /run_dir: is 81 bytes long; at most 80 are allowed" },
		{ "{'state_dir': null, 'log': {'level': 'loud'}}",
		  "FILE: /log/level: is \"loud\"; expected error, warning, notice, info or debug" },
		{ "{'log': {'format': 'xml'}}",
		  "FILE: /log/format: is \"xml\"; expected text or json" },
	};
	struct config *c = NULL;
	struct sn_error e;

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		if (parse_with(rows[i].text, no_environ, &c, &e) != -EINVAL)
			fail_msg("accepted: %s", rows[i].text);
		assert_contains(e.text, rows[i].error);
		assert_null(c);
	}
}

static void variables_win_over_the_file(void **state)
{
	static char a[] = "SENNIT_METADATA_URL=file:///etc/sennit/mesh.json",
		    b[] = "SENNIT_MTU=1400", c[] = "SENNIT_HTTP_LISTEN=127.0.0.1:81,[::1]:82",
		    d[] = "SENNIT_MASQUERADE=false", f[] = "PATH=/bin", g[] = "SENNIT_HOST_ID=h1",
		    h[] = "SENNITX=1", k[] = "odd", l[] = "SENNIT_DATAPLANE=libipsec",
		    m[] = "SENNIT_IKE_LOCAL_ADDRESS=192.0.2.7";
	char *const env[] = { a, b, c, d, f, g, h, k, l, m, NULL };
	_cleanup_(config_freep) struct config *config =
		good("{'mtu': 1300, 'masquerade': true, 'metadata': {'poll_s': 5}}", env);

	(void)state;
	assert_string_equal(config->metadata_url, "file:///etc/sennit/mesh.json");
	assert_int_equal(config->metadata_poll_s, 5);
	assert_int_equal(config->mtu, 1400);
	assert_int_equal(config->http.n, 2);
	assert_string_equal(SN_ADDR_STR(&config->http.v[1].addr), "::1");
	assert_int_equal(config->http.v[1].port, 82);
	assert_false(config->masquerade);
	assert_string_equal(config->host_id, "h1");
	assert_int_equal(config->dataplane, DATAPLANE_LIBIPSEC);
	assert_string_equal(SN_ADDR_STR(&config->underlay_address), "192.0.2.7");
}

static void wrong_variables_are_refused_by_name(void **state)
{
	static const struct {
		const char *variable, *error;
	} rows[] = {
		{ "SENNIT_SECRET=geheim", "SENNIT_SECRET: unknown variable" },
		{ "SENNIT_=", "SENNIT_: unknown variable" },
		{ "SENNIT_MTU=", "SENNIT_MTU: is \"\"; expected 0" },
		{ "SENNIT_MTU=1400x", "SENNIT_MTU: is \"1400x\"; expected 0" },
		{ "SENNIT_MTU=99999999999999999999", "SENNIT_MTU: is" },
		{ "SENNIT_MASQUERADE=maybe", "SENNIT_MASQUERADE: is \"maybe\"; expected true" },
		{ "SENNIT_HOST_ID=%any", "SENNIT_HOST_ID: is \"%any\"" },
		{ "SENNIT_HTTP_LISTEN=127.0.0.1:80,x",
		  "SENNIT_HTTP_LISTEN: is \"x\"; expected ADDR" },
		{ "SENNIT_NETWORK=\xff", "SENNIT_NETWORK: not UTF-8" },
		{ "SENNIT_LOG_LEVEL=loud", "SENNIT_LOG_LEVEL: is \"loud\"" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *v = xstrdup(rows[i].variable);
		char *const env[] = { v, NULL };
		struct config *c = NULL;
		struct sn_error e;

		assert_int_equal(parse_with("{}", env, &c, &e), -EINVAL);
		assert_contains(e.text, rows[i].error);
		assert_null(strstr(e.text, "geheim"));
	}
}

static void an_url_is_not_repeated_in_errors(void **state)
{
	struct config *c = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(
		parse_with("{'metadata': {'url': 'http://u:geheim@x y/'}}", no_environ, &c, &e),
		-EINVAL);
	assert_null(strstr(e.text, "geheim"));
}

static void the_metadata_address_is_read_from_the_url(void **state)
{
	static const struct {
		const char *url, *address;
	} rows[] = {
		{ "http://169.254.169.250/2016-07-29", "169.254.169.250" },
		{ "http://192.0.2.1:8080", "192.0.2.1" },
		{ "https://u:p@192.0.2.1:8080/x", "192.0.2.1" },
		{ "http://[2001:db8::1]:80/x", "2001:db8::1" },
		{ "http://[2001:db8::1]", "2001:db8::1" },
		{ "http://metadata.example/x", NULL },
		{ "http://x/@192.0.2.1", NULL },
		{ "file:///etc/mesh.json", NULL },
	};
	_cleanup_(config_freep) struct config *c = config_new();

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		struct sn_addr a = { 0 };

		free(c->metadata_url);
		c->metadata_url = xstrdup(rows[i].url);
		assert_int_equal(config_metadata_address(c, &a), rows[i].address != NULL);
		assert_string_equal(SN_ADDR_STR(&a), rows[i].address ? rows[i].address : "-");
	}
}

/* Each key once, with another value than its default, and whether SIGHUP takes it over. */
static const struct {
	const char *text, *key;
	bool live;
} changes[] = {
	{ "{'metadata': {'url': 'http://192.0.2.1/x'}}", "metadata.url", true },
	{ "{'metadata': {'urls': ['http://192.0.2.1/x', 'https://y/']}}", "metadata.urls", true },
	{ "{'metadata': {'ca_file': '/ca.pem'}}", "metadata.ca_file", true },
	{ "{'metadata': {'token_file': '/token'}}", "metadata.token_file", true },
	{ "{'metadata': {'proxy': true}}", "metadata.proxy", true },
	{ "{'metadata': {'redirects': 2}}", "metadata.redirects", true },
	{ "{'metadata': {'poll_s': 5}}", "metadata.poll_s", true },
	{ "{'host': {'id': 'h1'}}", "host.id", false },
	{ "{'network': 'other'}", "network", false },
	{ "{'mesh': {'id': 'm1'}}", "mesh.id", false },
	{ "{'secret_file': '/etc/other'}", "secret_file", true },
	{ "{'dataplane': 'xfrm'}", "dataplane", false },
	{ "{'ike': {'encap': false}}", "ike.encap", false },
	{ "{'ike': {'local_address': '192.0.2.7'}}", "ike.local_address", false },
	{ "{'ike': {'rekey_s': 7}}", "ike.rekey_s", false },
	{ "{'ike': {'child_rekey_s': 7}}", "ike.child_rekey_s", false },
	{ "{'ike': {'charon': '/charon'}}", "ike.charon", false },
	{ "{'ike': {'start': false}}", "ike.start", false },
	{ "{'bridge': {'name': 'sn1'}}", "bridge.name", false },
	{ "{'mtu': 1300}", "mtu", true },
	{ "{'masquerade': false}", "masquerade", true },
	{ "{'http': {'listen': ['127.0.0.1:8112']}}", "http.listen", false },
	{ "{'ready': {'min_up': 3}}", "ready.min_up", true },
	{ "{'run_dir': '/run/other'}", "run_dir", false },
	{ "{'state_dir': '/var/other'}", "state_dir", false },
	{ "{'log': {'level': 'error'}}", "log.level", true },
	{ "{'log': {'format': 'json'}}", "log.format", true },
};

static void every_changed_key_is_told_alone(void **state)
{
	_cleanup_(config_freep) struct config *defaults = good("{}", no_environ);
	struct config_change found[CONFIG_KEYS_MAX];
	size_t keys = 0;

	(void)state;
	while (config_variables[keys].variable)
		keys++;
	/* a new key belongs into the list above */
	assert_int_equal(SN_ARRAY_SIZE(changes), keys);
	assert_int_equal(config_compare(defaults, defaults, found), 0);
	for (size_t i = 0; i < SN_ARRAY_SIZE(changes); i++) {
		_cleanup_(config_freep) struct config *c = good(changes[i].text, no_environ);

		assert_int_equal(config_compare(defaults, c, found), 1);
		assert_string_equal(found[0].key, changes[i].key);
		assert_int_equal(found[0].live, changes[i].live);
	}
}

static void only_live_keys_are_taken_over(void **state)
{
	struct config_change found[CONFIG_KEYS_MAX];

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(changes); i++) {
		_cleanup_(config_freep) struct config *running = good("{}", no_environ);
		_cleanup_(config_freep) struct config *wanted = good(changes[i].text, no_environ);

		config_take_live(running, wanted);
		assert_int_equal(config_compare(running, wanted, found), changes[i].live ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_all_defaults),
		cmocka_unit_test(no_file_is_all_defaults_with_variables),
		cmocka_unit_test(the_example_has_every_key_and_is_good),
		cmocka_unit_test(wrong_files_are_refused_with_the_place),
		cmocka_unit_test(variables_win_over_the_file),
		cmocka_unit_test(wrong_variables_are_refused_by_name),
		cmocka_unit_test(an_url_is_not_repeated_in_errors),
		cmocka_unit_test(the_metadata_address_is_read_from_the_url),
		cmocka_unit_test(every_changed_key_is_told_alone),
		cmocka_unit_test(only_live_keys_are_taken_over),
	};

	return cmocka_run_group_tests_name("model/config", tests, NULL, NULL);
}
