/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection's life.
 *
 *     IDLE -> READING -> SERVING -> WRITING -> IDLE ... CLOSED
 *                 \-> WRITING -> LINGERING -> CLOSED       a refusal
 *
 * What is read goes into one buffer, which begins small and never holds more than a head, a body
 * and a little; requests that were sent ahead wait in it. Slices of a request point into it, so
 * they are made anew when the body is whole and the buffer moves no more.
 *
 * A refusal closes the connection, since nobody knows where the next request would begin. But to
 * close a socket with unread bytes in it resets the connection, and the client may never see the
 * reason: so the rest is read and dropped for a moment, until the client has closed or fallen
 * silent.
 *
 * Answers are written at once, as far as the socket takes them, which is nearly always all: no
 * memory is kept for them then.
 */
#include "base/cursor.h"
#include "serve/igd_http_private.h"
#include "serve/lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define CONNECTIONS_MAX	     512
#define CONNECTIONS_HOST_MAX 64
#define HEAD_MAX	     8192
#define CAPACITY_MIN	     2048
#define CAPACITY_MAX	     (HEAD_MAX + IGD_HTTP_BODY_MAX + 4096)
#define REQUEST_MS	     10000 /* from its first byte to its last; likewise an answer */
#define IDLE_MS		     30000
#define LINGER_MS	     2000
#define ANSWER_HEAD_MAX	     768

enum { READ_AGAIN = 0, READ_WHOLE = 1 }; /* else a status to refuse with */

static void read_requests(struct igd_connection *c);
static void refuse(struct igd_connection *c, int status);

static struct igd_connection *connection_of(void *handle)
{
	return ((uv_handle_t *)handle)->data;
}

static void set_state(struct igd_connection *c, enum igd_connection_state state, clock_ms patience)
{
	c->state = state;
	c->deadline = patience ? clock_now() + patience : 0;
}

/*
 * The end. The memory stays while libuv holds the handle, or the service the request.
 */
static void free_if_unused(struct igd_connection *c)
{
	struct igd_http *h = c->http;

	if (!c->released || c->serving)
		return;
	free(c->in);
	free(c->out);
	free(c);
	igd_http_handle_closed(h);
}

static void on_closed(uv_handle_t *handle)
{
	struct igd_connection *c = handle->data;

	c->released = true;
	free_if_unused(c);
}

void igd_connection_close(struct igd_connection *c)
{
	if (c->state == CONNECTION_CLOSED)
		return;
	set_state(c, CONNECTION_CLOSED, 0);
	igd_http_forget(c);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void igd_connection_expire(struct igd_connection *c)
{
	if (c->state == CONNECTION_READING)
		refuse(c, 408);
	else
		igd_connection_close(c);
}

/*
 * Reading.
 */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct igd_connection *c = connection_of(handle);
	size_t capacity = c->capacity ? c->capacity * 2 : CAPACITY_MIN;
	char *more;

	*ret = uv_buf_init(NULL, 0);
	if (c->state == CONNECTION_LINGERING)
		c->len = 0;
	if (c->len == c->capacity && c->capacity < CAPACITY_MAX) {
		if (capacity > CAPACITY_MAX)
			capacity = CAPACITY_MAX;
		more = realloc(c->in, capacity);
		if (!more)
			return;
		c->in = more;
		c->capacity = capacity;
	}
	*ret = uv_buf_init(c->in + c->len, (unsigned)(c->capacity - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct igd_connection *c = connection_of(stream);

	if (n == 0)
		return;
	if (n < 0) {
		igd_connection_close(c);
		return;
	}
	if (c->state == CONNECTION_LINGERING)
		return;
	c->len += (size_t)n;
	read_requests(c);
}

/* Does a field that is a list of tokens hold this one? */
static bool has_token(const struct igd_connection *c, const char *field, const char *token)
{
	struct slice fields = c->request.head.fields, name, value, part;

	while (http_next_field(&fields, &name, &value)) {
		if (!slice_eq_nocase(name, field))
			continue;
		while (slice_split(&value, ',', &part))
			if (slice_eq_nocase(slice_trim(part), token))
				return true;
	}
	return false;
}

/* Is `authority` (HOST or HOST:PORT, an IPv6 address in brackets, perhaps with its zone) the
 * address that the client connected to? */
static bool names_us(const struct igd_connection *c, struct slice authority)
{
	struct slice host, zone;
	struct addr addr;

	if (read_char(&authority, '[')) {
		if (!slice_split(&authority, ']', &host) ||
		    (authority.len && authority.at[0] != ':'))
			return false;
		zone = host;
		slice_split(&zone, '%', &host);
	} else if (!slice_split(&authority, ':', &host)) {
		return false;
	}
	return parse_addr(host, &addr) == 0 && addr_eq(&addr, &c->request.local);
}

/* A target is a path, or a URL whose authority must be ours as well (RFC 9112, 3.2.2). */
static bool find_path(struct igd_connection *c)
{
	static const char scheme[] = "http://";
	struct slice s = c->request.head.target, authority;
	size_t len = sizeof(scheme) - 1;

	if (s.len > len && slice_eq_nocase((struct slice){ s.at, len }, scheme)) {
		s.at += len;
		s.len -= len;
		authority = s;
		for (size_t i = 0; i < s.len; i++)
			if (s.at[i] == '/')
				authority.len = i < authority.len ? i : authority.len;
		if (!names_us(c, authority))
			return false;
		s.at += authority.len;
		s.len -= authority.len;
	}
	if (!s.len || s.at[0] != '/')
		return false;
	slice_split(&s, '?', &c->request.path);
	return true;
}

/* What a web page could have a browser do is refused: no browser lets it set HOST to an address
 * that it does not have, or leave ORIGIN out of a request to elsewhere that changes something. */
static int check_head(struct igd_connection *c)
{
	const struct http_head *head = &c->request.head;
	struct slice host, value;
	uint32_t length = 0;
	int r;

	if (http_find_field(head, "host", &host) < 0 || !names_us(c, host))
		return 400;
	if (http_find_field(head, "origin", &value) != -ENOENT)
		return 403;
	if (!find_path(c))
		return 400;
	r = http_find_framing(head, IGD_HTTP_BODY_MAX, &c->framing, &length);
	if (r < 0)
		return r == -EMSGSIZE ? 413 : r == -ENOTSUP ? 501 : 400;
	c->body_length = length;
	return c->framing == HTTP_NO_BODY && slice_eq(head->method, "POST") ? 411 : READ_WHOLE;
}

static int read_head(struct igd_connection *c)
{
	const struct slice message = { c->in, c->len };
	ssize_t n = parse_http_head(message, HTTP_STREAM, &c->request.head);
	int r;

	if (n == -EAGAIN)
		return c->len > HEAD_MAX ? 431 : READ_AGAIN;
	if (n < 0)
		return 400;
	if (n > HEAD_MAX)
		return 431;
	r = check_head(c);
	if (r != READ_WHOLE)
		return r;
	c->head = (size_t)n;
	c->body = 0;
	c->chunks = http_chunks_of(IGD_HTTP_BODY_MAX);
	c->keep_alive = c->request.head.minor > 0 ? !has_token(c, "connection", "close")
						  : has_token(c, "connection", "keep-alive");
	return READ_WHOLE;
}

/* Takes the chunks' framing out of what is here; what lies behind the last one moves up. */
static int read_chunks(struct igd_connection *c)
{
	size_t at = c->head + c->body, more;
	ssize_t n = http_chunks_read(&c->chunks, c->in + at, c->len - at, &more);

	if (n < 0)
		return n == -EMSGSIZE ? 413 : 400;
	memmove(c->in + at + more, c->in + at + n, c->len - at - (size_t)n);
	c->len -= (size_t)n - more;
	c->body += more;
	return http_chunks_done(&c->chunks) ? READ_WHOLE : READ_AGAIN;
}

static int read_body(struct igd_connection *c)
{
	size_t here = c->len - c->head;

	if (c->framing == HTTP_CHUNKED)
		return read_chunks(c);
	c->body = here < c->body_length ? here : c->body_length;
	return c->body == c->body_length ? READ_WHOLE : READ_AGAIN;
}

/* The client waits to be told that its body is wanted (RFC 9110, 10.1.1). Asked once, of a head
 * that was just read: when more of the body comes the buffer moves, and what points into it is
 * void. */
static int answer_expectation(struct igd_connection *c)
{
	static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const uv_buf_t buf = uv_buf_init(text, sizeof(text) - 1);
	struct slice value;
	int r = http_find_field(&c->request.head, "expect", &value);

	if (r == -ENOENT || !c->request.head.minor)
		return READ_AGAIN;
	if (r < 0 || !slice_eq_nocase(value, "100-continue"))
		return 417;
	/* A socket that does not take 25 bytes belongs to a client that will not wait for them. */
	uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
	return READ_AGAIN;
}

static int read_request(struct igd_connection *c)
{
	bool begins = !c->head;
	int r = READ_WHOLE;

	if (begins) {
		r = read_head(c);
		if (r != READ_WHOLE)
			return r;
	}
	r = read_body(c);
	if (r == READ_AGAIN)
		return begins ? answer_expectation(c) : READ_AGAIN;
	if (r != READ_WHOLE)
		return r;
	/* Now that the buffer moves no more. */
	parse_http_head((struct slice){ c->in, c->len }, HTTP_STREAM, &c->request.head);
	find_path(c);
	c->request.body = (struct slice){ c->in + c->head, c->body };
	c->whole = true;
	return READ_WHOLE;
}

/* A client that closed its side, or a link that went away, shows when reading goes on. */
static void serve(struct igd_connection *c)
{
	set_state(c, CONNECTION_SERVING, 0);
	c->serving = true;
	uv_read_stop((uv_stream_t *)&c->tcp);
	c->http->config.service.serve(c->http->config.service.arg, &c->request);
}

static void refuse(struct igd_connection *c, int status)
{
	const struct igd_http_answer a = { .status = (unsigned)status };

	c->keep_alive = false;
	uv_read_stop((uv_stream_t *)&c->tcp);
	igd_http_answer(&c->request, &a);
}

/* Takes requests from the buffer until one is not whole, or its answer is not written yet. */
static void read_requests(struct igd_connection *c)
{
	if (c->looping)
		return;
	c->looping = true;
	while (c->state <= CONNECTION_READING && c->len) {
		int r;

		if (c->state == CONNECTION_IDLE)
			set_state(c, CONNECTION_READING, REQUEST_MS);
		r = read_request(c);
		if (r == READ_AGAIN)
			break;
		if (r == READ_WHOLE)
			serve(c);
		else
			refuse(c, r);
	}
	c->looping = false;
}

/*
 * Answering.
 */
static void begin_reading(struct igd_connection *c)
{
	if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		igd_connection_close(c);
}

static void linger(struct igd_connection *c)
{
	set_state(c, CONNECTION_LINGERING, LINGER_MS);
	if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, NULL) < 0)
		igd_connection_close(c);
	else
		begin_reading(c);
}

/* What was answered makes room for what lies behind it. */
static void next_request(struct igd_connection *c)
{
	size_t used = c->head + c->body;

	memmove(c->in, c->in + used, c->len - used);
	c->len -= used;
	c->head = c->body = 0;
	c->whole = false;
	c->request.head = (struct http_head){ 0 };
	set_state(c, CONNECTION_IDLE, IDLE_MS);
	begin_reading(c);
	if (c->state == CONNECTION_IDLE)
		read_requests(c);
}

static void written(struct igd_connection *c)
{
	free(c->out);
	c->out = NULL;
	if (c->keep_alive)
		next_request(c);
	else if (c->whole)
		igd_connection_close(c);
	else
		linger(c);
}

static void on_written(uv_write_t *write, int status)
{
	struct igd_connection *c = connection_of(write->handle);

	if (status < 0)
		igd_connection_close(c);
	else if (c->state == CONNECTION_WRITING)
		written(c);
}

static void send_bytes(struct igd_connection *c, const uv_buf_t *bytes)
{
	ssize_t n = uv_try_write((uv_stream_t *)&c->tcp, bytes, 1);
	uv_buf_t rest;

	if (n < 0 && n != UV_EAGAIN) {
		igd_connection_close(c);
		return;
	}
	n = n < 0 ? 0 : n;
	if ((size_t)n == bytes->len) {
		written(c);
		return;
	}
	rest = uv_buf_init(bytes->base + n, (unsigned)(bytes->len - (size_t)n));
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &rest, 1, on_written) < 0)
		igd_connection_close(c);
}

struct reason {
	unsigned status;
	const char *text;
};

static const struct reason reasons[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
};

static const char *reason_of(unsigned status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

static void write_head(struct writer *w, const struct igd_connection *c,
		       const struct igd_http_answer *a)
{
	writer_text(w, "HTTP/1.1 ");
	writer_number(w, a->status);
	writer_text(w, " ");
	writer_text(w, reason_of(a->status));
	writer_text(w, "\r\nSERVER: ");
	writer_text(w, c->http->config.server);
	if (a->content_type) {
		writer_text(w, "\r\nCONTENT-TYPE: ");
		writer_text(w, a->content_type);
	}
	writer_text(w, "\r\nCONTENT-LENGTH: ");
	writer_number(w, a->body.len);
	writer_text(w, c->keep_alive ? "\r\n" : "\r\nCONNECTION: close\r\n");
	if (a->fields)
		writer_text(w, a->fields);
	writer_text(w, "\r\n");
}

void igd_http_answer(struct igd_http_request *r, const struct igd_http_answer *a)
{
	struct igd_connection *c =
		(struct igd_connection *)((char *)r - offsetof(struct igd_connection, request));
	bool with_body = a->body.len && !slice_eq(r->head.method, "HEAD");
	size_t cap = ANSWER_HEAD_MAX + (with_body ? a->body.len : 0);
	struct writer w;
	uv_buf_t bytes;

	c->serving = false;
	if (c->state == CONNECTION_CLOSED) {
		free_if_unused(c);
		return;
	}
	set_state(c, CONNECTION_WRITING, REQUEST_MS);
	c->out = malloc(cap);
	w = writer_of(c->out, c->out ? cap : 0);
	write_head(&w, c, a);
	if (with_body)
		writer_slice(&w, a->body);
	if (writer_finish(&w) < 0) {
		igd_connection_close(c);
		return;
	}
	bytes = uv_buf_init(c->out, (unsigned)w.len);
	send_bytes(c, &bytes);
}

/*
 * The beginning.
 */
static bool read_names(struct igd_connection *c)
{
	struct sockaddr_storage names[2] = { 0 };
	struct addr *ret[2] = { &c->request.client, &c->request.local };
	int len[2] = { sizeof(names[0]), sizeof(names[1]) };

	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&names[0], &len[0]) < 0 ||
	    uv_tcp_getsockname(&c->tcp, (struct sockaddr *)&names[1], &len[1]) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (names[i].ss_family == AF_INET)
			*ret[i] = addr_from_v4(((struct sockaddr_in *)&names[i])->sin_addr);
		else
			ret[i]->in6 = ((struct sockaddr_in6 *)&names[i])->sin6_addr;
	}
	return true;
}

static bool is_welcome(const struct igd_connection *c)
{
	const struct igd_http *h = c->http;
	unsigned of_host = 0;

	if (!lan_is_own(h->site, c->request.link, &c->request.local) ||
	    !lan_is_neighbour(h->site, c->request.link, &c->request.client) ||
	    h->n_connections > CONNECTIONS_MAX)
		return false;
	for (const struct igd_connection *other = h->connections; other; other = other->next)
		of_host += addr_eq(&other->request.client, &c->request.client);
	return of_host <= CONNECTIONS_HOST_MAX;
}

bool igd_connection_accept(struct igd_http *h, uv_stream_t *server, int link)
{
	struct igd_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	c->http = h;
	c->request.link = link;
	uv_tcp_init(h->config.loop, &c->tcp);
	c->tcp.data = c;
	h->open_handles++;
	c->next = h->connections;
	if (c->next)
		c->next->previous = c;
	h->connections = c;
	h->n_connections++;
	if (uv_accept(server, (uv_stream_t *)&c->tcp) < 0 || !read_names(c) || !is_welcome(c)) {
		igd_connection_close(c);
		return true;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	set_state(c, CONNECTION_IDLE, REQUEST_MS);
	begin_reading(c);
	return true;
}
