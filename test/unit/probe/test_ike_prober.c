/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions over the loopback device to sockets of this process, which answer as a case wants. */
#include "probe/ike_prober.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LIMIT_MS 30000
#define WAIT_MS 300

struct server;
typedef void (*serve_fn)(struct server *s, const uint8_t *data, size_t len,
			 const struct sockaddr_storage *from, socklen_t from_len);

struct server {
	int fd;
	struct loop_io *io;
	struct sockaddr_storage addr;
	serve_fn serve;
	unsigned heard;
	struct sn_addr client; /* who was heard last */
	int other;             /* a socket to answer from instead; -1: none */
};

struct world {
	struct loop *loop;
	struct loop_timer *limit;
	struct ike_prober *prober;
	struct server server;
	struct ike_ask *ask;
	struct ike_evidence e;
	unsigned told;
	bool late;
};

static struct world *w;

/* --- servers ---------------------------------------------------------------- */

static void on_server(int fd, unsigned events, void *user)
{
	struct server *s = user;
	uint8_t data[IKE_PROBE_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (void *)&from, &from_len);

	(void)events;
	if (n < 0)
		return;
	s->heard++;
	sn_addr_from_sockaddr((struct sockaddr *)&from, &s->client, NULL);
	if (s->serve)
		s->serve(s, data, (size_t)n, &from, from_len);
}

/* Port 0: any. */
static int bound_socket(const char *addr, struct sockaddr_storage *ret)
{
	struct sn_addr a;
	socklen_t len;
	int fd;

	assert_int_equal(sn_addr_parse(addr, &a), 0);
	len = sn_addr_to_sockaddr(&a, 0, ret);
	fd = socket(ret->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, len), 0);
	len = sizeof(*ret);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static void serve(serve_fn fn)
{
	w->server.fd = bound_socket("127.0.0.1", &w->server.addr);
	w->server.serve = fn;
	w->server.io = loop_io_new(w->loop, w->server.fd, LOOP_READ, on_server, &w->server);
}

/* What charon says: INVALID_MAJOR_VERSION, bare or behind the marker as it was asked. */
static size_t answer_of(const uint8_t *data, size_t len, uint8_t *ret)
{
	static const char tail[] = "\x29\x20\x22\x20\0\0\0\0\0\0\0\x24\0\0\0\x08\0\0\0\x05";
	const uint8_t *spi = ike_message_spi(data, len);
	size_t before = (size_t)(spi - data);

	memset(ret, 0, before + 16);
	memcpy(ret + before, spi, IKE_SPI_SIZE);
	memcpy(ret + before + 16, tail, sizeof(tail) - 1);
	return before + 16 + sizeof(tail) - 1;
}

static void as_charon(struct server *s, const uint8_t *data, size_t len,
		      const struct sockaddr_storage *from, socklen_t from_len)
{
	uint8_t answer[128];
	size_t n = answer_of(data, len, answer);

	sendto(s->other >= 0 ? s->other : s->fd, answer, n, 0, (const void *)from, from_len);
}

static void as_echo(struct server *s, const uint8_t *data, size_t len,
		    const struct sockaddr_storage *from, socklen_t from_len)
{
	sendto(s->fd, data, len, 0, (const void *)from, from_len);
}

/* A stray datagram first. */
static void as_noisy_charon(struct server *s, const uint8_t *data, size_t len,
			    const struct sockaddr_storage *from, socklen_t from_len)
{
	sendto(s->fd, "hello", 5, 0, (const void *)from, from_len);
	if (s->heard > 2)
		as_charon(s, data, len, from, from_len);
}

/* --- asking ----------------------------------------------------------------- */

static void on_limit(void *user)
{
	((struct world *)user)->late = true;
	loop_stop(((struct world *)user)->loop);
}

static void on_asked(const struct ike_evidence *e, void *user)
{
	struct world *world = user;

	world->e = *e;
	world->told++;
	ike_ask_free(sn_steal(world->ask));
	loop_stop(world->loop);
}

static void ask(struct ike_question q)
{
	struct sn_error e;

	if (!q.wait_ms)
		q.wait_ms = WAIT_MS;
	assert_int_equal(ike_ask_new(w->prober, &q, on_asked, w, &w->ask, &e), 0);
	assert_int_equal(w->told, 0);
	loop_run(w->loop);
	assert_false(w->late);
	assert_int_equal(w->told, 1);
}

static int setup(void **state)
{
	const struct ike_prober_options o = { .rate = IKE_RATE_MAX };

	(void)state;
	w = xcalloc(1, sizeof(*w));
	w->loop = loop_new();
	w->limit = loop_timer_new(w->loop, on_limit, w);
	w->prober = ike_prober_new(w->loop, &o);
	loop_timer_set(w->limit, LIMIT_MS);
	w->server.fd = w->server.other = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ike_ask_free(w->ask);
	ike_prober_free(w->prober);
	if (w->server.io)
		loop_io_free(w->server.io);
	if (w->server.fd >= 0)
		close(w->server.fd);
	if (w->server.other >= 0)
		close(w->server.other);
	loop_timer_free(w->limit);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* --- cases ------------------------------------------------------------------ */

static void an_answer_ends_it(void **state)
{
	(void)state;
	serve(as_charon);
	ask((struct ike_question){ .to = w->server.addr });
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_NOTIFY);
	assert_int_equal(w->e.answer.notify, IKE_N_INVALID_MAJOR_VERSION);
	/* neither port: it is asked without and with marker */
	assert_int_equal(w->e.sent, 2);
	assert_true(w->e.bytes_sent == 28 + 32);
	assert_true(w->e.answers == 1 && w->e.rtt_min_us > 0);
	assert_true(w->e.rtt_min_us == w->e.rtt_max_us && w->e.rtt_sum_us == w->e.rtt_min_us);
	assert_string_equal(SN_ADDR_STR(&w->e.local), "127.0.0.1");
	assert_true(w->e.on_link);
}

static void a_question_leaves_from_where_it_says(void **state)
{
	struct ike_question q = { 0 };

	(void)state;
	serve(as_charon);
	q.to = w->server.addr;
	assert_int_equal(sn_addr_parse("127.0.0.7", &q.source), 0);
	ask(q);
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_NOTIFY);
	assert_string_equal(SN_ADDR_STR(&w->e.local), "127.0.0.7");
	assert_string_equal(SN_ADDR_STR(&w->server.client), "127.0.0.7");
	/* what is not ours cannot be sent */
	assert_int_equal(sn_addr_parse("192.0.2.77", &q.source), 0);
	w->told = 0;
	ask(q);
	assert_true(w->e.refusal.error && !w->e.refusal.icmp);
}

static void an_answer_from_elsewhere_is_one(void **state)
{
	struct sockaddr_storage other;
	struct sn_addr addr;
	uint16_t port;

	(void)state;
	serve(as_charon);
	w->server.other = bound_socket("127.0.0.2", &other);
	sn_addr_from_sockaddr((struct sockaddr *)&other, &addr, &port);
	ask((struct ike_question){ .to = w->server.addr });
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_NOTIFY);
	assert_string_equal(SN_ADDR_STR(&w->e.from.addr), "127.0.0.2");
	assert_int_equal(w->e.from.port, port);
}

static void a_stray_datagram_is_not_the_end(void **state)
{
	(void)state;
	serve(as_noisy_charon);
	ask((struct ike_question){ .to = w->server.addr });
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_NOTIFY);
	assert_true(w->e.answers >= 3);
}

static void an_echo_is_known(void **state)
{
	(void)state;
	serve(as_echo);
	ask((struct ike_question){ .to = w->server.addr });
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_ECHO);
}

static void silence_takes_its_time(void **state)
{
	(void)state;
	serve(NULL);
	ask((struct ike_question){ .to = w->server.addr });
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_NONE);
	assert_int_equal(w->e.refusal.error, 0);
	assert_int_equal(w->e.sent, 2 * IKE_TRIES_DEFAULT);
	assert_true(w->e.waited_ms >= WAIT_MS - 1);
	w->told = 0;
	ask((struct ike_question){ .to = w->server.addr, .tries = 1, .wait_ms = 50 });
	assert_int_equal(w->e.sent, 2);
}

static void a_closed_port_is_refused(void **state)
{
	struct sockaddr_storage to;

	(void)state;
	close(bound_socket("127.0.0.1", &to));
	ask((struct ike_question){ .to = to });
	assert_true(w->e.refusal.icmp && w->e.refusal.error == ECONNREFUSED);
	assert_string_equal(SN_ADDR_STR(&w->e.refusal.offender), "127.0.0.1");
	assert_true(w->e.refusal.type == 3 && w->e.refusal.code == 3);
}

static void the_whole_question_is_repeated_byte_by_byte(void **state)
{
	(void)state;
	serve(NULL);
	ask((struct ike_question){ .to = w->server.addr, .full = true });
	/* in one form only, so that the peer sees one negotiation */
	assert_int_equal(w->e.sent, IKE_TRIES_DEFAULT);
	assert_int_equal(w->server.heard, IKE_TRIES_DEFAULT);
}

static void a_length_is_as_asked(void **state)
{
	(void)state;
	serve(as_charon);
	ask((struct ike_question){ .to = w->server.addr, .size = 5000 });
	assert_int_equal(w->e.answer.kind, IKE_ANSWER_NOTIFY);
	assert_true(w->e.bytes_sent == 10000);
}

static void some_addresses_are_never_asked(void **state)
{
	static const char *const never[] = { "224.0.0.1", "239.1.2.3",     "255.255.255.255",
					     "0.0.0.0",   "240.0.0.1",     "ff02::1",
					     "::",        "::ffff:1.2.3.4" };
	static const char *const fine[] = { "127.0.0.1", "10.0.0.255", "fe80::1", "2001:db8::1" };

	(void)state;
	for (size_t i = 0; i < SN_ARRAY_SIZE(never) + SN_ARRAY_SIZE(fine); i++) {
		bool refuse = i < SN_ARRAY_SIZE(never);
		struct ike_question q = { 0 };
		struct sn_addr a;
		struct sn_error e;

		assert_int_equal(
			sn_addr_parse(refuse ? never[i] : fine[i - SN_ARRAY_SIZE(never)], &a), 0);
		sn_addr_to_sockaddr(&a, 500, &q.to);
		assert_int_equal(ike_never_asked((struct sockaddr *)&q.to) != NULL, refuse);
		if (refuse)
			assert_int_equal(ike_ask_new(w->prober, &q, on_asked, w, &w->ask, &e),
					 -EINVAL);
	}
}

static void a_source_port_in_use_is_said(void **state)
{
	struct ike_prober_options o = { 0 };
	_cleanup_(ike_prober_freep) struct ike_prober *p = NULL;
	struct ike_question q = { 0 };
	struct sn_error e;

	(void)state;
	serve(NULL);
	q.to = w->server.addr;
	sn_addr_from_sockaddr((struct sockaddr *)&w->server.addr, &o.source, &o.source_port);
	p = ike_prober_new(w->loop, &o);
	assert_int_equal(ike_ask_new(p, &q, on_asked, w, &w->ask, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "any port will do"));
}

static void the_rate_holds(void **state)
{
	const struct ike_prober_options o = { .rate = 20 };
	int64_t begin = sn_now_ms();

	(void)state;
	ike_prober_free(w->prober);
	w->prober = ike_prober_new(w->loop, &o);
	serve(as_charon);
	for (unsigned i = 0; i < 4; i++) {
		w->told = 0;
		ask((struct ike_question){ .to = w->server.addr });
	}
	/* two datagrams each: the fourth may leave after six places of 50 ms */
	assert_true(sn_now_ms() - begin >= 299);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(an_answer_ends_it),
		CASE(a_question_leaves_from_where_it_says),
		CASE(an_answer_from_elsewhere_is_one),
		CASE(a_stray_datagram_is_not_the_end),
		CASE(an_echo_is_known),
		CASE(silence_takes_its_time),
		CASE(a_closed_port_is_refused),
		CASE(the_whole_question_is_repeated_byte_by_byte),
		CASE(a_length_is_as_asked),
		CASE(some_addresses_are_never_asked),
		CASE(a_source_port_in_use_is_said),
		CASE(the_rate_holds),
	};

	return cmocka_run_group_tests_name("probe/ike_prober", tests, NULL, NULL);
}
