/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_private: what http.c (the server in its loop) and http_request.c (one request's life) share.
 */
#ifndef PORTWRIGHT_SERVE_HTTP_PRIVATE_H
#define PORTWRIGHT_SERVE_HTTP_PRIVATE_H

#include "serve/http.h"

#include <microhttpd.h>

struct http_private {
	struct http_request request;
	struct http *http;
	struct MHD_Connection *connection;
	struct http_private *previous, *next; /* all requests of the server */
	char *path;
	struct text body;
	size_t dropped; /* bytes of a body that nobody wants */

	bool begun, served;
	bool suspended; /* libmicrohttpd waits until we resume it */
	bool answered;
	unsigned status;
	struct MHD_Response *response; /* NULL although answered: out of memory, hang up */
	struct http_stream *stream;
	bool quiet; /* the stream's next read should say something */
};

struct http {
	struct MHD_Daemon *daemon;
	struct http_service service;
	struct http_private *requests;
	struct http_connection *connections;
	uv_poll_t ready;  /* libmicrohttpd's epoll descriptor */
	uv_timer_t timer; /* its next timeout */
	uv_timer_t pulse; /* finds out which streams' peers are gone */
	unsigned open_handles;
	bool closing;
	char socket[108];
};

/* libmicrohttpd has something to do that no descriptor tells of. */
void http_kick(struct http *h);

/* The hooks of libmicrohttpd that concern one request; cls is the struct http. */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *data,
				size_t *size, void **context);
void http_on_completed(void *cls, struct MHD_Connection *connection, void **context,
		       enum MHD_RequestTerminationCode code);
size_t http_unescape(void *cls, struct MHD_Connection *connection, char *s);

#endif
