/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: a line with a path, one with "json" or "text", one with the caller's
 * address, one with `since`, and the mesh.json that is served (none: a mesh of two
 * hosts, in its second version). JSON is JSON, an ETag is that of its body,
 * and an entry by its index is the entry.
 */
#include "answer.h"

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESH(more)                                                                                 \
	"{\"mesh\":\"m1\",\"name\":\"a \\\"mesh\\\"\",\"overlay\":\"10.42.0.0/16\",\"hosts\":["    \
	"{\"id\":\"h1\",\"name\":\"One\",\"addresses\":[\"192.0.2.11\"],"                          \
	"\"prefixes\":[\"10.42.1.0/24\"],\"containers\":[{\"name\":\"Web\",\"ip\":\"10.42.1.9\"}," \
	"{\"ip\":\"10.42.1.10\"}]}" more "]}"
#define SECOND_HOST                                                                                \
	",{\"id\":\"h2\",\"addresses\":[\"2001:db8::2\"],\"overlay_ip\":\"10.42.0.2\","            \
	"\"containers\":[{\"name\":\"r/1\",\"ip\":\"10.42.0.2\"}]}"

struct served {
	struct document *d;
	struct history *h;
};

static struct document *document_of(const char *text, size_t len)
{
	_cleanup_(mesh_file_freep) struct mesh_file *mesh = NULL;
	struct sn_error e;

	if (mesh_file_parse("mesh.json", text, len, &mesh, &e) < 0 || mesh->problems.n)
		return NULL;
	return document_new(mesh);
}

/* With versions that do not depend on chance. */
static struct document *fixed(const char *text, char digit)
{
	struct document *d = document_of(text, strlen(text));

	sn_require(d);
	memset(d->version, digit, sizeof(d->version) - 1);
	return d;
}

static void serve_default(struct served *s)
{
	_cleanup_(document_unrefp) struct document *first = fixed(MESH(""), '1');

	s->d = fixed(MESH(SECOND_HOST), '2');
	history_add(s->h, NULL, first);
	history_add(s->h, first, s->d);
}

static struct strbuf body_of(const struct answer *a)
{
	struct strbuf b = STRBUF_INIT;
	struct answer_cursor at = { 0 };
	struct piece *p;

	while ((p = answer_next(a, &at))) {
		strbuf_add(&b, p->framed + p->at, p->len);
		piece_unref(p);
	}
	sn_require(answer_length(a) < 0 || (size_t)answer_length(a) == b.len);
	return b;
}

static void ask(const struct served *s, const struct question *q, struct strbuf *ret_body,
		int *ret_status)
{
	_cleanup_answer_ struct answer a = { 0 };
	_cleanup_json_ json_t *v = NULL;
	struct sn_error e;

	answer_make(s->d, s->h, q, &a);
	sn_require(a.status == 200 || a.status == 400 || a.status == 404);
	sn_require((a.status == 200) == (a.etag[0] != '\0'));
	*ret_body = body_of(&a);
	*ret_status = a.status;
	if (q->form == ANSWER_JSON && a.api)
		sn_require(json_parse(strbuf_str(ret_body), ret_body->len, &v, &e) == 0);
	/* a poll for what is there waits; what is not there is waited for */
	sn_require(!answer_differs(&a, a.value ? a.value : strbuf_str(ret_body)));
}

/* The answer of an array's element is in the answer of the array. */
static void check_elements(const struct served *s, struct question q, const char *of)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT, one = STRBUF_INIT;
	_cleanup_free_ char *list = xasprintf("/latest/%s", of);
	_cleanup_free_ char *element = xasprintf("/latest/%s/0", of);
	int status;

	q.form = ANSWER_JSON;
	q.path = list;
	ask(s, &q, &all, &status);
	sn_require(status == 200);
	q.path = element;
	ask(s, &q, &one, &status);
	sn_require(status == 404 || strstr(strbuf_str(&all), strbuf_str(&one)));
}

static char *cut_line(const char **at, const char *end)
{
	size_t len = strcspn(*at, "\n");
	char *line = xstrndup(*at, len);

	*at += len + (*at + len < end);
	return line;
}

static void run(const struct served *s, const struct question *q)
{
	_cleanup_strbuf_ struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	int status, again;

	ask(s, q, &a, &status);
	/* from what is kept now */
	ask(s, q, &b, &again);
	sn_require(status == again && streq(strbuf_str(&a), strbuf_str(&b)));
	answer_is_changes(q->path);
	if (s->d) {
		check_elements(s, *q, "hosts");
		check_elements(s, *q, "containers");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	const char *at = text, *end = text + strlen(text);
	_cleanup_free_ char *path = cut_line(&at, end), *form = cut_line(&at, end);
	_cleanup_free_ char *caller = cut_line(&at, end), *since = cut_line(&at, end);
	struct question q = { .path = path, .form = answer_form_of(form) };
	struct served s = { .h = history_new() };

	if (sn_addr_parse(caller, &q.caller) < 0)
		q.caller = (struct sn_addr){ 0 };
	if (*since)
		q.since = since;
	if (at < end)
		s.d = document_of(at, (size_t)(end - at));
	else
		serve_default(&s);
	run(&s, &q);
	document_unref(s.d);
	history_free(s.h);
	return 0;
}
