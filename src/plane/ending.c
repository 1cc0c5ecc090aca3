/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel may track hundreds of thousands of flows and a batch may change 65,000 mappings, so
 * neither may be walked for each of the other. A flow names its external tuple; the mappings that
 * could have carried it are found by that tuple in one interval tree. Its keys are 32 bits: the
 * port below, above it a hash of the address the mapping is bound to (0 where it holds for every
 * public address; a pinhole is bound to its client). Hashes that meet cost a comparison and nothing
 * else.
 */
#include "plane/ending.h"

#include "base/interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_ADDRESS 0

struct candidate {
	struct interval interval;
	const struct change *change;
};

struct ending {
	struct interval_tree tree;
	const struct addr *client; /* of all candidates */
	bool several_clients, mappings, pinholes;
	size_t n;
	struct candidate candidates[];
};

bool mapping_carries(const struct mapping_spec *s, const struct flow_tuple *flow)
{
	if (!s->enabled || !(s->protocols & flow->protocol))
		return false;
	if (flow->external_port < s->external.first || flow->external_port > s->external.last)
		return false;
	if (!addr_eq(&s->internal_client, &flow->client))
		return false;
	if (mapping_is_pinhole(s)) {
		if (flow->translated)
			return false;
	} else {
		if (!flow->translated)
			return false;
		if (addr_is_set(&s->external_addr) && !addr_eq(&s->external_addr, &flow->external))
			return false;
		if (flow->client_port - s->internal.first !=
		    flow->external_port - s->external.first)
			return false;
	}
	return mapping_admits(s, &flow->remote);
}

static bool admits_all_of(const struct mapping_spec *after, const struct mapping_spec *before)
{
	if (!after->n_remote_hosts)
		return true;
	if (!before->n_remote_hosts)
		return false;
	for (uint32_t i = 0; i < before->n_remote_hosts; i++) {
		const struct prefix *p = &before->remote_hosts[i];
		bool within = false;

		for (uint32_t k = 0; k < after->n_remote_hosts && !within; k++)
			within = after->remote_hosts[k].length <= p->length &&
				 prefix_contains(&after->remote_hosts[k], &p->addr);
		if (!within)
			return false;
	}
	return true;
}

bool mapping_covers(const struct mapping_spec *after, const struct mapping_spec *before)
{
	return after->enabled && (before->protocols & ~after->protocols) == 0 &&
	       addr_eq(&after->internal_client, &before->internal_client) &&
	       (!addr_is_set(&after->external_addr) ||
		addr_eq(&after->external_addr, &before->external_addr)) &&
	       after->external.first <= before->external.first &&
	       after->external.last >= before->external.last &&
	       after->internal.first - after->external.first ==
		       before->internal.first - before->external.first &&
	       admits_all_of(after, before);
}

static bool may_end_flows(const struct change *c)
{
	if (!c->before || !c->before->spec.enabled)
		return false;
	return !c->after || !mapping_covers(&c->after->spec, &c->before->spec);
}

/* FNV-1a, folded to 16 bits and never EVERY_ADDRESS. */
static uint32_t hash_address(const struct addr *a)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(a->in6.s6_addr); i++)
		hash = (hash ^ a->in6.s6_addr[i]) * 16777619u;
	hash = (hash >> 16) ^ (hash & 0xffff);
	return hash == EVERY_ADDRESS ? 1 : hash;
}

static uint32_t line_key(uint32_t line, uint16_t port)
{
	return line << 16 | port;
}

static void add(struct ending *e, const struct change *c)
{
	const struct mapping_spec *s = &c->before->spec;
	struct candidate *new = &e->candidates[e->n];
	uint32_t line = EVERY_ADDRESS;

	if (mapping_is_pinhole(s)) {
		e->pinholes = true;
		line = hash_address(&s->internal_client);
	} else {
		e->mappings = true;
		if (addr_is_set(&s->external_addr))
			line = hash_address(&s->external_addr);
	}
	if (!e->client)
		e->client = &s->internal_client;
	else if (!addr_eq(e->client, &s->internal_client))
		e->several_clients = true;
	new->change = c;
	new->interval.first = line_key(line, s->external.first);
	new->interval.last = line_key(line, s->external.last);
	new->interval.order = (uint32_t)e->n;
	interval_insert(&e->tree, &new->interval);
	e->n++;
}

int ending_new(const struct change *changes, size_t n, struct ending **ret)
{
	struct ending *e;
	size_t able = 0;

	for (size_t i = 0; i < n; i++)
		able += may_end_flows(&changes[i]);
	if (!able) {
		*ret = NULL;
		return 0;
	}
	e = calloc(1, sizeof(*e) + able * sizeof(e->candidates[0]));
	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (may_end_flows(&changes[i]))
			add(e, &changes[i]);
	*ret = e;
	return 0;
}

void ending_free(struct ending *e)
{
	free(e);
}

static bool concerns_line(const struct ending *e, uint32_t line, const struct flow_tuple *flow)
{
	uint32_t key = line_key(line, flow->external_port);
	struct interval *node;

	interval_each (&e->tree, node, key, key) {
		const struct change *c =
			((struct candidate *)((char *)node - offsetof(struct candidate, interval)))
				->change;

		if (mapping_carries(&c->before->spec, flow) &&
		    !(c->after && mapping_carries(&c->after->spec, flow)))
			return true;
	}
	return false;
}

bool ending_concerns(const struct ending *e, const struct flow_tuple *flow)
{
	if (flow->translated && concerns_line(e, EVERY_ADDRESS, flow))
		return true;
	return concerns_line(e, hash_address(&flow->external), flow);
}

bool ending_has_mappings(const struct ending *e)
{
	return e->mappings;
}

bool ending_has_pinholes(const struct ending *e)
{
	return e->pinholes;
}

const struct addr *ending_client(const struct ending *e)
{
	return e->several_clients ? NULL : e->client;
}
