/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/stranded.h"

#include <string.h>

static enum link_role role_of(const struct site *site, int index)
{
	for (size_t i = 0; i < site->n_links; i++)
		if (site->links[i].index == index)
			return site->links[i].role;
	return LINK_OTHER;
}

static bool is_external(const struct site *site, const struct addr *a)
{
	for (size_t i = 0; i < site->n_external; i++)
		if (addr_eq(&site->external[i], a))
			return true;
	return false;
}

/* External, or what sources are rewritten to. */
static bool is_public(const struct site *site, const struct addr *a)
{
	if (is_external(site, a))
		return true;
	for (size_t i = 0; i < site->n_addresses; i++)
		if (addr_eq(&site->addresses[i].prefix.addr, a) &&
		    role_of(site, site->addresses[i].link) == LINK_UPLINK)
			return true;
	return false;
}

/* What devices send out: from a LAN to none of the networks behind the gateway. */
static bool goes_out(const struct site *site, const struct flow_tuple *t)
{
	bool from_lan = false;

	for (size_t i = 0; i < site->n_addresses; i++) {
		const struct site_address *a = &site->addresses[i];
		enum link_role role = role_of(site, a->link);

		if (role != LINK_UPLINK && prefix_contains(&a->prefix, &t->external))
			return false;
		if (role == LINK_LAN && prefix_contains(&a->prefix, &t->remote))
			from_lan = true;
	}
	return from_lan;
}

bool stranded_ports(const struct change *changes, size_t n, uint64_t ret[STRANDED_WORDS])
{
	bool any = false;

	memset(ret, 0, STRANDED_WORDS * sizeof(ret[0]));
	for (size_t i = 0; i < n; i++) {
		const struct change *c = &changes[i];
		const struct mapping_spec *s = c->after ? &c->after->spec : NULL;

		if (!s || !s->enabled || !(s->protocols & PROTOCOL_UDP) || mapping_is_pinhole(s))
			continue;
		if (c->before && mapping_covers(&c->before->spec, s))
			continue;
		for (uint32_t port = s->external.first; port <= s->external.last; port++)
			ret[port / 64] |= UINT64_C(1) << port % 64;
		any = true;
	}
	return any;
}

static bool has_all_of(const struct site *a, const struct site *b)
{
	for (size_t i = 0; i < b->n_external; i++)
		if (!is_public(a, &b->external[i]))
			return false;
	for (size_t i = 0; i < b->n_addresses; i++)
		if (role_of(b, b->addresses[i].link) == LINK_UPLINK &&
		    addr_is_v4(&b->addresses[i].prefix.addr) &&
		    !is_public(a, &b->addresses[i].prefix.addr))
			return false;
	return true;
}

bool stranded_by_move(const struct site *was, const struct site *is)
{
	return !has_all_of(was, is) || !has_all_of(is, was);
}

static bool is_lost(const struct stranded *s, const struct addr *a)
{
	return s->was && is_public(s->was, a) && !is_public(s->site, a);
}

bool stranded_concerns(const struct stranded *s, const struct ct_entry *e)
{
	const struct flow_tuple *t = &e->tuple;
	bool from_elsewhere = !addr_eq(&e->peer, &t->remote) || e->peer_port != t->remote_port;

	if (t->protocol != PROTOCOL_UDP || !addr_is_v4(&t->external))
		return false;
	if ((t->translated && is_lost(s, &t->external)) || (from_elsewhere && is_lost(s, &e->peer)))
		return true;
	if (t->translated || from_elsewhere)
		return false;
	if (is_external(s->site, &t->external))
		return !s->ports || s->ports[t->external_port / 64] >> t->external_port % 64 & 1;
	return !s->ports && goes_out(s->site, t);
}
