/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP GET on the loop: libcurl's multi-socket interface underneath. Nothing
 * here blocks, name look-ups included (libcurl does them in a thread).
 *
 * http and https only, no signals, HTTP/1.1; unless it is asked for, no proxy
 * whatever the environment says, and no redirects. Everything the other side
 * sends is bounded. The program ignores SIGPIPE: OpenSSL writes without
 * MSG_NOSIGNAL.
 */
#pragma once

#include "base/error.h"
#include "loop/loop.h"

/* All header lines of one answer together; more is a failure. */
#define HTTP_HEADER_LIMIT ((size_t)64 * 1024)

/* Longer ones are taken for none. */
#define HTTP_ETAG_SIZE 128

struct http_client;
struct http_get;

struct http_client_options {
	const char *ca_file; /* who may sign for the other side, PEM; NULL: the system's list */
	bool proxy;          /* by the variables http_proxy, https_proxy, no_proxy */
	int max_redirects;   /* 0: none. Never from https to http. */
};

struct http_client *http_client_new(struct loop *loop);
/* For requests made from now on; copied. */
void http_client_set(struct http_client *c, const struct http_client_options *o);
/* Every http_get of it is freed first. May be called in a request's callback. */
void http_client_free(struct http_client *c);
SN_DEFINE_CLEANUP(struct http_client *, http_client_free);

/*
 * A piece of the body of a 200 as it arrives, from the loop; not more than a
 * turn may take. 0, or a negative errno with e, which ends the request. It
 * must not free it.
 */
typedef int (*http_data_fn)(const char *data, size_t len, struct sn_error *e, void *user);

struct http_request {
	const char *url;
	const char *const *headers; /* "Accept: application/json"; NULL-terminated, or NULL */
	size_t body_limit;          /* bytes */
	int64_t connect_ms;         /* limit of look-up, connect and TLS together */
	int64_t total_ms;           /* limit of the whole */
	/* Less than so many bytes a second for so long is a failure; 0: no such limit. */
	long slow_bytes, slow_s;
	const char *bearer; /* a token for the URL's own host, not after a redirect to another */
	http_data_fn data;  /* NULL: the body is in the answer */
};

/* How far it came; a failure names the step in its text, see http_done_fn. */
enum http_step {
	HTTP_STEP_URL,     /* the URL itself is wrong */
	HTTP_STEP_LOOK_UP, /* "look-up of HOST: …" */
	HTTP_STEP_CONNECT, /* "connect to HOST:PORT: …" */
	HTTP_STEP_TLS,     /* "TLS with HOST:PORT: …" */
	HTTP_STEP_ANSWER,  /* "time-out after 5 s", "body over 1024 bytes", … */
	HTTP_STEP_STATUS,  /* "status 404" */
	HTTP_STEP_DONE,    /* 200, and all of the body is here */
};

struct http_answer {
	enum http_step step;
	int status;       /* 0 when no status line came */
	const char *body; /* NUL-terminated; with HTTP_STEP_DONE and without data only, else "" */
	size_t len;
	char etag[HTTP_ETAG_SIZE]; /* as it was sent, with its quotes; "": none */
	int64_t date_s;            /* the header Date, seconds since 1970; 0: none */
	char peer[46];         /* the address that was asked, or ""; a proxy\'s if there is one */
	struct sn_error error; /* code 0 with HTTP_STEP_DONE only */
};

/*
 * Called once, from the loop, never from http_get_new(). The answer is
 * borrowed for the call, which may free the request and the client.
 */
typedef void (*http_done_fn)(const struct http_answer *answer, void *user);

/* The request is copied. Never NULL: whatever is wrong comes by the callback. */
struct http_get *http_get_new(struct http_client *c, const struct http_request *req,
			      http_done_fn fn, void *user);
/* Cancels what is under way; at once, also during a look-up. Takes NULL. */
void http_get_free(struct http_get *g);
SN_DEFINE_CLEANUP(struct http_get *, http_get_free);
