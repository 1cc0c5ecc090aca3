/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring holds references to the mappings, not their text: a mapping never changes, so it can be
 * written out when a reader gets there, and with nobody listening an import of 65,000 costs next to
 * nothing. A reader is a position in the ring. One that is overtaken is told how many events it
 * missed and goes on with the oldest that is left; one that takes nothing at all runs into the
 * server's timeout. So a slow reader costs one event's text, never a queue.
 */
#include "serve/events.h"

#include "base/clock.h"
#include "core/mapping_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_SIZE     1024
/* Ids of a run begin at its second, with room for this many bits of events. */
#define RUN_SHIFT     20
/* How long a browser waits before it comes back, milliseconds. */
#define RETRY_MS      2000
/* A stream's text up to here is kept for the next event. */
#define TEXT_KEPT_MAX 16384

struct kept_event {
	enum event_kind kind;
	wall_s at;
	struct mapping *before, *after;
	char *text; /* NULL: none */
	char who[MAPPING_OWNER_MAX + 1];
};

struct reader {
	struct http_stream stream; /* first: what http gives back is the reader */
	struct events *events;
	struct http_request *request;
	struct reader *previous, *next;
	uint64_t position; /* the id it gets next */
	struct text text;  /* written out */
	size_t sent;	   /* bytes of it */
};

struct events {
	struct subscriber subscriber; /* first: what the gateway gives back is the events */
	struct gateway *gateway;
	uint64_t first;	       /* the id of this run's first event */
	uint64_t oldest, next; /* ids: the ring holds [oldest, next) */
	struct reader *readers;
	struct kept_event ring[RING_SIZE];
};

static void kept_event_free(struct kept_event *k)
{
	mapping_unref(k->before);
	mapping_unref(k->after);
	free(k->text);
	*k = (struct kept_event){ 0 };
}

/* A mapping's const in an event means that it does not change; counting a holder is no change. */
static struct mapping *hold(const struct mapping *m)
{
	return m ? mapping_ref((struct mapping *)m) : NULL;
}

static void notify(struct subscriber *s, const struct event *event)
{
	struct events *e = (struct events *)s;
	struct kept_event *k = &e->ring[e->next % RING_SIZE];

	kept_event_free(k); /* a free place is all zero */
	k->kind = event->kind;
	k->at = event->at;
	k->before = hold(event->before);
	k->after = hold(event->after);
	k->text = event->text ? strdup(event->text) : NULL;
	snprintf(k->who, sizeof(k->who), "%s", event->who ? event->who : "");
	e->next++;
	if (e->next - e->oldest > RING_SIZE)
		e->oldest++;
	for (struct reader *r = e->readers; r; r = r->next)
		http_stream_wake(r->request);
}

static json_t *mapping_or_null(const struct mapping *m)
{
	return m ? mapping_to_json(m) : json_null();
}

static void write_data(struct text *t, wall_s at, const char *who, json_t *mapping, json_t *before,
		       const char *text)
{
	char date[WALL_TEXT_MAX];

	text_puts(t, "data: ");
	text_json_take(t,
		       json_pack("{s:s, s:s, s:o, s:o, s:s?}", "at", format_wall(at, date), "who",
				 who, "mapping", mapping, "before", before, "text", text));
	text_puts(t, "\n\n");
}

static void write_event(struct text *t, uint64_t id, const struct kept_event *k)
{
	text_printf(t, "id: %llu\nevent: %s\n", (unsigned long long)id, event_kind_name(k->kind));
	write_data(t, k->at, k->who, mapping_or_null(k->after), mapping_or_null(k->before),
		   k->text);
}

/* Of our own making: it has no id, so a reader's Last-Event-ID stays what it was. */
static void write_lost(struct text *t, const char *line)
{
	text_puts(t, "event: lost\n");
	write_data(t, clock_wall(), "portwright", json_null(), json_null(), line);
}

static void write_next(struct reader *r, bool quiet)
{
	struct events *e = r->events;
	char line[80];

	if (r->position < e->oldest) {
		snprintf(line, sizeof(line), "%llu events were lost: read the list again",
			 (unsigned long long)(e->oldest - r->position));
		write_lost(&r->text, line);
		r->position = e->oldest;
	} else if (r->position < e->next) {
		write_event(&r->text, r->position, &e->ring[r->position % RING_SIZE]);
		r->position++;
	} else if (quiet) {
		text_puts(&r->text, ":\n\n"); /* a comment */
	}
}

static ssize_t read_events(struct http_stream *s, char *buf, size_t cap, bool quiet)
{
	struct reader *r = (struct reader *)s;
	size_t n;

	if (r->sent == r->text.len) {
		if (r->text.capacity > TEXT_KEPT_MAX)
			text_free(&r->text);
		r->text.len = r->sent = 0;
		write_next(r, quiet);
	}
	if (r->text.failed)
		return -1;
	n = r->text.len - r->sent;
	if (n > cap)
		n = cap;
	memcpy(buf, r->text.at + r->sent, n);
	r->sent += n;
	return (ssize_t)n;
}

static void close_reader(struct http_stream *s)
{
	struct reader *r = (struct reader *)s;

	if (r->previous)
		r->previous->next = r->next;
	else
		r->events->readers = r->next;
	if (r->next)
		r->next->previous = r->previous;
	text_free(&r->text);
	free(r);
}

/* 20 digits hold more than 64 bits, 18 do not. */
static bool read_id(const char *text, uint64_t *ret)
{
	uint64_t id = 0;
	size_t n = strlen(text);

	if (!n || n > 18)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = id;
	return true;
}

void events_answer(struct events *e, struct http_request *request, const char *last_id)
{
	struct http_answer failed = { .body.failed = true };
	struct reader *r = calloc(1, sizeof(*r));
	uint64_t last;

	if (!r) {
		http_answer(request, &failed);
		return;
	}
	r->stream = (struct http_stream){ .read = read_events, .close = close_reader };
	r->events = e;
	r->request = request;
	r->position = e->next;
	/* The first bytes tell the client that it is subscribed. */
	text_printf(&r->text, "retry: %d\n\n", RETRY_MS);
	if (last_id && read_id(last_id, &last) && last + 1 >= e->first && last < e->next) {
		r->position = last + 1;
	} else if (last_id) {
		r->position = e->oldest;
		write_lost(&r->text, "Last-Event-ID is not of this run: read the list again");
	}
	r->next = e->readers;
	if (r->next)
		r->next->previous = r;
	e->readers = r;
	http_answer_stream(request, "text/event-stream", &r->stream);
}

int events_new(struct gateway *g, struct events **ret)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->gateway = g;
	e->subscriber.notify = notify;
	e->first = e->oldest = e->next = (uint64_t)clock_wall() << RUN_SHIFT;
	gateway_subscribe(g, &e->subscriber);
	*ret = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	gateway_unsubscribe(e->gateway, &e->subscriber);
	for (size_t i = 0; i < RING_SIZE; i++)
		kept_event_free(&e->ring[i]);
	free(e);
}
