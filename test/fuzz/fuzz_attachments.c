/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: attachments.json. What is read is written and read again the same. */
#include "attach/store.h"

#include "scratch.h"

#include <errno.h>

/* More is tried for the parser's time alone. */
#define MAX_CHECKED ((size_t)64 * 1024)

/* Once, for the disk is slow. */
static void check_file(const struct attach_table *t)
{
	const char *path = scratch_file("attachments.json", "{", 1);
	struct attach_table *got = NULL;
	static bool done;
	struct sn_error e;

	if (done)
		return;
	done = true;
	sn_require(attach_store_read(path, &got, &e) == -EINVAL && !got);
	sn_require(attach_store_write(path, t, &e) == 0);
	sn_require(attach_store_read(path, &got, &e) == 0 && got->items.n == t->items.n);
	attach_table_free(got);
	sn_require(attach_store_read(scratch(), &got, &e) == -EISDIR);
	sn_require(attach_store_write("/none/x", t, &e) < 0);
	scratch_empty();
	sn_require(attach_store_read(path, &got, &e) == 0 && got->items.n == 0);
	attach_table_free(got);
}

static void check_attachment(const struct attachment *a)
{
	char veth[IFNAMSIZ];

	sn_require(strlen(a->id) == ATTACHMENT_ID_SIZE - 1 && attach_ifname_valid(a->ifname));
	sn_require(!a->label || strlen(a->label) <= ATTACH_MAX_LABEL);
	sn_require(sn_prefix_pair_next(&a->addr, NULL) && !(a->mac[0] & 1) && a->created_ms >= 0);
	attach_veth_name(a->id, veth);
	sn_require(streq(a->veth, veth));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(attach_table_freep) struct attach_table *t = NULL, *again = NULL;
	_cleanup_json_ json_t *v = NULL, *v2 = NULL;
	_cleanup_free_ char *text = NULL;
	struct sn_error e = { 0 };

	if (attach_table_parse((const char *)data, size, &t, &e) < 0) {
		sn_require(!t && e.code < 0);
		sn_require(e.text[0] == '/' || strstr(e.text, "not JSON"));
		return 0;
	}
	sn_require(t->items.n <= ATTACH_MAX);
	array_foreach(&t->items, a)
		check_attachment(a);
	if (size > MAX_CHECKED)
		return 0;
	v = attach_table_to_json(t);
	text = json_dumps(v, 0);
	sn_require(text && attach_table_parse(text, strlen(text), &again, &e) == 0);
	v2 = attach_table_to_json(again);
	sn_require(json_equal(v, v2));
	check_file(t);
	for (size_t i = 0; i < 2 && t->items.n; i++)
		attach_table_remove(t, t->items.n / 2);
	return 0;
}
