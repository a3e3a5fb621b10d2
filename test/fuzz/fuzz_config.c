/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: the file, then, each behind a NUL, variables. What a running daemon takes
 * over of a configuration is then what it has, and nothing else is.
 */
#include "model/config.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_VARIABLES 8

static void check_take_over(const struct config *c)
{
	_cleanup_(config_freep) struct config *other = config_new();
	struct config_change before[CONFIG_KEYS_MAX], after[CONFIG_KEYS_MAX];
	size_t n = config_compare(other, c, before), left = 0, m;

	sn_require(config_compare(c, c, after) == 0);
	for (size_t i = 0; i < n; i++)
		left += !before[i].live;
	config_take_live(other, c);
	m = config_compare(other, c, after);
	sn_require(m == left);
	for (size_t i = 0; i < m; i++)
		sn_require(!after[i].live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_free_ char *rest = NULL;
	_cleanup_(config_freep) struct config *c = NULL;
	char *env[MAX_VARIABLES + 1] = { NULL };
	size_t len = strlen(text), n = 0;
	struct sn_error e = { 0 };
	struct sn_addr a;

	if (len < size) {
		rest = xcalloc(1, size - len);
		memcpy(rest, data + len + 1, size - len - 1);
		for (char *p = rest; p < rest + (size - len - 1) && n < MAX_VARIABLES;
		     p += strlen(p) + 1)
			env[n++] = p;
	}
	if (config_parse("FILE", text, len, env, &c, &e) < 0) {
		sn_require(!c && e.code < 0);
		sn_require(sn_startswith(e.text, "FILE: ") || sn_startswith(e.text, "SENNIT_"));
		return 0;
	}
	sn_require(sn_startswith(c->bridge, "sn") && c->http.n <= 16);
	sn_require(c->metadata_poll_s >= 1 && c->metadata_poll_s <= 120);
	sn_require(c->run_dir[0] == '/' && c->state_dir[0] == '/' && c->secret_file[0] == '/');
	config_metadata_address(c, &a);
	check_take_over(c);
	return 0;
}
