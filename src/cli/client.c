/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* An import is the longest request; a daemon that needs longer than this for it hangs. */
#define REPLY_TIMEOUT_S	  120L
#define CONNECT_TIMEOUT_S 5L

struct client {
	CURL *curl;
	const char *socket;
	struct curl_slist *json_headers;
	char curl_error[CURL_ERROR_SIZE];
	char error[CURL_ERROR_SIZE + 200];
};

/* Where the body of a reply goes. */
struct sink {
	struct client *client;
	struct reply *reply;
	size_t capacity;
	bool (*take)(void *arg, struct slice piece); /* NULL: all of it is kept in the reply */
	void *arg;
	struct curl_slist *headers; /* of the request; NULL: none of our own */
};

struct client *client_new(const char *socket)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->socket = socket;
	c->curl = curl_easy_init();
	c->json_headers = curl_slist_append(NULL, "Content-Type: application/json");
	/* Without this curl waits a second for "100 Continue" before it sends a large body. */
	if (c->json_headers && !curl_slist_append(c->json_headers, "Expect:"))
		goto fail;
	if (!c->curl || !c->json_headers)
		goto fail;
	return c;
fail:
	client_free(c);
	return NULL;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	curl_slist_free_all(c->json_headers);
	curl_easy_cleanup(c->curl);
	free(c);
}

const char *client_error(const struct client *c)
{
	return c->error;
}

char *client_path(struct client *c, const char *base, const char *segment)
{
	char *escaped = curl_easy_escape(c->curl, segment, 0), *path = NULL;

	if (escaped && asprintf(&path, "%s%s", base, escaped) < 0)
		path = NULL;
	curl_free(escaped);
	return path;
}

void reply_free(struct reply *r)
{
	free(r->text);
	*r = (struct reply){ 0 };
}

/* Appends to the reply's text, keeping it terminated; false when out of memory. */
static bool keep(struct sink *sink, const char *at, size_t len)
{
	struct reply *r = sink->reply;

	if (r->len + len + 1 > sink->capacity) {
		size_t capacity = (r->len + len + 1) * 2;
		char *text = realloc(r->text, capacity);

		if (!text)
			return false;
		r->text = text;
		sink->capacity = capacity;
	}
	memcpy(r->text + r->len, at, len);
	r->len += len;
	r->text[r->len] = 0;
	return true;
}

static size_t on_body(char *at, size_t size, size_t n, void *arg)
{
	struct sink *sink = arg;
	long status = 0;
	bool more;

	curl_easy_getinfo(sink->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (sink->take && status == 200)
		more = sink->take(sink->arg, (struct slice){ at, size * n });
	else
		more = keep(sink, at, size * n);
	return more ? size * n : CURL_WRITEFUNC_ERROR;
}

/* Turns curl's code into an errno and the sentence of client_error(). */
static int describe(struct client *c, CURLcode code)
{
	const char *why = c->curl_error[0] ? c->curl_error : curl_easy_strerror(code);
	long os_errno = 0;

	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_WRITE_ERROR:
	case CURLE_OUT_OF_MEMORY:
		snprintf(c->error, sizeof(c->error), "out of memory");
		return -ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		snprintf(c->error, sizeof(c->error), "portwrightd at %s does not answer",
			 c->socket);
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os_errno);
		if (os_errno)
			why = strerror((int)os_errno);
		snprintf(c->error, sizeof(c->error), "cannot reach portwrightd at %s: %s%s",
			 c->socket, why, os_errno == EACCES ? "" : "; is it running?");
		return os_errno ? (int)-os_errno : -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST: /* what curl makes of a path that fits no sockaddr_un */
		snprintf(c->error, sizeof(c->error),
			 "cannot reach portwrightd at %s: the path is too long for a socket",
			 c->socket);
		return -ENAMETOOLONG;
	default:
		snprintf(c->error, sizeof(c->error), "portwrightd at %s broke off: %s", c->socket,
			 why);
		return -ECONNRESET;
	}
}

static CURLcode prepare(struct client *c, const char *method, const char *url, struct slice body,
			struct sink *sink)
{
	CURL *h = c->curl;
	bool endless = sink->take != NULL;
	CURLcode code;

	curl_easy_reset(h); /* options only: the connection stays */
	c->curl_error[0] = c->error[0] = 0;
	code = curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	code = code ? code : curl_easy_setopt(h, CURLOPT_URL, url);
	code = code ? code : curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	code = code ? code : curl_easy_setopt(h, CURLOPT_PROXY, "");
	code = code ? code : curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http");
	code = code ? code : curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->curl_error);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, endless ? 0L : REPLY_TIMEOUT_S);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, sink);
	if (body.at) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body.at);
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	}
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, sink->headers);
	return code;
}

static int exchange(struct client *c, const char *method, const char *path, struct slice body,
		    struct sink *sink)
{
	struct reply reply = { 0 };
	struct reply *ret = sink->reply;
	char *url = NULL;
	CURLcode code;
	int error;

	sink->client = c;
	sink->reply = &reply;
	/* The name only fills the Host field. */
	if (asprintf(&url, "http://portwright%s", path) < 0)
		return describe(c, CURLE_WRITE_ERROR);
	code = prepare(c, method, url, body, sink);
	if (!code)
		code = curl_easy_perform(c->curl);
	if (!code && !keep(sink, "", 0))
		code = CURLE_WRITE_ERROR;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &reply.status);
	error = describe(c, code);
	free(url);
	if (error) {
		reply_free(&reply);
		return error;
	}
	*ret = reply;
	return 0;
}

int client_send(struct client *c, const char *method, const char *path, struct slice body,
		struct reply *ret)
{
	struct sink sink = { .reply = ret, .headers = body.at ? c->json_headers : NULL };

	return exchange(c, method, path, body, &sink);
}

int client_stream(struct client *c, const char *path, const char *last_id,
		  bool (*take)(void *arg, struct slice piece), void *arg, struct reply *ret)
{
	struct sink sink = { .reply = ret, .take = take, .arg = arg };
	char header[64];
	int error;

	if (last_id) {
		snprintf(header, sizeof(header), "Last-Event-ID: %s", last_id);
		sink.headers = curl_slist_append(NULL, header);
		if (!sink.headers)
			return describe(c, CURLE_OUT_OF_MEMORY);
	}
	error = exchange(c, "GET", path, (struct slice){ 0 }, &sink);
	curl_slist_free_all(sink.headers);
	return error;
}
