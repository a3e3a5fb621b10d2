/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot as a value: building, freeing, looking up, comparing. What
 * makes it valid stands in model/settle.c, its stored form in model/stored.c.
 */
#include "model/draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const state_names[] = {
	[HOST_ACTIVE] = "active",
	[HOST_INACTIVE] = "inactive",
	[HOST_RECONNECTING] = "reconnecting",
	[HOST_DISCONNECTED] = "disconnected",
	[HOST_GONE] = "gone",
};

const char *host_state_to_string(enum host_state state)
{
	return state_names[state];
}

int host_state_from_string(const char *name, enum host_state *ret)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(state_names); i++) {
		if (streq(name, state_names[i])) {
			*ret = (enum host_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool host_id_valid(const char *id)
{
	size_t n = 0;

	if (!is_alnum(id[0]))
		return false;
	for (; id[n]; n++) {
		if (n + 1 == SN_ID_SIZE)
			return false;
		if (!is_alnum(id[n]) && !strchr("._-", id[n]))
			return false;
	}
	return true;
}

bool snapshot_is_flat(const struct snapshot *s)
{
	array_foreach(&s->hosts, h) {
		array_foreach(&h->prefixes, p) {
			if (sn_prefix_is_single(p))
				return true;
		}
	}
	return false;
}

const struct sn_prefix *snapshot_overlay(const struct snapshot *s, uint8_t family)
{
	return sn_prefix_pair_get(&s->overlay, family);
}

const struct sn_addr *host_overlay_ip(const struct host *h, uint8_t family)
{
	return sn_addr_pair_get(&h->overlay_ip, family);
}

/* They are sorted, IPv4's first. */
bool host_has_family(const struct host *h, uint8_t family)
{
	return h->prefixes.n > 0 && (h->prefixes.v[0].addr.family == family ||
				     h->prefixes.v[h->prefixes.n - 1].addr.family == family);
}

struct snapshot *snapshot_new(void)
{
	return xcalloc(1, sizeof(struct snapshot));
}

void host_fini(struct host *h)
{
	free(h->name);
	array_free(&h->underlay);
	array_free(&h->prefixes);
	memset(h, 0, sizeof(*h));
}

void problem_fini(struct problem *p)
{
	free(p->place);
	free(p->text);
	memset(p, 0, sizeof(*p));
}

/* Bytes of the UTF-8 character at s, 0 when there is none (RFC 3629). */
static size_t utf8_length(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;

	if (u[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	/* too long a form, a surrogate, or beyond U+10FFFF */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

char *text_cut(const char *s, size_t max)
{
	char *cut = xstrndup(s, max), *end = cut;

	for (const char *p = cut; *p;) {
		size_t n = utf8_length(p);

		memmove(end, p, n);
		end += n;
		p += n ? n : 1;
	}
	*end = '\0';
	return cut;
}

void problem_from_error(struct problem *p, const char *place, const struct sn_error *e)
{
	size_t n = strlen(place);
	const char *colon = sn_startswith(e->text, place) ? strstr(e->text + n, ": ") : NULL;

	p->place = text_cut(colon ? e->text : place,
			    colon ? (size_t)(colon - e->text) : strlen(place));
	p->text = text_cut(colon ? colon + 2 : e->text, sizeof(e->text));
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	array_foreach(&s->hosts, h) {
		host_fini(h);
	}
	array_foreach(&s->problems, p) {
		problem_fini(p);
	}
	array_free(&s->hosts);
	array_free(&s->problems);
	free(s->mesh_name);
	free(s->revision);
	free(s->source);
	free(s);
}

#define copy_array(to, from)                                                                       \
	do {                                                                                       \
		(to)->n = (to)->size = (from)->n;                                                  \
		(to)->v = (from)->n ? xmalloc((from)->n * sizeof(*(from)->v)) : NULL;              \
		if ((from)->n)                                                                     \
			memcpy((to)->v, (from)->v, (from)->n * sizeof(*(from)->v));                \
	} while (0)

static void copy_host(struct host *to, const struct host *from)
{
	*to = *from;
	to->name = xstrdup_null(from->name);
	copy_array(&to->underlay, &from->underlay);
	copy_array(&to->prefixes, &from->prefixes);
}

struct snapshot *snapshot_copy(const struct snapshot *s)
{
	struct snapshot *copy = snapshot_new();

	*copy = *s;
	copy->mesh_name = xstrdup_null(s->mesh_name);
	copy->revision = xstrdup_null(s->revision);
	copy->source = xstrdup_null(s->source);
	copy_array(&copy->hosts, &s->hosts);
	for (size_t i = 0; i < s->hosts.n; i++)
		copy_host(&copy->hosts.v[i], &s->hosts.v[i]);
	copy_array(&copy->problems, &s->problems);
	array_foreach(&copy->problems, p) {
		p->place = xstrdup(p->place);
		p->text = xstrdup(p->text);
	}
	return copy;
}

struct host *snapshot_add_host(struct snapshot *s, const char *id)
{
	struct host *h = array_add(&s->hosts);

	snprintf(h->id, sizeof(h->id), "%s", id);
	return h;
}

static int cmp_id(const void *id, const void *host)
{
	return strcmp(id, ((const struct host *)host)->id);
}

const struct host *snapshot_find(const struct snapshot *s, const char *id)
{
	return s->hosts.n ? bsearch(id, s->hosts.v, s->hosts.n, sizeof(*s->hosts.v), cmp_id) : NULL;
}

const struct host *snapshot_self(const struct snapshot *s)
{
	return snapshot_find(s, s->self_id);
}

void snapshot_add_problem(struct snapshot *s, const char *place, const char *fmt, ...)
{
	char text[sizeof(((struct sn_error *)NULL)->text)];
	struct problem *p;
	va_list ap;

	if (s->problems.n >= SNAPSHOT_MAX_PROBLEMS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p = array_add(&s->problems);
	p->place = xstrdup(place);
	p->text = text_cut(text, sizeof(text));
}

static bool host_equal(const struct host *a, const struct host *b)
{
	if (!streq(a->id, b->id) || !streq_null(a->name, b->name) || a->state != b->state ||
	    !streq(a->replaced_by, b->replaced_by) || a->created_ms != b->created_ms ||
	    a->behind_nat != b->behind_nat ||
	    sn_addr_pair_cmp(&a->overlay_ip, &b->overlay_ip) != 0 ||
	    a->underlay.n != b->underlay.n || a->prefixes.n != b->prefixes.n)
		return false;
	for (size_t i = 0; i < a->underlay.n; i++) {
		if (sn_addr_cmp(&a->underlay.v[i], &b->underlay.v[i]) != 0)
			return false;
	}
	for (size_t i = 0; i < a->prefixes.n; i++) {
		if (sn_prefix_cmp(&a->prefixes.v[i], &b->prefixes.v[i]) != 0)
			return false;
	}
	return true;
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
	if (!streq(a->mesh_id, b->mesh_id) || !streq_null(a->mesh_name, b->mesh_name) ||
	    !streq(a->self_id, b->self_id) || sn_prefix_pair_cmp(&a->overlay, &b->overlay) != 0 ||
	    a->hosts.n != b->hosts.n)
		return false;
	for (size_t i = 0; i < a->hosts.n; i++) {
		if (!host_equal(&a->hosts.v[i], &b->hosts.v[i]))
			return false;
	}
	return true;
}

const char *underlay_unusable(const struct sn_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zero[16];

	if (a->family == AF_INET) {
		if (a->bytes[0] == 0)
			return "in 0.0.0.0/8";
		if (a->bytes[0] == 127)
			return "a loopback address";
		return a->bytes[0] >= 224 ? "not a unicast address" : NULL;
	}
	if (memcmp(a->bytes, zero, 15) == 0 && a->bytes[15] <= 1)
		return a->bytes[15] ? "the loopback address" : "the unspecified address";
	if (memcmp(a->bytes, mapped, sizeof(mapped)) == 0)
		return "an IPv4 address in IPv6 form";
	if (a->bytes[0] == 0xff)
		return "a multicast address";
	/* without a scope nobody can reach it */
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80 ? "a link-local address" : NULL;
}
