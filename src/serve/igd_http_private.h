/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_http_private: what igd_http.c (links, limits, deadlines) and igd_connection.c (one
 * connection's life) share.
 */
#ifndef PORTWRIGHT_SERVE_IGD_HTTP_PRIVATE_H
#define PORTWRIGHT_SERVE_IGD_HTTP_PRIVATE_H

#include "base/clock.h"
#include "serve/igd_http.h"
#include "wire/http_chunks.h"

enum igd_connection_state {
	CONNECTION_IDLE,      /* nothing of a request is here; may be closed at any time */
	CONNECTION_READING,   /* some of one is */
	CONNECTION_SERVING,   /* the service has it; nothing is read meanwhile */
	CONNECTION_WRITING,   /* the answer is being written */
	CONNECTION_LINGERING, /* refused: what the client still sends is dropped */
	CONNECTION_CLOSED,    /* libuv lets go of it; an answer still to come has nowhere to go */
};

struct igd_connection {
	uv_tcp_t tcp;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct igd_http *http;
	struct igd_connection *previous, *next;
	enum igd_connection_state state;
	clock_ms deadline; /* 0: none */
	bool keep_alive;
	bool whole;    /* the request was read to its end */
	bool serving;  /* the service owes an answer, whatever the state */
	bool released; /* libuv has let go of it */
	bool looping;  /* requests are being taken from the buffer further up the stack */

	/* What was read: a head, as much of its body as is here, and what lies behind. */
	char *in;
	size_t len, capacity;
	size_t head; /* 0: not complete */
	size_t body, body_length;
	enum http_framing framing;
	struct http_chunks chunks;
	struct igd_http_request request;

	char *out; /* what could not be written at once */
};

struct igd_listener;

struct igd_http {
	struct igd_http_config config;
	const struct site *site;
	uint16_t port; /* as it was given to the first link; 0: none yet */
	struct igd_listener *listeners;
	struct igd_connection *connections;
	unsigned n_connections;
	uv_timer_t clock; /* looks for deadlines, while there are connections */
	unsigned open_handles;
	bool closing;
	bool complained; /* that it cannot listen everywhere */
};

/* igd_http.c */
void igd_http_forget(struct igd_connection *c); /* takes it out of the list */
void igd_http_handle_closed(struct igd_http *h);

/* igd_connection.c */
/* False: out of memory. libuv has the connection, and no other one comes until this was called with
 * success. */
bool igd_connection_accept(struct igd_http *h, uv_stream_t *server, int link);
void igd_connection_expire(struct igd_connection *c); /* its deadline has passed */
void igd_connection_close(struct igd_connection *c);

#endif
