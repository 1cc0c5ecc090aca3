/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gena: subscriptions, and who is to be told what.
 *
 * Nobody calls with a changed variable. Whatever could have changed one says so (gena_look), and a
 * little later all evented variables are compared with what they were; that gathers a burst of
 * changes into one event. A subscription does not queue events, it remembers which variables are
 * due to it: while one event is on its way, or a subscriber is slow, what becomes due meanwhile
 * goes with the next, at the value it then has.
 *
 * A subscriber that cannot be reached three times in a row is forgotten, as is one that does not
 * know its subscription any more.
 */
#include "serve/gena.h"

#include "serve/gena_delivery.h"
#include "serve/igd_identity.h"
#include "wire/callback.h"
#include "wire/xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUBSCRIPTIONS_MAX      64
#define SUBSCRIPTIONS_HOST_MAX 8
#define TIMEOUT_MIN_S	       60
#define TIMEOUT_MAX_S	       1800
#define GATHER_MS	       100
#define FIRST_EVENT_MS	       100
#define SWEEP_MS	       10000 /* how often subscriptions that ran out are looked for */
#define FAILURES_MAX	       3
#define EVENTED_MAX	       16
#define EVENT_MAX	       8192

/* An evented variable, and what it was when it was last looked at. */
struct evented {
	const struct igd_service *service;
	const struct igd_variable *variable;
	char value[IGD_VALUE_MAX];
	size_t len;
};

struct subscription {
	struct gena *gena;
	struct subscription *previous, *next;
	char sid[IGD_UUID_MAX];
	const struct igd_service *service;
	uint8_t version_bit; /* of the service */
	struct gena_target target;
	char path[CALLBACK_PATH_MAX + 1];
	clock_ms expires;
	clock_ms begins; /* no event before that */
	uint32_t sequence;
	uint32_t due; /* variables, a bit each, by index in gena->evented */
	unsigned failures;
	struct gena_delivery *delivery; /* NULL: none under way */
};

struct gena {
	uv_loop_t *loop;
	const struct igd *igd;
	uv_timer_t gather, sweep;
	unsigned open_handles;
	struct subscription *subscriptions;
	unsigned n_subscriptions;
	struct evented evented[EVENTED_MAX];
	size_t n_evented;
};

/*
 * Subscriptions.
 */
static void forget(struct subscription *s)
{
	struct gena *g = s->gena;

	gena_delivery_cancel(s->delivery);
	if (s->previous)
		s->previous->next = s->next;
	else
		g->subscriptions = s->next;
	if (s->next)
		s->next->previous = s->previous;
	g->n_subscriptions--;
	free(s);
}

static void on_sweep(uv_timer_t *timer)
{
	struct gena *g = timer->data;
	struct subscription *next;
	clock_ms now = clock_now();

	for (struct subscription *s = g->subscriptions; s; s = next) {
		next = s->next;
		if (s->expires <= now)
			forget(s);
	}
	if (!g->subscriptions)
		uv_timer_stop(&g->sweep);
}

/* The variables that subscribers of this version of a service are told. */
static uint32_t variables_of(const struct gena *g, const struct igd_service *service,
			     uint8_t version_bit)
{
	uint32_t set = 0;

	for (size_t i = 0; i < g->n_evented; i++)
		if (g->evented[i].service == service &&
		    g->evented[i].variable->versions & version_bit)
			set |= 1u << i;
	return set;
}

static bool is_full(const struct gena *g, const struct addr *host)
{
	unsigned of_host = 0;

	for (const struct subscription *s = g->subscriptions; s; s = s->next)
		of_host += addr_eq(&s->target.addr, host);
	return g->n_subscriptions >= SUBSCRIPTIONS_MAX || of_host >= SUBSCRIPTIONS_HOST_MAX;
}

/*
 * Events.
 */
static void write_host(struct writer *w, const struct gena_target *target)
{
	char addr[ADDR_TEXT_MAX];
	bool v4 = addr_is_v4(&target->addr);

	writer_text(w, v4 ? "" : "[");
	writer_text(w, format_addr(&target->addr, addr));
	writer_text(w, v4 ? ":" : "]:");
	writer_number(w, target->port);
}

static void write_properties(struct writer *w, const struct gena *g, uint32_t set)
{
	writer_text(w, "<?xml version=\"1.0\"?>\n"
		       "<e:propertyset xmlns:e=\"urn:schemas-upnp-org:event-1-0\">\n");
	for (size_t i = 0; i < g->n_evented; i++) {
		const struct evented *e = &g->evented[i];

		if (!(set & 1u << i))
			continue;
		writer_text(w, "<e:property><");
		writer_text(w, e->variable->name);
		writer_text(w, ">");
		writer_xml(w, (struct slice){ e->value, e->len });
		writer_text(w, "</");
		writer_text(w, e->variable->name);
		writer_text(w, "></e:property>\n");
	}
	writer_text(w, "</e:propertyset>\n");
}

/* 4.3.2 */
static void write_event(struct writer *w, const struct subscription *s)
{
	uint8_t body[EVENT_MAX];
	struct writer properties = writer_of(body, sizeof(body));

	write_properties(&properties, s->gena, s->due);
	w->failed |= properties.failed;
	writer_text(w, "NOTIFY ");
	writer_text(w, s->path);
	writer_text(w, " HTTP/1.1\r\nHOST: ");
	write_host(w, &s->target);
	writer_text(w, "\r\nCONTENT-TYPE: text/xml; charset=\"utf-8\"\r\nCONTENT-LENGTH: ");
	writer_number(w, properties.len);
	writer_text(w, "\r\nNT: upnp:event\r\nNTS: upnp:propchange\r\nSID: uuid:");
	writer_text(w, s->sid);
	writer_text(w, "\r\nSEQ: ");
	writer_number(w, s->sequence);
	writer_text(w, "\r\nCONNECTION: close\r\n\r\n");
	writer_bytes(w, body, properties.len);
}

static void send_event(struct subscription *s);

static void on_delivered(void *arg, unsigned status)
{
	struct subscription *s = arg;

	s->delivery = NULL;
	s->failures = status == 200 ? 0 : s->failures + 1;
	if (status == 412 || s->failures >= FAILURES_MAX)
		forget(s);
	else if (s->due)
		send_event(s);
}

/* The sequence goes from 0, the first event's, up, and turns round to 1 (4.3.2). */
static void send_event(struct subscription *s)
{
	uint8_t message[EVENT_MAX + 1024];
	struct writer w = writer_of(message, sizeof(message));

	write_event(&w, s);
	s->due = 0;
	s->sequence = s->sequence == UINT32_MAX ? 1 : s->sequence + 1;
	if (writer_finish(&w) < 0 || gena_deliver(s->gena->loop, &s->target, message, w.len,
						  on_delivered, s, &s->delivery) < 0)
		s->delivery = NULL;
}

static void on_gathered(uv_timer_t *timer);

static void look_in(struct gena *g, clock_ms ms)
{
	if (!uv_is_active((uv_handle_t *)&g->gather))
		uv_timer_start(&g->gather, on_gathered, (uint64_t)ms, 0);
}

static void send_due(struct gena *g)
{
	clock_ms now = clock_now();

	for (struct subscription *s = g->subscriptions; s; s = s->next) {
		if (!s->due || s->delivery)
			continue;
		if (s->begins <= now)
			send_event(s);
		else
			look_in(g, s->begins - now);
	}
}

/* Reads a variable anew; true where it is another one. */
static bool look_at(const struct gena *g, struct evented *e)
{
	char value[IGD_VALUE_MAX];
	struct writer w = writer_of(value, sizeof(value));

	e->variable->value(g->igd, &w);
	if (w.len == e->len && !memcmp(value, e->value, w.len))
		return false;
	memcpy(e->value, value, w.len);
	e->len = w.len;
	return true;
}

/* Which variables have changed; and with them those that are to be told in one event. */
static uint32_t look(struct gena *g)
{
	uint32_t changed = 0, joint = 0;

	for (size_t i = 0; i < g->n_evented; i++) {
		if (look_at(g, &g->evented[i]))
			changed |= 1u << i;
		if (g->evented[i].variable->joint)
			joint |= 1u << i;
	}
	return changed & joint ? changed | joint : changed;
}

static void on_gathered(uv_timer_t *timer)
{
	struct gena *g = timer->data;
	uint32_t changed = look(g);

	for (struct subscription *s = g->subscriptions; s; s = s->next)
		s->due |= changed & variables_of(g, s->service, s->version_bit);
	send_due(g);
}

void gena_look(struct gena *g)
{
	if (g->subscriptions)
		look_in(g, GATHER_MS);
}

/*
 * Requests.
 */
static void answer_status(struct igd_http_request *r, unsigned status)
{
	const struct igd_http_answer a = { .status = status };

	igd_http_answer(r, &a);
}

static void answer_subscribed(struct igd_http_request *r, const struct subscription *s,
			      uint32_t seconds)
{
	char fields[128];
	struct writer w = writer_of(fields, sizeof(fields) - 1);
	struct igd_http_answer a = { .status = 200, .fields = fields };

	writer_text(&w, "SID: uuid:");
	writer_text(&w, s->sid);
	writer_text(&w, "\r\nTIMEOUT: Second-");
	writer_number(&w, seconds);
	writer_text(&w, "\r\n");
	fields[w.len] = '\0';
	igd_http_answer(r, &a);
}

/* What was asked for, within bounds; the longest where nothing sensible was. */
static uint32_t granted_timeout(const struct igd_http_request *r)
{
	struct slice value;
	uint32_t seconds;

	if (http_find_field(&r->head, "timeout", &value) < 0 ||
	    parse_subscription_timeout(value, &seconds) < 0 || seconds > TIMEOUT_MAX_S)
		return TIMEOUT_MAX_S;
	return seconds > TIMEOUT_MIN_S ? seconds : TIMEOUT_MIN_S;
}

static void start_lease(struct subscription *s, uint32_t seconds)
{
	s->expires = clock_now() + (clock_ms)seconds * 1000;
}

/* All URLs must lead to whoever asks, even though only the first one is used. */
static int read_callback(const struct igd_http_request *r, struct callback *ret)
{
	struct slice value;
	struct callback c;
	int error = http_find_field(&r->head, "callback", &value);

	if (error < 0)
		return error;
	for (bool first = true; first || value.len; first = false) {
		if (parse_callback(&value, &c) < 0 || !addr_eq(&c.addr, &r->client))
			return -EINVAL;
		if (first)
			*ret = c;
	}
	return 0;
}

static struct subscription *new_subscription(struct gena *g, const struct igd_http_request *r,
					     const struct callback *callback)
{
	struct subscription *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (make_uuid(s->sid) < 0) {
		free(s);
		return NULL;
	}
	s->gena = g;
	s->target = (struct gena_target){ r->client, callback->port, r->link };
	memcpy(s->path, callback->path.at, callback->path.len);
	s->next = g->subscriptions;
	if (s->next)
		s->next->previous = s;
	g->subscriptions = s;
	g->n_subscriptions++;
	if (!uv_is_active((uv_handle_t *)&g->sweep))
		uv_timer_start(&g->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	return s;
}

static void subscribe(struct gena *g, const struct igd_service *service, unsigned face,
		      struct igd_http_request *r)
{
	uint32_t seconds = granted_timeout(r);
	struct callback callback;
	struct subscription *s;
	struct slice nt;

	if (http_find_field(&r->head, "nt", &nt) < 0 || !slice_eq(nt, "upnp:event") ||
	    read_callback(r, &callback) < 0) {
		answer_status(r, 412);
		return;
	}
	if (!g->subscriptions)
		look(g); /* nobody has for a while */
	s = is_full(g, &r->client) ? NULL : new_subscription(g, r, &callback);
	if (!s) {
		answer_status(r, 503);
		return;
	}
	s->service = service;
	s->version_bit = (uint8_t)(1u << (igd_service_version(service, face) - 1));
	s->due = variables_of(g, service, s->version_bit);
	start_lease(s, seconds);
	answer_subscribed(r, s, seconds);
	/* The first event comes behind the answer (4.1.2), and by another connection: GUPnP drops
	 * one that it reads before it knows the subscription's name. */
	s->begins = clock_now() + FIRST_EVENT_MS;
	look_in(g, FIRST_EVENT_MS);
}

/* The subscription that SID names, if it is this client's; NULL: the request was refused. */
static struct subscription *named_subscription(struct gena *g, const struct igd_service *service,
					       struct igd_http_request *r)
{
	static const char scheme[] = "uuid:";
	struct slice sid, other;

	if (http_find_field(&r->head, "nt", &other) != -ENOENT ||
	    http_find_field(&r->head, "callback", &other) != -ENOENT) {
		answer_status(r, 400);
		return NULL;
	}
	if (http_find_field(&r->head, "sid", &sid) == 0 && sid.len > sizeof(scheme) - 1 &&
	    !memcmp(sid.at, scheme, sizeof(scheme) - 1)) {
		sid.at += sizeof(scheme) - 1;
		sid.len -= sizeof(scheme) - 1;
		for (struct subscription *s = g->subscriptions; s; s = s->next)
			if (slice_eq(sid, s->sid) && s->service == service &&
			    addr_eq(&s->target.addr, &r->client) && s->expires > clock_now())
				return s;
	}
	answer_status(r, 412);
	return NULL;
}

void gena_subscribe(struct gena *g, const struct igd_service *service, unsigned face,
		    struct igd_http_request *r)
{
	struct subscription *s;
	struct slice sid;

	if (http_find_field(&r->head, "sid", &sid) == -ENOENT) {
		subscribe(g, service, face, r);
		return;
	}
	s = named_subscription(g, service, r);
	if (!s)
		return;
	start_lease(s, granted_timeout(r));
	answer_subscribed(r, s, granted_timeout(r));
}

void gena_unsubscribe(struct gena *g, const struct igd_service *service, struct igd_http_request *r)
{
	struct subscription *s = named_subscription(g, service, r);

	if (!s)
		return;
	forget(s);
	answer_status(r, 200);
}

/*
 * Beginning and end.
 */
int gena_open(uv_loop_t *loop, const struct igd *igd, struct gena **ret)
{
	struct gena *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->loop = loop;
	g->igd = igd;
	for (size_t i = 0; i < IGD_SERVICES; i++) {
		const struct igd_service *s = igd_services[i];

		for (size_t v = 0; v < s->n_variables && g->n_evented < EVENTED_MAX; v++)
			if (s->variables[v].value)
				g->evented[g->n_evented++] = (struct evented){
					.service = s, .variable = &s->variables[v]
				};
	}
	uv_timer_init(loop, &g->gather);
	uv_timer_init(loop, &g->sweep);
	g->gather.data = g->sweep.data = g;
	g->open_handles = 2;
	look(g);
	*ret = g;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct gena *g = handle->data;

	if (--g->open_handles == 0)
		free(g);
}

void gena_close(struct gena *g)
{
	if (!g)
		return;
	while (g->subscriptions)
		forget(g->subscriptions);
	uv_close((uv_handle_t *)&g->gather, on_closed);
	uv_close((uv_handle_t *)&g->sweep, on_closed);
}
