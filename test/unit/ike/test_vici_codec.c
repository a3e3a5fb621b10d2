/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/vici_codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static int parse(const struct vici_writer *w, struct vici_node **ret)
{
	struct sn_error e = { 0 };

	assert_int_equal(vici_writer_check(w), 0);
	return vici_parse((const uint8_t *)w->b.data, w->b.len, ret, &e);
}

/* The example of strongSwan's description of the protocol. */
static void writes_and_reads_the_protocols_own_example(void **state)
{
	static const uint8_t expected[] = "\3\4key1\0\6value1"
					  "\1\10section1"
					  "\1\13sub-section\3\4key2\0\6value2\2"
					  "\4\5list1\5\0\5item1\5\0\5item2\6"
					  "\2";
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	const struct vici_node *section, *list;

	(void)state;
	vici_add(&w, "key1", "value%d", 1);
	vici_add_section(&w, "section1");
	vici_add_section(&w, "sub-section");
	vici_add_bytes(&w, "key2", "value2", 6);
	vici_end_section(&w);
	vici_add_list(&w, "list1");
	vici_add_item(&w, "%s1", "item");
	vici_add_item(&w, "item2");
	vici_end_list(&w);
	vici_end_section(&w);
	assert_int_equal(w.b.len, sizeof(expected) - 1);
	assert_memory_equal(w.b.data, expected, sizeof(expected) - 1);

	assert_int_equal(parse(&w, &root), 0);
	assert_string_equal(root->name, "");
	assert_string_equal(vici_text(root, "key1"), "value1");
	section = vici_child(root, "section1");
	assert_int_equal(section->type, VICI_SECTION);
	assert_string_equal(vici_text(vici_child(section, "sub-section"), "key2"), "value2");
	list = vici_child(section, "list1");
	assert_int_equal(list->type, VICI_LIST);
	assert_int_equal(list->n_children, 2);
	assert_string_equal(list->children[1].value, "item2");
	assert_string_equal(list->children[1].name, "");
}

static void refuses_every_truncation(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	struct vici_node *root;

	(void)state;
	vici_add_section(&w, "all");
	vici_add(&w, "key", "value");
	vici_add_list(&w, "list");
	vici_add_item(&w, "item");
	vici_end_list(&w);
	vici_add_section(&w, "inner");
	vici_end_section(&w);
	vici_end_section(&w);
	for (size_t len = 1; len < w.b.len; len++) {
		/* of its own size, so that a sanitizer sees a step over its end */
		_cleanup_free_ uint8_t *part = xmalloc(len);
		struct sn_error e = { 0 };

		memcpy(part, w.b.data, len);
		assert_int_equal(vici_parse(part, len, &root, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "byte"));
	}
}

static void refuses_broken_messages(void **state)
{
	const struct {
		const char *what;
		const uint8_t *data;
		size_t len;
	} cases[] = {
		{ "unknown element", BYTES(7) },
		{ "element 0", BYTES(0) },
		{ "end of no section", BYTES(2) },
		{ "end of no list", BYTES(6) },
		{ "item outside a list", BYTES(5, 0, 1, 'x') },
		{ "list in a list", BYTES(4, 1, 'l', 4, 1, 'm', 6, 6) },
		{ "key in a list", BYTES(4, 1, 'l', 3, 1, 'k', 0, 0, 6) },
		{ "section in a list", BYTES(4, 1, 'l', 1, 1, 's', 2, 6) },
		{ "section end in a list", BYTES(1, 1, 's', 4, 1, 'l', 2) },
		{ "a NUL in a name", BYTES(3, 2, 'k', 0, 0, 0) },
		{ "a name past the end", BYTES(3, 4, 'k') },
		{ "a value past the end", BYTES(3, 1, 'k', 0, 2, 'v') },
		{ "half a length", BYTES(3, 1, 'k', 0) },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		struct sn_error e = { 0 };
		struct vici_node *root;
		int r = vici_parse(cases[i].data, cases[i].len, &root, &e);

		if (r != -EBADMSG)
			fail_msg("%s: %d", cases[i].what, r);
	}
}

static void reads_the_empty_message(void **state)
{
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(vici_parse(NULL, 0, &root, &e), 0);
	assert_int_equal(root->n_children, 0);
	assert_null(vici_child(root, "x"));
	assert_null(vici_text(NULL, "x"));
}

static void bounds_depth(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct vici_node *root;
	struct sn_error e;

	(void)state;
	for (int i = 0; i < VICI_MAX_DEPTH; i++)
		strbuf_add(&b, "\1\1s", 3);
	for (int i = 0; i < VICI_MAX_DEPTH; i++)
		strbuf_add(&b, "\2", 1);
	assert_int_equal(vici_parse((uint8_t *)b.data, b.len, &root, &e), 0);
	vici_tree_free(root);
	strbuf_clear(&b);
	for (int i = 0; i < 100000; i++)
		strbuf_add(&b, "\1\1s", 3);
	assert_int_equal(vici_parse((uint8_t *)b.data, b.len, &root, &e), -EMSGSIZE);
}

static void bounds_elements_and_size(void **state)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_free_ uint8_t *big = xcalloc(1, VICI_MAX_MESSAGE + 1);
	struct vici_node *root;
	struct sn_error e;

	(void)state;
	for (int i = 0; i < VICI_MAX_NODES; i++)
		strbuf_add(&b, "\3\0\0", 4);
	assert_int_equal(vici_parse((uint8_t *)b.data, b.len, &root, &e), 0);
	assert_int_equal(root->n_children, VICI_MAX_NODES);
	vici_tree_free(root);
	strbuf_add(&b, "\3\0\0", 4);
	assert_int_equal(vici_parse((uint8_t *)b.data, b.len, &root, &e), -EMSGSIZE);
	assert_int_equal(vici_parse(big, VICI_MAX_MESSAGE + 1, &root, &e), -EMSGSIZE);
}

static void carries_the_longest_names_and_values(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
	_cleanup_free_ char *value = xcalloc(1, 65536);
	char name[256];

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	memset(value, 'v', 65535);
	vici_add(&w, name, "%s", value);
	vici_add_bytes(&w, "nuls", "a\0b", 4);
	assert_int_equal(parse(&w, &root), 0);
	assert_int_equal(vici_child(root, name)->len, 65535);
	assert_string_equal(vici_text(root, name), value);
	assert_null(vici_text(root, "nuls"));
	assert_int_equal(vici_child(root, "nuls")->len, 4);
	assert_memory_equal(vici_child(root, "nuls")->value, "a\0b", 5);
}

static void long_name(struct vici_writer *w)
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	vici_add_section(w, name);
	vici_end_section(w);
}
static void long_value(struct vici_writer *w)
{
	vici_add(w, "k", "%65536d", 1);
}
static void long_message(struct vici_writer *w)
{
	for (int i = 0; i < 9; i++)
		vici_add(w, "k", "%65535d", 1);
}
static void open_section(struct vici_writer *w)
{
	vici_add_section(w, "s");
}
static void open_list(struct vici_writer *w)
{
	vici_add_list(w, "l");
}
static void key_in_list(struct vici_writer *w)
{
	vici_add_list(w, "l");
	vici_add(w, "k", "v");
	vici_end_list(w);
}
static void item_outside(struct vici_writer *w)
{
	vici_add_item(w, "v");
}
static void end_of_nothing(struct vici_writer *w)
{
	vici_end_section(w);
}
static void end_list_of_nothing(struct vici_writer *w)
{
	vici_end_list(w);
}
static void too_deep(struct vici_writer *w)
{
	for (int i = 0; i <= VICI_MAX_DEPTH; i++)
		vici_add_section(w, "s");
	for (int i = 0; i <= VICI_MAX_DEPTH; i++)
		vici_end_section(w);
}

static void remembers_what_cannot_be_written(void **state)
{
	static void (*const cases[])(struct vici_writer * w) = {
		long_name,   long_value,   long_message,   open_section,        open_list,
		key_in_list, item_outside, end_of_nothing, end_list_of_nothing, too_deep,
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };

		cases[i](&w);
		if (vici_writer_check(&w) != -EINVAL)
			fail_msg("case %zu passes", i);
		assert_true(w.b.len <= VICI_MAX_MESSAGE);
	}
}

static void reads_numbers_strictly(void **state)
{
	static const struct {
		const char *text;
		uint64_t decimal, hex;
	} cases[] = {
		{ "0", 0, 0 },
		{ "10", 10, 16 },
		{ "cafeBABE", 7, 0xcafebabe },
		{ "18446744073709551615", UINT64_MAX, 7 },
		{ "18446744073709551616", 7, 7 },
		{ "ffffffffffffffff", 7, UINT64_MAX },
		{ "10000000000000000", 10000000000000000u, 7 },
		{ "", 7, 7 },
		{ "-1", 7, 7 },
		{ "+1", 7, 7 },
		{ " 1", 7, 7 },
		{ "1 ", 7, 7 },
		{ "0x10", 7, 7 },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };
		_cleanup_(vici_tree_freep) struct vici_node *root = NULL;

		vici_add(&w, "n", "%s", cases[i].text);
		assert_int_equal(parse(&w, &root), 0);
		assert_int_equal(vici_number(root, "n", 7), cases[i].decimal);
		assert_int_equal(vici_hex(root, "n", 7), cases[i].hex);
		assert_int_equal(vici_number(root, "absent", 3), 3);
	}
}

static void takes_only_yes_for_yes(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	_cleanup_(vici_tree_freep) struct vici_node *root = NULL;

	(void)state;
	vici_add(&w, "a", "yes");
	vici_add(&w, "b", "no");
	vici_add(&w, "c", "yess");
	vici_add_bytes(&w, "d", "yes\0", 4);
	vici_add_section(&w, "e");
	vici_end_section(&w);
	assert_int_equal(parse(&w, &root), 0);
	assert_true(vici_yes(root, "a"));
	assert_false(vici_yes(root, "b"));
	assert_false(vici_yes(root, "c"));
	assert_false(vici_yes(root, "d"));
	assert_false(vici_yes(root, "e"));
	assert_false(vici_yes(root, "f"));
}

/* --- keys are wiped -------------------------------------------------------- */

/* The linker sends every free() and reallocarray() of this program here (--wrap). */
void __real_free(void *p);
void __wrap_free(void *p);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static const char key[] = "a key that must not stay in freed memory";
static struct {
	void *p;
	size_t len;
} watched[64];
static size_t n_watched;
static unsigned keys_freed;

static void look(const void *p)
{
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i].p == p && memmem(p, watched[i].len, key, sizeof(key) - 1))
			keys_freed++;
}

void __wrap_free(void *p)
{
	look(p);
	__real_free(p);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	look(p);
	return __real_reallocarray(p, n, size);
}

static void watch(void *p, size_t len)
{
	if (n_watched == 0 || watched[n_watched - 1].p != p)
		n_watched++;
	assert_true(n_watched <= SN_ARRAY_SIZE(watched));
	watched[n_watched - 1].p = p;
	watched[n_watched - 1].len = len;
}

static void leaves_no_key_in_freed_memory(void **state)
{
	struct vici_writer w = { 0 };

	(void)state;
	n_watched = keys_freed = 0;
	for (int i = 0; i < 200; i++) {
		vici_add(&w, "data", "%s", key);
		watch(w.b.data, w.b.len);
		vici_add_bytes(&w, "data", key, sizeof(key));
		watch(w.b.data, w.b.len);
	}
	assert_int_equal(vici_writer_check(&w), 0);
	vici_writer_fini(&w);
	assert_true(n_watched > 4);
	n_watched = 0;
	assert_int_equal(keys_freed, 0);
}

/* --- any tree comes back as it was ----------------------------------------- */

/* A generator that two walks can run through alike. */
struct dice {
	uint64_t state;
};

static unsigned roll(struct dice *d, unsigned bound)
{
	d->state = d->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(d->state >> 33) % bound;
}

static size_t random_bytes(struct dice *d, char *buf, size_t max)
{
	size_t len = roll(d, 20) ? roll(d, 12) : roll(d, (unsigned)max);

	for (size_t i = 0; i < len; i++)
		buf[i] = (char)roll(d, 256);
	return len;
}

static void random_name(struct dice *d, char name[256])
{
	size_t len = random_bytes(d, name, 255);

	for (size_t i = 0; i < len; i++)
		name[i] = (char)(name[i] ? name[i] : 'x');
	name[len] = '\0';
}

static void write_random(struct dice *d, struct vici_writer *w, unsigned depth)
{
	static char value[2000];
	char name[256];

	for (unsigned n = roll(d, 6); n > 0; n--) {
		unsigned kind = roll(d, depth < 6 ? 3 : 2);
		size_t len;

		random_name(d, name);
		if (kind == 0) {
			len = random_bytes(d, value, sizeof(value));
			vici_add_bytes(w, name, value, len);
		} else if (kind == 1) {
			vici_add_list(w, name);
			for (unsigned items = roll(d, 5); items > 0; items--)
				vici_add_item(w, "%u", roll(d, 1000000));
			vici_end_list(w);
		} else {
			vici_add_section(w, name);
			write_random(d, w, depth + 1);
			vici_end_section(w);
		}
	}
}

static void check_list(struct dice *d, const struct vici_node *list)
{
	unsigned items = roll(d, 5);
	char text[16];

	assert_int_equal(list->type, VICI_LIST);
	assert_int_equal(list->n_children, items);
	for (unsigned i = 0; i < items; i++) {
		snprintf(text, sizeof(text), "%u", roll(d, 1000000));
		assert_int_equal(list->children[i].type, VICI_VALUE);
		assert_string_equal(list->children[i].value, text);
	}
}

static void check_random(struct dice *d, const struct vici_node *section, unsigned depth)
{
	static char value[2000];
	unsigned n = roll(d, 6);
	char name[256];

	assert_int_equal(section->type, VICI_SECTION);
	assert_int_equal(section->n_children, n);
	for (unsigned i = 0; i < n; i++) {
		const struct vici_node *child = &section->children[i];
		unsigned kind = roll(d, depth < 6 ? 3 : 2);

		random_name(d, name);
		assert_string_equal(child->name, name);
		if (kind == 0) {
			size_t len = random_bytes(d, value, sizeof(value));

			assert_int_equal(child->type, VICI_VALUE);
			assert_int_equal(child->len, len);
			assert_memory_equal(child->value, value, len);
			assert_int_equal(child->value[len], 0);
		} else if (kind == 1) {
			check_list(d, child);
		} else {
			check_random(d, child, depth + 1);
		}
	}
}

static void brings_any_tree_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };
		_cleanup_(vici_tree_freep) struct vici_node *root = NULL;
		struct dice d = { seed };
		struct sn_error e;

		write_random(&d, &w, 0);
		assert_int_equal(vici_writer_check(&w), 0);
		assert_int_equal(vici_parse((uint8_t *)w.b.data, w.b.len, &root, &e), 0);
		d.state = seed;
		check_random(&d, root, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads_the_protocols_own_example),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_broken_messages),
		cmocka_unit_test(reads_the_empty_message),
		cmocka_unit_test(bounds_depth),
		cmocka_unit_test(bounds_elements_and_size),
		cmocka_unit_test(carries_the_longest_names_and_values),
		cmocka_unit_test(remembers_what_cannot_be_written),
		cmocka_unit_test(reads_numbers_strictly),
		cmocka_unit_test(takes_only_yes_for_yes),
		cmocka_unit_test(leaves_no_key_in_freed_memory),
		cmocka_unit_test(brings_any_tree_back),
	};

	return cmocka_run_group_tests_name("ike/vici_codec", tests, NULL, NULL);
}
