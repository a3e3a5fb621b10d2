/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading: the message is copied once and the tree points into the copy. Every
 * name and value stands behind its own length bytes, so each is moved one byte to
 * the front, over a length that has been read by then, and gets its NUL for free:
 * one allocation for all text, one growing array for each section or list.
 *
 * Writing: the buffer is never left to realloc(3), which would leave keys in
 * freed memory; what is outgrown is wiped.
 */
#include "ike/vici_codec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define NAME_MAX_LEN 255
#define VALUE_MAX_LEN 65535

enum element {
	SECTION_START = 1,
	SECTION_END = 2,
	KEY_VALUE = 3,
	LIST_START = 4,
	LIST_ITEM = 5,
	LIST_END = 6,
};

/* The root, which owns the text. */
struct tree {
	struct vici_node root; /* first: vici_tree_free() gets its address */
	char *text;
};

struct parser {
	char *text;
	size_t len;
	size_t at;
	size_t n_nodes;
	struct sn_error *e;
};

static int broken(struct parser *p, size_t at, const char *what)
{
	return sn_error_set(p->e, -EBADMSG, "vici message, byte %zu: %s", at, what);
}

/* Takes a text behind a length of `width` (1 or 2) bytes and terminates it. */
static int take_text(struct parser *p, size_t width, const char **ret, size_t *ret_len)
{
	const uint8_t *length = (const uint8_t *)p->text + p->at;
	size_t left = p->len - p->at;
	size_t n;
	char *start;

	if (left < width)
		return broken(p, p->at, "ends in a length");
	n = width == 1 ? length[0] : (size_t)length[0] << 8 | length[1];
	if (left - width < n)
		return broken(p, p->at, "a name or value reaches past the end");
	start = p->text + p->at + width - 1;
	memmove(start, start + 1, n);
	start[n] = '\0';
	p->at += width + n;
	*ret = start;
	*ret_len = n;
	return 0;
}

static int take_name(struct parser *p, const char **ret)
{
	size_t at = p->at, len;
	int r = take_text(p, 1, ret, &len);

	if (r == 0 && strlen(*ret) != len)
		return broken(p, at, "a name with a NUL");
	return r;
}

/* A new child; the array doubles at each power of two, so it needs no size of its own. */
static int add_child(struct parser *p, struct vici_node *parent, enum vici_type type,
		     struct vici_node **ret)
{
	size_t n = parent->n_children;

	if (++p->n_nodes > VICI_MAX_NODES)
		return sn_error_set(p->e, -EMSGSIZE,
				    "vici message, byte %zu: more than %d elements", p->at,
				    VICI_MAX_NODES);
	if ((n & (n - 1)) == 0)
		parent->children =
			xreallocarray(parent->children, n ? 2 * n : 1, sizeof(*parent->children));
	parent->children[n] = (struct vici_node){ .type = type, .name = "", .value = "" };
	parent->n_children++;
	*ret = &parent->children[n];
	return 0;
}

static int parse_list(struct parser *p, struct vici_node *list)
{
	while (p->at < p->len) {
		struct vici_node *item;
		int r;

		switch (p->text[p->at++]) {
		case LIST_END:
			return 0;
		case LIST_ITEM:
			r = add_child(p, list, VICI_VALUE, &item);
			if (r == 0)
				r = take_text(p, 2, &item->value, &item->len);
			if (r < 0)
				return r;
			break;
		default:
			return broken(p, p->at - 1, "no list item");
		}
	}
	return broken(p, p->at, "ends in a list");
}

static int parse_section(struct parser *p, struct vici_node *section, unsigned depth);

/* A section, value or list; the byte that says which is taken already. */
static int parse_element(struct parser *p, struct vici_node *parent, enum element element,
			 unsigned depth)
{
	static const enum vici_type types[] = {
		[SECTION_START] = VICI_SECTION,
		[KEY_VALUE] = VICI_VALUE,
		[LIST_START] = VICI_LIST,
	};
	struct vici_node *child;
	int r = add_child(p, parent, types[element], &child);

	if (r == 0)
		r = take_name(p, &child->name);
	if (r < 0)
		return r;
	if (element == KEY_VALUE)
		return take_text(p, 2, &child->value, &child->len);
	if (element == LIST_START)
		return parse_list(p, child);
	return parse_section(p, child, depth + 1);
}

static int parse_section(struct parser *p, struct vici_node *section, unsigned depth)
{
	if (depth > VICI_MAX_DEPTH)
		return sn_error_set(p->e, -EMSGSIZE,
				    "vici message, byte %zu: nested deeper than %d", p->at,
				    VICI_MAX_DEPTH);
	while (p->at < p->len) {
		uint8_t element = (uint8_t)p->text[p->at++];
		int r;

		switch (element) {
		case SECTION_END:
			return depth ? 0 : broken(p, p->at - 1, "the end of no section");
		case SECTION_START:
		case KEY_VALUE:
		case LIST_START:
			r = parse_element(p, section, element, depth);
			if (r < 0)
				return r;
			break;
		default:
			return broken(p, p->at - 1, "no element of a section");
		}
	}
	return depth ? broken(p, p->at, "ends in a section") : 0;
}

int vici_parse(const uint8_t *data, size_t len, struct vici_node **ret, struct sn_error *e)
{
	struct parser p = { .len = len, .e = e };
	struct tree *tree;
	int r;

	if (len > VICI_MAX_MESSAGE)
		return sn_error_set(e, -EMSGSIZE, "vici message of %zu bytes, more than %u", len,
				    VICI_MAX_MESSAGE);
	tree = xcalloc(1, sizeof(*tree));
	tree->text = p.text = xmalloc(len);
	if (len)
		memcpy(p.text, data, len);
	tree->root = (struct vici_node){ .type = VICI_SECTION, .name = "", .value = "" };
	r = parse_section(&p, &tree->root, 0);
	if (r < 0) {
		vici_tree_free(&tree->root);
		return r;
	}
	*ret = &tree->root;
	return 0;
}

static void free_children(struct vici_node *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		free_children(&node->children[i]);
	free(node->children);
}

void vici_tree_free(struct vici_node *root)
{
	struct tree *tree = (struct tree *)root;

	if (!tree)
		return;
	free_children(root);
	free(tree->text);
	free(tree);
}

const struct vici_node *vici_child(const struct vici_node *parent, const char *name)
{
	for (size_t i = 0; parent && i < parent->n_children; i++)
		if (streq(parent->children[i].name, name))
			return &parent->children[i];
	return NULL;
}

const char *vici_text(const struct vici_node *parent, const char *name)
{
	const struct vici_node *child = vici_child(parent, name);

	if (!child || child->type != VICI_VALUE || strlen(child->value) != child->len)
		return NULL;
	return child->value;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static uint64_t read_number(const struct vici_node *parent, const char *name, unsigned base,
			    uint64_t fallback)
{
	const char *s = vici_text(parent, name);
	uint64_t n = 0;

	if (!s || !*s)
		return fallback;
	for (; *s; s++) {
		unsigned digit = (unsigned)digit_of(*s);

		if (digit >= base || n > (UINT64_MAX - digit) / base)
			return fallback;
		n = n * base + digit;
	}
	return n;
}

uint64_t vici_number(const struct vici_node *parent, const char *name, uint64_t fallback)
{
	return read_number(parent, name, 10, fallback);
}

uint64_t vici_hex(const struct vici_node *parent, const char *name, uint64_t fallback)
{
	return read_number(parent, name, 16, fallback);
}

bool vici_yes(const struct vici_node *parent, const char *name)
{
	const char *s = vici_text(parent, name);

	return s && streq(s, "yes");
}

void vici_writer_fini(struct vici_writer *w)
{
	if (w->b.data)
		explicit_bzero(w->b.data, w->b.size);
	strbuf_fini(&w->b);
	*w = (struct vici_writer){ 0 };
}

/* Room for `more` bytes and a NUL without realloc(); false and failed past the limit. */
static bool reserve(struct vici_writer *w, size_t more)
{
	size_t want = w->b.len + more + 1;
	struct strbuf bigger = { 0 };

	if (w->failed || want > VICI_MAX_MESSAGE) {
		w->failed = true;
		return false;
	}
	if (want <= w->b.size)
		return true;
	bigger.size = SN_MAX(want, SN_MAX(w->b.size * 2, (size_t)256));
	bigger.data = xmalloc(bigger.size);
	if (w->b.data) {
		memcpy(bigger.data, w->b.data, w->b.len);
		explicit_bzero(w->b.data, w->b.size);
		free(w->b.data);
	}
	bigger.len = w->b.len;
	bigger.data[bigger.len] = '\0';
	w->b = bigger;
	return true;
}

static void put_element(struct vici_writer *w, enum element element)
{
	if (reserve(w, 1))
		strbuf_addc(&w->b, (char)element);
}

static void put_named(struct vici_writer *w, enum element element, const char *name)
{
	size_t len = strlen(name);

	if (w->in_list || len > NAME_MAX_LEN)
		w->failed = true;
	if (!reserve(w, 2 + len))
		return;
	strbuf_addc(&w->b, (char)element);
	strbuf_addc(&w->b, (char)len);
	strbuf_add(&w->b, name, len);
}

/* The length of a value that the caller adds next, with room for it. */
static bool put_length(struct vici_writer *w, size_t len)
{
	if (len > VALUE_MAX_LEN)
		w->failed = true;
	if (!reserve(w, 2 + len))
		return false;
	strbuf_addc(&w->b, (char)(len >> 8));
	strbuf_addc(&w->b, (char)(len & 0xff));
	return true;
}

/* Straight into the buffer: the text may be a key. */
static void put_formatted(struct vici_writer *w, const char *fmt, va_list ap) SN_PRINTF(2, 0);
static void put_formatted(struct vici_writer *w, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	sn_require(n >= 0);
	if (!put_length(w, (size_t)n))
		return;
	vsnprintf(w->b.data + w->b.len, (size_t)n + 1, fmt, ap);
	w->b.len += (size_t)n;
}

void vici_add_section(struct vici_writer *w, const char *name)
{
	put_named(w, SECTION_START, name);
	if (++w->depth > VICI_MAX_DEPTH)
		w->failed = true;
}

void vici_end_section(struct vici_writer *w)
{
	if (w->depth == 0 || w->in_list) {
		w->failed = true;
		return;
	}
	put_element(w, SECTION_END);
	w->depth--;
}

void vici_add(struct vici_writer *w, const char *name, const char *fmt, ...)
{
	va_list ap;

	put_named(w, KEY_VALUE, name);
	va_start(ap, fmt);
	put_formatted(w, fmt, ap);
	va_end(ap);
}

void vici_add_bytes(struct vici_writer *w, const char *name, const void *data, size_t len)
{
	put_named(w, KEY_VALUE, name);
	if (put_length(w, len))
		strbuf_add(&w->b, data, len);
}

void vici_add_list(struct vici_writer *w, const char *name)
{
	put_named(w, LIST_START, name);
	w->in_list = true;
}

void vici_add_item(struct vici_writer *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->in_list)
		w->failed = true;
	put_element(w, LIST_ITEM);
	va_start(ap, fmt);
	put_formatted(w, fmt, ap);
	va_end(ap);
}

void vici_end_list(struct vici_writer *w)
{
	if (!w->in_list)
		w->failed = true;
	put_element(w, LIST_END);
	w->in_list = false;
}

int vici_writer_check(const struct vici_writer *w)
{
	return w->failed || w->depth || w->in_list ? -EINVAL : 0;
}
