/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http: an HTTP/1.1 server on a unix socket, inside the daemon's loop.
 *
 * libmicrohttpd speaks the protocol; this room gives it a place in the loop, knows the peer,
 * collects a bounded body, and lets an answer come now, later, or bit by bit. What is served is a
 * struct of two hooks, so nothing here knows a path or a mapping.
 *
 *     headers -> begin -> [body] -> serve -> ... -> http_answer() or http_answer_stream()
 */
#ifndef PORTWRIGHT_SERVE_HTTP_H
#define PORTWRIGHT_SERVE_HTTP_H

#include "base/fault.h"
#include "serve/auth.h"
#include "serve/text.h"

#include <uv.h>

struct http;
struct http_private; /* of a request, the server's */

struct http_request {
	const char *method;
	const char *path; /* unescaped; a %00 stays as it was written */
	const struct peer *peer;
	struct slice body;
	bool oversize; /* the body was longer than body_limit and is lost */

	/* begin() sets these. */
	size_t body_limit;
	const void *route;
	struct slice argument;

	bool heavy; /* whoever answers may set it: much memory can go back to the kernel after this
		     */
	struct http_private *private;
};

struct http_service {
	/* The headers are here. A refusal may be answered already; its body is read and dropped. */
	void (*begin)(void *arg, struct http_request *r);
	/* The body is here too. Answers exactly once, now or later. */
	void (*serve)(void *arg, struct http_request *r);
	void *arg;
};

/* 0 where http_open() could have `path`; a negative errno with *f where somebody serves it, or
 * where it is no socket. */
int http_check_free(const char *path, struct fault *f);

/* A socket at `path` that nobody serves any more is replaced; anyone may connect to the new one. 0,
 * or a negative errno with *f. */
int http_open(uv_loop_t *loop, const char *path, const struct http_service *service,
	      struct http **ret, struct fault *f);
/* Delivers what was answered, ends all streams and takes the socket away. Every request must have
 * been answered. Memory is freed when the loop has closed the handles. NULL is fine. */
void http_close(struct http *h);

/* NULL where the request has none. */
const char *http_header(const struct http_request *r, const char *name);
const char *http_query(const struct http_request *r, const char *name);
/* The first query parameter that is not in `known` (ends with NULL); NULL where all are. */
const char *http_query_unknown(const struct http_request *r, const char *const *known);

struct http_answer {
	unsigned status;
	const char *content_type;
	const char *location, *etag, *allow; /* NULL: none */
	struct text body;		     /* taken over, also when it failed: then 503 */
};
void http_answer(struct http_request *r, struct http_answer *a);

/* An answer without an end. */
struct http_stream {
	/* Up to cap bytes; 0: nothing to say until http_stream_wake(); -1: the end. `quiet` asks
	 * for something that means nothing, since only writing shows whether the peer is still
	 * there. */
	ssize_t (*read)(struct http_stream *s, char *buf, size_t cap, bool quiet);
	void (*close)(struct http_stream *s); /* the peer is gone, or the server ends */
};
void http_answer_stream(struct http_request *r, const char *content_type, struct http_stream *s);
void http_stream_wake(struct http_request *r);

#endif
