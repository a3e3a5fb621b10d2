/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vici codec: no input may hurt the parser, and a tree has one encoding, so
 * what it takes is written back byte by byte.
 */
#include "ike/vici_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The writer formats list items, so one with a NUL cannot be written. */
static bool write_back(struct vici_writer *w, const struct vici_node *section)
{
	for (size_t i = 0; i < section->n_children; i++) {
		const struct vici_node *child = &section->children[i];

		if (child->type == VICI_VALUE) {
			if (strlen(child->value) == child->len)
				vici_add(w, child->name, "%s", child->value);
			else
				vici_add_bytes(w, child->name, child->value, child->len);
		} else if (child->type == VICI_SECTION) {
			vici_add_section(w, child->name);
			if (!write_back(w, child))
				return false;
			vici_end_section(w);
		} else {
			vici_add_list(w, child->name);
			for (size_t j = 0; j < child->n_children; j++) {
				const struct vici_node *item = &child->children[j];

				sn_require(item->value[item->len] == '\0');
				if (strlen(item->value) != item->len)
					return false;
				vici_add_item(w, "%s", item->value);
			}
			vici_end_list(w);
		}
	}
	return true;
}

/* What does not fit sticks, and what is left open is no message. */
static void check_refusals(const char *text)
{
	static char name[300];
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	memset(name, 'x', sizeof(name) - 1);
	vici_add_section(&w, "s");
	sn_require(vici_writer_check(&w) < 0);
	vici_end_section(&w);
	sn_require(vici_writer_check(&w) == 0);
	vici_add(&w, name, "%s", text);
	sn_require(vici_writer_check(&w) < 0);
	vici_writer_fini(&w);
	vici_end_section(&w);
	sn_require(vici_writer_check(&w) < 0);
	vici_writer_fini(&w);
	vici_add_item(&w, "%s", text);
	sn_require(vici_writer_check(&w) < 0);
	vici_writer_fini(&w);
	vici_end_list(&w);
	sn_require(vici_writer_check(&w) < 0);
	vici_writer_fini(&w);
	for (int i = 0; i < VICI_MAX_DEPTH + 1; i++)
		vici_add_section(&w, "s");
	sn_require(vici_writer_check(&w) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	struct sn_error e = { 0 };

	if (vici_parse(data, size, &root, &e) < 0) {
		sn_require(e.code < 0 && e.text[0]);
		return 0;
	}
	vici_text(root, "success");
	vici_number(root, "uniqueid", 0);
	vici_hex(root, "initiator-spi", 0);
	vici_yes(root, "success");
	check_refusals(vici_text(root, "success") ?: "");
	if (size < VICI_MAX_MESSAGE && write_back(&w, root)) {
		sn_require(vici_writer_check(&w) == 0 && w.b.len == size);
		sn_require(size == 0 || memcmp(w.b.data, data, size) == 0);
	}
	return 0;
}
