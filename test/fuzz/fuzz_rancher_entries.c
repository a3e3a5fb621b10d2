/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: /hosts, and, behind a NUL, /containers, as they arrive: in pieces, entry by
 * entry. The pieces' size makes no difference; the facts are those of the
 * documents read whole; a second reading parses nothing.
 */
#include "model/json_stream.h"
#include "model/rancher.h"

#include "check.h"

#define NETWORKS                                                                                   \
	"[{\"name\":\"ipsec\",\"uuid\":\"net1\",\"metadata\":{\"cniConfig\":{\"10-rancher.conf\":" \
	"{\"type\":\"rancher-bridge\",\"bridgeSubnet\":\"10.42.0.0/16\"}}}}]"

/* No entry is longer here: the limit is reached. */
#define MAX_ENTRY 2048
#define MAX_ENTRIES 64

struct reading {
	struct rancher_facts *facts;
	enum rancher_list list;
	size_t next;
};

static int on_entry(const char *text, size_t len, size_t index, struct sn_error *e, void *user)
{
	struct reading *r = user;

	sn_require(index == r->next++ && len <= MAX_ENTRY && index < MAX_ENTRIES);
	return rancher_facts_take(r->facts, r->list, text, len, e);
}

/* 0 or -EINVAL and the like. piece: bytes at a time. */
static int feed(struct rancher_facts *f, enum rancher_list list, const char *text, size_t len,
		size_t piece)
{
	struct reading reading = { .facts = f, .list = list };
	struct sn_error e = { 0 };
	struct json_stream s;
	int r = 0;

	json_stream_init(&s, MAX_ENTRY, MAX_ENTRIES, on_entry, &reading);
	rancher_facts_begin(f, list);
	for (size_t at = 0; r == 0 && at < len; at += piece)
		r = json_stream_feed(&s, text + at, SN_MIN(piece, len - at), &e);
	if (r == 0)
		r = json_stream_end(&s, &e);
	if (r >= 0)
		rancher_facts_end(f, list, r == 1);
	json_stream_fini(&s);
	sn_require(r >= 0 || (e.code == r && e.text[0]));
	return SN_MIN(r, 0);
}

struct documents {
	const char *hosts, *containers;
	size_t hosts_len, containers_len;
};

static struct rancher_facts *new_facts(const struct config *config)
{
	static const uint8_t key[16] = "0123456789abcdef";
	struct rancher_facts *f = rancher_facts_new(config, key);
	_cleanup_json_ json_t *networks = NULL, *self = json_pack("{s:s}", "uuid", "h1");
	struct sn_error e;

	sn_require(json_parse(NETWORKS, strlen(NETWORKS), &networks, &e) == 0);
	sn_require(rancher_facts_self(f, self, &e) == 0);
	sn_require(rancher_facts_networks(f, networks, &e) == 1);
	return f;
}

static int feed_all(struct rancher_facts *f, const struct documents *d, size_t piece)
{
	int r = feed(f, RANCHER_HOSTS, d->hosts, d->hosts_len, piece);

	return r < 0 ? r : feed(f, RANCHER_CONTAINERS, d->containers, d->containers_len, piece);
}

static struct snapshot *snapshot_of(struct rancher_facts *f)
{
	struct snapshot *s = NULL;
	struct sn_error e = { 0 };

	if (rancher_facts_snapshot(f, "v", "http://metadata/", NULL, &s, &e) < 0)
		sn_require(!s && e.code < 0 && e.text[0] == '/');
	else
		check_snapshot(s);
	return s;
}

static struct snapshot *read_whole(const struct documents *d, const struct config *config)
{
	_cleanup_json_ json_t *self = json_pack("{s:s}", "uuid", "h1");
	_cleanup_json_ json_t *networks = NULL, *hosts = NULL, *containers = NULL;
	struct rancher_documents docs = { .version = "v", .source = "http://metadata/" };
	struct snapshot *s = NULL;
	struct sn_error e;

	sn_require(json_parse(NETWORKS, strlen(NETWORKS), &networks, &e) == 0);
	sn_require(json_parse(d->hosts, d->hosts_len, &hosts, &e) == 0);
	sn_require(json_parse(d->containers, d->containers_len, &containers, &e) == 0);
	docs.self_host = self;
	docs.hosts = hosts;
	docs.containers = containers;
	docs.networks = networks;
	rancher_snapshot(&docs, config, NULL, &s, &e);
	return s;
}

/* What was read once is known. */
static void check_again(struct rancher_facts *f, const struct documents *d,
			const struct snapshot *before)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	uint64_t parsed = rancher_facts_parsed(f);

	sn_require(feed_all(f, d, 4096) == 0 && rancher_facts_parsed(f) == parsed);
	s = snapshot_of(f);
	sn_require(!s == !before && (!s || snapshot_equal(s, before)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_freep) struct config *config = config_new();
	_cleanup_(rancher_facts_freep) struct rancher_facts *f = new_facts(config);
	_cleanup_(rancher_facts_freep) struct rancher_facts *g = new_facts(config);
	_cleanup_(snapshot_freep) struct snapshot *a = NULL, *b = NULL, *whole = NULL;
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	struct documents d = { (const char *)data, "[]", nul ? (size_t)(nul - data) : size, 2 };
	int r;

	if (nul) {
		d.containers = (const char *)nul + 1;
		d.containers_len = size - d.hosts_len - 1;
	}
	r = feed_all(f, &d, SN_MAX(size, 1u));
	sn_require(feed_all(g, &d, 1 + size % 7) == r);
	if (r < 0)
		return 0;
	a = snapshot_of(f);
	b = snapshot_of(g);
	sn_require(!a == !b && (!a || snapshot_equal(a, b)));
	whole = read_whole(&d, config);
	sn_require(!a == !whole && (!a || snapshot_equal(a, whole)));
	check_again(f, &d, a);
	return 0;
}
