/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_allocator: walks from obstacle to obstacle, not from port to port.
 *
 * Each candidate is asked for at the table and at the occupancy; whoever stands in its way says
 * where he ends, and the next candidate lies behind him. So one search visits each obstacle at most
 * once per turn round the ports: two turns (with and without parity) of at most 65,535 questions,
 * tens of milliseconds when every port is taken, next to nothing otherwise.
 *
 * An import that says "auto" 65,000 times would still walk over the same obstacles again and again,
 * so a search that succeeded leaves a hint where it ended. A hint is true as long as no port
 * becomes free; the gateway drops them all when a mapping leaves, and at every turn because of
 * sockets. Mappings for some remote hosts only take no hints, for they fit where others do not. And
 * a device's search leaves none where it passed by ports that others might have.
 */
#include "core/port_allocator.h"

#include <errno.h>
#include <string.h>

#define PORT_MIN	 1024
#define PORT_MAX	 65535
#define WELL_KNOWN_SHIFT 8000 /* 80 -> 8080, 443 -> 8443, 554 -> 8554 */

struct search {
	struct port_allocator *allocator;
	struct mapping_spec spec; /* a copy, whose external range is the candidate */
	const struct port_terms *terms;
	uint32_t except, width;
	bool personal; /* something was passed by that is free for others under such terms */
};

static bool is_companion_of_another(struct search *s, uint32_t *ret_next)
{
	uint8_t protocols = s->spec.protocols;
	const struct mapping *other;

	if (protocols == PROTOCOL_BOTH || mapping_is_pinhole(&s->spec))
		return false;
	s->spec.protocols = PROTOCOL_BOTH - protocols;
	other = mapping_table_conflict(s->allocator->table, &s->spec, s->except);
	s->spec.protocols = protocols;
	if (!other || addr_eq(&other->spec.internal_client, &s->spec.internal_client))
		return false;
	*ret_next = other->spec.external.last + 1u;
	return true;
}

/* May whoever asks have [first, first + width)? Where not, *ret_next is where to go on. */
static bool is_within_terms(struct search *s, uint32_t first, uint32_t *ret_next)
{
	const struct port_terms *terms = s->terms;
	uint32_t permitted;

	if (!terms)
		return true;
	if (terms->policy) {
		permitted = policy_next_port(terms->policy, terms->request, first);
		if (permitted != first) {
			*ret_next = permitted ? permitted : PORT_MAX + 1;
			s->personal |= terms->policy->rules.n > 0;
			return false;
		}
	}
	if (!is_companion_of_another(s, ret_next))
		return true;
	s->personal = true;
	return false;
}

/* 1: [first, first + width) is free; 0: it is not before *ret_next; or a negative errno. */
static int ask(struct search *s, uint32_t first, uint32_t *ret_next)
{
	struct port_allocator *a = s->allocator;
	const struct mapping *other;
	struct occupant occupant;
	int ret;

	s->spec.external.first = (uint16_t)first;
	s->spec.external.last = (uint16_t)(first + s->width - 1);
	if (!is_within_terms(s, first, ret_next))
		return 0;
	other = mapping_table_conflict(a->table, &s->spec, s->except);
	if (other) {
		*ret_next = other->spec.external.last + 1u;
		return 0;
	}
	if (!a->occupancy || mapping_is_pinhole(&s->spec))
		return 1;
	ret = a->occupancy->find(a->occupancy, s->spec.protocols, &s->spec.external_addr,
				 s->spec.external.first, s->spec.external.last, &occupant);
	if (ret <= 0)
		return ret < 0 ? ret : 1;
	*ret_next = occupant.port + 1u;
	return 0;
}

/* The first free candidate of from, from + step, ... below `end`. 1 with *ret, 0 or an errno. */
static int walk(struct search *s, uint32_t from, uint32_t end, uint32_t step, uint32_t *ret)
{
	uint32_t next;
	int found;

	for (uint32_t at = from; at < end && at + s->width - 1 <= PORT_MAX;) {
		found = ask(s, at, &next);
		if (found < 0)
			return found;
		if (found) {
			*ret = at;
			return 1;
		}
		at += (next > at ? next - at + step - 1 : step) / step * step;
	}
	return 0;
}

static struct port_hint *hint_for(struct search *s, uint32_t start, uint32_t step)
{
	struct port_hint *h = s->allocator->hints[(start + s->spec.protocols) % PORT_HINTS] + step -
			      1;
	const struct port_terms *terms = s->terms;
	const struct port_hint wanted = {
		.external = s->spec.external_addr,
		.start = start,
		.next = start,
		.width = s->width,
		.step = step,
		.lowest = terms && terms->policy ? terms->policy->min_external_port : 0,
		.protocols = s->spec.protocols,
	};

	if (h->protocols != wanted.protocols || h->start != start || h->width != s->width ||
	    h->step != step || h->lowest != wanted.lowest ||
	    !addr_eq(&h->external, &wanted.external))
		*h = wanted;
	return h;
}

/* All candidates in steps from `start`, once round. */
static int walk_round(struct search *s, uint32_t start, uint32_t step, uint32_t *ret)
{
	struct port_hint *hint = NULL;
	uint32_t from = start;
	int found;

	if (!s->spec.n_remote_hosts && !s->except) {
		hint = hint_for(s, start, step);
		if (hint->exhausted)
			return 0;
		from = hint->next;
	}
	found = walk(s, from, PORT_MAX + 1, step, ret);
	if (found == 0)
		found = walk(s, PORT_MIN + start % step, start, step, ret);
	if (found > 0 && hint && !s->personal)
		hint->next = *ret;
	if (found == 0 && hint && !s->personal)
		hint->exhausted = true;
	return found;
}

static uint32_t next_up(uint32_t port, uint32_t step)
{
	uint32_t start = port < PORT_MIN ? port + WELL_KNOWN_SHIFT : port + step;

	return start <= PORT_MAX ? start : PORT_MIN + start % step;
}

static int search_any(struct search *s, uint32_t internal, uint32_t *ret)
{
	uint32_t next;
	int found = 0;

	if (internal + s->width - 1 <= PORT_MAX)
		found = ask(s, internal, &next);
	if (found > 0)
		*ret = internal;
	if (found == 0)
		found = walk_round(s, next_up(internal, 2), 2, ret);
	if (found == 0)
		found = walk_round(s, next_up(internal, 1), 1, ret);
	return found;
}

int port_allocate(struct port_allocator *a, const struct mapping_spec *spec, uint32_t except,
		  const struct port_terms *terms, struct port_range *ret)
{
	struct search s = {
		.allocator = a,
		.spec = *spec,
		.terms = terms,
		.except = except,
		.width = port_range_width(spec->internal),
	};
	uint32_t first = spec->external.first, next;
	int found = 0;

	if (!first)
		found = search_any(&s, spec->internal.first, &first);
	else if (terms && terms->wished)
		found = ask(&s, first, &next);
	if (found == 0 && spec->external.first)
		found = walk_round(&s, next_up(spec->external.first, 1), 1, &first);
	if (found <= 0)
		return found < 0 ? found : -EADDRNOTAVAIL;
	ret->first = (uint16_t)first;
	ret->last = (uint16_t)(first + s.width - 1);
	return 0;
}

void port_allocator_forget(struct port_allocator *a)
{
	memset(a->hints, 0, sizeof(a->hints));
}
