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
	CURLM *multi;
	CURL *curl;
	const char *socket;
	bool under_way;
	struct curl_slist *json_headers;
	char curl_error[CURL_ERROR_SIZE];
	char error[CURL_ERROR_SIZE + 200];

	/* The request under way. */
	struct reply reply;
	size_t capacity;			     /* of its text */
	bool (*take)(void *arg, struct slice piece); /* NULL: all of it is kept in the reply */
	void *arg;
};

struct client *client_new(const char *socket)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->socket = socket;
	c->multi = curl_multi_init();
	c->curl = curl_easy_init();
	c->json_headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!c->multi || !c->curl || !c->json_headers)
		goto fail;
	/* Without this curl waits a second for "100 Continue" before it sends a large body. */
	if (!curl_slist_append(c->json_headers, "Expect:"))
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
	if (c->under_way)
		curl_multi_remove_handle(c->multi, c->curl);
	curl_easy_cleanup(c->curl);
	curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->json_headers);
	reply_free(&c->reply);
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
static bool keep(struct client *c, const char *at, size_t len)
{
	struct reply *r = &c->reply;

	if (r->len + len + 1 > c->capacity) {
		size_t capacity = (r->len + len + 1) * 2;
		char *text = realloc(r->text, capacity);

		if (!text)
			return false;
		r->text = text;
		c->capacity = capacity;
	}
	memcpy(r->text + r->len, at, len);
	r->len += len;
	r->text[r->len] = 0;
	return true;
}

static size_t on_body(char *at, size_t size, size_t n, void *arg)
{
	struct client *c = arg;
	long status = 0;
	bool more;

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (c->take && status == 200)
		more = c->take(c->arg, (struct slice){ at, size * n });
	else
		more = keep(c, at, size * n);
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

/* Sets the transfer up; what is out of memory shows as a code. */
static CURLcode prepare(struct client *c, const char *method, const char *path, struct slice body,
			struct curl_slist *headers)
{
	CURL *h = c->curl;
	CURLcode code;
	char *url;

	/* The name only fills the Host field. */
	if (asprintf(&url, "http://portwright%s", path) < 0)
		return CURLE_OUT_OF_MEMORY;
	curl_easy_reset(h); /* options only: the connection stays */
	code = curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	code = code ? code : curl_easy_setopt(h, CURLOPT_URL, url);
	code = code ? code : curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	code = code ? code : curl_easy_setopt(h, CURLOPT_PROXY, "");
	code = code ? code : curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http");
	free(url);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->curl_error);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, c->take ? 0L : REPLY_TIMEOUT_S);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	if (body.at) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body.at);
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	}
	return code;
}

/* Puts the request on its way; `body` and `headers` must last until finish(). */
static int begin(struct client *c, const char *method, const char *path, struct slice body,
		 struct curl_slist *headers)
{
	CURLcode code;
	int running;

	c->curl_error[0] = c->error[0] = 0;
	reply_free(&c->reply);
	c->capacity = 0;
	code = prepare(c, method, path, body, headers);
	if (!code && curl_multi_add_handle(c->multi, c->curl))
		code = CURLE_OUT_OF_MEMORY;
	if (code)
		return describe(c, code);
	c->under_way = true;
	/* Connects to a unix socket, and sends what is short, at once. Errors show in finish(). */
	curl_multi_perform(c->multi, &running);
	return 0;
}

/* Runs the transfer to its end; the code with which it ended. */
static CURLcode complete(struct client *c)
{
	CURLMsg *message;
	int running, left;

	do {
		if (curl_multi_perform(c->multi, &running))
			return CURLE_OUT_OF_MEMORY;
		if (running && curl_multi_poll(c->multi, NULL, 0, 1000, NULL))
			return CURLE_OUT_OF_MEMORY;
	} while (running);
	while ((message = curl_multi_info_read(c->multi, &left))) {
		if (message->msg == CURLMSG_DONE)
			return message->data.result;
	}
	return CURLE_OUT_OF_MEMORY;
}

int client_finish(struct client *c, struct reply *ret)
{
	CURLcode code = complete(c);
	int error;

	if (!code && !keep(c, "", 0)) /* a reply's text is never NULL */
		code = CURLE_OUT_OF_MEMORY;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->reply.status);
	error = describe(c, code);
	curl_multi_remove_handle(c->multi, c->curl);
	c->under_way = false;
	if (error)
		return error;
	*ret = c->reply;
	c->reply = (struct reply){ 0 };
	return 0;
}

int client_begin(struct client *c, const char *path)
{
	c->take = NULL;
	return begin(c, "GET", path, (struct slice){ 0 }, NULL);
}

int client_send(struct client *c, const char *method, const char *path, struct slice body,
		struct reply *ret)
{
	int error;

	c->take = NULL;
	error = begin(c, method, path, body, body.at ? c->json_headers : NULL);
	return error ? error : client_finish(c, ret);
}

int client_stream(struct client *c, const char *path, const char *last_id,
		  bool (*take)(void *arg, struct slice piece), void *arg, struct reply *ret)
{
	struct curl_slist *headers = NULL;
	char header[64];
	int error;

	c->take = take;
	c->arg = arg;
	if (last_id) {
		snprintf(header, sizeof(header), "Last-Event-ID: %s", last_id);
		headers = curl_slist_append(NULL, header);
		if (!headers)
			return describe(c, CURLE_OUT_OF_MEMORY);
	}
	error = begin(c, "GET", path, (struct slice){ 0 }, headers);
	if (!error)
		error = client_finish(c, ret);
	curl_slist_free_all(headers);
	return error;
}
