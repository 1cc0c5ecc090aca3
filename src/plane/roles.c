/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guessing errs on the safe side. With firewall = on everything may pass from a LAN, so taking a
 * link that faces the world for a LAN opens the house, while taking a LAN for neither closes a door
 * until somebody names it. Hence a link is a LAN by guess only while an uplink is known, when no
 * default route at all leaves by it (a second provider waiting with a higher metric is no LAN), and
 * when none ever did (its route may only be gone for the moment).
 */
#include "plane/roles.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* As the kernel's dev_valid_name(). */
static bool is_link_name(const char *name)
{
	size_t len = strnlen(name, IF_NAMESIZE);

	if (len == 0 || len == IF_NAMESIZE || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++)
		if (strchr("/: \t\n\v\f\r", name[i]))
			return false;
	return true;
}

static int check_names(const char *const *names, size_t n, const char *key, struct fault *f)
{
	char shown[64];

	for (size_t i = 0; i < n; i++)
		if (!is_link_name(names[i]))
			return fault_set(f, FAULT_INVALID, key,
					 "%s: '%s' is not a link's name; expected 1 to %d "
					 "characters without blanks, '/' and ':'",
					 key,
					 format_printable(shown, sizeof(shown), slice_of(names[i])),
					 IF_NAMESIZE - 1);
	return 0;
}

int roles_check(const struct uplink_config *config, struct fault *f)
{
	char text[ADDR_TEXT_MAX];
	int r;

	r = check_names(config->uplinks, config->n_uplinks, "uplink", f);
	if (!r)
		r = check_names(config->lans, config->n_lans, "lan", f);
	if (r < 0)
		return r;
	for (size_t i = 0; i < config->n_lans; i++)
		if (is_named(config->uplinks, config->n_uplinks, config->lans[i]))
			return fault_set(f, FAULT_INVALID, "lan",
					 "lan: '%s' is named as an uplink too; expected a link in "
					 "one role",
					 config->lans[i]);
	for (size_t i = 0; i < config->n_external; i++)
		if (!addr_is_v4(&config->external[i]))
			return fault_set(f, FAULT_INVALID, "external-address",
					 "external-address: '%s' is not an IPv4 address",
					 format_addr(&config->external[i], text));
	return 0;
}

/* The lowest metric of the family's default routes, or UINT64_MAX where it has none. */
static uint64_t best_metric(const struct topology *t, int family)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < t->n_defaults; i++)
		if (t->defaults[i].family == family && t->defaults[i].metric < best)
			best = t->defaults[i].metric;
	return best;
}

/* Does a default route of the family leave by this link, with at most this metric? */
static bool leads_out(const struct topology *t, int link, int family, uint64_t metric)
{
	for (size_t i = 0; i < t->n_defaults; i++) {
		const struct topology_default *d = &t->defaults[i];

		if (d->link == link && d->family == family && d->metric <= metric)
			return true;
	}
	return false;
}

/* An address from which a LAN could be served. Every IPv6 link has a link-local one, ports of
 * bridges too, so that says nothing; an IPv4 one somebody has set. */
static bool has_address(const struct topology *t, int link)
{
	for (size_t i = 0; i < t->n_addresses; i++) {
		const struct addr *a = &t->addresses[i].prefix.addr;

		if (t->addresses[i].link != link)
			continue;
		if (addr_is_v4(a) || addr_kind(a) != ADDR_LINK_LOCAL)
			return true;
	}
	return false;
}

struct judgement {
	const struct topology *t;
	const struct uplink_config *config;
	uint64_t best4, best6;
	bool uplink_known;
};

static bool is_uplink(const struct judgement *j, const struct topology_link *link)
{
	if (j->config->n_uplinks)
		return is_named(j->config->uplinks, j->config->n_uplinks, link->name);
	if (link->flags & IFF_LOOPBACK || is_named(j->config->lans, j->config->n_lans, link->name))
		return false;
	/* While no default route is left at all, whoever had the last one is still what faces the
	 * world: the route will come back there, and until then the LANs stay LANs. */
	if (j->best4 == UINT64_MAX && j->best6 == UINT64_MAX)
		return link->was_uplink;
	return leads_out(j->t, link->index, AF_INET, j->best4) ||
	       leads_out(j->t, link->index, AF_INET6, j->best6);
}

static bool is_lan(const struct judgement *j, const struct topology_link *link)
{
	if (j->config->n_lans)
		return is_named(j->config->lans, j->config->n_lans, link->name);
	if (!j->uplink_known || link->led_out)
		return false;
	if (!(link->flags & IFF_UP) || link->flags & IFF_LOOPBACK)
		return false;
	return has_address(j->t, link->index) &&
	       !leads_out(j->t, link->index, AF_INET, UINT64_MAX) &&
	       !leads_out(j->t, link->index, AF_INET6, UINT64_MAX);
}

static struct site_link *add_link(struct site *s, const char *name, enum link_role role)
{
	struct site_link *l = &s->links[s->n_links++];

	*l = (struct site_link){ .role = role };
	memcpy(l->name, name, strnlen(name, sizeof(l->name) - 1));
	return l;
}

/* Links that are named but do not exist (yet): their role is known all the same. */
static void add_absent(struct site *s, const char *const *names, size_t n, enum link_role role)
{
	for (size_t i = 0; i < n; i++) {
		bool present = false;

		for (size_t k = 0; k < s->n_links && !present; k++)
			present = strcmp(s->links[k].name, names[i]) == 0;
		if (!present)
			add_link(s, names[i], role);
	}
}

static void assign_links(const struct judgement *judgement, struct site *s)
{
	struct judgement j = *judgement;

	j.uplink_known = j.config->n_uplinks > 0;
	for (size_t i = 0; i < j.t->n_links; i++) {
		const struct topology_link *link = &j.t->links[i];
		struct site_link *l = add_link(s, link->name, LINK_OTHER);

		l->index = link->index;
		l->up = link->flags & IFF_UP && link->flags & IFF_RUNNING;
		if (is_uplink(&j, link)) {
			l->role = LINK_UPLINK;
			j.uplink_known = true;
		}
	}
	for (size_t i = 0; i < j.t->n_links; i++)
		if (s->links[i].role == LINK_OTHER && is_lan(&j, &j.t->links[i]))
			s->links[i].role = LINK_LAN;
	add_absent(s, j.config->uplinks, j.config->n_uplinks, LINK_UPLINK);
	add_absent(s, j.config->lans, j.config->n_lans, LINK_LAN);
}

static bool is_external(const struct topology_address *a)
{
	if (!addr_is_v4(&a->prefix.addr) || a->scope >= RT_SCOPE_LINK)
		return false;
	switch (addr_kind(&a->prefix.addr)) {
	case ADDR_PRIVATE: /* behind another router: what that one sees */
	case ADDR_SHARED:
	case ADDR_GLOBAL:
		return true;
	default:
		return false;
	}
}

static void add_external(const struct topology *t, int link, struct site *s)
{
	for (size_t i = 0; i < t->n_addresses; i++) {
		const struct addr *a = &t->addresses[i].prefix.addr;
		bool known = false;

		if (t->addresses[i].link != link || !is_external(&t->addresses[i]))
			continue;
		for (size_t k = 0; k < s->n_external && !known; k++)
			known = addr_eq(&s->external[k], a);
		if (!known)
			s->external[s->n_external++] = *a;
	}
}

/* First come the addresses of uplinks by which IPv4 leaves, so that the first one is what others
 * see us as. */
static void assign_external(const struct judgement *j, struct site *s)
{
	if (j->config->n_external) {
		memcpy(s->external, j->config->external,
		       j->config->n_external * sizeof(*s->external));
		s->n_external = j->config->n_external;
		return;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < s->n_links; i++) {
			const struct site_link *l = &s->links[i];
			bool leads = l->index && leads_out(j->t, l->index, AF_INET, j->best4);

			if (l->role == LINK_UPLINK && l->index && leads == (pass == 0))
				add_external(j->t, l->index, s);
		}
	}
}

static int site_allocate(struct site *s, const struct topology *t, const struct uplink_config *c)
{
	size_t n_external = c->n_external ? c->n_external : t->n_addresses;

	/* One more of each: calloc(0) may be NULL without being short of memory. */
	s->links = calloc(t->n_links + c->n_uplinks + c->n_lans + 1, sizeof(*s->links));
	s->addresses = calloc(t->n_addresses + 1, sizeof(*s->addresses));
	s->external = calloc(n_external + 1, sizeof(*s->external));
	s->services = calloc(c->n_services + 1, sizeof(*s->services));
	return s->links && s->addresses && s->external && s->services ? 0 : -ENOMEM;
}

int roles_assign(const struct topology *t, const struct uplink_config *config, struct site *ret)
{
	struct judgement j = {
		.t = t,
		.config = config,
		.best4 = best_metric(t, AF_INET),
		.best6 = best_metric(t, AF_INET6),
	};
	struct site s = { .firewall = config->firewall, .hairpin = config->hairpin };

	if (site_allocate(&s, t, config) < 0) {
		site_free(&s);
		return -ENOMEM;
	}
	assign_links(&j, &s);
	/* By rising link, each link's in the kernel's order: two readings of one state are equal.
	 */
	for (size_t i = 0; i < t->n_links; i++)
		for (size_t k = 0; k < t->n_addresses; k++)
			if (t->addresses[k].link == t->links[i].index)
				s.addresses[s.n_addresses++] = (struct site_address){
					.prefix = t->addresses[k].prefix,
					.link = t->addresses[k].link,
				};
	assign_external(&j, &s);
	if (config->n_services)
		memcpy(s.services, config->services, config->n_services * sizeof(*s.services));
	s.n_services = config->n_services;
	*ret = s;
	return 0;
}
