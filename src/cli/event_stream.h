/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event_stream: takes a text/event-stream apart (WHATWG HTML, 9.2 "Server-sent events").
 *
 * Bytes come in pieces that respect no line; a line ends with LF, CR LF or CR. Fields of one event
 * are gathered until the empty line that ends it. An event without data is no event.
 */
#ifndef PORTWRIGHT_CLI_EVENT_STREAM_H
#define PORTWRIGHT_CLI_EVENT_STREAM_H

#include "base/slice.h"

#include <stdbool.h>

struct stream_event {
	struct slice id, kind,
		data; /* valid during the call; kind is "message" where none was given */
};

struct text_buffer {
	char *at;
	size_t len, capacity;
};

struct event_stream {
	void (*on_event)(void *arg, const struct stream_event *e);
	void *arg;
	struct text_buffer line, id, kind, data;
	bool after_cr; /* an LF now belongs to the line that just ended */
};

/* A line or an event longer than this is no message of portwrightd's. */
#define EVENT_STREAM_MAX (4U << 20)

/* 0, -ENOMEM, or -EMSGSIZE. */
int event_stream_feed(struct event_stream *s, struct slice piece);
void event_stream_free(struct event_stream *s); /* empties it; ready for a new connection */

#endif
