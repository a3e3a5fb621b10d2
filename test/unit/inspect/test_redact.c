/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/redact.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void urls(void **state)
{
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{ "http://192.0.2.1/2016-07-29", "http://192.0.2.1/2016-07-29" },
		{ "http://ann:pass@host:80/x", "http://host:80/x" },
		{ "https://a:b@c:d@host/x?token=1#y", "https://host/x" },
		{ "http://host/a@b", "http://host/a@b" },
		{ "http://ann:pa/s#s@host/x", "http://host/x" },
		{ "http://host:80/a@b", "http://host:80/a@b" },
		{ "http://[2001:db8::1]:80/a@b", "http://[2001:db8::1]:80/a@b" },
		{ "file:///etc/sennit/mesh.json", "file:///etc/sennit/mesh.json" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *shown = redact_url(rows[i].url);

		assert_string_equal(shown, rows[i].shown);
	}
}

static void texts(void **state)
{
	static const char run[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
	_cleanup_free_ char *line = xasprintf("read %s of it", run);
	const struct {
		const char *text, *shown;
	} rows[] = {
		{ "peer h2 is up", "peer h2 is up" },
		{ "GET http://ann:pass@host/x", "GET http://" REDACTED "@host/x" },
		{ "\"http://ann:pa/s?s@host/x\"", "\"http://" REDACTED "@host/x\"" },
		{ "token=abc, rest", "token=" REDACTED ", rest" },
		{ "Authorization: Bearer abc", "Authorization: " REDACTED },
		{ "Bearer abc def", "Bearer " REDACTED " def" },
		{ "password = \"two words\", rest", "password = \"" REDACTED "\", rest" },
		{ "password: geheim", "password: " REDACTED },
		{ "\"psk\": \"0x1234\"", "\"psk\": \"" REDACTED "\"" },
		{ "secret_file is /etc/sennit/secret", "secret_file is /etc/sennit/secret" },
		{ line, "read " REDACTED " of it" },
		{ "/var/lib/sennit/with/a/long/path/that/is/no/secret",
		  "/var/lib/sennit/with/a/long/path/that/is/no/secret" },
		{ "9b2d6a4e-4cbb-4d6c-9c0b-3f6f0e3a1c11", "9b2d6a4e-4cbb-4d6c-9c0b-3f6f0e3a1c11" },
		{ "my short one: hush", "my short one: " REDACTED },
	};
	char hush[] = "hush", *known[] = { hush, NULL };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *shown = redact_text(rows[i].text, known);

		assert_string_equal(shown, rows[i].shown);
	}
}

/* In JSON a word and its value are two strings. */
static void documents(void **state)
{
	static const char text[] = "{\"metadata\": {\"url\": \"http://a:b@h/\", \"token\": \"abc\","
				   " \"token_file\": \"/etc/t\"}, \"list\": [1, true, null, \"x\"],"
				   " \"secrets\": [\"s\"], \"psk\": {\"value\": \"y\"}}";
	_cleanup_json_ json_t *v = json_loads(text, 0, NULL), *clean = redact_json(v, NULL);
	_cleanup_free_ char *shown = json_dumps(clean, JSON_SORT_KEYS | JSON_COMPACT);

	(void)state;
	assert_string_equal(shown, "{\"list\":[1,true,null,\"x\"],\"metadata\":{\"token\":"
				   "\"[redacted]\",\"token_file\":\"/etc/t\","
				   "\"url\":\"http://[redacted]@h/\"},"
				   "\"psk\":\"[redacted]\",\"secrets\":\"[redacted]\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(texts),
		cmocka_unit_test(documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
