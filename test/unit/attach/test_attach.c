/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attachments against a kernel of our own: the four functions of net/netns.h
 * are here, a "descriptor" is the namespace's number, and each step that
 * touches the kernel first and afterwards copies the file and the links, as a
 * kill -9 at that moment would leave them.
 */
#include "attach/attach.h"

#include "attach/store.h"
#include "base/file.h"
#include "net/netns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MAX_LINKS 16
#define MAX_MOMENTS 16

struct links {
	char name[MAX_LINKS][IFNAMSIZ];
	size_t n;
};

struct moment {
	char *file; /* NULL: there is none */
	struct links links;
};

static struct links links;
static struct moment moments[MAX_MOMENTS];
static size_t n_moments;
static int fail_attach, fail_detach; /* negative errno of the next ones */
static int fail_look;
static bool break_disk; /* at the next attach, after the link is made */
static char *folder;
static char *file;
static char *away; /* where the folder is while the disk is broken */

/* --- the kernel -------------------------------------------------------------- */

static void note_moment(void)
{
	struct moment *m = &moments[n_moments++];
	size_t len;

	assert_true(n_moments <= MAX_MOMENTS);
	m->links = links;
	m->file = NULL;
	if (file_read(file, 1 << 20, &m->file, &len) < 0)
		m->file = NULL;
}

static size_t link_index(const char *name)
{
	size_t i = 0;

	while (i < links.n && !streq(links.name[i], name))
		i++;
	return i;
}

static void link_delete(const char *name)
{
	size_t i = link_index(name);

	if (i < links.n)
		memmove(links.name[i], links.name[i + 1], (--links.n - i) * IFNAMSIZ);
}

int netns_check(int fd, struct netns_id *ret, struct sn_error *e)
{
	if (fd < 0)
		return sn_error_set(e, -EINVAL, "no namespace");
	*ret = (struct netns_id){ .dev = 4, .ino = (uint64_t)fd };
	return 0;
}

int netns_attach(int fd, const struct attachment *a, const char *alias, const char *bridge, int mtu,
		 const struct sn_addr_pair *gateways, struct sn_error *e)
{
	assert_int_equal(a->netns_ino, fd);
	assert_false(a->ready);
	assert_true(sn_startswith(alias, "sennit:m1:attachment:"));
	assert_string_equal(bridge, "sennit0");
	assert_int_equal(mtu, 1400);
	/* the bridge's in the same subnet */
	if (sn_prefix_pair_get(&a->addr, AF_INET)) {
		assert_memory_equal(gateways->of[0].bytes, a->addr.of[0].addr.bytes, 3);
		assert_int_equal(gateways->of[0].bytes[3], 1);
	}
	if (sn_prefix_pair_get(&a->addr, AF_INET6))
		assert_string_equal(SN_ADDR_STR(&gateways->of[1]), "fd42::1");
	note_moment();
	if (fail_attach)
		return sn_error_set(e, fail_attach, "the kernel does not want to");
	strcpy(links.name[links.n++], a->veth);
	note_moment();
	if (break_disk)
		assert_int_equal(rename(folder, away), 0);
	return 0;
}

int netns_detach(const struct attachment *a, struct sn_error *e)
{
	note_moment();
	if (fail_detach)
		return sn_error_set(e, fail_detach, "the kernel does not want to");
	link_delete(a->veth);
	note_moment();
	return 0;
}

int netns_attached(const struct attachment *a)
{
	if (fail_look)
		return fail_look;
	return link_index(a->veth) < links.n;
}

/* --- the world around -------------------------------------------------------- */

static struct attachments *load(void)
{
	static const struct sn_prefix subnet = { { AF_INET, { 10, 42, 1, 0 } }, 29 };
	const struct attach_place place = { .mesh_id = "m1",
					    .bridge = "sennit0",
					    .mtu = 1400,
					    .prefixes = &subnet,
					    .n_prefixes = 1,
					    .host_overlay_ip.of[0] = { AF_INET,
								       { 10, 42, 1, 1 } } };
	struct attachments *as = NULL;
	struct sn_error e;

	assert_int_equal(attachments_load(folder, &as, &e), 0);
	attachments_set_place(as, &place);
	return as;
}

static int attach_as(struct attachments *as, int ns, const char *ifname, const char *want,
		     const struct attachment **ret, struct sn_error *e)
{
	struct attach_request req = { .netns_fd = ns, .ifname = ifname, .label = "web" };

	if (want)
		assert_int_equal(sn_addr_parse(want, &req.want.of[0]), 0);
	return attachments_attach(as, &req, ret, e);
}

/* Attaches namespace ns and gives the last byte of its address, or the error. */
static int attach(struct attachments *as, int ns)
{
	const struct attachment *a = NULL;
	struct sn_error e;
	int r = attach_as(as, ns, "eth0", NULL, &a, &e);

	return r < 0 ? r : a->addr.of[0].addr.bytes[3];
}

static size_t count(const struct attachments *as)
{
	size_t n;

	attachments_all(as, &n);
	return n;
}

/* Every link has its entry, every entry its link and is ready. */
static void expect_consistent(const struct attachments *as)
{
	size_t n;
	const struct attachment *all = attachments_all(as, &n);

	assert_int_equal(n, links.n);
	for (size_t i = 0; i < n; i++) {
		assert_true(all[i].ready);
		assert_true(netns_attached(&all[i]));
	}
}

static void forget_moments(void)
{
	while (n_moments > 0)
		free(moments[--n_moments].file);
}

static int setup(void **state)
{
	(void)state;
	folder = xstrdup("/tmp/sennit-test-attach-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	file = xasprintf("%s/attachments.json", folder);
	away = xasprintf("%s-away", folder);
	links.n = 0;
	fail_attach = fail_detach = 0;
	break_disk = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forget_moments();
	unlink(file);
	rmdir(folder);
	free(file);
	free(away);
	free(folder);
	return 0;
}

/* --- tests ------------------------------------------------------------------- */

static void attaching_twice_is_attaching_once(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct attachment *a = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(attach_as(as, 7, "eth0", NULL, &a, &e), ATTACH_MADE);
	assert_true(a->ready);
	assert_string_equal(SN_PREFIX_PAIR_STR(&a->addr), "10.42.1.2/29");
	assert_string_equal(a->label, "web");
	assert_int_equal(a->mac[0], 0x02);
	assert_memory_equal(a->mac + 2, a->addr.of[0].addr.bytes, 4);
	assert_int_equal(attach_as(as, 7, "eth0", NULL, &a, &e), ATTACH_WAS_THERE);
	assert_int_equal(attach_as(as, 7, "eth0", "10.42.1.2", &a, &e), ATTACH_WAS_THERE);
	assert_int_equal(attach_as(as, 7, "eth0", "10.42.1.3", &a, &e), -EEXIST);
	assert_int_equal(count(as), 1);
	assert_int_equal(attach_as(as, 7, "eth1", NULL, &a, &e), ATTACH_MADE);
	assert_int_equal(count(as), 2);
	expect_consistent(as);
}

static void a_restart_knows_all_and_gives_no_address_twice(void **state)
{
	struct attachments *as = load();

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attach(as, 8), 3);
	attachments_free(as);
	as = load();
	expect_consistent(as);
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attach(as, 9), 4);
	attachments_free(as);
}

static void the_rest_of_a_freed_address_survives_a_restart(void **state)
{
	struct attachments *as = load();
	struct sn_error e;

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attachments_detach(as, 7, "eth0", &e), 0);
	assert_int_equal(attachments_detach(as, 7, "eth0", &e), 1);
	attachments_free(as);
	as = load();
	assert_int_equal(attach(as, 8), 3);
	attachments_free(as);
}

static void wanted_addresses_are_given_or_refused_with_the_reason(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct attachment *a = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(attach_as(as, 7, "eth0", "10.42.1.5", &a, &e), ATTACH_MADE);
	assert_int_equal(attach_as(as, 8, "eth0", "10.42.1.5", &a, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "(web)"));
	assert_int_equal(attach_as(as, 8, "eth0", "10.42.1.1", &a, &e), -EADDRNOTAVAIL);
	assert_int_equal(attach_as(as, 8, "eth0", "10.42.2.5", &a, &e), -EADDRNOTAVAIL);
	assert_int_equal(attach(as, 8), 2);
	assert_int_equal(attach(as, 9), 3);
	assert_int_equal(attach(as, 10), 4);
	assert_int_equal(attach(as, 11), 6);
	assert_int_equal(attach(as, 12), -ENOSPC);
	expect_consistent(as);
}

static void wrong_requests_are_refused(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct attach_place nowhere = { .mesh_id = "m1" };
	const struct attachment *a = NULL;
	struct sn_error e;

	(void)state;
	assert_int_equal(attach_as(as, 7, "a/b", NULL, &a, &e), -EINVAL);
	assert_int_equal(attach_as(as, -1, "eth0", NULL, &a, &e), -EINVAL);
	assert_int_equal(attach(as, 7), 2);
	attachments_set_place(as, &nowhere);
	assert_int_equal(attach(as, 8), -EAGAIN);
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attachments_detach_id(as, "0123456789abcdef", &e), -ENOENT);
}

static void a_failure_of_the_kernel_leaves_nothing(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load(), *again = NULL;

	(void)state;
	fail_attach = -ENODEV;
	assert_int_equal(attach(as, 7), -ENODEV);
	fail_attach = 0;
	assert_int_equal(count(as), 0);
	again = load();
	assert_int_equal(count(again), 0);
}

static void what_cannot_be_undone_keeps_its_address_until_it_is(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();

	(void)state;
	fail_attach = fail_detach = -ENOBUFS;
	assert_int_equal(attach(as, 7), -ENOBUFS);
	assert_int_equal(count(as), 1);
	assert_int_equal(attachments_sweep(as), 0);
	fail_attach = fail_detach = 0;
	assert_int_equal(attachments_sweep(as), 1);
	assert_int_equal(count(as), 0);
}

static void a_disk_that_fails_undoes_the_kernel(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	break_disk = true;
	assert_int_equal(attach(as, 8), -ENOENT);
	expect_consistent(as);
	/* and nothing is made when not even the intention can be written */
	break_disk = false;
	forget_moments();
	assert_int_equal(attach(as, 9), -ENOENT);
	assert_int_equal(n_moments, 0);
	expect_consistent(as);
	assert_int_equal(rename(away, folder), 0);
	attachments_sweep(as);
	attachments_free(sn_steal(as));
	as = load();
	expect_consistent(as);
	assert_int_equal(count(as), 1);
}

/* Puts back what a kill -9 at that moment had left, starts again, and looks. */
static void expect_recovery_from(const struct moment *m)
{
	struct attachments *as;

	links = m->links;
	unlink(file);
	if (m->file)
		assert_int_equal(file_write_atomic(file, m->file, strlen(m->file), 0600), 0);
	as = load();
	expect_consistent(as);
	attachments_free(as);
	/* once more: what was undone must not come back */
	as = load();
	expect_consistent(as);
	attachments_free(as);
}

static void a_kill_at_any_moment_leaves_no_link_without_entry(void **state)
{
	struct attachments *as = load();
	struct moment taken[MAX_MOMENTS];
	struct sn_error e;
	size_t n;

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attach(as, 8), 3);
	assert_int_equal(attachments_detach(as, 7, "eth0", &e), 0);
	fail_attach = -EIO;
	assert_int_equal(attach(as, 9), -EIO);
	fail_attach = 0;
	attachments_free(as);
	n = n_moments;
	assert_int_equal(n, 9);
	memcpy(taken, moments, sizeof(taken));
	n_moments = 0;
	for (size_t i = 0; i < n; i++) {
		expect_recovery_from(&taken[i]);
		forget_moments();
		free(taken[i].file);
	}
}

static void an_entry_whose_link_is_gone_is_made_anew(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct attachment *a = NULL;
	char old[ATTACHMENT_ID_SIZE];
	struct sn_error e;

	(void)state;
	assert_int_equal(attach_as(as, 7, "eth0", NULL, &a, &e), ATTACH_MADE);
	strcpy(old, a->id);
	links.n = 0;
	/* the inode is another namespace's now */
	assert_int_equal(attach_as(as, 7, "eth0", NULL, &a, &e), ATTACH_MADE);
	assert_string_not_equal(a->id, old);
	assert_string_equal(SN_PREFIX_PAIR_STR(&a->addr), "10.42.1.3/29");
	assert_int_equal(count(as), 1);
	expect_consistent(as);
}

static void what_the_kernel_does_not_tell_of_is_kept(void **state)
{
	struct attachments *as = load();
	struct attach_request req = { .netns_fd = 7, .ifname = "eth0" };
	const struct attachment *a;
	struct sn_error e;

	(void)state;
	assert_int_equal(attachments_attach(as, &req, &a, &e), ATTACH_MADE);
	fail_look = -ENOBUFS;
	assert_int_equal(attachments_sweep(as), 0);
	assert_int_equal(attachments_attach(as, &req, &a, &e), -ENOBUFS);
	fail_look = 0;
	assert_int_equal(links.n, 1);
	expect_consistent(as);
	attachments_free(as);
}

static void the_sweep_drops_what_vanished_and_says_how_many(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	size_t n;

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attach(as, 8), 3);
	assert_int_equal(attach(as, 9), 4);
	assert_int_equal(attachments_sweep(as), 0);
	link_delete(attachments_all(as, &n)[1].veth);
	assert_int_equal(attachments_sweep(as), 1);
	expect_consistent(as);
	attachments_free(sn_steal(as));
	as = load();
	assert_int_equal(count(as), 2);
	assert_int_equal(attach(as, 10), 5);
}

/* --- two families ------------------------------------------------------------ */

static struct sn_prefix prefix(const char *s)
{
	struct sn_prefix p;

	assert_int_equal(sn_prefix_parse(s, &p), 0);
	return p;
}

/* a, b: this host's prefixes; NULL: none. */
static void place_of_two(struct attachments *as, const char *a, const char *b)
{
	struct sn_prefix prefixes[2];
	struct attach_place place = { .mesh_id = "m1",
				      .bridge = "sennit0",
				      .mtu = 1400,
				      .prefixes = prefixes,
				      .host_overlay_ip = { { prefix("10.42.1.1").addr,
							     prefix("fd42::1").addr } } };

	if (a)
		prefixes[place.n_prefixes++] = prefix(a);
	if (b)
		prefixes[place.n_prefixes++] = prefix(b);
	attachments_set_place(as, &place);
}

/* What it gets, or why not. want4, want6: NULL for any. */
static const char *attach_two(struct attachments *as, int ns, const char *want4, const char *want6)
{
	static char text[sizeof(((struct sn_error *)NULL)->text)];
	struct attach_request req = { .netns_fd = ns, .ifname = "eth0" };
	const struct attachment *a = NULL;
	struct sn_error e = { 0 };
	int r;

	if (want4)
		req.want.of[0] = prefix(want4).addr;
	if (want6)
		req.want.of[1] = prefix(want6).addr;
	r = attachments_attach(as, &req, &a, &e);
	snprintf(text, sizeof(text), "%s", r < 0 ? e.text : SN_PREFIX_PAIR_STR(&a->addr));
	return text;
}

static void one_of_each_family_is_given_and_freed(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct attachment *a;
	size_t n;

	(void)state;
	place_of_two(as, "10.42.1.0/29", "fd42::/64");
	assert_string_equal(attach_two(as, 7, NULL, NULL), "10.42.1.2/29, fd42::2/64");
	a = attachments_all(as, &n);
	assert_memory_equal(a->mac + 2, a->addr.of[0].addr.bytes, 4);
	assert_string_equal(attach_two(as, 7, NULL, "fd42::2"), "10.42.1.2/29, fd42::2/64");
	assert_string_equal(attach_two(as, 7, "10.42.1.3", NULL),
			    "eth0 there has the address 10.42.1.2: detach it first");
	assert_string_equal(attach_two(as, 7, "10.42.1.2", "fd42::3"),
			    "eth0 there has the address fd42::2: detach it first");
	assert_string_equal(attach_two(as, 8, NULL, "fd42::99"), "10.42.1.3/29, fd42::99/64");
	assert_string_equal(attach_two(as, 9, NULL, NULL), "10.42.1.4/29, fd42::3/64");
	assert_non_null(strstr(attach_two(as, 10, "10.42.1.5", "fd42::99"),
			       "fd42::99 is taken by attachment"));
	assert_non_null(
		strstr(attach_two(as, 10, "10.42.1.5", "fd42::1"), "fd42::1 is this host's own"));
	/* nothing of a request that failed is held */
	assert_string_equal(attach_two(as, 10, "10.42.1.5", NULL), "10.42.1.5/29, fd42::4/64");
	expect_consistent(as);
	assert_int_equal(attachments_detach_id(as, attachments_all(as, &n)->id, NULL), 0);
	/* both rest as long as they can */
	assert_string_equal(attach_two(as, 11, NULL, NULL), "10.42.1.6/29, fd42::5/64");
	assert_string_equal(attach_two(as, 12, "10.42.1.2", "fd42::2"), "10.42.1.2/29, fd42::2/64");
}

/* As the file of an earlier sennit leaves it: what is attached goes on with what it has. */
static void a_second_family_comes_and_goes(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	place_of_two(as, "10.42.1.0/29", "fd42::/64");
	assert_int_equal(attachments_misplaced(as), 0);
	assert_string_equal(attach_two(as, 7, NULL, NULL), "10.42.1.2/29");
	assert_string_equal(attach_two(as, 8, NULL, NULL), "10.42.1.3/29, fd42::2/64");
	place_of_two(as, "10.42.1.0/29", NULL);
	assert_int_equal(attachments_misplaced(as), 1);
	assert_string_equal(attach_two(as, 9, NULL, NULL), "10.42.1.4/29");
	place_of_two(as, NULL, "fd42::/64");
	assert_int_equal(attachments_misplaced(as), 3);
	assert_string_equal(attach_two(as, 10, NULL, NULL), "fd42::3/64");
	expect_consistent(as);
}

/* Back to one overlay, the file is again what a sennit that knew no other can read. */
static void the_file_is_of_one_family_again(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	_cleanup_free_ char *text = NULL;
	struct sn_error e;
	size_t n;

	(void)state;
	place_of_two(as, "10.42.1.0/29", "fd42::/64");
	assert_string_equal(attach_two(as, 7, NULL, NULL), "10.42.1.2/29, fd42::2/64");
	assert_int_equal(attachments_detach(as, 7, "eth0", &e), 0);
	place_of_two(as, "10.42.1.0/29", NULL);
	assert_string_equal(attach_two(as, 7, NULL, NULL), "10.42.1.3/29");
	assert_int_equal(file_read(file, 1 << 20, &text, &n), 0);
	assert_null(strstr(text, "fd42"));
	assert_non_null(strstr(text, "\"10.42.1.3\""));
}

static void a_family_may_be_flat(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();

	(void)state;
	place_of_two(as, "10.42.7.7/32", "fd42::/64");
	assert_string_equal(attach_two(as, 7, NULL, NULL), "fd42::2/64");
	assert_string_equal(attach_two(as, 8, NULL, "fd42::5"), "fd42::5/64");
	place_of_two(as, "10.42.7.7/32", "fd42::7:7/128");
	assert_non_null(strstr(attach_two(as, 9, NULL, NULL), "the mesh is flat"));
}

static void an_address_without_a_gateway_is_refused_with_the_reason(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct sn_prefix prefixes[] = { prefix("10.42.1.0/29"), prefix("fd42::7/128") };
	const struct attach_place place = { .mesh_id = "m1",
					    .bridge = "sennit0",
					    .mtu = 1400,
					    .prefixes = prefixes,
					    .n_prefixes = 2,
					    .host_overlay_ip = { { prefix("10.42.1.1").addr } } };

	(void)state;
	attachments_set_place(as, &place);
	assert_non_null(strstr(attach_two(as, 7, NULL, "fd42::7"),
			       "fd42::7 would have no gateway: this host has no IPv6 overlay"));
	assert_int_equal(links.n, 0);
	assert_string_equal(attach_two(as, 7, NULL, NULL), "10.42.1.2/29");
}

static void one_full_family_gives_nothing_of_the_other(void **state)
{
	_cleanup_(attachments_freep) struct attachments *as = load();

	(void)state;
	place_of_two(as, "10.42.1.0/29", "fd42::/64");
	for (int ns = 1; ns <= 5; ns++)
		assert_non_null(strstr(attach_two(as, ns, NULL, NULL), ", fd42::"));
	assert_non_null(
		strstr(attach_two(as, 9, NULL, NULL), "every IPv4 address of this host's subnet"));
	assert_int_equal(count(as), 5);
}

static void a_moved_host_keeps_the_old_ones_and_says_so(void **state)
{
	static const struct sn_prefix moved = { { AF_INET, { 10, 42, 5, 0 } }, 24 };
	const struct attach_place place = { .mesh_id = "m1",
					    .bridge = "sennit0",
					    .mtu = 1400,
					    .prefixes = &moved,
					    .n_prefixes = 1,
					    .host_overlay_ip.of[0] = { AF_INET,
								       { 10, 42, 1, 1 } } };
	_cleanup_(attachments_freep) struct attachments *as = load();
	const struct attachment *a = NULL;
	struct sn_error e;
	size_t n;

	(void)state;
	assert_int_equal(attach(as, 7), 2);
	assert_int_equal(attachments_misplaced(as), 0);
	attachments_set_place(as, &place);
	assert_int_equal(attachments_misplaced(as), 1);
	assert_int_equal(attach_as(as, 8, "eth0", NULL, &a, &e), ATTACH_MADE);
	assert_string_equal(SN_PREFIX_PAIR_STR(&a->addr), "10.42.5.2/24");
	assert_int_equal(attachments_misplaced(as), 1);
	assert_true(attachment_is_misplaced(as, attachments_all(as, &n)));
	expect_consistent(as);
}

#define world_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(attaching_twice_is_attaching_once),
		world_test(a_restart_knows_all_and_gives_no_address_twice),
		world_test(the_rest_of_a_freed_address_survives_a_restart),
		world_test(wanted_addresses_are_given_or_refused_with_the_reason),
		world_test(wrong_requests_are_refused),
		world_test(a_failure_of_the_kernel_leaves_nothing),
		world_test(what_cannot_be_undone_keeps_its_address_until_it_is),
		world_test(a_disk_that_fails_undoes_the_kernel),
		world_test(a_kill_at_any_moment_leaves_no_link_without_entry),
		world_test(an_entry_whose_link_is_gone_is_made_anew),
		world_test(what_the_kernel_does_not_tell_of_is_kept),
		world_test(the_sweep_drops_what_vanished_and_says_how_many),
		world_test(a_moved_host_keeps_the_old_ones_and_says_so),
		world_test(one_of_each_family_is_given_and_freed),
		world_test(a_second_family_comes_and_goes),
		world_test(the_file_is_of_one_family_again),
		world_test(a_family_may_be_flat),
		world_test(an_address_without_a_gateway_is_refused_with_the_reason),
		world_test(one_full_family_gives_nothing_of_the_other),
	};

	return cmocka_run_group_tests_name("attach/attach", tests, NULL, NULL);
}
