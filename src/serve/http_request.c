/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request's life.
 *
 * libmicrohttpd calls http_on_request() once with the headers, then for each piece of the body,
 * then again until a response is queued. A request whose answer comes later is suspended in
 * between, and resumed by http_answer(): whoever answers needs to know nothing of that.
 *
 * A response queued before the body was read makes libmicrohttpd close the connection, and a client
 * in the middle of writing then sees a broken pipe instead of the reason. So an unwanted body is
 * read and dropped first, up to a bound; only a client that asked (Expect: 100-continue) is told at
 * once.
 */
#include "serve/http_private.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DROPPED_MAX	  ((size_t)128 << 20)
#define STREAM_BLOCK_SIZE 4096
/* What it takes to read or write a body above this leaves holes worth giving back. */
#define HEAVY_BODY	  ((size_t)1 << 20)

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* In place, returning the new length; what is no escape, and %00, which would end the text early
 * for whoever reads it as a C string, stays as it is. */
size_t http_unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	char *out = s;

	for (const char *in = s; *in; in++) {
		int high = in[0] == '%' ? hex_digit(in[1]) : -1;
		int low = high >= 0 ? hex_digit(in[2]) : -1;

		if (low >= 0 && (high || low)) {
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return (size_t)(out - s);
}

static void request_free(struct http_private *p)
{
	bool heavy;

	if (!p)
		return;
	heavy = p->request.heavy || p->body.capacity > HEAVY_BODY;
	if (p->previous)
		p->previous->next = p->next;
	else if (p->http->requests == p)
		p->http->requests = p->next;
	if (p->next)
		p->next->previous = p->previous;
	if (p->response)
		MHD_destroy_response(p->response);
	text_free(&p->body);
	free(p->path);
	free(p);
	if (heavy)
		malloc_trim(0);
}

static struct http_private *request_new(struct http *h, struct MHD_Connection *connection,
					const char *url, const char *method)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_private *p;

	if (!info || !info->socket_context)
		return NULL; /* nobody could say who the peer is */
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->http = h;
	p->connection = connection;
	p->path = strdup(url);
	if (!p->path) {
		request_free(p);
		return NULL;
	}
	p->request = (struct http_request){
		.method = method, .path = p->path, .peer = info->socket_context, .private = p
	};
	p->next = h->requests;
	if (p->next)
		p->next->previous = p;
	h->requests = p;
	return p;
}

static bool expects_continue(const struct http_request *r)
{
	const char *expect = http_header(r, MHD_HTTP_HEADER_EXPECT);

	return expect && slice_eq_nocase(slice_of(expect), "100-continue");
}

/* Does the client announce more than the limit? */
static bool announces_too_much(const struct http_request *r)
{
	const char *text = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct slice s = slice_of(text);
	uint32_t length;

	if (!text)
		return false;
	if (s.len > 10)
		return true;
	return read_number(&s, UINT32_MAX, &length) && length > r->body_limit;
}

static enum MHD_Result drop_body(struct http_private *p, size_t n)
{
	p->dropped += n;
	return p->dropped <= DROPPED_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_body(struct http_private *p, const char *data, size_t n)
{
	struct http_request *r = &p->request;

	if (p->answered || r->oversize)
		return drop_body(p, n);
	if (n > r->body_limit - p->body.len) {
		r->oversize = true;
		text_free(&p->body);
		return drop_body(p, n);
	}
	text_append(&p->body, data, n);
	return p->body.failed ? MHD_NO : MHD_YES;
}

static void serve(struct http_private *p)
{
	p->served = true;
	p->request.body = (struct slice){ p->body.at, p->body.len };
	p->http->service.serve(p->http->service.arg, &p->request);
}

static enum MHD_Result send_answer(struct http_private *p)
{
	return p->response ? MHD_queue_response(p->connection, p->status, p->response) : MHD_NO;
}

static enum MHD_Result begin(struct http_private *p)
{
	struct http_request *r = &p->request;

	p->begun = true;
	p->http->service.begin(p->http->service.arg, r);
	if (!p->answered)
		r->oversize = announces_too_much(r);
	if (!(p->answered || r->oversize) || !expects_continue(r))
		return MHD_YES;
	if (!p->answered)
		serve(p);
	return p->answered ? send_answer(p) : MHD_NO;
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *data,
				size_t *size, void **context)
{
	struct http_private *p = *context;
	size_t n = *size;

	if (((struct http *)cls)->closing && !(p && p->answered))
		return MHD_NO; /* nobody would answer any more */
	if (!p) {
		p = request_new(cls, connection, url, method);
		*context = p;
		return p ? begin(p) : MHD_NO;
	}
	if (n) {
		*size = 0;
		return take_body(p, data, n);
	}
	if (!p->answered && !p->served)
		serve(p);
	if (!p->answered) {
		p->suspended = true;
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	return send_answer(p);
}

/* The stream, if any, was closed with its response or is closed here. */
void http_on_completed(void *cls, struct MHD_Connection *connection, void **context,
		       enum MHD_RequestTerminationCode code)
{
	struct http_private *p = *context;

	*context = NULL;
	if (!p)
		return;
	if (p->stream)
		p->stream->close(p->stream);
	p->stream = NULL;
	request_free(p);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->private->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_request *r, const char *name)
{
	const char *value = NULL;
	size_t size;

	if (MHD_lookup_connection_value_n(r->private->connection, MHD_GET_ARGUMENT_KIND, name,
					  strlen(name), &value, &size) != MHD_YES)
		return NULL;
	return value ? value : ""; /* "?limit" is "?limit=" */
}

struct query_search {
	const char *const *known;
	const char *unknown;
};

static enum MHD_Result check_query(void *arg, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	struct query_search *search = arg;

	for (const char *const *known = search->known; *known; known++)
		if (!strcmp(*known, key))
			return MHD_YES;
	search->unknown = key;
	return MHD_NO;
}

const char *http_query_unknown(const struct http_request *r, const char *const *known)
{
	struct query_search search = { .known = known };

	MHD_get_connection_values(r->private->connection, MHD_GET_ARGUMENT_KIND, check_query,
				  &search);
	return search.unknown;
}

static void resume(struct http_private *p)
{
	if (!p->suspended)
		return;
	p->suspended = false;
	MHD_resume_connection(p->connection);
	http_kick(p->http);
}

static void answered(struct http_private *p, unsigned status, struct MHD_Response *response)
{
	p->answered = true;
	p->status = status;
	p->response = response;
	resume(p);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value)
		MHD_add_response_header(response, name, value);
}

/* libmicrohttpd lets go of an answer's body only when the request is gone. */
static void free_answer(void *body)
{
	bool heavy = malloc_usable_size(body) > HEAVY_BODY;

	free(body);
	if (heavy)
		malloc_trim(0);
}

void http_answer(struct http_request *r, struct http_answer *a)
{
	static char no_memory[] = "{\"type\": \"https://portwright.invalid/problems/memory\", "
				  "\"title\": \"Out of memory\", \"status\": 503}\n";
	struct MHD_Response *response;
	unsigned status = a->status;

	if (a->body.failed) {
		status = MHD_HTTP_SERVICE_UNAVAILABLE;
		a->content_type = "application/problem+json";
		response = MHD_create_response_from_buffer(sizeof(no_memory) - 1, no_memory,
							   MHD_RESPMEM_PERSISTENT);
	} else {
		response = MHD_create_response_from_buffer_with_free_callback(
			a->body.len, a->body.at, free_answer);
		if (!response)
			text_free(&a->body);
	}
	a->body = (struct text){ 0 };
	if (response) {
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type);
		add_header(response, MHD_HTTP_HEADER_LOCATION, a->location);
		add_header(response, MHD_HTTP_HEADER_ETAG, a->etag);
		add_header(response, MHD_HTTP_HEADER_ALLOW, a->allow);
		add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	}
	answered(r->private, status, response);
}

/* Called when the peer can take more. With nothing to say the connection is suspended: answering 0
 * without that would have the loop spin. */
static ssize_t read_stream(void *arg, uint64_t offset, char *buf, size_t cap)
{
	struct http_private *p = arg;
	ssize_t n;

	if (p->http->closing)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = p->stream->read(p->stream, buf, cap, p->quiet);
	p->quiet = false;
	if (n < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		p->suspended = true;
		MHD_suspend_connection(p->connection);
	}
	return n;
}

void http_answer_stream(struct http_request *r, const char *content_type, struct http_stream *s)
{
	struct http_private *p = r->private;
	struct MHD_Response *response;

	p->stream = s;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE,
						     read_stream, p, NULL);
	if (response) {
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
		add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	}
	answered(p, MHD_HTTP_OK, response);
}

void http_stream_wake(struct http_request *r)
{
	resume(r->private);
}
