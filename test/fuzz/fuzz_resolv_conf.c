/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: resolv.conf, and a name server's answer. */
#include "inspect/resolv_conf.h"

#include <errno.h>

#define ID 0x4142

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_server(const struct resolv_server *s, size_t index, unsigned before)
{
	enum resolv_verdict v = resolv_judge(s, index, NULL);

	sn_require(memchr(s->text, '\0', sizeof(s->text)) &&
		   memchr(s->zone, '\0', sizeof(s->zone)));
	sn_require(s->line > before);
	sn_require(v <= RESOLV_LOOP && (v == RESOLV_NO_ADDRESS) == !sn_addr_is_set(&s->addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xmalloc(size + 1);
	struct resolv_conf c = { .servers = { 0 } };
	unsigned before = 0;
	uint8_t query[RESOLV_QUERY_SIZE];
	int r = resolv_answer(data, size, ID);

	/* our own question is no answer to it */
	resolv_query(ID, query);
	sn_require(resolv_answer(query, sizeof(query), ID) == -EBADMSG);
	query[2] |= 0x80;
	sn_require(resolv_answer(query, sizeof(query), ID) == 0);
	sn_require(r == -EBADMSG || (r >= 0 && r <= 15 && size >= 12));
	memcpy(text, data, size);
	text[size] = '\0';
	resolv_conf_parse(text, size, &c);
	sn_require(c.servers.n <= RESOLV_MAX_SERVERS);
	for (size_t i = 0; i < c.servers.n; i++) {
		check_server(&c.servers.v[i], i, before);
		before = c.servers.v[i].line;
	}
	resolv_conf_fini(&c);
	return 0;
}
