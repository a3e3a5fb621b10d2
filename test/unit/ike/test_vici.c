/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/vici.h"

#include "fake_charon.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LIMIT_MS 5000

struct fixture {
	struct loop *loop;
	struct loop_timer *limit, *later;
	struct fake_charon server;
	struct vici *v;
	/* What happened, in words: "a=0:1 " done with result and reply, "item:1 ", "event x:1 ",
	 * "lost ". */
	struct strbuf seen;
	const char *until; /* the loop runs until seen ends so */
	bool met;
	/* Which callback does what, see act(). */
	const char *at;
	void (*act)(struct fixture *f);
	struct vici_call *call;
};

static struct fixture fix;

/* --- what happens is written down ------------------------------------------ */

static void saw(struct fixture *f, const char *fmt, ...) SN_PRINTF(2, 3);
static void saw(struct fixture *f, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	strbuf_adds(&f->seen, text);
	if (f->at && sn_startswith(text, f->at)) {
		f->at = NULL;
		f->act(f);
	}
	if (f->until && f->seen.len >= strlen(f->until) &&
	    streq(f->seen.data + f->seen.len - strlen(f->until), f->until)) {
		f->met = true;
		loop_stop(f->loop);
	}
}

static const char *value_of(const struct vici_node *message)
{
	const char *text = vici_text(message, "n");

	return text ? text : "";
}

static void on_event(const char *name, const struct vici_node *message, void *user)
{
	saw(user, "event %s:%s ", name, value_of(message));
}

static void on_lost(const char *why, void *user)
{
	assert_non_null(why);
	saw(user, "lost ");
}

static void on_item(const struct vici_node *item, void *user)
{
	saw(user, "item:%s ", value_of(item));
}

/* One for each name, as the callbacks get no name. */
#define DONE(name)                                                                                 \
	static void done_##name(int result, const struct vici_node *reply, void *user)             \
	{                                                                                          \
		assert_true((result == 0) == (reply != NULL));                                     \
		if (result)                                                                        \
			saw(user, #name "=%s ", strerrorname_np(-result));                         \
		else                                                                               \
			saw(user, #name "=%s ", value_of(reply));                                  \
	}
DONE(a)
DONE(b)
DONE(c)

static struct vici_call *ask(struct fixture *f, const char *command, vici_done_fn done)
{
	return vici_call(f->v, command, NULL, NULL, 0, NULL, done, f);
}

static struct vici_call *ask_stream(struct fixture *f, vici_done_fn done)
{
	return vici_call(f->v, "list", NULL, "list-item", 0, on_item, done, f);
}

/* --- running --------------------------------------------------------------- */

static void on_limit(void *user)
{
	struct fixture *f = user;

	loop_stop(f->loop);
}

static void run_until(struct fixture *f, const char *until)
{
	f->until = until;
	f->met = f->seen.len >= strlen(until) &&
		 streq(f->seen.data + f->seen.len - strlen(until), until);
	loop_timer_set(f->limit, LIMIT_MS);
	if (!f->met)
		loop_run(f->loop);
	f->until = NULL;
	if (!f->met)
		fail_msg("waited for '%s', saw '%s'", until, strbuf_str(&f->seen));
}

static void expect(struct fixture *f, const char *all)
{
	assert_string_equal(strbuf_str(&f->seen), all);
}

/* Lets everything come that wants to: several turns of the loop. */
static void on_later(void *user)
{
	struct fixture *f = user;

	saw(f, "idle ");
}

static void settle(struct fixture *f)
{
	size_t len = f->seen.len;

	loop_timer_set(f->later, 30);
	run_until(f, "idle ");
	assert_int_equal(f->seen.len, len + 5);
	f->seen.len = len;
	if (f->seen.data)
		f->seen.data[len] = '\0';
}

/* --- answers --------------------------------------------------------------- */

/* "silent*" gets no answer, "unknown*" is unknown, "list" streams two items, others get their own
 * name. */
static void answer(struct fake_charon *s, unsigned type, const char *name,
		   const struct vici_node *message)
{
	(void)message;
	if (sn_startswith(name, "silent"))
		return;
	if (type == FAKE_REGISTER) {
		fake_charon_send(s,
				 sn_startswith(name, "unknown") ? FAKE_EVENT_UNKNOWN : FAKE_CONFIRM,
				 NULL, NULL, 0);
	} else if (sn_startswith(name, "unknown")) {
		fake_charon_send(s, FAKE_CMD_UNKNOWN, NULL, NULL, 0);
	} else {
		if (streq(name, "list")) {
			fake_charon_say(s, FAKE_EVENT, "list-item", "n", "1");
			fake_charon_say(s, FAKE_EVENT, "list-item", "n", "2");
		}
		fake_charon_say(s, FAKE_RESPONSE, NULL, "n", name);
	}
}

static void open_with(struct fixture *f, const char *const *events)
{
	const struct vici_handlers handlers = { on_event, on_lost, f };
	struct sn_error e = { 0 };

	if (vici_open(f->loop, f->server.path, events, &handlers, &f->v, &e) < 0)
		fail_msg("%s", e.text);
}

static int set_up(void **state)
{
	struct fixture *f = &fix;

	*f = (struct fixture){ .loop = loop_new() };
	f->limit = loop_timer_new(f->loop, on_limit, f);
	f->later = loop_timer_new(f->loop, on_later, f);
	fake_charon_init(&f->server, f->loop);
	f->server.on_packet = answer;
	f->server.user = f;
	open_with(f, (const char *const[]){ "ev", "unknown-ev", NULL });
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vici_close(f->v);
	fake_charon_fini(&f->server);
	loop_timer_free(f->limit);
	loop_timer_free(f->later);
	loop_free(f->loop);
	strbuf_fini(&f->seen);
	return 0;
}

/* --- tests ----------------------------------------------------------------- */

static void registers_events_then_asks_one_after_the_other(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vici_peer_pid(f->v), getpid());
	ask(f, "one", done_a);
	ask(f, "two", done_b);
	ask(f, "three", done_c);
	expect(f, "");
	run_until(f, "a=one b=two c=three ");
	assert_string_equal(f->server.log.data, "+ev +unknown-ev one two three ");
}

static void has_one_request_in_flight(void **state)
{
	struct fixture *f = *state;

	ask(f, "silent", done_a);
	ask(f, "two", done_b);
	settle(f);
	assert_string_equal(f->server.log.data, "+ev +unknown-ev silent ");
	fake_charon_say(&f->server, FAKE_RESPONSE, NULL, "n", "late");
	run_until(f, "a=late b=two ");
}

static void takes_answers_in_pieces_of_any_size(void **state)
{
	struct fixture *f = *state;

	for (size_t step = 1; step < 40; step++) {
		f->server.step = step;
		strbuf_clear(&f->seen);
		ask_stream(f, done_a);
		ask(f, "two", done_b);
		run_until(f, "b=two ");
		expect(f, "item:1 item:2 a=list b=two ");
	}
}

static void check_large(struct fake_charon *s, unsigned type, const char *name,
			const struct vici_node *message)
{
	if (streq(name, "large"))
		assert_int_equal(message->n_children, 7);
	answer(s, type, name, message);
}

static void sends_a_large_request_in_parts(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	struct fixture *f = *state;

	for (int i = 0; i < 7; i++)
		vici_add(&w, "k", "%65535d", i);
	f->server.on_packet = check_large;
	f->server.step = 5000;
	vici_call(f->v, "large", &w, NULL, 0, NULL, done_a, f);
	assert_int_equal(w.b.len, 0);
	run_until(f, "a=large ");
	assert_true(f->server.received > 7u * 65535);
}

static void large_reply(struct fake_charon *s, unsigned type, const char *name,
			const struct vici_node *message)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };

	if (type != FAKE_REQUEST) {
		answer(s, type, name, message);
		return;
	}
	vici_add(&w, "n", "ok");
	for (int i = 0; i < 7; i++)
		vici_add(&w, "k", "%65535d", i);
	fake_charon_send(s, FAKE_RESPONSE, NULL, w.b.data, w.b.len);
}

static void takes_a_large_reply(void **state)
{
	struct fixture *f = *state;

	f->server.on_packet = large_reply;
	ask(f, "one", done_a);
	ask(f, "two", done_b);
	run_until(f, "a=ok b=ok ");
}

static void tells_an_unknown_command(void **state)
{
	struct fixture *f = *state;

	ask(f, "unknown", done_a);
	ask(f, "two", done_b);
	run_until(f, "a=EOPNOTSUPP b=two ");
}

static void streams_items_and_registers_once(void **state)
{
	struct fixture *f = *state;

	ask_stream(f, done_a);
	ask_stream(f, done_b);
	run_until(f, "b=list ");
	expect(f, "item:1 item:2 a=list item:1 item:2 b=list ");
	assert_string_equal(f->server.log.data, "+ev +unknown-ev +list-item list list ");
}

/* An empty list would be a lie. */
static void fails_a_stream_that_charon_does_not_know(void **state)
{
	struct fixture *f = *state;

	vici_call(f->v, "list", NULL, "unknown-item", 0, on_item, done_a, f);
	ask(f, "two", done_b);
	run_until(f, "b=two ");
	settle(f);
	assert_non_null(strstr(f->seen.data, "a=EOPNOTSUPP "));
	assert_null(strstr(f->server.log.data, "list "));
}

static void tells_events_at_any_time_but_only_those_asked_for(void **state)
{
	struct fixture *f = *state;

	ask_stream(f, done_a);
	run_until(f, "a=list ");
	strbuf_clear(&f->seen);
	fake_charon_say(&f->server, FAKE_EVENT, "ev", "n", "1");
	fake_charon_say(&f->server, FAKE_EVENT, "other", "n", "2");
	fake_charon_say(&f->server, FAKE_EVENT, "list-item", "n", "3");
	run_until(f, "event ev:1 ");
	ask(f, "silent", done_b);
	settle(f);
	fake_charon_say(&f->server, FAKE_EVENT, "ev", "n", "4");
	fake_charon_say(&f->server, FAKE_EVENT, "list-item", "n", "5");
	fake_charon_say(&f->server, FAKE_RESPONSE, NULL, "n", "b");
	run_until(f, "b=b ");
	expect(f, "event ev:1 event ev:4 b=b ");
}

static void tells_all_calls_in_order_when_the_connection_breaks(void **state)
{
	struct fixture *f = *state;

	ask(f, "silent", done_a);
	ask(f, "two", done_b);
	ask(f, "three", done_c);
	settle(f);
	/* half a packet, then the end */
	fake_charon_send_raw(&f->server, "\0\0\0\10\1\3", 6);
	fake_charon_hang_up(&f->server);
	run_until(f, "lost ");
	expect(f, "a=ECONNRESET b=ECONNRESET c=ECONNRESET lost ");
	ask(f, "four", done_a);
	run_until(f, "lost a=ECONNRESET ");
	settle(f);
}

static void gives_up_after_the_time_out(void **state)
{
	struct fixture *f = *state;

	vici_call(f->v, "silent", NULL, NULL, 50, NULL, done_a, f);
	ask(f, "two", done_b);
	run_until(f, "lost ");
	expect(f, "a=ETIMEDOUT b=ECONNRESET lost ");
}

static void answer_after_a_stall(struct fake_charon *s, unsigned type, const char *name,
				 const struct vici_node *message)
{
	if (type == FAKE_REQUEST) {
		poll(NULL, 0, 50 + LOOP_STALL_MS + 50);
		/* by the time the client's timer is due, the answer is not there yet */
		s->step = 1;
	}
	answer(s, type, name, message);
}

static void times_nothing_out_when_the_loop_itself_stood_still(void **state)
{
	struct fixture *f = *state;

	f->server.on_packet = answer_after_a_stall;
	vici_call(f->v, "one", NULL, NULL, 50, NULL, done_a, f);
	run_until(f, "a=one ");
}

static void keeps_in_step_when_a_call_in_flight_is_cancelled(void **state)
{
	struct fixture *f = *state;
	struct vici_call *call = ask(f, "silent", done_a);

	ask(f, "two", done_b);
	settle(f);
	vici_call_cancel(call);
	settle(f);
	fake_charon_say(&f->server, FAKE_RESPONSE, NULL, "n", "late");
	run_until(f, "b=two ");
	expect(f, "b=two ");
}

static void sends_nothing_of_a_call_cancelled_in_the_queue(void **state)
{
	struct fixture *f = *state;
	struct vici_call *call;

	vici_call_cancel(NULL);
	ask(f, "one", done_a);
	call = ask(f, "two", done_b);
	ask(f, "three", done_c);
	vici_call_cancel(call);
	run_until(f, "c=three ");
	expect(f, "a=one c=three ");
	assert_string_equal(f->server.log.data, "+ev +unknown-ev one three ");
}

static void cancels_a_call_that_has_failed_already(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	struct fixture *f = *state;

	vici_end_section(&w);
	vici_call_cancel(vici_call(f->v, "one", &w, NULL, 0, NULL, done_a, f));
	settle(f);
	expect(f, "");
}

static void cancel_it(struct fixture *f)
{
	vici_call_cancel(f->call);
}

static void may_be_cancelled_by_its_own_callbacks(void **state)
{
	struct fixture *f = *state;

	f->act = cancel_it;
	f->at = "item:1";
	f->call = ask_stream(f, done_a);
	ask(f, "two", done_b);
	run_until(f, "b=two ");
	expect(f, "item:1 b=two ");
	f->at = "c=";
	f->call = ask(f, "three", done_c);
	run_until(f, "c=three ");
	settle(f);
}

static void close_it(struct fixture *f)
{
	vici_close(sn_steal(f->v));
}

static void may_be_closed_in_every_callback(void **state)
{
	static const struct {
		const char *at, *all;
	} cases[] = {
		{ "event ", "event ev:0 " },
		{ "item:1", "event ev:0 item:1 " },
		{ "a=", "event ev:0 item:1 item:2 a=list " },
		{ "b=EINVAL", "b=EINVAL " },
		{ "c=ECONN", "event ev:0 item:1 item:2 a=list c=ECONNRESET " },
		{ "lost", "event ev:0 item:1 item:2 a=list c=ECONNRESET lost " },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_vici_writer_ struct vici_writer broken = { 0 };

		vici_close(sn_steal(f->v));
		fake_charon_fini(&f->server);
		fake_charon_init(&f->server, f->loop);
		f->server.on_packet = answer;
		strbuf_clear(&f->seen);
		open_with(f, (const char *const[]){ "ev", NULL });
		f->at = cases[i].at;
		f->act = close_it;
		fake_charon_say(&f->server, FAKE_EVENT, "ev", "n", "0");
		ask_stream(f, done_a);
		vici_call(f->v, "silent", NULL, NULL, 50, NULL, done_c, f);
		vici_end_section(&broken);
		if (streq(cases[i].at, "b=EINVAL"))
			vici_call(f->v, "one", &broken, NULL, 0, NULL, done_b, f);
		if (i >= 4) {
			run_until(f, "a=list ");
			fake_charon_hang_up(&f->server);
		}
		run_until(f, cases[i].all);
		settle(f);
		expect(f, cases[i].all);
		assert_null(f->v);
	}
}

static void ask_more(struct fixture *f)
{
	ask(f, "more", done_c);
}

static void may_be_called_in_every_callback(void **state)
{
	struct fixture *f = *state;

	f->act = ask_more;
	f->at = "item:1";
	ask_stream(f, done_a);
	run_until(f, "c=more ");
	f->at = "b=";
	ask(f, "two", done_b);
	run_until(f, "b=two c=more ");
	f->at = "event ";
	fake_charon_say(&f->server, FAKE_EVENT, "ev", "n", "0");
	run_until(f, "event ev:0 c=more ");
	f->at = "a=ECONN";
	ask(f, "silent", done_a);
	settle(f);
	fake_charon_hang_up(&f->server);
	run_until(f, "a=ECONNRESET lost c=ECONNRESET ");
}

static void gives_up_on_what_is_no_vici(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "\0\0\0\0\7\1x", 7 },    /* an empty packet */
		{ "\0\10\0\1", 4 },        /* more than 512 KB */
		{ "\377\377\377\377", 4 }, /* much more */
		{ "\0\0\0\1\1", 5 },       /* an answer to nothing */
		{ "\0\0\0\1\5", 5 },       /* a confirmation of nothing */
		{ "\0\0\0\1\0", 5 },       /* a request */
		{ "\0\0\0\1\10", 5 },      /* an unknown type */
		{ "\0\0\0\1\7", 5 },       /* an event without a name */
		{ "\0\0\0\3\7\2e", 7 },    /* half a name */
		{ "\0\0\0\5\7\2ev\1", 9 }, /* an event that we want, torn */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		vici_close(sn_steal(f->v));
		fake_charon_fini(&f->server);
		fake_charon_init(&f->server, f->loop);
		f->server.on_packet = answer;
		strbuf_clear(&f->seen);
		open_with(f, (const char *const[]){ "ev", NULL });
		ask(f, "one", done_a);
		run_until(f, "a=one ");
		if (i == 4)
			ask(f, "silent", done_b);
		fake_charon_send_raw(&f->server, cases[i].bytes, cases[i].len);
		run_until(f, "lost ");
	}
}

static void gives_up_on_an_answer_to_half_a_request(void **state)
{
	_cleanup_vici_writer_ struct vici_writer w = { 0 };
	struct fixture *f = *state;

	for (int i = 0; i < 7; i++)
		vici_add(&w, "k", "%65535d", i);
	ask(f, "one", done_b);
	run_until(f, "b=one ");
	f->server.step = 100;
	vici_call(f->v, "large", &w, NULL, 0, NULL, done_a, f);
	fake_charon_say(&f->server, FAKE_EVENT, "ev", "n", "0");
	run_until(f, "event ev:0 ");
	fake_charon_say(&f->server, FAKE_RESPONSE, NULL, "n", "early");
	run_until(f, "a=ECONNRESET lost ");
}

static void torn(struct fake_charon *s, unsigned type, const char *name,
		 const struct vici_node *message)
{
	if (streq(name, "torn")) {
		fake_charon_send(s, FAKE_RESPONSE, NULL, "\3", 1);
	} else if (streq(name, "list")) {
		fake_charon_say(s, FAKE_EVENT, "list-item", "n", "1");
		fake_charon_send(s, FAKE_EVENT, "list-item", "\3", 1);
		fake_charon_say(s, FAKE_RESPONSE, NULL, "n", name);
	} else {
		answer(s, type, name, message);
	}
}

static void fails_only_the_call_with_a_torn_answer(void **state)
{
	struct fixture *f = *state;

	f->server.on_packet = torn;
	ask(f, "torn", done_a);
	ask_stream(f, done_b);
	ask(f, "three", done_c);
	run_until(f, "c=three ");
	expect(f, "a=EBADMSG item:1 b=EBADMSG c=three ");
}

static void refuses_what_it_cannot_send(void **state)
{
	_cleanup_vici_writer_ struct vici_writer open = { 0 }, large = { 0 };
	struct fixture *f = *state;
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	ask(f, name, done_a);
	vici_add_section(&open, "s");
	vici_call(f->v, "one", &open, NULL, 0, NULL, done_b, f);
	/* 8 * (2 + 1 + 2 + 65530) + 1 < 512 KB < that with the name */
	for (int i = 0; i < 8; i++)
		vici_add(&large, "k", "%*d", i ? 65530 : 65530 - 2, 1);
	assert_int_equal(vici_writer_check(&large), 0);
	name[255] = '\0';
	vici_call(f->v, name, &large, NULL, 0, NULL, done_c, f);
	expect(f, "");
	run_until(f, "c=EINVAL ");
	expect(f, "a=EINVAL b=EINVAL c=EINVAL ");
}

static void bounds_its_queue(void **state)
{
	struct fixture *f = *state;

	/* two registrations wait there already */
	for (int i = 0; i < VICI_MAX_QUEUE - 2; i++)
		vici_call(f->v, "silent", NULL, NULL, 0, NULL, NULL, NULL);
	ask(f, "one", done_a);
	run_until(f, "a=ENOBUFS ");
}

static void tells_why_it_cannot_connect(void **state)
{
	const struct vici_handlers none = { 0 };
	char path[200];
	struct vici *v;
	struct sn_error e;

	(void)state;
	assert_int_equal(vici_open(fix.loop, "/no/such/socket", NULL, &none, &v, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/no/such/socket"));
	memset(path, 'x', sizeof(path));
	path[199] = '\0';
	assert_int_equal(vici_open(fix.loop, path, NULL, &none, &v, &e), -ENAMETOOLONG);
}

static void reads_charons_refusals(void **state)
{
	static const struct {
		const char *success, *errmsg;
		int result;
		const char *text;
	} cases[] = {
		{ "yes", NULL, 0, NULL },
		{ NULL, NULL, 0, NULL },
		{ "no", "invalid proposal", -EREMOTEIO, "invalid proposal" },
		{ "no", NULL, -EREMOTEIO, "charon refused and did not say why" },
		{ "no", "", -EREMOTEIO, "charon refused and did not say why" },
	};

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(cases); i++) {
		_cleanup_vici_writer_ struct vici_writer w = { 0 };
		_cleanup_(vici_tree_freep) struct vici_node *reply = NULL;
		struct sn_error e = { 0 };

		if (cases[i].success)
			vici_add(&w, "success", "%s", cases[i].success);
		if (cases[i].errmsg)
			vici_add(&w, "errmsg", "%s", cases[i].errmsg);
		assert_int_equal(vici_parse((uint8_t *)w.b.data, w.b.len, &reply, &e), 0);
		assert_int_equal(vici_reply_error(reply, &e), cases[i].result);
		if (cases[i].text)
			assert_string_equal(e.text, cases[i].text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_events_then_asks_one_after_the_other),
		TEST(has_one_request_in_flight),
		TEST(takes_answers_in_pieces_of_any_size),
		TEST(sends_a_large_request_in_parts),
		TEST(takes_a_large_reply),
		TEST(tells_an_unknown_command),
		TEST(streams_items_and_registers_once),
		TEST(fails_a_stream_that_charon_does_not_know),
		TEST(tells_events_at_any_time_but_only_those_asked_for),
		TEST(tells_all_calls_in_order_when_the_connection_breaks),
		TEST(gives_up_after_the_time_out),
		TEST(times_nothing_out_when_the_loop_itself_stood_still),
		TEST(keeps_in_step_when_a_call_in_flight_is_cancelled),
		TEST(sends_nothing_of_a_call_cancelled_in_the_queue),
		TEST(cancels_a_call_that_has_failed_already),
		TEST(may_be_cancelled_by_its_own_callbacks),
		TEST(may_be_closed_in_every_callback),
		TEST(may_be_called_in_every_callback),
		TEST(gives_up_on_what_is_no_vici),
		TEST(gives_up_on_an_answer_to_half_a_request),
		TEST(fails_only_the_call_with_a_torn_answer),
		TEST(refuses_what_it_cannot_send),
		TEST(bounds_its_queue),
		TEST(tells_why_it_cannot_connect),
		TEST(reads_charons_refusals),
	};

	return cmocka_run_group_tests_name("ike/vici", tests, NULL, NULL);
}
