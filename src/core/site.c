/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void site_free(struct site *s)
{
	free(s->links);
	free(s->addresses);
	free(s->external);
	free(s->services);
	*s = (struct site){ 0 };
}

/* NULL stands for an empty list as well as for no memory: *failed tells them apart. */
static void *copy_list(const void *from, size_t n, size_t size, bool *failed)
{
	void *copy;

	if (!n)
		return NULL;
	copy = calloc(n, size);
	if (!copy)
		*failed = true;
	else
		memcpy(copy, from, n * size);
	return copy;
}

int site_copy(const struct site *from, struct site *ret)
{
	struct site s = *from;
	bool failed = false;

	s.links = copy_list(from->links, s.n_links, sizeof(*s.links), &failed);
	s.addresses = copy_list(from->addresses, s.n_addresses, sizeof(*s.addresses), &failed);
	s.external = copy_list(from->external, s.n_external, sizeof(*s.external), &failed);
	s.services = copy_list(from->services, s.n_services, sizeof(*s.services), &failed);
	if (failed) {
		site_free(&s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static bool links_eq(const struct site *a, const struct site *b)
{
	if (a->n_links != b->n_links)
		return false;
	for (size_t i = 0; i < a->n_links; i++) {
		const struct site_link *x = &a->links[i], *y = &b->links[i];

		if (strcmp(x->name, y->name) != 0 || x->index != y->index || x->role != y->role ||
		    x->up != y->up)
			return false;
	}
	return true;
}

static bool addresses_eq(const struct site *a, const struct site *b)
{
	if (a->n_addresses != b->n_addresses)
		return false;
	for (size_t i = 0; i < a->n_addresses; i++) {
		const struct site_address *x = &a->addresses[i], *y = &b->addresses[i];

		if (prefix_compare(&x->prefix, &y->prefix) != 0 || x->link != y->link)
			return false;
	}
	return true;
}

static bool external_eq(const struct site *a, const struct site *b)
{
	if (a->n_external != b->n_external)
		return false;
	for (size_t i = 0; i < a->n_external; i++)
		if (!addr_eq(&a->external[i], &b->external[i]))
			return false;
	return true;
}

static bool services_eq(const struct site *a, const struct site *b)
{
	if (a->n_services != b->n_services)
		return false;
	for (size_t i = 0; i < a->n_services; i++)
		if (a->services[i].protocols != b->services[i].protocols ||
		    a->services[i].port != b->services[i].port ||
		    a->services[i].lan_only != b->services[i].lan_only)
			return false;
	return true;
}

bool site_eq(const struct site *a, const struct site *b)
{
	return a->firewall == b->firewall && a->hairpin == b->hairpin && links_eq(a, b) &&
	       addresses_eq(a, b) && external_eq(a, b) && services_eq(a, b);
}

bool site_is_own(const struct site *s, const struct addr *a)
{
	if (addr_kind(a) == ADDR_LOOPBACK)
		return true;
	for (size_t i = 0; i < s->n_addresses; i++)
		if (addr_eq(&s->addresses[i].prefix.addr, a))
			return true;
	/* a configured public address may be routed here without being on any link */
	for (size_t i = 0; i < s->n_external; i++)
		if (addr_eq(&s->external[i], a))
			return true;
	return false;
}

bool site_is_broadcast(const struct site *s, const struct addr *a)
{
	struct addr first, last;

	if (!addr_is_v4(a))
		return false;
	for (size_t i = 0; i < s->n_addresses; i++) {
		const struct prefix *p = &s->addresses[i].prefix;

		/* RFC 3021: a /31 has two hosts and no broadcast; a /32 is one host */
		if (!addr_is_v4(&p->addr) || p->length > 30)
			continue;
		prefix_bounds(p, &first, &last);
		if (addr_eq(a, &first) || addr_eq(a, &last))
			return true;
	}
	return false;
}
