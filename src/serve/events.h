/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events: what happens at the gateway, as server-sent events (WHATWG HTML, section 9.2).
 *
 * A ring keeps the latest events for readers who come back (Last-Event-ID) or read slowly. Ids rise
 * over restarts of the daemon, too, so that an id from an earlier run is known to be one.
 */
#ifndef PORTWRIGHT_SERVE_EVENTS_H
#define PORTWRIGHT_SERVE_EVENTS_H

#include "core/gateway.h"
#include "serve/http.h"

struct events;

/* Subscribes. 0 or -ENOMEM. */
int events_new(struct gateway *g, struct events **ret);
/* When all streams are closed. NULL is fine. */
void events_free(struct events *e);

/* Answers with a stream: what came after last_id (NULL: only what is to come), then events as they
 * happen. */
void events_answer(struct events *e, struct http_request *r, const char *last_id);

#endif
