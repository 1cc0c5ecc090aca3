/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping updates (14.2): a device is told what became of its mapping by other hands than its own:
 * the operator's, the clock's, or the uplink's when it got another address.
 *
 * Whoever was answered last about a mapping is remembered in a place that the mapping's id picks,
 * so memory is bounded and the latest ids win. One that is forgotten, and each one after a restart,
 * is not told; it learns of another address by the announcement, and of the rest when it renews.
 *
 * An update is the answer that the device would get if it asked now. It is sent three times, each
 * time with the epoch of the moment, until the device is heard of about that mapping.
 */
#include "serve/pcp_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define PLACES	 16384 /* a power of two */
#define AT_ONCE	 64    /* updates, before others get their turn */
#define PAUSE_MS 5

/* When the second and the third one follow the one before. */
static const clock_ms gaps_ms[] = { 250, 500 };
#define SENDS (sizeof(gaps_ms) / sizeof(gaps_ms[0]) + 1)

struct place {
	struct exchange_path path;
	uint32_t id;	     /* of the mapping; 0: empty */
	struct addr insists; /* the external address without which it is of no use; unset: any */

	/* Of an update under way. */
	TAILQ_ENTRY(place) waiting;
	struct mapping *mapping; /* a reference; NULL: none is */
	uint8_t result;		 /* enum pcp_result */
	bool ended;		 /* success, but its lease is over */
	uint8_t sent;
	clock_ms due;
};

struct pcp_updates {
	struct subscriber subscriber; /* first: what the gateway gives back is this */
	struct pcp *pcp;
	struct addr external; /* as devices were told last */
	TAILQ_HEAD(, place) waiting;
	clock_ms due; /* none of those that wait is due before */
	struct place places[PLACES];
};

static struct place *place_of(struct pcp_updates *u, uint32_t id)
{
	return &u->places[id % PLACES];
}

static void cease(struct pcp_updates *u, struct place *p)
{
	if (!p->mapping)
		return;
	TAILQ_REMOVE(&u->waiting, p, waiting);
	mapping_unref(p->mapping);
	p->mapping = NULL;
}

void pcp_updates_note(struct pcp_updates *u, const struct exchange *x, const struct mapping *m)
{
	const struct pcp_request *r = &x->pcp_request;
	struct place *p = place_of(u, m->id);
	enum addr_kind kind = addr_kind(&r->mapping.external_addr);

	cease(u, p);
	p->id = m->id;
	p->path = x->path;
	p->insists = (struct addr){ 0 };
	if (r->options.prefer_failure && kind != ADDR_UNSET && kind != ADDR_UNSPECIFIED)
		p->insists = r->mapping.external_addr;
}

/* m's constness in an event means that it does not change; counting a holder is no change. */
static void update(struct pcp_updates *u, const struct mapping *m, enum pcp_result result,
		   bool ended)
{
	struct place *p = place_of(u, m->id);

	if (p->id != m->id)
		return;
	cease(u, p);
	p->mapping = mapping_ref((struct mapping *)m);
	p->result = (uint8_t)result;
	p->ended = ended;
	p->sent = 0;
	p->due = u->due = clock_now();
	TAILQ_INSERT_TAIL(&u->waiting, p, waiting);
}

/*
 * Sending.
 */
static bool is_single_host(const struct mapping_spec *s)
{
	return s->n_remote_hosts == 1 && s->peer_port;
}

/* What the mapping lets in, as FILTER says it (14.2). */
static void write_filters(const struct mapping_spec *s, struct pcp_options *o)
{
	for (uint32_t i = 0; i < s->n_remote_hosts && i < PCP_FILTERS_MAX; i++) {
		const struct prefix *p = &s->remote_hosts[i];

		o->filters[o->n_filters++] = (struct pcp_filter){
			.remote_addr = p->addr,
			.prefix_length = (uint8_t)(p->length + (addr_is_v4(&p->addr) ? 96 : 0)),
		};
	}
}

static void write_mapping(const struct mapping_spec *s, struct pcp_response *r)
{
	struct pcp_mapping *m = &r->mapping;

	memcpy(m->nonce, s->nonce, sizeof(m->nonce));
	m->protocol = s->protocols == PROTOCOL_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	m->internal_port = s->internal.first;
	m->external_port = s->external.first;
	if (!is_single_host(s)) {
		write_filters(s, &r->options);
		return;
	}
	m->remote_port = s->peer_port;
	m->remote_addr = s->remote_hosts[0].addr;
}

static void send_update(struct pcp_updates *u, const struct place *p)
{
	const struct gateway *g = u->pcp->config.gateway;
	const struct mapping_spec *s = &p->mapping->spec;
	struct pcp_response r = {
		.opcode = is_single_host(s) ? PCP_PEER : PCP_MAP,
		.result = p->result,
		.lifetime = p->result  ? pcp_error_lifetime(p->result)
			    : p->ended ? 0
				       : device_seconds_left(p->mapping),
		.epoch_time = gateway_epoch(g),
	};
	uint8_t buf[PCP_MESSAGE_MAX];
	ssize_t len;

	write_mapping(s, &r);
	r.mapping.external_addr = pcp_external_addr(g, s);
	if (!addr_eq(&s->internal_client, &p->path.client)) {
		r.options.has_third_party = true;
		r.options.third_party = s->internal_client;
	}
	len = format_pcp_response(&r, buf, sizeof(buf));
	if (len > 0)
		u->pcp->config.carrier->send(u->pcp->config.carrier, &p->path, buf, (size_t)len);
}

clock_ms pcp_next_update(const struct pcp *p)
{
	return TAILQ_EMPTY(&p->updates->waiting) ? 0 : p->updates->due;
}

static void send_if_due(struct pcp_updates *u, struct place *p, clock_ms now, unsigned *sent)
{
	if (p->due > now)
		return;
	if (*sent >= AT_ONCE) {
		p->due = now + PAUSE_MS;
		return;
	}
	(*sent)++;
	send_update(u, p);
	if (++p->sent == SENDS)
		cease(u, p);
	else
		p->due = now + gaps_ms[p->sent - 1];
}

void pcp_send_updates(struct pcp *pcp)
{
	struct pcp_updates *u = pcp->updates;
	struct place *p = TAILQ_FIRST(&u->waiting), *next;
	clock_ms now = clock_now();
	unsigned sent = 0;

	for (; p; p = next) {
		next = TAILQ_NEXT(p, waiting);
		send_if_due(u, p, now, &sent);
	}
	u->due = INT64_MAX;
	TAILQ_FOREACH(p, &u->waiting, waiting)
	if (p->due < u->due)
		u->due = p->due;
}

/*
 * Hearing.
 */
static bool is_others_doing(const struct event *e, const struct mapping *m)
{
	return m->spec.origin == ORIGIN_PCP && strcmp(e->who, m->spec.owner) != 0;
}

/* Does the change concern what the device was told? */
static bool is_news(const struct mapping_spec *a, const struct mapping_spec *b)
{
	return a->enabled != b->enabled || a->expires != b->expires ||
	       !addr_eq(&a->external_addr, &b->external_addr) ||
	       a->external.first != b->external.first || a->external.last != b->external.last;
}

static void hear_change(struct pcp_updates *u, const struct event *e)
{
	const struct mapping *m = e->after ? e->after : e->before;

	if (!is_others_doing(e, m) ||
	    (e->before && e->after && !is_news(&e->before->spec, &e->after->spec)))
		return;
	if (e->after && m->spec.enabled)
		update(u, m, PCP_SUCCESS, false);
	else if (e->kind == EVENT_EXPIRED)
		update(u, m, PCP_SUCCESS, true);
	else
		update(u, m, PCP_NOT_AUTHORIZED, false);
}

/* Mappings that are bound to an address of their own have not moved. */
static int tell_address(void *arg, struct mapping *m)
{
	struct pcp_updates *u = arg;
	const struct place *p = place_of(u, m->id);
	bool misses;

	if (m->spec.origin != ORIGIN_PCP || !m->spec.enabled || mapping_is_pinhole(&m->spec) ||
	    addr_is_set(&m->spec.external_addr))
		return 0;
	misses = addr_is_set(&p->insists) && !addr_eq(&p->insists, &u->external);
	update(u, m, misses ? PCP_CANNOT_PROVIDE_EXTERNAL : PCP_SUCCESS, false);
	return 0;
}

/* Where no address is known there is nothing to tell yet. */
static void hear_site(struct pcp_updates *u)
{
	const struct gateway *g = u->pcp->config.gateway;
	struct addr external = device_external_addr(g);

	if (!addr_is_set(&external) || addr_eq(&external, &u->external))
		return;
	u->external = external;
	mapping_table_each(gateway_table(g), tell_address, u);
}

static void hear(struct subscriber *s, const struct event *e)
{
	struct pcp_updates *u = (struct pcp_updates *)s;

	if (e->before || e->after)
		hear_change(u, e);
	else if (e->kind == EVENT_SITE)
		hear_site(u);
}

int pcp_updates_new(struct pcp *pcp, struct pcp_updates **ret)
{
	struct pcp_updates *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->subscriber.notify = hear;
	u->pcp = pcp;
	u->external = device_external_addr(pcp->config.gateway);
	TAILQ_INIT(&u->waiting);
	gateway_subscribe(pcp->config.gateway, &u->subscriber);
	*ret = u;
	return 0;
}

void pcp_updates_free(struct pcp_updates *u)
{
	struct place *p;

	if (!u)
		return;
	gateway_unsubscribe(u->pcp->config.gateway, &u->subscriber);
	while ((p = TAILQ_FIRST(&u->waiting)))
		cease(u, p);
	free(u);
}
