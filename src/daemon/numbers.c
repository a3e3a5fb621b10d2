/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/numbers.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "plan/wire.h"

#include <errno.h>
#include <stdio.h>

#define FILE_NAME "if_ids.json"
#define FILE_LIMIT ((size_t)8 << 20)

struct numbers {
	struct loop_worker *worker;
	struct net *net;
	char *path;
	char mesh_id[SN_ID_SIZE];
	struct if_ids ids;
	size_t left; /* those of hosts that left */
	bool dirty;  /* the file has others */
	bool saving; /* the worker has a job of ours */
};

/* --- file ----------------------------------------------------------------- */

static int load(const struct numbers *n, struct if_ids *ret, struct sn_error *e)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(n->path, FILE_LIMIT, &text, &len);

	if (r < 0)
		return sn_error_set(e, r, "%s", sn_strerror(r));
	r = json_parse(text, len, &doc, e);
	return r < 0 ? r : if_ids_from_json(doc, n->mesh_id, ret, e);
}

static void load_or_put_aside(const struct numbers *n, struct if_ids *ret)
{
	_cleanup_free_ char *bad = xasprintf("%s.bad", n->path);
	struct sn_error e;
	int r = load(n, ret, &e);

	if (r == 0 || r == -ENOENT || !n->worker)
		return;
	rename(n->path, bad);
	log_warning("%s: %s; put aside as %s, peers without a link may get other numbers", n->path,
		    e.text, bad);
}

struct save {
	struct numbers *numbers; /* outlives it */
	const char *path;        /* of numbers */
	char *text;
	int result;
};

static char *text_of(const struct numbers *n)
{
	_cleanup_json_ json_t *doc = if_ids_to_json(&n->ids, n->mesh_id);
	char *text = json_dumps(doc, JSON_INDENT(1));

	sn_require(text);
	return text;
}

static int save_now(const char *path, const char *text)
{
	return file_write_atomic(path, text, strlen(text), 0600);
}

static void save_run(void *job)
{
	struct save *s = job;

	s->result = save_now(s->path, s->text);
}

static void save(struct numbers *n); /* again, when there is more */

static void save_done(void *job, bool finished)
{
	struct save *s = job;
	struct numbers *n = s->numbers;
	int result = s->result;

	free(s->text);
	free(s);
	n->saving = false;
	if (!finished)
		n->dirty = true;
	else if (result < 0)
		log_warning("%s: %s; the links' aliases must do at the next start", n->path,
			    sn_strerror(result));
	else if (n->dirty)
		save(n);
}

static void save(struct numbers *n)
{
	struct save *s;

	if (n->saving)
		return;
	s = xcalloc(1, sizeof(*s));
	s->numbers = n;
	s->path = n->path;
	s->text = text_of(n);
	n->dirty = false;
	n->saving = true;
	loop_worker_submit(n->worker, s, save_run, save_done);
}

/* --- life ----------------------------------------------------------------- */

static void add_links(struct numbers *n, const struct object_set *links)
{
	_cleanup_free_ char *prefix = xasprintf("sennit:%s:peer:", n->mesh_id);

	array_foreach(&links->o, o) {
		const char *peer = o->link->alias + strlen(prefix);

		if (o->link->kind == LINK_XFRM && sn_startswith(o->link->alias, prefix) &&
		    host_id_valid(peer))
			(void)if_ids_add(&n->ids, peer, o->link->if_id);
	}
}

struct numbers *numbers_new(struct loop_worker *worker, struct net *net,
			    const struct object_set *links, const char *state_dir,
			    const char *mesh_id)
{
	_cleanup_if_ids_ struct if_ids stored = { 0 };
	struct numbers *n = xcalloc(1, sizeof(*n));

	n->worker = worker;
	n->net = net;
	n->path = xasprintf("%s/" FILE_NAME, state_dir);
	snprintf(n->mesh_id, sizeof(n->mesh_id), "%s", mesh_id);
	add_links(n, links);
	load_or_put_aside(n, &stored);
	array_foreach(&stored.v, k)
		(void)if_ids_add(&n->ids, k->peer, k->number);
	n->dirty = !if_ids_equal(&n->ids, &stored);
	return n;
}

void numbers_free(struct numbers *n)
{
	if (!n)
		return;
	if (n->dirty) {
		_cleanup_free_ char *text = text_of(n);

		(void)save_now(n->path, text);
	}
	if_ids_fini(&n->ids);
	free(n->path);
	free(n);
}

const struct if_ids *numbers_get(const struct numbers *n)
{
	return &n->ids;
}

/* --- settling ------------------------------------------------------------- */

static bool is_peer(const struct snapshot *s, const char *id)
{
	const struct host *h = snapshot_find(s, id);

	return h && h->state != HOST_GONE;
}

/* What the kernel has of XFRM, read when it is first needed, once for all numbers. */
struct xfrm_view {
	struct net_xfrm x;
	bool read;
	int result;
};

static void read_once(struct numbers *n, struct xfrm_view *v)
{
	struct sn_error e;

	if (!v->read)
		v->result = net_xfrm_read(n->net, &v->x, &e);
	v->read = true;
}

/* By a link, an SA or a policy. What cannot be read may have it. */
static bool is_in_use(struct numbers *n, struct xfrm_view *v, uint32_t number)
{
	char device[IFNAMSIZ];

	snprintf(device, sizeof(device), WIRE_XFRM_PREFIX "%u", number);
	if (net_device_index(n->net, device) != -ENODEV)
		return true;
	read_once(n, v);
	if (v->result < 0)
		return v->result != -EPROTONOSUPPORT;
	array_foreach(&v->x.sas, sa)
		if (sa->if_id == number)
			return true;
	array_foreach(&v->x.policies, policy)
		if (policy->if_id == number)
			return true;
	return false;
}

/* Of hosts that left, those that nothing has any more. */
static void drop_unused(struct numbers *n, const struct snapshot *s)
{
	struct xfrm_view view = { 0 };

	n->left = 0;
	for (size_t i = n->ids.v.n; i-- > 0;) {
		const struct if_id *k = &n->ids.v.v[i];

		if (is_peer(s, k->peer))
			continue;
		if (is_in_use(n, &view, k->number)) {
			n->left++;
			continue;
		}
		log_debug("number %u of %s is free", k->number, k->peer);
		if_ids_remove(&n->ids, i);
		n->dirty = true;
	}
	net_xfrm_fini(&view.x);
}

void numbers_settle(struct numbers *n, const struct snapshot *s, const struct wanted *wanted,
		    bool is_new)
{
	if (!is_new && !n->left)
		return;
	array_foreach(&wanted->peers, p) {
		if (p->if_id && !if_ids_find(&n->ids, p->id))
			n->dirty |= if_ids_add(&n->ids, p->id, p->if_id);
	}
	drop_unused(n, s);
	if (n->dirty)
		save(n);
}
